"""Recorded days decided again by another checkpoint or baseline: from the store to the figures.

A replay has two levels. *Decisions*: every stored observation is decided again
(`kitwai.core.decide.again`). They are exact, but under the recorded past. *Outcome*: the simulator
plays the applications whose event logs are in the store (`kitwai.sim.outcome`). The same store
gives the same answer; nothing is drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from kitwai.core.decide.again import Step, decide_again
from kitwai.core.decide.comparison import Comparison, compare
from kitwai.core.forecast.ended_runs import PastRuns
from kitwai.core.policy.policy import ForecastPolicy, Policy
from kitwai.core.records.decision import Decision
from kitwai.core.records.profile import ApplicationProfile
from kitwai.errors import CheckpointError, InvalidInputError
from kitwai.registry.known_runs import OwnRuns, known_runs
from kitwai.registry.versions import load_policy
from kitwai.sim.baselines.recorded import RecordedBaseline
from kitwai.sim.judging import Controller
from kitwai.sim.outcome import BaselinePlayer, Knowing, Outcome, Played, PolicyPlayer, play
from kitwai.store.recorded import Interval, Ran, interval_of
from kitwai.store.store import Store
from kitwai.store.training import Run, TrainingStore

_MOST_PAST = 1000
"""Of one family's past runs, so many of the newest are told to a baseline."""


@dataclass(frozen=True, slots=True)
class Replay:
    """An interval of one cluster, as it was and as another policy would have had it.

    Decisions: the ``comparison`` of the recorded decisions (first) and the replayed ones (second);
    for every decision its moment ``at`` and both targets. Outcome: ``real`` is what happened,
    ``recorded`` what the recorded policy comes to in the simulator (a check of the replay itself),
    and ``replayed`` what the other policy comes to. None: nothing to tell, and ``notes`` say why.
    ``unknown``: applications that are not in the outcome, and why.
    """

    cluster: str
    since: float
    until: float
    recorded_name: str
    replayed_name: str
    comparison: Comparison
    at: tuple[float, ...]
    recorded_target: tuple[int | None, ...]
    replayed_target: tuple[int | None, ...]
    real: Outcome | None
    recorded: Outcome | None
    replayed: Outcome | None
    unknown: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Other:
    """The policy that decides again: a ``checkpoint``, or a ``policy`` (a baseline's name).

    :raises InvalidInputError: not exactly one of the two is given.
    """

    checkpoint: str | None = None
    policy: str | None = None

    def __post_init__(self) -> None:
        if (self.checkpoint is None) == (self.policy is None):
            raise InvalidInputError("Name either a checkpoint or a policy to decide again with.")

    @property
    def name(self) -> str:
        """The version or the baseline."""
        return str(self.checkpoint or self.policy)


