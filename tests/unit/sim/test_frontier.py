"""`sim.frontier`: when a policy dominates the baselines."""

from __future__ import annotations

import numpy as np
import pytest

from judged import disturbed_judge
from kitwai.sim.frontier import dominates
from kitwai.sim.judging import Constant, Judge, Outcome


@pytest.fixture(scope="module")
def judge() -> Judge:
    return disturbed_judge()


def shifted(judge: Judge, of: Outcome, cost: float = 1.0, missed: int = 0) -> Outcome:
    """``of`` at another cost, with some of its hits turned into misses."""
    hit = np.flatnonzero(judge.feasible & (of.finish_s <= judge.episodes.limit_s))
    finish = of.finish_s.copy()
    finish[hit[:missed]] = 1e5
    return Outcome(finish, of.worker_seconds * cost, of.operations)


@pytest.mark.parametrize(
    ("cost", "missed", "others", "result", "beaten_by"),
    [
        (0.9, 0, (1.0, 0), True, ()),
        (1.0, 0, (1.0, 0), False, ("other",)),  # the same is not better
        (1.1, 0, (1.0, 0), False, ("other",)),
        (0.9, 1, (1.0, 0), False, ()),  # not beaten, but not as many hits as the best
        (1.1, 1, (1.0, 0), False, ("other",)),
        (1.1, 0, (1.0, 1), False, ()),  # more hits for more: not beaten, not cheaper
        (1.0, 0, (1.1, 1), True, ()),
    ],
)
def test_dominance(cost, missed, others, result, beaten_by, judge):
    best = judge.run(Constant(judge.best))
    agent = shifted(judge, best, cost, missed)
    found, verdict = dominates(agent, {"other": shifted(judge, best, *others)}, judge, seed=0)
    assert (found, verdict.beaten_by, verdict.rival) == (result, beaten_by, "other")
    assert verdict.hits == judge.feasible.sum() - missed


def test_dominance_asks_for_more_than_chance(judge):
    """Cheaper on average, but by a few episodes: the interval holds 0."""
    best = judge.run(Constant(judge.best))
    cost = best.worker_seconds * np.random.default_rng(0).choice([0.7, 1.29], len(best.finish_s))
    agent = Outcome(best.finish_s, cost, best.operations)
    found, verdict = dominates(agent, {"best": best}, judge, seed=0)
    assert verdict.saving_low < 0.0 < verdict.saving_high
    assert not found
    assert "does not dominate" in verdict.sentence()


def test_the_rival_is_the_cheapest_of_those_with_most_hits(judge):
    best = judge.run(Constant(judge.best))
    rivals = {
        "dear": shifted(judge, best, 1.5),
        "fair": shifted(judge, best, 1.2),
        "late": shifted(judge, best, 0.5, missed=10),
    }
    found, verdict = dominates(shifted(judge, best, 1.1), rivals, judge, seed=0)
    assert found
    assert verdict.rival == "fair"
    assert verdict.saving == pytest.approx(0.1, abs=1e-3)


def test_without_baselines_nothing_is_dominated(judge):
    found, verdict = dominates(judge.at_most, {}, judge, seed=0)
    assert not found
    assert verdict.rival is None
