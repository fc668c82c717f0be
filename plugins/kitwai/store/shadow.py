"""What challengers would have decided: kept beside the decisions on the same observations."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from kitwai.core.records.decision import Decision
from kitwai.store.tables import DecisionRow, ShadowRow

_DECISION = TypeAdapter(Decision)


class ShadowStore:
    """The table of shadows, on the engine of a `kitwai.store.store.Store`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, checkpoint: str, decision: Decision, observation_id: int) -> int:
        """Keep what ``checkpoint`` would have decided; returns the row's id."""
        row = ShadowRow(
            observation_id=observation_id,
            cluster=decision.cluster,
            at=decision.at,
            checkpoint=checkpoint,
            target=decision.target,
            body=_DECISION.dump_python(decision, mode="json"),
        )
        with Session(self._engine) as session, session.begin():
            session.add(row)
            session.flush()
            return row.id

    def challengers(self, since: float = 0.0) -> list[tuple[str, str]]:
        """Cluster and checkpoint of all that have decided in the shadow, in alphabetical order."""
        pair = (ShadowRow.cluster, ShadowRow.checkpoint)
        query = sa.select(*pair).where(ShadowRow.at >= since).distinct().order_by(*pair)
        with Session(self._engine) as session:
            return [(cluster, checkpoint) for cluster, checkpoint in session.execute(query)]

    def newest_since(self, cluster: str, checkpoint: str, most: int) -> float:
        """The moment from which on there are the newest ``most`` decisions of ``checkpoint``, 0
        where there are fewer.
        """
        query = (
            sa.select(ShadowRow.at)
            .where(ShadowRow.cluster == cluster, ShadowRow.checkpoint == checkpoint)
            .order_by(ShadowRow.at.desc())
            .offset(most - 1)
            .limit(1)
        )
        with Session(self._engine) as session:
            return session.scalar(query) or 0.0

    def pairs(
        self, cluster: str, checkpoint: str, since: float = 0.0
    ) -> Iterator[tuple[Decision, Decision]]:
        """What was decided and what ``checkpoint`` would have decided on the same observation,
        oldest first, without those that another version of Kitwai has written in another form.
        """
        query = (
            sa.select(DecisionRow.body, ShadowRow.body)
            .join(ShadowRow, DecisionRow.observation_id == ShadowRow.observation_id)
            .where(
                ShadowRow.cluster == cluster,
                ShadowRow.checkpoint == checkpoint,
                ShadowRow.at >= since,
            )
            .order_by(ShadowRow.at, DecisionRow.id)
            .execution_options(yield_per=100)
        )
        with Session(self._engine) as session:
            for decided, shadow in session.execute(query):
                try:
                    yield _DECISION.validate_python(decided), _DECISION.validate_python(shadow)
                except ValidationError:
                    continue
