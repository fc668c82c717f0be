"""Recorded observations decided again by another policy.

The answer is exact under the recorded past. `kitwai.sim.outcome` tells what the other policy's own
choices would have led to.
"""

from __future__ import annotations

from collections.abc import Iterable

from kitwai.core.decide.cluster import decide
from kitwai.core.forecast.ended_runs import PastRuns
from kitwai.core.policy.policy import Policy
from kitwai.core.records.decision import Decision
from kitwai.core.records.observation import Observation, WorkerState
from kitwai.core.records.settings import ClusterSettings

Step = tuple[Observation, Decision, ClusterSettings]
"""An observation, its decision, and the settings of that moment."""


def decide_again(step: Step, policy: Policy | None, known: PastRuns) -> Decision:
    """The decision that ``policy`` makes of a recorded observation under its recorded settings.

    :param policy: None: the forecast, without a checkpoint.
    :param known: past runs. The policy is told the runs that had ended before the observation.
    """
    observation, recorded, settings = step
    return decide(
        observation,
        settings,
        policy,
        # An observation that was too old to act on is too old again.
        now=recorded.decided_at,
        history=known.before(observation.at),
        history_sha256=recorded.history,
    )


def paid_worker_s(observations: Iterable[Observation]) -> float | None:
    """Worker-seconds really paid from the first to the last observation.

    None where no observation tells of workers. A worker is paid from its start until it is gone,
    draining included. The pool's living workers count. Without the pool's answer the master's
    workers count that are not dead. A count holds until the next observation that tells a count.

    :param observations: in the order of time.
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
