"""What people are told of: each thing once when it begins, and once when it is over.

Nothing is remembered for it: what holds now is compared with what held at the decision before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kitwai.core.decide.scaling_plan import loads, unregistered
from kitwai.core.records.decision import ApplicationDecision, Decision, Mode
from kitwai.core.records.observation import Observation

LIMIT, FALLBACK = "limit in danger", "model replaced by fallback"
POOL, GATE, APPROVAL = "pool failing", "gate refused", "approval wanted"
BEGINS, OVER, ONCE = "begins", "over", "once"

Held = Mapping[str, str]
"""What holds of one kind of event: a sentence for each subject, such as an application's id."""


@dataclass(frozen=True, slots=True)
class Notice:
    """``event``: one of the kinds above; ``state``: begins, over, or once where it has no end.

    ``subject``: the application's id, the version, "look", "scaling" or
    "unregistered" of a pool, else empty;
    ``at``: epoch seconds.
    """

    event: str
    state: str
    cluster: str | None
    subject: str
    text: str
    at: float


def changed(
    event: str, before: Held | None, after: Held | None, cluster: str, at: float
) -> list[Notice]:
    """Notices of what has begun and what is over. None: not known; then nothing is said."""
    if after is None:
        return []
    before = before or {}
    begun = [
        Notice(event, BEGINS, cluster, subject, text, at)
        for subject, text in after.items()
        if subject not in before
    ]
    over = [
        Notice(event, OVER, cluster, subject, f"Over: {text}", at)
        for subject, text in before.items()
        if subject not in after
    ]
    return [*begun, *over]


def of_decision(
    made: Decision, seen: Observation, earlier: Sequence[Decision], looked: Observation | None
) -> list[Notice]:
    """What people are told after a decision.

    :param seen: what it was made from; ``looked``: the look before, None if there was none.
    :param earlier: the decisions before it, newest first. One that knew too little says nothing of
        limits; the one before it is taken then.
    """
    known = next((decision for decision in earlier if not decision.held), None)
    changes = (
        (LIMIT, _late(known) if known else None, _late(made)),
        (FALLBACK, _fallback(known) if known else None, _fallback(made)),
        (POOL, _pool(looked) if looked else None, _pool(seen)),
        (POOL, _unregistered(looked) if looked else None, _unregistered(seen)),
    )
    return [
        notice
        for event, before, after in changes
        for notice in changed(event, before, after, made.cluster, made.at)
    ]


def of_scalings(
    cluster: str, at: float, failed: Sequence[str], failed_before: Sequence[str] | None
) -> list[Notice]:
    """What people are told after a scaling.

    :param failed: what went wrong in it; ``failed_before``: in the one before, None if there was
        none.
    """

    def held(faults: Sequence[str] | None) -> Held:
        return {"scaling": "; ".join(faults)} if faults else {}

    return changed(POOL, held(failed_before), held(failed), cluster, at)


def _late(made: Decision) -> Held | None:
    """Applications that will miss their limit as things stand."""
    if made.held:
        return None
    found: dict[str, str] = {}
    for one in made.applications:
        workers = _workers(made, one)
        if not one.predicted_finish_s or not 1 <= workers <= len(one.predicted_finish_s):
            continue
        finish = one.predicted_finish_s[workers - 1]
        if finish > one.constraint.limit_s:
            found[one.id] = (
                f"{one.name} on cluster {made.cluster} is predicted to end at {finish:.0f} s of "
                f"{one.constraint.limit_s:.0f} s with {workers} workers."
            )
    return found


def _workers(made: Decision, one: ApplicationDecision) -> int:
    """Workers that it will have: where nobody acts by itself, those that are there."""
    if made.mode is not Mode.AUTO and len(made.applications) == 1 and made.present is not None:
        return min(made.present, one.constraint.max_workers)
    return one.target


def _fallback(made: Decision) -> Held | None:
    if made.held:
        return None
    return {"": f"Cluster {made.cluster}: {made.fallback}"} if made.fallback else {}


def _pool(seen: Observation) -> Held:
    if seen.pool is not None:
        return {}
    why = next((part.error for part in seen.parts if part.name == "pool" and part.error), None)
    return {"look": f"The pool of cluster {seen.cluster} gave no answer: {why}"} if why else {}


def _unregistered(seen: Observation) -> Held | None:
    """Workers that have not registered with the master though they should; None: not known."""
    if seen.pool is None or seen.workers is None:
        return None
    missing = ", ".join(one.name for one in unregistered(seen.pool, loads(seen), seen.at))
    text = f"Cluster {seen.cluster}: the master does not list {missing}: see what the log says."
    return {"unregistered": text} if missing else {}
