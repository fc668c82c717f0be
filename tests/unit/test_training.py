from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from kitwai.cli.main import main
from kitwai.core.policy import predicted_return
from kitwai.core.state import FEATURE_NAMES, TARGETS, encode
from kitwai.learning.experience import Collector
from kitwai.learning.export import weights_bytes
from kitwai.learning.network import build_network, layers_of
from kitwai.learning.replay import ReplayBuffer, Transitions
from kitwai.learning.train import DQNConfig, Trained, compile_update, train
from kitwai.sim.episodes import draw_episodes
from kitwai.sim.library import Library
from kitwai.sim.simulator import Simulator
from kitwai.sim.synthetic import synthetic_profiles
from kitwai.store.registry import load_policy, read_manifest, verify, versions

FEATURES = len(FEATURE_NAMES)
SHORT = DQNConfig(
    steps=3_000,
    envs=16,
    hidden=(16, 16),
    buffer_size=2_000,
    learning_starts=500,
    batch_size=64,
    updates_per_step=1,
)


@pytest.fixture(scope="module")
def library():
    return Library(synthetic_profiles(30, seed=0))


def test_the_same_seed_gives_the_same_weights_bit_for_bit(library):
    first, again, other = (
        hashlib.sha256(weights_bytes(train(library, config))).hexdigest()
        for config in (SHORT, SHORT, dataclasses.replace(SHORT, seed=1))
    )
    assert first == again
    assert first != other


def test_keras_and_numpy_agree_on_10000_random_states():
    rng = np.random.default_rng(0)
    mean, scale = rng.normal(size=FEATURES), rng.uniform(0.1, 3.0, size=FEATURES)
    model = build_network((64, 64), mean, scale)
    model.set_weights([rng.normal(0.0, 0.2, weight.shape) for weight in model.get_weights()])
    policy = Trained(model, mean, scale, steps=0, updates=0, seconds=0.0).policy()
    states = rng.uniform(-2.0, 4.0, size=(10_000, FEATURES))
    keras_q = np.asarray(model(states.astype(np.float32)))
    assert np.abs(keras_q).max() > 1.0
    # In units of the outputs' spread: float32 itself is good for 1e-7 of the largest sum.
    assert np.abs(keras_q - policy.correct(states)).max() < 1e-5 * np.abs(keras_q).max()


def test_an_untrained_network_adds_nothing_to_the_prediction(library):
    made = Simulator(library, 20)
    episodes = draw_episodes(library, 20, np.random.default_rng(0))
    made.reset(episodes.profile, episodes.max_workers, episodes.limit_s)
    for _ in range(4):
        made.step(episodes.max_workers)
    state, _ = made.state()
    model = build_network((8,), np.zeros(FEATURES), np.ones(FEATURES))
    policy = Trained(model, np.zeros(FEATURES), np.ones(FEATURES), 0, 0, 0.0).policy()
    assert (policy.q_values(state) == predicted_return(state)).all()


def transitions(count, **changes) -> Transitions:
    fields = Transitions(
        state=np.zeros((count, FEATURES), dtype=np.float32),
        action=np.zeros(count, dtype=np.int32),
        reward=np.zeros(count, dtype=np.float32),
        prior=np.zeros((count, TARGETS), dtype=np.float32),
        next_state=np.zeros((count, FEATURES), dtype=np.float32),
        next_prior=np.zeros((count, TARGETS), dtype=np.float32),
        done=np.zeros(count, dtype=np.float32),
        mask=np.ones((count, TARGETS), dtype=np.bool_),
    )
    return fields._replace(**changes)


def huber(error: float) -> float:
    return 0.5 * error**2 if abs(error) <= 1 else abs(error) - 0.5


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # Both networks are zero at first: what is learnt is reward + best allowed prior.
        ({}, 0.0),
        ({"reward": -0.5}, -0.5),
        ({"reward": -0.5, "next_prior": {3: 0.4}}, -0.1),
        ({"reward": -0.5, "next_prior": {3: 0.4}, "forbid": 3}, -0.5),
        ({"reward": -0.5, "next_prior": {3: 0.4}, "done": 1.0}, -0.5),
        ({"reward": -0.5, "prior": {0: -0.3}}, -0.2),
    ],
)
def test_one_update_learns_the_double_dqn_target(changes, expected):
    batch = transitions(1)
    batch.reward[:] = changes.get("reward", 0.0)
    batch.done[:] = changes.get("done", 0.0)
    for name in ("prior", "next_prior"):
        for target, value in changes.get(name, {}).items():
            getattr(batch, name)[0, target] = value
    if "forbid" in changes:
        batch.mask[0, changes["forbid"]] = False
    online, target = (build_network((4,), np.zeros(FEATURES), np.ones(FEATURES)) for _ in range(2))
    update = compile_update(online, target, SHORT, updates=10)
    assert float(update(*batch)) == pytest.approx(huber(expected), abs=1e-6)
    moved = layers_of(online)[-1][1]
    assert (moved[0] != 0.0) == (expected != 0.0)
    assert (moved[1:] == 0.0).all()


