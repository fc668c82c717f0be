"""Lists of tasks in Spark's JSON form, as long as a driver's own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any


def task(number: int, executor: str, launched_at: float, ms: int, status: str) -> dict[str, Any]:
    """One task with all fields that Spark gives; ``launched_at``: epoch seconds.

    :param ms: from its launch to its end, or to now.
    """
    logs = {
        kind: f"http://10.0.0.1:40000/logPage/?appId=app&executorId={executor}&logType={kind}"
        for kind in ("stdout", "stderr")
    }
    return {
        "taskId": number,
        "index": number,
        "attempt": 0,
        "partitionId": number,
        "launchTime": spark_time(launched_at),
        "duration": ms,
        "executorId": executor,
        "host": "10.0.0.1",
        "status": status,
        "taskLocality": "PROCESS_LOCAL",
        "speculative": False,
        "accumulatorUpdates": [],
        **({"taskMetrics": _metrics(ms)} if status == "SUCCESS" else {}),
        "executorLogs": logs,
        "schedulerDelay": 4,
        "gettingResultTime": 0,
    }


def quantiles(shares: list[float], tasks: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The quantiles of the times of the finished tasks; None without a finished task."""
    times = sorted(one["duration"] for one in tasks if "taskMetrics" in one)
    if not times:
        return None
    at = [float(times[min(int(share * len(times)), len(times) - 1)]) for share in shares]
    return {"quantiles": shares, "duration": at, "executorRunTime": at}


def spark_time(moment: float) -> str:
    """A moment in epoch seconds as Spark writes it."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "GMT"


def spark_json(value: Any) -> bytes:
    """``value`` as Spark writes it, with a line for each field."""
    return json.dumps(value, indent=2, separators=(",", " : ")).encode()


def _metrics(ms: int) -> dict[str, Any]:
    pushed = (
        "corruptMergedBlockChunks",
        "mergedFetchFallbackCount",
        "remoteMergedBlocksFetched",
        "localMergedBlocksFetched",
        "remoteMergedChunksFetched",
        "localMergedChunksFetched",
        "remoteMergedBytesRead",
        "localMergedBytesRead",
        "remoteMergedReqsDuration",
    )
    return {
        "executorDeserializeTime": 18,
        "executorDeserializeCpuTime": 9675301,
        "executorRunTime": ms,
        "executorCpuTime": 900_000 * ms,
        "resultSize": 1662,
        "jvmGcTime": 32,
        "resultSerializationTime": 1,
        "memoryBytesSpilled": 0,
        "diskBytesSpilled": 0,
        "peakExecutionMemory": 0,
        "inputMetrics": {"bytesRead": 134217728, "recordsRead": 1048576},
        "outputMetrics": {"bytesWritten": 0, "recordsWritten": 0},
        "shuffleReadMetrics": {
            "remoteBlocksFetched": 0,
            "localBlocksFetched": 0,
            "fetchWaitTime": 0,
            "remoteBytesRead": 0,
            "remoteBytesReadToDisk": 0,
            "localBytesRead": 0,
            "recordsRead": 0,
            "remoteReqsDuration": 0,
            "shufflePushReadMetrics": dict.fromkeys(pushed, 0),
        },
        "shuffleWriteMetrics": {"bytesWritten": 0, "writeTime": 0, "recordsWritten": 0},
    }
