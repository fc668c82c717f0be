"""Forgetting: what is older than the retention time leaves the store, a little each step."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from kitwai.store.store import Store
from kitwai.store.tables import ApprovalRow, DecisionRow, ObservationRow, ScalingRow, ShadowRow

_AT_ONCE = 500


def prune(store: Store, cluster: str, before: float, *, at_once: int = _AT_ONCE) -> int:
    """Delete observations of ``cluster`` from before the moment ``before``, with the decisions made
    from them, the scalings that carried those out, and what approvals and shadows say of them.

    The oldest go first, at most ``at_once`` of each, so that no step has to wait for a long one.

    :returns: how many observations are gone.
    """
    with Session(store.engine) as session, session.begin():

        def oldest(table: Any, moment: Any, *where: Any) -> list[int]:
            query = sa.select(table.id).where(table.cluster == cluster, moment < before, *where)
            return list(session.scalars(query.order_by(moment).limit(at_once)))

        def delete(table: Any, column: Any, ids: list[int]) -> None:
            session.execute(sa.delete(table).where(column.in_(ids)))

        decisions = oldest(DecisionRow, DecisionRow.at)
        if decisions:
            delete(ScalingRow, ScalingRow.decision_id, decisions)
            delete(ApprovalRow, ApprovalRow.decision_id, decisions)
            delete(DecisionRow, DecisionRow.id, decisions)
        by_hand = oldest(ScalingRow, ScalingRow.started_at, ScalingRow.decision_id.is_(None))
        if by_hand:
            delete(ScalingRow, ScalingRow.id, by_hand)
        # A decision bears the moment of the observation it was made from: what is older than the
        # oldest decision left is needed by none.
        left = session.scalar(
            sa.select(sa.func.min(DecisionRow.at)).where(DecisionRow.cluster == cluster)
        )
        unneeded = () if left is None else (ObservationRow.at < left,)
        observations = oldest(ObservationRow, ObservationRow.at, *unneeded)
        if observations:
            delete(ShadowRow, ShadowRow.observation_id, observations)
            delete(ObservationRow, ObservationRow.id, observations)
    return len(observations)
