"""The simulator's compiled inner loop: one application on its own workers, event by event.

Every function works on one row of `Rows`. What chance does to it stands in `kitwai.sim.chance`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange

from kitwai.core.forecast.arrays import Floats
from kitwai.sim import chance
from kitwai.sim.chance import factor_of, gap_of, lognormal, uniform, warm_up_of
from kitwai.sim.library import NONE, Ints

IDLE = -1


class Rows(NamedTuple):
    """The state of B running applications: P = 2 N places of workers, L = P x most cores slots, S
    stages, W = N + 1. A draining worker keeps its place until it is gone.
    """

    profile: Ints  # [B] position in the library
    now: Floats  # [B] seconds since the application's start
    finish: Floats  # [B] its end, inf while it runs
    seed: Any  # [B] uint64, of this realisation
    factor: Floats  # [B] hidden factor on all task times
    noise: Floats  # [B] sigma of the log of a task's own factor
    stragglers: Floats  # [B] share of tasks that take 3..``worst`` times as long
    worst: Floats  # [B] most times that a straggler takes as long
    start_noise: Floats  # [B] sigma of the log of a start-up time
    start_factor: Floats  # [B] factor on all start-up times
    warm_up: Floats  # [B] seconds that a slot's first task takes longer
    warm_up_noise: Floats  # [B] sigma of the log of each slot's warm-up
    contention: Floats  # [B] factor on tasks launched while two workers or more start
    slow_share: Floats  # [B] share of the time in which all tasks are slow
    slow_factor: Floats  # [B] factor on tasks launched then
    gap_noise: Floats  # [B] sigma of the log of a driver's gap
    gap_more_s: Floats  # [B] mean seconds added to a driver's gap
    death_s: Floats  # [B] when a worker is lost, inf for never
    launches: Ints  # [B] workers launched so far
    operations: Ints  # [B] scaling operations so far
    busy: Floats  # [B] slot-seconds in use during the last step
    offered: Floats  # [B] slot-seconds on offer during the last step
    launch: Floats  # [B, P] launch request, inf for a vacant place
    ready: Floats  # [B, P] when it takes tasks
    leave: Floats  # [B, P] when it is gone, inf while it stays
    slot_end: Floats  # [B, L] end of the task under way
    slot_run: Floats  # [B, L] its run time
    slot_stage: Ints  # [B, L] its stage, or IDLE
    slot_count: Ints  # [B, L] workers serving when it was launched
    slot_last: Ints  # [B, L] stage of the last task it was given, or IDLE before the first
    slot_first: Ints  # [B, L] 1 where the task under way is the slot's first, else 0
    next_task: Ints  # [B, S] first task not launched yet, counted in the stage
    redo: Ints  # [B, S] tasks to run again because their worker was lost
    active: Ints  # [B, S] tasks under way
    complete: Ints  # [B, S] finished tasks
    run_s: Floats  # [B, S] run time of finished tasks
    began: Floats  # [B, S] launch of the first task, inf before
    end_s: Floats  # [B, S] end of the last finished task
    ready_at: Floats  # [B, S] when its tasks may start, inf while a parent runs
    submitted: Floats  # [B, S] when Spark shows the stage
    cell_n: Floats  # [B, S, W] finished tasks by the workers serving at their launch
    cell_s: Floats  # [B, S, W] their run time
    first_n: Floats  # [B, S, W] how many of them were their slot's first task
    first_s: Floats  # [B, S, W] the run time of these
    held: Ints  # [B, P, S] finished tasks whose output lies on a worker


class Shapes(NamedTuple):
    """The arrays of `kitwai.sim.library.Library` that the loop reads."""

    task_s: Floats
    first_task: Ints
    tasks: Ints
    gap_s: Floats
    waits_for: Ints
    job: Ints
    stages: Ints
    cores: Ints
    slowdown: Floats
    stage_first_s: Floats


class Constants(NamedTuple):
    """Times of the cluster in seconds (`kitwai.sim.simulator.SimulatorConfig`)."""

    start_delay: float
    start_stagger: float
    drain: float
    first_task: float
    task_overhead: float
    stage_overhead: float
    recompute: bool


@njit(cache=True)
def enter(b: Any, lib: Any, rows: Any) -> None:
    """Note which stages may start after others have ended, and when Spark shows them."""
    p = rows.profile[b]
    for s in range(lib.stages[p]):
        if rows.ready_at[b, s] < np.inf:
            continue
        ended, free = 0.0, True
        for d in range(lib.waits_for.shape[2]):
            w = lib.waits_for[p, s, d]
            if w == NONE:
                break
            if rows.complete[b, w] < lib.tasks[p, w]:
                free = False
                break
            ended = max(ended, rows.end_s[b, w])
        if free:
            rows.ready_at[b, s] = ended + gap_of(b, s, lib.gap_s[p, s], rows)
            if rows.submitted[b, s] == np.inf:
                for other in range(lib.stages[p]):
                    if lib.job[p, other] == lib.job[p, s]:
                        rows.submitted[b, other] = rows.ready_at[b, s]


@njit(cache=True)
def scale(b: Any, target: Any, warm: Any, lib: Any, rows: Any, constants: Any) -> None:
    """Launch workers in free places, or tell workers to leave: starting workers first, then the
    workers with the fewest running tasks.

    :param warm: number of launches that need no start-up, as another application left a worker.
    """
    now, cores = rows.now[b], lib.cores[rows.profile[b]]
    places = rows.launch.shape[1]
    width = rows.slot_end.shape[1] // places
    staying = 0
    for w in range(places):
        if rows.launch[b, w] < np.inf and rows.leave[b, w] == np.inf:
            staying += 1
    if target == staying:
        return
    rows.operations[b] += 1
    started = 0
    for w in range(places):
        if staying >= target:
            break
        if rows.launch[b, w] < np.inf and rows.leave[b, w] > now:
            continue
        if started < warm:
            delay = 0.0
        else:
            delay = constants.start_delay + constants.start_stagger * (started - warm)
            delay *= lognormal(rows.seed[b], chance.START, rows.launches[b], rows.start_noise[b])
            delay *= rows.start_factor[b]
        rows.launches[b] += 1
        rows.launch[b, w] = now
        rows.ready[b, w] = now + delay
        rows.leave[b, w] = np.inf
        for c in range(width):
            rows.slot_stage[b, w * width + c] = IDLE
            rows.slot_last[b, w * width + c] = IDLE
        for s in range(rows.held.shape[2]):
            rows.held[b, w, s] = 0
        started += 1
        staying += 1
    while staying > target:
        best, fewest = -1, np.inf
        for w in range(places):
            if rows.launch[b, w] == np.inf or rows.leave[b, w] < np.inf:
                continue
            running = 0.0
            if rows.ready[b, w] > now:
                running = -1.0
            else:
                for c in range(cores):
                    running += rows.slot_stage[b, w * width + c] != IDLE
            if running < fewest:
                best, fewest = w, running
        gone = now
        if fewest >= 0.0:
            for c in range(cores):
                if rows.slot_stage[b, best * width + c] != IDLE:
                    gone = max(gone, rows.slot_end[b, best * width + c])
            gone += constants.drain
        rows.leave[b, best] = gone
        staying -= 1


@njit(cache=True)
def _lose_worker(b: Any, now: Any, lib: Any, rows: Any, constants: Any) -> None:
    """Lose one worker. Its running tasks run again, and so do tasks whose outputs are still needed.
    Spark finds out by fetch failures; the simulator knows at once.
    """
    p = rows.profile[b]
    places = rows.launch.shape[1]
    width = rows.slot_end.shape[1] // places
    serving = 0
    for w in range(places):
        serving += rows.launch[b, w] < np.inf and rows.leave[b, w] == np.inf
    if serving == 0:
        return
    nth = int(uniform(rows.seed[b], chance.VICTIM, 0) * serving)
    victim = -1
    for w in range(places):
        if rows.launch[b, w] < np.inf and rows.leave[b, w] == np.inf:
            if nth == 0:
                victim = w
                break
            nth -= 1
    rows.leave[b, victim] = now
    for c in range(width):
        s = rows.slot_stage[b, victim * width + c]
        if s != IDLE:
            rows.slot_stage[b, victim * width + c] = IDLE
            rows.active[b, s] -= 1
            rows.redo[b, s] += 1
    if not constants.recompute:
        return
    for s in range(lib.stages[p]):
        lost = rows.held[b, victim, s]
        if lost == 0:
            continue
        needed = rows.complete[b, s] < lib.tasks[p, s]
        for child in range(lib.stages[p]):
            if needed or rows.complete[b, child] == lib.tasks[p, child]:
                continue
            for d in range(lib.waits_for.shape[2]):
                # A stage of a later job waits for it too, but needs no shuffle output of it.
                if lib.waits_for[p, child, d] == s and lib.job[p, child] == lib.job[p, s]:
                    needed = True
        rows.held[b, victim, s] = 0
        if not needed:
            continue
        rows.redo[b, s] += lost
        rows.complete[b, s] -= lost
        for child in range(lib.stages[p]):
            for d in range(lib.waits_for.shape[2]):
                if lib.waits_for[p, child, d] == s:
                    rows.ready_at[b, child] = np.inf


@njit(cache=True)
def run(b: Any, until: Any, lib: Any, rows: Any, constants: Any) -> None:
    """Let one application run until ``until`` or its end."""
    p = rows.profile[b]
    stages, cores = lib.stages[p], lib.cores[p]
    places = rows.launch.shape[1]
    width = rows.slot_end.shape[1] // places
    now = rows.now[b]
    rows.busy[b] = 0.0
    rows.offered[b] = 0.0
    first = 0
    while True:
        while first < stages and rows.complete[b, first] == lib.tasks[p, first]:
            first += 1
        if first == stages:
            break
        # Hand out tasks: the earliest stage that may start first, to any idle slot.
        serving, starting = 0, 0
        event = until
        for w in range(places):
            if rows.launch[b, w] < np.inf and rows.leave[b, w] == np.inf:
                starting += rows.ready[b, w] + chance.CONTENTION_S > now
                if rows.ready[b, w] <= now:
                    serving += 1
                elif rows.ready[b, w] < event:
                    event = rows.ready[b, w]
        s = first
        running = 0
        slots = max(1, min(serving * cores, lib.slowdown.shape[1] - 1))
        for w in range(places):
            if rows.launch[b, w] == np.inf or rows.leave[b, w] <= now:
                continue
            takes = rows.leave[b, w] == np.inf and rows.ready[b, w] <= now
            for c in range(cores):
                slot = w * width + c
                if rows.slot_stage[b, slot] == IDLE and takes:
                    while s < stages and not (
                        rows.ready_at[b, s] <= now
                        and (rows.redo[b, s] > 0 or rows.next_task[b, s] < lib.tasks[p, s])
                    ):
                        s += 1
                    if s < stages:
                        task = lib.first_task[p, s]
                        if rows.redo[b, s] > 0:
                            # Any task may be repeated; the choice is spread evenly.
                            rows.redo[b, s] -= 1
                            task += (rows.redo[b, s] * 7919) % lib.tasks[p, s]
                        else:
                            task += rows.next_task[b, s]
                            rows.next_task[b, s] += 1
                            rows.began[b, s] = min(rows.began[b, s], now)
                        time = lib.task_s[task] * lib.slowdown[p, slots] * rows.factor[b]
                        time *= factor_of(b, task, now, starting, rows)
                        time += constants.task_overhead
                        rows.slot_first[b, slot] = rows.slot_last[b, slot] == IDLE
                        if rows.slot_last[b, slot] == IDLE:
                            warm_up = warm_up_of(b, task, starting, rows)
                            warm_up = max(warm_up, constants.first_task)
                            time += max(warm_up, lib.stage_first_s[p, s])
                        elif rows.slot_last[b, slot] != s:
                            time += lib.stage_first_s[p, s]
                        rows.slot_last[b, slot] = s
                        rows.slot_stage[b, slot] = s
                        rows.slot_run[b, slot] = time
                        rows.slot_end[b, slot] = now + time
                        rows.slot_count[b, slot] = serving
                        rows.active[b, s] += 1
                if rows.slot_stage[b, slot] != IDLE:
                    running += 1
                    event = min(event, rows.slot_end[b, slot])
        for s in range(first, stages):
            if now < rows.ready_at[b, s] < event:
                event = rows.ready_at[b, s]
        if now < rows.death_s[b] < event:
            event = rows.death_s[b]
        rows.busy[b] += running * (event - now)
        rows.offered[b] += serving * cores * (event - now)
        if event >= until:
            now = until
            break
        now = event
        if now == rows.death_s[b]:
            rows.death_s[b] = np.inf
            _lose_worker(b, now, lib, rows, constants)
            first = 0
        ended = False
        for w in range(places):
            if rows.launch[b, w] == np.inf:
                continue
            for c in range(cores):
                slot = w * width + c
                s = rows.slot_stage[b, slot]
                if s != IDLE and rows.slot_end[b, slot] <= now:
                    rows.slot_stage[b, slot] = IDLE
                    rows.active[b, s] -= 1
                    rows.complete[b, s] += 1
                    rows.run_s[b, s] += rows.slot_run[b, slot]
                    rows.cell_n[b, s, rows.slot_count[b, slot]] += 1.0
                    rows.cell_s[b, s, rows.slot_count[b, slot]] += rows.slot_run[b, slot]
                    if rows.slot_first[b, slot]:
                        rows.first_n[b, s, rows.slot_count[b, slot]] += 1.0
                        rows.first_s[b, s, rows.slot_count[b, slot]] += rows.slot_run[b, slot]
                    rows.held[b, w, s] += 1
                    if rows.complete[b, s] == lib.tasks[p, s]:
                        rows.end_s[b, s] = now + constants.stage_overhead
                        ended = True
        if ended:
            enter(b, lib, rows)
            first = 0
    rows.now[b] = now
    if first == stages:
        rows.finish[b] = now


@njit(cache=True, parallel=True)
def step(targets: Ints, warm: Ints, step_s: float, lib: Any, rows: Any, constants: Any) -> None:
    """Scale and run all rows that have not ended for ``step_s`` seconds."""
    for b in prange(len(targets)):
        if rows.finish[b] == np.inf:
            scale(b, targets[b], warm[b], lib, rows, constants)
            run(b, rows.now[b] + step_s, lib, rows, constants)


@njit(cache=True)
def start(which: Ints, workers: Ints, lib: Any, rows: Any) -> None:
    """Begin the rows ``which`` anew, on ``workers`` workers that take tasks at once."""
    for index in range(len(which)):
        b = which[index]
        rows.now[b] = 0.0
        rows.finish[b] = np.inf
        rows.launches[b] = 0
        rows.operations[b] = 0
        rows.busy[b] = 0.0
        rows.offered[b] = 0.0
        rows.launch[b] = np.inf
        rows.ready[b] = np.inf
        rows.leave[b] = np.inf
        rows.slot_stage[b] = IDLE
        rows.slot_last[b] = IDLE
        rows.launch[b, : workers[index]] = 0.0
        rows.ready[b, : workers[index]] = 0.0
        rows.next_task[b] = 0
        rows.redo[b] = 0
        rows.active[b] = 0
        rows.complete[b] = 0
        rows.run_s[b] = 0.0
        rows.began[b] = np.inf
        rows.end_s[b] = 0.0
        rows.ready_at[b] = np.inf
        rows.submitted[b] = np.inf
        rows.cell_n[b] = 0.0
        rows.cell_s[b] = 0.0
        rows.first_n[b] = 0.0
        rows.first_s[b] = 0.0
        rows.held[b] = 0
        enter(b, lib, rows)
