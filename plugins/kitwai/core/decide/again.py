"""Recorded observations decided again by another policy: what would it have asked for then?

Exact, but under the recorded past: what the other policy's own choices would have led to is the
business of `kitwai.sim.outcome`.
"""

from __future__ import annotations

from collections.abc import Iterable

from kitwai.core.decide.cluster import decide
from kitwai.core.forecast.ended_runs import PastRuns
from kitwai.core.policy.policy import Policy
from kitwai.core.records.decision import ClusterSettings, Decision
from kitwai.core.records.observation import Observation, WorkerState

Step = tuple[Observation, Decision, ClusterSettings]
"""What was seen, what was decided of it, and the settings at that time."""


def decide_again(step: Step, policy: Policy | None, known: PastRuns) -> Decision:
    """The decision that ``policy`` makes of a recorded observation under its recorded settings.

    :param policy: None: the formula, without a checkpoint.
    :param known: past runs, of which it is told those that had ended when it was seen.
    """
    observation, recorded, settings = step
    return decide(
        observation,
        settings,
        policy,
        # What was too old to act on then is too old again.
        now=recorded.decided_at,
        history=known.before(observation.at),
        history_sha256=recorded.history,
    )


def paid_worker_s(observations: Iterable[Observation]) -> float | None:
    """Worker-seconds really paid from the first to the last of ``observations``, which come in the
    order of time; None where none of them tells of workers.

    A worker is paid from its start until it is gone, draining included: those that the pool knows
    to be alive, or, without a pool's answer, those that the master lists and that are not dead. A
    count holds until the next observation that tells one.
    """
    paid, since, count = 0.0, 0.0, None
    for observation in observations:
        now = _paid(observation)
        if now is None:
            continue
        if count is not None:
            paid += count * (observation.at - since)
        since, count = observation.at, now
    return None if count is None else paid


def _paid(observation: Observation) -> int | None:
    if observation.pool:
        return sum(worker.alive for worker in observation.pool)
    if observation.workers is None:
        return None
    return sum(worker.state is not WorkerState.DEAD for worker in observation.workers)
