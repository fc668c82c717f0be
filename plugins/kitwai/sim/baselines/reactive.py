"""Baselines that react to load and know no limit, as production autoscalers do.

No such baseline knows the application's history. Common words: n = workers that serve or start, c =
cores a worker, pending = tasks of the stages under way that no worker runs yet (Spark's backlog).
At the first step, where nothing has been measured yet, they keep n.
"""

from __future__ import annotations

import numpy as np

from kitwai.core.forecast.arrays import Floats, Ints, View
from kitwai.sim.episodes import Episodes
from kitwai.sim.library import Library
from kitwai.sim.simulator import SimulatorConfig


def pending_tasks(view: View) -> Ints:
    """[B] waiting tasks of the stages under way; between stages, the tasks of the next stage."""
    left = view.tasks - view.complete - view.active
    open_ = (view.tasks > 0) & ~view.ended
    begun = open_ & (view.active + view.complete > 0)
    pending = np.where(begun, left, 0).sum(axis=1)
    following = np.take_along_axis(left, open_.argmax(axis=1)[:, None], 1)[:, 0]
    waiting = ~begun.any(axis=1) & open_.any(axis=1)
    return np.asarray(np.where(waiting, following, pending), dtype=np.int64)


def needed_workers(view: View) -> Ints:
    """[B] workers that could run all running and pending tasks at once."""
    tasks = view.active.sum(axis=1) + pending_tasks(view)
    return np.asarray(-(-tasks // view.cores), dtype=np.int64)


def idle_workers(view: View) -> Ints:
    """[B] serving workers without a task, if tasks fill as few workers as they can."""
    used = -(-view.active.sum(axis=1) // view.cores)
    return np.asarray(np.maximum(view.serving - used, 0), dtype=np.int64)


class _Reactive:
    """A baseline that remembers the values of the last steps."""

    def begin(self, library: Library, episodes: Episodes, config: SimulatorConfig) -> None:
        """New episodes (`kitwai.sim.judging.Controller`)."""
        self.step_s = config.step_s
        self._past: list[np.ndarray] = []

    def remember(self, window_s: float, values: np.ndarray) -> np.ndarray:
        """[steps, B] values of the last ``window_s`` seconds, oldest first, ``values`` [B] last."""
        steps = max(1, round(window_s / self.step_s))
        self._past = [*self._past, values][-steps:]
        return np.stack(self._past)

    def full(self, window_s: float) -> bool:
        """Whether a whole window has been seen."""
        return len(self._past) >= max(1, round(window_s / self.step_s))


class CpuThreshold(_Reactive):
    """One worker more above 80 % of CPU, and one worker fewer below 30 %.

    The rule of a scaling group with two alarms; the thresholds are this project's choice.
    """

    high, low = 0.8, 0.3

    def targets(self, view: View) -> Ints:
        """[B] worker counts to ask for now."""
        change = (view.busy > self.high).astype(np.int64) - (view.busy < self.low)
        return np.where(view.now > 0, view.workers + change, view.workers)


class Hpa(_Reactive):
    """Kubernetes' HorizontalPodAutoscaler (kubernetes/website,
    content/en/docs/tasks/run-application/horizontal-pod-autoscale.md).

    want = ceil(n * metric / target), unless the ratio lies within 0.1 of 1. Starting workers
    count as at target when shrinking, and as idle when growing. If that turns the direction, n is
    kept. A step goes up to max(2 n, n + 4) at most, and down to the highest want of the last 300 s.
    """

    tolerance, down_window_s = 0.1, 300.0

    def __init__(self, metric: str, target: float) -> None:
        """:param metric: ``cpu``, the share of busy slots, or ``backlog``, the running and pending
            tasks a slot. The backlog is the fair metric for batch work; KEDA uses it, and so does
            Airflow for its own workers.
        :param target: value of the metric to aim at.
        """
        self.metric, self.target = metric, target

    def targets(self, view: View) -> Ints:
        """[B] worker counts to ask for now."""
        ready = np.maximum(view.serving, 1)
        workers = np.maximum(view.workers, 1)
        if self.metric == "cpu":
            want = self._of_ready(view.busy / self.target, ready, workers)
            measured = view.now > 0
        else:
            load = (view.active.sum(axis=1) + pending_tasks(view)) / (workers * view.cores)
            ratio = load / self.target
            keep = np.abs(ratio - 1.0) <= self.tolerance
            want = np.where(keep, workers, np.ceil(workers * ratio))
            measured = np.ones(len(want), dtype=np.bool_)
        want = np.where(measured, want, workers).astype(np.int64)
        recent = self.remember(self.down_window_s, want).max(axis=0)
        up = np.minimum(want, np.maximum(2 * workers, workers + 4))
        down = np.minimum(recent, workers)
        return np.asarray(np.clip(np.where(want > workers, up, down), 1, view.max_workers))

    def _of_ready(self, ratio: Floats, ready: Ints, workers: Ints) -> Floats:
        missing = workers - ready
        filled = np.where(ratio < 1.0, ratio * ready + missing, ratio * ready) / workers
        turned = (filled - 1.0) * (ratio - 1.0) < 0
        filled = np.where(missing > 0, filled, ratio)
        keep = turned | (np.abs(filled - 1.0) <= self.tolerance)
        return np.where(keep, workers, np.ceil(workers * filled - 1e-9))


class Dataproc(_Reactive):
    """Google Dataproc (google/cloud/dataproc_v1/types/autoscaling_policies.py).

    Once a cooldown of 120 s: change = round(f * mean of (pending - free slots) / c), the mean over
    the cooldown. f = 1 up and down, which is the common setting; there is no least fraction.
    """

    cooldown_s, factor = 120.0, 1.0

    def begin(self, library: Library, episodes: Episodes, config: SimulatorConfig) -> None:
        """New episodes (`kitwai.sim.judging.Controller`)."""
        super().begin(library, episodes, config)
        self._next_s = np.full(len(episodes), self.cooldown_s)

    def targets(self, view: View) -> Ints:
        """[B] worker counts to ask for now."""
        free = view.workers * view.cores - view.active.sum(axis=1)
        short = (pending_tasks(view) - free) / view.cores
        exact = self.remember(self.cooldown_s, short).mean(axis=0)
        due = view.now >= self._next_s
        delta = np.where(due, np.rint(self.factor * exact), 0).astype(np.int64)
        self._next_s = np.where(due & (delta != 0), view.now + self.cooldown_s, self._next_s)
        return np.asarray(np.clip(view.workers + delta, 1, view.max_workers))


class Dask(_Reactive):
    """Dask's adaptive target (dask/distributed, distributed/scheduler.py,
    ``adaptive_target``), with the time left as its target duration.

    Threads = ceil((time of running and queued tasks) / target duration), at most one a task. All
    tasks that Spark shows count as queued, since they must fit into the time left. Only idle
    workers leave. A task of unknown time counts 0.5 s, Dask's own default. Dask's three suggestions
    a second apart all lie within one step.
    """

    unknown_s = 0.5

    def targets(self, view: View) -> Ints:
        """[B] worker counts to ask for now."""
        running = view.active.sum(axis=1)
        queued = np.where(view.ended, 0, view.tasks - view.complete - view.active).sum(axis=1)
        done = view.complete.sum(axis=1)
        mean_s = np.where(done > 0, view.run_s.sum(axis=1) / np.maximum(done, 1), self.unknown_s)
        left_s = np.maximum(view.limit_s - view.now, self.step_s)
        threads = np.ceil((0.5 * running + queued) * mean_s / left_s)
        want = np.ceil(np.minimum(threads, running + queued) / view.cores).astype(np.int64)
        shrunk = np.maximum(view.workers - idle_workers(view), 1)
        return np.where(want < view.workers, np.where(view.now > 0, shrunk, view.workers), want)


class SparkDynamicAllocation(_Reactive):
    """Spark's dynamic allocation (core/.../ExecutorAllocationManager.scala), one
    executor a worker.

    While tasks are pending it asks for 1, 2, 4, 8, ... more workers every second, up to the workers
    that run them all. Within a step of many seconds it reaches that. A worker that was idle for
    60 s leaves; its shuffle blocks are migrated, so nothing holds it.
    """

    idle_s = 60.0

    def targets(self, view: View) -> Ints:
        """[B] worker counts to ask for now."""
        need = needed_workers(view)
        idle = self.remember(self.idle_s, idle_workers(view)).min(axis=0)
        rounds = max(1, int(self.step_s))
        grown = np.minimum(need, view.workers + 2 ** min(rounds, 16) - 1)
        idle = idle if self.full(self.idle_s) else np.zeros_like(idle)
        shrunk = np.maximum(view.workers - idle, 1)
        growing = (need > view.workers) & (pending_tasks(view) > 0)
        return np.asarray(np.where(growing, grown, shrunk))


class Databricks(_Reactive):
    """Databricks' optimised autoscaling: up in two jumps, down after 40 s of low use.

    Up, while tasks are pending: to max(ceil((n + N) / 2), need), then to N. Down: a quarter of the
    workers leaves when less than half of the slots was in use over 40 s. Both shares are this
    project's choice; the product's shares are not public.
    """

    low, down_window_s, share = 0.5, 40.0, 0.25

    def begin(self, library: Library, episodes: Episodes, config: SimulatorConfig) -> None:
        """New episodes (`kitwai.sim.judging.Controller`)."""
        super().begin(library, episodes, config)
        self._jumped = np.zeros(len(episodes), dtype=np.bool_)

    def targets(self, view: View) -> Ints:
        """[B] worker counts to ask for now."""
        workers, most = view.workers, view.max_workers
        need = needed_workers(view)
        busy = self.remember(self.down_window_s, view.busy).max(axis=0)
        backlog = (pending_tasks(view) > 0) & (need > workers)
        half = np.maximum(-(-(workers + most) // 2), np.minimum(need, most))
        up = np.where(self._jumped, most, half)
        self._jumped = backlog
        calm = ~backlog & (busy < self.low) & self.full(self.down_window_s)
        fewer = workers - np.ceil(self.share * workers).astype(np.int64)
        down = np.maximum(fewer, 1)
        return np.where(backlog, up, np.where(calm, down, workers))
