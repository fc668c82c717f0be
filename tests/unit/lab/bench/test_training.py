from __future__ import annotations

import importlib.util
import json
from functools import partial

import numpy as np
import pytest

from kitwai.cli.main import main
from kitwai.learning.training_config import TrainingConfig
from kitwai.sim.env import SparkScalingEnv
from kitwai.sim.judging import Constant
from kitwai.sim.library import Library
from kitwai_lab.bench import simulation, training
from kitwai_lab.bench.original import train_original
from kitwai_lab.bench.simulation import any_network, measure_simulation
from kitwai_lab.bench.training import (
    ORIGINAL,
    OURS,
    SB3,
    Greedy,
    Task,
    compare,
    measure_training,
    targets_of_a_label,
)

TINY = TrainingConfig(envs=16, states=8, pool=40, hidden=8, updates=2, batch_size=16, walk=1)


def test_simulation_is_measured(monkeypatch):
    monkeypatch.setattr(simulation, "_PROFILES", 12)
    figures = measure_simulation(episodes=64, passes=2, decisions=10, batch=100, batches=3, seed=1)
    assert figures["steps_per_s"] > 100
    assert figures["steps_per_s_of_one_thread"] > 100
    assert set(figures["policies"]) == {"forecast", "network"}
    for times in figures["policies"].values():
        for key in ("decision_ms", "batch_ms"):
            assert 0 < times[key]["median"] <= times[key]["p95"]
        # A hundred at once cost far less than a hundred one by one.
        assert times["batch_ms"]["median"] < 50 * times["decision_ms"]["median"]


def test_the_network_that_is_timed_changes_the_decision_values():
    network = any_network(0)
    mask = np.ones((2, 10), dtype=bool)
    rng = np.random.default_rng(0)
    outputs = network.correct(rng.normal(size=(2, 17)), rng.normal(size=(2, 10, 9)), mask)
    assert outputs.shape == (2, 10, 2)
    assert np.ptp(outputs) > 0


@pytest.fixture(scope="module")
def figures():
    return measure_training(1.0, profiles=10, held_out=4, config=TINY)


@pytest.mark.slow
def test_all_trainers_are_judged_on_the_same_episodes(figures):
    rows = [row for row in figures["trainers"].values() if row is not None]
    rows += figures["yardsticks"].values()
    assert len({(row["episodes"], row["feasible"]) for row in rows}) == 1
    for row in rows:
        assert 0 <= row["hit_rate"] <= 1
        # A missed limit costs 10, N workers for all of T cost 1.
        assert row["return"] <= -9 * (1 - row["hit_rate"])
    assert figures["yardsticks"]["always-N"]["hit_rate"] == 1.0


@pytest.mark.slow
def test_ratios_are_of_the_same_run(figures):
    rows = figures["trainers"]
    assert set(rows) == {OURS, SB3, ORIGINAL}
    for row in rows.values():
        if row is not None:
            rate = row["learnt_transitions"] / row["seconds"]
            assert row["learnt_transitions_per_s"] == pytest.approx(rate)
            assert row["seconds"] >= 1.0 or row is rows[OURS]
    ours, original = rows[OURS], rows[ORIGINAL]
    drawn = ours["updates"] * TINY.batch_size
    assert 2 * drawn <= ours["learnt_transitions"] <= 10 * drawn
    assert figures["ratios"][ORIGINAL] == pytest.approx(
        ours["learnt_transitions_per_s"] / original["learnt_transitions_per_s"]
    )
    assert figures["better"][ORIGINAL] == (ours["return"] > original["return"])


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("stable_baselines3") is not None, reason="it is installed"
)
def test_what_is_not_installed_has_no_figures(figures):
    assert figures["trainers"][SB3] is None
    assert figures["ratios"][SB3] is None
    assert figures["better"][SB3] is None


@pytest.mark.slow
def test_stable_baselines3_learns_for_the_time_given():
    pytest.importorskip("stable_baselines3")
    row = training._apart(training._sb3_row, 10, 4, 3.0, 0)
    assert 2.0 < row["seconds"] < 6.0
    # Defaults: one gradient step of 32 transitions every 4 steps, after the first 100.
    steps = row["simulated_steps_per_s"] * row["seconds"]
    assert row["learnt_transitions"] == pytest.approx(32 * (steps - 100) / 4, abs=64)


