"""What an event log tells of a finished application, as an `ApplicationProfile`.

- A stage counts if one of its tasks succeeded. Of a task that ran several times (failed, killed,
  speculative, repeated by a later attempt of its stage) the first success counts.
- A parent that never ran (its output was there already, or adaptive execution has renumbered it)
  is replaced by its nearest ancestors that ran.
- Jobs that overlapped in time (adaptive execution submits a query's stages so) are one whole: a
  stage without parents there waits for those that had ended when it was submitted.
- An executor's first tasks are slower, whatever they do: `first_task_cost_ms` says by how much.
  ``task_ms`` are as the log has them, ``first_ms`` how much of them came from being first.
- ``inputs`` are what the application itself announced (``spark.kitwai.inputs.*``): what it read is
  known only afterwards, so it cannot be compared with a run to come. ``slowdown`` is left out: one
  run does not tell a change of its speed from a change of what it does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kitwai.errors import InvalidInputError
from kitwai.observe.event_log import EventLog, Stage
from kitwai.observe.event_order import parents_of
from kitwai.sim.profile import MAX_STAGES, ApplicationProfile, StageProfile

INPUT_PREFIX = "spark.kitwai.inputs."
"""Spark properties that say what differs between the runs of a family, as numbers."""

_MOST_COMPARED = 200


def profile_of(log: EventLog, *, source: str) -> ApplicationProfile:
    """The profile of an application.

    :param source: where the log is from, for the profile's reader.
    :raises InvalidInputError: no stage of it ran, or a value cannot be (see `ApplicationProfile`).
    """
    if not log.ran:
        raise InvalidInputError("its application ran no stage")
    if len(log.ran) > MAX_STAGES:
        raise InvalidInputError(f"its application ran more than {MAX_STAGES} stages")
    parents = parents_of(log)
    cost_ms = first_task_cost_ms(log) or 0.0
    first = first_tasks(log)
    profile = ApplicationProfile(
        app=log.app,
        family=log.name,
        inputs=_inputs(log),
        cores_per_worker=_slots_of_an_executor(log),
        stages=tuple(
            _stage_profile(stage, parents[stage.id], first[stage.id], cost_ms)
            for stage in sorted(log.ran, key=lambda one: one.id)
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
        run_ms, slow = stage.table["run_ms"], first[stage.id]
        if slow.any() and not slow.all():
            pairs = _spread(run_ms[slow])[:, None] - _spread(run_ms[~slow])
            costs += [float(np.median(pairs))] * int(slow.sum())
    return max(0.0, float(np.median(costs))) if costs else None


def first_tasks(log: EventLog) -> dict[int, NDArray[np.bool_]]:
    """By stage, which of its tasks are those with which each slot of an executor began: launched
    there before any other had ended.
    """
    slots = _slots_of_an_executor(log)
    executor, launch, finish = _columns(log, "executor", "launch_ms", "finish_ms")
    first = np.zeros(len(executor), dtype=np.bool_)
    for mine in _by_executor(executor, launch):
        began = mine[:slots]  # at most so many as the executor has slots
        first[began[launch[began] < finish[mine].min()]] = True
    ends = np.cumsum([len(stage.table) for stage in log.ran])
    parts = np.split(first, ends[:-1])
    return {stage.id: part for stage, part in zip(log.ran, parts, strict=True)}


def _stage_profile(
    stage: Stage, parents: tuple[int, ...], first: NDArray[np.bool_], cost_ms: float
) -> StageProfile:
    table = stage.table
    run_ms = table["run_ms"].astype(np.float64)
    # What is left of a first task is no shorter than the shortest of the others.
    least = run_ms[~first].min() if not first.all() else 1.0
    extra = np.clip(run_ms - np.maximum(run_ms - cost_ms, least), 0.0, None)
    return StageProfile(
        id=stage.id,
        parents=parents,
        task_ms=tuple(run_ms.tolist()),
        first_ms={int(at): float(extra[at]) for at in np.flatnonzero(first & (extra > 0))},
        input_bytes=_total(table["input_bytes"]),
        shuffle_read_bytes=_total(table["shuffle_read_bytes"]),
        shuffle_write_bytes=_total(table["shuffle_write_bytes"]),
    )


def _total(sizes: NDArray[Any]) -> int:
    """Their sum, in floating point: it cannot overflow, and is exact below 8 PiB."""
    return max(0, int(sizes.sum(dtype=np.float64)))


def _gaps_ms(log: EventLog, profile: ApplicationProfile) -> dict[int, float]:
    """Driver time before each stage, after what the simulator lets it wait for: its parents, or
    the last stages of the job before, or the application's start.
    """
    launches, finishes = (np.sort(one) for one in _columns(log, "launch_ms", "finish_ms"))
    slots_at = _slots_over_time(log)
    ends = {stage.id: stage.end_ms for stage in log.ran}
    gaps = {}
    before = log.start_ms
    for job in profile.jobs:
        for stage in job:
            real = log.stages[stage.id]
            ended = max((ends[one] for one in stage.parents), default=before)
            submitted = real.began_ms
            running = np.searchsorted(launches, submitted, "right") - np.searchsorted(
                finishes, submitted, "right"
            )
            # Where no slot was free, the wait from there on was not the driver's.
            full = 0 < slots_at(submitted) <= running
            began = submitted if full else float(real.table["launch_ms"][0])
            gaps[stage.id] = max(0.0, began - ended)
        parents = {one for stage in job for one in stage.parents}
        before = max(ends[stage.id] for stage in job if stage.id not in parents)
    return gaps


def _slots_over_time(log: EventLog) -> Callable[[float], int]:
    """From a moment to the slots of the executors that were there."""
    there = list(log.executors.values())
    added = np.array([one.added_ms for one in there])
    removed = np.array([np.inf if one.removed_ms is None else one.removed_ms for one in there])
    slots = np.array([one.slots for one in there])
    return lambda at_ms: int(slots[(added <= at_ms) & (at_ms < removed)].sum())


def _slots_of_an_executor(log: EventLog) -> int:
    """Task slots of a worker: an executor's, or what the tasks of the busiest show."""
    slots = [executor.slots for executor in log.executors.values()]
    if slots:
        return max(1, round(float(np.median(slots))))
    executor, launch, finish = _columns(log, "executor", "launch_ms", "finish_ms")
    return max(_most_at_once(launch[mine], finish[mine]) for mine in _by_executor(executor, launch))


