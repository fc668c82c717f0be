"""Experience of one part of the grid, from the simulator."""

from __future__ import annotations

import numpy as np
import pytest

from kitwai.learning.collect import collect
from kitwai.learning.experience import Labelled
from kitwai.learning.partition import Plan
from kitwai.sim.synthetic import synthetic_profiles

DAY = 86_400.0
PLAN = Plan(0.0, DAY, "N=2,4,T=300s,600s", effort=0.03, parts=2)


@pytest.fixture(scope="module")
def made():
    return collect(synthetic_profiles(3, 5), PLAN, 0)


def same(one: Labelled, other: Labelled) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in Labelled.__slots__
    )


def test_experience_is_of_the_parts_constraints_and_has_both_kinds(made):
    held, played = made
    assert len(held) >= 50
    assert len(played) >= 10
    # The first feature is N / 10, the fourth log2(T / 300 s).
    pairs = {(round(10 * n), round(300 * 2**t)) for n, t in held.global_[:, [0, 3]]}
    assert pairs == set(PLAN.chunks[0])
    assert 0.0 < held.missed[held.mask].mean() < 1.0
    assert np.allclose(held.weight.sum(axis=1), 1.0)


def test_collecting_again_gives_the_same_and_another_seed_another(made):
    profiles = synthetic_profiles(3, 5)
    again = collect(profiles, PLAN, 0)
    assert same(again[0], made[0])
    assert same(again[1], made[1])
    other = collect(profiles, Plan(0.0, DAY, PLAN.grid, seed=1, effort=0.03, parts=2), 0)
    assert not same(other[0], made[0])


def test_a_grid_of_one_worker_offers_no_choice_and_gives_no_states():
    plan = Plan(0.0, DAY, "N=1,T=300s", effort=0.02, parts=1)
    held, played = collect(synthetic_profiles(2, 5), plan, 0)
    assert len(held) == len(played) == 0
