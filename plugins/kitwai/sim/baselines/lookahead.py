"""Baselines that simulate the rest of the run under constant targets before each decision.

They simulate with the family's other runs. The stages, their order and the shape of their task
times come from the run with the nearest inputs. The total work at every worker count comes from a
log-log fit over all runs. Both are corrected by the finished tasks' time over their expected time.

Where nothing is known of the family, the stages that Spark shows run one after another. Their tasks
take the mean time of the finished tasks at every count. Before any task has finished the present
count is kept, which is the cheap answer. Once a tenth of the limit has passed the answer is N, the
safe answer that `RemainingWork` gives at once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange

from kitwai.core.forecast.arrays import Floats, Ints, View
from kitwai.sim.baselines.fits import fits_of, true_work_s
from kitwai.sim.episodes import Episodes
from kitwai.sim.library import NONE, Library
from kitwai.sim.simulator import SimulatorConfig

PRIOR_SHARE = 0.05
"""The expected work counts like this share of a run that went as expected."""

WAIT_SHARE = 0.1
"""Share of the limit for which a baseline that knows nothing waits for the first finished task."""


class Expected(NamedTuple):
    """The past runs, as the compiled functions read them; P profiles, W = most workers + 1."""

    task_s: Floats  # [all tasks]
    before_s: Floats  # [all tasks + 1] their running sum
    first_task: Ints  # [P, S + 1]
    tasks: Ints  # [P, S]
    gap_s: Floats  # [P, S]
    waits_for: Ints  # [P, S, D]
    template: Ints  # [B] profile whose stages are expected, or NONE
    ratio: Floats  # [B, W] expected task time at n workers over the template's own


class Shown(NamedTuple):
    """The view, as the compiled functions read it: [B], [B, S] or [B, S, W]."""

    workers: Ints
    serving: Ints
    cores: Ints
    tasks: Ints
    active: Ints
    complete: Ints
    run_s: Floats
    ended: Any
    cell_n: Floats


class Lookahead:
    """Asks for the cheapest constant target that ends within margin * T.

    If no target does, it asks for the target with the earliest end. The cost is n workers until the
    end, and the drain of the workers that would leave.

    With ``reach`` it is model-predictive control: only targets within so many workers of the
    present count are tried. A penalty on minutes late would outweigh any cost here.
    """

    def __init__(self, margin: float, reach: int | None = None, *, true: bool = False) -> None:
        """:param true: simulate with the run's own profile instead. That is no fair baseline, but a
        yardstick for the worth of a perfect fit.
        """
        self.margin, self.reach, self.true = margin, reach, true

    def begin(self, library: Library, episodes: Episodes, config: SimulatorConfig) -> None:
        """New episodes (`kitwai.sim.judging.Controller`)."""
        profile = episodes.profile
        if self.true:
            template, work_s = profile, true_work_s(library)[profile]
        else:
            fits = fits_of(library, config)
            template = np.where(episodes.informed, fits.nearest[profile], NONE)
            work_s = fits.work_s[profile]
        reference = np.where(template == NONE, 1.0, library.work_s[template])
        self._config = config
        self._expected = Expected(
            library.task_s,
            np.concatenate([[0.0], np.cumsum(library.task_s)]),
            library.first_task,
            library.tasks,
            library.gap_s,
            library.waits_for,
            np.asarray(template),
            np.asarray(work_s / reference[:, None]),
        )

    def targets(self, view: View) -> Ints:
        """[B] worker counts to ask for now."""
        most = view.max_workers
        lowest, highest = np.ones_like(most), most
        if self.reach is not None:
            lowest = np.clip(view.workers - self.reach, 1, most)
            highest = np.clip(view.workers + self.reach, 1, most)
        shown = Shown(*(getattr(view, name) for name in Shown._fields))
        targets: Ints = _choose(
            lowest,
            highest,
            np.where(view.now < WAIT_SHARE * view.limit_s, view.workers, highest),
            self.margin * view.limit_s - view.now,
            self._config.start_delay_s,
            self._config.drain_s,
            shown,
            self._expected,
        )
        return targets


@njit(cache=True, parallel=True)
def _choose(
    lowest: Any,
    highest: Any,
    blind: Any,
    left_s: Any,
    delay: Any,
    drain: Any,
    shown: Any,
    expected: Any,
) -> Any:
    """[B] targets in ``lowest``..``highest``; ``blind`` where the task times are unknown.

    :param left_s: [B] seconds until margin * T.
    """
    rows, stages = shown.tasks.shape
    targets = np.empty(rows, dtype=np.int64)
    for b in prange(rows):
        plan = np.zeros((7, stages))
        if not _plan(b, plan, shown, expected):
            targets[b] = blind[b]
            continue
        if plan[_PENDING].sum() + plan[_RUNNING].sum() == 0.0:
            targets[b] = shown.workers[b]
            continue
        best, least, earliest = -1, np.inf, np.inf
        for n in range(lowest[b], highest[b] + 1):
            draining = drain * max(shown.workers[b] - n, 0)
            # A target is followed only as long as it can still be chosen.
            bound = max(left_s[b], earliest)
            if least < np.inf:
                bound = min(left_s[b], (least - draining) / n)
            end = _time_left(b, n, bound, delay, plan, shown, expected)
            if end <= left_s[b]:
                if n * end + draining < least:
                    best, least = n, n * end + draining
            elif least == np.inf and end < earliest:
                best, earliest = n, end
        targets[b] = best if best > 0 else highest[b]
    return targets


_PENDING, _RUNNING, _NEXT, _TASKS, _FIRST, _COUNT, _SCALE = range(7)
# Rows of a plan, [7, S]: tasks not launched; tasks under way; finished tasks; all tasks; the
# template stage's first task; its number of tasks, 0 if there is no such stage; the factor on its
# task times, or seconds a task if there is no such stage.


@njit(cache=True)
def _plan(b: Any, plan: Any, shown: Any, expected: Any) -> Any:
    """Fill the plan of row ``b``; False if the task times are unknown."""
    template = expected.template[b]
    finished, run_s = 0, 0.0
    for s in range(shown.tasks.shape[1]):
        finished += shown.complete[b, s]
        run_s += shown.run_s[b, s]
    if template < 0 and finished == 0:
        return False
    # The tasks of a stage that the template lacks take the mean time of all finished tasks.
    mean_s = run_s / finished if finished > 0 else 0.0
    total_s, expected_s, found_s = 0.0, 0.0, 0.0
    for s in range(shown.tasks.shape[1]):
        tasks, known = shown.tasks[b, s], 0
        if template >= 0:
            known = expected.tasks[template, s]
            if tasks == 0:
                tasks = known
        if tasks == 0:
            continue
        complete = shown.complete[b, s]
        if not shown.ended[b, s]:
            plan[_PENDING, s] = max(tasks - complete - shown.active[b, s], 0)
            plan[_RUNNING, s] = shown.active[b, s]
        plan[_NEXT, s] = complete
        plan[_TASKS, s] = tasks
        plan[_COUNT, s] = known
        plan[_SCALE, s] = shown.run_s[b, s] / complete if complete > 0 else mean_s
        if known > 0:
            first = expected.first_task[template, s]
            plan[_FIRST, s] = first
            plan[_SCALE, s] = known / tasks
            sums = expected.before_s
            total_s += sums[first + known] - sums[first]
            if complete > 0:
                # Tasks are launched in order, so about the first tasks have finished.
                done = min(known, max(1, round(complete * known / tasks)))
                mean = (sums[first + done] - sums[first]) / done * known / tasks
                for n in range(1, expected.ratio.shape[1]):
                    expected_s += shown.cell_n[b, s, n] * mean * expected.ratio[b, n]
                found_s += shown.run_s[b, s]
    if template >= 0:
        ratio = expected.ratio[b, max(1, min(shown.serving[b], expected.ratio.shape[1] - 1))]
        prior = PRIOR_SHARE * total_s * ratio
        factor = (prior + found_s) / (prior + expected_s) if prior > 0.0 else 1.0
        for s in range(plan.shape[1]):
            if plan[_COUNT, s] > 0:
                plan[_SCALE, s] *= factor
    return True


@njit(cache=True)
def _task_s(b: Any, s: Any, index: Any, serving: Any, plan: Any, expected: Any) -> Any:
    """Expected seconds of the stage's task number ``index`` while ``serving`` workers serve."""
    known = int(plan[_COUNT, s])
    if known == 0:
        return plan[_SCALE, s]
    # With more or fewer tasks than the template's stage, its shape is stretched.
    task = int(plan[_FIRST, s]) + min(index * known // int(plan[_TASKS, s]), known - 1)
    n = max(1, min(serving, expected.ratio.shape[1] - 1))
    return expected.task_s[task] * plan[_SCALE, s] * expected.ratio[b, n]


@njit(cache=True)
def _ready(b: Any, ready: Any, end: Any, left: Any, shown: Any, expected: Any) -> None:
    """Set when a stage may start, once all tasks of its predecessors are launched."""
    template = expected.template[b]
    for s in range(len(ready)):
        if ready[s] < np.inf or left[s] == 0.0:
            continue
        start, free = 0.0, True
        if template >= 0 and expected.tasks[template, s] > 0:
            for d in range(expected.waits_for.shape[2]):
                w = expected.waits_for[template, s, d]
                if w < 0:
                    break
                free = free and left[w] == 0.0
                start = max(start, end[w])
            start += expected.gap_s[template, s]
        else:
            for w in range(s):
                free = free and left[w] == 0.0
                start = max(start, end[w])
        if free:
            ready[s] = start


@njit(cache=True)
def _replace_least(heap: Any, size: Any, value: Any) -> None:
    """Replace the least entry of a binary heap by a larger one."""
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = value


@njit(cache=True)
def _time_left(b: Any, n: Any, bound: Any, delay: Any, plan: Any, shown: Any, expected: Any) -> Any:
    """Seconds until the application ends if ``n`` workers are held from now on; inf if more than
    ``bound``.

    List scheduling: the slot that is free first takes the next task of the earliest stage that may
    start. Workers that start already serve after half of the start-up time, new workers after all.
    """
    stages = plan.shape[1]
    cores = shown.cores[b]
    serving = min(n, shown.serving[b])
    begun = min(n, max(shown.workers[b], serving)) - serving
    left, end = plan[_PENDING].copy(), np.zeros(stages)
    ready = np.full(stages, np.inf)
    size = n * cores
    slots = np.zeros(size)
    at = 0
    for s in range(stages):
        running = int(plan[_RUNNING, s])
        if running > 0 or plan[_NEXT, s] > 0:
            ready[s] = 0.0
        for j in range(running):
            # Some tasks under way have just begun, and others are nearly done.
            time = _task_s(b, s, int(plan[_NEXT, s]) + j, serving, plan, expected)
            time *= (j + 0.5) / running
            end[s] = max(end[s], time)
            if at < serving * cores:
                slots[at] = time
                at += 1
    for slot in range(serving * cores, size):
        slots[slot] = 0.5 * delay if slot < (serving + begun) * cores else delay
    slots.sort()
    next_task = plan[_NEXT] + plan[_RUNNING]
    _ready(b, ready, end, left, shown, expected)
    pending = left.sum()
    while pending > 0.0:
        now = slots[0]
        if now > bound:
            return np.inf
        stage, soonest = -1, np.inf
        for s in range(stages):
            if left[s] > 0.0:
                if ready[s] <= now:
                    stage = s
                    break
                soonest = min(soonest, ready[s])
        if stage < 0:
            if soonest == np.inf:
                return np.inf
            _replace_least(slots, size, soonest)
            continue
        count = serving
        if begun > 0 and now >= 0.5 * delay:
            count += begun
        if now >= delay:
            count = n
        time = _task_s(b, stage, int(next_task[stage]), count, plan, expected)
        next_task[stage] += 1.0
        left[stage] -= 1.0
        pending -= 1.0
        end[stage] = max(end[stage], now + time)
        _replace_least(slots, size, now + time)
        if left[stage] == 0.0:
            _ready(b, ready, end, left, shown, expected)
    last = end.max()
    return last if last <= bound else np.inf
