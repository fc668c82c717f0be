"""Judges policies: limits met and worker-seconds spent over many episodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kitwai.core.forecast.arrays import Bools, Floats, Ints, View
from kitwai.sim.episodes import Episodes
from kitwai.sim.library import Library
from kitwai.sim.simulator import Simulator, SimulatorConfig

DECIDED = 3.0
"""After so many limits the last target is held to the end."""

PATIENCE = 20.0
"""After so many limits an episode is given up, and counts as ended there."""


class Controller(Protocol):
    """Decides in episodes: a policy or a baseline."""

    def begin(self, library: Library, episodes: Episodes, config: SimulatorConfig) -> None:
        """Begin new episodes.

        Where ``episodes.informed``, a controller may read the announced part of an episode's own
        profile: family, inputs and cores a worker. All else comes from
        `kitwai.sim.episodes.history_of`.
        """
        ...

    def targets(self, view: View) -> Ints:
        """[B] worker counts to ask for now; the simulator clips them to 1..N."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How E episodes ended; arrays [E], times in seconds from the start."""

    finish_s: Floats
    worker_seconds: Floats
    operations: Ints


@dataclass(frozen=True, slots=True)
class Judgement:
    """One row of the metrics table.

    An episode is feasible if some constant worker count meets its limit. Over feasible episodes:
    ``hit_rate``: share that meets the limit; ``cvs_min``: mean minutes late; ``worker_hours``:
    total cost. Over feasible episodes that hit, as ratios of the cost to the best static cluster's
    cost: ``static_ratio``: mean; ``p95_static_ratio``: 95th percentile. Over infeasible episodes:
    ``lateness``: mean ratio of the finish time to always-N's. None if there are no such episodes.
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


class Constant:
    """Asks for a constant worker count, or for always N if ``workers`` is None."""

    def __init__(self, workers: int | Ints | None = None) -> None:
        self._workers = workers

    def begin(self, library: Library, episodes: Episodes, config: SimulatorConfig) -> None:
        """A constant count needs to know nothing."""

    def targets(self, view: View) -> Ints:
        """[B] the constant count."""
        if self._workers is None:
            return view.max_workers
        return np.broadcast_to(np.asarray(self._workers, dtype=np.int64), view.max_workers.shape)


class Judge:
    """Judges outcomes on fixed episodes, relative to the best constant worker count.

    ``static_finish_s``, ``static_cost`` [E, most N + 1]: finish time and worker-seconds of each
    constant count; ``feasible`` [E]: whether some count meets the limit; ``best`` [E]: count of the
    best static cluster, the cheapest that hits, or N if none does; ``best_cost`` [E]: its cost, inf
    if none hits; ``at_most``: outcome of always-N.
    """

    def __init__(
        self, library: Library, episodes: Episodes, config: SimulatorConfig | None = None
    ) -> None:
        self.library, self.episodes = library, episodes
        self.config = config or SimulatorConfig()
        most = episodes.max_workers
        shape = (len(episodes), int(most.max()) + 1)
        self.static_finish_s: Floats = np.full(shape, np.inf)
        self.static_cost: Floats = np.full(shape, np.inf)
        for workers in range(1, shape[1]):
            rows = np.flatnonzero(most >= workers)
            outcome = self._hold(workers, rows)
            self.static_finish_s[rows, workers] = outcome.finish_s
            self.static_cost[rows, workers] = outcome.worker_seconds
        hit = self.static_finish_s <= episodes.limit_s[:, None]
        cost = np.where(hit, self.static_cost, np.inf)
        self.best_cost: Floats = cost.min(axis=1)
        self.feasible: Bools = np.isfinite(self.best_cost)
        self.best: Ints = np.where(self.feasible, cost.argmin(axis=1), most)
        self.at_most = Outcome(
            np.take_along_axis(self.static_finish_s, most[:, None], 1)[:, 0],
            np.take_along_axis(self.static_cost, most[:, None], 1)[:, 0],
            np.zeros(len(most), dtype=np.int64),
        )

    def _hold(self, workers: int, rows: Ints) -> Outcome:
        """`run` with a constant count. Once no worker can be lost, the rest is one long step."""
        simulator = self._begin(self.episodes.take(rows))
        targets = np.full(len(rows), workers, dtype=np.int64)
        quiet = False
        while not (quiet or simulator.done.all()):
            quiet = simulator.undisturbed
            simulator.step(targets)
        self._wait(simulator, targets)
        finish = np.where(simulator.done, simulator.finish_s, simulator.now)
        return Outcome(finish, simulator.worker_seconds, simulator.operations.copy())

    def _wait(self, simulator: Simulator, targets: Ints) -> None:
        """Hold the targets until all episodes have ended or are given up (`PATIENCE`)."""
        if not simulator.done.all():
            until = PATIENCE * float(self.episodes.limit_s.max())
            simulator.step(targets, seconds=until - float(simulator.now[~simulator.done].max()))

    def _begin(self, episodes: Episodes) -> Simulator:
        simulator = Simulator(self.library, len(episodes), self.config)
        simulator.reset(
            episodes.profile,
            episodes.max_workers,
            episodes.limit_s,
            realisation=episodes.realisation,
        )
        return simulator

    def run(
        self,
        controller: Controller,
        rows: Ints | None = None,
        progress: Callable[[int], None] = lambda ended: None,
    ) -> Outcome:
        """Let ``controller`` run the episodes ``rows`` to their end; None: all.

        :param progress: called after each step with the number of episodes that have ended.
        """
        episodes = self.episodes if rows is None else self.episodes.take(rows)
        simulator = self._begin(episodes)
        controller.begin(self.library, episodes, self.config)
        targets = episodes.max_workers
        while not simulator.done.all():
            targets = controller.targets(simulator.view())
            simulator.step(targets)
            progress(int(simulator.done.sum()))
            if simulator.now.max() > DECIDED * episodes.limit_s.max():
                break
        self._wait(simulator, targets)
        finish = np.where(simulator.done, simulator.finish_s, simulator.now)
        return Outcome(finish, simulator.worker_seconds, simulator.operations.copy())

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


def _mean(values: Floats | Bools | Ints) -> float | None:
    return round(float(values.mean()), 4) if values.size else None
