"""A baseline that decides recorded observations again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from kitwai.core.decide.again import Step, decide_again
from kitwai.core.decide.guardrails import guard_cluster
from kitwai.core.decide.sharing import Share, cluster_target, workers_of
from kitwai.core.forecast.arrays import View
from kitwai.core.forecast.ended_runs import PastRuns
from kitwai.core.forecast.from_observation import view_of
from kitwai.core.policy.state import TARGETS
from kitwai.core.records.decision import ApplicationDecision, Decision
from kitwai.core.records.observation import Application, Observation
from kitwai.core.records.profile import ApplicationProfile
from kitwai.core.records.settings import ClusterSettings
from kitwai.errors import InvalidInputError
from kitwai.sim.baselines import CHEATING, make
from kitwai.sim.baselines.single import Announced, SingleBaseline
from kitwai.sim.judging import Controller
from kitwai.sim.simulator import SimulatorConfig

PastProfiles = Callable[[str, float], Sequence[ApplicationProfile]]
"""Runs of a family that had ended by a moment (epoch seconds), oldest first."""


def baseline(name: str) -> Controller:
    """A fresh baseline: several remember what they have seen of one application.

    :raises InvalidInputError: there is none of this name, or it needs a margin (``NAME@0.80``), or
        it knows what no policy can.
    """
    if name in CHEATING:
        raise InvalidInputError(f"{name} knows how long each task will take: nothing else could.")
    made = make([name])
    if len(made) != 1:
        raise InvalidInputError(f"{name} needs a margin: {name}@0.80, for example.")
    return next(iter(made.values()))


class RecordedBaseline:
    """Decides steps again in the order of time.

    Each application that the forecast can judge gets what the baseline asks for; the others are
    held as ever. The guardrails of the cluster (bounds, one operation at a time, cooldowns, a
    person's pin) hold for it, those of an application, which follow Kitwai's forecast, do not.
    """

    def __init__(
        self, name: str, past: PastProfiles, stages: Mapping[str, int], *, step_s: float
    ) -> None:
        """
        :param stages: by application id, the most that a step shows of it.
        :param step_s: seconds between two steps.
        """
        baseline(name)
        self.name = name
        self._past, self._stages, self._step_s = past, stages, step_s
        self._asked: dict[str, SingleBaseline] = {}

    def decide(self, step: Step) -> Decision:
        """The step's decision by the baseline."""
        observation, _, settings = step
        held = replace(decide_again(step, None, PastRuns({})), policy=self.name)
        applications = observation.applications or ()
        if settings.pin is not None or not held.applications or held.present is None:
            return held
        decided, shares = [], []
        for before, application in zip(held.applications, applications, strict=True):
            own, starting = workers_of(application, observation)
            one = self._application(before, application, observation, settings, own, starting)
            decided.append(one)
            judged = before.q_values is not None
            shares.append(Share.of(application, one.target, own, judged=judged))
        total = cluster_target(shares, held.present)
        target, notes = guard_cluster(
            total,
            present=held.present,
            past=observation.past,
            settings=settings,
            urgent=False,
        )
        reason = f"{self.name} asked for {total}."
        return replace(
            held, applications=tuple(decided), target=target, guardrails=notes, reason=reason
        )

    def _application(
        self,
        held: ApplicationDecision,
        application: Application,
        observation: Observation,
        settings: ClusterSettings,
        workers: int,
        starting: int,
    ) -> ApplicationDecision:
        if held.q_values is None:
            return held
        counts = max(TARGETS, held.constraint.max_workers)
        view = view_of(
            application,
            held.constraint,
            workers=workers,
            serving=max(0, workers - starting),
            cores=settings.cores_per_worker,
            counts=counts,
        )
        if application.id not in self._asked:
            self._asked[application.id] = self._meet(application, held, observation, settings)
        return replace(
            held,
            target=self._asked[application.id].target(_with_busy(view)),
            reason="",
            policy=self.name,
            q_values=None,
            miss_probability=None,
            predicted_finish_s=None,
            guardrails=(),
        )

    def _meet(
        self,
        application: Application,
        held: ApplicationDecision,
        observation: Observation,
        settings: ClusterSettings,
    ) -> SingleBaseline:
        began = observation.at - application.elapsed_s
        announced = Announced(
            family=application.name,
            inputs=application.inputs,
            cores=settings.cores_per_worker,
            constraint=held.constraint,
            past=self._past(application.name, began),
        )
        config = SimulatorConfig(
            step_s=self._step_s, start_delay_s=settings.start_delay_s, drain_s=settings.drain_s
        )
        return SingleBaseline(
            baseline(self.name),
            announced,
            config,
            counts=max(TARGETS, held.constraint.max_workers),
            stages=max(1, self._stages.get(application.id, 1)),
        )


def _with_busy(view: View) -> View:
    """The share of the slots in use now in place of that over the last step, which no observation
    tells.
    """
    slots = np.maximum(view.serving * view.cores, 1)
    return replace(view, busy=np.clip(view.active.sum(axis=1) / slots, 0.0, 1.0))
