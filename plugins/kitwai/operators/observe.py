"""The first part of a step: look at the cluster and keep what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kitwai.operators.base import ClusterOperator

if TYPE_CHECKING:
    from kitwai.hooks.spark_cluster import SparkClusterHook


class ObserveOperator(ClusterOperator):
    """Reads master, drivers and their logs, metrics and pool of one cluster into the store.

    :param cluster: connection id of the cluster. (templated)

    Returns ``{"observation_id", "present", "applications", "missing"}``.
    """

    ui_color = "#e3edf7"

    def step(self, hook: SparkClusterHook) -> dict[str, Any]:
        """Observe; a source that fails is named, and the observation is kept without it."""
        from kitwai.actions.step import observe_cluster

        return observe_cluster(self.store(), hook, self.log)
