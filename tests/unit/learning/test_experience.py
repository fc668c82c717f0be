"""Experience in the simulator: episodes drawn, forks labelled."""

from __future__ import annotations

import numpy as np
import pytest

from kitwai.core.policy.policy import ForecastPolicy, Values
from kitwai.core.policy.state import TARGETS, State
from kitwai.core.records.profile import ApplicationProfile, StageProfile
from kitwai.learning.experience import Collector, Labelled, Pool
from kitwai.sim.episodes import LIMIT_GRID_S, WORKER_GRID, Episodes, calm
from kitwai.sim.library import Library
from kitwai.sim.past_runs import prior_for, priors_of
from kitwai.sim.simulator import SimulatorConfig


def test_a_pool_is_half_messy_a_quarter_calm_a_third_uninformed_and_covers_the_grid(library):
    drawn = Pool.draw(library, 3000, np.random.default_rng(0)).episodes
    assert set(drawn.max_workers.tolist()) == set(WORKER_GRID)
    assert set(drawn.limit_s.tolist()) == set(LIMIT_GRID_S)
    assert set(drawn.profile.tolist()) == set(range(30))
    chance = drawn.realisation
    assert (chance.start_factor != 1.0).mean() == pytest.approx(0.5, abs=0.05)
    assert (chance.noise == 0).mean() == pytest.approx(0.25, abs=0.05)
    assert (~drawn.informed).mean() == pytest.approx(1 / 3, abs=0.05)
    assert ((chance.factor != 1.0) == (chance.noise > 0)).all()


def forty_tasks_of_30_s(number: int) -> ApplicationProfile:
    stages = (StageProfile(0, (), (30_000.0,) * 40),)
    return ApplicationProfile(f"run-{number}", "family", {"n": float(number)}, 1, stages, "test")


@pytest.fixture
def collector() -> Collector:
    """20 rows at their start: 1,200 s of work on one-slot workers, 10 at most, within 300 s."""
    library = Library([forty_tasks_of_30_s(1), forty_tasks_of_30_s(2)])
    count = 30
    rng = np.random.default_rng(0)
    episodes = Episodes(
        profile=np.zeros(count, dtype=np.int64),
        max_workers=np.full(count, 10),
        limit_s=np.full(count, 300.0),
        miss=np.zeros(count),
        informed=np.ones(count, dtype=np.bool_),
        realisation=calm(count, rng),
    )
    known, warm_up_s = priors_of(library), episodes.realisation.warm_up
    prior = prior_for(library, known, episodes.profile, episodes.informed, warm_up_s)
    return Collector(library, Pool(episodes, prior), 20, rng, SimulatorConfig())


class Most:
    """Asks for as many workers as allowed."""

    name, version, max_targets, prices = "most", None, None, ForecastPolicy.prices

    def values(self, state: State) -> Values:
        q = np.tile(np.arange(float(TARGETS)), (len(state.now), 1))
        return Values(-q, 0.0 * q, q)


def test_a_fork_says_which_targets_miss_the_limit_if_they_are_held(collector):
    made = collector.label(20)
    # With all workers at the start there is nothing to choose: none may go yet.
    assert 15 < len(made) <= 20
    assert made.mask[:, 9].all()
    assert made.mask[:, 1:3].any(axis=0).all()
    # 40 tasks of 30 s: on 3 workers 13 waves at least, 390 s; on 6 seven waves and the start-up.
    assert (made.missed[:, :3] == made.mask[:, :3]).all()
    assert (made.missed[:, 5:] == 0.0).all()
    assert (made.z[:, 0] < 0).all()
    assert (made.z[:, 9] > 0).all()
    assert collector.steps > 0


def test_a_fork_goes_on_with_the_policy_after_the_held_steps(collector):
    assert not collector.label(20, Most(), hold=1).missed.any()
    # To hold until the limit is past is to hold to the end.
    late = collector.label(20, Most(), hold=30)
    assert late.mask[:, :3].any()
    assert (late.missed[:, :3] == late.mask[:, :3]).all()
    assert (late.missed[:, 5:] == 0.0).all()


def test_forks_leave_the_episodes_alone(library, pool):
    first, second = (
        Collector(library, pool, 24, np.random.default_rng(2), SimulatorConfig()) for _ in range(2)
    )
    for collector in (first, second):
        collector.walk(ForecastPolicy(), 0.0)
    first.label(24)
    for collector in (first, second):
        collector._rng = np.random.default_rng(3)
        collector.walk(ForecastPolicy(), 0.5)
    one, other = first.label(24), second.label(24)
    assert len(one) > 5
    assert (one.global_ == other.global_).all()
    assert (one.missed == other.missed).all()


def test_collected_states_are_whole(library, pool):
    collector = Collector(library, pool, 48, np.random.default_rng(0), SimulatorConfig())
    parts = []
    for _ in range(40):
        collector.walk(ForecastPolicy(), 0.2)
        parts.append(collector.label(12))
    # Ended episodes have been replaced: 40 steps are longer than most limits.
    assert collector.steps > 40 * 48
    made = Labelled.join(parts)
    assert len(made) > 200
    for array in (made.global_, made.of_target, made.z):
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
    assert (made.mask.sum(axis=1) > 1).all()
    assert not made.missed[~made.mask].any()
    assert 0.1 < made.missed[made.mask].mean() < 0.9
