"""Where the training loop takes its states from."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from kitwai.core.policy.policy import ForecastPolicy
from kitwai.learning.experience import Collector
from kitwai.learning.experience_sources import ShardSource, SimulatorSource, collect_round
from kitwai.learning.shards import Shard, nothing
from kitwai.learning.training_config import TrainingConfig
from kitwai.sim.simulator import SimulatorConfig

CONFIG = TrainingConfig(
    held_rounds=2, played_rounds=4, improve=2, envs=24, states=8, pool=60, walk=2
)


def test_the_simulators_states_grow_until_the_policy_changes(library):
    source = SimulatorSource(library, CONFIG)
    asked_for: list[int] = []
    sizes = []
    source.begin(np.random.default_rng(0))
    assert source.steps == 0
    for number in range(CONFIG.rounds):

        def trained(number: int = number) -> ForecastPolicy:
            asked_for.append(number)
            return ForecastPolicy()

        sizes.append(len(source.states(number, trained)))
    # Two held rounds, then two played rounds with each policy.
    assert asked_for == [2, 4]
    assert sizes[0] < sizes[1]
    assert sizes[2] < sizes[3]
    assert sizes[4] < sizes[5]
    assert max(sizes[2], sizes[4]) <= CONFIG.states
    assert source.steps > CONFIG.rounds * CONFIG.walk * CONFIG.envs


def test_a_simulation_that_is_resumed_in_a_played_round_asks_for_the_trained_policy(library):
    source = SimulatorSource(library, dataclasses.replace(CONFIG, improve=4))
    asked_for = []

    def trained() -> ForecastPolicy:
        asked_for.append(True)
        return ForecastPolicy()

    source.begin(np.random.default_rng(0))
    source.states(3, trained)
    source.states(4, trained)
    assert asked_for == [True]


@pytest.mark.parametrize("held", [True, False])
def test_a_round_labels_all_episodes_or_some_of_them(library, pool, held):
    collector = Collector(library, pool, 24, np.random.default_rng(0), SimulatorConfig())
    states = collect_round(collector, CONFIG, ForecastPolicy(), held)
    assert 0 < len(states) <= (CONFIG.envs if held else CONFIG.states)
    assert (len(states) > CONFIG.states) == held


def test_shards_give_their_held_states_in_held_rounds_and_their_played_states_after(library, pool):
    collector = Collector(library, pool, 24, np.random.default_rng(0), SimulatorConfig())
    held, played = (collect_round(collector, CONFIG, ForecastPolicy(), kind) for kind in (1, 0))
    source = ShardSource([Shard(held, nothing(), {}), Shard(held, played, {})], CONFIG)
    assert source.steps == 2 * len(held) + len(played)
    sizes = [len(source.states(number, ForecastPolicy)) for number in range(CONFIG.rounds)]
    assert sizes == [2 * len(held)] * 2 + [len(played)] * 4
    assert np.array_equal(source.states(2, ForecastPolicy).z, played.z)
