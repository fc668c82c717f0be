"""This trainer against Stable-Baselines3's DQN and the original's rule, each for the same seconds.

A learnt transition is one label in a gradient update. Here that is a pair of a state and a target
whose outcome is known (a state drawn into an update gives one for each target allowed); for the
others it is one step of one episode, with the value of the next state in place of the outcome.
All learn from the same applications and are judged greedily on others.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np

from kitwai.core.forecast.arrays import Ints, View
from kitwai.core.policy.policy import ForecastPolicy
from kitwai.core.records.profile import ApplicationProfile
from kitwai.learning.experience import Collector, Pool
from kitwai.learning.experience_sources import SimulatorSource
from kitwai.learning.train import train
from kitwai.learning.training_config import TrainingConfig
from kitwai.sim.env import PENALTY, SparkScalingEnv, raw_features
from kitwai.sim.episodes import Episodes, grid_episodes
from kitwai.sim.judging import Controller, Judge, Outcome
from kitwai.sim.library import NONE, Library
from kitwai.sim.policy_controller import PolicyController
from kitwai.sim.simulator import SimulatorConfig
from kitwai.sim.synthetic import HELD_OUT_SEED, synthetic_profiles
from kitwai_lab.bench.original import train_original

OURS, SB3, ORIGINAL = "kitwai", "stable-baselines3", "original"
WANTED = {SB3: 20.0, ORIGINAL: 500.0}
"""How many times their learnt transitions a second this trainer shall reach."""

REGIME = "recurring"
_WORKERS, _LIMITS_S = (2, 4, 7, 10), (300.0, 420.0, 600.0)
_PROBE_S = 2.0

Progress = Callable[[str], None]
Profiles = tuple[ApplicationProfile, ...]
Made = tuple[dict[str, Any], Controller]


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """Applications to learn from, and episodes of others to judge on."""

    training: Profiles
    judge: Judge

    @classmethod
    def make(cls, profiles: int, held_out: int, seed: int) -> Task:
        """Synthetic ones, so many of each."""
        library = Library(synthetic_profiles(held_out, seed + HELD_OUT_SEED))
        episodes = grid_episodes(library, REGIME, seed=seed, workers=_WORKERS, limits_s=_LIMITS_S)
        return cls(synthetic_profiles(profiles, seed), Judge(library, episodes))


class Greedy:
    """A learner of `SparkScalingEnv` as controller: it sees what the environment shows."""

    def __init__(self, best: Callable[[np.ndarray], np.ndarray]) -> None:
        """:param best: observations [B, F] -> actions [B]."""
        self._best = best

    def begin(self, library: Library, episodes: Episodes, config: SimulatorConfig) -> None:
        """Nothing to know."""

    def targets(self, view: View) -> Ints:
        """[B] the target of the best action."""
        features = raw_features(view, np.full(len(view.now), NONE))
        observations = np.clip(features, 0.0, 1.0).astype(np.float32)
        return np.asarray(self._best(observations), dtype=np.int64) + 1


def measure_training(
    seconds: float,
    *,
    seed: int = 0,
    profiles: int = 200,
    held_out: int = 60,
    config: TrainingConfig | None = None,
    progress: Progress = lambda name: None,
) -> dict[str, Any]:
    """Train with each for ``seconds``, and judge.

    :param profiles: synthetic applications to learn from; ``held_out``: to judge on.
    :param progress: called with the name of what begins.
    :returns: rows by trainer under ``trainers`` (None where it is not installed), of policies that
        learn nothing under ``yardsticks``, and by other trainer ``ratios`` of learnt transitions a
        second and whether ours is ``better``: with a higher return.
    """
    config = config or TrainingConfig(seed=seed)
    task = Task.make(profiles, held_out, seed)
    rows: dict[str, dict[str, Any] | None] = {}
    progress(OURS)
    rows[OURS] = _row(task, *_ours(task.training, seconds, config))
    progress(SB3)
    installed = importlib.util.find_spec("stable_baselines3") is not None
    rows[SB3] = _apart(_sb3_row, profiles, held_out, seconds, seed) if installed else None
    progress(ORIGINAL)
    rows[ORIGINAL] = _apart(_original_row, profiles, held_out, seconds, seed)
    judge = task.judge
    progress("yardsticks")
    forecast = judge.run(PolicyController(ForecastPolicy()))
    return {
        "seconds": seconds,
        "seed": seed,
        "regime": REGIME,
        "trainers": rows,
        "yardsticks": {
            "forecast": _quality(judge, forecast),
            "always-N": _quality(judge, judge.at_most),
        },
        **compare(rows),
        "wanted": WANTED,
    }


def compare(rows: dict[str, dict[str, Any] | None]) -> dict[str, dict[str, Any]]:
    """``ratios`` and ``better`` of ours to each other trainer; None where that one did not run."""
    ours = rows[OURS]
    ratios: dict[str, float | None] = {}
    better: dict[str, bool | None] = {}
    for name in (SB3, ORIGINAL):
        row, key = rows[name], "learnt_transitions_per_s"
        if ours is None or row is None or not row[key]:
            ratios[name] = better[name] = None
            continue
        ratios[name] = ours[key] / row[key]
        better[name] = bool(ours["return"] > row["return"])
    return {"ratios": ratios, "better": better}


def _quality(judge: Judge, outcome: Outcome) -> dict[str, Any]:
    """The row of `kitwai.sim.judging`, and ``return``: the environment's own, what the others learn
    to raise, as mean over feasible episodes.
    """
    episodes, feasible = judge.episodes, judge.feasible
    missed = outcome.finish_s > episodes.limit_s
    cost = outcome.worker_seconds / (episodes.max_workers * episodes.limit_s)
    value = -(cost + PENALTY * missed)[feasible]
    mean = float(value.mean()) if value.size else None
    return {**dataclasses.asdict(judge.judge(outcome)), "return": mean}


def _row(task: Task, figures: dict[str, Any], controller: Controller) -> dict[str, Any]:
    """A trainer's row: its figures, and how good its policy is."""
    rate = figures["learnt_transitions"] / figures["seconds"]
    judged = _quality(task.judge, task.judge.run(controller))
    return {**figures, "learnt_transitions_per_s": rate, **judged}


