"""Spark event logs, read line by line: one JSON object a line, plain or compressed.

Compressed is ``.gz``, and ``.zst`` where the package zstandard is installed. Times in a log are
epoch milliseconds.
"""

from __future__ import annotations

import gzip
import importlib
import json
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from kitwai.errors import InvalidInputError

_EVENT = re.compile(r'\{"Event":"([\w.$]+)"')


@dataclass(frozen=True, slots=True)
class Task:
    """A task's first success; times in epoch ms, ``run_ms`` is the executor's run time."""

    stage: int
    index: int
    executor: str
    launch_ms: float
    finish_ms: float
    run_ms: float
    input_bytes: int
    shuffle_read_bytes: int
    shuffle_write_bytes: int


@dataclass(slots=True)
class Stage:
    """A stage as Spark numbers it, with the first success of each of its tasks.

    ``submitted_ms``: of its first attempt, None where the log does not say; ``done``: the numbers
    of the tasks that have succeeded.
    """

    id: int
    parents: tuple[int, ...]
    job: int
    submitted_ms: float | None = None
    tasks: list[Task] = field(default_factory=list)
    done: set[int] = field(default_factory=set)

    @property
    def began_ms(self) -> float:
        """When it was submitted, else when its first task was launched."""
        if self.submitted_ms is not None:
            return self.submitted_ms
        return min(task.launch_ms for task in self.tasks)

    @property
    def end_ms(self) -> float:
        """End of its last task."""
        return max(task.finish_ms for task in self.tasks)


@dataclass(frozen=True, slots=True)
class Job:
    """``end_ms`` is None where the log does not hold its end."""

    id: int
    submitted_ms: float
    end_ms: float | None


@dataclass(frozen=True, slots=True)
class Executor:
    """``slots``: tasks it runs at once."""

    id: str
    host: str
    slots: int
    added_ms: float
    removed_ms: float | None = None


@dataclass(slots=True)
class EventLog:
    """What was read of one application. ``stages`` and ``executors`` are keyed by their ids."""

    name: str = ""
    app: str = ""
    start_ms: float = 0.0
    end_ms: float | None = None
    properties: dict[str, str] = field(default_factory=dict)
    jobs: dict[int, Job] = field(default_factory=dict)
    stages: dict[int, Stage] = field(default_factory=dict)
    executors: dict[str, Executor] = field(default_factory=dict)

    @property
    def ran(self) -> list[Stage]:
        """The stages that ran, in the order of their submission."""
        ran = [stage for stage in self.stages.values() if stage.tasks]
        return sorted(ran, key=lambda stage: (stage.began_ms, stage.id))

    @property
    def finish_s(self) -> float:
        """Seconds from the application's start to the end of its last task."""
        return (max(stage.end_ms for stage in self.ran) - self.start_ms) / 1000.0


def read_event_log(path: Path) -> EventLog:
    """Read one event log.

    :raises InvalidInputError: it cannot be read, is no event log, or its application has not ended.
    """
    log = EventLog()
    try:
        with _opened(path) as lines:
            for number, line in enumerate(lines, start=1):
                head = _EVENT.match(line)
                if not line.strip() or (head is not None and head[1] not in _HANDLERS):
                    continue
                try:
                    event = json.loads(line)
                    handler = _HANDLERS.get(event["Event"])
                    if handler is not None:
                        handler(log, event)
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                    raise InvalidInputError(
                        f"The event log {path} is refused: line {number} is no event of Spark."
                    ) from error
    # zlib and zstandard raise errors of their own, which are neither OSError nor ValueError.
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InvalidInputError(f"The event log {path} cannot be read: {error}.") from error
    if log.end_ms is None:
        raise InvalidInputError(
            f"The event log {path} is refused: it does not hold the end of an application."
        )
    return log


def _application_start(log: EventLog, event: dict[str, Any]) -> None:
    log.name = str(event["App Name"])
    log.app = str(event.get("App ID") or event["App Name"])
    log.start_ms = float(event["Timestamp"])


def _application_end(log: EventLog, event: dict[str, Any]) -> None:
    log.end_ms = float(event["Timestamp"])


def _environment(log: EventLog, event: dict[str, Any]) -> None:
    log.properties |= {str(k): str(v) for k, v in event["Spark Properties"].items()}