def test_collected_transitions_carry_cost_and_ends(library):
    collector = Collector(library, 16, np.random.default_rng(0))
    collected = [collector.step(lambda state: state.max_workers.astype(int)) for _ in range(60)]
    whole = Transitions(*(np.concatenate(parts) for parts in zip(*collected, strict=True)))
    assert len(whole.reward) > 100
    assert (whole.reward < 0).all()
    assert 0 < whole.done.sum() < len(whole.done)
    assert whole.mask[np.arange(len(whole.action)), whole.action].all()
    assert np.isfinite(whole.state).all()
    assert np.isfinite(whole.prior).all()


def test_the_replay_buffer_keeps_the_newest():
    buffer = ReplayBuffer(capacity=5, features=FEATURES)
    for first in range(0, 8, 2):
        buffer.add(transitions(2, reward=np.array([first, first + 1], dtype=np.float32)))
    assert buffer.size == 5
    sample = buffer.sample(500, np.random.default_rng(0))
    assert set(sample.reward.tolist()) == {3.0, 4.0, 5.0, 6.0, 7.0}


def test_a_budget_cuts_the_training(library):
    cut = train(library, dataclasses.replace(SHORT, steps=10**9), budget_s=1.0)
    assert cut.steps < 10**9
    assert np.isfinite(cut.policy().correct(np.zeros((1, FEATURES)))).all()


def test_the_command_trains_judges_and_saves_a_version_that_loads(
    tmp_path, capsys, monkeypatch, library
):
    monkeypatch.setattr("kitwai.cli.train._TRAIN_PROFILES", 20)
    monkeypatch.setattr("kitwai.cli.train._JUDGE_PROFILES", 20)
    monkeypatch.setattr("kitwai.cli.train._JUDGE_EPISODES", 50)
    out = tmp_path / "models"
    assert main(["train", "--out", str(out), "--steps", "25000", "--seed", "3"]) == 0
    version = capsys.readouterr().out.strip()
    assert versions(out) == [version]
    made = read_manifest(out, version)
    assert made["seed"] == 3
    assert made["command"] == f"kitwai train --out {out} --seed 3 --steps 25000"
    assert made["metrics"]["best static"]["static_ratio"] == 1.0
    assert main(["models", "promote", version, "--models", str(out)]) == 0
    assert load_policy(out).version == version
    verify(out, version)

    import keras

    model = keras.models.load_model(out / version / "model.keras")
    states = np.random.default_rng(0).uniform(-2.0, 4.0, size=(10_000, FEATURES))
    gap = np.asarray(model(states.astype(np.float32))) - load_policy(out).correct(states)
    assert np.abs(gap).max() < 1e-5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--steps", "0"], "--steps must be at least 1"),
        (["--seed", "-1"], "--seed must not be negative"),
        (["--budget", "0"], "--budget must be a positive time"),
        (["--profiles", "/nowhere"], "/nowhere does not exist"),
    ],
)
def test_bad_options_are_one_line(tmp_path, capsys, options, words):
    assert main(["train", "--out", str(tmp_path), *options]) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_profiles_of_one_family_leave_nothing_to_judge_on(tmp_path, capsys):
    data = {
        "app": "a",
        "family": "only",
        "inputs": {},
        "cores_per_worker": 2,
        "stages": [{"id": 0, "parents": [], "task_ms": [5], "gap_ms": 0}],
        "source": "test",
    }
    (tmp_path / "a.json").write_text(json.dumps(data))
    assert main(["train", "--profiles", str(tmp_path), "--out", str(tmp_path)]) == 1
    assert "at least two are needed" in capsys.readouterr().err


def test_features_are_of_one_size(library):
    made = Simulator(library, 1)
    made.reset(np.array([0]), np.array([10]), np.array([300.0]))
    state, _ = made.state()
    assert encode(state).shape == (1, FEATURES)
