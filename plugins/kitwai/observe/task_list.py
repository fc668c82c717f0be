"""What a stage's list of tasks tells: times by worker count, first tasks apart, and running ages.

Spark's sums over a stage mix tasks that warmed a slot up with tasks that worked. The list tells
them apart. Pure functions: `kitwai.observe.spark_tasks` reads the list.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from kitwai.core.records.observation import Executor, Ran, Stage, TasksRead, Told

MOST_CHANGES = 500
"""Most changes of the worker count that an observation keeps of one application: the newest."""

_LEAST_MS = 0.5


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt of a task. Times are seconds since the application's start.

    ``duration_s``: from launch to end, None while it runs; ``failed``: it ended without success.
    """

    id: int
    executor: str
    launched_s: float
    duration_s: float | None
    failed: bool = False

    @property
    def ended_s(self) -> float | None:
        """When it ended, None while it runs."""
        return None if self.duration_s is None else self.launched_s + self.duration_s


def served_since(
    before: Sequence[tuple[float, int]], executors: Iterable[Executor], start: float, now_s: float
) -> tuple[tuple[float, int], ...]:
    """How many workers have had an executor of the application, up to now.

    Workers that came since the look before count from their executor's registration. A worker that
    went since then is left out from now on, since Spark does not list when it went.

    :param before: what the look before had; empty at the first look.
    :param start: of the application in epoch seconds; ``now_s``: seconds since then.
    """
    hosts: dict[str, float] = {}
    for executor in executors:
        added_s = now_s if executor.added_at is None else executor.added_at - start
        added_s = min(max(added_s, 0.0), now_s)
        hosts[executor.host] = min(added_s, hosts.get(executor.host, math.inf))
    looked_s = before[-1][0] if before else -1.0
    known = sum(added_s <= looked_s for added_s in hosts.values())
    count = max(before[-1][1] if before else 0, known)
    timeline = list(before)
    for added_s in sorted(added_s for added_s in hosts.values() if added_s > looked_s):
        count += 1
        timeline.append((added_s, count))
    # The last entry also says when the cluster was looked at.
    timeline.append((now_s, len(hosts)))
    if len(timeline) > 2 and timeline[-2][1] == timeline[-3][1] == len(hosts):
        del timeline[-2]
    return tuple(timeline[-MOST_CHANGES:])


def workers_at(served: Sequence[tuple[float, int]], at_s: float) -> int:
    """How many workers served at ``at_s`` seconds: at least 1, as a task ran."""
    position = bisect_right(served, at_s, key=lambda change: change[0]) - 1
    return max(1, served[max(position, 0)][1] if served else 1)


def warm_since(
    before: Mapping[str, float],
    tasks: Iterable[Task],
    executors: Iterable[Executor],
    *,
    whole: bool = True,
) -> dict[str, float]:
    """By executor, from when on its tasks were not the first on their slots.

    It is the end of its first task, or the launch of a task more than it has slots, if that is
    earlier: Spark hands out a slot's next task some milliseconds before it notes the end of the
    last. Executors that have gone are forgotten, once none of their tasks is read any more.

    :param before: what the look before had; ``tasks``: of all stages that were read.
    :param whole: all finished tasks have been read. Otherwise an executor that is new may have run
        tasks that were not read. Then it counts as warm from the start, so that no task is called
        its first by mistake.
    """
    slots = {executor.id: executor.cores for executor in executors}
    unknown_s = math.inf if whole else 0.0
    warm = {executor: before.get(executor, unknown_s) for executor in slots}
    launches: dict[str, list[float]] = {}
    for task in tasks:
        warm_s = warm.get(task.executor, before.get(task.executor, unknown_s))
        ended_s = math.inf if task.ended_s is None else task.ended_s
        warm[task.executor] = min(ended_s, warm_s)
        launches.setdefault(task.executor, []).append(task.launched_s)
    for executor, launched in launches.items():
        after = slots.get(executor, 0)
        if 0 < after < len(launched):
            warm[executor] = min(sorted(launched)[after], warm[executor])
    return {executor: warm_s for executor, warm_s in warm.items() if warm_s < math.inf}


def of_tasks(
    stage: Stage,
    tasks: Sequence[Task],
    before: TasksRead | None,
    warm: Mapping[str, float],
    served: Sequence[tuple[float, int]],
    now_s: float,
) -> Stage:
    """The stage with what its tasks tell.

    :param tasks: in the order of their launch, all after the settled tasks of ``before``.
    :param warm: `warm_since`. A task that was launched before is the first on its slot.
    """
    sums = {(ran.workers, ran.first): _Sums.of(ran) for ran in (before.ran if before else ())}
    count, last_id = (before.settled, before.last_id) if before else (0, -1)
    settled: tuple[Ran, ...] | None = None
    running = []
    for task in tasks:
        first = task.launched_s < warm.get(task.executor, math.inf)
        if task.duration_s is None:
            settled = _ran(sums) if settled is None else settled
            running.append((max(0.0, now_s - task.launched_s), first))
        elif not task.failed:
            key = workers_at(served, task.launched_s), first
            sums.setdefault(key, _Sums()).add(task.duration_s)
        if settled is None:
            count, last_id = count + 1, task.id
    ran = _ran(sums)
    return replace(
        stage,
        ran=ran,
        told=Told.TASKS,
        running_s=math.fsum(age for age, _ in running),
        running_first=sum(first for _, first in running),
        read=TasksRead(stage.attempt, count, last_id, ran if settled is None else settled),
    )


@dataclass(slots=True)
class _Sums:
    """A `Ran` in the making."""

    tasks: int = 0
    run_ms: float = 0.0
    log_sum: float = 0.0
    log_squares: float = 0.0

    @classmethod
    def of(cls, ran: Ran) -> _Sums:
        return cls(ran.tasks, ran.run_ms, ran.log_sum or 0.0, ran.log_squares or 0.0)

    def add(self, duration_s: float) -> None:
        ms = max(_LEAST_MS, 1000.0 * duration_s)
        log = math.log(ms)
        self.tasks += 1
        self.run_ms += ms
        self.log_sum += log
        self.log_squares += log**2


def _ran(sums: Mapping[tuple[int, bool], _Sums]) -> tuple[Ran, ...]:
    return tuple(
        Ran(workers, of.tasks, of.run_ms, first, of.log_sum, of.log_squares)
        for (workers, first), of in sorted(sums.items(), key=lambda item: item[0])
    )
