"""Decisions that wait, or waited, for a person, and the person's answer.

The question is a human-in-the-loop task of the DAG `kitwai_approve`. An answer given here is
passed to Airflow as Airflow's own page would pass it. The DAG itself notes the answer in the store
when the task goes on.
"""

from __future__ import annotations

import time
from dataclasses import replace

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
from fastapi import APIRouter, HTTPException, Query

from kitwai.actions.approve import ASK_TASK, DAG_ID
from kitwai.store.approvals import Answer, AskedDecision
from kitwai.web.audit import audited
from kitwai.web.parameters import Before, Limit, RowId
from kitwai.web.schemas import ApprovalAnswer, Page
from kitwai.web.security import Changer, may_answer
from kitwai.web.sources import StoreOf

router = APIRouter(tags=["approvals"])

_OPTIONS = {"approved": "Approve", "rejected": "Reject"}


@router.get("/approvals")
def list_approvals(
    store: StoreOf,
    waiting: bool = Query(False, alias="open"),
    limit: Limit = 50,
    before: Before = None,
) -> Page[AskedDecision]:
    """Decisions of all clusters that were put before a person, newest first; ``open=true``: those
    that still wait.
    """
    approvals = store.approvals
    part = approvals.asked_decisions(now=time.time(), waiting=waiting, limit=limit, before=before)
    return Page(items=part.items, next=part.next)


@router.post("/approvals/{approval_id}")
def answer_approval(
    approval_id: RowId, given: ApprovalAnswer, store: StoreOf, user: Changer
) -> AskedDecision:
    """Approve or reject a decision; Airflow carries on with it as if it were answered there."""
    now, approvals = time.time(), store.approvals
    asked = approvals.asked(approval_id)
    if asked is None:
        raise HTTPException(404, "The store holds no such question (any more).")
    if asked.answer is not None:
        raise HTTPException(409, f"This question is closed already: {asked.answer}.")
    run_id = approvals.get(approval_id).run_id
    if run_id is None or asked.expires_at <= now:
        raise HTTPException(409, "The time to answer this question is over.")
    give_answer(asked, run_id, given.answer, user)
    return replace(asked, answer=Answer(given.answer), answered_at=now, answered_by=user.get_name())


def give_answer(asked: AskedDecision, run_id: str, answer: str, user: BaseUser) -> None:
    """Answer the task of the run that asks; answer and audit log's entry are written together.

    :param answer: "approved" or "rejected".
    :raises HTTPException: 403, the user may not; 409, it is answered already or not asked yet.
    """
    if not may_answer(user):
        raise HTTPException(403, f"You may not answer for the DAG {DAG_ID}.")
    what = {"cluster": asked.cluster, "decision_id": asked.decision_id, "answer": answer}
    task = {"run_id": run_id, "task_id": ASK_TASK, "map_index": -1}
    try:
        with audited("kitwai_answer_approval", user, what, dag_id=DAG_ID, **task) as session:
            update_hitl_detail(
                dag_id=DAG_ID,
                dag_run_id=run_id,
                task_id=ASK_TASK,
                update_hitl_detail_payload=UpdateHITLDetailPayload(
                    chosen_options=[_OPTIONS[answer]]
                ),
                user=user,
                session=session,
                map_index=-1,
            )
    except HTTPException as error:
        if error.status_code == 404:
            raise HTTPException(409, "Airflow has not put this question yet; try again.") from error
        if error.status_code == 409:
            raise HTTPException(409, "This question has been answered already.") from error
        raise
