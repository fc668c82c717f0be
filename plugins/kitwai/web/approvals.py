"""Decisions that wait, or waited, for a person."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from kitwai.store.tables import ApprovalRow, DecisionRow
from kitwai.web.paging import newest_first
from kitwai.web.schemas import ApprovalView, Page

_COLUMNS = (
    ApprovalRow.id,
    ApprovalRow.cluster,
    ApprovalRow.decision_id,
    ApprovalRow.asked_at,
    ApprovalRow.expires_at,
    DecisionRow.present,
    DecisionRow.target,
    DecisionRow.reason,
    ApprovalRow.answer,
    ApprovalRow.answered_at,
    ApprovalRow.answered_by,
)


def open_approval(engine: Engine, cluster: str, now: float) -> ApprovalView | None:
    """The decision on ``cluster`` that waits for an answer, None if none does."""
    query = _approvals().where(
        ApprovalRow.cluster == cluster,
        ApprovalRow.answer.is_(None),
        ApprovalRow.expires_at > now,
    )
    with engine.connect() as connection:
        row = connection.execute(query.order_by(ApprovalRow.id.desc()).limit(1)).first()
    return None if row is None else ApprovalView(**row._mapping)


def approval(engine: Engine, approval_id: int) -> tuple[ApprovalView, str | None] | None:
    """One approval with the run that asks, None if there is none with this id."""
    query = _approvals().add_columns(ApprovalRow.run_id).where(ApprovalRow.id == approval_id)
    with engine.connect() as connection:
        row = connection.execute(query).first()
    if row is None:
        return None
    fields = dict(row._mapping)
    run_id = fields.pop("run_id")
    return ApprovalView(**fields), run_id


def approvals(
    engine: Engine, *, now: float, waiting: bool, limit: int, before: int | None
) -> Page[ApprovalView]:
    """Approvals of all clusters, newest first; ``waiting``: only those without an answer."""
    query = _approvals()
    if waiting:
        query = query.where(ApprovalRow.answer.is_(None), ApprovalRow.expires_at > now)
    return newest_first(
        engine,
        query,
        ApprovalRow.id,
        lambda row: ApprovalView(**row._mapping),
        limit=limit,
        before=before,
    )


def _approvals() -> sa.Select[*tuple[Any, ...]]:
    return sa.select(*_COLUMNS).join(DecisionRow, DecisionRow.id == ApprovalRow.decision_id)
