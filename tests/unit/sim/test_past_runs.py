"""`sim.past_runs`: records of profiles, and the priors of episodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kitwai.core.forecast.past_runs import KNOWN_WEIGHT
from kitwai.core.forecast.prior import unknown
from kitwai.sim.library import Library
from kitwai.sim.past_runs import history_of, prior_for, priors_of, records_of
from kitwai.sim.synthetic import synthetic_profiles

COUNTS = 10


WORKERS = np.arange(1.0, COUNTS + 1.0)


def test_records_hold_the_work_and_the_curve_of_a_profile():
    profiles = synthetic_profiles(12, seed=3)
    library = Library(profiles)
    for row, (profile, record) in enumerate(zip(profiles, records_of(library), strict=True)):
        cores = profile.cores_per_worker
        slots = (WORKERS * cores).astype(int)
        expected = profile.work_s * library.slowdown[row, slots]
        assert np.exp(record.level) == pytest.approx(expected)
        assert record.stage_work_s.sum() == pytest.approx(profile.work_s, abs=1e-4)
        assert record.stage_tasks.sum() == sum(len(one.task_ms) for one in profile.stages)
        assert (record.inputs, record.cores) == (profile.inputs, cores)


def test_a_profile_is_never_part_of_its_own_history():
    profiles = list(synthetic_profiles(30, seed=3))
    before = priors_of(Library(profiles))
    row = next(
        at
        for at, one in enumerate(profiles)
        if sum(other.family == one.family for other in profiles) > 2
    )
    longer = tuple(
        replace(one, task_ms=tuple(9.0 * time for time in one.task_ms))
        for one in profiles[row].stages
    )
    profiles[row] = replace(profiles[row], stages=longer)
    after = priors_of(Library(profiles))
    at = np.array([row])
    for name in before.__slots__:
        assert (getattr(before.take(at), name) == getattr(after.take(at), name)).all(), name
    relatives = [n for n, one in enumerate(profiles) if one.family == profiles[row].family]
    others = np.array([n for n in relatives if n != row])
    assert (before.level[others] != after.level[others]).any()


def test_runs_with_the_same_inputs_do_not_tell_of_each_other():
    profiles = list(synthetic_profiles(30, seed=3))
    twin = next(one for one in profiles if sum(o.family == one.family for o in profiles) == 1)
    prior = priors_of(Library([twin, replace(twin, app="again")]))
    assert not prior.informed.any()


def test_runs_on_workers_of_another_size_tell_an_episode_nothing_as_they_tell_a_decision():
    profile = synthetic_profiles(1, seed=3)[0]
    other = replace(profile, app="other", inputs={}, cores_per_worker=profile.cores_per_worker + 1)
    library = Library([profile])
    alike = history_of(Library([replace(profile, app="again", inputs={})]))
    assert priors_of(library, alike).informed.all()
    assert not priors_of(library, history_of(Library([other]))).informed.any()
    # Made with fewer counts than are asked about.
    few = history_of(Library([replace(profile, app="again", inputs={})], max_workers=4))
    assert not priors_of(library, few).informed.any()


def test_an_episode_of_the_new_regime_knows_nothing():
    library = Library(synthetic_profiles(10, seed=3))
    known = priors_of(library)
    warm_up_s = np.array([7.0, 7.0])  # of the cluster, which only past runs show
    mixed = prior_for(library, known, np.array([4, 4]), np.array([True, False]), warm_up_s)
    assert (mixed.level[0] == known.level[4]).all()
    assert (mixed.warm_up_s[0], mixed.warm_up_weight[0]) == (7.0, KNOWN_WEIGHT)
    nothing = unknown(1, COUNTS, known.tasks.shape[1])
    assert all(
        (getattr(mixed, name)[1] == getattr(nothing, name)[0]).all() for name in mixed.__slots__
    )
