"""Replays and shadows as they are told: the records that the API and the command line show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from kitwai.actions.replay import Other, replay
from kitwai.actions.shadow import ShadowFigures, all_figures, kinship
from kitwai.core.decide.comparison import Comparison
from kitwai.core.records.overrides import LATEST
from kitwai.errors import KitwaiError
from kitwai.registry.known_runs import OwnRuns
from kitwai.sim.outcome import Outcome
from kitwai.store.store import Store

_AFTER_S = 1e-3

EpochSeconds = Annotated[float, Field(ge=0, le=LATEST, allow_inf_nan=False)]


class ReplayRequest(BaseModel):
    """Which decisions to take again, with what. ``checkpoint``: a version; or ``policy``: a
    baseline such as ``remaining-work@0.80``; exactly one of the two.
    """

    model_config = ConfigDict(extra="forbid")

    since: EpochSeconds
    until: EpochSeconds
    checkpoint: str | None = Field(None, max_length=100)
    policy: str | None = Field(None, max_length=100)


@dataclass(frozen=True, slots=True)
class ReplaySide:
    """What one side of a replay comes to. ``limits``: applications that ended with a limit;
    ``met``: of these, in time; ``worker_s``: paid in all. None where it cannot be told
    (`ReplayReport.notes` say why).
    """

    name: str
    limits: int | None
    met: int | None
    worker_s: float | None


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """Recorded days decided again, on two levels.

    Decisions, under the recorded past: ``observations``: how many were decided again; ``differs``:
    on how many of them the targets differ, ``share``: the same as a share; ``comparison``: as both
    forecasts see the difference, the recorded policy first; for each ``at`` both targets.

    Outcome: ``real``: what happened; ``recorded`` and ``replayed``: what both policies come to in
    the simulator, where ``recorded`` against ``real`` shows how good the simulation is;
    ``unknown``: applications that are in none of the three, and why; ``notes``: what else to know.
    """

    cluster: str
    since: float
    until: float
    observations: int
    differs: int
    share: float | None
    comparison: Comparison
    real: ReplaySide
    recorded: ReplaySide
    replayed: ReplaySide
    unknown: list[str]
    notes: list[str]
    at: list[float]
    recorded_target: list[int | None]
    replayed_target: list[int | None]


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """A challenger that decides without acting, against the champion, in [since, until].

    ``champion``: the versions that decided. ``regret_champion``: mean loss of the challenger's
    target less that of the champion's, as the champion's forecast sees it; ``regret_challenger``:
    mean loss of the champion's target less that of the challenger's, as the challenger's sees it.
    A loss is an expected cost plus price x miss probability, in costs of the whole run on the best
    static cluster (`kitwai.core.decide.comparison`), its mean over ``comparison.judged`` decisions
    on applications. ``kinship``: what the two have in common. ``outcome``: what both come to in the
    simulator, the champion first; None where it was not asked for, ``notes`` as in `ReplayReport`.
    """

    cluster: str
    checkpoint: str
    champion: str
    decisions: int
    differs: int
    fewer_workers: int
    more_workers: int
    regret_champion: float | None
    regret_challenger: float | None
    since: float
    until: float
    comparison: Comparison
    kinship: str | None
    outcome: list[ReplaySide] | None
    notes: list[str]


def replay_report(
    store: Store,
    root: Path,
    cluster: str,
    request: ReplayRequest,
    *,
    own: OwnRuns | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ReplayReport:
    """Recorded days decided again; it takes seconds to a minute, and as much of a processor.

    :param root: of the registry. :param own: the cluster's own file of past runs.
    :param progress: see `kitwai.actions.replay.replay`.
    :raises KitwaiError: the request cannot be fulfilled.
    """
    other = Other(checkpoint=request.checkpoint, policy=request.policy)
    replayed = replay(
        store, root, cluster, request.since, request.until, other, own=own, progress=progress
    )
    return ReplayReport(
        cluster=replayed.cluster,
        since=replayed.since,
        until=replayed.until,
        observations=replayed.comparison.decisions,
        differs=replayed.comparison.differs,
        share=replayed.comparison.share,
        comparison=replayed.comparison,
        real=_side("real", replayed.real),
        recorded=_side(replayed.recorded_name, replayed.recorded),
        replayed=_side(replayed.replayed_name, replayed.replayed),
        unknown=list(replayed.unknown),
        notes=list(replayed.notes),
        at=list(replayed.at),
        recorded_target=list(replayed.recorded_target),
        replayed_target=list(replayed.replayed_target),
    )


def shadow_reports(
    store: Store,
    root: Path,
    cluster: str | None = None,
    *,
    since: float = 0.0,
    outcome: bool = False,
    own: OwnRuns | None = None,
) -> list[ShadowReport]:
    """Every challenger that has decided in the shadow since a moment.

    :param outcome: also what both come to in the simulator: that takes as long as a replay.
    """
    reports = []
    for figures in all_figures(store.engine, cluster=cluster, since=since):
        report = _shadow(figures, root)
        reports.append(_with_outcome(report, store, root, own) if outcome else report)
    return reports


def _shadow(figures: ShadowFigures, root: Path) -> ShadowReport:
    comparison = figures.comparison
    return ShadowReport(
        cluster=figures.cluster,
        checkpoint=figures.checkpoint,
        champion=figures.champion,
        decisions=comparison.decisions,
        differs=comparison.differs,
        fewer_workers=comparison.fewer,
        more_workers=comparison.more,
        regret_champion=comparison.regret_first,
        regret_challenger=comparison.regret_second,
        since=figures.since,
        until=figures.until,
        comparison=comparison,
        kinship=kinship(root, figures.champion, figures.checkpoint),
        outcome=None,
        notes=[],
    )


def _with_outcome(
    report: ShadowReport, store: Store, root: Path, own: OwnRuns | None
) -> ShadowReport:
    other = Other(checkpoint=report.checkpoint)
    until = report.until + _AFTER_S
    try:
        replayed = replay(store, root, report.cluster, report.since, until, other, own=own)
    except KitwaiError as error:
        return replace(report, notes=[str(error)])
    both = [
        _side(replayed.recorded_name, replayed.recorded),
        _side(replayed.replayed_name, replayed.replayed),
    ]
    return replace(report, outcome=both, notes=[*replayed.notes, *replayed.unknown])


def _side(name: str, outcome: Outcome | None) -> ReplaySide:
    if outcome is None:
        return ReplaySide(name=name, limits=None, met=None, worker_s=None)
    return ReplaySide(name=name, limits=outcome.limits, met=outcome.met, worker_s=outcome.worker_s)
