"""Until when a step may look on, by the schedule of its DAG."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from kitwai.operators.due import RESERVE_S, may_stay_until, time_left

DUE = datetime(2026, 11, 30, 12, 0, 0, tzinfo=UTC)


def context(schedule):
    return {"dag": SimpleNamespace(schedule=schedule), "dag_run": SimpleNamespace(run_after=DUE)}


@pytest.mark.parametrize(
    ("schedule", "until"),
    [
        (timedelta(seconds=15), DUE.timestamp() + 15 - RESERVE_S),
        (timedelta(minutes=5), DUE.timestamp() + 300 - RESERVE_S),
        ("@continuous", -math.inf),
        ("* * * * *", -math.inf),
        (None, math.inf),
    ],
)
def test_a_step_is_over_before_the_next_run_is_due(schedule, until):
    assert may_stay_until(context(schedule)) == until


def test_outside_of_a_run_nothing_is_due():
    assert may_stay_until({}) == math.inf


@pytest.mark.parametrize(
    ("until", "left"),
    [(1012.0, 7.0), (1500.0, 30.0), (1005.0, 0.0), (900.0, 0.0), (math.inf, 30.0), (-math.inf, 0)],
)
def test_time_left_ends_when_the_run_is_due_and_has_a_bound(until, left):
    assert time_left(until, 30.0, now=1005.0) == left
