"""Decisions that wait for a person, and the person's answer."""

from __future__ import annotations

import time

from fastapi import APIRouter, HTTPException, Query

from kitwai.web.answers import give_answer
from kitwai.web.approvals import approval, approvals
from kitwai.web.parameters import Before, Limit, RowId
from kitwai.web.schemas import ApprovalAnswer, ApprovalView, Page
from kitwai.web.security import Changer
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


@router.post("/approvals/{approval_id}")
def answer_approval(
    approval_id: RowId, given: ApprovalAnswer, store: StoreOf, user: Changer
) -> ApprovalView:
    """Approve or reject a decision; Airflow carries on with it as if it were answered there."""
    now = time.time()
    found = approval(store.engine, approval_id)
    if found is None:
        raise HTTPException(404, "The store holds no such question (any more).")
    view, run_id = found
    if view.answer is not None:
        raise HTTPException(409, f"This question is closed already: {view.answer}.")
    if run_id is None or view.expires_at <= now:
        raise HTTPException(409, "The time to answer this question is over.")
    give_answer(view, run_id, given.answer, user)
    return view.model_copy(
        update={"answer": given.answer, "answered_at": now, "answered_by": user.get_name()}
    )
