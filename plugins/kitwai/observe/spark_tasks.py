"""Reads the tasks of running stages from a driver, each look going on where the last one ended.

The requests of one look are bounded in number, tasks and bytes. A stage of which more is unread is
told by the quantiles of its task times, and else by Spark's sums: `Stage.told` says which.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import httpx
from pydantic import FailFast, Field, TypeAdapter

from kitwai.core.records.observation import (
    Application,
    Ran,
    Stage,
    TasksRead,
    Told,
)
from kitwai.errors import SourceError
from kitwai.observe.http import Answer, decode, get
from kitwai.observe.spark_json import Count, Moment, SparkModel
from kitwai.observe.task_list import Task, of_tasks, served_since, warm_since

MOST_TASKS = 800
"""Most tasks that one look reads of an application."""

TASKS_OF_A_LOOK = 8_000
"""Most tasks that one look reads of all applications: each application has an equal share."""

TASK_BYTES = 2_500
"""So many bytes of lists are read for each task that may be read. Spark writes 1.8 to 2.2 KB for a
finished task, and a failed task has its error besides."""

MOST_REQUESTS = 12
"""Most lists, and most quantiles, that one look reads of an application: of running stages first,
then of the newest."""

_MORE_TASKS = 16
"""So many tasks more than a stage's counts tell are asked for: tasks that were killed, and tasks
that were launched since."""

_QUANTILES = (0.25, 0.5, 0.75)
_SUMMARY_BYTES = 64 * 1024
_LEAST_S = 0.05
_LONGEST_MS = 10 * 365 * 86_400_000


_Ms = Annotated[int, Field(ge=0, le=_LONGEST_MS)]
_Quantiles = list[Annotated[float, Field(ge=0, le=_LONGEST_MS, allow_inf_nan=False)]]


class _Metrics(SparkModel):
    executor_run_time: _Ms


class _Task(SparkModel):
    task_id: Count
    executor_id: Annotated[str, Field(max_length=100)]
    launch_time: Moment
    duration: _Ms | None = None  # left out where it is 0, and by older versions
    status: str  # since Spark 2.1; a list of an older version is refused
    task_metrics: _Metrics | None = None


class _Distribution(SparkModel):
    duration: _Quantiles | None = None  # left out by older versions
    executor_run_time: _Quantiles


_TASKS: TypeAdapter[list[_Task]] = TypeAdapter(
    Annotated[list[_Task], FailFast(), Field(max_length=MOST_TASKS + 1)]
)
_DISTRIBUTION = TypeAdapter(_Distribution)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads tasks of one application.

    ``base``: its address; ``start``: its start in epoch seconds; ``deadline``: when no further
    request begins, by ``time.monotonic``; ``most_tasks``: that are read in this look.
    """

    client: httpx.AsyncClient
    base: str
    start: float
    deadline: float
    most_tasks: int = MOST_TASKS

    async def read(
        self, application: Application, before: Application | None
    ) -> tuple[Application, tuple[str, ...]]:
        """The application with what its tasks tell.

        :param before: the same application as the look before saw it, None at the first look.
        :returns: the application, and a sentence for each list that could not be used.
        """
        stages = application.stages or ()
        known = {stage.id: stage for stage in (before.stages or () if before else ())}
        now_s = application.elapsed_s
        executors = application.executors or ()
        served = served_since(before.served if before else (), executors, self.start, now_s)
        lists, faults = await self._lists(stages, known)
        every = [task for tasks in lists.values() for task in tasks]
        rest = [
            stage
            for stage in _by_interest(stages)
            if stage.complete and stage.id not in lists and not _unchanged(stage, known)
        ]
        warm = warm_since(before.warm_s if before else {}, every, executors, whole=not rest)
        workers = served[-1][1] if served else 1
        quantiles = {
            stage.id: await self._by_quantiles(stage, _earlier(stage, known).read, workers)
            for stage in rest[:MOST_REQUESTS]
        }
        told = []
        for stage in stages:
            earlier = _earlier(stage, known)
            if stage.id in lists:
                stage = of_tasks(stage, lists[stage.id], earlier.read, warm, served, now_s)
            elif _unchanged(stage, known):
                stage = replace(
                    stage, ran=earlier.ran, told=earlier.told, running_s=0.0, read=earlier.read
                )
            else:
                stage = replace(quantiles.get(stage.id, stage), read=earlier.read)
            told.append(stage)
        return replace(application, stages=tuple(told), served=served, warm_s=warm), tuple(faults)

    async def _lists(
        self, stages: Sequence[Stage], known: Mapping[int, Stage]
    ) -> tuple[dict[int, list[Task]], list[str]]:
        """By stage, its tasks that were not settled at the look before, in the order of launch."""
        lists: dict[int, list[Task]] = {}
        faults: list[str] = []
        left, requests = self.most_tasks, MOST_REQUESTS
        left_bytes = TASK_BYTES * left
        for stage in _by_interest(stages):
            read = _earlier(stage, known).read
            launched = stage.complete + stage.active + stage.failed
            settled = read.settled if read else 0
            # More tasks than these may be settled, since some were tried twice.
            wanted = max(launched - settled, stage.active) + _MORE_TASKS
            if not launched or _unchanged(stage, known):
                continue
            if requests == 0 or wanted > left or self.deadline - time.monotonic() < _LEAST_S:
                continue
            requests -= 1
            try:
                answer = await self._list(stage, read, wanted, left_bytes)
                tasks = self._tasks(answer, read)
            except SourceError as error:
                faults.append(str(error))
                continue
            left, left_bytes = left - len(tasks), left_bytes - len(answer.body)
            lists[stage.id] = tasks
        return lists, faults

    async def _list(
        self, stage: Stage, read: TasksRead | None, length: int, max_bytes: int
    ) -> Answer:
        """The list from the last settled task on."""
        overlap = _overlap(read)
        offset = read.settled - overlap if read else 0
        query = f"?offset={offset}&length={length + overlap}"
        path = f"/stages/{stage.id}/{stage.attempt}/taskList{query}"
        return await self._get(path, max_bytes)

    def _tasks(self, answer: Answer, read: TasksRead | None) -> list[Task]:
        """:raises SourceError: it is no list of tasks, or the driver has dropped old tasks."""
        overlap = _overlap(read)
        tasks = sorted(parse_tasks(answer, self.start), key=lambda task: task.id)
        if read and overlap and (not tasks or tasks[0].id != read.last_id):
            raise SourceError(
                f"{answer.url} no longer lists the tasks that were read before: the driver keeps "
                "only spark.ui.retainedTasks of them."
            )
        return tasks[overlap:]

    async def _by_quantiles(self, stage: Stage, read: TasksRead | None, workers: int) -> Stage:
        """The stage by the quantiles of its task times; unchanged where there are none.

        Settled tasks count as they were read, and ``workers`` served for the others.
        """
        shares = ",".join(str(share) for share in _QUANTILES)
        if self.deadline - time.monotonic() < _LEAST_S:
            return stage
        path = f"/stages/{stage.id}/{stage.attempt}/taskSummary?quantiles={shares}"
        try:
            distribution = decode(_DISTRIBUTION, await self._get(path, _SUMMARY_BYTES))
        except SourceError:
            return stage  # the stage says that only its sum is known
        times_ms = distribution.duration or distribution.executor_run_time
        if len(times_ms) != len(_QUANTILES):
            return stage
        ran = read.ran if read else ()
        others = stage.complete - sum(part.tasks for part in ran)
        if others > 0:
            mean_ms = math.fsum(times_ms) / len(times_ms)
            ran = (*ran, Ran(max(1, workers), others, others * mean_ms))
        return replace(stage, ran=ran, told=Told.QUANTILES)

    async def _get(self, path: str, max_bytes: int) -> Answer:
        left_s = self.deadline - time.monotonic()
        return await get(self.client, self.base + path, timeout_s=left_s, max_bytes=max_bytes)


