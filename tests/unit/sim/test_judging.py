"""`sim.judging`: limits met and worker-seconds, on runs worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kitwai.core.records.profile import ApplicationProfile, StageProfile
from kitwai.sim.episodes import Episodes, calm, grid_episodes
from kitwai.sim.judging import PATIENCE, Constant, Judge, Outcome
from kitwai.sim.library import Library
from kitwai.sim.simulator import SimulatorConfig
from kitwai.sim.synthetic import synthetic_profiles

AT_ONCE = SimulatorConfig(start_delay_s=0.0, drain_s=0.0)


def profile(tasks: int, seconds: float, slowdown: dict[int, float] | None = None, name="family"):
    stage = StageProfile(0, (), (seconds * 1000.0,) * tasks)
    return ApplicationProfile("app", name, {"size": tasks}, 2, (stage,), "test", slowdown or {})


def episodes(profiles, most, limits, realisation=None) -> Episodes:
    count = len(profiles)
    return Episodes(
        profile=np.asarray(profiles),
        max_workers=np.asarray(most),
        limit_s=np.asarray(limits, dtype=float),
        miss=np.full(count, 0.01),
        informed=np.zeros(count, dtype=bool),
        realisation=realisation or calm(count, np.random.default_rng(0)),
    )


def lossy(count: int, at_s: float):
    return replace(calm(count, np.random.default_rng(0)), death_s=np.full(count, at_s))


# --- the best static cluster


def test_best_static_is_the_cheapest_that_hits_not_the_smallest():
    # Total time by slots: 2 workers suffer from a memory cliff.
    cliff = profile(240, 10.0, {2: 9.0, 4: 3.0, 6: 1.0, 12: 1.0})
    judge = Judge(Library([cliff]), episodes([0], [6], [2000.0]), AT_ONCE)
    # 2400 slot seconds: 3 x 2400 / 4 = 1800 s on two workers (3600 worker-seconds), 400 s on
    # three (1200), 300 s on four (1200), ...
    assert judge.static_finish_s[0, 2:7] == pytest.approx([1800, 400, 300, 240, 200])
    assert judge.static_cost[0, 2:7] == pytest.approx([3600, 1200, 1200, 1200, 1200])
    assert judge.best[0] == 3
    assert judge.best_cost[0] == pytest.approx(1200.0)


def test_counts_above_n_are_no_candidates():
    judge = Judge(Library([profile(240, 10.0)]), episodes([0, 0], [2, 6], [300.0, 300.0]), AT_ONCE)
    assert judge.feasible.tolist() == [False, True]
    assert np.isinf(judge.static_finish_s[0, 3:]).all()
    # Infeasible: the most there may be.
    assert judge.best.tolist() == [2, 4]
    assert judge.at_most.finish_s == pytest.approx([600.0, 200.0])


def test_a_limit_met_to_the_second_is_met():
    judge = Judge(Library([profile(40, 10.0)]), episodes([0, 0], [2, 2], [100.0, 99.9]), AT_ONCE)
    assert judge.feasible.tolist() == [True, False]


def test_one_row_of_the_table():
    library = Library([profile(240, 10.0)])
    judge = Judge(library, episodes([0] * 4, [4, 4, 4, 2], [400.0, 400.0, 300.0, 500.0]), AT_ONCE)
    assert judge.feasible.tolist() == [True, True, True, False]
    made = Outcome(
        finish_s=np.array([400.0, 401.0, 60.0, 1200.0]),
        worker_seconds=np.array([1500.0, 900.0, 1200.0, 2400.0]),
        operations=np.array([1, 2, 0, 5]),
    )
    row = judge.judge(made)
    assert (row.episodes, row.feasible) == (4, 3)
    assert row.hit_rate == pytest.approx(2 / 3, abs=1e-4)
    assert row.static_ratio == pytest.approx((1.25 + 1.0) / 2)  # not that of the one late
    assert row.p95_static_ratio == pytest.approx(1.25, abs=0.02)
    assert row.cvs_min == pytest.approx(1.0 / 60.0 / 3.0, abs=1e-4)
    assert row.lateness == pytest.approx(2.0)  # always-N ends at 600 s
    assert row.worker_hours == pytest.approx(1.0)
    assert row.ops_per_episode == 2.0


def test_what_there_is_none_of_is_none():
    library = Library([profile(240, 10.0)])
    late = Judge(library, episodes([0], [1], [100.0]), AT_ONCE)
    row = late.judge(late.at_most)
    assert (row.hit_rate, row.static_ratio, row.p95_static_ratio, row.cvs_min) == (None,) * 4
    assert (row.feasible, row.lateness, row.worker_hours) == (0, 1.0, 0.0)
    early = Judge(library, episodes([0], [4], [900.0]), AT_ONCE)
    missed = early.judge(Outcome(np.array([901.0]), np.ones(1), np.zeros(1, dtype=np.int64)))
    assert (missed.hit_rate, missed.static_ratio, missed.lateness) == (0.0, None, None)


# --- runs


class Noted:
    """Holds two workers and notes what it is asked."""

    def __init__(self):
        self.asked, self.begun = [], []

    def begin(self, library, which, config):
        self.begun.append((library, len(which), config))

    def targets(self, view):
        self.asked.append(view)
        return np.full(len(view.now), 2)


def test_a_controller_begins_once_and_is_asked_every_step_until_the_last_has_ended():
    library = Library([profile(8, 10.0), profile(40, 10.0)])
    judge = Judge(library, episodes([0, 1, 0], [4, 4, 4], [300.0] * 3))
    noted = Noted()
    told = []
    outcome = judge.run(noted, progress=told.append)
    assert noted.begun == [(library, 3, judge.config)]
    assert outcome.finish_s.tolist() == [20.0, 100.0, 20.0]
    assert [float(view.now.max()) for view in noted.asked] == [0, 15, 30, 45, 60, 75, 90]
    assert noted.asked[2].over.tolist() == [True, False, True]
    assert told == [0, 2, 2, 2, 2, 2, 3]
    some = judge.run(Constant(2), rows=np.array([1]))
    assert some.finish_s.tolist() == [100.0]


def test_an_episode_without_end_is_given_up():
    # 4000 x 10 s on 2 slots: 20,000 s under a limit of 300 s.
    judge = Judge(Library([profile(4000, 10.0)]), episodes([0], [1], [300.0]))
    asked = Noted()
    outcome = judge.run(asked)
    assert outcome.finish_s[0] == pytest.approx(PATIENCE * 300.0)
    assert judge.at_most.finish_s[0] == pytest.approx(PATIENCE * 300.0)
    # After three limits nobody is asked any more.
    assert max(float(view.now.max()) for view in asked.asked) == pytest.approx(900.0)


def test_a_row_beside_a_slow_one_is_judged_as_alone():
    library = Library([profile(8, 10.0), profile(4000, 10.0)])
    both = Judge(library, episodes([0, 1], [3, 3], [300.0, 300.0]))
    alone = Judge(library, episodes([0], [3], [300.0]))
    assert both.static_finish_s[0] == pytest.approx(alone.static_finish_s[0])
    assert both.static_cost[0] == pytest.approx(alone.static_cost[0])


@pytest.mark.parametrize("regime", ["recurring", "disturbed"])
def test_constant_clusters_held_in_one_step_agree_with_stepping(regime):
    library = Library(synthetic_profiles(12, seed=4))
    made = grid_episodes(library, regime, seed=3, workers=(5,), limits_s=(300.0,))
    judge = Judge(library, made)
    for workers in (1, 2, 5):
        stepped = judge.run(Constant(workers))
        ended = stepped.finish_s < PATIENCE * 300.0
        assert judge.static_finish_s[ended, workers] == pytest.approx(stepped.finish_s[ended])
        assert judge.static_cost[ended, workers] == pytest.approx(stepped.worker_seconds[ended])


@pytest.mark.parametrize(("recompute", "finish_s"), [(True, 520.0), (False, 510.0)])
def test_a_lost_worker_is_replaced_at_the_next_step_and_paid_until_it_was_lost(recompute, finish_s):
    library = Library([profile(400, 10.0)])
    config = SimulatorConfig(start_workers=4, start_delay_s=0.0, recompute=recompute)
    judge = Judge(library, episodes([0, 0], [4, 4], [900.0] * 2, lossy(2, 52.0)), config)
    # 8 slots in waves of 10 s. Of the 46 tasks that ended by 60 s ten were the lost worker's; if
    # they count no more, 364 are left, which are 46 waves, else 45.
    assert judge.at_most.finish_s == pytest.approx([finish_s] * 2)
    assert judge.at_most.worker_seconds == pytest.approx([4 * finish_s - 8.0] * 2)
    stepped = judge.run(Constant(None))
    assert stepped.finish_s == pytest.approx(judge.at_most.finish_s)
    assert stepped.worker_seconds == pytest.approx(judge.at_most.worker_seconds)
    assert stepped.operations.tolist() == [1, 1]


def test_the_same_losses_make_the_same_limit_feasible_for_all():
    library = Library([profile(400, 10.0)])
    config = SimulatorConfig(start_workers=4, start_delay_s=0.0)
    limit = [505.0]
    calmly = Judge(library, episodes([0], [4], limit), config)
    losing = Judge(library, episodes([0], [4], limit, lossy(1, 50.0)), config)
    assert (calmly.feasible[0], losing.feasible[0]) == (True, False)


def test_judging_finds_the_best_static_and_relates_to_it():
    library = Library([profile(80, 10.0), profile(4000, 10.0)])
    judge = Judge(library, episodes([0, 1], [4, 4], [150.0, 150.0]))
    assert judge.feasible.tolist() == [True, False]
    # 800 s of work on 4 slots take 200 s; with a third worker from 15 s on 140 s.
    assert judge.best.tolist() == [3, 4]
    best = judge.judge(judge.run(Constant(judge.best)))
    assert (best.hit_rate, best.static_ratio, best.lateness) == (1.0, 1.0, 1.0)
    everything = judge.judge(judge.at_most)
    assert everything.hit_rate == 1.0
    assert everything.static_ratio is not None
    assert everything.static_ratio > 1.0


@pytest.mark.parametrize("regime", ["recurring", "disturbed"])
def test_constant_clusters_held_in_long_steps_are_those_of_short_steps(regime):
    library = Library(synthetic_profiles(12, seed=4))
    judge = Judge(
        library, grid_episodes(library, regime, seed=3, workers=(3, 6), limits_s=(300.0,))
    )
    stepped = judge.run(Constant(None))
    ended = stepped.finish_s < 3 * 300.0
    assert ended.sum() > 12
    assert judge.at_most.finish_s[ended] == pytest.approx(stepped.finish_s[ended])
    assert judge.at_most.worker_seconds[ended] == pytest.approx(stepped.worker_seconds[ended])
