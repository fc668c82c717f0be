"""What was decided for one cluster, and why: the record that the store keeps of every step."""

from __future__ import annotations

from dataclasses import dataclass, field

from kitwai.core.records.constraint import Constraint
from kitwai.core.records.settings import Mode


@dataclass(frozen=True, slots=True)
class GuardrailNote:
    """One guardrail that changed a target: from what, to what, and why in a plain sentence."""

    name: str
    before: int
    after: int
    reason: str


@dataclass(frozen=True, slots=True)
class ApplicationDecision:
    """The target for one application. Index ``i`` of the tuples belongs to target ``i + 1``.

    ``miss_probability`` is the policy's for each target. It, ``q_values`` and
    ``predicted_finish_s`` are None when nothing is known of the work left.
    ``limit_source`` is "application", "cluster" or "none". ``policy`` names what recommended the
    target: "network", "forecast", or None where neither was asked. ``checkpoint`` is the version
    whose past runs and network were at hand, also where its network abstained.
    """

    id: str
    name: str
    constraint: Constraint
    limit_source: str
    elapsed_s: float
    target: int
    reason: str
    policy: str | None = None
    checkpoint: str | None = None
    mask: tuple[bool, ...] = ()
    q_values: tuple[float, ...] | None = None
    miss_probability: tuple[float, ...] | None = None
    predicted_finish_s: tuple[float, ...] | None = None
    guardrails: tuple[GuardrailNote, ...] = ()

    @property
    def limit_s(self) -> float | None:
        """Its limit, None where it has none: the constraint's is the cluster's then."""
        return None if self.limit_source == "none" else self.constraint.limit_s


@dataclass(frozen=True, slots=True)
class Decision:
    """The target of one cluster at one moment. ``target`` None: too little is known to name one,
    and nothing is to be touched. ``present`` is the count that was there, starting ones included.
    ``policy`` names what decided: "network" if a network did for any application, "forecast", or
    "rules" where neither was asked. ``checkpoint``: the champion's version.
    ``fallback`` says why the champion did not decide, None when it did or was not asked.
    ``held``: too little was known, so that the target says nothing of what is wanted.
    ``decided_at``: when it was decided, None where the observation was taken for fresh;
    ``history``: SHA-256 of the cluster's own file of past runs, None where it has none.
    """

    cluster: str
    at: float
    mode: Mode
    constraint: Constraint
    present: int | None
    target: int | None
    reason: str
    policy: str
    checkpoint: str | None
    fallback: str | None = None
    applications: tuple[ApplicationDecision, ...] = ()
    guardrails: tuple[GuardrailNote, ...] = field(default=())
    held: bool = False
    decided_at: float | None = None
    history: str | None = None
