"""The network in Keras and in NumPy: what it corrects, and where it is heard."""

from __future__ import annotations

import numpy as np
import pytest

from kitwai.core.policy.policy import KNOWLEDGE, ForecastPolicy, NetworkPolicy, held
from kitwai.core.policy.state import (
    GLOBAL_FEATURES,
    TARGET_FEATURES,
    TARGETS,
    State,
    build_state,
    encode,
)
from kitwai.learning.experience import PRICE_RANGE
from kitwai.learning.network import build_network, share_of_allowed, weights_of
from kitwai.sim.episodes import grid_episodes
from kitwai.sim.judging import Judge
from kitwai.sim.policy_controller import PolicyController
from kitwai.sim.simulator import Simulator


@pytest.fixture(scope="module")
def state(library, pool) -> State:
    """States of half-way applications, informed and not, with prices from low to high."""
    rng = np.random.default_rng(1)
    simulator = Simulator(library, len(pool.episodes))
    episodes = pool.episodes
    simulator.reset(
        episodes.profile, episodes.max_workers, episodes.limit_s, realisation=episodes.realisation
    )
    for _ in range(4):
        simulator.step(rng.integers(1, episodes.max_workers + 1))
    rows = np.flatnonzero(~simulator.done)
    low, high = np.log(PRICE_RANGE)
    price = np.exp(rng.uniform(low, high, size=len(rows)))
    made = build_state(
        simulator.view().take(rows), pool.prior.take(rows), price, start_delay_s=15.0, drain_s=20.0
    )
    assert 20 < made.informed.sum() < len(rows) - 20
    assert (made.mask.sum(axis=1) > 1).sum() > 50
    return made


def weights(scale: float, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = weights_of(build_network(8))
    return {name: rng.normal(0.0, scale, array.shape) for name, array in shapes.items()}


@pytest.mark.slow
def test_keras_and_numpy_agree_on_10000_random_states():
    rng = np.random.default_rng(0)
    model = build_network(48)
    spread = 0.12
    model.set_weights([rng.normal(0.0, spread, one.shape) for one in model.get_weights()])
    global_ = rng.uniform(-2.0, 3.0, size=(10_000, len(GLOBAL_FEATURES)))
    of_target = rng.uniform(-2.0, 3.0, size=(10_000, TARGETS, len(TARGET_FEATURES)))
    mask = rng.random((10_000, TARGETS)) < rng.random((10_000, 1))
    assert (mask.sum(axis=1) == 0).any()
    ours = NetworkPolicy("v", weights_of(model)).correct(global_, of_target, mask)
    theirs = model(
        [global_.astype(np.float32), of_target.astype(np.float32), share_of_allowed(mask)]
    )
    assert ours.std() > 0.1
    assert np.abs(ours - np.asarray(theirs)).max() < 1e-5


@pytest.mark.slow
def test_an_untrained_network_says_exactly_what_it_corrects(state):
    zero = NetworkPolicy("v", weights_of(build_network(8)))
    ours, forecast = zero.values(state), held(state)
    assert (ours.q == forecast.q).all()
    assert (ours.cost == forecast.cost).all()
    assert (ours.miss == forecast.miss).all()
    assert len(np.unique(ours.best(state))) > 3


def test_a_network_that_abstains_runs_whole_episodes_like_the_formula(library):
    silent = dict.fromkeys(KNOWLEDGE, False)
    ours = NetworkPolicy("v", weights_of(build_network(8)), trusted=silent)
    episodes = grid_episodes(library, "disturbed", seed=3, workers=(3, 8), limits_s=(300.0,))
    judge = Judge(library, episodes)
    ours, formula = (judge.run(PolicyController(one)) for one in (ours, ForecastPolicy()))
    assert (ours.finish_s == formula.finish_s).all()
    assert (ours.worker_seconds == formula.worker_seconds).all()


@pytest.mark.parametrize("informed", [True, False])
@pytest.mark.parametrize("uninformed", [True, False])
@pytest.mark.parametrize("spoilt", [False, True])
def test_a_network_is_heard_only_where_it_is_trusted(state, informed, uninformed, spoilt):
    arrays = weights(2.0)
    if spoilt:
        arrays["output_bias"][:] = np.nan
    trusted = {"informed": informed, "uninformed": uninformed}
    ours = NetworkPolicy("v", arrays, trusted=trusted).values(state).q
    formula = ForecastPolicy().values(state).q
    heard = np.where(state.informed, informed, uninformed)
    assert (ours[~heard] == formula[~heard]).all()
    if spoilt:
        assert np.isnan(ours[heard]).all()
    else:
        assert (ours[heard] != formula[heard]).any(axis=1).all()


def test_states_are_encoded_finite_and_of_order_one(state):
    global_, of_target = encode(state)
    assert global_.shape == (len(state.now), len(GLOBAL_FEATURES))
    assert of_target.shape == (len(state.now), TARGETS, len(TARGET_FEATURES))
    for array in (global_, of_target):
        assert np.isfinite(array).all()
        assert np.abs(array).max() <= 6.0
