"""How fast the simulator steps and a policy decides, in this process and with NumPy alone."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kitwai.core.forecast.arrays import Ints, View
from kitwai.core.forecast.prior import Prior
from kitwai.core.policy.policy import (
    FORECAST,
    NETWORK,
    ForecastPolicy,
    NetworkPolicy,
    Policy,
    array_shapes,
)
from kitwai.core.policy.state import build_state
from kitwai.learning.experience import Pool
from kitwai.learning.training_config import TrainingConfig
from kitwai.sim.library import Library
from kitwai.sim.simulator import Simulator, SimulatorConfig
from kitwai.sim.synthetic import synthetic_profiles

WANTED = {"steps_per_s": 100_000.0, "decision_ms": 1.0, "batch_ms": 20.0}
"""Bounds: at least so many decision steps a second, at most so many ms a decision or a batch."""

_PROFILES = 200
_TARGET = 6
_PRICE = 30.0
_UNDER_WAY = 6


@dataclass(frozen=True, slots=True)
class Moment:
    """B applications under way, and what is believed of them before."""

    view: View
    prior: Prior

    def take(self, rows: Ints) -> Moment:
        """Those of some rows."""
        return Moment(self.view.take(rows), self.prior.take(rows))


def measure_simulation(
    *,
    episodes: int = 2048,
    passes: int = 5,
    decisions: int = 500,
    batch: int = 1000,
    batches: int = 50,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure on synthetic applications, half of them disturbed.

    :param episodes: side by side; ``passes``: over all of them, after one that is not counted.
    :param decisions: of one application each; ``batches``: of ``batch`` applications each.
    :returns: ``steps_per_s`` (median pass, on all threads) and, by policy, ``decision_ms`` and
        ``batch_ms`` with ``median`` and ``p95``: the state, the Q-values and the best target.
    """
    import numba

    library = Library(synthetic_profiles(_PROFILES, seed))
    pool = Pool.draw(library, episodes, np.random.default_rng(seed))
    simulator = Simulator(library, episodes)
    _steps_per_s(simulator, pool)
    threads, rates = numba.get_num_threads(), {}
    for count in sorted({1, threads}):
        numba.set_num_threads(count)
        rates[count] = statistics.median(_steps_per_s(simulator, pool) for _ in range(passes))
    moment = _under_way(simulator, pool)
    running = len(moment.view.now)
    rows = np.arange(batch) % running
    policies: dict[str, Policy] = {FORECAST: ForecastPolicy(), NETWORK: any_network(seed)}
    return {
        "threads": threads,
        "episodes": episodes,
        "steps_per_s": rates[threads],
        "steps_per_s_of_one_thread": rates[1],
        "decisions": decisions,
        "batch": batch,
        "policies": {
            name: {
                "decision_ms": _times(
                    policy, [moment.take(np.array([at % running])) for at in range(decisions)]
                ),
                "batch_ms": _times(policy, [moment.take(rows)] * batches),
            }
            for name, policy in policies.items()
        },
        "wanted": WANTED,
    }


def any_network(seed: int) -> NetworkPolicy:
    """A network of the trainer's size with random weights: as fast as a trained one."""
    shapes = array_shapes(TrainingConfig().hidden)
    rng = np.random.default_rng(seed)
    return NetworkPolicy(
        "random", {name: rng.normal(0.0, 0.1, shape) for name, shape in shapes.items()}
    )


def _reset(simulator: Simulator, pool: Pool) -> Ints:
    episodes = pool.episodes
    simulator.reset(
        episodes.profile,
        episodes.max_workers,
        episodes.limit_s,
        realisation=episodes.realisation,
    )
    return np.minimum(episodes.max_workers, _TARGET)


def _steps_per_s(simulator: Simulator, pool: Pool) -> float:
    """All episodes under a constant target, until they have ended or three limits have passed."""
    targets = _reset(simulator, pool)
    longest = 3.0 * float(simulator.limit_s.max())
    steps, began = 0, time.perf_counter()
    while not simulator.done.all() and simulator.now.max() < longest:
        steps += int((~simulator.done).sum())
        simulator.step(targets)
    return steps / (time.perf_counter() - began)


def _under_way(simulator: Simulator, pool: Pool) -> Moment:
    """The applications that still run after `_UNDER_WAY` steps."""
    targets = _reset(simulator, pool)
    for _ in range(_UNDER_WAY):
        simulator.step(targets)
    return Moment(simulator.view(), pool.prior).take(np.flatnonzero(~simulator.done))


def _times(policy: Policy, moments: Sequence[Moment]) -> dict[str, float]:
    """Milliseconds to decide each of the moments."""
    config = SimulatorConfig()

    def decide(moment: Moment) -> Ints:
        state = build_state(
            moment.view,
            moment.prior,
            np.full(len(moment.view.now), _PRICE),
            start_delay_s=config.start_delay_s,
            drain_s=config.drain_s,
        )
        return policy.values(state).best(state)

    decide(moments[0])
    seconds = [_timed(decide, moment) for moment in moments]
    median, p95 = np.quantile(seconds, [0.5, 0.95])
    return {"median": 1e3 * float(median), "p95": 1e3 * float(p95)}


def _timed(decide: Callable[[Moment], Ints], moment: Moment) -> float:
    began = time.perf_counter()
    decide(moment)
    return time.perf_counter() - began
