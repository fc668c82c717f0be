"""Decisions that wait, or waited, for a person. One open question a cluster at most."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from kitwai.errors import StoreError
from kitwai.store.lease import StoreLease
from kitwai.store.paging import Part, newest_first
from kitwai.store.tables import ApprovalRow, DecisionRow


class Answer(StrEnum):
    """How a question was closed. `SUPERSEDED`: what was asked is no longer wanted."""

    APPROVED = "approved"
    REJECTED = "rejected"
    TIMED_OUT = "timed out"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Approval:
    """One question: may this decision be carried out? ``answer`` None: it is open.

    ``run_id``: the run that asks; ``answered_by`` None where no person answered. Moments are epoch
    seconds.
    """

    id: int
    decision_id: int
    cluster: str
    asked_at: float
    expires_at: float
    run_id: str | None
    answer: Answer | None
    answered_at: float | None
    answered_by: str | None


@dataclass(frozen=True, slots=True)
class AskedDecision:
    """A question as people read it: with the decision's workers ``present``, ``target`` and why.

    ``answer`` None: it waits, or its time is over. Moments are epoch seconds.
    """

    id: int
    cluster: str
    decision_id: int
    asked_at: float
    expires_at: float
    present: int | None
    target: int | None
    reason: str
    answer: Answer | None
    answered_at: float | None
    answered_by: str | None


class ApprovalStore:
    """The table of approvals, on the engine of a `kitwai.store.store.Store`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ask(
        self, cluster: str, decision_id: int, *, now: float, timeout_s: float, run_id: str
    ) -> Approval | None:
        """Open a question; None where one is open, whoever opened it.

        :raises LeaseError: an operation on the cluster is under way; nothing was asked.
        """
        # The lease keeps two steps from asking at once on every database.
        with StoreLease(self._engine, cluster):
            if self.open(cluster) is not None:
                return None
            row = ApprovalRow(
                cluster=cluster,
                decision_id=decision_id,
                asked_at=now,
                expires_at=now + timeout_s,
                run_id=run_id,
            )
            with Session(self._engine) as session, session.begin():
                session.add(row)
                session.flush()
                return _approval(row)

    def get(self, approval_id: int) -> Approval:
        """The question with this id. :raises StoreError: there is none."""
        with Session(self._engine) as session:
            row = session.get(ApprovalRow, approval_id)
        if row is None:
            raise StoreError(f"The store holds no approval {approval_id}: was it pruned?")
        return _approval(row)

    def of_run(self, run_id: str) -> Approval | None:
        """The question that a run asks, None where it asks none."""
        return self._newest(ApprovalRow.run_id == run_id)

    def open(self, cluster: str) -> Approval | None:
        """The open question of ``cluster``."""
        return self._newest(ApprovalRow.cluster == cluster, ApprovalRow.answer.is_(None))

    def close(self, approval_id: int, answer: Answer, now: float, *, by: str | None = None) -> bool:
        """Close an open question; False where somebody else has closed it."""
        values = {"answer": answer.value, "answered_at": now, "answered_by": by}
        return self._update(values, ApprovalRow.id == approval_id, ApprovalRow.answer.is_(None))

    def supersede(self, approval_id: int) -> bool:
        """Note that what a person approved is not carried out; who approved stays."""
        return self._update(
            {"answer": Answer.SUPERSEDED.value},
            ApprovalRow.id == approval_id,
            ApprovalRow.answer == Answer.APPROVED.value,
        )

    def refused_since(self, cluster: str, target: int, since: float) -> Approval | None:
        """The newest question for ``target`` that was rejected or timed out after ``since``."""
        of_target = sa.select(DecisionRow.id).where(
            DecisionRow.cluster == cluster, DecisionRow.target == target
        )
        return self._newest(
            ApprovalRow.cluster == cluster,
            ApprovalRow.answer.in_([Answer.REJECTED.value, Answer.TIMED_OUT.value]),
            ApprovalRow.answered_at > since,
            ApprovalRow.decision_id.in_(of_target),
        )

    def waiting(self, cluster: str, now: float) -> AskedDecision | None:
        """The decision on ``cluster`` that waits for an answer, None where none does."""
        query = _asked(*_waits(now), ApprovalRow.cluster == cluster)
        return self._first(query.order_by(ApprovalRow.id.desc()).limit(1))

    def asked(self, approval_id: int) -> AskedDecision | None:
        """The question with this id and its decision, None where there is none."""
        return self._first(_asked(ApprovalRow.id == approval_id))

    def asked_decisions(
        self, *, now: float, waiting: bool, limit: int, before: int | None = None
    ) -> Part[AskedDecision]:
        """Questions on all clusters, newest first. :param waiting: only those that still wait."""
        return newest_first(
            self._engine,
            _asked(*(_waits(now) if waiting else ())),
            ApprovalRow.id,
            _asked_decision,
            limit=limit,
            before=before,
        )

    def _first(self, query: Any) -> AskedDecision | None:
        with Session(self._engine) as session:
            row = session.execute(query).first()
        return None if row is None else _asked_decision(row)

    def _newest(self, *where: Any) -> Approval | None:
        query = sa.select(ApprovalRow).where(*where).order_by(ApprovalRow.id.desc()).limit(1)
        with Session(self._engine) as session:
            row = session.scalar(query)
        return None if row is None else _approval(row)

    def _update(self, values: dict[str, Any], *where: Any) -> bool:
        with self._engine.begin() as connection:
            done = connection.execute(sa.update(ApprovalRow).where(*where).values(**values))
        return done.rowcount == 1


def _waits(now: float) -> tuple[Any, ...]:
    return ApprovalRow.answer.is_(None), ApprovalRow.expires_at > now


def _asked(*where: Any) -> sa.Select[*tuple[Any, ...]]:
    decision = (DecisionRow.present, DecisionRow.target, DecisionRow.reason)
    query = sa.select(*ApprovalRow.__table__.columns, *decision)
    return query.join(DecisionRow, DecisionRow.id == ApprovalRow.decision_id).where(*where)


def _asked_decision(row: Any) -> AskedDecision:
    named = {field.name: getattr(row, field.name) for field in fields(AskedDecision)}
    return AskedDecision(**named | {"answer": row.answer and Answer(row.answer)})


def _approval(row: Any) -> Approval:
    return Approval(
        id=row.id,
        decision_id=row.decision_id,
        cluster=row.cluster,
        asked_at=row.asked_at,
        expires_at=row.expires_at,
        run_id=row.run_id,
        answer=row.answer and Answer(row.answer),
        answered_at=row.answered_at,
        answered_by=row.answered_by,
    )