def test_comparison():
    def row(rate, value):
        return {"learnt_transitions_per_s": rate, "return": value}

    compared = compare({OURS: row(100.0, -0.2), SB3: row(5.0, -0.1), ORIGINAL: None})
    assert compared["ratios"] == {SB3: 20.0, ORIGINAL: None}
    assert compared["better"] == {SB3: False, ORIGINAL: None}


def test_the_return_is_the_environments():
    """A constant target gives the same in the environment, step by step, as by the outcome."""
    task = Task.make(4, 4, seed=3)
    always_3 = Constant(3)
    quality = training._quality(task.judge, task.judge.run(always_3))
    episodes, feasible = task.judge.episodes, task.judge.feasible
    profiles = task.judge.library.profiles
    values = []
    for at in np.flatnonzero(feasible):
        env = SparkScalingEnv(
            [profiles[episodes.profile[at]]],
            workers=(int(episodes.max_workers[at]),),
            limits_s=(float(episodes.limit_s[at]),),
        )
        env.reset(seed=0)
        total, ended = 0.0, False
        while not ended:
            _, reward, terminated, truncated, _ = env.step(np.int64(2))
            total, ended = total + reward, terminated or truncated
        assert not truncated, "the judge would go on where the environment stops"
        values.append(total)
    assert quality["return"] == pytest.approx(np.mean(values))


def test_greedy_actions_are_targets_less_one():
    task = Task.make(4, 4, seed=3)
    judge = task.judge
    greedy = judge.run(Greedy(lambda seen: np.full(len(seen), 2)))
    constant = judge.run(Constant(3))
    assert (greedy.worker_seconds == constant.worker_seconds).all()


def test_targets_of_a_label_lie_between_two_and_ten():
    library = Library(Task.make(10, 4, seed=0).training)
    assert 2.0 <= targets_of_a_label(library, TINY) <= 10.0


@pytest.mark.slow
def test_the_original_learns_one_sample_at_a_time():
    env = SparkScalingEnv(Task.make(4, 4, seed=0).training)
    learnt = train_original(env, 1.0)
    assert learnt.transitions >= 1
    assert int(learnt.model.optimizer.iterations) == learnt.transitions + 1
    assert learnt.best(np.zeros((3, 13), dtype=np.float32)).shape == (3,)


def test_tables_and_files(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(simulation, "_PROFILES", 12)
    quick = partial(measure_simulation, passes=1, decisions=10, batches=2)
    monkeypatch.setattr(simulation, "measure_simulation", quick)
    out = tmp_path / "sim.json"
    assert main(["bench", "sim", "--episodes", "64", "--json", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "≥ 100,000" in shown
    assert "network: ms for 1,000 at once" in shown
    assert json.loads(out.read_text())["episodes"] == 64

    def row(rate, value):
        return {
            "seconds": 60.0,
            "learnt_transitions_per_s": rate,
            "simulated_steps_per_s": 7.0,
            **{"hit_rate": 0.9, "static_ratio": 1.25, "return": value},
        }

    rows = {OURS: row(50_000.0, -0.2), SB3: None, ORIGINAL: row(20.0, -0.5)}
    made = {
        "trainers": rows,
        "yardsticks": {"always-N": row(1.0, -0.3)},
        **compare(rows),
        "wanted": training.WANTED,
    }
    monkeypatch.setattr("kitwai_lab.bench.training.measure_training", lambda *_, **__: made)
    out = tmp_path / "train.json"
    assert main(["bench", "train", "--json", str(out)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "stable-baselines3 is not installed" in shown
    assert "2,500.0 x" in shown
    assert json.loads(out.read_text())["ratios"] == {SB3: None, ORIGINAL: 2500.0}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["train", "--seconds", "0"], "--seconds must be a positive time"),
        (["train", "--seconds", "nan"], "--seconds must be a positive time"),
        (["train", "--seed", "-1"], "--seed must not be negative"),
        (["sim", "--episodes", "0"], "--episodes must be at least 1"),
    ],
)
def test_bad_options_are_one_line(capsys, options, words):
    assert main(["bench", *options]) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
