"""What the store holds of one cluster over an interval: its steps at a glance, and which of the
applications that ran can be played again.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median

from kitwai.core.decide.again import Step, paid_worker_s
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.decision import ApplicationDecision, Decision
from kitwai.core.records.observation import Application, Observation
from kitwai.core.records.settings import ClusterSettings, Mode
from kitwai.errors import InvalidInputError
from kitwai.sim.outcome import Outcome
from kitwai.store.training import Run, TrainingStore

MOST_S = 240 * 3600.0
"""Longest interval: the simulator's longest day."""

MOST_STEPS = 60_000
"""Decisions that one replay reads at most: ten days of one each 15 s."""

_STEP_S = 15.0
SAME_START_S = 60.0
"""How far the start that Spark's driver tells may lie from that in the event log."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One application of the interval that can be played. ``constraint``: the last in force;
    ``checkpoint``: of most of its decisions, None for the formula.
    """

    run: Run
    constraint: Constraint
    checkpoint: str | None


@dataclass(frozen=True, slots=True)
class Interval:
    """``first``, ``last``: moments of the first and the last observation; ``step_s``: median time
    between two; ``steps``: decisions that can be read; ``stages``: by application id, the most
    that one shows; ``policies``: names of those that decided; ``settings``: the newest; ``real``:
    what became of ``ran``, None where no observation tells of workers; ``unknown``: applications
    that cannot be played, and why; ``notes``: what else a reader must know; ``histories``: SHA-256
    of the files of past runs that decisions used, None for none.
    """

    first: float
    last: float
    step_s: float
    steps: int
    stages: Mapping[str, int]
    policies: tuple[str, ...]
    settings: ClusterSettings
    ran: tuple[Ran, ...]
    real: Outcome | None
    unknown: tuple[str, ...]
    notes: tuple[str, ...]
    histories: frozenset[str | None]


@dataclass
class _Seen:
    """One application as the steps showed it."""

    name: str
    began: float
    decided: ApplicationDecision
    checkpoints: Counter[str | None] = field(default_factory=Counter)


@dataclass
class _Survey:
    """Gathers while the steps pass by."""

    moments: list[float] = field(default_factory=list)
    unreadable: int = 0
    not_auto: int = 0
    stages: dict[str, int] = field(default_factory=dict)
    policies: set[str] = field(default_factory=set)
    settings: list[ClusterSettings] = field(default_factory=list)
    seen: dict[str, _Seen] = field(default_factory=dict)
    histories: set[str | None] = field(default_factory=set)

    def add(self, step: Step) -> Observation:
        observation, decision, settings = step
        self.moments.append(observation.at)
        self.not_auto += decision.mode is not Mode.AUTO
        self.histories.add(decision.history)
        self.policies.add(decision.checkpoint or decision.policy)
        if not self.settings or self.settings[-1].constraint != settings.constraint:
            self.settings.append(settings)
        self.settings[-1] = settings
        for application in observation.applications or ():
            shown = len(application.stages or ())
            self.stages[application.id] = max(self.stages.get(application.id, 1), shown)
        for one, decided in _together(observation, decision):
            began = observation.at - one.elapsed_s
            seen = self.seen.setdefault(one.id, _Seen(one.name, began, decided))
            seen.decided = decided
            seen.checkpoints[decision.checkpoint] += 1
        return observation


def _together(
    observation: Observation, decision: Decision
) -> Iterator[tuple[Application, ApplicationDecision]]:
    decided = {one.id: one for one in decision.applications}
    for application in observation.applications or ():
        if application.id in decided:
            yield application, decided[application.id]