def replay(
    store: Store,
    root: Path,
    cluster: str,
    since: float,
    until: float,
    other: Other,
    *,
    own: OwnRuns | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Replay:
    """Decide the steps recorded in [since, until) again.

    :param root: of the registry; ``own``: the cluster's own file of past runs, if it has one.
    :param progress: told how many of how many decisions are done.
    :raises InvalidInputError: nothing was recorded, too much was, or there is no such policy.
    :raises CheckpointError: the checkpoint is missing, altered, or corrects another prediction.
    """
    training = store.training
    interval = interval_of(training, cluster, since, until)
    sources = _Sources(root, training, until, own)
    decide = _decider(other, interval, sources)
    at: list[float] = []
    targets: tuple[list[int | None], list[int | None]] = ([], [])

    def pairs() -> Iterator[tuple[Decision, Decision]]:
        # Steps pass by singly: a decision is kilobytes, and there may be tens of thousands.
        for step in training.steps(since, until, cluster):
            if step is None:
                continue
            pair = step[1], decide(step)
            at.append(pair[0].at)
            for series, decision in zip(targets, pair, strict=True):
                series.append(decision.target)
            progress(len(at), interval.steps)
            yield pair

    comparison = compare(pairs())
    notes = [*interval.notes]
    if interval.histories != {None if own is None else own.sha256}:
        notes.append(
            "Some decisions were made with another file of past runs than these: the cluster's own "
            "file has changed, or was not given."
        )
    real = recorded = replayed = None
    if interval.ran:
        real = interval.real
        outcome = _Outcome(interval, sources)
        replayed = outcome.of(other)
        try:
            recorded = outcome.of(None)
        except CheckpointError as error:
            notes.append(f"The recorded policy cannot be played in the simulator: {error}")
    else:
        notes.append("No application that ran has a profile: there is no outcome to tell.")
    return Replay(
        cluster=cluster,
        since=since,
        until=until,
        recorded_name=", ".join(interval.policies),
        replayed_name=other.name,
        comparison=comparison,
        at=tuple(at),
        recorded_target=tuple(targets[0]),
        replayed_target=tuple(targets[1]),
        real=real,
        recorded=recorded,
        replayed=replayed,
        unknown=interval.unknown,
        notes=tuple(notes),
    )


@dataclass
class _Sources:
    """Policies and past runs, each loaded once."""

    root: Path
    training: TrainingStore
    until: float
    own: OwnRuns | None
    _policies: dict[str | None, tuple[Policy, PastRuns]] = field(default_factory=dict)
    _runs: dict[str, Sequence[Run]] = field(default_factory=dict)

    def policy(self, version: str | None) -> tuple[Policy, PastRuns]:
        """A version (None: the forecast alone) with the past runs that it knows.

        :raises CheckpointError: the version cannot be used.
        """
        if version not in self._policies:
            policy = ForecastPolicy() if version is None else load_policy(self.root, version)
            self._policies[version] = policy, known_runs(self.root, version, self._ends, self.own)
        return self._policies[version]

    @cached_property
    def _ends(self) -> dict[str, float]:
        return self.training.ends(self.until)

    def past(self, family: str, moment: float) -> list[ApplicationProfile]:
        """The family's runs that had ended by a moment, oldest first."""
        if family not in self._runs:
            self._runs[family] = self.training.runs(0.0, self.until, _MOST_PAST, family=family)
        return [run.profile for run in self._runs[family] if run.ended_at <= moment]


def _decider(other: Other, interval: Interval, sources: _Sources) -> Callable[[Step], Decision]:
    if other.policy is not None:
        baseline = RecordedBaseline(
            other.policy, sources.past, interval.stages, step_s=interval.step_s
        )
        return baseline.decide
    policy, known = sources.policy(other.checkpoint)
    return lambda step: decide_again(step, policy, known)


@dataclass
class _Outcome:
    """Plays the interval's applications."""

    interval: Interval
    sources: _Sources

    def of(self, other: Other | None) -> Outcome:
        """The result of a policy; None: of the policy that decided then."""
        interval = self.interval
        ran = sorted(interval.ran, key=lambda ran: ran.run.started_at)
        return play(
            [Played(each.run.profile, self._began_s(each), each.constraint) for each in ran],
            self._controller(ran, other),
            interval.settings,
            step_s=interval.step_s,
            seconds=interval.last - interval.first,
        )

    def _began_s(self, ran: Ran) -> float:
        return ran.run.started_at - self.interval.first

    def _controller(self, ran: Sequence[Ran], other: Other | None) -> Controller:
        settings = self.interval.settings
        if other is not None and other.policy is not None:
            past = [self.sources.past(each.run.profile.family, each.run.started_at) for each in ran]
            return BaselinePlayer(other.policy, past, settings)
        knowing = []
        for each in ran:
            version = each.checkpoint if other is None else other.checkpoint
            policy, known = self.sources.policy(version)
            records = known.before(each.run.started_at)
            knowing.append(Knowing(policy, records.get(each.run.profile.family, ())))
        return PolicyPlayer(knowing, settings)
