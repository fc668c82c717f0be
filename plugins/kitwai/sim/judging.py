"""How good a policy is: limits met and worker-seconds over episodes (DESIGN.md §6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kitwai.core.constraint import Constraint
from kitwai.core.estimate import Floats
from kitwai.core.guardrails import guard_application
from kitwai.core.policy import Policy
from kitwai.core.state import State
from kitwai.sim.episodes import Episodes, greedy_targets
from kitwai.sim.library import Ints, Library
from kitwai.sim.simulator import Bools, Simulator, SimulatorConfig

Controller = Callable[[State, Bools], Ints]
"""[B] targets from the state and from whether anything is known of the work left."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How E episodes went; arrays [E], times in seconds from the start."""

    finish_s: Floats
    worker_seconds: Floats
    operations: Ints


@dataclass(frozen=True, slots=True)
class Judgement:
    """One row of the metrics table.

    Over feasible episodes (some constant count meets the limit): ``hit_rate``; ``cvs_min``, mean
    minutes late; over those of them that hit, cost / best static's: ``static_ratio`` (mean) and
    ``p95_static_ratio``. ``worker_hours`` sums the cost of all feasible episodes. ``lateness``:
    finish / always-N's, mean over infeasible episodes. None where there are no such episodes.
    """

    episodes: int
    feasible: int
    hit_rate: float | None
    static_ratio: float | None
    p95_static_ratio: float | None
    cvs_min: float | None
    worker_hours: float
    lateness: float | None
    ops_per_episode: float


class Judge:
    """Holds fixed episodes and what every constant count makes of them.

    ``best`` [E] is the count of the best static cluster: the cheapest that hits, N if none does.
    """

    def __init__(
        self, library: Library, episodes: Episodes, config: SimulatorConfig | None = None
    ) -> None:
        self.library, self.episodes = library, episodes
        self.config = config or SimulatorConfig()
        most = episodes.max_workers
        self.at_most = self.hold(most)
        cost = np.full((len(episodes), int(most.max()) + 1), np.inf)
        for workers in range(1, cost.shape[1]):
            rows = np.flatnonzero(most >= workers)
            outcome = self.hold(np.full(len(rows), workers), rows)
            hit = outcome.finish_s <= episodes.limit_s[rows]
            cost[rows, workers] = np.where(hit, outcome.worker_seconds, np.inf)
        self.best_cost: Floats = cost.min(axis=1)
        self.feasible: Bools = np.isfinite(self.best_cost)
        self.best: Ints = np.where(self.feasible, cost.argmin(axis=1), most)

    def hold(self, targets: Ints, rows: Ints | None = None) -> Outcome:
        """Let a constant target [R] run the episodes ``rows`` (all when None) from the start."""
        simulator = self._start(rows)
        while not simulator.done.all():
            simulator.step(targets)
        return _outcome(simulator)

    def run(self, controller: Controller) -> Outcome:
        """Let ``controller`` run all episodes to their end."""
        simulator = self._start(None)
        while not simulator.done.all():
            simulator.step(controller(*simulator.state()))
        return _outcome(simulator)

    def judge(self, outcome: Outcome) -> Judgement:
        """One row of the metrics table."""
        limit, feasible = self.episodes.limit_s, self.feasible
        hit = feasible & (outcome.finish_s <= limit)
        ratio = outcome.worker_seconds[hit] / self.best_cost[hit]
        late_min = np.maximum(outcome.finish_s - limit, 0.0)[feasible] / 60.0
        lateness = (outcome.finish_s / self.at_most.finish_s)[~feasible]
        return Judgement(
            episodes=len(hit),
            feasible=int(feasible.sum()),
            hit_rate=_mean(hit[feasible]),
            static_ratio=_mean(ratio),
            p95_static_ratio=round(float(np.quantile(ratio, 0.95)), 4) if ratio.size else None,
            cvs_min=_mean(late_min),
            worker_hours=round(float(outcome.worker_seconds[feasible].sum()) / 3600.0, 2),
            lateness=_mean(lateness),
            ops_per_episode=_mean(outcome.operations) or 0.0,
        )

    def _start(self, rows: Ints | None) -> Simulator:
        episodes = self.episodes if rows is None else self.episodes.take(rows)
        simulator = Simulator(self.library, len(episodes), self.config)
        simulator.reset(episodes.profile, episodes.max_workers, episodes.limit_s)
        return simulator


def follow(policy: Policy) -> Controller:
    """A policy on its own."""
    return lambda state, known: greedy_targets(policy, state, known)


def guarded(policy: Policy, margin: float) -> Controller:
    """A policy under the guardrails of one application (`kitwai.core.guardrails`)."""

    def targets(state: State, known: Bools) -> Ints:
        proposed = greedy_targets(policy, state, known)
        for row in np.flatnonzero(known):
            proposed[row], _ = guard_application(
                int(proposed[row]),
                finish_s=state.finish_s[row].tolist(),
                present=int(state.workers[row]),
                constraint=Constraint(int(state.max_workers[row]), float(state.limit_s[row])),
                margin=margin,
            )
        return proposed

    return targets


def _outcome(simulator: Simulator) -> Outcome:
    return Outcome(simulator.finish_s, simulator.worker_seconds, simulator.operations)


def _mean(values: Floats | Bools | Ints) -> float | None:
    return round(float(values.mean()), 4) if values.size else None
