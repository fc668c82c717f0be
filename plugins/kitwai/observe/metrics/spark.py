"""Computes CPU and memory from Spark's own numbers, for clusters without another metric source.

It is pure and needs two observations. Executors tell the CPU time of their tasks, user and system
in one number, and the memory of their blocks. They tell nothing of the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kitwai.config.metrics import MetricsConfig
from kitwai.core.records.observation import (
    Application,
    HostMetrics,
    Observation,
    Worker,
    WorkerState,
)
from kitwai.errors import SourceError


def make_source(_config: MetricsConfig[Any]) -> None:
    """No source of its own: every look at the drivers gives the metrics."""


def spark_metrics(
    applications: Sequence[Application] | None,
    workers: Sequence[Worker] | None,
    at: float,
    previous: Observation | None,
) -> HostMetrics:
    """The metrics since ``previous``.

    ``cpu_user``: the tasks' CPU time over the time of the workers' cores. It is None unless the
    previous look saw every running application. ``memory``: share of the executors' storage memory
    in use.

    :raises SourceError: a driver or the master gave no answer, so a sum would be too small.
    """
    if applications is None or workers is None:
        raise SourceError("Spark's own metrics need an answer from the master.")
    if any(application.executors is None for application in applications):
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
    before = {application.id: application.cpu_s for application in previous.applications}
    used = 0.0
    for application in applications:
        # An application that began after the previous look has used all its CPU time since then.
        earlier = before.get(application.id, 0.0 if application.elapsed_s <= span_s else None)
        if application.cpu_s is None or earlier is None or application.cpu_s < earlier:
            return None
        used += application.cpu_s - earlier
    return min(1.0, used / (span_s * cores))


def _memory(applications: Sequence[Application]) -> float | None:
    used = most = 0
    for application in applications:
        for executor in application.executors or ():
            if executor.memory_bytes is None or not executor.max_memory_bytes:
                return None
            used += executor.memory_bytes
            most += executor.max_memory_bytes
    return used / most if most else None
