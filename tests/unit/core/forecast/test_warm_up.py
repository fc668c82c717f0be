"""`core.forecast.warm_up`: first tasks tell the warm-up, and not how much work there is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import COUNTS, Seen, planned, view
from kitwai.core.forecast.forecast import forecast
from kitwai.core.forecast.prior import WARM_UP_S, WARM_UP_WEIGHT, unknown
from kitwai.core.forecast.stage_times import cells
from kitwai.core.forecast.warm_up import learn_warm_up, warmed, without_first

SHAPE = (1, 2)
NOTHING = unknown(1, COUNTS, 2)


def with_first(shown, *first):
    """A view in which some finished tasks were the first: (stage, workers, tasks, seconds)."""
    first_n, first_s = np.zeros_like(shown.cell_n), np.zeros_like(shown.cell_s)
    for stage, workers, tasks, seconds in first:
        first_n[0, stage, workers], first_s[0, stage, workers] = tasks, seconds
    return replace(shown, first_n=first_n, first_s=first_s)


def learnt(shown, prior=NOTHING) -> float:
    (warm_up_s,) = learn_warm_up(cells(shown, COUNTS), prior, shown.tasks.shape)
    return warm_up_s


# --- the warm-up


def test_without_a_first_task_the_prior_stands():
    assert learnt(view(Seen(40, {2: (20, 40.0)}), Seen(40))) == WARM_UP_S


def test_a_stage_with_both_kinds_tells_it():
    # 4 first tasks of 10 s, and 16 others of 2 s.
    shown = with_first(view(Seen(40, {2: (20, 72.0)}), Seen(40)), (0, 2, 4, 40.0))
    expected = (4 * 8.0 + WARM_UP_WEIGHT * WARM_UP_S) / (4 + WARM_UP_WEIGHT)
    assert learnt(shown) == pytest.approx(expected)
    sure = replace(NOTHING, warm_up_weight=np.array([1e9]))
    assert learnt(shown, sure) == pytest.approx(WARM_UP_S)


def test_first_tasks_are_compared_within_their_stage_at_all_worker_counts():
    shown = view(Seen(40, {2: (4, 40.0), 3: (16, 32.0)}), Seen(40, {3: (20, 800.0)}))
    weight = replace(NOTHING, warm_up_weight=np.zeros(1))
    assert learnt(with_first(shown, (0, 2, 4, 40.0)), weight) == pytest.approx(8.0)


def test_a_stage_of_first_tasks_alone_tells_nothing():
    shown = with_first(view(Seen(4, {2: (4, 4000.0)}), Seen(40)), (0, 2, 4, 4000.0))
    assert learnt(shown) == WARM_UP_S


def test_first_tasks_that_were_faster_give_no_warm_up_below_0():
    shown = with_first(view(Seen(40, {2: (20, 200.0)}), Seen(40)), (0, 2, 4, 1.0))
    assert learnt(shown) == 0.0


@given(
    st.integers(1, 1000),
    st.integers(0, 1000),
    st.floats(0.0, 1e6),
    st.floats(0.0, 1e6),
    st.floats(0.0, 100.0),
)
def test_whatever_is_seen_it_is_a_time(first, rest, first_s, rest_s, prior_s):
    seen = Seen(2000, {2: (first + rest, first_s + rest_s)})
    shown = with_first(view(seen, Seen(40)), (0, 2, first, first_s))
    prior = replace(NOTHING, warm_up_s=np.array([prior_s]))
    assert 0.0 <= learnt(shown, prior) <= max(prior_s, first_s) + 1e-6
    rates = without_first(cells(shown, COUNTS), np.array([prior_s]), SHAPE)
    assert (rates.tasks > 0).all()
    assert (rates.run_s >= -1e-6).all()
    assert (rates.doubt >= 0.0).all()


# --- the other tasks


def test_first_tasks_are_left_out_where_others_show_the_time_of_a_task():
    shown = with_first(view(Seen(40, {2: (20, 72.0)}), Seen(40)), (0, 2, 4, 40.0))
    rates = without_first(cells(shown, COUNTS), np.array([8.0]), SHAPE)
    assert (rates.tasks.tolist(), rates.run_s.tolist()) == ([16.0], [32.0])
    assert rates.doubt.tolist() == [0.0]


def test_where_a_stage_has_no_others_the_warm_up_is_taken_off_with_doubt():
    shown = with_first(view(Seen(4, {2: (4, 40.0)}), Seen(40)), (0, 2, 4, 40.0))
    rates = without_first(cells(shown, COUNTS), np.array([4.0]), SHAPE)
    assert (rates.tasks.tolist(), rates.run_s.tolist()) == ([4.0], [24.0])
    assert 0.0 < rates.doubt[0] < 1.0
    # Some of a task is work, however long the warm-up is.
    little = without_first(cells(shown, COUNTS), np.array([400.0]), SHAPE)
    assert 0.0 < little.run_s[0] < 40.0
    assert little.doubt[0] > rates.doubt[0]


def test_without_first_tasks_nothing_changes():
    finished = cells(view(Seen(40, {2: (20, 72.0)}), Seen(40)), COUNTS)
    assert without_first(finished, np.array([9.0]), SHAPE) is finished


@pytest.mark.parametrize("prior", [unknown(1, COUNTS, 2), planned(np.log(100.0))])
def test_the_warm_up_is_not_taken_for_work(prior):
    # The same 40 tasks of 2 s; in the second run, 8 s of warm-up came on top of the first four.
    plain = view(Seen(100, {2: (40, 80.0)}, began_s=60.0), Seen(40))
    slow = view(Seen(100, {2: (40, 80.0 + 4 * 8.0)}, began_s=60.0), Seen(40))
    cold = with_first(slow, (0, 2, 4, 4 * 10.0))
    believed = {
        name: forecast(shown, prior, 0.0)
        for name, shown in (("plain", plain), ("unaware", slow), ("aware", cold))
    }
    level = {name: seen.level[0, 1] for name, seen in believed.items()}
    assert level["aware"] == pytest.approx(level["plain"], abs=0.02)
    assert level["unaware"] > level["plain"] + 0.1
    assert believed["aware"].warm_up_s[0] > believed["plain"].warm_up_s[0]


# --- tasks under way


def test_a_stage_whose_tasks_warm_up_has_begun_later():
    shown = view(Seen(40, active=4, began_s=90.0), Seen(40, {2: (4, 8.0)}, 4, began_s=50.0))
    half = replace(shown, active_first=np.array([[2.0, 0.0]]))
    assert warmed(half, np.array([6.0])).began_s.tolist() == [[93.0, 50.0]]
    assert warmed(half, np.array([600.0])).began_s.tolist() == [[100.0, 50.0]]
    assert warmed(shown, np.array([6.0])) is shown
