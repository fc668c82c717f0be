"""How fast ``kitwai profile`` reads an event log, and how much memory it takes.

The log is as Spark 4 writes it: each task with its start, its metrics and its accumulables, about
3.5 KB a task. A gigabyte holds about 300,000 tasks.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import chain, count
from pathlib import Path
from typing import IO, Any, cast

import zstandard

from kitwai.errors import KitwaiError
from kitwai_lab.bench.machine import machine

CODECS = ("plain", "zstd", "gz")
WANTED = {"mb_per_s_a_core": 100.0, "peak_mb": 300.0}

_MB = 1e6
_TASKS = 2_000
"""Tasks of a stage."""

_SLOTS = 16


def measure_event_log(
    megabytes: int, codec: str = "plain", progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Write an event log, and read it in a process of its own.

    :param megabytes: size of the log before compression; ``codec``: one of `CODECS`.
    :returns: the figures, with the bounds of `WANTED`.
    :raises KitwaiError: the command failed.
    """
    with tempfile.TemporaryDirectory(prefix="kitwai-bench-") as name:
        folder = Path(name)
        log = folder / "application-1"
        progress(f"writing {megabytes} MB, {codec}")
        with _opened(log, codec) as file:
            tasks, size = write_log(file, int(megabytes * _MB))
        progress("reading")
        return _measured(log, folder / "profiles", codec, size / _MB, tasks)


def write_log(file: IO[bytes], size: int) -> tuple[int, int]:
    """Write an event log of at least ``size`` bytes; returns the number of tasks and of bytes."""
    written = tasks = 0
    for stage, lines in enumerate(_stages()):
        for line in lines:
            written += file.write(line)
        tasks += _TASKS
        if written >= size:
            end = {"Event": "SparkListenerApplicationEnd", "Timestamp": _at_ms(stage + 1)}
            written += file.write(_line(end))
            break
    return tasks, written


def _measured(log: Path, out: Path, codec: str, megabytes: float, tasks: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "kitwai.cli.main", "profile", str(log), "--out", str(out)]
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    wall_s = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise KitwaiError(f"kitwai profile failed (exit code {child.returncode}).")
    profile = json.loads((out / f"{log.name}.json").read_bytes())
    read = sum(len(stage["task_ms"]) for stage in profile["stages"])
    if read != tasks:
        raise KitwaiError(f"kitwai profile found {read} of {tasks} tasks.")
    cpu_s = used.ru_utime + used.ru_stime
    return {
        "source": "kitwai bench eventlog",
        "machine": machine(),
        "wanted": WANTED,
        "codec": codec,
        "mb": megabytes,
        "file_mb": log.stat().st_size / _MB,
        "tasks": tasks,
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "mb_per_s_a_core": megabytes / cpu_s,
        "peak_mb": used.ru_maxrss * 1024 / _MB,
    }


def _opened(path: Path, codec: str) -> IO[bytes]:
    if codec == "gz":
        return cast("IO[bytes]", gzip.open(path, "wb", compresslevel=1))
    if codec == "zstd":
        compressor = zstandard.ZstdCompressor(level=1)
        return cast("IO[bytes]", zstandard.open(path, "wb", cctx=compressor))
    return path.open("wb")


def _stages() -> Iterator[Iterator[bytes]]:
    """The lines of one stage after the other, without end; the first begin with the log's start."""
    yield chain(_start(), _stage(0))
    yield from map(_stage, count(1))


def _start() -> Iterator[bytes]:
    yield _line({"Event": "SparkListenerLogStart", "Spark Version": "4.3.0"})
    yield _line({"Event": "SparkListenerEnvironmentUpdate", "Spark Properties": {}})
    start = {"App Name": "bench", "App ID": "application-1", "Timestamp": _at_ms(0)}
    yield _line({"Event": "SparkListenerApplicationStart"} | start)
    info = {"Host": "host-1", "Total Cores": _SLOTS}
    added = {"Timestamp": _at_ms(0), "Executor ID": "1", "Executor Info": info}
    yield _line({"Event": "SparkListenerExecutorAdded"} | added)


