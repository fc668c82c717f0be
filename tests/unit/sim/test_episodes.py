"""`sim.episodes`: which episodes a grid has, their disturbances, and which runs count as past."""

from __future__ import annotations

import numpy as np
import pytest

from kitwai.core.records.profile import ApplicationProfile, StageProfile
from kitwai.errors import InvalidInputError
from kitwai.sim.episodes import (
    CALM_REGIMES,
    MESSY_REGIMES,
    REGIMES,
    calm,
    disturbed,
    grid_episodes,
    history_of,
    messy,
)
from kitwai.sim.library import Library
from kitwai.sim.simulator import Realisation
from kitwai.sim.synthetic import synthetic_profiles


def profile(tasks: int, seconds: float, slowdown: dict[int, float] | None = None, name="family"):
    stage = StageProfile(0, (), (seconds * 1000.0,) * tasks)
    return ApplicationProfile("app", name, {"size": tasks}, 2, (stage,), "test", slowdown or {})


def test_the_grid_is_every_profile_under_every_constraint_once():
    library = Library(synthetic_profiles(3, seed=1))
    made = grid_episodes(library, "new", seed=1, workers=(2, 5), limits_s=(300.0, 600.0))
    rows = list(zip(made.profile, made.max_workers, made.limit_s, strict=True))
    assert len(rows) == len(set(rows)) == 3 * 2 * 2
    assert not made.informed.any()
    assert grid_episodes(library, "recurring", seed=1).informed.all()
    assert len(grid_episodes(library, "recurring", seed=1)) == 3 * 60
    taken = made.take(np.array([3, 3]))
    assert (taken.limit_s == made.limit_s[3]).all()
    assert (taken.realisation.seed == made.realisation.seed[3]).all()


def test_an_unknown_regime_is_named():
    with pytest.raises(InvalidInputError, match="'calm' is no regime: name some of recurring, new"):
        grid_episodes(Library(synthetic_profiles(1, seed=1)), "calm", seed=1)


def test_disturbances_are_those_that_are_stated():
    limit = np.full(20_000, 300.0)
    chance = disturbed(20_000, limit, np.random.default_rng(2))
    assert np.log(chance.factor).std() == pytest.approx(0.3, abs=0.01)
    assert np.log(chance.factor).mean() == pytest.approx(0.0, abs=0.01)
    lost = np.isfinite(chance.death_s)
    assert lost.mean() == pytest.approx(0.3, abs=0.01)
    assert chance.death_s[lost].mean() == pytest.approx(150.0, abs=3.0)
    assert (chance.noise[0], chance.stragglers[0], chance.start_noise[0]) == (0.15, 0.02, 0.3)
    again = disturbed(20_000, limit, np.random.default_rng(2))
    assert (again.seed == chance.seed).all()
    assert (again.factor == chance.factor).all()


def test_calm_runs_and_disturbed_runs_have_none_of_what_messy_runs_have():
    limit, rng = np.full(50, 300.0), np.random.default_rng(2)
    usual = Realisation.calm(1)
    drawn = {"seed", "factor", "noise", "stragglers", "start_noise", "death_s"}
    for name in Realisation.__slots__:
        if name != "seed":
            assert (getattr(calm(50, rng), name) == getattr(usual, name)).all(), name
        if name not in drawn:
            assert (getattr(disturbed(50, limit, rng), name) == getattr(usual, name)).all(), name
    assert (usual.warm_up, usual.contention, usual.death_s) == (0.0, 1.0, np.inf)


@pytest.mark.parametrize("seed", range(3))
def test_messy_runs_lie_in_ranges_that_clusters_have(seed):
    limit = np.full(20_000, 300.0)
    chance = messy(20_000, limit, np.random.default_rng(seed))
    ranges = {
        "factor": (0.1, 10.0),
        "noise": (0.0, 0.5),
        "stragglers": (0.0, 0.1),
        "worst": (3.0, 10.0),
        "start_factor": (0.3, 4.0),
        "start_noise": (0.0, 1.0),
        "warm_up": (0.0, 15.0),
        "warm_up_noise": (0.0, 1.0),
        "contention": (1.0, 3.0),
        "slow_share": (0.0, 0.5),
        "slow_factor": (1.0, 3.0),
        "gap_noise": (0.0, 1.0),
        "gap_more_s": (0.0, 3.0),
    }
    assert ranges.keys() == set(Realisation.__slots__) - {"seed", "death_s"}
    for name, (low, high) in ranges.items():
        values = getattr(chance, name)
        assert values.shape == (20_000,), name
        assert ((values >= low) & (values <= high)).all(), name
        assert values.std() > 0.0, name
    lost = np.isfinite(chance.death_s)
    assert 0.0 < lost.mean() < 0.3
    assert ((chance.death_s[lost] >= 0.0) & (chance.death_s[lost] <= 300.0)).all()
    assert len(np.unique(chance.seed)) == 20_000


def test_messy_runs_come_back_with_their_seed():
    made, again = (messy(9, np.full(9, 300.0), np.random.default_rng(5)) for _ in range(2))
    assert all((getattr(made, name) == getattr(again, name)).all() for name in made.__slots__)


@pytest.mark.parametrize("regime", REGIMES)
def test_a_regime_says_what_is_known_and_what_chance_does(regime):
    made = grid_episodes(Library(synthetic_profiles(3, seed=1)), regime, seed=1)
    assert made.informed.all() == (regime not in ("new", "messy-new"))
    assert (made.realisation.warm_up > 0.0).any() == (regime in MESSY_REGIMES)
    assert set(REGIMES) == {*CALM_REGIMES, *MESSY_REGIMES}


def test_history_is_the_family_at_other_inputs():
    family = [profile(8, 10.0), profile(40, 10.0), profile(8, 99.0), profile(80, 1.0, name="b")]
    assert history_of(family[0], family) == (family[1],)
