"""Where a training takes its experience from: a live simulator, or shards that are recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from kitwai.core.policy.policy import ForecastPolicy, Policy
from kitwai.learning.experience import Collector, Labelled, Pool
from kitwai.learning.shards import Shard
from kitwai.learning.training_config import TrainingConfig
from kitwai.sim.library import Library
from kitwai.sim.simulator import SimulatorConfig


class ExperienceSource(Protocol):
    """Gives the training loop the states of each round."""

    @property
    def steps(self) -> int:
        """Decision steps simulated since `begin`; of recorded experience, its states."""
        ...

    def begin(self, rng: np.random.Generator) -> None:
        """A training begins or is resumed. ``rng`` is the training's own."""
        ...

    def states(self, number: int, trained: Callable[[], Policy]) -> Labelled:
        """The states that round ``number``, counted from 0, learns from; there may be none.

        :param trained: gives the network trained so far as a policy.
        """
        ...


class SimulatorSource:
    """Simulates episodes of a library's applications between the updates.

    Held rounds collect states whose targets are held to the end. In played rounds a policy goes on
    after some steps: the network trained so far, renewed every ``improve`` rounds. With each new
    policy the older states are dropped.
    """

    _collector: Collector
    _policy: Policy
    _memory: list[Labelled]

    def __init__(self, library: Library, config: TrainingConfig) -> None:
        self._library, self._config = library, config

    @property
    def steps(self) -> int:
        """Decision steps simulated since `begin`, forks included."""
        return self._collector.steps

    def begin(self, rng: np.random.Generator) -> None:
        """Draw the episodes."""
        library, config = self._library, self._config
        pool = Pool.draw(library, config.pool, rng)
        self._collector = Collector(library, pool, config.envs, rng, SimulatorConfig())
        self._policy, self._memory = ForecastPolicy(), []

    def states(self, number: int, trained: Callable[[], Policy]) -> Labelled:
        """The states collected since the policy changed, with those of this round."""
        config = self._config
        played = number - config.held_rounds
        if played >= 0 and (played % config.improve == 0 or not self._memory):
            self._policy, self._memory = trained(), []
        self._memory.append(collect_round(self._collector, config, self._policy, played < 0))
        return Labelled.join(self._memory)


class ShardSource:
    """Repeats the states of shards: the held states in held rounds, the played in played rounds."""

    def __init__(self, shards: Sequence[Shard], config: TrainingConfig) -> None:
        """:param shards: at least one; the order of their states is part of the experience."""
        self._held = Labelled.join([shard.held for shard in shards])
        self._played = Labelled.join([shard.played for shard in shards])
        self._held_rounds = config.held_rounds

    @property
    def steps(self) -> int:
        """States of all shards."""
        return len(self._held) + len(self._played)

    def begin(self, rng: np.random.Generator) -> None:
        """Everything is collected already."""

    def states(self, number: int, trained: Callable[[], Policy]) -> Labelled:
        """All states of the round's kind."""
        return self._held if number < self._held_rounds else self._played


def collect_round(
    collector: Collector, config: TrainingConfig, policy: Policy, held: bool
) -> Labelled:
    """Walk all episodes some steps with ``policy``, then label states.

    :param held: every target is held to the end; False: ``policy`` goes on after some steps.
    """
    for _ in range(config.walk):
        collector.walk(policy, config.epsilon)
    if held:
        return collector.label(config.envs)
    return collector.label(config.states, policy, config.hold)