def _columns(log: EventLog, *names: str) -> list[NDArray[Any]]:
    """Fields of all tasks, stage after stage."""
    return [np.concatenate([stage.table[name] for stage in log.ran]) for name in names]


def _by_executor(executor: NDArray[Any], launch_ms: NDArray[Any]) -> list[NDArray[np.intp]]:
    """The positions of each executor's tasks, in the order of their launch."""
    order = np.lexsort((launch_ms, executor))
    return np.split(order, np.flatnonzero(np.diff(executor[order])) + 1)


def _most_at_once(launch_ms: NDArray[Any], finish_ms: NDArray[Any]) -> int:
    """How many tasks ran at the same time, at most; ``launch_ms`` ascends."""
    ended = np.searchsorted(np.sort(finish_ms), launch_ms, "right")
    return max(1, int((np.arange(1, len(launch_ms) + 1) - ended).max()))


def _inputs(log: EventLog) -> dict[str, float]:
    inputs = {}
    for name, value in log.properties.items():
        if name.startswith(INPUT_PREFIX):
            try:
                number = float(value)
            except ValueError:
                number = math.nan
            if not math.isfinite(number):
                raise InvalidInputError(
                    f"the property {name} of its application must be a number, not {value!r}"
                )
            inputs[name.removeprefix(INPUT_PREFIX)] = number
    return inputs


def _spread(values: NDArray[Any]) -> NDArray[np.float64]:
    """At most `_MOST_COMPARED` of the values, evenly spread over their order."""
    ordered: NDArray[np.float64] = np.sort(values).astype(np.float64)
    step = max(1.0, len(ordered) / _MOST_COMPARED)
    at = np.arange(int(len(ordered) / step)) * step
    return ordered[at.astype(np.int64)]
