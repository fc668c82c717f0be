"""Recorded days decided again, and challengers that decide in the shadow."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from threading import Lock

from fastapi import APIRouter, HTTPException

from kitwai.actions.replay_report import (
    ReplayReport,
    ReplayRequest,
    ShadowReport,
    replay_report,
    shadow_reports,
)
from kitwai.errors import InvalidInputError
from kitwai.web.parameters import DAY_S, Moment
from kitwai.web.routes.models import require_version
from kitwai.web.security import Changer
from kitwai.web.sources import Cluster, Models, StoreOf, past_runs, store

router = APIRouter(tags=["replay"])

# It takes a processor for up to a minute: a second one would take it from everybody else.
_one_at_a_time = Lock()


@router.post("/clusters/{cluster}/replay")
def replay_days(
    cluster: Cluster, asked: ReplayRequest, store: StoreOf, root: Models, _user: Changer
) -> ReplayReport:
    """Decide recorded days again with a checkpoint or a baseline. Nothing is changed by it; it asks
    for the right to change because of the work it makes.
    """
    if not asked.since < asked.until:
        raise InvalidInputError("since must lie before until.")
    if asked.checkpoint is not None:
        require_version(root, asked.checkpoint)
    if not _one_at_a_time.acquire(blocking=False):
        raise HTTPException(
            429, "Another replay is under way; ask again when it is done.", {"Retry-After": "30"}
        )
    try:
        return replay_report(store, root, cluster, asked, own=past_runs(cluster))
    finally:
        _one_at_a_time.release()


@router.get("/clusters/{cluster}/shadow")
def list_shadows(cluster: Cluster, root: Models, since: Moment = None) -> list[ShadowReport]:
    """Challengers that have decided beside the champion, without acting, from ``since`` (a day ago)
    on. The figures are at most a minute old.
    """
    minute = int(time.time() // 60)
    return _shadows(cluster, root, 60 * minute - DAY_S if since is None else since, minute)


@lru_cache(maxsize=32)
def _shadows(cluster: str, root: Path, since: float, _minute: int) -> list[ShadowReport]:
    # Each figure is made from every decision of the time, read in full.
    return shadow_reports(store(), root, cluster, since=since)
