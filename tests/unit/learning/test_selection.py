"""Whether a network is worth being asked: judged against the forecast alone."""

from __future__ import annotations

import numpy as np
import pytest

from kitwai.core.policy.policy import KNOWLEDGE, PRICES, ForecastPolicy, NetworkPolicy, Values
from kitwai.core.policy.state import TARGET_FEATURES, TARGETS, State
from kitwai.learning import selection
from kitwai.learning.network import build_network, weights_of
from kitwai.learning.selection import FEWEST, select
from kitwai.sim.episodes import REGIMES, grid_episodes
from kitwai.sim.judging import Judge
from kitwai.sim.library import Library
from kitwai.sim.policy_controller import PolicyController
from kitwai.sim.synthetic import synthetic_profiles


@pytest.fixture(scope="module")
def library() -> Library:
    return Library(synthetic_profiles(24, seed=31))


def wasteful(**options) -> NetworkPolicy:
    """It says that every limit is missed but with all the workers that are allowed."""
    arrays = {name: np.zeros_like(array) for name, array in weights_of(build_network(8)).items()}
    arrays["target_kernel"][TARGET_FEATURES.index("share"), 0] = 1.0
    arrays["hidden_kernel"][0, 0] = 1.0
    arrays["output_kernel"][0, 1] = -200.0
    arrays["output_bias"][1] = 190.0
    return NetworkPolicy("v", arrays, **options)


def silent() -> NetworkPolicy:
    """It abstains, so that the formula decides."""
    return wasteful(trusted=dict.fromkeys(KNOWLEDGE, False))


def loss_of(row: dict) -> float:
    """Cost in best statics' over episodes that hit, a missed limit at its price, from a table's
    row.
    """
    return row["static_ratio"] + PRICES[0.01] * (1.0 - row["hit_rate"])


@pytest.fixture(scope="module")
def worse(library):
    return select(library, wasteful(), seed=1)


@pytest.mark.slow
def test_a_network_made_worse_on_purpose_is_not_trusted(worse):
    assert worse.trusted == {"informed": False, "uninformed": False}
    for sentence in worse.reasons.values():
        assert "and abstains." in sentence
    # In regime "new" the guardrails keep even this network from waste.
    for regime in ("recurring", "disturbed"):
        rows = worse.metrics[regime]
        assert loss_of(rows["network"]) > loss_of(rows["forecast"])


@pytest.mark.slow
def test_every_regime_is_judged_on_the_same_episodes(worse):
    assert set(worse.metrics) == set(REGIMES)
    for rows in worse.metrics.values():
        assert set(rows) == {"network", "forecast", "always-N"}
        assert {row["episodes"] for row in rows.values()} == {24 * 4 * 3}
        assert len({row["feasible"] for row in rows.values()}) == 1
        assert rows["always-N"]["static_ratio"] > rows["forecast"]["static_ratio"]


@pytest.mark.slow
def test_a_network_that_was_not_trusted_then_runs_like_the_formula(library, worse):
    episodes = grid_episodes(library, "disturbed", seed=2, workers=(4, 10), limits_s=(300.0,))
    judge = Judge(library, episodes)
    abstains = wasteful(trusted=worse.trusted)
    ours, formula, heard = (
        judge.run(PolicyController(policy)) for policy in (abstains, ForecastPolicy(), wasteful())
    )
    assert (ours.worker_seconds == formula.worker_seconds).all()
    assert (ours.worker_seconds != heard.worker_seconds).any()


@pytest.mark.slow
def test_a_network_that_changes_nothing_is_not_trusted(library):
    made = select(library, silent(), seed=1)
    assert made.trusted == {"informed": False, "uninformed": False}
    for rows in made.metrics.values():
        assert rows["network"] == rows["forecast"]


@pytest.mark.parametrize("spoilt", [False, True])
def test_in_episodes_too_the_formula_decides_where_the_network_cannot(spoilt):
    library = Library(synthetic_profiles(6, seed=5), max_workers=14)
    episodes = grid_episodes(library, "recurring", seed=2, workers=(8, 14), limits_s=(300.0,))
    judge = Judge(library, episodes)
    arrays = {name: np.full_like(one, np.nan) for name, one in wasteful()._weights.items()}
    policy = NetworkPolicy("v", arrays) if spoilt else wasteful()
    ours, formula = (judge.run(PolicyController(one)) for one in (policy, ForecastPolicy()))
    like = np.ones(len(episodes), dtype=bool) if spoilt else episodes.max_workers > 10
    assert (ours.finish_s[like] == formula.finish_s[like]).all()
    assert (ours.worker_seconds[like] == formula.worker_seconds[like]).all()
    if not spoilt:
        assert (ours.worker_seconds[~like] != formula.worker_seconds[~like]).any()


class Restless:
    """Asks for the count that is farthest from the present one: no guardrail mends that."""

    version, max_targets, prices = None, None, ForecastPolicy.prices

    def values(self, state: State) -> Values:
        q = np.abs(np.arange(1.0, TARGETS + 1.0) - state.workers[:, None])
        return Values(-q, 0.0 * q, q)


class RestlessWhereInformed(ForecastPolicy):
    """Restless where the family is known, the forecast elsewhere."""

    def values(self, state: State) -> Values:
        best, restless = super().values(state), Restless().values(state)
        q = np.where(state.informed[:, None], restless.q, best.q)
        return Values(best.cost, best.miss, q)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rival", "trusted"),
    [
        (Restless, {"informed": True, "uninformed": True}),
        (RestlessWhereInformed, {"informed": True, "uninformed": False}),
    ],
)
def test_a_network_is_trusted_where_it_beats_its_rival(library, monkeypatch, rival, trusted):
    monkeypatch.setattr(selection, "ForecastPolicy", rival)
    made = select(library, silent(), seed=1)
    assert made.trusted == trusted
    assert "and is trusted." in made.reasons["informed"]


@pytest.mark.slow
def test_too_few_families_prove_nothing(monkeypatch):
    monkeypatch.setattr(selection, "ForecastPolicy", Restless)
    made = select(Library(synthetic_profiles(12, seed=8)), silent(), seed=1)
    assert made.trusted == {"informed": False, "uninformed": False}
    for sentence in made.reasons.values():
        assert f"at least {FEWEST} are needed" in sentence


def test_intervals_are_over_groups_not_over_their_episodes():
    rng = np.random.default_rng(0)
    of_group = rng.normal(size=25)
    group = np.repeat(np.arange(25), 40)
    values = of_group[group]
    low, high = selection.interval(values, group, np.random.default_rng(1))
    assert low < of_group.mean() < high
    expected = 2 * 1.96 * of_group.std() / 5.0
    assert high - low == pytest.approx(expected, rel=0.15)


def test_intervals_weigh_a_group_by_its_episodes():
    # 90 episodes of one group at 1.0, ten of nine others at 0: the mean is near 0.9.
    group = np.concatenate([np.zeros(90, dtype=int), np.arange(1, 11)])
    values = (group == 0).astype(float)
    low, high = selection.interval(values, group, np.random.default_rng(0))
    assert low == 0.0
    assert 0.9 < high < 1.0


def test_a_clear_difference_has_an_interval_on_one_side():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(30), 12)
    values = -0.1 + 0.02 * rng.normal(size=30)[group] + 0.1 * rng.normal(size=len(group))
    low, high = selection.interval(values, group, np.random.default_rng(0))
    assert low < values.mean() < high < 0.0
