"""Reads a driver's REST API: the stages, jobs, executors and properties of its application.

Each answer is decoded once, and pure functions interpret it. Spark 1.6 to 4.3 are understood.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Annotated
from urllib.parse import quote

import httpx
from pydantic import FailFast, Field, TypeAdapter

from kitwai.core.records.observation import Application, Executor, Stage
from kitwai.errors import SourceError
from kitwai.observe.http import Answer, decode, get
from kitwai.observe.spark_conf import parse_properties
from kitwai.observe.spark_json import Count, MaybeMoment, Moment, SparkModel
from kitwai.observe.spark_master import ActiveApplication
from kitwai.observe.spark_tasks import MOST_TASKS, Reader

_LEAST_S = 0.05
"""No request to a driver begins with less time left. Its failure would be blamed on the driver."""


class Attempt(SparkModel):
    """One attempt of an application. A running driver has only one attempt."""

    start_time: Moment
    duration: Count | None = None  # milliseconds; of a running application 0 before Spark 3


class _Application(SparkModel):
    id: str
    attempts: Annotated[list[Attempt], Field(min_length=1)]


class Job(SparkModel):
    """A job that was submitted."""

    status: str
    stage_ids: list[int]
    description: str | None = None
    completion_time: MaybeMoment = None  # absent while the job runs


class StageAttempt(SparkModel):
    """An attempt of a stage, as the driver lists it."""

    stage_id: int
    attempt_id: int
    status: str
    num_tasks: Count
    num_active_tasks: Count
    num_complete_tasks: Count
    num_failed_tasks: Count
    num_completed_indices: Count | None = None  # since Spark 2.3
    executor_run_time: Count
    executor_cpu_time: Count | None = None  # nanoseconds, since Spark 2.1
    input_bytes: Count
    shuffle_read_bytes: Count
    shuffle_write_bytes: Count
    rdd_ids: list[int] = Field(default_factory=list)
    first_task_launched_time: MaybeMoment = None
    completion_time: MaybeMoment = None


class _Executor(SparkModel):
    id: str
    host_port: str
    is_active: bool = True  # since Spark 2.0; before, only active ones were listed
    total_cores: Count
    active_tasks: Count
    memory_used: Count
    max_memory: Count | None = None
    disk_used: Count
    total_shuffle_write: Count
    add_time: MaybeMoment = None  # since Spark 2.2


_APPLICATION = TypeAdapter(_Application)
_JOBS: TypeAdapter[list[Job]] = TypeAdapter(Annotated[list[Job], FailFast()])
_STAGES: TypeAdapter[list[StageAttempt]] = TypeAdapter(Annotated[list[StageAttempt], FailFast()])
_EXECUTORS: TypeAdapter[list[_Executor]] = TypeAdapter(Annotated[list[_Executor], FailFast()])


async def read_application(
    client: httpx.AsyncClient,
    active: ActiveApplication,
    driver_url: str,
    *,
    before: Application | None = None,
    most_tasks: int = MOST_TASKS,
    timeout_s: float,
    now: Callable[[], float],
) -> tuple[Application, tuple[str, ...], tuple[str, ...]]:
    """Read everything that a driver tells of its application, with one request after another.

    :param before: the application as the look before saw it. Lists of tasks are read on from there.
    :param most_tasks: that are read of it.
    :returns: the application, a sentence for each fault of its own limits, and one for each list of
        tasks that could not be used.
    :raises SourceError: a request failed. A part of the answers is not used: without the
        environment, for example, the application's own limit would be ignored in silence.
    """
    base = f"{driver_url.rstrip('/')}/api/v1/applications/{quote(active.id, safe='')}"
    deadline = time.monotonic() + timeout_s
    # One request after another, over one connection. A driver's web server lets only one or two
    # connections wait (Spark sets its queue to the number of acceptors). It drops the rest, and TCP
    # tries these again only after a second.
    answers = {}
    for path in ("", "/jobs", "/stages", "/executors", "/environment"):
        left_s = deadline - time.monotonic()
        if left_s < _LEAST_S:
            raise SourceError(
                f"{base} gave no complete answer within {timeout_s:.1f} s: no time was left for "
                f"{path or 'it'}."
            )
        answers[path] = await get(client, base + path, timeout_s=left_s)
    attempt = parse_attempt(answers[""])
    jobs = parse_jobs(answers["/jobs"])
    stages = parse_stages(answers["/stages"])
    properties = parse_properties(answers["/environment"])
    elapsed_s = elapsed_seconds(attempt, now(), answers[""].server_time)
    application = Application(
        id=active.id,
        name=active.name,
        cores=active.cores,
        elapsed_s=elapsed_s,
        limit_s=properties.limit_s,
        max_workers=properties.max_workers,
        endless=properties.limit_s is None and (properties.endless or is_stream(jobs)),
        idle_s=idle_seconds(attempt, jobs, elapsed_s),
        executors=parse_executors(answers["/executors"]),
        stages=submitted_stages(stages, jobs, attempt.start_time),
        inputs=properties.inputs,
        cpu_s=cpu_seconds(stages),
        shuffle_service=properties.shuffle_service,
        max_cores=properties.max_cores,
        jobs=len(jobs),
    )
    reader = Reader(client, base, attempt.start_time, deadline, most_tasks)
    application, unread = await reader.read(application, before)
    return application, properties.faults, unread


def parse_attempt(answer: Answer) -> Attempt:
    """The newest attempt of an application."""
    return decode(_APPLICATION, answer).attempts[0]


def parse_jobs(answer: Answer) -> list[Job]:
    """All jobs, the newest first."""
    return decode(_JOBS, answer)


def parse_stages(answer: Answer) -> list[StageAttempt]:
    """All attempts of all stages, skipped stages included."""
    return decode(_STAGES, answer)


def elapsed_seconds(attempt: Attempt, now: float, server_time: float | None = None) -> float:
    """Seconds since the application's start, by the driver's own clock if possible.

    Clocks of two machines differ, so the driver's ``duration`` is preferred. Without it (older
    versions tell 0), ``now`` is moved into the second of the answer's ``Date`` header.
    """
    if attempt.duration is not None and attempt.duration > 0:
        return attempt.duration / 1000.0
    if server_time is not None:
        now = min(max(now, server_time), server_time + 1.0)
    return max(0.0, now - attempt.start_time)


# The job descriptions of the batches of Structured Streaming and DStreams.
_BATCH = re.compile(r"\brunId = [0-9a-f-]{36}\b|^Streaming job from ")


def is_stream(jobs: Sequence[Job]) -> bool:
    """Whether the newest jobs are batches of a stream, which has no end."""
    return any(_BATCH.search((job.description or "")[:10_000]) for job in jobs[:10])


def idle_seconds(attempt: Attempt, jobs: Sequence[Job], elapsed_s: float) -> float | None:
    """Seconds since the last job ended, or since the start; None while a job runs."""
    if any(job.status == "RUNNING" for job in jobs):
        return None
    ends = [job.completion_time for job in jobs if job.completion_time is not None]
    worked_s = max(ends, default=attempt.start_time) - attempt.start_time
    return min(max(0.0, elapsed_s - worked_s), elapsed_s)


def parse_executors(answer: Answer) -> tuple[Executor, ...]:
    """The active executors, without the driver's own entry.

    ``stored_bytes`` is the size of their blocks in memory and on disk.
    """
    return tuple(
        Executor(
            id=executor.id,
            host=executor.host_port.rpartition(":")[0] or executor.host_port,
            cores=executor.total_cores,
            active_tasks=executor.active_tasks,
            stored_bytes=executor.memory_used + executor.disk_used,
            shuffle_write_bytes=executor.total_shuffle_write,
            memory_bytes=executor.memory_used,
            max_memory_bytes=executor.max_memory,
            added_at=executor.add_time,
        )
        for executor in decode(_EXECUTORS, answer)
        if executor.is_active and executor.id not in ("driver", "<driver>")
    )


def submitted_stages(
    stages: Sequence[StageAttempt], jobs: Sequence[Job], started_at: float | None = None
) -> tuple[Stage, ...]:
    """The newest attempt of every stage that submitted jobs run or have run, by id.

    A new attempt counts only the tasks that are done again, so older attempts are left out. The
    status is Spark's, with two exceptions in jobs that still run. A stage that will be skipped is
    left out, though Spark calls it PENDING until the job ends. A stage that FAILED is PENDING,
    because it is tried again once the lost output of its parents is back.

    :param started_at: start of the application in epoch seconds, for ``began_s`` and ``ended_s``.
    """
    job_list = [job for job in jobs if job.stage_ids]
    submitted = {stage_id for job in job_list for stage_id in job.stage_ids}
    running = {
        stage_id for job in job_list if job.status == "RUNNING" for stage_id in job.stage_ids
    }
    # The stage that gives a job's result has the highest number and is never skipped.
    results = {max(job.stage_ids) for job in job_list}
    newest: dict[int, StageAttempt] = {}
    for stage in sorted(stages, key=lambda stage: stage.attempt_id):
        newest[stage.stage_id] = stage
    # A later job that reads a shuffle lists its writing stage again, under a new id but with the
    # same RDDs. SQL does so for every query, as adaptive execution makes each shuffle a job of its
    # own.
    done = {frozenset(stage.rdd_ids) for stage in newest.values() if stage.status == "COMPLETE"}

    def since_start(moment: float | None) -> float | None:
        if moment is None or started_at is None:
            return None
        return max(0.0, moment - started_at)

    def will_be_skipped(stage: StageAttempt) -> bool:
        written = bool(stage.rdd_ids) and frozenset(stage.rdd_ids) in done
        return stage.status == "PENDING" and written and stage.stage_id not in results

    return tuple(
        _stage(
            stage,
            will_be_retried=stage.status == "FAILED" and stage_id in running,
            since_start=since_start,
        )
        for stage_id, stage in sorted(newest.items())
        if stage_id in submitted and stage.status != "SKIPPED" and not will_be_skipped(stage)
    )


def cpu_seconds(stages: Sequence[StageAttempt]) -> float | None:
    """CPU seconds used by the tasks of all listed attempts; None if an attempt does not tell."""
    times = [stage.executor_cpu_time for stage in stages]
    if any(time is None for time in times):
        return None
    return sum(time for time in times if time is not None) / 1e9


def _stage(
    stage: StageAttempt,
    *,
    will_be_retried: bool,
    since_start: Callable[[float | None], float | None],
) -> Stage:
    # A task that ran twice in one attempt (speculation, lost output) is complete once, and its
    # time counts once, so that the mean task time stays right.
    ran = stage.num_complete_tasks
    complete = ran if stage.num_completed_indices is None else stage.num_completed_indices
    complete = min(complete, stage.num_tasks)
    return Stage(
        id=stage.stage_id,
        status="PENDING" if will_be_retried else stage.status,
        tasks=stage.num_tasks,
        active=stage.num_active_tasks,
        complete=complete,
        failed=stage.num_failed_tasks,
        run_ms=stage.executor_run_time * (complete / ran if ran > complete else 1.0),
        input_bytes=stage.input_bytes,
        shuffle_read_bytes=stage.shuffle_read_bytes,
        shuffle_write_bytes=stage.shuffle_write_bytes,
        began_s=since_start(stage.first_task_launched_time),
        ended_s=since_start(stage.completion_time),
        attempt=stage.attempt_id,
    )
