"""The clusters now and over time, and what people set on them."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Query

from kitwai.config.options import clusters
from kitwai.core.records.overrides import Control, check_control
from kitwai.errors import InvalidInputError
from kitwai.store.controls import ControlStore
from kitwai.web.audit import audited
from kitwai.web.clusters import cluster_view, control_record, control_view
from kitwai.web.parameters import DAY_S, Before, Limit, Moment
from kitwai.web.schemas import ClusterView, ControlChange, ControlView, Page, Timeline
from kitwai.web.security import AUTOSCALE_DAG, Changer
from kitwai.web.sources import Cluster, PointsOf, StoreOf, connection

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
    points: PointsOf,
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
    return points.timeline(cluster, since, until, most)


@router.get("/clusters/{cluster}/controls")
def list_controls(
    cluster: Cluster, store: StoreOf, limit: Limit = 50, before: Before = None
) -> Page[ControlView]:
    """Everything that was set on the cluster, and by whom."""
    return control_record(store.engine, cluster, now=time.time(), limit=limit, before=before)


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
        ControlStore(store.engine).add(cluster, control)
    return control_view(control, in_force=control.in_force(now))