def parse_tasks(answer: Answer, start: float) -> list[Task]:
    """The tasks of a list, in its order.

    :param start: of the application in epoch seconds.
    :raises SourceError: the answer is no list of tasks.
    """
    return [_task(task, start) for task in decode(_TASKS, answer)]


def _task(task: _Task, start: float) -> Task:
    ended = task.status not in ("RUNNING", "GET RESULT", "UNKNOWN")
    ms = task.duration
    if ms is None:
        ms = task.task_metrics.executor_run_time if task.task_metrics else 0
    return Task(
        id=task.task_id,
        executor=task.executor_id,
        launched_s=max(0.0, task.launch_time - start),
        duration_s=ms / 1000.0 if ended else None,
        failed=ended and task.status != "SUCCESS",
    )


_NOTHING = Stage(0, "PENDING", 0, 0, 0, 0, 0.0, 0, 0, 0, attempt=-1)


def _overlap(read: TasksRead | None) -> int:
    """1 where the last settled task is read again, to see that the list still begins as it did."""
    return 1 if read and read.settled else 0


def _earlier(stage: Stage, known: Mapping[int, Stage]) -> Stage:
    """The same attempt of the stage as the look before saw it, else a stage of which nothing is."""
    earlier = known.get(stage.id, _NOTHING)
    return earlier if earlier.attempt == stage.attempt else _NOTHING


def _unchanged(stage: Stage, known: Mapping[int, Stage]) -> bool:
    """Whether no task runs, none has ended since the look before, and that look read its tasks."""
    earlier = _earlier(stage, known)
    if earlier.told is Told.SUM:
        return False
    return earlier.complete == stage.complete and earlier.active == stage.active == 0


def _by_interest(stages: Iterable[Stage]) -> list[Stage]:
    """Running stages first, then the newest."""
    return sorted(stages, key=lambda stage: (stage.active == 0, -stage.id))
