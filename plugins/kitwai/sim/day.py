"""A day of a shared cluster: applications arrive, overlap, and each has its own limit.

Every application has a target of its own from the policy, which sees nothing of the others. The
cluster cuts the sum of the targets to its size (`Sharing`).

A worker belongs to one application at a time. When an application gives a worker up, the worker
ends its tasks and hands its blocks over (the simulator's drain). Then it is idle. Idle workers go
to the next application that asks for workers, without start-up. Workers that were idle for
``keep_idle_s`` are removed, down to ``min_workers`` in all. An application without workers waits,
and its time runs.

`kitwai.sim.arrivals` draws the applications. An application begins with up to
``SimulatorConfig.start_workers`` of the idle workers and asks for more in the same step. Every
worker is paid from its launch request to its removal, idle or not. The day ends after its hours, or
with its last application if that is later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from kitwai.core.forecast.arrays import Bools, Floats, Ints
from kitwai.sim.arrivals import Day
from kitwai.sim.judging import Constant, Controller
from kitwai.sim.simulator import Simulator

OVERTIME_S = 2 * 3600.0
"""An application that has not ended so long after the day's end is given up."""

MET_SHARE, HOURS_SHARE = 0.995, 0.5
"""A policy wins the day if it meets at least `MET_SHARE` of the limits that always-N meets.

Also it must use at most `HOURS_SHARE` of the worker-hours of `best_constant` for as many limits as
always-N."""


class Sharing(Enum):
    """How applications share too few workers: in which order targets are met.

    ``DEADLINE``: the earliest deadline first. Applications past their deadline come last, but an
    application that has workers keeps one. ``FIFO``: first come, first served, as a Spark
    standalone master does. ``FAIR``: equal shares, none above its target.
    """

    DEADLINE = "deadline"
    FIFO = "fifo"
    FAIR = "fair"


@dataclass(frozen=True, slots=True)
class DayResult:
    """How a day of E applications and K steps went.

    ``feasible_met``: limits met among the ``feasible`` applications; ``worker_hours``: all paid
    hours; ``idle_hours``: the part that no application used; ``late_min``: mean minutes late an
    application; ``waited_min``: mean minutes without any worker; ``operations``: mean scaling
    operations; ``most_workers``: most workers at any moment.

    ``finish_s`` [E]: seconds from arrival to end, inf for an application that was given up;
    ``workers`` [K]: workers after the decision, which is the most in the step; ``spent`` [K]: their
    worker-seconds in the step.
    """

    applications: int
    feasible: int
    limits_met: int
    feasible_met: int
    worker_hours: float
    idle_hours: float
    late_min: float
    waited_min: float
    operations: float
    most_workers: int
    finish_s: Floats
    workers: Ints
    spent: Floats

    def summary(self) -> dict[str, int | float]:
        """The numbers without the arrays, rounded."""
        fields = ((name, getattr(self, name)) for name in self.__slots__)
        return {
            name: round(value, 4) for name, value in fields if not isinstance(value, np.ndarray)
        }


def run_day(
    day: Day,
    controller: Controller,
    *,
    sharing: Sharing = Sharing.DEADLINE,
    progress: Callable[[float], None] = lambda hours: None,
) -> DayResult:
    """Let a policy run the day.

    The controller begins with all applications of the day. An application that does not run shows
    no tasks and ended stages; its target is ignored.

    :param progress: called after each step with the hours that have passed in it.
    """
    cluster = _Cluster(day)
    controller.begin(day.library, day.episodes, day.simulator)
    step_s, end_s = day.simulator.step_s, 3600.0 * day.config.hours
    now = 0.0
    while now < end_s or (cluster.running.any() and now < end_s + OVERTIME_S):
        cluster.admit(now)
        running = np.flatnonzero(cluster.running)
        wants = np.zeros(0, dtype=np.int64)
        if len(running):
            view = cluster.simulator.view()
            view = replace(view, ended=view.ended | ~cluster.running[:, None])
            asked = np.asarray(controller.targets(view))[running]
            wants = np.clip(asked, 1, day.episodes.max_workers[running])
        cluster.step(now, running, wants, sharing)
        now += step_s
        progress(step_s / 3600.0)
    return cluster.result()


def constant_day(
    day: Day,
    workers: int,
    *,
    sharing: Sharing = Sharing.FAIR,
    progress: Callable[[float], None] = lambda hours: None,
) -> DayResult:
    """The day on a constant cluster. Every application takes as many workers as it can get.

    :param sharing: ``FAIR``, as with dynamic allocation, or ``FIFO``, as plain Spark standalone.
    """
    config = replace(day.config, cluster_workers=workers, min_workers=workers)
    return run_day(replace(day, config=config), Constant(), sharing=sharing, progress=progress)


