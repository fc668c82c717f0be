"""The clusters now and over time, and what people set on them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query

from kitwai.config.options import clusters
from kitwai.core.records.decision import ApplicationDecision
from kitwai.core.records.observation import Application, Observation
from kitwai.core.records.overrides import Control, check_control, override_usable
from kitwai.core.records.settings import ClusterSettings
from kitwai.core.records.targets import at_target
from kitwai.errors import InvalidInputError
from kitwai.store.store import Store
from kitwai.store.timeline import Point
from kitwai.web.audit import audited
from kitwai.web.parameters import DAY_S, Before, Limit, Moment
from kitwai.web.schemas import (
    ApplicationView,
    ClusterView,
    ControlChange,
    ControlView,
    Flaps,
    Page,
    Timeline,
)
from kitwai.web.security import AUTOSCALE_DAG, Changer
from kitwai.web.sources import Cluster, StoreOf, TimelinesOf, connection

router = APIRouter(tags=["clusters"])

# Whatever is shown of it, every decision of the time is counted.
_MOST_DAYS = 366
# Decisions weigh every count up to N.
_MOST_WORKERS = 1000


@router.get("/clusters")
def list_clusters(store: StoreOf) -> list[ClusterView]:
    """All configured clusters now."""
    now = time.time()
    return [cluster_view(store, cluster, now) for cluster in clusters()]


@router.get("/clusters/{cluster}")
def get_cluster(cluster: Cluster, store: StoreOf) -> ClusterView:
    """One cluster now."""
    return cluster_view(store, cluster, time.time())


@router.get("/clusters/{cluster}/timeline")
def get_timeline(
    cluster: Cluster,
    timelines: TimelinesOf,
    since: Moment = None,
    until: Moment = None,
    most: Annotated[int, Query(ge=10, le=6000)] = 1500,
) -> Timeline:
    """The decisions from ``since`` (a day before ``until``) to ``until`` (now), thinned to about
    ``most`` points.
    """
    until = time.time() if until is None else until
    since = until - DAY_S if since is None else since
    if not since < until:
        raise InvalidInputError("since must lie before until.")
    if until - since > _MOST_DAYS * DAY_S:
        raise InvalidInputError(
            f"The timeline shows at most {_MOST_DAYS} days at once: let since lie nearer to until."
        )
    span = timelines.span(cluster, since, until, most)
    columns = list(zip(*span.points, strict=True)) or [()] * len(Point._fields)
    return Timeline(
        **dict(zip(Point._fields, map(list, columns), strict=True)),
        decision_id=span.decision_ids,
        marks=span.marks,
        step_s=span.step_s,
        more_marks=span.more_marks,
    )


@router.get("/clusters/{cluster}/controls")
def list_controls(
    cluster: Cluster, store: StoreOf, limit: Limit = 50, before: Before = None
) -> Page[ControlView]:
    """Everything that was set on the cluster, and by whom."""
    controls, now = store.controls, time.time()
    newest = controls.newest(cluster)
    counting = [control for control in newest if control.in_force(now)]
    # A connection that cannot be used is told where the cluster is shown.
    with suppress(InvalidInputError):
        _, counting = _with_controls(connection(cluster).settings, newest, now)
    part = controls.record(cluster, limit=limit, before=before)
    views = [control_view(control, in_force=control in counting) for control in part.items]
    return Page(items=views, next=part.next)


@router.post("/clusters/{cluster}/controls")
def set_control(
    cluster: Cluster, change: ControlChange, store: StoreOf, user: Changer
) -> ControlView:
    """Set or lift one thing; it counts from the next step on."""
    now = time.time()
    control = Control(
        name=change.name,
        value=change.value,
        at=now,
        by=user.get_name()[:250],
        until=change.until,
    )
    if isinstance(change.value, int) and change.value > _MOST_WORKERS:
        raise InvalidInputError(f"{change.name} must not be above {_MOST_WORKERS} workers.")
    check_control(control, connection(cluster).settings)
    if change.name == "pause" and change.value not in ("on", None):
        raise InvalidInputError("pause must be on, or null to lift it.")
    what = {
        "cluster": cluster,
        "name": control.name,
        "value": control.value,
        "until": control.until,
    }
    with audited("kitwai_set_control", user, what, dag_id=AUTOSCALE_DAG):
        store.controls.add(cluster, control)
    return control_view(control, in_force=control.in_force(now))


def cluster_view(store: Store, cluster: str, now: float) -> ClusterView:
    """What is known of ``cluster`` at the moment ``now``."""
    controls = store.controls.newest(cluster)
    waiting = store.approvals.waiting(cluster, now)
    view = ClusterView(cluster=cluster, approval=waiting)
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
