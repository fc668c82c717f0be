"""What an event log tells of a finished application, as an `ApplicationProfile`.

- A stage counts if one of its tasks succeeded. Of a task that ran several times (failed, killed,
  speculative, repeated by a later attempt of its stage) the first success counts.
- A parent that never ran (its output was there already, or adaptive execution has renumbered it)
  is replaced by its nearest ancestors that ran.
- Jobs that overlapped in time (adaptive execution submits a query's stages so) are one whole: a
  stage without parents there waits for those that had ended when it was submitted.
- An executor's first tasks are slower, whatever they do: `first_task_cost_ms` says by how much,
  and the profile's task times are without it.
"""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace

from kitwai.errors import InvalidInputError
from kitwai.observe.event_log import EventLog, Stage, Task
from kitwai.sim.profile import ApplicationProfile, StageProfile

INPUT_PREFIX = "spark.kitwai.inputs."
"""Spark properties that say what differs between the runs of a family, as numbers."""

_MOST_COMPARED = 200


def profile_of(log: EventLog, *, source: str) -> ApplicationProfile:
    """The profile of an application.

    :param source: where the log is from, for the profile's reader.
    :raises InvalidInputError: no stage of it ran, or a value cannot be (see `ApplicationProfile`).
    """
    ran = log.ran
    if not ran:
        raise InvalidInputError(f"The application {log.app} ran no stage.")
    parents = _parents(log, ran)
    cost_ms = first_task_cost_ms(log) or 0.0
    first = first_tasks(log)
    profile = ApplicationProfile(
        app=log.app,
        family=log.name,
        inputs=_inputs(log),
        cores_per_worker=_slots_of_an_executor(log),
        stages=tuple(
            _stage_profile(stage, parents[stage.id], first, cost_ms)
            for stage in sorted(ran, key=lambda one: one.id)
        ),
        source=source,
    )
    gaps = _gaps_ms(log, profile)
    stages = tuple(replace(stage, gap_ms=gaps[stage.id]) for stage in profile.stages)
    return replace(profile, stages=stages)


def first_task_cost_ms(log: EventLog) -> float | None:
    """How much longer an executor's first tasks ran than its later ones; None: the log can't tell.

    Median of the differences between the first tasks and the others of a stage (Hodges and
    Lehmann's estimator, which a few slow tasks do not move), over the stages that have both, each
    by the number of its first tasks.
    """
    first = first_tasks(log)
    costs: list[float] = []
    for stage in log.ran:
        slow = [task.run_ms for task in stage.tasks if (task.stage, task.index) in first]
        rest = [task.run_ms for task in stage.tasks if (task.stage, task.index) not in first]
        if slow and rest:
            pairs = [a - b for a in _spread(slow) for b in _spread(rest)]
            costs += [statistics.median(pairs)] * len(slow)
    return max(0.0, statistics.median(costs)) if costs else None


def first_tasks(log: EventLog) -> set[tuple[int, int]]:
    """Stage and index of the tasks with which each slot of an executor began: those launched there
    before any other had ended.
    """
    by_executor: dict[str, list[Task]] = {}
    for stage in log.ran:
        for task in stage.tasks:
            by_executor.setdefault(task.executor, []).append(task)
    slots = _slots_of_an_executor(log)
    first = set()
    for tasks in by_executor.values():
        until = min(task.finish_ms for task in tasks)
        began = sorted((t for t in tasks if t.launch_ms < until), key=lambda task: task.launch_ms)
        first |= {(task.stage, task.index) for task in began[:slots]}
    return first


def _stage_profile(
    stage: Stage, parents: tuple[int, ...], first: set[tuple[int, int]], cost_ms: float
) -> StageProfile:
    tasks = sorted(stage.tasks, key=lambda task: (task.launch_ms, task.index))
    # What is left of a first task is no shorter than the shortest of the others.
    least = min((t.run_ms for t in tasks if (t.stage, t.index) not in first), default=1.0)
    return StageProfile(
        id=stage.id,
        parents=parents,
        task_ms=tuple(
            min(task.run_ms, max(task.run_ms - cost_ms, least))
            if (task.stage, task.index) in first
            else task.run_ms
            for task in tasks
        ),
        input_bytes=sum(task.input_bytes for task in tasks),
        shuffle_read_bytes=sum(task.shuffle_read_bytes for task in tasks),
        shuffle_write_bytes=sum(task.shuffle_write_bytes for task in tasks),
    )


