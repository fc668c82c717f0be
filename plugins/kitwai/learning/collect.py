"""Constrained experience in the simulator for one part of the grid; TensorFlow is not needed.

Half of the episodes are of applications that really ran, half of synthetic ones. A house has few
applications of its own, and a network trained on these alone would not suit the next new one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kitwai.core.policy.policy import ForecastPolicy
from kitwai.core.records.profile import ApplicationProfile
from kitwai.learning.experience import Collector, Labelled, Pool
from kitwai.learning.experience_sources import collect_round
from kitwai.learning.partition import Plan, scaled
from kitwai.learning.shards import nothing
from kitwai.sim.library import Library
from kitwai.sim.simulator import SimulatorConfig
from kitwai.sim.synthetic import synthetic_profiles

_OWN = 0.5
_SYNTHETIC = 120
_POOL = 4000


def collect(
    profiles: Sequence[ApplicationProfile], plan: Plan, part: int
) -> tuple[Labelled, Labelled]:
    """The labelled states of one part of the grid. The result depends on the arguments alone.

    :returns: states whose targets were held to the end; states whose targets were held for some
        steps, after which the forecast's own policy went on.
    """
    config = plan.config
    chunks = plan.chunks
    synthetic = synthetic_profiles(scaled(_SYNTHETIC, min(plan.effort, 1.0)), plan.seed)
    library = Library((*profiles, *synthetic))
    own = len(profiles)
    weights = np.concatenate(
        [np.full(own, _OWN / own), np.full(len(synthetic), (1.0 - _OWN) / len(synthetic))]
    )
    rng = np.random.default_rng([plan.seed, int(plan.until), part])
    size = scaled(_POOL, min(plan.effort, 1.0) / len(chunks))
    pool = Pool.draw(library, size, rng, chunks[part], weights)
    collector = Collector(library, pool, config.envs, rng, SimulatorConfig())
    policy = ForecastPolicy()

    def states_of(rounds: int, held: bool) -> Labelled:
        share = range(scaled(rounds, 1.0 / len(chunks)))
        collected = [collect_round(collector, config, policy, held) for _ in share]
        return Labelled.join([nothing(), *collected])

    held = states_of(config.held_rounds, True)
    return held, states_of(config.played_rounds, False)
