"""Reads a Spark event log into an `EventLog`: jobs, stages, executors and successful tasks.

A log is read line by line; times in it are epoch milliseconds. Field names of Spark 1.2 to 4.x are
known. Tasks are kept as rows of one array, since a log of a gigabyte holds some hundred thousand.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kitwai.core.records.profile import MAX_TASKS
from kitwai.errors import InvalidInputError, SourceError
from kitwai.event_log import events as types
from kitwai.event_log.codec import decompressed
from kitwai.event_log.files import LogFiles, files_of
from kitwai.event_log.lines import wanted_lines

MAX_STAGES = 100_000
"""Most stages that a log may name, stages that never ran included."""

MAX_EXECUTORS = 100_000
MAX_JOBS = 100_000
MAX_PROPERTIES = 1_000

_ROW = struct.Struct("<iiqqqqqqq")
_ROWS = np.dtype(
    [
        ("stage", "<i4"),
        ("executor", "<i4"),
        *((name, "<i8") for name in ("index", "launch_ms", "finish_ms", "run_ms")),
        *((f"{name}_bytes", "<i8") for name in ("input", "shuffle_read", "shuffle_write")),
    ]
)
_ATTEMPT = 2**32
"""Added once an attempt to the index of a task without a partition. The same index in another
attempt of the stage may be another partition."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task's first success; times in epoch ms, ``run_ms`` is the executor's run time."""

    stage: int
    executor: int
    index: int
    launch_ms: int
    finish_ms: int
    run_ms: int
    input_bytes: int
    shuffle_read_bytes: int
    shuffle_write_bytes: int


@dataclass(slots=True)
class Stage:
    """A stage as Spark numbers it, with the first success of each of its tasks.

    ``submitted_ms``: submission of its first attempt, None if the log does not say; ``size``: tasks
    of that attempt; ``table``: one record a task in the order of launch, with the fields of `Task`.
    """

    id: int
    parents: tuple[int, ...]
    job: int
    submitted_ms: float | None = None
    size: int | None = None
    table: NDArray[Any] = field(default_factory=lambda: np.empty(0, _ROWS))

    @property
    def tasks(self) -> list[Task]:
        """The records of ``table`` as `Task` objects."""
        return [Task(*row) for row in self.table.tolist()]

    @property
    def began_ms(self) -> float:
        """When the stage was submitted; if that is unknown, when its first task was launched."""
        return float(self.table["launch_ms"][0]) if self.submitted_ms is None else self.submitted_ms

    @property
    def end_ms(self) -> float:
        """When the stage's last task ended."""
        return float(self.table["finish_ms"].max())


@dataclass(frozen=True, slots=True)
class Job:
    """A job. ``end_ms`` and ``succeeded`` are None if the log does not hold its end."""

    id: int
    submitted_ms: float
    end_ms: float | None = None
    succeeded: bool | None = None


@dataclass(frozen=True, slots=True)
class Executor:
    """An executor. ``id``: its number in `Task`; ``name``: Spark's id; ``slots``: tasks at once."""

    id: int
    name: str
    host: str
    slots: int
    added_ms: float
    removed_ms: float | None = None


@dataclass(slots=True)
class EventLog:
    """One application as its event log tells it. ``stages`` and ``executors`` are keyed by id.

    ``properties``: the Spark properties that Kitwai uses.
    """

    name: str = ""
    app: str = ""
    start_ms: float = 0.0
    end_ms: float | None = None
    properties: dict[str, str] = field(default_factory=dict)
    jobs: dict[int, Job] = field(default_factory=dict)
    stages: dict[int, Stage] = field(default_factory=dict)
    executors: dict[int, Executor] = field(default_factory=dict)
    ran: list[Stage] = field(default_factory=list)
    """The stages that ran, in the order of their submission."""

    @property
    def finish_s(self) -> float:
        """Seconds from the application's start to the end of its last task."""
        return (max(stage.end_ms for stage in self.ran) - self.start_ms) / 1000.0

    @property
    def succeeded(self) -> bool:
        """Whether the job that was submitted last succeeded, as far as the log says."""
        last = max(self.jobs.values(), key=lambda job: (job.submitted_ms, job.id), default=None)
        return last is None or last.succeeded is not False


def read_event_log(path: Any) -> EventLog:
    """Read the event log at ``path``: a file, or the folder of a rolling log.

    :raises InvalidInputError: it cannot be read, is no event log, or its application has not ended.
    """
    files = files_of(path)
    try:
        return read_files(files)
    except (InvalidInputError, SourceError) as error:
        raise InvalidInputError(f"The event log {files.source} is refused: {error}.") from error


