"""What people are told: each event once when it begins, and once when it is over.

No memory is kept for it. The state at this decision is compared with the state at the last one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kitwai.core.decide.scaling_plan import loads, unregistered
from kitwai.core.records.decision import ApplicationDecision, Decision
from kitwai.core.records.observation import Observation
from kitwai.core.records.settings import Mode

LIMIT, FALLBACK = "limit in danger", "model replaced by fallback"
POOL, GATE, APPROVAL = "pool failing", "gate refused", "approval wanted"
BEGINS, OVER, ONCE = "begins", "over", "once"

Held = Mapping[str, str]
"""The present events of one kind: a sentence for each subject, such as an application's id."""


@dataclass(frozen=True, slots=True)
class Notice:
    """``event``: a kind above. ``state``: begins, over, or once for an event without an end.

    ``subject``: the application's id, the version, or "look", "scaling" or "unregistered" of a
    pool, else empty. ``at``: epoch seconds.
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
    """Notices of events that have begun and events that are over.

    None: the state is not known, and nothing is said.
    """
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

    :param seen: the decision's observation; ``looked``: the observation before it, if any.
    :param earlier: the decisions before it, newest first. A decision that knew too little says
        nothing of limits: the decision before it counts instead.
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

    :param failed: the faults of the scaling; ``failed_before``: of the scaling before, if any.
    """

    def held(faults: Sequence[str] | None) -> Held:
        return {"scaling": "; ".join(faults)} if faults else {}

    return changed(POOL, held(failed_before), held(failed), cluster, at)


def _late(made: Decision) -> Held | None:
    """Applications that will miss their limit as things stand."""
    if made.held:
        return None
    late: dict[str, str] = {}
    for application in made.applications:
        workers, finish_s = _workers(made, application), application.predicted_finish_s
        if not finish_s or not 1 <= workers <= len(finish_s):
            continue
        limit_s = application.constraint.limit_s
        if finish_s[workers - 1] > limit_s:
            late[application.id] = (
                f"{application.name} on cluster {made.cluster} is predicted to end at "
                f"{finish_s[workers - 1]:.0f} s of {limit_s:.0f} s with {workers} workers."
            )
    return late


def _workers(made: Decision, application: ApplicationDecision) -> int:
    """Workers that the application will have: the present ones where nobody scales by itself."""
    if made.mode is not Mode.AUTO and len(made.applications) == 1 and made.present is not None:
        return min(made.present, application.constraint.max_workers)
    return application.target


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
    missing = ", ".join(worker.name for worker in unregistered(seen.pool, loads(seen), seen.at))
    text = f"Cluster {seen.cluster}: the master does not list {missing}: see what the log says."
    return {"unregistered": text} if missing else {}
