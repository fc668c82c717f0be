"""What an event log tells of a finished application, as an `ApplicationProfile`.

- A stage counts if one of its tasks succeeded. Of a task that ran several times (failed, killed,
  speculative, repeated by a later attempt of its stage) the first success counts.
- A parent that never ran (its output was there already, or adaptive execution has renumbered it)
  is replaced by its nearest ancestors that ran.
- Jobs that overlapped in time (adaptive execution submits a query's stages so) are one whole: a
  stage without parents there waits for those that had ended when it was submitted.
- A slot's first tasks, of all and of a stage, are slower (`kitwai.event_log.warmup`).
  ``task_ms`` are as the log has them, ``first_ms`` tells how much of them came from being first.
- ``inputs`` are what the application itself announced (``spark.kitwai.inputs.*``): what it read is
  known only afterwards, so it cannot be compared with a run to come. ``family`` is its name as it
  stands, by which decisions look for past runs. ``slowdown`` is left out: one run does not tell a
  change of speed from a change of what there is to do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kitwai.core.records.profile import MAX_STAGES, ApplicationProfile, StageProfile
from kitwai.errors import InvalidInputError
from kitwai.event_log.reader import EventLog, Stage
from kitwai.event_log.stage_order import parents_of
from kitwai.event_log.warmup import (
    columns,
    first_task_cost_ms,
    first_tasks,
    slots_of_an_executor,
    stage_beginnings,
)

INPUT_PREFIX = "spark.kitwai.inputs."
"""Spark properties that say what differs between the runs of a family, as numbers."""


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
    first_ms = _first_ms(log)
    profile = ApplicationProfile(
        app=log.app,
        family=log.name,
        inputs=_inputs(log),
        cores_per_worker=slots_of_an_executor(log),
        stages=tuple(
            _stage_profile(stage, parents[stage.id], *first_ms[stage.id])
            for stage in sorted(log.ran, key=lambda one: one.id)
        ),
        source=source,
    )
    gaps = _gaps_ms(log, profile)
    stages = tuple(replace(stage, gap_ms=gaps[stage.id]) for stage in profile.stages)
    return replace(profile, stages=stages)


def _first_ms(log: EventLog) -> dict[int, tuple[NDArray[np.float64], float]]:
    """By stage, how much of each task's time came from being first, and what a slot's first task of
    this stage takes more.
    """
    cost_ms = first_task_cost_ms(log) or 0.0
    first, began = first_tasks(log), stage_beginnings(log)
    found = {}
    for stage in log.ran:
        of_slot = first[stage.id]
        of_stage, stage_ms = began[stage.id]
        run_ms = stage.table["run_ms"].astype(np.float64)
        # What is left of a first task is no shorter than the shortest of the others.
        rest = run_ms[~of_slot]
        least = rest.min() if len(rest) else 1.0
        most = np.where(of_slot, max(cost_ms, stage_ms), np.where(of_stage, stage_ms, 0.0))
        found[stage.id] = np.minimum(most, np.maximum(run_ms - least, 0.0)), stage_ms
    return found


def _stage_profile(
    stage: Stage, parents: tuple[int, ...], first_ms: NDArray[np.float64], stage_first_ms: float
) -> StageProfile:
    table = stage.table
    return StageProfile(
        id=stage.id,
        parents=parents,
        task_ms=tuple(table["run_ms"].astype(np.float64).tolist()),
        first_ms={int(at): float(first_ms[at]) for at in np.flatnonzero(first_ms)},
        stage_first_ms=stage_first_ms,
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
    launches, finishes = (np.sort(one) for one in columns(log, "launch_ms", "finish_ms"))
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
