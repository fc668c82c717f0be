"""Spark's own word: the standalone master's JSON and page, and each driver's REST API.

Reads and parses; `parse_*` are pure. Field names are Spark's in camel case, and only the needed
ones are modelled: an unknown field is ignored, a missing or impossible one refuses the answer,
so that nothing unknown is ever taken for zero. Spark 1.6 to 4.3 are understood.
"""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import parse_qs, quote, urljoin, urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, FailFast, Field, TypeAdapter
from pydantic.alias_generators import to_camel

from kitwai.core.observation import Application, Executor, Stage, Worker, WorkerState
from kitwai.errors import SourceError
from kitwai.observe.http import Answer, decode, get
from kitwai.observe.spark_conf import parse_properties

_MAX_PAGE_BYTES = 4 * 1024 * 1024
_LEAST_S = 0.05
"""No request of a driver is begun with less time left: its end would be told as if it had any."""

Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""A Java long that counts something."""


@dataclass(frozen=True, slots=True)
class ActiveApplication:
    """An application as the master lists it; ``elapsed_s`` by the master's clock."""

    id: str
    name: str
    cores: int
    elapsed_s: float


class _Spark(BaseModel):
    model_config = ConfigDict(strict=True, alias_generator=to_camel)


class _Worker(_Spark):
    id: str
    host: str
    state: str
    cores: Count
    coresused: Count
    memory: Count
    memoryused: Count


class _ActiveApplication(_Spark):
    id: str
    name: str
    cores: Count
    duration: Count


class _MasterWorkers(_Spark):
    status: str
    workers: Annotated[list[_Worker], FailFast()]


class _MasterApplications(_Spark):
    status: str
    activeapps: Annotated[list[_ActiveApplication], FailFast()]


class _Attempt(_Spark):
    start_time: str
    start_time_epoch: Count | None = None  # since Spark 2.0
    duration: Count | None = None  # of a running application: 0 before Spark 3


class _Application(_Spark):
    id: str
    attempts: Annotated[list[_Attempt], Field(min_length=1)]


class _Job(_Spark):
    status: str
    stage_ids: list[int]
    description: str | None = None
    completion_time: str | None = None  # absent while the job runs


class _Stage(_Spark):
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
    rdd_ids: list[int] = []
    first_task_launched_time: str | None = None
    completion_time: str | None = None


class _Executor(_Spark):
    id: str
    host_port: str
    is_active: bool = True  # since Spark 2.0; before, only active ones were listed
    total_cores: Count
    active_tasks: Count
    memory_used: Count
    max_memory: Count | None = None
    disk_used: Count
    total_shuffle_write: Count


_MASTER_WORKERS = TypeAdapter(_MasterWorkers)
_MASTER_APPLICATIONS = TypeAdapter(_MasterApplications)
_APPLICATION = TypeAdapter(_Application)
_JOBS: TypeAdapter[list[_Job]] = TypeAdapter(Annotated[list[_Job], FailFast()])
_STAGES: TypeAdapter[list[_Stage]] = TypeAdapter(Annotated[list[_Stage], FailFast()])
_EXECUTORS: TypeAdapter[list[_Executor]] = TypeAdapter(Annotated[list[_Executor], FailFast()])


async def get_master(client: httpx.AsyncClient, master_url: str, *, timeout_s: float) -> Answer:
    """The master's JSON, for `parse_workers` and `parse_applications`."""
    return await get(client, f"{master_url.rstrip('/')}/json/", timeout_s=timeout_s)


async def get_driver_urls(
    client: httpx.AsyncClient, master_url: str, *, timeout_s: float
) -> dict[str, str]:
    """The address of each application's UI; see `parse_driver_urls`."""
    page_url = f"{master_url.rstrip('/')}/"
    page = await get(client, page_url, timeout_s=timeout_s, max_bytes=_MAX_PAGE_BYTES)
    return parse_driver_urls(page, page_url)


def parse_workers(answer: Answer) -> tuple[Worker, ...]:
    """All workers that the master lists, the dead ones included.

    :raises SourceError: the answer is not an active master's. A standby lists no workers, which
        must not pass for a cluster of none.
    """
    master = decode(_MASTER_WORKERS, answer)
    _require_alive(master.status, answer)
    known = {state.value for state in WorkerState}
    return tuple(
        Worker(
            id=worker.id,
            host=worker.host,
            state=WorkerState(worker.state) if worker.state in known else WorkerState.UNKNOWN,
            cores=worker.cores,
            cores_used=worker.coresused,
            memory_mb=worker.memory,
            memory_used_mb=worker.memoryused,
        )
        for worker in master.workers
    )


