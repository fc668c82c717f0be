"""One cluster now: its newest observation and decision, with what people set on it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy.engine import Engine

from kitwai.core.records.decision import ApplicationDecision, ClusterSettings
from kitwai.core.records.observation import Application, Observation
from kitwai.core.records.overrides import Control, override_usable
from kitwai.errors import InvalidInputError
from kitwai.store.controls import ControlStore, control_of
from kitwai.store.store import Store
from kitwai.web.approvals import open_approval
from kitwai.web.paging import part
from kitwai.web.schemas import ApplicationView, ClusterView, ControlView, Flaps, Page
from kitwai.web.sources import connection
from kitwai.web.timeline import at_target


def cluster_view(store: Store, cluster: str, now: float) -> ClusterView:
    """What is known of ``cluster`` at the moment ``now``."""
    controls = ControlStore(store.engine).newest(cluster)
    view = ClusterView(cluster=cluster, approval=open_approval(store.engine, cluster, now))
    _settings(view, controls, now)
    seen = store.newest_observation(cluster)
    if seen is not None:
        _observed(view, seen)
    _decided(view, store, seen)
    return view


def control_view(control: Control, *, in_force: bool) -> ControlView:
    """A control, and whether it counts now."""
    return ControlView(
        name=control.name,
        value=control.value,
        at=control.at,
        by=control.by,
        until=control.ends,
        in_force=in_force,
    )


def control_record(
    engine: Engine, cluster: str, *, now: float, limit: int, before: int | None
) -> Page[ControlView]:
    """Everything that was set on ``cluster``, newest first."""
    controls = ControlStore(engine)
    newest = controls.newest(cluster)
    counting = [control for control in newest if control.in_force(now)]
    # A connection that cannot be used is told where the cluster is shown.
    with suppress(InvalidInputError):
        _, counting = _with_controls(connection(cluster).settings, newest, now)
    rows = controls.rows(cluster, most=limit + 1, before=before)
    shown = [control_of(row) for row in rows[:limit]]
    views = [control_view(control, in_force=control in counting) for control in shown]
    return part(rows, views, limit)


def _with_controls(
    settings: ClusterSettings, controls: Sequence[Control], now: float
) -> tuple[ClusterSettings, list[Control]]:
    """The settings with what people set, and what of it counts."""
    counting = []
    for control in controls:
        ignored = settings.ignored
        settings = override_usable(settings, [control], now)
        if control.in_force(now) and settings.ignored == ignored:
            counting.append(control)
    return settings, counting


def _settings(view: ClusterView, controls: Sequence[Control], now: float) -> None:
    counting = [control for control in controls if control.in_force(now)]
    try:
        settings, counting = _with_controls(connection(view.cluster).settings, controls, now)
    except InvalidInputError as error:
        view.error = str(error)
    else:
        view.ignored = list(settings.ignored)
        view.mode = settings.mode.value
        view.max_workers = settings.constraint.max_workers
        view.limit_s = settings.constraint.limit_s
        view.flaps = Flaps(used=None, budget=settings.flap_budget)
    view.controls = [control_view(one, in_force=one in counting) for one in controls]


def _observed(view: ClusterView, seen: Observation) -> None:
    view.observed_at = seen.at
    view.present = seen.present
    view.serving = None if seen.serving is None else len(seen.serving)
    if seen.pool is not None:
        view.starting = len(seen.starting)
        view.draining = sum(w.alive and w.draining_since is not None for w in seen.pool)
    view.missing = {part.name: part.error for part in seen.parts if part.error}
    if view.flaps is not None:
        view.flaps.used = seen.past.changes_1h


def _decided(view: ClusterView, store: Store, seen: Observation | None) -> None:
    newest = store.newest_decisions(view.cluster)
    if not newest:
        return
    decision = newest[0].decision
    view.decision_id, view.decided_at = newest[0].id, decision.at
    view.target, view.reason = decision.target, decision.reason
    view.policy, view.checkpoint = decision.policy, decision.checkpoint
    view.fallback = decision.fallback
    seen_applications = seen.applications if seen is not None else None
    # A decision without any says that none runs only where it was seen that none does.
    if decision.applications or seen_applications == ():
        running = {one.id: one for one in seen_applications or ()}
        view.applications = [
            _application(one, running.get(one.id)) for one in decision.applications
        ]


def _application(decided: ApplicationDecision, seen: Application | None) -> ApplicationView:
    stages = seen.stages if seen is not None else None
    limit_s, limit_source = decided.limit_s, decided.limit_source
    if seen is not None and seen.stages is None:
        # Its driver alone knows whether it has a limit of its own, or none.
        limit_s, limit_source = None, "unknown"
    return ApplicationView(
        id=decided.id,
        name=decided.name,
        target=decided.target,
        elapsed_s=decided.elapsed_s,
        limit_s=limit_s,
        limit_source=limit_source,
        left_s=None if limit_s is None else limit_s - decided.elapsed_s,
        finish_s=at_target(decided.predicted_finish_s, decided.target),
        miss_probability=at_target(decided.miss_probability, decided.target),
        tasks=None if stages is None else sum(stage.tasks for stage in stages),
        tasks_done=None if stages is None else sum(stage.complete for stage in stages),
        reason=decided.reason,
    )