def _stage(number: int) -> Iterator[bytes]:
    at_ms = _at_ms(number)
    info = {
        "Stage ID": number,
        "Stage Attempt ID": 0,
        "Number of Tasks": _TASKS,
        "Parent IDs": [],
        "Submission Time": at_ms,
    }
    job = {"Job ID": number, "Submission Time": at_ms, "Stage Infos": [info], "Stage IDs": [number]}
    yield _line({"Event": "SparkListenerJobStart"} | job)
    yield _line({"Event": "SparkListenerStageSubmitted", "Stage Info": info})
    for index in range(_TASKS):
        launch = at_ms + 100 * (index // _SLOTS)
        values = (number, number * _TASKS + index, index, index, launch)
        yield _TASK_START % values
        yield _TASK_END % (*values, launch + 90, 80 + index % 10)
    completed = {"Event": "SparkListenerStageCompleted", "Stage Info": info}
    yield _line(completed)
    end = {"Job ID": number, "Completion Time": _at_ms(number + 1) - 1}
    yield _line({"Event": "SparkListenerJobEnd"} | end | {"Job Result": {"Result": "JobSucceeded"}})


def _at_ms(stage: int) -> int:
    return 1_700_000_000_000 + stage * 100 * (_TASKS // _SLOTS + 1)


def _line(event: dict[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


def _task(event: str, **more: Any) -> bytes:
    """A task's event, with ``%d`` where its numbers go."""
    info = {
        "Task ID": "%d",
        "Index": "%d",
        "Attempt": 0,
        "Partition ID": "%d",
        "Launch Time": "%d",
        "Executor ID": "1",
        "Host": "host-1",
        "Locality": "PROCESS_LOCAL",
        "Speculative": False,
        "Getting Result Time": 0,
        "Finish Time": "%d" if more else 0,
        "Failed": False,
        "Killed": False,
        "Accumulables": _ACCUMULABLES if more else [],
    }
    reason = {"Task Type": "ShuffleMapTask", "Task End Reason": {"Reason": "Success"}}
    body = {"Event": event, "Stage ID": "%d", "Stage Attempt ID": 0}
    whole = body | (reason if more else {}) | {"Task Info": info} | more
    return _line(whole).replace(b'"%d"', b"%d")


_ACCUMULABLES = [
    {
        "ID": number,
        "Name": f"internal.metrics.measure{number}",
        "Update": 1_000 + number,
        "Value": 1_000_000 + number,
        "Internal": True,
        "Count Failed Values": True,
    }
    for number in range(14)
]
_METRICS = {
    "Executor Deserialize Time": 12,
    "Executor Deserialize CPU Time": 9_000_000,
    "Executor Run Time": "%d",
    "Executor CPU Time": 70_000_000,
    "Peak Execution Memory": 4_194_304,
    "Result Size": 2_840,
    "JVM GC Time": 3,
    "Result Serialization Time": 0,
    "Memory Bytes Spilled": 0,
    "Disk Bytes Spilled": 0,
    "Shuffle Read Metrics": {
        "Remote Blocks Fetched": 8,
        "Local Blocks Fetched": 8,
        "Fetch Wait Time": 1,
        "Remote Bytes Read": 65_536,
        "Remote Bytes Read To Disk": 0,
        "Local Bytes Read": 65_536,
        "Total Records Read": 4_096,
    },
    "Shuffle Write Metrics": {
        "Shuffle Bytes Written": 131_072,
        "Shuffle Write Time": 1_500_000,
        "Shuffle Records Written": 4_096,
    },
    "Input Metrics": {"Bytes Read": 1_048_576, "Records Read": 10_000},
    "Output Metrics": {"Bytes Written": 0, "Records Written": 0},
    "Updated Blocks": [],
}
_EXECUTOR_METRICS = {f"Measure{number}": 123_456_789 for number in range(24)}
_TASK_START = _task("SparkListenerTaskStart")
_TASK_END = _task(
    "SparkListenerTaskEnd",
    **{"Task Executor Metrics": _EXECUTOR_METRICS, "Task Metrics": _METRICS},
)
