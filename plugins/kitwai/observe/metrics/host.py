"""Reads CPU, network and memory of this machine through psutil.

It is the source of host metrics if the whole cluster is on one machine.
"""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass
from typing import Any

import psutil

from kitwai.config.metrics import MetricsConfig
from kitwai.core.records.observation import HostMetrics
from kitwai.errors import SourceError
from kitwai.observe.metrics.source import MetricSource, Node

INTERVAL_S = 0.2
"""Seconds between the two readings that give rates; a CPU tick is 0.01 s."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters since boot: CPU seconds; bytes on all interfaces but loopback, None without any."""

    at: float
    cpu_user_s: float
    cpu_system_s: float
    cpu_total_s: float
    bytes_in: int | None
    bytes_out: int | None


async def read_host(interval_s: float = INTERVAL_S) -> HostMetrics:
    """The metrics over the next ``interval_s`` seconds.

    :raises SourceError: the system does not tell the metrics.
    """
    try:
        before = _read()
        await asyncio.sleep(interval_s)
        return rates(before, _read(), memory=psutil.virtual_memory().percent / 100.0)
    except (psutil.Error, OSError) as fault:
        raise SourceError(f"The metrics of this machine could not be read: {fault}.") from fault


async def read_nodes(interval_s: float = INTERVAL_S) -> tuple[Node, ...]:
    """This machine as the only node (`kitwai.observe.metrics.source`)."""
    return (Node(frozenset({socket.gethostname()}), await read_host(interval_s)),)


def make_source(_config: MetricsConfig[Any]) -> MetricSource:
    """The source of a connection with metrics ``psutil``."""
    return read_nodes


def rates(before: Reading, after: Reading, *, memory: float | None) -> HostMetrics:
    """Metrics from two readings.

    A rate over no time is None, and so is the rate of a counter that ran backwards because an
    interface went away.
    """
    cpu_s = after.cpu_total_s - before.cpu_total_s
    span_s = after.at - before.at
    return HostMetrics(
        cpu_user=_share(before.cpu_user_s, after.cpu_user_s, cpu_s),
        cpu_system=_share(before.cpu_system_s, after.cpu_system_s, cpu_s),
        net_in=_rate(before.bytes_in, after.bytes_in, span_s),
        net_out=_rate(before.bytes_out, after.bytes_out, span_s),
        memory=memory,
    )


def _rate(before: float | None, after: float | None, span: float) -> float | None:
    if before is None or after is None or after < before or span <= 0:
        return None
    return (after - before) / span


def _share(before: float | None, after: float | None, span: float) -> float | None:
    """A rate cut to at most 1.

    The sum of all counters is rounded differently from a single counter. On Linux the idle counter
    may run backwards. So a busy machine may seem to do more than it can.
    """
    rate = _rate(before, after, span)
    return None if rate is None else min(rate, 1.0)


def _read() -> Reading:
    cpu = psutil.cpu_times()._asdict()
    # Linux counts guests within user and nice already.
    total = sum(cpu.values()) - cpu.get("guest", 0.0) - cpu.get("guest_nice", 0.0)
    flags = {name: stats.flags.split(",") for name, stats in psutil.net_if_stats().items()}
    network = [
        counters
        for name, counters in psutil.net_io_counters(pernic=True).items()
        if "loopback" not in flags.get(name, ())
    ]
    return Reading(
        at=time.monotonic(),
        cpu_user_s=cpu["user"] + cpu.get("nice", 0.0),
        cpu_system_s=cpu["system"] + cpu.get("irq", 0.0) + cpu.get("softirq", 0.0),
        cpu_total_s=total,
        bytes_in=sum(n.bytes_recv for n in network) if network else None,
        bytes_out=sum(n.bytes_sent for n in network) if network else None,
    )