def best_constant(
    day: Day,
    met: int,
    *,
    progress: Callable[[int], None] = lambda workers: None,
) -> tuple[int, Sharing, DayResult] | None:
    """The smallest constant cluster that meets at least ``met`` limits, in either sharing.

    Sizes are tried from the most workers down, until `_GIVE_UP` sizes in a row have met too few.
    More workers do not always meet more limits, so the first failure does not end the search.

    :param progress: called with each size before it is tried.
    :returns: its workers, sharing and result; None if no size meets enough limits.
    """
    best, failed = None, 0
    for workers in range(day.config.cluster_workers, 0, -1):
        progress(workers)
        for sharing in (Sharing.FAIR, Sharing.FIFO):
            result = constant_day(day, workers, sharing=sharing)
            if result.limits_met >= met:
                best, failed = (workers, sharing, result), -1
                break
        failed += 1
        if failed == _GIVE_UP:
            break
    return best


_GIVE_UP = 4


def wins(result: DayResult, always: DayResult, constant: DayResult) -> bool:
    """Whether a policy's result meets `MET_SHARE` and `HOURS_SHARE`.

    :param always: result of always-N; ``constant``: result of `best_constant` for as many limits.
    """
    enough = result.limits_met >= MET_SHARE * always.limits_met
    return enough and result.worker_hours <= HOURS_SHARE * constant.worker_hours


def share(wants: Ints, holds: Ints, room: int, sharing: Sharing) -> Ints:
    """[R] workers granted to R applications in the order of their claim, ``room`` in all at most.

    :param wants: [R] their targets; ``holds``: [R] the workers that they have.
    """
    if sharing is Sharing.FAIR:
        grants = np.zeros_like(wants)
        while (open_ := np.flatnonzero(grants < wants)).size and grants.sum() < room:
            grants[open_[: room - int(grants.sum())]] += 1
        return grants
    grants = np.minimum(holds, 1) if sharing is Sharing.DEADLINE else np.zeros_like(holds)
    for at, want in enumerate(wants):
        grants[at] += max(0, min(want - grants[at], room - int(grants.sum())))
    return grants


