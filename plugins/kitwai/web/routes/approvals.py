"""Decisions that wait for a person, and the person's answer."""

from __future__ import annotations

import time

from fastapi import APIRouter, Query

from kitwai.web.approvals import approvals
from kitwai.web.parameters import Before, Limit
from kitwai.web.schemas import ApprovalView, Page
from kitwai.web.sources import StoreOf

router = APIRouter(tags=["approvals"])


@router.get("/approvals")
def list_approvals(
    store: StoreOf,
    waiting: bool = Query(False, alias="open"),
    limit: Limit = 50,
    before: Before = None,
) -> Page[ApprovalView]:
    """Decisions of all clusters that were put before a person, newest first; ``open=true``: those
    that still wait.
    """
    return approvals(store.engine, now=time.time(), waiting=waiting, limit=limit, before=before)
