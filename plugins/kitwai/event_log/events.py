"""Defines the used events of a Spark event log, and their decoders.

Names in JSON are those of Spark's JsonProtocol, 1.2 to 4.x. Fields that are not named here are
never built, which makes reading fast. A decoder raises ValueError (`msgspec.MsgspecError`) or
RecursionError if a line does not fit its event.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, field

Id = Annotated[int, Meta(ge=0, lt=2**31)]
Millis = Annotated[int, Meta(ge=0, le=2**53)]
Measured = Annotated[int, Meta(ge=-(2**53), le=2**53)]
"""Milliseconds or bytes as an executor measured them; Spark does not check them."""

Attempt = Annotated[int, Meta(ge=0, lt=2**20)]

Text = Annotated[str, Meta(max_length=10_000)]


class ApplicationStart(msgspec.Struct, gc=False):
    """SparkListenerApplicationStart."""

    name: Text = field(name="App Name")
    at: Millis = field(name="Timestamp")
    id: Text | None = field(name="App ID", default=None)


class ApplicationEnd(msgspec.Struct, gc=False):
    """SparkListenerApplicationEnd."""

    at: Millis = field(name="Timestamp")


class Environment(msgspec.Struct):
    """SparkListenerEnvironmentUpdate."""

    properties: dict[str, str] = field(name="Spark Properties")


class ExecutorInfo(msgspec.Struct, gc=False):
    """Host and cores of an executor."""

    host: Text = field(name="Host")
    cores: Id = field(name="Total Cores")


class ExecutorAdded(msgspec.Struct, gc=False):
    """SparkListenerExecutorAdded."""

    at: Millis = field(name="Timestamp")
    name: Text = field(name="Executor ID")
    info: ExecutorInfo = field(name="Executor Info")


class ExecutorRemoved(msgspec.Struct, gc=False):
    """SparkListenerExecutorRemoved."""

    at: Millis = field(name="Timestamp")
    name: Text = field(name="Executor ID")


class StageInfo(msgspec.Struct):
    """A stage, as the events of jobs and stages tell it."""

    id: Id = field(name="Stage ID")
    attempt: Attempt = field(name="Stage Attempt ID", default=0)
    size: Id | None = field(name="Number of Tasks", default=None)
    parents: list[int] = field(name="Parent IDs", default_factory=list)
    submitted: Millis | None = field(name="Submission Time", default=None)


class JobStart(msgspec.Struct):
    """SparkListenerJobStart."""

    id: Id = field(name="Job ID")
    stages: list[Id] = field(name="Stage IDs")
    infos: list[StageInfo] = field(name="Stage Infos", default_factory=list)
    at: Millis | None = field(name="Submission Time", default=None)


class JobResult(msgspec.Struct, gc=False):
    """How a job ended."""

    name: Text = field(name="Result")


class JobEnd(msgspec.Struct, gc=False):
    """SparkListenerJobEnd."""

    id: Id = field(name="Job ID")
    at: Millis | None = field(name="Completion Time", default=None)
    result: JobResult | None = field(name="Job Result", default=None)


class StageEvent(msgspec.Struct):
    """SparkListenerStageSubmitted and SparkListenerStageCompleted."""

    info: StageInfo = field(name="Stage Info")


class EndReason(msgspec.Struct, gc=False):
    """Why a task ended."""

    name: Text = field(name="Reason")


class TaskInfo(msgspec.Struct, gc=False):
    """When and where a task ran."""

    index: Id = field(name="Index")
    launch: Millis = field(name="Launch Time")
    finish: Millis = field(name="Finish Time")
    executor: Text = field(name="Executor ID")
    partition: Annotated[int, Meta(ge=-1, lt=2**31)] = field(name="Partition ID", default=-1)
    failed: bool = field(name="Failed", default=False)
    killed: bool = field(name="Killed", default=False)


class InputMetrics(msgspec.Struct, gc=False):
    """Bytes that a task read from outside Spark."""

    bytes_read: Measured = field(name="Bytes Read", default=0)


class ShuffleRead(msgspec.Struct, gc=False):
    """Bytes that a task read from other stages."""

    remote: Measured = field(name="Remote Bytes Read", default=0)
    local: Measured = field(name="Local Bytes Read", default=0)


class ShuffleWrite(msgspec.Struct, gc=False):
    """Bytes that a task wrote for other stages."""

    written: Measured = field(name="Shuffle Bytes Written", default=0)


class TaskMetrics(msgspec.Struct, gc=False):
    """A task's measurements; times in ms."""

    run: Measured | None = field(name="Executor Run Time", default=None)
    input: InputMetrics | None = field(name="Input Metrics", default=None)
    read: ShuffleRead | None = field(name="Shuffle Read Metrics", default=None)
    written: ShuffleWrite | None = field(name="Shuffle Write Metrics", default=None)


class TaskEnd(msgspec.Struct, gc=False):
    """SparkListenerTaskEnd."""

    stage: Id = field(name="Stage ID")
    reason: EndReason = field(name="Task End Reason")
    info: TaskInfo = field(name="Task Info")
    attempt: Attempt = field(name="Stage Attempt ID", default=0)
    metrics: TaskMetrics | None = field(name="Task Metrics", default=None)


application_start = msgspec.json.Decoder(ApplicationStart).decode
application_end = msgspec.json.Decoder(ApplicationEnd).decode
environment = msgspec.json.Decoder(Environment).decode
executor_added = msgspec.json.Decoder(ExecutorAdded).decode
executor_removed = msgspec.json.Decoder(ExecutorRemoved).decode
job_start = msgspec.json.Decoder(JobStart).decode
job_end = msgspec.json.Decoder(JobEnd).decode
stage = msgspec.json.Decoder(StageEvent).decode
task_end = msgspec.json.Decoder(TaskEnd).decode
