"""The champion as every decider gets it: policy and past runs, or the reason why there is none."""

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
    """``policy`` is None where none can be loaded, and ``why_not`` says why; ``runs`` are the past
    runs that it knows, by the name of the application.
    """

    policy: Policy | None = None
    runs: Mapping[str, Sequence[Record]] = field(default_factory=dict)
    why_not: str | None = None

    def history(self, own: Mapping[str, Sequence[Record]] | None) -> dict[str, Sequence[Record]]:
        """Past runs to decide with: a cluster's own file comes before what the champion knows."""
        return {**self.runs, **(own or {})}


def load_champion() -> Champion:
    """The champion of the configured registry."""
    try:
        root = models_root()
        version = champion(root)
        return Champion(load_policy(root, version), load_runs(root, version))
    except CheckpointError as error:
        return Champion(why_not=str(error))
