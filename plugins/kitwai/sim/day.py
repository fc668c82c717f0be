"""A day of a shared cluster: applications arrive, overlap, and each has its own limit.

Every application has a target of its own from the policy, which sees nothing of the others. The
coordinator cuts their sum to the cluster's size (`Sharing`). A worker belongs to one application
at a time: one that an application leaves ends its tasks, hands its blocks over (the simulator's
drain) and is then idle. Idle workers go to whoever asks for workers next, without start-up; those
idle for ``keep_idle_s`` are removed, down to ``min_workers`` in all. An application without
workers waits, and its time runs.

Applications arrive as a Poisson process; one that arrives between two steps begins at the next.
It begins with up to ``SimulatorConfig.start_workers`` of the idle workers and asks for more in the
same step. Every worker is paid from its launch request to its removal, idle or not, from the
start of the day to its end or the end of the last application, whichever is later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from kitwai.core.forecast.arrays import Bools, Floats, Ints
from kitwai.errors import InvalidInputError
from kitwai.sim.episodes import DEFAULT_MISS, LIMIT_GRID_S, REGIMES, Episodes, calm, disturbed
from kitwai.sim.judging import Constant, Controller, Judge
from kitwai.sim.library import Library
from kitwai.sim.simulator import Realisation, Simulator, SimulatorConfig

OVERTIME_S = 2 * 3600.0
"""What has not ended so long after the day's end is given up."""

MET_SHARE, HOURS_SHARE = 0.995, 0.5
"""A policy wins the day with this share of the limits that always-N meets, on this share of the
worker-hours of the cheapest constant cluster that meets as many as always-N."""


class Sharing(Enum):
    """How applications share too few workers; targets are met in this order.

    ``DEADLINE``: earliest deadline first, those past theirs last; one that has a worker keeps one.
    ``FIFO``: first come, first served, as a Spark standalone master does. ``FAIR``: equal shares,
    none above its target.
    """

    DEADLINE = "deadline"
    FIFO = "fifo"
    FAIR = "fair"


@dataclass(frozen=True, slots=True)
class DayConfig:
    """The cluster and its load. ``cluster_workers``: N of the cluster, at most; one application
    uses at most the library's most workers of them.

    :raises InvalidInputError: a number is out of range.
    """

    cluster_workers: int = 20
    min_workers: int = 2
    keep_idle_s: float = 30.0
    hours: float = 24.0
    arrivals_per_hour: float = 16.0

    def __post_init__(self) -> None:
        if not 0 <= self.min_workers <= self.cluster_workers or self.cluster_workers < 1:
            raise InvalidInputError(
                f"A cluster of {self.min_workers} to {self.cluster_workers} workers cannot be: the "
                "most must be at least 1, and the least lie between 0 and it."
            )
        if not 0 < self.hours <= 240:
            raise InvalidInputError(
                f"A day has up to 240 hours, and more than none, not {self.hours}."
            )
        if not 0 < self.arrivals_per_hour <= 1000:
            raise InvalidInputError(
                f"arrivals_per_hour must lie in (0, 1000], not be {self.arrivals_per_hour}."
            )
        if not self.keep_idle_s >= 0:
            raise InvalidInputError(f"keep_idle_s must not be negative, but is {self.keep_idle_s}.")


@dataclass(frozen=True, slots=True)
class Day:
    """E applications in the order of their arrival; the same for every policy.

    ``arrival_s`` [E]: seconds since the day's start, whole steps. ``feasible`` [E]: some constant
    count meets the limit where the application runs alone.
    """

    library: Library
    config: DayConfig
    simulator: SimulatorConfig
    arrival_s: Floats
    episodes: Episodes
    feasible: Bools

    def __len__(self) -> int:
        return len(self.arrival_s)


@dataclass(frozen=True, slots=True)
class DayResult:
    """How a day went. ``feasible_met``: limits met among the ``feasible`` applications;
    ``late_min`` and ``waited_min``: mean minutes late, and without any worker, an application;
    ``idle_hours``: worker-hours that no application used, part of ``worker_hours``;
    ``operations``: scaling operations an application; ``most_workers``: at any moment.

    ``finish_s`` [E]: seconds from arrival to end, inf for what was given up. For K steps:
    ``workers`` [K], those there after the decision, hence the most in the step; ``spent`` [K],
    their worker-seconds in the step.
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
        return {name: round(one, 4) for name, one in fields if not isinstance(one, np.ndarray)}


def draw_day(
    library: Library,
    seed: int,
    config: DayConfig | None = None,
    *,
    regime: str = "recurring",
    simulator: SimulatorConfig | None = None,
) -> Day:
    """A day's arrivals.

    An application and its limit are drawn from all pairs of a profile and one of `LIMIT_GRID_S`
    that a constant count meets in a calm run alone; disturbed, some of them are infeasible.

    :raises InvalidInputError: the regime is none, or no application can meet any limit.
    """
    config, simulator = config or DayConfig(), simulator or SimulatorConfig()
    if regime not in REGIMES:
        raise InvalidInputError(f"{regime!r} is no regime: name one of {', '.join(REGIMES)}.")
    rng = np.random.default_rng(seed)
    count = max(1, int(rng.poisson(config.hours * config.arrivals_per_hour)))
    last_s = config.hours * 3600.0 - simulator.step_s
    arrival_s = np.sort(rng.uniform(0.0, last_s, size=count))
    arrival_s = np.ceil(arrival_s / simulator.step_s) * simulator.step_s

    limits_s = np.array(LIMIT_GRID_S)
    profile, limit = (one.ravel() for one in np.indices((len(library.profiles), len(limits_s))))
    pairs = _episodes(library, profile, limits_s[limit], Realisation.calm(len(profile)), regime)
    possible = np.flatnonzero(Judge(library, pairs, simulator).feasible)
    if not len(possible):
        raise InvalidInputError(
            f"No application can meet a limit of {limits_s.max():.0f} s or less alone on "
            f"{library.max_workers} workers: such a day would tell nothing."
        )
    drawn = possible[rng.integers(len(possible), size=count)]
    limit_s = pairs.limit_s[drawn]
    chance = disturbed(count, limit_s, rng) if regime == "disturbed" else calm(count, rng)
    episodes = _episodes(library, pairs.profile[drawn], limit_s, chance, regime)
    feasible = Judge(library, episodes, simulator).feasible
    return Day(library, config, simulator, arrival_s, episodes, feasible)


def _episodes(
    library: Library, profile: Ints, limit_s: Floats, chance: Realisation, regime: str
) -> Episodes:
    count = len(profile)
    return Episodes(
        profile=profile,
        max_workers=np.full(count, library.max_workers),
        limit_s=limit_s,
        miss=np.full(count, DEFAULT_MISS),
        informed=np.full(count, regime != "new"),
        realisation=chance,
    )


def run_day(
    day: Day,
    controller: Controller,
    *,
    sharing: Sharing = Sharing.DEADLINE,
    progress: Callable[[float], None] = lambda hours: None,
) -> DayResult:
    """Let a policy run the day.

    The controller begins with all applications of the day; those that do not run show no tasks,
    all stages ended, and what it asks for them is not looked at.

    :param progress: told how many hours have passed since it was told last.
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
    """A cluster of always so many workers, of which every application takes what it can get: equal
    shares (``FAIR``, as with dynamic allocation), or ``FIFO``, as Spark standalone alone does.
    """
    config = replace(day.config, cluster_workers=workers, min_workers=workers)
    return run_day(replace(day, config=config), Constant(), sharing=sharing, progress=progress)


