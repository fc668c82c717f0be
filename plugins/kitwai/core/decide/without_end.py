"""Applications without an end: streams, shells, and applications that say so.

No finish can be predicted for them, so their backlog decides. They get as many workers, at most N,
as work off the waiting tasks within the horizon. The horizon is twice the start-up time of a
worker: a backlog that is gone before a worker comes is not worth the worker. They give up one
worker a step where one fewer still has a slot for every task. They give up all but one after the
quiet time without a job (`kitwai.core.decide.application`). Otherwise the present count is held.
"""

from __future__ import annotations

import math
from dataclasses import replace

from kitwai.core.records.decision import ApplicationDecision
from kitwai.core.records.observation import Application
from kitwai.core.records.settings import ClusterSettings

_OVER = ("COMPLETE", "FAILED", "SKIPPED")
_MIN_HORIZON_S = 1.0
_RECENT_STAGES = 50


def decide_endless(
    held: ApplicationDecision, application: Application, settings: ClusterSettings, *, present: int
) -> ApplicationDecision:
    """The decision on an application without end.

    :param held: the decision that holds its present count.
    :param present: workers that it has.
    """
    stages = application.stages or ()
    open_stages = [stage for stage in stages if stage.status not in _OVER]
    active = sum(stage.active for stage in open_stages)
    waiting = sum(max(0, stage.tasks - stage.complete - stage.active) for stage in open_stages)
    recent = [stage for stage in stages if stage.complete > 0][-_RECENT_STAGES:]
    name, most, cores = held.name, held.constraint.max_workers, settings.cores_per_worker
    if not recent:
        return replace(
            held,
            reason=f"{name} has no end and no limit, and no task of it has finished: it is held at "
            f"{held.target}.",
        )
    task_s = sum(s.run_ms for s in recent) / sum(s.complete for s in recent) / 1000.0
    horizon_s = max(_MIN_HORIZON_S, 2 * settings.start_delay_s)
    backlog_s = waiting * task_s
    needed = min(most, max(1, math.ceil(backlog_s / (cores * horizon_s))))
    work = f"{name} has no end and no limit; {waiting} tasks wait ({backlog_s:.0f} s of work)"
    if needed > present:
        return replace(
            held,
            target=needed,
            reason=f"{work}: {needed} workers take {horizon_s:.0f} s for them at most."
            if needed < most
            else f"{work}: it gets all {most} workers.",
        )
    if present > 1 and active + waiting <= (present - 1) * cores:
        return replace(
            held,
            target=min(present - 1, most),
            reason=f"{work}, and {active} run: one worker fewer has a slot for each.",
        )
    return replace(held, reason=f"{work}: it is held at {held.target}.")
