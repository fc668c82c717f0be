"""Spark's own word on CPU and memory, where no other source of metrics is at hand.

Pure: made of two observations. Executors tell the CPU time of their tasks, user and system in one,
and the memory that their blocks take; of the network they tell nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from kitwai.core.records.observation import (
    Application,
    HostMetrics,
    Observation,
    Worker,
    WorkerState,
)
from kitwai.errors import SourceError


def spark_metrics(
    applications: Sequence[Application] | None,
    workers: Sequence[Worker] | None,
    at: float,
    previous: Observation | None,
) -> HostMetrics:
    """The metrics since ``previous``.

    ``cpu_user`` is the tasks' CPU time over that of the workers' cores, None without an earlier
    look at every application that runs; ``memory`` the executors' storage memory in use.

    :raises SourceError: a driver or the master is unknown, so that a sum would be too small.
    """
    if applications is None or workers is None:
        raise SourceError("Spark's own metrics need an answer from the master.")
    if any(one.executors is None for one in applications):
        raise SourceError("Spark's own metrics need an answer from every driver.")
    return HostMetrics(
        cpu_user=_cpu(applications, workers, at, previous),
        memory=_memory(applications),
    )


def _cpu(
    applications: Sequence[Application],
    workers: Sequence[Worker],
    at: float,
    previous: Observation | None,
) -> float | None:
    cores = sum(worker.cores for worker in workers if worker.state is WorkerState.ALIVE)
    if previous is None or previous.applications is None or at <= previous.at or not cores:
        return None
    span_s = at - previous.at
    before = {one.id: one.cpu_s for one in previous.applications}
    used = 0.0
    for one in applications:
        # What has begun since has used all of it since.
        earlier = before.get(one.id, 0.0 if one.elapsed_s <= span_s else None)
        if one.cpu_s is None or earlier is None or one.cpu_s < earlier:
            return None
        used += one.cpu_s - earlier
    return min(1.0, used / (span_s * cores))


def _memory(applications: Sequence[Application]) -> float | None:
    used = most = 0
    for one in applications:
        for executor in one.executors or ():
            if executor.memory_bytes is None or not executor.max_memory_bytes:
                return None
            used += executor.memory_bytes
            most += executor.max_memory_bytes
    return used / most if most else None
