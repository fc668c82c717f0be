"""Makes the `View` that a policy is asked about from an observation of a live cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kitwai.core.forecast.arrays import View
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.observation import Application, Observation, Ran, Stage, Told

_OVER = ("COMPLETE", "FAILED")


def with_counts(observation: Observation, *earlier: Observation) -> Observation:
    """The observation, with the finished tasks of each stage split by how many workers served.

    Spark sums a stage's run times over its whole life. The tasks that were added since the last
    look count for the application's workers that served at that look. At the first look they
    count for the workers that serve now.

    :param earlier: earlier observations, newest first. If a driver or the master gave no answer in
        one observation, the observations before it are used.
    """
    if observation.applications is None:
        return observation
    applications = tuple(
        application
        if application.stages is None
        else replace(application, stages=_stages_counted(application, observation, earlier))
        for application in observation.applications
    )
    return replace(observation, applications=applications)


def _stages_counted(
    application: Application, observation: Observation, earlier: Sequence[Observation]
) -> tuple[Stage, ...]:
    now = before = _served(observation, application)
    known: dict[int, tuple[Stage, int | None]] = {}
    for look in reversed(earlier):
        then = next((app for app in look.applications or () if app.id == application.id), None)
        before = _served(look, then if then is not None and then.executors else application)
        if then is not None:
            known |= {stage.id: (stage, before) for stage in then.stages or ()}
    counted = []
    for stage in application.stages or ():
        previous, served = known.get(stage.id, (None, before))
        counted.append(_counted(stage, previous, served, now))
    return tuple(counted)


def _served(observation: Observation, application: Application) -> int | None:
    serving = observation.serving_for(application)
    return None if serving is None else len(serving)


def _counted(stage: Stage, previous: Stage | None, before: int | None, now: int | None) -> Stage:
    if stage.told is not Told.SUM:
        return stage
    ran = previous.ran if previous is not None and previous.told is Told.SUM else ()
    tasks = stage.complete - sum(part.tasks for part in ran)
    run_ms = stage.run_ms - sum(part.run_ms for part in ran)
    # Spark counts in whole milliseconds, so a smaller difference is a rounding error of the sum.
    if tasks < 0 or run_ms < -1.0:  # a new attempt of the stage
        ran, tasks, run_ms = (), stage.complete, stage.run_ms
    run_ms = max(run_ms, 0.0)
    workers = before if before else now
    if tasks == 0 or not workers:
        return replace(stage, ran=ran)
    added = {part.workers: part for part in ran}
    old = added.get(workers, Ran(workers, 0, 0.0))
    added[workers] = Ran(workers, old.tasks + tasks, old.run_ms + run_ms)
    return replace(stage, ran=tuple(added[key] for key in sorted(added)))


def _complete(stage: Stage) -> int:
    """The stage's finished tasks.

    Its list of tasks is read a moment after the stage, and may show the first of them alone.
    """
    listed = sum(ran.tasks for ran in stage.ran)
    return stage.complete or max(0, min(listed, stage.tasks - stage.active))


def view_of(
    application: Application,
    constraint: Constraint,
    *,
    workers: int,
    serving: int,
    cores: int,
    counts: int,
    stages: int = 1,
) -> View:
    """One application (B = 1) as the simulator would show it.

    :param workers: workers that serve or start for it; ``serving``: workers that take tasks.
    :param cores: task slots a worker; ``counts``: more workers count as so many.
    :param stages: the view has at least so many stages. A stage that Spark has not submitted yet
        has no tasks.
    """
    shown = sorted(application.stages or (), key=lambda stage: stage.id)
    now = application.elapsed_s
    width = max(1, stages, len(shown))
    cell_n, cell_s, first_n, first_s = np.zeros((4, 1, width, counts + 1))
    for position, stage in enumerate(shown):
        for ran in stage.ran or (Ran(max(serving, 1), stage.complete, stage.run_ms),):
            at = min(ran.workers, counts)
            cell_n[0, position, at] += ran.tasks
            cell_s[0, position, at] += ran.run_ms / 1000.0
            if ran.first:
                first_n[0, position, at] += ran.tasks
                first_s[0, position, at] += ran.run_ms / 1000.0

    def ints(values: Sequence[int]) -> np.ndarray:
        return np.array([[*values, *[0] * (width - len(values))]], dtype=np.int64)

    def floats(values: Sequence[float], missing: float) -> np.ndarray:
        return np.array([[*values, *[missing] * (width - len(values))]], dtype=np.float64)

    over = [stage.status in _OVER or stage.complete >= stage.tasks for stage in shown]
    return View(
        now=np.array([now]),
        max_workers=np.array([constraint.max_workers], dtype=np.int64),
        limit_s=np.array([constraint.limit_s]),
        workers=np.array([workers], dtype=np.int64),
        serving=np.array([serving], dtype=np.int64),
        cores=np.array([cores], dtype=np.int64),
        jobs=np.array([application.jobs or 1], dtype=np.int64),
        busy=np.array([0.0]),
        tasks=ints([stage.tasks for stage in shown]),
        active=ints([stage.active for stage in shown]),
        complete=ints([_complete(stage) for stage in shown]),
        run_s=floats([stage.run_ms / 1000.0 for stage in shown], 0.0),
        ended=ints(over).astype(np.bool_),
        over=np.zeros(1, dtype=np.bool_),
        began_s=floats([np.inf if s.began_s is None else s.began_s for s in shown], np.inf),
        ended_s=floats(
            [
                np.inf if s.ended_s is None or not ended else s.ended_s
                for s, ended in zip(shown, over, strict=True)
            ],
            np.inf,
        ),
        cell_n=cell_n,
        cell_s=cell_s,
        first_n=first_n,
        first_s=first_s,
        age_s=floats([np.nan if s.running_s is None else s.running_s for s in shown], np.nan),
        active_first=floats([float(s.running_first) for s in shown], 0.0),
    )