def best_constant(
    day: Day,
    met: int,
    *,
    progress: Callable[[int], None] = lambda workers: None,
) -> tuple[int, Sharing, DayResult] | None:
    """The smallest constant cluster with at least ``met`` limits met, in either sharing; None if
    none has.

    Sizes are tried from the most workers down until `_GIVE_UP` in a row have met too few: more
    workers do not always meet more limits.

    :param progress: told the size about to be tried.
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
    """Whether a policy meets `MET_SHARE` and `HOURS_SHARE`.

    :param always: of always-N; ``constant``: of `best_constant` with as many limits met.
    """
    enough = result.limits_met >= MET_SHARE * always.limits_met
    return enough and result.worker_hours <= HOURS_SHARE * constant.worker_hours


def share(wants: Ints, holds: Ints, room: int, sharing: Sharing) -> Ints:
    """[R] workers for applications in the order of their claim, at most ``room`` in all.

    :param wants: [R] their targets; ``holds``: [R] workers that they have.
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
    """The workers of the day: those of the applications (in the simulator) and the idle ones."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.simulator = Simulator(day.library, len(day), day.simulator)
        self.simulator.max_workers[:] = day.episodes.max_workers
        self.simulator.limit_s[:] = day.episodes.limit_s
        self._arrived = 0
        # When each idle worker became so, in seconds of the day; later than now: it starts.
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
        """Begin what has arrived, on idle workers."""
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
        """Share the workers among ``running`` [R], who want ``wants`` [R], and let a step pass."""
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
            launch, ready, leave = (one[running] for one in self.simulator.lifetimes)
            start = before[:, None]
            # Who was let go at once counts as idle from the start of the step.
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
        """[E] targets, [E] warm launches, and the applications' workers after them in all.

        Who must give workers up does so now; who gets them has to wait until they are free.
        """
        config, simulator = self.day.config, self.simulator
        launch, _, leave = (one[running] for one in simulator.lifetimes)
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
        """Of every worker that the step has freed, in seconds of the day: the time up to which its
        application has paid it, and when it can serve another.

        Workers that were told to leave while they started, and lost ones, are gone.

        :param stayed: [R, P] `_staying` before the step; ``before``: [R] seconds since the start.
        """
        simulator = self.simulator
        launch, ready, leave = (one[running] for one in simulator.lifetimes)
        after = simulator.now[running][:, None]
        lost = leave == self.day.episodes.realisation.death_s[running][:, None]
        left = (leave > before[:, None]) & (leave <= after) & (ready <= leave) & ~lost
        at_once = stayed & (leave <= before[:, None]) & (ready <= leave)
        # The end frees those that drain as well: nobody asks for their blocks any more.
        ended = simulator.done[running][:, None] & np.isfinite(launch) & (leave > after)
        paid = np.where(ended, after, leave)
        since = np.where(ended, np.maximum(after, ready), leave)
        which = left | at_once | ended
        arrival = self.day.arrival_s[running][np.nonzero(which)[0]]
        return list(zip(arrival + paid[which], arrival + since[which], strict=True))

    def _take(self, most: int, now: float) -> int:
        """Take up to ``most`` idle workers that can serve, those that were idle for the shortest
        time, so that the others grow old enough to be removed.
        """
        ready = sorted(since for since in self._idle if since <= now)
        kept = ready[: max(0, len(ready) - most)]
        self._idle = kept + [since for since in self._idle if since > now]
        return len(ready) - len(kept)

    def _keep_idle(self, now: float, there: int) -> None:
        """Remove who has been idle for too long, and keep the cluster at its least size."""
        config = self.day.config
        spare = there + len(self._idle) - config.min_workers
        old = [since for since in sorted(self._idle) if since <= now - config.keep_idle_s]
        for since in old[: max(0, spare)]:
            self._idle.remove(since)
        self._idle += [now + self.day.simulator.start_delay_s] * -spare

    def result(self) -> DayResult:
        """What has come of it."""
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
