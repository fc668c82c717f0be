"""A person's answer to a waiting decision, given to Airflow as its own page would give it.

The question is a human-in-the-loop task of the DAG `kitwai_approve`; the DAG itself notes the
answer in the store when the task goes on.
"""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
from fastapi import HTTPException

from kitwai.actions.approve import ASK_TASK, DAG_ID
from kitwai.web.audit import audited
from kitwai.web.schemas import ApprovalView
from kitwai.web.security import may_answer

_OPTIONS = {"approved": "Approve", "rejected": "Reject"}


def give_answer(asked: ApprovalView, run_id: str, answer: str, user: BaseUser) -> None:
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
