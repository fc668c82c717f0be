"""Constrained experience in the simulator for one part of the grid; TensorFlow is not needed.

One half of the episodes are of the applications that really ran, the other of synthetic ones: a
house's own are few, and what is learnt from them alone would not carry over to the next new one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kitwai.core.policy.policy import ForecastPolicy
from kitwai.core.records.profile import ApplicationProfile
from kitwai.learning.experience import Collector, Labelled, Pool
from kitwai.learning.partition import Plan, scaled
from kitwai.learning.shards import nothing
from kitwai.sim.library import Library
from kitwai.sim.simulator import SimulatorConfig
from kitwai.sim.synthetic import synthetic_profiles

OWN = 0.5
"""Share of the episodes that are of applications that really ran."""

_SYNTHETIC = 120
_POOL = 4000


def collect(
    profiles: Sequence[ApplicationProfile], plan: Plan, part: int
) -> tuple[Labelled, Labelled]:
    """The states of one part of the grid: those of which every target was held to the end, and
    those of which it was held for some steps and the forecast's own policy went on.

    The result depends on the arguments alone.
    """
    config = plan.config
    chunks = plan.chunks
    synthetic = synthetic_profiles(scaled(_SYNTHETIC, min(plan.effort, 1.0)), plan.seed)
    library = Library((*profiles, *synthetic))
    own = len(profiles)
    weights = np.concatenate(
        [np.full(own, OWN / own), np.full(len(synthetic), (1.0 - OWN) / len(synthetic))]
    )
    rng = np.random.default_rng([plan.seed, int(plan.until), part])
    size = scaled(_POOL, min(plan.effort, 1.0) / len(chunks))
    pool = Pool.draw(library, size, rng, chunks[part], weights)
    collector = Collector(library, pool, config.envs, rng, SimulatorConfig())
    policy = ForecastPolicy()

    def rounds(count: int, states: int, hold: int | None) -> Labelled:
        parts = [nothing()]
        for _ in range(scaled(count, 1.0 / len(chunks))):
            for _ in range(config.walk):
                collector.walk(policy, config.epsilon)
            if hold is None:
                parts.append(collector.label(states))
            else:
                parts.append(collector.label(states, policy, hold))
        return Labelled.join(parts)

    held = rounds(config.held_rounds, config.envs, None)
    return held, rounds(config.played_rounds, config.states, config.hold)
