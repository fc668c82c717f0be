from __future__ import annotations

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from kitwai.core.records.profile import ApplicationProfile, StageProfile
from kitwai.errors import InvalidInputError
from kitwai.sim.env import (
    ACTIONS,
    RAW_FEATURES,
    TRUNCATE,
    SparkScalingEnv,
    SparkScalingVectorEnv,
)
from kitwai.sim.episodes import REGIMES
from kitwai.sim.library import NONE
from kitwai.sim.simulator import SimulatorConfig
from kitwai.sim.synthetic import synthetic_profiles

PROFILES = synthetic_profiles(20, seed=4)


def profile(tasks: int, seconds: float) -> ApplicationProfile:
    stage = StageProfile(0, (), (seconds * 1000.0,) * tasks)
    return ApplicationProfile("app", "family", {}, 2, (stage,), "test")


def alone(one: ApplicationProfile, workers: int, limit_s: float, **options) -> SparkScalingEnv:
    env = SparkScalingEnv([one], workers=[workers], limits_s=[limit_s], **options)
    env.reset(seed=0)
    return env


def run(env: SparkScalingEnv, action: int) -> list[tuple[float, bool, bool]]:
    steps = []
    while not steps or not (steps[-1][1] or steps[-1][2]):
        _, reward, terminated, truncated, _ = env.step(np.int64(action))
        steps.append((reward, terminated, truncated))
    return steps


@pytest.mark.parametrize("regime", REGIMES)
def test_gymnasiums_own_checks_pass_without_a_warning(regime):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(SparkScalingEnv(PROFILES, regime=regime), skip_render_check=True)


def test_the_rewards_add_up_to_the_cost_as_a_share_of_n_times_t():
    # 4 slots from the start, 40 tasks of 10 s: 100 s on two workers.
    steps = run(alone(profile(40, 10.0), 2, 300.0), 1)
    assert sum(reward for reward, _, _ in steps) == pytest.approx(-2 * 100.0 / (2 * 300.0))
    assert steps[-1][1:] == (True, False)


def test_a_missed_limit_costs_the_penalty_at_the_end():
    steps = run(alone(profile(40, 10.0), 2, 60.0, penalty=7.0), 1)
    assert sum(reward for reward, _, _ in steps) == pytest.approx(-200.0 / 120.0 - 7.0)
    assert all(reward > -1.0 for reward, _, _ in steps[:-1])


def test_an_episode_is_truncated_after_three_limits_and_counts_as_missed():
    steps = run(alone(profile(400, 10.0), 2, 60.0, penalty=7.0), 1)
    assert len(steps) == TRUNCATE * 60.0 / 15.0
    assert steps[-1][1:] == (False, True)
    assert steps[-1][0] == pytest.approx(-2 * 15.0 / 120.0 - 7.0)


def test_a_target_above_n_is_n_and_the_mask_says_so():
    env = alone(profile(400, 10.0), 3, 300.0)
    observation, _, _, _, info = env.step(np.int64(9))
    assert info["mask"].tolist() == [1] * 3 + [0] * 7
    assert observation[RAW_FEATURES.index("workers / 10")] == pytest.approx(0.3)
    assert env.action_space.sample(mask=info["mask"]) < 3


def test_the_observation_is_what_encode_says_cut_to_the_space():
    def encode(view, positions):
        return np.stack([view.now / 30.0, positions], axis=1)

    env = SparkScalingEnv(PROFILES[:1], regime="new", workers=[2], limits_s=[300.0], encode=encode)
    assert env.observation_space.shape == (2,)
    observation, _ = env.reset(seed=1)
    # Nothing is announced of a new application: its position is NONE, cut to 0.
    assert NONE < 0
    assert observation.tolist() == [0.0, 0.0]
    assert env.step(np.int64(0))[0].tolist() == [0.5, 0.0]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"regime": "calm"}, "'calm'"),
        ({"workers": [0]}, r"\[0\]"),
        ({"workers": [11]}, r"\[11\]"),
        ({"limits_s": [0.0]}, "limits"),
    ],
)
def test_what_is_no_grid_and_no_regime_is_refused(options, named):
    with pytest.raises(InvalidInputError, match=named):
        SparkScalingEnv(PROFILES, **options)


