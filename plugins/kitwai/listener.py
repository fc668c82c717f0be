"""What only the scheduler can do for Kitwai's runs (Airflow 3.3 lets no task do it).

It writes why a version was promoted or not into the note of the run, where people look first, and
ends tasks that wait for an answer to a question that a step has closed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    from kitwai.store.store import Store

_DAGS = ("kitwai_train", "kitwai_models")
_MARK = "Kitwai: "
_MOST = 1000
_STEPS = "kitwai_autoscale"

log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Set the note of a run that judged a version; end what waits in vain after a step."""
    if dag_run.dag_id == _STEPS:
        _end_waiting(dag_run)
    else:
        _set_note(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """End what waits in vain: a step fails as a whole when it fails on one cluster."""
    if dag_run.dag_id == _STEPS:
        _end_waiting(dag_run)


def _set_note(dag_run: DagRun) -> None:
    """Unless a person has written one."""
    if dag_run.dag_id not in _DAGS or not (dag_run.note or _MARK).startswith(_MARK):
        return
    with _store() as store:
        verdicts = store.training.verdicts(f"{dag_run.dag_id}/{dag_run.run_id}")
    if verdicts:
        newest = verdicts[-1]
        dag_run.note = f"{_MARK}{newest.version} {newest.verdict}. {newest.reason}"[:_MOST]


def _end_waiting(dag_run: DagRun) -> None:
    """Answer closed questions with "Reject", so that nobody approves what is outdated.

    In the session of the run, as a second one would wait for the first on SQLite.
    """
    import sqlalchemy as sa
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import handle_event_submit
    from airflow.providers.standard.operators.hitl import ApprovalOperator
    from airflow.triggers.base import TriggerEvent
    from airflow.utils.sqlalchemy import with_row_locks
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy.orm import joinedload, object_session

    from kitwai.actions.approve import ASK_TASK, DAG_ID

    session = object_session(dag_run)
    if session is None:
        return
    waits = (
        TaskInstance.dag_id == DAG_ID,
        TaskInstance.task_id == ASK_TASK,
        TaskInstance.state == TaskInstanceState.AWAITING_INPUT,
    )
    waiting = list(session.scalars(sa.select(TaskInstance.run_id).where(*waits)))
    closed = _closed_questions(waiting) if waiting else []
    if not closed:
        return
    # Locked as Airflow locks them when a person answers; whom that has been given to is left alone.
    locked = with_row_locks(
        sa.select(TaskInstance)
        .where(*waits, TaskInstance.run_id.in_(closed))
        .options(joinedload(TaskInstance.hitl_detail)),
        session=session,
        of=TaskInstance,
        skip_locked=True,
    )
    for task in session.scalars(locked).all():
        detail = task.hitl_detail
        if detail is None or detail.responded_at is not None:
            continue
        detail.responded_at = datetime.now(UTC)
        detail.responded_by = {"id": "kitwai", "name": "Kitwai"}
        detail.chosen_options, detail.params_input = [ApprovalOperator.REJECT], {}
        event = TriggerEvent(detail.as_resume_event_payload())  # type: ignore[no-untyped-call]
        handle_event_submit(event, task_instance=task, session=session)
        log.info("%s waits no longer: its question was closed.", task.run_id)


def _closed_questions(run_ids: list[str]) -> list[str]:
    with _store() as store:
        asked = [(run_id, store.approvals.of_run(run_id)) for run_id in run_ids]
    return [run_id for run_id, approval in asked if approval is not None and approval.answer]


@contextmanager
def _store() -> Iterator[Store]:
    from kitwai.config.options import store_url
    from kitwai.store.store import Store

    store = Store(store_url())
    try:
        yield store
    finally:
        store.engine.dispose()