def read_files(files: LogFiles) -> EventLog:
    """Read one event log.

    :raises InvalidInputError: as `read_event_log`, but the message is the reason alone.
    :raises SourceError: the storage failed, so another attempt may succeed.
    """
    if files.reason is not None:
        raise InvalidInputError(files.reason)
    reader = _Reader()
    for part in files.parts:
        if not part.name.startswith("appstatus_"):
            _read_part(part, reader, named=len(files.parts) > 1)
    return reader.finished(files)


def _read_part(part: Any, reader: _Reader, *, named: bool) -> None:
    where = f" of {part.name}" if named else ""
    try:
        with part.open("rb") as file:
            for number, event, line in wanted_lines(decompressed(file), _EVENTS):
                try:
                    _EVENTS[event](reader, line)
                # msgspec's errors are ValueErrors.
                except (ValueError, OverflowError, RecursionError) as error:
                    raise InvalidInputError(
                        f"line {number}{where} is no {event.decode()} of Spark"
                    ) from error
    except OSError as error:
        raise SourceError(f"it cannot be read ({error})") from error


class _Reader:
    """Collects the events of a log, one method an event."""

    def __init__(self) -> None:
        self.log = EventLog()
        self.started = False
        self._rows = bytearray()
        self._numbers: dict[str, int] = {}
        self._task_cpus = 1

    def application_start(self, line: bytes) -> None:
        event = types.application_start(line)
        # No database takes the character NUL.
        name, app = (text.replace("\0", "") for text in (event.name, event.id or event.name))
        if self.started and (self.log.name, self.log.app) != (name, app):
            raise InvalidInputError("it holds more than one application")
        self.started = True
        self.log.name, self.log.app, self.log.start_ms = name, app, float(event.at)

    def application_end(self, line: bytes) -> None:
        self.log.end_ms = float(types.application_end(line).at)

    def environment(self, line: bytes) -> None:
        properties = types.environment(line).properties
        self._task_cpus = max(1, int(properties.get("spark.task.cpus", "1")))
        self.log.properties |= {
            name.replace("\0", ""): value
            for name, value in properties.items()
            if name.startswith("spark.kitwai.")
        }
        _check_count(len(self.log.properties), MAX_PROPERTIES, "properties of Kitwai")

    def executor_added(self, line: bytes) -> None:
        event = types.executor_added(line)
        number, info = self._number(event.name), event.info
        # The slots are computed at the end, since the cores of a task may be told later.
        added = Executor(number, event.name, info.host, info.cores, float(event.at))
        self.log.executors[number] = added

    def executor_removed(self, line: bytes) -> None:
        event = types.executor_removed(line)
        known = self.log.executors.get(self._number(event.name))
        if known is not None:
            self.log.executors[known.id] = replace(known, removed_ms=float(event.at))

    def job_start(self, line: bytes) -> None:
        event = types.job_start(line)
        # Spark 1.2 gives no time. Such jobs count as overlapping, and their stages tell the order.
        at_ms = self.log.start_ms if event.at is None else float(event.at)
        self.log.jobs.setdefault(event.id, Job(event.id, at_ms))
        _check_count(len(self.log.jobs), MAX_JOBS, "jobs")
        for info in event.infos:
            self._stage(info, event.id)
        for number in event.stages:
            self._stage(types.StageInfo(number), event.id)

    def job_end(self, line: bytes) -> None:
        event = types.job_end(line)
        job = self.log.jobs.get(event.id)
        if job is not None and job.end_ms is None:
            result = event.result
            succeeded = None if result is None else result.name == "JobSucceeded"
            end_ms = None if event.at is None else float(event.at)
            self.log.jobs[event.id] = replace(job, end_ms=end_ms, succeeded=succeeded)

    def stage(self, line: bytes) -> None:
        """A stage's submission or end; both tell when it was submitted."""
        info = types.stage(line).info
        stage = self._stage(info, None)
        if info.attempt == 0:
            stage.size = info.size if stage.size is None else stage.size
            if stage.submitted_ms is None and info.submitted is not None:
                stage.submitted_ms = float(info.submitted)

    def task_end(self, line: bytes) -> None:
        event = types.task_end(line)
        task, metrics = event.info, event.metrics or _NO_METRICS
        if event.reason.name != "Success" or task.failed or task.killed:
            return
        if event.stage not in self.log.stages:
            self._stage(types.StageInfo(event.stage), None)
        # A later attempt of a stage numbers its tasks anew. From Spark 3.3 the partition stays.
        index = task.index + _ATTEMPT * event.attempt if task.partition < 0 else task.partition
        run_ms = task.finish - task.launch if metrics.run is None else metrics.run
        self._rows += _ROW.pack(
            event.stage,
            self._number(task.executor),
            index,
            task.launch,
            task.finish,
            run_ms,
            metrics.input.bytes_read if metrics.input else 0,
            metrics.read.remote + metrics.read.local if metrics.read else 0,
            metrics.written.written if metrics.written else 0,
        )
        _check_count(len(self._rows) // _ROW.size, 2 * MAX_TASKS, "ended tasks")

    def finished(self, files: LogFiles) -> EventLog:
        """The whole log.

        :raises InvalidInputError: the log is not whole.
        """
        log = self.log
        if not self.started:
            raise InvalidInputError("it does not hold the start of an application")
        if log.end_ms is None:
            ended = "it does not hold the end of an application"
            raise InvalidInputError(
                f"{ended}, which is running or has died" if files.in_progress else ended
            )
        if log.end_ms < log.start_ms:
            raise InvalidInputError("its application ends before it starts")
        if files.compacted and set(log.jobs) != set(range(len(log.jobs))):
            raise InvalidInputError("Spark has compacted it: events of ended jobs are not there")
        log.executors = {
            number: replace(executor, slots=max(1, executor.slots // self._task_cpus))
            for number, executor in log.executors.items()
        }
        self._hand_out_tasks()
        log.ran = sorted(
            (stage for stage in log.stages.values() if len(stage.table)),
            key=lambda stage: (stage.began_ms, stage.id),
        )
        _give_jobs(log)
        return log

    def _hand_out_tasks(self) -> None:
        """Give each stage the first success of each of its tasks, in the order of launch."""
        rows = np.frombuffer(self._rows, _ROWS)
        if not len(rows):
            return
        order = np.lexsort((rows["index"], rows["stage"]))  # stable: the first success first
        stage, index = rows["stage"][order], rows["index"][order]
        first = np.ones(len(rows), dtype=np.bool_)
        first[1:] = (stage[1:] != stage[:-1]) | (index[1:] != index[:-1])
        order = order[first]
        launch = rows["launch_ms"][order]
        order = order[np.lexsort((rows["index"][order], launch, rows["stage"][order]))]
        rows = rows[order]
        self._rows = bytearray()
        numbers, begins = np.unique(rows["stage"], return_index=True)
        for number, table in zip(numbers.tolist(), np.split(rows, begins[1:]), strict=True):
            known = self.log.stages[number]
            known.table = _without_repeated(table, known.size)

    def _number(self, executor: str) -> int:
        number = self._numbers.setdefault(executor, len(self._numbers))
        _check_count(len(self._numbers), MAX_EXECUTORS, "executors")
        return number

    def _stage(self, info: types.StageInfo, job: int | None) -> Stage:
        """The stage of this number. Known parents and a known job stay."""
        stages = self.log.stages
        known = stages.setdefault(info.id, Stage(info.id, (), _UNKNOWN))
        _check_count(len(stages), MAX_STAGES, "stages")
        if not known.parents:
            # Spark numbers a stage after its parents.
            known.parents = tuple(sorted({number for number in info.parents if number < info.id}))
        if known.job == _UNKNOWN and job is not None:
            known.job = job
        return known


_UNKNOWN = -1
_NO_METRICS = types.TaskMetrics()

_EVENTS: dict[bytes, Callable[[_Reader, bytes], None]] = {
    b"SparkListenerApplicationStart": _Reader.application_start,
    b"SparkListenerApplicationEnd": _Reader.application_end,
    b"SparkListenerEnvironmentUpdate": _Reader.environment,
    b"SparkListenerExecutorAdded": _Reader.executor_added,
    b"SparkListenerExecutorRemoved": _Reader.executor_removed,
    b"SparkListenerJobStart": _Reader.job_start,
    b"SparkListenerJobEnd": _Reader.job_end,
    b"SparkListenerStageSubmitted": _Reader.stage,
    b"SparkListenerStageCompleted": _Reader.stage,
    b"SparkListenerTaskEnd": _Reader.task_end,
}


def _check_count(count: int, most: int, what: str) -> None:
    if count > most:
        raise InvalidInputError(f"it names more than {most} {what}")


def _without_repeated(table: NDArray[Any], size: int | None) -> NDArray[Any]:
    """A stage's tasks, without tasks of later attempts that repeated a success.

    Before Spark 3.3 tasks of later attempts do not tell their partition. So as many of them count
    as the first attempt lacked.
    """
    later = table["index"] >= _ATTEMPT
    if size is None or not later.any():
        return table
    lacking = max(0, size - int((~later).sum()))
    again = np.flatnonzero(later)
    later[again[np.argsort(table["finish_ms"][again], kind="stable")[:lacking]]] = False
    kept: NDArray[Any] = table[~later]
    return kept


def _give_jobs(log: EventLog) -> None:
    """Give a job of its own to each stage whose job's start is not in the log."""
    for stage in log.ran:
        if stage.job == _UNKNOWN:
            stage.job = -2 - stage.id
            log.jobs[stage.job] = Job(stage.job, stage.began_ms, stage.end_ms)
