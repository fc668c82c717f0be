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
"""[B] targets from what is seen and whether anything is known."""


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

    ``best`` [E] is the count of the best static cluster: the cheapest that hits, 0 if none does.
    """

    def __init__(
        self, library: Library, episodes: Episodes, config: SimulatorConfig = SimulatorConfig()
    ) -> None:
        self.library, self.episodes, self.config = library, episodes, config
        count = len(episodes)
        statics = {
            workers: self.run(lambda state, known, n=workers: np.full(len(known), n))
            for workers in range(1, int(episodes.max_workers.max()) + 1)
        }
        cost = np.full((count, len(statics) + 1), np.inf)
        self.finish_at_most_s = np.zeros(count)
        for workers, outcome in statics.items():
            allowed = episodes.max_workers >= workers
            hit = allowed & (outcome.finish_s <= episodes.limit_s)
            cost[:, workers] = np.where(hit, outcome.worker_seconds, np.inf)
            at_most = episodes.max_workers == workers
            self.finish_at_most_s[at_most] = outcome.finish_s[at_most]
        self.best_cost = cost.min(axis=1)
        self.feasible = np.isfinite(self.best_cost)
        self.best: Ints = np.where(self.feasible, cost.argmin(axis=1), 0)

    def run(self, controller: Controller) -> Outcome:
        """Let ``controller`` run all episodes to their end."""
        simulator = Simulator(self.library, len(self.episodes), self.config)
        simulator.reset(self.episodes.profile, self.episodes.max_workers, self.episodes.limit_s)
        while not simulator.done.all():
            simulator.step(controller(*simulator.state()))
        return Outcome(
            finish_s=simulator.finish_s,
            worker_seconds=simulator.worker_seconds,
            operations=simulator.operations,
        )

    def judge(self, controller: Controller) -> Judgement:
        """The row of one controller."""
        outcome = self.run(controller)
        limit, feasible = self.episodes.limit_s, self.feasible
        hit = feasible & (outcome.finish_s <= limit)
        ratio = outcome.worker_seconds[hit] / self.best_cost[hit]
        late_min = np.maximum(outcome.finish_s - limit, 0.0)[feasible] / 60.0
        lateness = (outcome.finish_s / self.finish_at_most_s)[~feasible]
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


def always_n(judge: Judge) -> Controller:
    """The baseline that holds N workers from the start."""
    return lambda state, known: judge.episodes.max_workers


def best_static(judge: Judge) -> Controller:
    """The constant count that is best in hindsight, N where none meets the limit."""
    targets = np.where(judge.feasible, judge.best, judge.episodes.max_workers)
    return lambda state, known: targets


def follow(policy: Policy) -> Controller:
    """A policy on its own."""
    return lambda state, known: greedy_targets(policy, state, known)


def guarded(policy: Policy, margin: float) -> Controller:
    """A policy under the guardrail that keeps a target at or above what the limit needs."""

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


def _mean(values: Floats | Bools | Ints) -> float | None:
    return round(float(values.mean()), 4) if values.size else None