def _executor_added(log: EventLog, event: dict[str, Any]) -> None:
    cores = int(event["Executor Info"]["Total Cores"])
    slots = max(1, cores // max(1, int(log.properties.get("spark.task.cpus", "1"))))
    name, host = str(event["Executor ID"]), str(event["Executor Info"]["Host"])
    log.executors[name] = Executor(name, host, slots, float(event["Timestamp"]))


def _executor_removed(log: EventLog, event: dict[str, Any]) -> None:
    name = str(event["Executor ID"])
    if name in log.executors:
        log.executors[name] = replace(log.executors[name], removed_ms=float(event["Timestamp"]))


def _job_start(log: EventLog, event: dict[str, Any]) -> None:
    job = int(event["Job ID"])
    # Spark 1.2 names no time: such jobs count as overlapping, and their stages tell the order.
    log.jobs[job] = Job(job, float(event.get("Submission Time", log.start_ms)), None)
    parents = {int(info["Stage ID"]): info for info in event.get("Stage Infos", ())}
    for one in {*map(int, event["Stage IDs"]), *parents}:
        info = parents.get(one, {})
        stage = Stage(one, tuple(map(int, info.get("Parent IDs", ()))), job)
        log.stages.setdefault(one, stage)


def _job_end(log: EventLog, event: dict[str, Any]) -> None:
    job = int(event["Job ID"])
    if job in log.jobs and "Completion Time" in event:
        log.jobs[job] = replace(log.jobs[job], end_ms=float(event["Completion Time"]))


def _stage_submitted(log: EventLog, event: dict[str, Any]) -> None:
    info = event["Stage Info"]
    stage = log.stages.get(int(info["Stage ID"]))
    time_ms = info.get("Submission Time")
    if stage is not None and stage.submitted_ms is None and time_ms is not None:
        stage.submitted_ms = float(time_ms)


def _task_end(log: EventLog, event: dict[str, Any]) -> None:
    info = event["Task Info"]
    stage = log.stages.get(int(event["Stage ID"]))
    failed = info.get("Failed") or info.get("Killed")
    if stage is None or failed or event["Task End Reason"]["Reason"] != "Success":
        return
    # A later attempt of a stage counts its tasks anew; the partition is the same (Spark 3.3 on).
    index = int(info.get("Partition ID", -1))
    index = index if index >= 0 else int(info["Index"])
    if index in stage.done:
        return
    stage.done.add(index)
    metrics = event.get("Task Metrics") or {}
    read, fetched = metrics.get("Input Metrics") or {}, metrics.get("Shuffle Read Metrics") or {}
    written = metrics.get("Shuffle Write Metrics") or {}
    launch_ms, finish_ms = float(info["Launch Time"]), float(info["Finish Time"])
    stage.tasks.append(
        Task(
            stage=stage.id,
            index=index,
            executor=str(info["Executor ID"]),
            launch_ms=launch_ms,
            finish_ms=finish_ms,
            run_ms=float(metrics.get("Executor Run Time", finish_ms - launch_ms)),
            input_bytes=int(read.get("Bytes Read", 0)),
            shuffle_read_bytes=int(fetched.get("Remote Bytes Read", 0))
            + int(fetched.get("Local Bytes Read", 0)),
            shuffle_write_bytes=int(written.get("Shuffle Bytes Written", 0)),
        )
    )


_HANDLERS: dict[str, Callable[[EventLog, dict[str, Any]], None]] = {
    "SparkListenerApplicationStart": _application_start,
    "SparkListenerApplicationEnd": _application_end,
    "SparkListenerEnvironmentUpdate": _environment,
    "SparkListenerExecutorAdded": _executor_added,
    "SparkListenerExecutorRemoved": _executor_removed,
    "SparkListenerJobStart": _job_start,
    "SparkListenerJobEnd": _job_end,
    "SparkListenerStageSubmitted": _stage_submitted,
    "SparkListenerStageCompleted": _stage_submitted,
    "SparkListenerTaskEnd": _task_end,
}


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    """The log's lines, whatever it is compressed with."""
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield lines
    elif path.suffix in (".zst", ".zstd"):
        try:
            zstandard = importlib.import_module("zstandard")
        except ImportError as error:
            raise InvalidInputError(
                f"The event log {path} needs the Python package zstandard, which is not installed."
            ) from error
        try:
            with zstandard.open(path, "rt", encoding="utf-8") as lines:
                yield lines
        except zstandard.ZstdError as error:
            raise InvalidInputError(f"The event log {path} cannot be read: {error}.") from error
    else:
        with path.open(encoding="utf-8") as lines:
            yield lines
