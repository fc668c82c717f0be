"""Makes an `ApplicationProfile` of a finished application from its event log.

- A stage counts if one of its tasks succeeded. A task may run several times: after failures, as a
  speculative copy, or in a later attempt of its stage. Its first success counts.
- A parent that never ran is replaced by its nearest ancestors that ran. Its output was there
  already, or adaptive execution has renumbered it.
- Jobs that overlapped in time are one whole, since adaptive execution submits a query's stages so.
  In it a stage without parents waits for the stages that had ended when it was submitted.
- A slot's first tasks, of all and of a stage, are slower (`kitwai.event_log.warmup`).
  ``task_ms`` is as in the log; ``first_ms`` tells how much of it came from being first.
- ``inputs`` are the application's own announcement (``spark.kitwai.inputs.*``). The sizes that it
  read are known only afterwards, so a run to come cannot be compared by them.
- ``family`` is the application's name, by which decisions look for past runs.
- ``slowdown`` is left out: one run does not tell a change of speed from a change of work.
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
    warm_up_ms,
)

INPUT_PREFIX = "spark.kitwai.inputs."
"""Prefix of the Spark properties that announce how a run differs from its family, as numbers."""


def profile_of(log: EventLog, *, source: str) -> ApplicationProfile:
    """The profile of an application.

    :param source: where the log is from, for the profile's reader.
    :raises InvalidInputError: no stage ran, or a value is impossible (see `ApplicationProfile`).
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
            for stage in sorted(log.ran, key=lambda stage: stage.id)
        ),
        source=source,
        warm_up_ms=warm_up_ms(log),
        workers=_workers(log),
    )
    gaps = _gaps_ms(log, profile)
    stages = tuple(replace(stage, gap_ms=gaps[stage.id]) for stage in profile.stages)
    return replace(profile, stages=stages)


def _first_ms(log: EventLog) -> dict[int, tuple[NDArray[np.float64], float]]:
    """By stage, two times in ms: how much of each task's time came from being first, and how much
    longer a slot's first task of the stage takes.
    """
    cost_ms = first_task_cost_ms(log) or 0.0
    first, began = first_tasks(log), stage_beginnings(log)
    first_ms = {}
    for stage in log.ran:
        of_slot = first[stage.id]
        of_stage, stage_ms = began[stage.id]
        run_ms = stage.table["run_ms"].astype(np.float64)
        # The rest of a first task is no shorter than the shortest later task.
        rest = run_ms[~of_slot]
        least = rest.min() if len(rest) else 1.0
        most = np.where(of_slot, max(cost_ms, stage_ms), np.where(of_stage, stage_ms, 0.0))
        first_ms[stage.id] = np.minimum(most, np.maximum(run_ms - least, 0.0)), stage_ms
    return first_ms


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


def _workers(log: EventLog) -> float | None:
    """How many executors were there while tasks ran: their mean, each task by its time."""
    executors = list(log.executors.values())
    if not executors:
        return None
    launches, finishes = columns(log, "launch_ms", "finish_ms")
    added = np.array([each.added_ms for each in executors])
    gone = [np.inf if each.removed_ms is None else each.removed_ms for each in executors]
    middle = 0.5 * (launches + finishes)
    there = np.searchsorted(np.sort(added), middle) - np.searchsorted(np.sort(gone), middle)
    weight = np.maximum(finishes - launches, 1.0)
    return float((np.maximum(there, 1) * weight).sum() / weight.sum())


def _total(sizes: NDArray[Any]) -> int:
    """The sum in floating point, which cannot overflow and is exact below 8 PiB."""
    return max(0, int(sizes.sum(dtype=np.float64)))


def _gaps_ms(log: EventLog, profile: ApplicationProfile) -> dict[int, float]:
    """By stage, milliseconds of driver time before it.

    They begin where the simulator's wait ends: at the end of its parents, of the last stages of the
    job before, or at the application's start. The time in which the stage waited for a free slot is
    left out.
    """
    full_ms = _full_time(log)
    ends = {stage.id: stage.end_ms for stage in log.ran}
    gaps = {}
    before = log.start_ms
    for job in profile.jobs:
        for stage in job:
            real = log.stages[stage.id]
            ended = max((ends[parent] for parent in stage.parents), default=before)
            launched = float(real.table["launch_ms"][0])
            waited = full_ms(launched) - full_ms(max(min(real.began_ms, launched), ended))
            gaps[stage.id] = max(0.0, launched - ended - max(0.0, waited))
        parents = {parent for stage in job for parent in stage.parents}
        before = max(ends[stage.id] for stage in job if stage.id not in parents)
    return gaps


def _full_time(log: EventLog) -> Callable[[float], float]:
    """A function from a moment in epoch ms to how long until then all slots had a task, in ms."""
    executors = list(log.executors.values())
    slots = np.array([each.slots for each in executors])
    added = np.array([each.added_ms for each in executors])
    gone = np.array([each.removed_ms is not None for each in executors], dtype=np.bool_)
    removed = np.array([each.removed_ms for each in executors if each.removed_ms is not None])
    launches, finishes = columns(log, "launch_ms", "finish_ms")
    ones = np.ones(len(launches))
    at = np.concatenate([added, removed, launches, finishes])
    order = np.argsort(at, kind="stable")
    at = at[order]
    more_slots = np.concatenate([slots, -slots[gone], 0 * ones, 0 * ones])[order].cumsum()
    running = np.concatenate([0 * added, 0 * removed, ones, -ones])[order].cumsum()
    full = (more_slots > 0) & (running >= more_slots)
    total = np.concatenate([[0.0], np.cumsum(np.diff(at) * full[:-1])])
    return lambda moment_ms: float(np.interp(moment_ms, at, total))


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
