"""The simulator as Gymnasium environments: one application at a time, or B side by side.

An action is a target less one, 0..9. A target above N counts as N; ``info["mask"]`` is 1 for the
actions up to N. A step lasts ``SimulatorConfig.step_s``. Its reward is
``-(worker-seconds of the step) / (N * T)``. A run that took longer than T gets ``-penalty`` more
at its end. An episode is terminated when the application has ended. It is truncated when `TRUNCATE`
limits have passed, and then counts as missed.

Episodes are drawn with the environment's seed: an application of the library and a constraint of
the grid, each uniform, and the realisation of the regime (`kitwai.sim.episodes`). Environment i of
a vector with seed s has the same episodes as a single environment with seed s + i.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from kitwai.core.forecast.arrays import Bools, Floats, Ints, View
from kitwai.core.records.profile import ApplicationProfile
from kitwai.errors import InvalidInputError
from kitwai.sim.episodes import LIMIT_GRID_S, REGIMES, WORKER_GRID, knows_family, realisations
from kitwai.sim.library import NONE, Library
from kitwai.sim.simulator import Simulator, SimulatorConfig
from kitwai.sim.synthetic import synthetic_profiles

Encode = Callable[[View, Ints], Floats]
"""Makes observations [B, F] from the view of B applications and their positions [B] in the library,
`NONE` where nothing is announced. It may read of a profile what a `Controller` may read."""

ACTIONS = 10
"""Targets 1..10."""

PENALTY = 10.0
"""Default cost of a missed limit, in units of N workers for T seconds."""

TRUNCATE = 3.0
"""An episode is truncated after so many limits."""

RAW_FEATURES = (
    "workers / 10",
    "serving workers / 10",
    "N / 10",
    "T / 1 h",
    "time since the start / 3 T",
    "share of the slots in use",
    "slots a worker / 64",
    "log(1 + tasks left of the stages shown) / 15",
    "log(1 + tasks under way) / 15",
    "share of the tasks shown that have finished",
    "share of the stages shown that have ended",
    "log(1 + mean task time in ms) / 20, 0 before the first has finished",
    "log(1 + run time of finished tasks in s) / 20",
)
"""The names of the columns of `raw_features`, all within 0..1."""


def raw_features(view: View, profile: Ints) -> Floats:
    """[B, len(RAW_FEATURES)]: what Spark and the pool show, scaled, without any forecast.

    :param profile: ignored.
    """
    tasks, complete = view.tasks.sum(axis=1), view.complete.sum(axis=1)
    run_s, stages = view.run_s.sum(axis=1), (view.tasks > 0).sum(axis=1)
    columns = (
        view.workers / ACTIONS,
        view.serving / ACTIONS,
        view.max_workers / ACTIONS,
        view.limit_s / 3600.0,
        view.now / (TRUNCATE * view.limit_s),
        view.busy,
        view.cores / 64.0,
        np.log1p(np.maximum(tasks - complete, 0)) / 15.0,
        np.log1p(view.active.sum(axis=1)) / 15.0,
        complete / np.maximum(tasks, 1),
        view.ended.sum(axis=1) / np.maximum(stages, 1),
        np.log1p(1000.0 * run_s / np.maximum(complete, 1)) / 20.0,
        np.log1p(run_s) / 20.0,
    )
    return np.stack(columns, axis=1)


class _Runs:
    """Draws and steps B episodes side by side. Both environments use it."""

    def __init__(
        self,
        rows: int,
        profiles: Sequence[ApplicationProfile] | None,
        regime: str,
        workers: Sequence[int],
        limits_s: Sequence[float],
        penalty: float,
        encode: Encode,
        config: SimulatorConfig | None,
    ) -> None:
        if regime not in REGIMES:
            raise InvalidInputError(
                f"{regime!r} is no regime: it must be one of {', '.join(REGIMES)}."
            )
        if not workers or not all(1 <= count <= ACTIONS for count in workers):
            raise InvalidInputError(
                f"The worker counts of the constraints must lie in 1..{ACTIONS}, not be {workers}."
            )
        if not limits_s or not all(0 < limit < np.inf for limit in limits_s):
            raise InvalidInputError(f"The limits must be positive times, not {limits_s}.")
        library = Library(profiles or synthetic_profiles(200, seed=0), ACTIONS)
        self.simulator = Simulator(library, rows, config)
        self.simulator.reset(np.zeros(rows, dtype=np.int64), np.ones(rows, int), np.ones(rows))
        self._regime, self._workers, self._limits_s = regime, tuple(workers), tuple(limits_s)
        self._penalty, self._encode = penalty, encode
        features = self.observe().shape[1]
        self.action_space = Discrete(ACTIONS)
        self.observation_space = Box(0.0, 1.0, (features,), np.float32)

    def draw(self, row: int, rng: np.random.Generator) -> None:
        """Begin another episode in a row."""
        profile = rng.integers(len(self.simulator.library.profiles), size=1)
        workers = np.array([self._workers[rng.integers(len(self._workers))]])
        limit_s = np.array([self._limits_s[rng.integers(len(self._limits_s))]])
        chance = realisations(self._regime, limit_s, rng)
        rows = np.array([row])
        self.simulator.reset(profile, workers, limit_s, rows=rows, realisation=chance)

    def observe(self) -> NDArray[np.float32]:
        """[B, F] observations, cut to the observation space."""
        profile = self.simulator.profile
        announced = profile if knows_family(self._regime) else np.full_like(profile, NONE)
        features = self._encode(self.simulator.view(), announced)
        return np.clip(features, 0.0, 1.0).astype(np.float32)

    def mask(self) -> NDArray[np.int8]:
        """[B, ACTIONS] 1 where the target is at most N, in the type of `Discrete.sample`."""
        return (np.arange(ACTIONS) < self.simulator.max_workers[:, None]).astype(np.int8)

    def step(self, actions: Ints) -> tuple[Floats, Bools, Bools]:
        """[B] rewards, terminated, truncated."""
        simulator = self.simulator
        spent = simulator.step(np.asarray(actions, dtype=np.int64) + 1).worker_seconds
        limit_s, terminated = simulator.limit_s, simulator.done
        truncated = ~terminated & (simulator.now >= TRUNCATE * limit_s)
        missed = truncated | (terminated & (simulator.finish_s > limit_s))
        reward = -spent / (simulator.max_workers * limit_s) - self._penalty * missed
        return reward, terminated, truncated


class SparkScalingEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """A Gymnasium environment of one application at a time."""

    metadata = {"render_modes": []}  # noqa: RUF012 - Gymnasium's own way to state it

    def __init__(
        self,
        profiles: Sequence[ApplicationProfile] | None = None,
        *,
        regime: str = "recurring",
        workers: Sequence[int] = WORKER_GRID,
        limits_s: Sequence[float] = LIMIT_GRID_S,
        penalty: float = PENALTY,
        encode: Encode = raw_features,
        config: SimulatorConfig | None = None,
    ) -> None:
        """:param profiles: None: 200 synthetic profiles.
        :param encode: makes the observation; its numbers are cut to 0..1.
        :raises InvalidInputError: there is no such regime, or the grid is empty or out of range.
        """
        self._runs = _Runs(1, profiles, regime, workers, limits_s, penalty, encode, config)
        self.action_space = self._runs.action_space
        self.observation_space = self._runs.observation_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin another episode. There are no options."""
        super().reset(seed=seed)
        self._runs.draw(0, self.np_random)
        return self._runs.observe()[0], {"mask": self._runs.mask()[0]}

    def step(
        self, action: np.int64
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Ask for ``action + 1`` workers."""
        reward, terminated, truncated = self._runs.step(np.array([action]))
        info = {"mask": self._runs.mask()[0]}
        observation = self._runs.observe()[0]
        return observation, float(reward[0]), bool(terminated[0]), bool(truncated[0]), info


class SparkScalingVectorEnv(VectorEnv[NDArray[np.float32], Ints, NDArray[Any]]):
    """A Gymnasium vector environment of B applications in one simulator.

    The step after an episode's end begins the next episode. That step takes no action, and its
    reward is 0 (`AutoresetMode.NEXT_STEP`).
    """

    metadata = {  # noqa: RUF012 - Gymnasium's own way to state it
        "render_modes": [],
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int,
        profiles: Sequence[ApplicationProfile] | None = None,
        *,
        regime: str = "recurring",
        workers: Sequence[int] = WORKER_GRID,
        limits_s: Sequence[float] = LIMIT_GRID_S,
        penalty: float = PENALTY,
        encode: Encode = raw_features,
        config: SimulatorConfig | None = None,
    ) -> None:
        """As `SparkScalingEnv`.

        :param num_envs: B.
        :raises InvalidInputError: B is below 1, there is no such regime, or the grid is empty or
            out of range.
        """
        if num_envs < 1:
            raise InvalidInputError(f"There must be at least one environment, not {num_envs}.")
        self.num_envs = num_envs
        self._runs = _Runs(num_envs, profiles, regime, workers, limits_s, penalty, encode, config)
        self.single_action_space = self._runs.action_space
        self.single_observation_space = self._runs.observation_space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._streams: list[np.random.Generator] = []
        self._ended: Bools = np.zeros(num_envs, dtype=np.bool_)

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin B other episodes. There are no options.

        :param seed: environment i gets ``seed + i``, or the i-th seed of a list. None: the random
            streams go on; at the first reset they begin anywhere.
        """
        if isinstance(seed, int | np.integer):
            seeds: list[int | None] = [int(seed) + row for row in range(self.num_envs)]
        else:
            seeds = seed or [None] * self.num_envs
        if len(seeds) != self.num_envs:
            raise InvalidInputError(
                f"There are {self.num_envs} environments, but {len(seeds)} seeds for them."
            )
        before: list[np.random.Generator | None] = [*self._streams] or [None] * self.num_envs
        self._streams = [
            stream if row_seed is None and stream is not None else seeding.np_random(row_seed)[0]
            for row_seed, stream in zip(seeds, before, strict=True)
        ]
        for row, stream in enumerate(self._streams):
            self._runs.draw(row, stream)
        self._ended[:] = False
        return self._runs.observe(), self._info()

    def step(
        self, actions: Ints
    ) -> tuple[NDArray[np.float32], Floats, Bools, Bools, dict[str, Any]]:
        """Ask for ``actions + 1`` [B] workers."""
        reward, terminated, truncated = self._runs.step(actions)
        begun = self._ended
        for row in np.flatnonzero(begun):
            self._runs.draw(int(row), self._streams[row])
        reward = np.where(begun, 0, reward)
        terminated, truncated = terminated & ~begun, truncated & ~begun
        self._ended = terminated | truncated
        return self._runs.observe(), reward, terminated, truncated, self._info()

    def _info(self) -> dict[str, Any]:
        return {"mask": self._runs.mask(), "_mask": np.ones(self.num_envs, dtype=np.bool_)}