def parse_applications(answer: Answer) -> tuple[ActiveApplication, ...]:
    """The applications that run or wait for cores. :raises SourceError: see `parse_workers`."""
    master = decode(_MASTER_APPLICATIONS, answer)
    _require_alive(master.status, answer)
    return tuple(
        ActiveApplication(app.id, app.name, app.cores, app.duration / 1000.0)
        for app in master.activeapps
    )


# Scala writes attributes in double quotes and escapes <, > and " in them. Not html.parser: its
# time grows with more than the square of a page of unclosed tags (200 kB took minutes).
_HREF = re.compile(r'href="([^"<>]{1,2000})"')


def parse_driver_urls(page: Answer, page_url: str) -> dict[str, str]:
    """Application id to the address of its driver's UI, from the master's HTML page.

    The master's JSON does not name it. In the page's table of applications a row links the id
    (``app/?appId=ID``) and then, while the application runs, the name to the UI; with
    ``spark.ui.reverseProxy`` that link is relative to the master.
    """
    urls: dict[str, str] = {}
    for row in page.body.decode("utf-8", "replace").split("</tr>"):
        app_id = None
        for link in map(html.unescape, _HREF.findall(row)):
            found = _app_id(link)
            if found or app_id is None:
                app_id = found
            elif not link.startswith("#"):  # "#" kills the application
                with suppress(ValueError):  # not an address: the application then has none
                    urls[app_id] = urljoin(page_url, link)
                break
    return urls


def _app_id(link: str) -> str | None:
    try:
        return parse_qs(urlsplit(link).query).get("appId", [None])[0]
    except ValueError:
        return None


def _require_alive(status: str, answer: Answer) -> None:
    if status != "ALIVE":
        raise SourceError(
            f"The master at {answer.url} is {status[:40]}, not ALIVE: wait for it, or give the "
            "address of the active master."
        )


async def read_application(
    client: httpx.AsyncClient,
    active: ActiveApplication,
    driver_url: str,
    *,
    timeout_s: float,
    now: Callable[[], float],
) -> tuple[Application, tuple[str, ...]]:
    """Everything a driver tells of its application, in one request after another.

    :returns: the application, and what is wrong with its own limits, if anything.
    :raises SourceError: one of them failed. Half of what a driver knows is not used: without
        its environment, for one, its own limit would be passed over in silence.
    """
    base = f"{driver_url.rstrip('/')}/api/v1/applications/{quote(active.id, safe='')}"
    paths = ("", "/jobs", "/stages", "/executors", "/environment")
    deadline = time.monotonic() + timeout_s
    # One after another, over one connection: a driver's web server lets only one or two wait to be
    # accepted (Spark sets its queue to the number of acceptors). The rest are dropped, and TCP
    # tries them again only after a second.
    answers = []
    for path in paths:
        left_s = deadline - time.monotonic()
        if left_s < _LEAST_S:
            raise SourceError(
                f"{base} gave no complete answer within {timeout_s:.1f} s: no time was left for "
                f"{path or 'it'}."
            )
        answers.append(await get(client, base + path, timeout_s=left_s))
    application, jobs, stages, executors, environment = answers
    properties = parse_properties(environment)
    elapsed_s = parse_elapsed(application, now())
    return (
        Application(
            id=active.id,
            name=active.name,
            cores=active.cores,
            elapsed_s=elapsed_s,
            limit_s=properties.limit_s,
            max_workers=properties.max_workers,
            endless=properties.limit_s is None and (properties.endless or parse_streaming(jobs)),
            idle_s=parse_idle(application, jobs, elapsed_s),
            executors=parse_executors(executors),
            stages=parse_stages(stages, jobs, parse_start(application)),
            inputs=properties.inputs,
            cpu_s=parse_cpu(stages),
            shuffle_service=properties.shuffle_service,
            jobs=len(decode(_JOBS, jobs)),
        ),
        properties.faults,
    )


