"""The settings in force on a cluster: its connection's, what a run asks for, what people set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitwai.core.records.overrides import Control, override_usable

if TYPE_CHECKING:
    from kitwai.core.records.settings import ClusterSettings
    from kitwai.hooks.spark_cluster import SparkClusterHook
    from kitwai.store.store import Store


def settings_in_force(hook: SparkClusterHook, store: Store, now: float) -> ClusterSettings:
    """What counts on the hook's cluster at the moment ``now``.

    A run that names N, T or mode has its own; pause and pin hold for it too. What was set and
    cannot be used is left out and named.

    :raises InvalidInputError: the connection, or what the run asks for, cannot be used.
    """
    return override_usable(hook.config.settings, controls_for(hook, store), now)


def controls_for(hook: SparkClusterHook, store: Store) -> list[Control]:
    """The newest control of each name, without what the hook's run asks for itself."""
    newest = store.controls.newest(hook.conn_id)
    return [control for control in newest if control.name not in hook.asked]
