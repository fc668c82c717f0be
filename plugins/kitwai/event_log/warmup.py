"""Measures how much slower an executor's first tasks are, and how many tasks it runs at once.

An executor's first tasks are slower, since its JVM compiles and loads classes. Its first tasks of a
stage are slower too, by less: the stage's code is compiled, and broadcasts arrive. The first cost
belongs to the executor; the simulator knows it as ``first_task_s``. The second cost is paid once a
slot and stage; the profile holds it. Neither is work that another slot could do instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kitwai.event_log.reader import EventLog

_MOST_COMPARED = 200
_SURE = 2.5
"""Standard deviations of the rank sum by which the first tasks of a stage must stand out."""

_ALIKE = 1.05
_WHEN = ("executor", "launch_ms", "finish_ms")


def warm_up_ms(log: EventLog) -> float | None:
    """Milliseconds that an executor's first tasks hold their slots longer than its later tasks.

    Unlike `first_task_cost_ms` it counts what comes before and after the run: the task is read, and
    its classes are loaded. None: the log cannot tell.
    """
    return _first_task_cost_ms(log, lambda table: table["finish_ms"] - table["launch_ms"])


def first_task_cost_ms(log: EventLog) -> float | None:
    """Milliseconds that an executor's first tasks run longer than its later tasks.

    In each stage that has both kinds it is the median of the differences between first and later
    tasks: Hodges and Lehmann's estimator, which a few slow tasks do not move. The result is the
    median over the stages, each weighted by the number of its first tasks. None: the log cannot
    tell.
    """
    return _first_task_cost_ms(log, lambda table: table["run_ms"])


def _first_task_cost_ms(
    log: EventLog, times_ms: Callable[[NDArray[Any]], NDArray[Any]]
) -> float | None:
    first = first_tasks(log)
    costs: list[float] = []
    for stage in log.ran:
        run_ms, slow = times_ms(stage.table), first[stage.id]
        if slow.any() and not slow.all():
            pairs = _spread(run_ms[slow])[:, None] - _spread(run_ms[~slow])
            costs += [float(np.median(pairs))] * int(slow.sum())
    return max(0.0, float(np.median(costs))) if costs else None


def first_tasks(log: EventLog) -> dict[int, NDArray[np.bool_]]:
    """By stage, which of its tasks are the first task of a slot of an executor.

    Such a task was launched before any task had ended on the executor.
    """
    executor, launch, finish = columns(log, *_WHEN)
    first = _beginnings(executor, launch, finish, slots_of_an_executor(log))
    ends = np.cumsum([len(stage.table) for stage in log.ran])
    parts = np.split(first, ends[:-1])
    return {stage.id: part for stage, part in zip(log.ran, parts, strict=True)}


def stage_beginnings(log: EventLog) -> dict[int, tuple[NDArray[np.bool_], float]]:
    """By stage, which tasks are a slot's first of the stage, and how many ms longer these ran.

    A slot's first task of all does not count. The times are compared as in `first_task_cost_ms`.
    The difference is 0 unless a rank-sum test (Mann and Whitney) is sure of it. It is 0 too if the
    tasks had more to read, since Spark hands out large files first.
    """
    slots, first = slots_of_an_executor(log), first_tasks(log)
    beginnings = {}
    for stage in log.ran:
        executor, launch, finish = (stage.table[name] for name in _WHEN)
        began = _beginnings(executor, launch, finish, slots)
        own = began & ~first[stage.id]
        rest = ~(began | first[stage.id])
        beginnings[stage.id] = own, _extra_ms(stage.table[own], stage.table[rest])
    return beginnings


def _extra_ms(slow: NDArray[Any], rest: NDArray[Any]) -> float:
    """Milliseconds that a stage's first tasks ran longer than the rest; 0 if that is not sure."""
    if not len(slow) or not len(rest):
        return 0.0
    read = [np.median(table["input_bytes"] + table["shuffle_read_bytes"]) for table in (slow, rest)]
    if read[0] > _ALIKE * read[1]:
        return 0.0
    pairs = _spread(slow["run_ms"])[:, None] - _spread(rest["run_ms"])
    longer = float((pairs > 0).mean() + 0.5 * (pairs == 0).mean())
    sigma = np.sqrt((sum(pairs.shape) + 1) / (12 * pairs.size))
    return float(np.median(pairs)) if longer > 0.5 + _SURE * sigma else 0.0


def slots_of_an_executor(log: EventLog) -> int:
    """Task slots of an executor: as the log tells, or the most tasks it ran at once."""
    slots = [executor.slots for executor in log.executors.values()]
    if slots:
        return max(1, round(float(np.median(slots))))
    executor, launch, finish = columns(log, *_WHEN)
    return max(_most_at_once(launch[mine], finish[mine]) for mine in _by_executor(executor, launch))


def columns(log: EventLog, *names: str) -> list[NDArray[Any]]:
    """The named fields of all tasks, stage after stage."""
    return [np.concatenate([stage.table[name] for stage in log.ran]) for name in names]


def _by_executor(executor: NDArray[Any], launch_ms: NDArray[Any]) -> list[NDArray[np.intp]]:
    """The positions of each executor's tasks, in the order of their launch."""
    order = np.lexsort((launch_ms, executor))
    return np.split(order, np.flatnonzero(np.diff(executor[order])) + 1)


def _most_at_once(launch_ms: NDArray[Any], finish_ms: NDArray[Any]) -> int:
    """How many tasks ran at the same time, at most; ``launch_ms`` ascends."""
    ended = np.searchsorted(np.sort(finish_ms), launch_ms, "right")
    return max(1, int((np.arange(1, len(launch_ms) + 1) - ended).max()))


def _beginnings(
    executor: NDArray[Any], launch_ms: NDArray[Any], finish_ms: NDArray[Any], slots: int
) -> NDArray[np.bool_]:
    """Which tasks each executor launched before any task had ended there, at most one a slot."""
    first = np.zeros(len(executor), dtype=np.bool_)
    for mine in _by_executor(executor, launch_ms):
        began = mine[:slots]
        first[began[launch_ms[began] < finish_ms[mine].min()]] = True
    return first


def _spread(values: NDArray[Any]) -> NDArray[np.float64]:
    """At most `_MOST_COMPARED` of the values, evenly spread over their order."""
    ordered: NDArray[np.float64] = np.sort(values).astype(np.float64)
    step = max(1.0, len(ordered) / _MOST_COMPARED)
    at = np.arange(int(len(ordered) / step)) * step
    return ordered[at.astype(np.int64)]