def parse_elapsed(application: Answer, now: float) -> float:
    """Seconds since the application's start, by the driver's own clock where it can be had.

    Clocks of two machines differ, so the driver's ``duration`` comes first. Without it (0 in
    older versions) ``now`` is moved into the second that the answer's ``Date`` header names.
    """
    attempt = decode(_APPLICATION, application).attempts[0]
    if attempt.duration is not None and attempt.duration > 0:
        return attempt.duration / 1000.0
    start = attempt.start_time_epoch
    started_at = _parse_time(attempt.start_time, application) if start is None else start / 1000.0
    if application.server_time is not None:
        now = min(max(now, application.server_time), application.server_time + 1.0)
    return max(0.0, now - started_at)


# What Structured Streaming and DStreams give as the description of a batch's jobs.
_BATCH = re.compile(r"\brunId = [0-9a-f-]{36}\b|^Streaming job from ")


def parse_streaming(jobs: Answer) -> bool:
    """Whether the newest jobs are batches of a stream, which has no end. Spark lists them first."""
    newest = decode(_JOBS, jobs)[:10]
    return any(_BATCH.search((job.description or "")[:10_000]) for job in newest)


def parse_idle(application: Answer, jobs: Answer, elapsed_s: float) -> float | None:
    """Seconds since the last job ended, or since the start; None while a job runs."""
    listed = decode(_JOBS, jobs)
    if any(job.status == "RUNNING" for job in listed):
        return None
    start = parse_start(application)
    ends = [_parse_time(job.completion_time, jobs) for job in listed if job.completion_time]
    return min(max(0.0, elapsed_s - (max(ends, default=start) - start)), elapsed_s)


def parse_executors(answer: Answer) -> tuple[Executor, ...]:
    """The active executors, without the driver's own entry.

    ``stored_bytes`` is what their blocks take in memory and on disk.
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
        )
        for executor in decode(_EXECUTORS, answer)
        if executor.is_active and executor.id not in ("driver", "<driver>")
    )


def parse_start(application: Answer) -> float:
    """The application's start by the driver's clock, epoch seconds."""
    return _parse_time(decode(_APPLICATION, application).attempts[0].start_time, application)


def parse_stages(
    stages: Answer, jobs: Answer, started_at: float | None = None
) -> tuple[Stage, ...]:
    """The newest attempt of every stage that submitted jobs run or have run, by id.

    A new attempt counts only the tasks that are done again, so older attempts are left out. The
    status is Spark's, with two exceptions in jobs that still run: a stage that will be skipped is
    left out, though Spark calls it PENDING until the job ends, and one that FAILED is PENDING,
    because it is tried again once the lost output of its parents is back.
    """
    job_list = [job for job in decode(_JOBS, jobs) if job.stage_ids]
    submitted = {stage_id for job in job_list for stage_id in job.stage_ids}
    running = {
        stage_id for job in job_list if job.status == "RUNNING" for stage_id in job.stage_ids
    }
    # Of a job's stages the one that gives its result is numbered last; it never is skipped.
    results = {max(job.stage_ids) for job in job_list}
    newest: dict[int, _Stage] = {}
    listed = decode(_STAGES, stages)
    for stage in sorted(listed, key=lambda stage: stage.attempt_id):
        newest[stage.stage_id] = stage
    # A later job that reads a shuffle lists the stage which wrote it again, under a new id but
    # with the same RDDs. SQL does so for every query, as adaptive execution makes each shuffle a
    # job of its own.
    done = {frozenset(stage.rdd_ids) for stage in newest.values() if stage.status == "COMPLETE"}

    def since_start(time: str | None) -> float | None:
        if time is None or started_at is None:
            return None
        return max(0.0, _parse_time(time, stages) - started_at)

    def will_be_skipped(stage: _Stage) -> bool:
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


def parse_cpu(stages: Answer) -> float | None:
    """CPU seconds that the tasks of all listed attempts have used; None if one does not tell."""
    times = [stage.executor_cpu_time for stage in decode(_STAGES, stages)]
    if any(time is None for time in times):
        return None
    return sum(time for time in times if time is not None) / 1e9


def _stage(
    stage: _Stage, *, will_be_retried: bool, since_start: Callable[[str | None], float | None]
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
    )


def _parse_time(text: str, answer: Answer) -> float:
    try:
        return datetime.strptime(text.replace("GMT", "+0000"), "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
    except ValueError:
        raise SourceError(f"{answer.url} gives {text[:40]!r} where a time must stand.") from None
