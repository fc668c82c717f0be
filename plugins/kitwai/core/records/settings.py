"""The settings of one cluster, and what a person may set for a while: a pin, a pause."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kitwai.core.records.constraint import Constraint
from kitwai.errors import InvalidInputError


class Mode(StrEnum):
    """What happens with a decision: `SUGGEST` touches nothing, `APPROVE` asks a person first,
    `AUTO` carries it out.
    """

    SUGGEST = "suggest"
    APPROVE = "approve"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Pin:
    """A person's target until a moment (epoch seconds), in place of the policy's."""

    target: int
    until: float
    by: str


@dataclass(frozen=True, slots=True)
class Pause:
    """A person's order to touch nothing until a moment (epoch seconds); decisions go on."""

    until: float
    by: str


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Everything about one cluster that a decision depends on, besides what is observed.

    Times in seconds. ``margin`` is the share of the limit that a predicted finish may use;
    ``start_delay_s`` what a new worker needs until it takes tasks (measured: 14-17 s for five at
    once on 2 cores), ``drain_s`` for how long one that leaves stays; an observation older than
    ``stale_s`` is not acted on. ``flap_budget``: workers that may be started or told to leave
    within an hour before only a limit in danger may change the count; None: any number.
    ``managed``: a pool starts and stops the workers. ``pin`` and ``pause`` are what a person set,
    ``ignored`` says in sentences what a person set that cannot be used.
    """

    cluster: str
    constraint: Constraint
    mode: Mode = Mode.SUGGEST
    min_workers: int = 1
    cores_per_worker: int = 2
    quiet_s: float = 30.0
    cooldown_out_s: float = 15.0
    cooldown_in_s: float = 30.0
    start_delay_s: float = 15.0
    drain_s: float = 20.0
    stale_s: float = 30.0
    margin: float = 1.0
    flap_budget: int | None = None
    managed: bool = True
    pin: Pin | None = None
    pause: Pause | None = None
    ignored: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.min_workers <= self.constraint.max_workers:
            raise InvalidInputError(
                f"min_workers of cluster {self.cluster!r} must lie in 1..N "
                f"(1..{self.constraint.max_workers}), not be {self.min_workers}."
            )
        if self.cores_per_worker < 1:
            raise InvalidInputError(
                f"cores_per_worker of cluster {self.cluster!r} must be at least 1, "
                f"not {self.cores_per_worker}."
            )
        if not 0 < self.margin <= 1:
            raise InvalidInputError(
                f"margin of cluster {self.cluster!r} must lie in (0, 1], not be {self.margin}."
            )
        if self.flap_budget is not None and self.flap_budget < 1:
            raise InvalidInputError(
                f"flap_budget of cluster {self.cluster!r} must be at least 1, "
                f"not {self.flap_budget}."
            )
        for name in (
            "quiet_s",
            "cooldown_out_s",
            "cooldown_in_s",
            "start_delay_s",
            "drain_s",
            "stale_s",
        ):
            if getattr(self, name) < 0:
                raise InvalidInputError(
                    f"{name} of cluster {self.cluster!r} must not be negative, "
                    f"but is {getattr(self, name)}."
                )
