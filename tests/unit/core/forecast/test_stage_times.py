"""`core.forecast.stage_times`: how long stages last, given their tasks."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import Seen, view
from kitwai.core.forecast.stage_times import gaps, gaps_left, makespan


def scheduled(tasks: int, slots: int) -> float:
    """Mean end of ``tasks`` tasks given one by one to the next free slot (list scheduling)."""
    rng, ends = np.random.default_rng(0), []
    for _ in range(200):
        free = [0.0] * slots
        for time in rng.lognormal(-0.02, 0.2, size=tasks):
            heapq.heapreplace(free, free[0] + time)
        ends.append(max(free))
    return float(np.mean(ends))


SCHEDULES = [
    (1, 4),
    (4, 4),
    (7, 4),
    (8, 4),
    (9, 4),
    (40, 8),
    (41, 8),
    (100, 6),
    (210, 20),
    (12, 20),
]


def test_makespan_against_list_scheduling():
    errors = []
    for tasks, slots in SCHEDULES:
        time = makespan(np.array([[float(tasks)]]), np.array([[float(slots)]]))[0, 0, 0]
        errors.append(time / scheduled(tasks, slots) - 1.0)
    assert min(errors) > -0.1
    assert max(errors) < 0.1
    assert np.mean(np.abs(errors)) < 0.05


@given(tasks=st.integers(1, 5000), slots=st.integers(1, 64))
def test_makespan_lies_between_its_bounds(tasks, slots):
    time = makespan(np.array([[float(tasks)]]), np.array([[float(slots)]]))[0, 0, 0]
    packed = tasks / slots
    assert max(packed, 1.0) - 1e-9 <= time <= packed + 2.0 + 0.4 * np.sqrt(packed)


def test_no_tasks_take_no_time():
    assert (makespan(np.zeros((2, 3)), np.ones((2, 5))) == 0.0).all()


def test_driver_gaps_are_the_prior_s_until_the_run_has_shown_its_own():
    left = np.array([[0.0, 0.0, 10.0, 10.0]])
    prior_s = np.full((1, 4), 3.0)
    fresh = [Seen(10), Seen(10), Seen(10), Seen(10)]
    nothing = view(*fresh, now=0.0)
    assert gaps_left(nothing, gaps(nothing), prior_s, left)[0] == pytest.approx(6.0)
    done = [
        Seen(10, {2: (10, 40.0)}, began_s=9.0, ended_s=19.0),
        Seen(10, {2: (10, 40.0)}, began_s=28.0, ended_s=38.0),
        *fresh[2:],
    ]
    # 9 s before each of the two: weight 2 against the prior's 1/2.
    seen = view(*done, now=38.0)
    expected_s = 0.2 * 6.0 + 0.8 * 18.0
    assert gaps_left(seen, gaps(seen), prior_s, left)[0] == pytest.approx(expected_s)
    # Of the gap in which the driver is now only the rest is left, and the other gap whole.
    for since_s, rest_s in ((5.0, expected_s - 5.0), (60.0, expected_s / 2.0)):
        later = view(*done, now=38.0 + since_s)
        assert gaps_left(later, gaps(later), prior_s, left)[0] == pytest.approx(rest_s)
    busy = view(*done[:2], Seen(10, active=4, began_s=40.0), fresh[3], now=90.0)
    assert gaps_left(busy, gaps(busy), prior_s, left)[0] > expected_s / 3.0


def test_the_start_of_an_application_is_no_gap_between_its_stages():
    left = np.array([[0.0, 10.0, 10.0]])
    begun = Seen(10, {2: (10, 40.0)}, began_s=14.0, ended_s=24.0)
    seen = view(begun, Seen(10), Seen(10), now=24.0)
    nothing = np.zeros((1, 3))
    assert gaps_left(seen, gaps(seen), nothing, left)[0] == 0.0
    # The family's start is known, so the run's own tells how busy the machine is.
    planned = np.array([[7.0, 0.1, 0.1]])
    assert gaps_left(seen, gaps(seen), planned, left)[0] == pytest.approx(0.4, rel=0.2)
    second = Seen(10, {2: (10, 40.0)}, began_s=26.0, ended_s=36.0)
    later = view(begun, second, Seen(10), now=36.0)
    assert gaps_left(later, gaps(later), nothing, np.array([[0.0, 0.0, 10.0]]))[0] == (
        pytest.approx(2.0 / 1.5)
    )
