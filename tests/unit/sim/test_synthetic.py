"""`sim.synthetic`: the generated applications, and what is believed of them beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from kitwai.core.forecast.prior import CURVE, CURVE_FACTORS, CURVE_REST, unknown
from kitwai.core.records.profile import ApplicationProfile
from kitwai.sim.library import Library
from kitwai.sim.synthetic import synthetic_profiles


@pytest.fixture(scope="module")
def profiles():
    return synthetic_profiles(1200, seed=7)


def test_the_same_seed_gives_the_same_profiles():
    assert synthetic_profiles(40, seed=3) == synthetic_profiles(40, seed=3)
    assert synthetic_profiles(40, seed=3) != synthetic_profiles(40, seed=4)


@pytest.mark.parametrize("count", [1, 7, 39])
def test_a_longer_list_begins_like_a_shorter_one(count):
    assert synthetic_profiles(60, seed=3)[:count] == synthetic_profiles(count, seed=3)


def test_families_of_two_seeds_have_different_names():
    names = [{one.family for one in synthetic_profiles(60, seed=seed)} for seed in (1, 2)]
    assert not names[0] & names[1]


def test_members_of_a_family_differ_by_their_inputs_and_share_their_stages(profiles):
    families: dict[str, list[ApplicationProfile]] = {}
    for one in profiles:
        families.setdefault(one.family, []).append(one)
    sizes = [len(members) for members in families.values()]
    assert {1, 3, 12} <= set(sizes[:-1]) <= {1, *range(3, 13)}
    for members in families.values():
        assert len({(len(one.stages), one.cores_per_worker) for one in members}) == 1
        assert len({tuple(sorted(one.inputs)) for one in members}) == 1
    assert sum("level" in members[0].inputs for members in families.values()) == pytest.approx(
        0.5 * len(families), rel=0.25
    )


def test_the_breadth_that_is_promised(profiles):
    work = np.array([one.work_s for one in profiles])
    assert work.min() < 50.0
    assert work.max() > 20_000.0
    stages = [len(one.stages) for one in profiles]
    assert (min(stages), max(stages)) == (1, 18)
    assert {1, 2, 4} == {one.cores_per_worker for one in profiles}
    steep = [one for one in profiles if one.slowdown[2] > 2 * one.slowdown[12]]
    assert 0.1 < len(steep) / len(profiles) < 0.5  # a memory cliff
    flat = [one for one in profiles if one.slowdown[40] > 2 * one.slowdown[10]]
    assert 0.1 < len(flat) / len(profiles) < 0.6  # contention
    gaps = [any(stage.gap_ms for stage in one.stages) for one in profiles]
    assert 0.3 < np.mean(gaps) < 0.7
    tasks = [len(stage.task_ms) for one in profiles for stage in one.stages]
    assert min(tasks) == 1
    assert 200 <= max(tasks) <= 4000
    for one in profiles:
        assert all(time < 7 * 60_000.0 for stage in one.stages for time in stage.task_ms[1:])


def test_what_is_believed_where_nothing_is_known_is_what_is_generated(profiles):
    """Mean and covariance of the curve, less its mean over the counts."""
    library = Library(profiles)
    slots = np.arange(1, 11) * library.cores[:, None]
    curve = np.log(np.take_along_axis(library.slowdown, slots, 1))
    curve -= curve.mean(axis=1, keepdims=True)
    assert curve.mean(axis=0) == pytest.approx(CURVE - CURVE.mean(), abs=0.06)
    centred = np.eye(10) - 0.1
    believed = CURVE_FACTORS.T @ CURVE_FACTORS + CURVE_REST**2 * np.eye(10)
    believed = centred @ believed @ centred
    measured = np.cov(curve.T, bias=True)
    assert np.sqrt(np.diagonal(measured)) == pytest.approx(np.sqrt(np.diagonal(believed)), abs=0.06)
    assert np.linalg.norm(measured - believed) < 0.3 * np.linalg.norm(measured)
    assert np.linalg.eigvalsh(unknown(1, 10, 1).cov[0]).min() > 0.0


def test_beyond_ten_workers_the_belief_stays_as_it_is_at_ten():
    wide = unknown(1, 14, 1)
    assert (wide.level[0, 10:] == wide.level[0, 9]).all()
    assert wide.cov[0, 13, 13] == wide.cov[0, 9, 9]
    assert (unknown(1, 10, 1).cov[0] == wide.cov[0, :10, :10]).all()


def test_synthetic_profiles_repeat_and_differ():
    first, again, other = (synthetic_profiles(20, seed) for seed in (3, 3, 4))
    assert first == again
    assert synthetic_profiles(5, 3) == first[:5]
    assert all(one.stages != two.stages for one, two in zip(first, other, strict=True))
    assert len({len(profile.jobs) for profile in first}) > 1