class _Cluster:
    """The workers of the day: the applications' workers, in the simulator, and the idle workers."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.simulator = Simulator(day.library, len(day), day.simulator)
        self.simulator.max_workers[:] = day.episodes.max_workers
        self.simulator.limit_s[:] = day.episodes.limit_s
        self._arrived = 0
        # When each idle worker became idle, in seconds of the day. If that is later, it starts.
        self._idle = [0.0] * day.config.min_workers
        self._waited_s = np.zeros(len(day))
        self._workers: list[int] = []
        self._spent: list[float] = []
        self._idle_seconds = 0.0

    @property
    def running(self) -> Bools:
        """[E] whether an application has arrived and not ended."""
        return ~self.simulator.done & (np.arange(len(self.day)) < self._arrived)

    def admit(self, now: float) -> None:
        """Begin the applications that have arrived, on idle workers."""
        episodes = self.day.episodes
        while self._arrived < len(self.day) and self.day.arrival_s[self._arrived] <= now:
            row = np.array([self._arrived])
            most = min(self.day.simulator.start_workers, int(episodes.max_workers[row[0]]))
            self.simulator.reset(
                episodes.profile[row],
                episodes.max_workers[row],
                episodes.limit_s[row],
                rows=row,
                realisation=episodes.realisation.take(row),
                start_workers=np.array([self._take(most, now)]),
            )
            self._arrived += 1

    def step(self, now: float, running: Ints, wants: Ints, sharing: Sharing) -> None:
        """Share the workers among ``running`` [R] with targets ``wants`` [R]; let a step pass."""
        targets, warm, there = self._targets(now, running, wants, sharing)
        self._keep_idle(now, there)
        until = now + self.day.simulator.step_s
        idle_s = len(self._idle) * (until - now)
        spent = 0.0
        count = len(self._idle)
        if len(running):
            stayed = self._staying(running)
            before = self.simulator.now[running]
            done = self.simulator.step(targets, warm, targets == 0)
            spent = float(done.worker_seconds.sum())
            launch, ready, leave = (times[running] for times in self.simulator.lifetimes)
            start = before[:, None]
            # A worker that leaves at once counts as idle from the start of the step.
            there_now = (launch <= start) & ((leave > start) | (stayed & (ready <= start)))
            count += int(there_now.sum())
            for paid_from, since in self._freed(running, stayed, before):
                idle_s += until - paid_from
                self._idle.append(since)
            self._waited_s[running[targets[running] == 0]] += until - now
        self._workers.append(count)
        self._spent.append(spent + idle_s)
        self._idle_seconds += idle_s

    def _targets(
        self, now: float, running: Ints, wants: Ints, sharing: Sharing
    ) -> tuple[Ints, Ints, int]:
        """[E] targets, [E] warm launches, and the number of the applications' workers after them.

        An application gives workers up now. The application that gets them waits until they are
        free.
        """
        config, simulator = self.day.config, self.simulator
        launch, _, leave = (times[running] for times in simulator.lifetimes)
        present = np.isfinite(launch) & (leave > simulator.now[running, None])
        places = launch.shape[1] - present.sum(axis=1)
        held = self._staying(running).sum(axis=1)
        order = np.arange(len(running))
        if sharing is Sharing.DEADLINE:
            deadline = self.day.arrival_s[running] + self.day.episodes.limit_s[running]
            order = np.lexsort((deadline, deadline < now))
        granted = share(wants[order], held[order], config.cluster_workers, sharing)
        there = int(present.sum())
        targets = np.zeros(len(self.day), dtype=np.int64)
        warm = np.zeros_like(targets)
        for at, most in zip(order, granted, strict=True):
            row, keeps = running[at], int(min(held[at], most))
            missing = min(int(most) - keeps, int(places[at]))
            warm[row] = self._take(missing, now)
            there += int(warm[row])
            cold = min(missing - int(warm[row]), config.cluster_workers - there - len(self._idle))
            there += cold
            targets[row] = keeps + warm[row] + cold
        return targets, warm, there

    def _staying(self, running: Ints) -> Bools:
        """[R, P] whether a place holds a worker that has not been told to leave."""
        launch, _, leave = self.simulator.lifetimes
        return np.isfinite(launch[running]) & np.isinf(leave[running])

    def _freed(self, running: Ints, stayed: Bools, before: Floats) -> list[tuple[float, float]]:
        """Of every worker that the step has freed, two moments in seconds of the day: up to when
        its application has paid for it, and when it can serve another application.

        Workers that were told to leave while they started are gone, and so are lost workers.

        :param stayed: [R, P] `_staying` before the step; ``before``: [R] seconds since the start.
        """
        simulator = self.simulator
        launch, ready, leave = (times[running] for times in simulator.lifetimes)
        after = simulator.now[running][:, None]
        lost = leave == self.day.episodes.realisation.death_s[running][:, None]
        left = (leave > before[:, None]) & (leave <= after) & (ready <= leave) & ~lost
        at_once = stayed & (leave <= before[:, None]) & (ready <= leave)
        # The end frees draining workers too: nobody needs their blocks any more.
        ended = simulator.done[running][:, None] & np.isfinite(launch) & (leave > after)
        paid = np.where(ended, after, leave)
        since = np.where(ended, np.maximum(after, ready), leave)
        freed = left | at_once | ended
        arrival = self.day.arrival_s[running][np.nonzero(freed)[0]]
        return list(zip(arrival + paid[freed], arrival + since[freed], strict=True))

    def _take(self, most: int, now: float) -> int:
        """Take up to ``most`` idle workers that can serve; returns how many.

        The workers that were idle for the shortest time are taken, so that the others grow old
        enough to be removed.
        """
        ready = sorted(since for since in self._idle if since <= now)
        kept = ready[: max(0, len(ready) - most)]
        self._idle = kept + [since for since in self._idle if since > now]
        return len(ready) - len(kept)

    def _keep_idle(self, now: float, there: int) -> None:
        """Remove workers that were idle for too long, and keep the cluster at its least size."""
        config = self.day.config
        spare = there + len(self._idle) - config.min_workers
        old = [since for since in sorted(self._idle) if since <= now - config.keep_idle_s]
        for since in old[: max(0, spare)]:
            self._idle.remove(since)
        self._idle += [now + self.day.simulator.start_delay_s] * -spare

    def result(self) -> DayResult:
        """The result of the day so far."""
        day, simulator = self.day, self.simulator
        limit_s = day.episodes.limit_s
        met = simulator.finish_s <= limit_s
        spent = np.array(self._spent)
        late_s = np.where(simulator.done, simulator.finish_s, simulator.now) - limit_s
        return DayResult(
            applications=len(day),
            feasible=int(day.feasible.sum()),
            limits_met=int(met.sum()),
            feasible_met=int((met & day.feasible).sum()),
            worker_hours=float(spent.sum()) / 3600.0,
            idle_hours=float(self._idle_seconds) / 3600.0,
            late_min=float(np.maximum(late_s, 0.0).mean()) / 60.0,
            waited_min=float(self._waited_s.mean()) / 60.0,
            operations=float(simulator.operations.mean()),
            most_workers=max(self._workers),
            finish_s=simulator.finish_s.copy(),
            workers=np.array(self._workers),
            spent=spent,
        )
