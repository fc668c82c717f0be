"""Loads the champion for a decision: its policy and past runs, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kitwai.config.options import models_root
from kitwai.core.forecast.past_runs import Record
from kitwai.core.policy.policy import Policy
from kitwai.errors import CheckpointError
from kitwai.registry.versions import champion, load_policy, load_runs


@dataclass(frozen=True, slots=True)
class Champion:
    """The champion of a registry.

    ``policy``: None if no champion can be loaded; ``why_not``: the reason, None if it is loaded;
    ``runs``: the past runs that it knows, by the name of the application.
    """

    policy: Policy | None = None
    runs: Mapping[str, Sequence[Record]] = field(default_factory=dict)
    why_not: str | None = None

    def history(self, own: Mapping[str, Sequence[Record]] | None) -> dict[str, Sequence[Record]]:
        """Past runs to decide with. Families of a cluster's ``own`` file replace the champion's."""
        return {**self.runs, **(own or {})}


def load_champion() -> Champion:
    """The champion of the configured registry."""
    try:
        root = models_root()
        version = champion(root)
        return Champion(load_policy(root, version), load_runs(root, version))
    except CheckpointError as error:
        return Champion(why_not=str(error))
