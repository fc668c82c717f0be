"""`observe.metrics.host`: rates from two readings, and a look at this machine."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from kitwai.core.records.observation import HostMetrics
from kitwai.observe.metrics.host import Reading, rates, read_host

BEFORE = Reading(100.0, 50.0, 20.0, 200.0, 1000, 5000)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (Reading(102.0, 51.0, 20.5, 204.0, 1500, 9000), (0.25, 0.125, 250.0, 2000.0)),
        (replace(BEFORE, at=102.0, cpu_total_s=204.0), (0.0, 0.0, 0.0, 0.0)),
        (BEFORE, (None, None, None, None)),
        (Reading(102.0, 51.0, 20.5, 204.0, None, None), (0.25, 0.125, None, None)),
        (Reading(102.0, 49.0, 20.5, 204.0, 10, 9000), (None, 0.125, None, 2000.0)),
        # The idle counter ran back: more was used than there was.
        (Reading(102.0, 54.1, 20.0, 204.0, 1000, 5000), (1.0, 0.0, 0.0, 0.0)),
    ],
)
def test_rates(after, expected):
    assert rates(BEFORE, after, memory=0.5) == HostMetrics(*expected, memory=0.5)


def test_this_machine():
    metrics = asyncio.run(read_host(0.05))
    shares = (metrics.cpu_user, metrics.cpu_system, metrics.memory)
    assert all(share is None or 0.0 <= share <= 1.0 for share in shares)
    assert metrics.memory > 0
    assert metrics.net_in is None or metrics.net_in >= 0