def _ours(training: Profiles, seconds: float, config: TrainingConfig) -> Made:
    library = Library(training)
    trained = train(SimulatorSource(library, config), config, budget_s=seconds)
    targets = targets_of_a_label(library, config)
    return {
        "seconds": trained.seconds,
        "updates": trained.updates,
        "learnt_transitions": trained.updates * config.batch_size * targets,
        "targets_of_a_state": targets,
        "simulated_steps_per_s": trained.steps / trained.seconds,
    }, PolicyController(trained.policy())


def targets_of_a_label(library: Library, config: TrainingConfig) -> float:
    """Mean number of targets allowed, over states as the trainer labels them."""
    rng = np.random.default_rng(config.seed)
    pool = Pool.draw(library, config.pool, rng)
    collector = Collector(library, pool, config.envs, rng, SimulatorConfig())
    counts = []
    for _ in range(10):
        collector.walk(ForecastPolicy(), config.epsilon)
        counts.append(collector.label(config.envs).mask.sum(axis=1))
    return float(np.concatenate(counts).mean())


def _apart(
    row: Callable[[int, int, float, int], dict[str, Any]],
    profiles: int,
    held_out: int,
    seconds: float,
    seed: int,
) -> dict[str, Any]:
    """A row from a process of its own: torch crashes beside TensorFlow, and what this trainer sets
    in TensorFlow (that it shall be deterministic) would slow the original down.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        return apart.submit(_on_one_thread, row, profiles, held_out, seconds, seed).result()


def _on_one_thread(
    row: Callable[[int, int, float, int], dict[str, Any]],
    profiles: int,
    held_out: int,
    seconds: float,
    seed: int,
) -> dict[str, Any]:
    """One application at a time has nothing for a second thread, which costs most of the speed
    where the machine has other work to do.
    """
    import numba

    numba.set_num_threads(1)
    return row(profiles, held_out, seconds, seed)


def _sb3_row(profiles: int, held_out: int, seconds: float, seed: int) -> dict[str, Any]:
    # Its logger would load TensorFlow; with None in its place it does without.
    sys.modules["tensorflow"] = None  # type: ignore[assignment]
    task = Task.make(profiles, held_out, seed)
    return _row(task, *_sb3(task.training, seconds, seed))


def _sb3(training: Profiles, seconds: float, seed: int) -> Made:
    """Its DQN with its defaults. How far exploration falls depends on the number of steps, which it
    must know in advance: a short run tells how many the time is enough for.
    """
    import torch
    from stable_baselines3 import DQN
    from stable_baselines3.common.callbacks import BaseCallback

    # Its network is so small that a second thread makes it slower.
    torch.set_num_threads(1)

    class Deadline(BaseCallback):  # type: ignore[misc, unused-ignore]
        """Ends the learning in time."""

        def __init__(self, until: float) -> None:
            super().__init__()
            self._until = until

        def _on_step(self) -> bool:
            return time.monotonic() < self._until

    def learn(budget_s: float, steps: int) -> tuple[DQN, float]:
        model = DQN("MlpPolicy", SparkScalingEnv(training, regime=REGIME), seed=seed, device="cpu")
        began = time.monotonic()
        model.learn(total_timesteps=steps, callback=Deadline(began + budget_s))
        return model, time.monotonic() - began

    probe, took = learn(min(_PROBE_S, seconds), 10**9)
    model, took = learn(seconds, max(1, int(probe.num_timesteps / took * seconds)))

    def best(observations: np.ndarray) -> np.ndarray:
        return np.asarray(model.predict(observations, deterministic=True)[0])

    # Its own count of gradient steps, which it logs as train/n_updates.
    updates = int(model._n_updates)
    return {
        "seconds": took,
        "updates": updates,
        "learnt_transitions": updates * model.batch_size,
        "simulated_steps_per_s": model.num_timesteps / took,
    }, Greedy(best)


def _original_row(profiles: int, held_out: int, seconds: float, seed: int) -> dict[str, Any]:
    task = Task.make(profiles, held_out, seed)
    return _row(task, *_original(task.training, seconds, seed))


def _original(training: Profiles, seconds: float, seed: int) -> Made:
    learnt = train_original(SparkScalingEnv(training, regime=REGIME), seconds, seed)
    return {
        "seconds": learnt.seconds,
        "updates": learnt.transitions,
        "learnt_transitions": learnt.transitions,
        "simulated_steps_per_s": learnt.transitions / learnt.seconds,
    }, Greedy(learnt.best)
