"""Replays and shadows as the API shows them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kitwai.actions.replay import Other, replay
from kitwai.actions.shadow import ShadowFigures, all_figures, kinship
from kitwai.errors import KitwaiError
from kitwai.registry.known_runs import OwnRuns
from kitwai.sim.outcome import Outcome
from kitwai.store.store import Store
from kitwai.web.schemas import Replay, ReplayPolicy, ReplayRequest, ShadowView

_AFTER_S = 1e-3


def replay_view(
    store: Store,
    root: Path,
    cluster: str,
    request: ReplayRequest,
    *,
    own: OwnRuns | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Replay:
    """Recorded days decided again; it takes seconds to a minute, and as much of a processor.

    :param own: the cluster's own file of past runs; ``progress``: see
        `kitwai.actions.replay.replay`.
    :raises KitwaiError: the request cannot be fulfilled.
    """
    other = Other(checkpoint=request.checkpoint, policy=request.policy)
    found = replay(
        store, root, cluster, request.since, request.until, other, own=own, progress=progress
    )
    return Replay(
        cluster=found.cluster,
        since=found.since,
        until=found.until,
        observations=found.comparison.decisions,
        differs=found.comparison.differs,
        share=found.comparison.share,
        comparison=found.comparison,
        real=_policy("real", found.real),
        recorded=_policy(found.recorded_name, found.recorded),
        replayed=_policy(found.replayed_name, found.replayed),
        unknown=list(found.unknown),
        notes=list(found.notes),
        at=list(found.at),
        recorded_target=list(found.recorded_target),
        replayed_target=list(found.replayed_target),
    )


def shadow_views(
    store: Store,
    root: Path,
    cluster: str | None = None,
    *,
    since: float = 0.0,
    outcome: bool = False,
    own: OwnRuns | None = None,
) -> list[ShadowView]:
    """Every challenger that has decided in the shadow since a moment.

    :param outcome: also what both come to in the simulator: that takes as long as a replay.
    """
    views = []
    for figures in all_figures(store.engine, cluster=cluster, since=since):
        found = figures.comparison
        view = ShadowView(
            cluster=figures.cluster,
            checkpoint=figures.checkpoint,
            champion=figures.champion,
            decisions=found.decisions,
            differs=found.differs,
            fewer_workers=found.fewer,
            more_workers=found.more,
            regret_champion=found.regret_first,
            regret_challenger=found.regret_second,
            since=figures.since,
            until=figures.until,
            comparison=found,
            kinship=kinship(root, figures.champion, figures.checkpoint),
        )
        views.append(_with_outcome(view, store, root, figures, own) if outcome else view)
    return views


def _with_outcome(
    view: ShadowView, store: Store, root: Path, figures: ShadowFigures, own: OwnRuns | None
) -> ShadowView:
    other = Other(checkpoint=figures.checkpoint)
    until = figures.until + _AFTER_S
    try:
        found = replay(store, root, figures.cluster, figures.since, until, other, own=own)
    except KitwaiError as error:
        return view.model_copy(update={"notes": [str(error)]})
    both = [
        _policy(found.recorded_name, found.recorded),
        _policy(found.replayed_name, found.replayed),
    ]
    return view.model_copy(update={"outcome": both, "notes": [*found.notes, *found.unknown]})


def _policy(name: str, outcome: Outcome | None) -> ReplayPolicy:
    if outcome is None:
        return ReplayPolicy(name=name, limits=None, met=None, worker_s=None)
    return ReplayPolicy(
        name=name, limits=outcome.limits, met=outcome.met, worker_s=outcome.worker_s
    )
