"""Applications that really ran, played again in the simulator under another policy.

Their profiles tell their task times. They begin at their recorded moments with their recorded
limits, on one cluster with its recorded settings (`kitwai.sim.day`). A policy knows the past runs
that had ended before an application began.

Two approximations come on top of the simulator's own. A task takes its recorded time at any worker
count, because one run tells no scale-out curve. The guardrails of each application hold, but the
cooldowns of the cluster do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kitwai.core.decide.targets import Terms, choose_targets
from kitwai.core.forecast.arrays import Floats, Ints, View
from kitwai.core.forecast.past_runs import Record, comparable, prior_of
from kitwai.core.forecast.prior import Prior
from kitwai.core.policy.policy import Policy
from kitwai.core.policy.state import TARGETS
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.profile import ApplicationProfile
from kitwai.core.records.settings import ClusterSettings
from kitwai.sim.arrivals import Day, DayConfig
from kitwai.sim.baselines.recorded import baseline
from kitwai.sim.baselines.single import Announced, SingleBaseline
from kitwai.sim.day import run_day
from kitwai.sim.episodes import Episodes
from kitwai.sim.judging import Controller, Judge
from kitwai.sim.library import Library
from kitwai.sim.simulator import Realisation, SimulatorConfig


@dataclass(frozen=True, slots=True)
class Played:
    """One application that ran. ``began_s``: seconds from the beginning of the interval."""

    profile: ApplicationProfile
    began_s: float
    constraint: Constraint


@dataclass(frozen=True, slots=True)
class Knowing:
    """A policy, and its past runs of one application's family."""

    policy: Policy
    records: Sequence[Record]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a policy: ``met`` of ``limits`` limits, for ``worker_s`` worker-seconds.

    Idle workers are included. None: not known.
    """

    limits: int
    met: int
    worker_s: float | None


def play(
    applications: Sequence[Played],
    controller: Controller,
    settings: ClusterSettings,
    *,
    step_s: float,
    seconds: float,
) -> Outcome:
    """Let a policy run the applications.

    :param seconds: how long the cluster is paid for at least.
    :raises InvalidInputError: it is longer than `DayConfig` allows.
    """
    most = settings.constraint.max_workers
    order = sorted(applications, key=lambda played: played.began_s)
    simulator = SimulatorConfig(
        step_s=step_s,
        start_workers=most,
        start_delay_s=settings.start_delay_s,
        drain_s=settings.drain_s,
    )
    library = Library([played.profile for played in order], max(TARGETS, most))
    count = len(order)
    episodes = Episodes(
        profile=np.arange(count),
        max_workers=np.array([min(played.constraint.max_workers, most) for played in order]),
        limit_s=np.array([played.constraint.limit_s for played in order]),
        miss=np.array([played.constraint.miss for played in order]),
        informed=np.ones(count, dtype=np.bool_),
        realisation=Realisation.calm(count),
    )
    arrival_s = np.ceil(np.array([max(0.0, played.began_s) for played in order]) / step_s) * step_s
    day = Day(
        library=library,
        config=DayConfig(
            cluster_workers=most,
            min_workers=settings.min_workers,
            keep_idle_s=settings.quiet_s,
            hours=max(seconds, float(arrival_s.max()) + step_s) / 3600.0,
        ),
        simulator=simulator,
        arrival_s=arrival_s,
        episodes=episodes,
        feasible=Judge(library, episodes, simulator).feasible,
    )
    result = run_day(day, controller)
    return Outcome(count, result.limits_met, result.worker_hours * 3600.0)


class PolicyPlayer:
    """Kitwai's own policies, each application's with what it knows, and its guardrails."""

    _prior: Prior
    _miss: Floats

    def __init__(self, knowing: Sequence[Knowing], settings: ClusterSettings) -> None:
        """:param knowing: of each application, in the order in which they begin."""
        self._terms = Terms(settings.margin, settings.start_delay_s, settings.drain_s)
        self._knowing = knowing

    def begin(self, library: Library, episodes: Episodes, config: SimulatorConfig) -> None:
        """New episodes (`kitwai.sim.judging.Controller`)."""
        self._miss = episodes.miss
        stages = library.tasks.shape[1]
        counts = library.max_workers
        self._prior = Prior.stack(
            [
                prior_of(
                    comparable(knowing.records, counts, profile.cores_per_worker),
                    profile.inputs,
                    counts,
                    stages,
                )
                for knowing, profile in zip(self._knowing, library.profiles, strict=True)
            ]
        )

    def targets(self, view: View) -> Ints:
        """[B] what each application that runs is to get, the present count for the others."""
        targets = np.maximum(view.workers, 1)
        running = running_rows(view)
        padded = view.padded(self._prior.tasks.shape[1])
        policies = {id(knowing.policy): knowing.policy for knowing in self._knowing}
        for policy in policies.values():
            rows = np.array([at for at in running if self._knowing[at].policy is policy], np.int64)
            if len(rows):
                targets[rows] = choose_targets(
                    policy,
                    padded.take(rows),
                    self._prior.take(rows),
                    self._miss[rows],
                    self._terms,
                ).target
        return targets


class BaselinePlayer:
    """A baseline, asked about each application on its own."""

    def __init__(
        self, name: str, past: Sequence[Sequence[ApplicationProfile]], settings: ClusterSettings
    ) -> None:
        """:param past: of each application, in the order in which they begin, its family's runs
        that had ended by then.
        """
        baseline(name)
        self._name, self._past, self._settings = name, past, settings

    def begin(self, library: Library, episodes: Episodes, config: SimulatorConfig) -> None:
        """New episodes (`kitwai.sim.judging.Controller`)."""
        self._asked = [
            SingleBaseline(
                baseline(self._name),
                Announced(
                    family=profile.family,
                    inputs=profile.inputs,
                    cores=profile.cores_per_worker,
                    constraint=Constraint(
                        int(episodes.max_workers[at]),
                        float(episodes.limit_s[at]),
                        float(episodes.miss[at]),
                    ),
                    past=past,
                ),
                config,
                counts=library.max_workers,
                stages=library.tasks.shape[1],
            )
            for at, (profile, past) in enumerate(zip(library.profiles, self._past, strict=True))
        ]

    def targets(self, view: View) -> Ints:
        """[B] what each application that runs is to get, the present count for the others."""
        targets = np.maximum(view.workers, 1)
        for row in running_rows(view):
            targets[row] = self._asked[row].target(view.take(np.array([row])))
        return targets


def running_rows(view: View) -> Ints:
    """Applications of a day that run: of the others all stages have ended (`run_day`)."""
    return np.flatnonzero(~view.over & ~view.ended.all(axis=1))