def interval_of(training: TrainingStore, cluster: str, since: float, until: float) -> Interval:
    """What was recorded of ``cluster`` in [since, until).

    :raises InvalidInputError: nothing was, or the interval is none, too long or too full.
    """
    if not (math.isfinite(since) and math.isfinite(until) and since < until):
        raise InvalidInputError("An interval must begin before it ends.")
    _check_extent(training.extent(since, until, cluster), cluster)
    survey = _Survey()

    def observations() -> Iterator[Observation]:
        for step in training.steps(since, until, cluster):
            if step is None:
                survey.unreadable += 1
            else:
                yield survey.add(step)

    paid = paid_worker_s(observations())
    if not survey.moments:
        raise InvalidInputError(f"Nothing was recorded of cluster {cluster!r} in this interval.")
    first, last = survey.moments[0], survey.moments[-1]
    gaps = [b - a for a, b in zip(survey.moments, survey.moments[1:], strict=False) if b > a]
    runs = {run.profile.app: run for run in training.runs(since, until)}
    ran, unknown = _matched(survey, runs, first)
    met = sum(one.run.ended_at - one.run.started_at <= one.constraint.limit_s for one in ran)
    return Interval(
        first=first,
        last=last,
        step_s=min(max(1.0, median(gaps)), 600.0) if gaps else _STEP_S,
        steps=len(survey.moments),
        stages=survey.stages,
        policies=tuple(sorted(survey.policies)),
        settings=survey.settings[-1],
        ran=ran,
        real=Outcome(len(ran), met, paid),
        unknown=unknown,
        notes=_notes(survey, bool(unknown)),
        histories=frozenset(survey.histories),
    )


def _check_extent(extent: tuple[int, float, float] | None, cluster: str) -> None:
    """Before anything is read in full. :raises InvalidInputError: it would be too much."""
    if extent is None:
        return
    count, first, last = extent
    if last - first > MOST_S:
        raise InvalidInputError(f"At most {MOST_S / 86400:.0f} days can be replayed at once.")
    if count > MOST_STEPS:
        raise InvalidInputError(
            f"The interval holds {count} decisions of cluster {cluster!r}, and at most "
            f"{MOST_STEPS} can be replayed at once: choose a shorter one."
        )


def _matched(
    survey: _Survey, runs: Mapping[str, Run], first: float
) -> tuple[tuple[Ran, ...], tuple[str, ...]]:
    """The applications that can be played, and of the others why not."""
    ran, unknown = [], []
    for app, seen in survey.seen.items():
        run = runs.get(app)
        why = _why_not(seen, run, survey.settings[-1], first)
        if run is None or why is not None:
            unknown.append(f"{seen.name} ({app}): {why}.")
        else:
            ran.append(Ran(run, seen.decided.constraint, seen.checkpoints.most_common(1)[0][0]))
    return tuple(ran), tuple(unknown)


def _why_not(seen: _Seen, run: Run | None, settings: ClusterSettings, first: float) -> str | None:
    if seen.decided.limit_source == "none":
        return "it has no end and no limit"
    if seen.began < first - SAME_START_S:
        return "it began before the interval"
    if run is None:
        return "no event log tells that it ended in the interval"
    if abs(run.started_at - seen.began) > SAME_START_S:
        return "the event log of this id is of an application that started at another time"
    if run.profile.cores_per_worker != settings.cores_per_worker:
        return f"it ran on workers of {run.profile.cores_per_worker} cores"
    return None


def _notes(survey: _Survey, unknown: bool) -> tuple[str, ...]:
    notes = []
    total = len(survey.moments)
    if survey.unreadable:
        notes.append(f"{survey.unreadable} steps were written by another version of Kitwai.")
    if survey.not_auto:
        notes.append(
            f"{survey.not_auto} of {total} decisions were not made in mode auto: what really "
            "happened did not follow them."
        )
    if len(survey.settings) > 1:
        notes.append(
            f"The constraint changed {len(survey.settings) - 1} times: the outcome is played under "
            "the newest."
        )
    if unknown:
        notes.append(
            "The worker-seconds really paid hold those of the applications that cannot be played."
        )
    return tuple(notes)