def _parents(log: EventLog, ran: Sequence[Stage]) -> dict[int, tuple[int, ...]]:
    """The stages, among those that ran, that each one waits for; none where it waits for the end
    of what ran before it.
    """
    together = _overlapping_jobs(log, ran)
    parents: dict[int, tuple[int, ...]] = {}
    current, before, inside = -1, set[int](), set[int]()
    for stage in ran:
        if together[stage.job] != current:
            # Ends that nothing joined must be named, or they would count as one after the other.
            open_ends = _last(inside, parents)
            before = open_ends if len(open_ends) > 1 else set()
            current, inside = together[stage.job], set()
        near = _ran_before(log, stage) & inside
        if not near:
            near = _last(
                {
                    one
                    for one in inside
                    if log.stages[one].job != stage.job and log.stages[one].end_ms <= stage.began_ms
                },
                parents,
            )
        parents[stage.id] = tuple(sorted(near or before))
        inside.add(stage.id)
    return parents


def _ran_before(log: EventLog, stage: Stage) -> set[int]:
    """The nearest ancestors of a stage that ran."""
    found, looked_at, waiting = set[int](), set[int](), list(stage.parents)
    while waiting:
        one = waiting.pop()
        if one in looked_at or one not in log.stages:
            continue
        looked_at.add(one)
        if log.stages[one].tasks:
            found.add(one)
        else:
            waiting += log.stages[one].parents
    return found


def _last(stages: set[int], parents: Mapping[int, tuple[int, ...]]) -> set[int]:
    """Those of ``stages`` that no other of them waits for."""
    return stages - {parent for one in stages for parent in parents[one]}


def _overlapping_jobs(log: EventLog, ran: Sequence[Stage]) -> dict[int, int]:
    """By job, the first of the jobs with which it overlaps, directly or by others in between."""
    ends = {job.id: job.end_ms or job.submitted_ms for job in log.jobs.values()}
    for stage in ran:
        ends[stage.job] = max(ends[stage.job], stage.end_ms)
    group: dict[int, int] = {}
    current, until = -1, -1.0
    for job in sorted(log.jobs.values(), key=lambda job: (job.submitted_ms, job.id)):
        if job.submitted_ms >= until:
            current = job.id
        until = max(until, ends[job.id])
        group[job.id] = current
    return group


def _gaps_ms(log: EventLog, profile: ApplicationProfile) -> dict[int, float]:
    """Driver time before each stage, after what the simulator lets it wait for: its parents, or
    the last stages of the job before, or the application's start.
    """
    launches = sorted(task.launch_ms for stage in log.ran for task in stage.tasks)
    finishes = sorted(task.finish_ms for stage in log.ran for task in stage.tasks)
    gaps = {}
    before = log.start_ms
    for job in profile.jobs:
        for stage in job:
            real = log.stages[stage.id]
            ended = max((log.stages[one].end_ms for one in stage.parents), default=before)
            submitted = real.began_ms
            running = bisect_right(launches, submitted) - bisect_right(finishes, submitted)
            # Where no slot was free, the wait from there on was not the driver's.
            full = 0 < _slots_at(log, submitted) <= running
            began = submitted if full else min(task.launch_ms for task in real.tasks)
            gaps[stage.id] = max(0.0, began - ended)
        parents = {one for stage in job for one in stage.parents}
        before = max(log.stages[stage.id].end_ms for stage in job if stage.id not in parents)
    return gaps


def _slots_at(log: EventLog, at_ms: float) -> int:
    return sum(
        executor.slots
        for executor in log.executors.values()
        if executor.added_ms <= at_ms < (executor.removed_ms or float("inf"))
    )


def _slots_of_an_executor(log: EventLog) -> int:
    """Task slots of a worker: an executor's, or what the tasks of the busiest show."""
    slots = [executor.slots for executor in log.executors.values()]
    if slots:
        return max(1, round(statistics.median(slots)))
    busiest = 1
    by_executor: dict[str, list[Task]] = {}
    for stage in log.ran:
        for task in stage.tasks:
            by_executor.setdefault(task.executor, []).append(task)
    for tasks in by_executor.values():
        ends = sorted(task.finish_ms for task in tasks)
        for number, launch in enumerate(sorted(task.launch_ms for task in tasks), start=1):
            busiest = max(busiest, number - bisect_right(ends, launch))
    return busiest


def _inputs(log: EventLog) -> dict[str, float]:
    inputs = {}
    for name, value in log.properties.items():
        if name.startswith(INPUT_PREFIX):
            try:
                inputs[name.removeprefix(INPUT_PREFIX)] = float(value)
            except ValueError as error:
                raise InvalidInputError(
                    f"The property {name} of {log.app} must be a number, not {value!r}."
                ) from error
    return inputs


def _spread(values: list[float]) -> list[float]:
    """At most `_MOST_COMPARED` of the values, evenly spread over their order."""
    ordered = sorted(values)
    step = max(1.0, len(ordered) / _MOST_COMPARED)
    return [ordered[int(at * step)] for at in range(int(len(ordered) / step))]
