"""The simulator: B applications at once, each on its own cluster under its own limit.

Task-level. A worker brings ``cores`` slots. Tasks leave in launch order, stage after stage with
parents first, each to the slot that is free earliest; a stage may start when its parents have
ended and the driver's gap has passed, so branches of one job overlap. Times are seconds since the
application's start.

What a policy may know is what Spark shows: the stages of submitted jobs, their task counts, tasks
under way, run time of finished tasks. `Simulator.state` gives it through the same functions
(`work_left`, `build_state`) as the live cluster.

Approximations of this version:

* Launch order is strict: no task overtakes one of an earlier stage that still waits for a parent.
* The slowdown of a task is that of the slots that serve at the beginning of its step.
* A worker that leaves takes no new task, ends those it runs, then migrates its blocks for
  ``drain_s``; nothing is computed again. Workers that leave while starting are gone at once.
* Start-up and drain take constant times; no worker is lost; a cluster runs one application.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kitwai.core.estimate import Floats, work_left
from kitwai.core.policy import MISS_PENALTY
from kitwai.core.state import State, build_state
from kitwai.sim.library import NONE, Ints, Library

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """Constants of the cluster, in seconds.

    ``start_delay_s`` and ``drain_s`` lie in what real Spark showed (DESIGN.md §2: 14-17 s for
    several workers at once, 15-60 s until a decommissioned executor is gone).
    """

    step_s: float = 15.0
    start_workers: int = 2
    start_delay_s: float = 15.0
    drain_s: float = 20.0


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step did, [B] each; zero and False for episodes that had ended before.

    ``done``: the application has ended, the only terminal state there is.
    """

    reward: Floats
    done: Bools


