"""`core.forecast.stragglers`: how much longer stages last than their tasks and waves explain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from builders import Seen, view
from kitwai.core.forecast.forecast import forecast
from kitwai.core.forecast.prior import unknown
from kitwai.core.forecast.stage_times import cells, gaps, makespan
from kitwai.core.forecast.stragglers import TAIL_SIGMA, Tails, learn_tails, tails_left
from kitwai.core.records.profile import ApplicationProfile, StageProfile
from kitwai.sim.library import Library
from kitwai.sim.simulator import Simulator, SimulatorConfig

COUNTS = 10
SLOTS = 2.0 * np.arange(1.0, COUNTS + 1.0)[None]


def tails_of(one, informed: bool = False) -> Tails:
    loss, task_s = np.ones((1, COUNTS)), np.ones(one.tasks.shape)
    finished, known = cells(one, COUNTS), np.array([informed])
    return learn_tails(one, finished, gaps(one), SLOTS, loss, task_s, known)


def tail(*stages: Seen, now: float) -> tuple[float, float]:
    learnt = tails_of(view(*stages, now=now))
    return float(learnt.calm[0]), float(learnt.calm_var[0])


def calm_stages(count: int, extra_s: float = 0.0, workers: int = 2) -> tuple[list[Seen], float]:
    """Stages of 42 tasks of 2 s, each ``extra_s`` longer than `makespan` says."""
    slots = np.array([[2.0 * workers]])
    lasts = 2.0 * makespan(np.array([[42.0]]), slots)[0, 0, 0] + extra_s
    stages = [
        Seen(42, {workers: (42, 84.0)}, began_s=at * lasts, ended_s=(at + 1) * lasts)
        for at in range(count)
    ]
    return stages, count * lasts


def test_stage_tails_are_learnt():
    nothing = tail(Seen(40, active=4, began_s=0.0), now=1.0)
    assert nothing == (0.0, pytest.approx(TAIL_SIGMA[0] ** 2))
    stages, now = calm_stages(6)
    calm, calm_variance = tail(*stages, now=now)
    assert calm == pytest.approx(0.0, abs=1e-9)
    assert calm_variance < 0.1 * TAIL_SIGMA[0] ** 2
    seen = []
    for count in (3, 6, 30):
        stages, now = calm_stages(count, extra_s=2.0)
        seen.append(tail(*stages, now=now)[0])
    # A task time a stage; few stages may have had it by chance.
    assert 0.2 < seen[0] < seen[1] < seen[2] < 1.0
    assert seen[2] == pytest.approx(1.0, abs=0.15)


def test_stragglers_are_told_from_calm_tails():
    calm, now = calm_stages(5, workers=8)
    rough, later = calm_stages(5, extra_s=5.0, workers=8)
    assert tails_of(view(*calm, now=now), True).straggling[0] < 0.1
    assert tails_of(view(*rough, now=later), True).straggling[0] > 0.95
    # One late stage may be chance.
    assert tails_of(view(*calm[:-1], rough[-1], now=later), True).straggling[0] < 0.95


def test_stragglers_are_waited_for_the_longer_the_fewer_the_waves():
    one = np.ones(1)
    straggling = Tails(0.0 * one, 0.01 * one, one, 0.1 * one, one)
    mean, variance = tails_left(straggling, np.array([[42.0]]), SLOTS, np.ones((1, 1)))
    assert (np.diff(mean[0]) > 0.0).all()
    assert (np.diff(variance[0]) > 0.0).all()
    calm = Tails(0.3 * one, 0.01 * one, one, 0.1 * one, 0.0 * one)
    mean, _ = tails_left(calm, np.array([[42.0, 10.0]]), SLOTS, np.ones((1, 2)))
    assert mean[0] == pytest.approx(np.full(COUNTS, 0.6))


def test_workers_that_come_in_mid_stage_are_no_tail():
    # 100 tasks of 10 s on 4 slots, 16 from 15 s on: those under way then go on beside others.
    eight = np.array([8])
    seen = []
    for seed in range(8):
        times = 10_000.0 * np.random.default_rng(seed).lognormal(-0.011, 0.15, (2, 100))
        stages = [StageProfile(n, (n - 1,) * n, tuple(times[n])) for n in range(2)]
        profile = ApplicationProfile("app", "family", {}, 2, tuple(stages), "test")
        simulator = Simulator(Library([profile], COUNTS), 1, SimulatorConfig(start_delay_s=15.0))
        simulator.reset(0 * eight, eight, np.array([600.0]), start_workers=np.array([2]))
        while not simulator.view().ended[0, 0]:
            simulator.step(eight)
        seen.append(tails_of(simulator.view()).calm[0])
    assert np.mean(seen) == pytest.approx(-0.1, abs=0.2)


def test_tails_make_the_rest_longer_at_every_count():
    ends = []
    for extra_s in (0.0, 1.0):
        stages, now = calm_stages(20, extra_s)
        rest = [Seen(42) for _ in range(8)]
        one = view(*stages, *rest, now=now)
        ends.append(forecast(one, unknown(1, COUNTS, 28), 0.0).left_s[0])
    assert (ends[1] - ends[0])[1] == pytest.approx(8.0, rel=0.2)
    assert (ends[1] > ends[0] + 4.0).all()


def test_an_overdue_task_makes_believe_in_stragglers_while_it_is_waited_for():
    stages, now = calm_stages(4, workers=8)
    last = Seen(42, {8: (41, 82.0)}, active=1, began_s=now)
    (ended,), takes = calm_stages(1, workers=8)
    in_time, overdue, later = (
        tails_of(view(*stages, last, now=now + takes + more_s), True) for more_s in (0.5, 4.0, 7.0)
    )
    assert in_time.straggling[0] < 0.1
    assert in_time.straggling[0] < overdue.straggling[0] < later.straggling[0]
    assert later.straggling[0] > 0.9
    # What is believed when the task ends is hardly another thing.
    whole = replace(ended, began_s=now, ended_s=now + takes + 7.0)
    after = tails_of(view(*stages, whole, now=now + takes + 7.0), True)
    assert later.straggling[0] == pytest.approx(after.straggling[0], abs=0.05)
    # While others wait none is overdue.
    waiting = Seen(60, {8: (41, 82.0)}, active=1, began_s=now)
    assert tails_of(view(*stages, waiting, now=now + takes + 7.0), True).straggling[0] < 0.1
