"""The simulator: runs B applications at once, each on its own workers under its own limit.

It simulates tasks, event by event (`kitwai.sim.inner_loop`). A worker brings ``cores`` slots. A
stage may start when its parents have ended and the driver's gap has passed. Free slots take the
tasks of the earliest such stage in launch order. Times are seconds since the application's start.

A policy knows only what Spark shows (`Simulator.view`): the stages of submitted jobs, their task
counts, tasks under way, and run times of finished tasks.

Approximations:

- A task's slowdown depends on how many workers serve when it is launched.
- A worker that leaves takes no new task, ends its tasks, and then migrates its blocks for
  ``drain_s``. Nothing is computed again.
- A worker that leaves while it starts is gone at once.
- Applications that share a cluster have workers of their own; `kitwai.sim.day` shares them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kitwai.core.forecast.arrays import Bools, Floats, View
from kitwai.core.forecast.stage_times import sums
from kitwai.sim import inner_loop
from kitwai.sim.library import NONE, Ints, Library


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """Constants of the cluster, in seconds.

    ``start_delay_s``: from the launch request until a worker takes tasks; ``start_stagger_s``:
    added for each further worker launched at the same moment; ``drain_s``: from a leaving worker's
    last task until it is gone; ``first_task_s``: added to the first task of each slot of a worker,
    unless the profile says more of its stage; ``task_overhead_s``: added to every task;
    ``stage_overhead_s``: between stages, where the profile's gaps do not hold it; ``recompute``:
    whether outputs of a lost worker are computed again.
    """

    step_s: float = 15.0
    start_workers: int = 2
    start_delay_s: float = 15.0
    start_stagger_s: float = 0.0
    drain_s: float = 20.0
    first_task_s: float = 0.0
    task_overhead_s: float = 0.0
    stage_overhead_s: float = 0.0
    recompute: bool = True


@dataclass(frozen=True, slots=True)
class Realisation:
    """The random part of B runs; arrays [B]. Every policy meets the same realisation.

    ``seed`` (uint64): seed of everything drawn within the run; ``factor``: hidden factor on all
    task times; ``noise``: sigma of the log of each task's own factor; ``stragglers``: share of
    tasks that take 3 to ``worst`` times as long; ``start_factor``, ``start_noise``: factor on all
    start-up times, and sigma of the log of each; ``warm_up``, ``warm_up_noise``: seconds that a
    slot's first task takes longer, and sigma of their log; ``contention``: factor on tasks that are
    launched while workers start; ``slow_share``, ``slow_factor``: share of the time in which all
    tasks are slow, and by how much; ``gap_noise``, ``gap_more_s``: sigma of the log of the driver's
    gaps, and mean seconds added to them; ``death_s``: when a worker is lost, inf for never.
    """

    seed: NDArray[np.uint64]
    factor: Floats
    noise: Floats
    stragglers: Floats
    worst: Floats
    start_factor: Floats
    start_noise: Floats
    warm_up: Floats
    warm_up_noise: Floats
    contention: Floats
    slow_share: Floats
    slow_factor: Floats
    gap_noise: Floats
    gap_more_s: Floats
    death_s: Floats

    @classmethod
    def calm(cls, rows: int, seed: NDArray[np.uint64] | None = None) -> Realisation:
        """Every task takes what its profile says."""
        usual = {"factor": 1.0, "worst": 8.0, "start_factor": 1.0, "contention": 1.0}
        usual |= {"slow_factor": 1.0, "death_s": np.inf}
        names = [name for name in cls.__slots__ if name != "seed"]
        arrays = {name: np.full(rows, usual.get(name, 0.0)) for name in names}
        return cls(np.zeros(rows, dtype=np.uint64) if seed is None else seed, **arrays)

    def take(self, rows: Ints | slice) -> Realisation:
        """The realisations of some rows."""
        return Realisation(*(getattr(self, name)[rows] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class StepResult:
    """The outcome of one step, [B] each; zero and False for episodes that had ended before.

    ``worker_seconds``: cost of the step; ``done``: whether the application has ended in the step,
    which is the only terminal state.
    """

    worker_seconds: Floats
    done: Bools


class Simulator:
    """A vectorised environment: `reset`, then `step` with one target a row until all are done."""

    def __init__(self, library: Library, rows: int, config: SimulatorConfig | None = None) -> None:
        """:param rows: B, episodes side by side. Every row must be reset before the first step."""
        self.library, self.config = library, config or SimulatorConfig()
        self.max_workers: Ints = np.ones(rows, dtype=np.int64)
        self.limit_s: Floats = np.ones(rows)
        self.worker_seconds: Floats = np.zeros(rows)
        self._rows = _empty_rows(library, rows)
        shapes = (getattr(library, name) for name in inner_loop.Shapes._fields)
        self._shapes = inner_loop.Shapes(*shapes)
        self._constants = inner_loop.Constants(
            self.config.start_delay_s,
            self.config.start_stagger_s,
            self.config.drain_s,
            self.config.first_task_s,
            self.config.task_overhead_s,
            self.config.stage_overhead_s,
            self.config.recompute,
        )

    def reset(
        self,
        profile: Ints,
        max_workers: Ints,
        limit_s: Floats,
        rows: Ints | None = None,
        realisation: Realisation | None = None,
        start_workers: Ints | None = None,
    ) -> None:
        """Start new episodes.

        :param profile: [R] positions in the library; ``max_workers``, ``limit_s``: [R] constraints.
        :param rows: [R] the rows to start anew; None for all.
        :param realisation: None: every task takes what its profile says.
        :param start_workers: [R] workers at the start; None: the configuration's, at most N.
        """
        state = self._rows
        rows = np.arange(len(state.now)) if rows is None else np.asarray(rows)
        chance = realisation or Realisation.calm(len(rows))
        state.profile[rows] = profile
        self.max_workers[rows] = max_workers
        self.limit_s[rows] = limit_s
        self.worker_seconds[rows] = 0.0
        for name in Realisation.__slots__:
            getattr(state, name)[rows] = getattr(chance, name)
        if start_workers is None:
            start_workers = np.minimum(self.config.start_workers, np.asarray(max_workers))
        inner_loop.start(rows, np.asarray(start_workers, dtype=np.int64), self._shapes, state)

    def fork(self, rows: Ints) -> Simulator:
        """A copy of some rows, to be run on its own. A row may be given several times."""
        copy = Simulator(self.library, len(rows), self.config)
        for old, new in zip(self._rows, copy._rows, strict=True):
            new[:] = old[rows]
        copy.max_workers[:] = self.max_workers[rows]
        copy.limit_s[:] = self.limit_s[rows]
        copy.worker_seconds[:] = self.worker_seconds[rows]
        return copy

    @property
    def profile(self) -> Ints:
        """[B] positions in the library."""
        return self._rows.profile

    @property
    def now(self) -> Floats:
        """[B] seconds since the start; the end of an application that has ended."""
        return self._rows.now

    @property
    def finish_s(self) -> Floats:
        """[B] seconds from start to end, inf while it runs."""
        return self._rows.finish

    @property
    def done(self) -> Bools:
        """[B] whether the application has ended."""
        return np.isfinite(self._rows.finish)

    @property
    def operations(self) -> Ints:
        """[B] scaling operations so far."""
        return self._rows.operations

    @property
    def workers(self) -> Ints:
        """[B] workers that serve or start, without those that leave."""
        return np.asarray(self._staying.sum(axis=1))

    @property
    def serving(self) -> Ints:
        """[B] workers that take tasks."""
        taking = self._staying & (self._rows.ready <= self._rows.now[:, None])
        return np.asarray(taking.sum(axis=1))

    @property
    def lifetimes(self) -> tuple[Floats, Floats, Floats]:
        """Three moments of the worker at each of P places, [B, P] seconds since the application's
        start: its launch request (inf: the place is vacant), when it takes tasks, and when it is
        gone (inf: it stays).
        """
        return self._rows.launch, self._rows.ready, self._rows.leave

    @property
    def _staying(self) -> Bools:
        return np.isfinite(self._rows.launch) & np.isinf(self._rows.leave)

    def view(self) -> View:
        """The view: what Spark and the pool show now."""
        state = self._rows
        visible = state.submitted <= state.now[:, None]
        ended = state.complete == self.library.tasks[state.profile]
        launched = state.slot_end - state.slot_run
        return View(
            now=state.now.copy(),
            max_workers=self.max_workers.copy(),
            limit_s=self.limit_s.copy(),
            workers=self.workers,
            serving=self.serving,
            cores=self.library.cores[state.profile],
            jobs=np.where(visible, self.library.job[state.profile], 0).max(axis=1) + 1,
            busy=np.divide(
                state.busy,
                state.offered,
                out=np.zeros_like(state.busy),
                where=state.offered > 0,
            ),
            tasks=np.where(visible, self.library.tasks[state.profile], 0),
            active=state.active.copy(),
            complete=np.where(visible, state.complete, 0),
            run_s=np.where(visible, state.run_s, 0.0),
            ended=visible & ended,
            over=self.done,
            began_s=state.began.copy(),
            ended_s=np.where(visible & ended, state.end_s, np.inf),
            cell_n=state.cell_n.copy(),
            cell_s=state.cell_s.copy(),
            first_n=state.first_n.copy(),
            first_s=state.first_s.copy(),
            age_s=self._of_active(np.maximum(state.now[:, None] - launched, 0.0)),
            active_first=self._of_active(state.slot_first.astype(np.float64)),
        )

    def _of_active(self, values: Floats) -> Floats:
        """[B, S] the sum of ``values`` [B, L] over the tasks under way."""
        row, slot = np.nonzero(self._rows.slot_stage != NONE)
        stage = self._rows.slot_stage[row, slot]
        return sums((row, stage), values[row, slot], self._rows.active.shape)

    @property
    def undisturbed(self) -> bool:
        """Whether no running application will lose a worker any more."""
        return bool((np.isinf(self._rows.death_s) | self.done).all())

    def step(
        self,
        targets: Ints,
        warm: Ints | None = None,
        paused: Bools | None = None,
        seconds: float | None = None,
    ) -> StepResult:
        """Ask for ``targets`` [B] (clipped to 1..N) and let ``step_s`` seconds pass.

        :param seconds: let so many seconds pass instead.
        :param warm: [B] number of launches that need no start-up; None: none.
        :param paused: [B] whether the application holds no worker, whatever its target, and waits
            while its time runs; None: none.
        """
        state = self._rows
        before, was_done = state.now.copy(), self.done
        asked = np.clip(targets, 1, self.max_workers).astype(np.int64)
        inner_loop.step(
            asked if paused is None else np.where(paused, 0, asked),
            np.zeros(len(before), dtype=np.int64) if warm is None else warm,
            self.config.step_s if seconds is None else seconds,
            self._shapes,
            state,
            self._constants,
        )
        present = np.minimum(state.leave, state.now[:, None])
        present = np.maximum(present - np.maximum(state.launch, before[:, None]), 0.0)
        spent = np.asarray(present.sum(axis=1))
        self.worker_seconds += spent
        return StepResult(worker_seconds=spent, done=self.done & ~was_done)


def _empty_rows(library: Library, rows: int) -> inner_loop.Rows:
    places = 2 * library.max_workers
    slots, stages = places * int(library.cores.max()), library.tasks.shape[1]

    def floats(*shape: int, fill: float = 0.0) -> Floats:
        return np.full((rows, *shape), fill)

    def ints(*shape: int) -> Ints:
        return np.zeros((rows, *shape), dtype=np.int64)

    never = np.inf
    return inner_loop.Rows(
        profile=ints(),
        now=floats(),
        finish=floats(),
        seed=np.zeros(rows, dtype=np.uint64),
        factor=floats(fill=1.0),
        noise=floats(),
        stragglers=floats(),
        worst=floats(fill=8.0),
        start_noise=floats(),
        start_factor=floats(fill=1.0),
        warm_up=floats(),
        warm_up_noise=floats(),
        contention=floats(fill=1.0),
        slow_share=floats(),
        slow_factor=floats(fill=1.0),
        gap_noise=floats(),
        gap_more_s=floats(),
        death_s=floats(fill=never),
        launches=ints(),
        operations=ints(),
        busy=floats(),
        offered=floats(),
        launch=floats(places, fill=never),
        ready=floats(places, fill=never),
        leave=floats(places, fill=never),
        slot_end=floats(slots),
        slot_run=floats(slots),
        slot_stage=ints(slots) + NONE,
        slot_count=ints(slots),
        slot_last=ints(slots) + NONE,
        slot_first=ints(slots),
        next_task=ints(stages),
        redo=ints(stages),
        active=ints(stages),
        complete=ints(stages),
        run_s=floats(stages),
        began=floats(stages, fill=never),
        end_s=floats(stages),
        ready_at=floats(stages, fill=never),
        submitted=floats(stages, fill=never),
        cell_n=floats(stages, library.max_workers + 1),
        cell_s=floats(stages, library.max_workers + 1),
        first_n=floats(stages, library.max_workers + 1),
        first_s=floats(stages, library.max_workers + 1),
        held=ints(places, stages),
    )