class Simulator:
    """A vectorised environment: `reset`, then `step` with one target a row until all are done.

    The reward of a step is minus its worker-seconds as a share of N x T; from the limit on it also
    holds minus `MISS_PENALTY` once, and minus `MISS_PENALTY` x (time late / T). Nothing else: their
    sum over an episode is minus its cost, minus the penalty and the lateness if it was late.
    """

    def __init__(self, library: Library, rows: int, config: SimulatorConfig | None = None) -> None:
        """:param rows: B, episodes side by side. Every row must be reset before the first step."""
        self.library, self.config = library, config or SimulatorConfig()
        stages = library.tasks.shape[1]
        # Twice N, since those that drain keep their place until they are gone.
        places, cores = 2 * library.max_workers, int(library.cores.max())
        self._slot_core = np.tile(np.arange(cores), places)
        self._slot_worker = np.repeat(np.arange(places), cores)
        self.profile: Ints = np.zeros(rows, dtype=np.int64)
        self.max_workers: Floats = np.ones(rows)
        self.limit_s: Floats = np.ones(rows)
        self.now: Floats = np.zeros(rows)
        self.done: Bools = np.ones(rows, dtype=np.bool_)
        self.worker_seconds: Floats = np.zeros(rows)
        self.finish_s: Floats = np.full(rows, np.inf)
        self.operations: Ints = np.zeros(rows, dtype=np.int64)
        # Workers [B, places]: a place is taken from launch until leave.
        self._launch: Floats = np.full((rows, places), np.inf)
        self._ready: Floats = np.full((rows, places), np.inf)
        self._leave: Floats = np.full((rows, places), np.inf)
        # Slots [B, places x cores]: when free again, and the task last taken.
        self._free: Floats = np.zeros((rows, places * cores))
        self._slot_stage: Ints = np.full((rows, places * cores), NONE)
        self._slot_task_s: Floats = np.zeros((rows, places * cores))
        # Stages [B, S]: tasks handed out, their run time, the end of the last of them.
        self._assigned: Floats = np.zeros((rows, stages))
        self._run_s: Floats = np.zeros((rows, stages))
        self._end_s: Floats = np.zeros((rows, stages))
        self._submitted: Floats = np.full((rows, stages), np.inf)
        # Where the launch order stands: stage, when it may start, next task.
        self._stage: Ints = np.zeros(rows, dtype=np.int64)
        self._stage_ready: Floats = np.zeros(rows)
        self._task: Ints = np.zeros(rows, dtype=np.int64)

    def reset(
        self, profile: Ints, max_workers: Ints, limit_s: Floats, rows: Ints | None = None
    ) -> None:
        """Start new episodes.

        :param profile: [R] positions in the library; ``max_workers``, ``limit_s``: [R] constraints.
        :param rows: [R] the rows to start anew; None for all.
        """
        rows = np.arange(len(self.done)) if rows is None else rows
        self.profile[rows] = profile
        self.max_workers[rows] = max_workers
        self.limit_s[rows] = limit_s
        for zero in (self.now, self.worker_seconds, self.operations, self._free):
            zero[rows] = 0
        for zero in (self._assigned, self._run_s, self._end_s, self._slot_task_s, self._stage):
            zero[rows] = 0
        for never in (self.finish_s, self._launch, self._ready, self._leave, self._submitted):
            never[rows] = np.inf
        self.done[rows] = False
        self._slot_stage[rows] = NONE
        first = np.arange(self._launch.shape[1]) < np.minimum(
            self.config.start_workers, np.asarray(max_workers)[:, None]
        )
        self._launch[rows] = np.where(first, 0.0, np.inf)
        self._ready[rows] = self._launch[rows]
        self._task[rows] = self.library.first_task[profile, 0]
        self._enter_stage(rows)

    @property
    def workers(self) -> Floats:
        """[B] workers that serve or start, without those that leave."""
        return np.asarray(self._staying.sum(axis=1), dtype=np.float64)

    def state(self) -> tuple[State, Bools]:
        """What a policy sees now, and [B] whether it may decide.

        It may not while no task has finished (nothing tells how long one takes), nor while the
        driver computes between two jobs (nothing shows what comes): the live decision holds the
        present count then (`kitwai.core.estimate.remaining_work`).
        """
        tasks, active, complete, run_s = self.shown()
        done = complete.sum(axis=1)
        mean_s = run_s.sum(axis=1) / np.maximum(done, 1.0)
        left, task_s = work_left(tasks, active, complete, run_s, mean_s)
        state = build_state(
            workers=self.workers,
            max_workers=self.max_workers.copy(),
            limit_s=self.limit_s.copy(),
            elapsed_s=self.now.copy(),
            cores=self.library.cores[self.profile].astype(np.float64),
            tasks_left=left,
            task_s=task_s,
            progress=done / np.maximum(tasks.sum(axis=1), 1.0),
            start_delay_s=self.config.start_delay_s,
        )
        known = (done > 0) & (left.sum(axis=1) > 0)
        return state, known & ~self.done

    def shown(self) -> tuple[Floats, Floats, Floats, Floats]:
        """[B, S] each, 0 for stages not submitted: tasks, active, complete, their run time in s."""
        visible = self._submitted <= self.now[:, None]
        running = (self._slot_stage != NONE) & (self._free > self.now[:, None])
        row, slot = np.nonzero(running)
        stage = self._slot_stage[row, slot]
        shape = self._assigned.shape
        at, size = row * shape[1] + stage, self._assigned.size
        active = np.bincount(at, minlength=size).reshape(shape).astype(np.float64)
        under_way_s = self._slot_task_s[row, slot]
        active_run_s = np.bincount(at, weights=under_way_s, minlength=size).reshape(shape)
        complete = self._assigned - active
        run_s = np.where(complete > 0, self._run_s - active_run_s, 0.0)
        return np.where(visible, self.library.tasks[self.profile], 0.0), active, complete, run_s

    def step(self, targets: Ints) -> StepResult:
        """Ask for ``targets`` [B] (clipped to 1..N) and let ``step_s`` seconds pass."""
        before, was_done = self.now.copy(), self.done.copy()
        self._scale(np.clip(targets, 1, self.max_workers).astype(np.int64))
        until = np.where(was_done, before, before + self.config.step_s)
        self._run_tasks(until)
        all_assigned = self._stage >= self.library.stages[self.profile]
        end = np.where(all_assigned, self._end_s.max(axis=1), np.inf)
        self.done = was_done | (end <= until)
        self.finish_s = np.where(self.done, end, np.inf)
        until = np.where(was_done, before, np.minimum(until, end))
        self.now = until
        present = np.minimum(self._leave, until[:, None]) - np.maximum(
            self._launch, before[:, None]
        )
        spent = np.maximum(present, 0.0).sum(axis=1)
        self.worker_seconds += spent
        late_s = np.maximum(until - np.maximum(before, self.limit_s), 0.0)
        missed = (before <= self.limit_s) & (until > self.limit_s)
        reward = -spent / (self.max_workers * self.limit_s)
        reward -= MISS_PENALTY * (missed + late_s / self.limit_s)
        return StepResult(reward=reward, done=self.done & ~was_done)

    @property
    def _staying(self) -> Bools:
        return np.isfinite(self._launch) & np.isinf(self._leave)

    def _scale(self, targets: Ints) -> None:
        """Launch workers in free places, or tell some to leave: starting ones, idle ones, others
        by the number of their running tasks.
        """
        now = self.now[:, None]
        staying = self._staying
        missing = np.where(self.done, 0, targets - staying.sum(axis=1))
        self.operations += missing != 0
        vacant = ~staying & ~(self._leave > now)
        vacant |= np.isinf(self._launch)
        start = vacant & (np.cumsum(vacant, axis=1) <= missing[:, None])
        delay = self.config.start_delay_s
        self._launch = np.where(start, now, self._launch)
        self._ready = np.where(start, now + delay, self._ready)
        self._leave = np.where(start, np.inf, self._leave)
        fresh = start[:, self._slot_worker]
        self._free = np.where(fresh, now + delay, self._free)
        self._slot_stage[fresh] = NONE

        if not (missing < 0).any():
            return
        running = (self._slot_stage != NONE) & (self._free > now)
        shape = (*staying.shape, -1)
        busy = running.reshape(shape).sum(axis=2)
        ends = np.where(running, self._free, now).reshape(shape).max(axis=2)
        starting = self._ready > now
        score = np.where(staying, np.where(starting, NONE, busy), np.inf)
        rank = np.argsort(np.argsort(score, axis=1, kind="stable"), axis=1)
        leaving = staying & (rank < -missing[:, None])
        gone = np.where(starting, now, ends + self.config.drain_s)
        self._leave = np.where(leaving, gone, self._leave)

    def _run_tasks(self, until: Floats) -> None:
        """Hand out every task that starts before ``until`` [B]."""
        library = self.library
        cores = library.cores[self.profile][:, None]
        taking = self._staying[:, self._slot_worker] & (self._slot_core < cores)
        free = np.where(taking, self._free, np.inf)
        serving = (self._staying & (self._ready <= self.now[:, None])).sum(axis=1)
        slots = np.clip(serving, 1, library.max_workers) * cores[:, 0]
        factor = library.slowdown[self.profile, slots]
        rows = np.flatnonzero(~self.done & (self._stage < library.stages[self.profile]))
        while rows.size:
            slot = free[rows].argmin(axis=1)
            start = np.maximum(free[rows, slot], self._stage_ready[rows])
            now = start < until[rows]
            rows, slot, start = rows[now], slot[now], start[now]
            stage = self._stage[rows]
            task_s = library.task_s[self._task[rows]] * factor[rows]
            end = start + task_s
            free[rows, slot] = end
            self._slot_stage[rows, slot] = stage
            self._slot_task_s[rows, slot] = task_s
            self._assigned[rows, stage] += 1.0
            self._run_s[rows, stage] += task_s
            self._end_s[rows, stage] = np.maximum(self._end_s[rows, stage], end)
            self._task[rows] += 1
            ended = self._task[rows] == library.first_task[self.profile[rows], stage + 1]
            if ended.any():
                self._stage[rows[ended]] += 1
                rows = rows[self._stage[rows] < library.stages[self.profile[rows]]]
                self._enter_stage(rows[self._task[rows] == self._first_task(rows)])
        self._free = np.where(taking, free, self._free)

    def _first_task(self, rows: Ints) -> Ints:
        return np.asarray(self.library.first_task[self.profile[rows], self._stage[rows]])

    def _enter_stage(self, rows: Ints) -> None:
        """Note when the stage that comes next may start, and when Spark showed it."""
        library, profile, stage = self.library, self.profile[rows], self._stage[rows]
        earlier = library.waits_for[profile, stage]
        ends = np.where(earlier == NONE, 0.0, self._end_s[rows[:, None], earlier])
        self._stage_ready[rows] = ends.max(axis=1) + library.gap_s[profile, stage]
        job = library.job[profile, stage]
        new_job = (stage == 0) | (job != library.job[profile, np.maximum(stage - 1, 0)])
        rows, job = rows[new_job], job[new_job]
        of_job = library.job[profile[new_job]] == job[:, None]
        self._submitted[rows] = np.where(
            of_job, self._stage_ready[rows][:, None], self._submitted[rows]
        )