def test_no_vector_is_empty():
    with pytest.raises(InvalidInputError, match="at least one"):
        SparkScalingVectorEnv(0, PROFILES)


def trajectory(env, seed: int, steps: int) -> list[np.ndarray]:
    """Everything that ``steps`` seeded actions make a vector return."""
    rng = np.random.default_rng(7)
    observation, info = env.reset(seed=seed)
    returned = [observation.copy(), np.array(info["mask"])]
    for _ in range(steps):
        *values, info = env.step(rng.integers(0, ACTIONS, size=env.num_envs))
        returned += [np.array(one) for one in (*values, info["mask"])]
    return returned


@pytest.mark.parametrize("regime", ["recurring", "disturbed"])
def test_a_vector_is_as_many_single_ones_side_by_side(regime):
    vector = SparkScalingVectorEnv(5, PROFILES, regime=regime)
    singles = SyncVectorEnv(
        [lambda: SparkScalingEnv(PROFILES, regime=regime)] * 5,
        autoreset_mode=AutoresetMode.NEXT_STEP,
    )
    assert vector.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert vector.single_observation_space == singles.single_observation_space
    assert vector.single_action_space == singles.single_action_space
    assert vector.observation_space == singles.observation_space
    assert vector.action_space == singles.action_space
    ours, theirs = trajectory(vector, 11, 200), trajectory(singles, 11, 200)
    ended = np.array(ours[4::5])
    assert ended.sum() > 5, "no episode ended: nothing was begun anew"
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.shape == other.shape
        np.testing.assert_array_equal(mine, other)


def test_the_same_seed_gives_the_same_trajectory_and_another_another():
    first, again, other = (
        trajectory(SparkScalingVectorEnv(3, PROFILES), seed, 20) for seed in (5, 5, 6)
    )
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not all((a == b).all() for a, b in zip(first, other, strict=True))


def test_what_a_vector_returns_lies_in_its_spaces_and_steps_take_batches():
    env = SparkScalingVectorEnv(4, PROFILES)
    observation, info = env.reset(seed=1)
    assert env.observation_space.contains(observation)
    assert info["mask"].shape == (4, ACTIONS)
    for _ in range(30):
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert env.observation_space.contains(observation)
        assert reward.shape == terminated.shape == truncated.shape == (4,)
    assert isinstance(env, gymnasium.vector.VectorEnv)


def test_the_step_after_an_end_begins_another_episode_and_is_worth_nothing():
    env = SparkScalingVectorEnv(1, [profile(4, 10.0)], workers=[2], limits_s=[300.0])
    begun, _ = env.reset(seed=0)
    _, reward, terminated, _, _ = env.step(np.array([1]))
    assert terminated[0]
    assert reward[0] == pytest.approx(-2 * 10.0 / 600.0)
    observation, reward, terminated, _, _ = env.step(np.array([1]))
    assert not terminated[0]
    assert reward[0] == 0.0
    np.testing.assert_array_equal(observation, begun)


def test_a_list_of_seeds_has_one_for_each():
    env = SparkScalingVectorEnv(2, PROFILES)
    one, _ = env.reset(seed=[3, 4])
    other, _ = env.reset(seed=3)
    np.testing.assert_array_equal(one, other)
    with pytest.raises(InvalidInputError, match="2 environments"):
        env.reset(seed=[1])


def test_the_simulators_constants_are_those_asked_for():
    slow = SimulatorConfig(step_s=30.0)
    env = alone(profile(400, 10.0), 2, 300.0, config=slow)
    observation = env.step(np.int64(1))[0]
    assert observation[RAW_FEATURES.index("time since the start / 3 T")] == pytest.approx(1 / 30)
