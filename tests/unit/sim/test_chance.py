"""`sim.chance`: numbers that depend on nothing but the run's seed and what they are drawn for."""

from __future__ import annotations

import numpy as np
import pytest

from kitwai.sim.chance import (
    SLOW_S,
    contention_of,
    factor_of,
    gap_of,
    lognormal,
    uniform,
    warm_up_of,
)
from kitwai.sim.inner_loop import Rows

MANY = 20_000


def rows(**changes: float) -> Rows:
    """One calm row, with changes; what chance does not ask about is 0."""
    usual = {"worst": 8.0, "contention": 1.0, "slow_factor": 1.0} | changes
    fields = {name: np.array([usual.get(name, 0.0)]) for name in Rows._fields}
    return Rows(**(fields | {"seed": np.array([7], dtype=np.uint64)}))


def factors(tasks, now=0.0, starting=0, **changes):
    made = rows(**changes)
    return np.array([factor_of(0, task, now, starting, made) for task in tasks])


def test_uniform_numbers_are_uniform_and_come_back():
    numbers = np.array([uniform(np.uint64(3), 1, n) for n in range(MANY)])
    assert ((numbers > 0.0) & (numbers < 1.0)).all()
    assert numbers.mean() == pytest.approx(0.5, abs=0.01)
    assert numbers.std() == pytest.approx(12**-0.5, abs=0.01)
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.03
    assert uniform(np.uint64(3), 1, 5) == numbers[5]
    others = {uniform(np.uint64(4), 1, 5), uniform(np.uint64(3), 2, 5), numbers[5]}
    assert len(others) == 3


@pytest.mark.parametrize("sigma", [0.0, 0.3, 0.8])
def test_lognormal_numbers_have_mean_1(sigma):
    numbers = np.array([lognormal(np.uint64(3), 1, n, sigma) for n in range(MANY)])
    assert numbers.mean() == pytest.approx(1.0, abs=0.02)
    assert np.log(numbers).std() == pytest.approx(sigma, abs=0.01)


def test_a_calm_row_is_not_disturbed():
    calm = rows()
    assert (factors(range(100), starting=3) == 1.0).all()
    assert gap_of(0, 3, 2.5, calm) == 2.5
    assert warm_up_of(0, 3, 4, calm) == 0.0
    assert contention_of(0, 5, calm) == 1.0


def test_stragglers_take_3_to_worst_times_as_long():
    times = factors(range(MANY), stragglers=0.05, worst=6.0)
    slow = times[times > 1.0]
    assert len(slow) / MANY == pytest.approx(0.05, abs=0.01)
    assert (slow.min(), slow.max()) == (pytest.approx(3.0, abs=0.1), pytest.approx(6.0, abs=0.1))


def test_the_same_tasks_are_slow_whatever_the_policy_does():
    made = {"noise": 0.3, "stragglers": 0.05}
    assert (factors(range(200), now=0.0, **made) == factors(range(200), now=500.0, **made)).all()


def test_two_workers_that_start_slow_the_others_as_much_as_more_do():
    made = rows(contention=2.0)
    slowed = [contention_of(0, starting, made) for starting in range(4)]
    assert slowed == [1.0, 1.5, 2.0, 2.0]
    assert factors([1], starting=2, contention=2.0)[0] == 2.0


def test_machines_are_slow_for_a_share_of_the_time_and_all_tasks_alike():
    waves = np.arange(2000)
    made = {"slow_share": 0.2, "slow_factor": 1.5}
    began, ended = (
        np.array([factors([1], now=(wave + part) * SLOW_S, **made)[0] for wave in waves])
        for part in (0.01, 0.99)
    )
    assert set(began) == {1.0, 1.5}
    assert (began == ended).all()
    assert (began > 1.0).mean() == pytest.approx(0.2, abs=0.03)
    assert factors([1], now=0.0, **made) == factors([99], now=0.0, **made)


def test_gaps_are_longer_on_average_by_what_is_added():
    made = rows(gap_noise=0.5, gap_more_s=1.5)
    gaps = np.array([gap_of(0, stage, 2.0, made) for stage in range(1, MANY)])
    assert gaps.mean() == pytest.approx(3.5, abs=0.1)
    assert (gaps > 0.0).all()
    assert gap_of(0, 0, 2.0, made) == 2.0  # before the first stage


def test_a_warm_up_has_its_mean_and_is_longer_beside_other_starts():
    made = rows(warm_up=3.0, warm_up_noise=0.4, contention=2.0)
    alone, beside = (
        np.array([warm_up_of(0, task, starting, made) for task in range(MANY)])
        for starting in (1, 3)
    )
    assert alone.mean() == pytest.approx(3.0, abs=0.05)
    assert beside == pytest.approx(2.0 * alone)
