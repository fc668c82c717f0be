"""Steps in the store: what was observed, and what was decided on it.

Records go in and come out as the frozen dataclasses of `kitwai.core`, through pydantic, to the last
bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from kitwai.core.records.decision import Decision
from kitwai.core.records.observation import Observation
from kitwai.core.records.settings import ClusterSettings
from kitwai.errors import StoreError
from kitwai.store.database import add_row, read, readable
from kitwai.store.tables import DecisionRow, ObservationRow

_OBSERVATION = TypeAdapter(Observation)
_DECISION = TypeAdapter(Decision)
_SETTINGS = TypeAdapter(ClusterSettings)


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision with its place in the store and the settings it was made under."""

    id: int
    observation_id: int
    decision: Decision
    settings: ClusterSettings


class StepStore:
    """The tables of observations and decisions on one database.

    Lists leave out the records that this version of Kitwai cannot read.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def add_observation(self, observation: Observation) -> int:
        """Keep ``observation``; returns its id."""
        applications = observation.applications
        row = ObservationRow(
            cluster=observation.cluster,
            at=observation.at,
            applications=None if applications is None else len(applications),
            body=_OBSERVATION.dump_python(observation, mode="json"),
        )
        return add_row(self.engine, row)

    def observation(self, observation_id: int) -> Observation:
        """The observation with this id.

        :raises StoreError: there is none, or another version of Kitwai has written it in a form
            that this one cannot read.
        """
        return read(self._row(ObservationRow, observation_id), _observation)

    def newest_observation(self, cluster: str) -> Observation | None:
        """The latest observation of ``cluster``; None before the first, and where this version of
        Kitwai cannot read it.
        """
        return next(iter(self.newest_observations(cluster, 1)), None)

    def newest_observations(self, cluster: str, most: int) -> list[Observation]:
        """The latest ``most`` observations of ``cluster``, newest first."""
        query = sa.select(ObservationRow).where(ObservationRow.cluster == cluster)
        query = query.order_by(ObservationRow.at.desc(), ObservationRow.id.desc()).limit(most)
        return readable(self._rows(query), _observation)

    def observations(self, cluster: str, since: float = 0.0) -> list[Observation]:
        """The observations of ``cluster`` from the moment ``since``, oldest first."""
        query = sa.select(ObservationRow).where(
            ObservationRow.cluster == cluster, ObservationRow.at >= since
        )
        ordered = query.order_by(ObservationRow.at, ObservationRow.id)
        return readable(self._rows(ordered), _observation)

    def add_decision(
        self, decision: Decision, observation_id: int, settings: ClusterSettings
    ) -> int:
        """Keep ``decision`` and what it was made from; returns its id."""
        row = DecisionRow(
            observation_id=observation_id,
            cluster=decision.cluster,
            at=decision.at,
            mode=decision.mode.value,
            present=decision.present,
            target=decision.target,
            checkpoint=decision.checkpoint,
            reason=decision.reason,
            settings=_SETTINGS.dump_python(settings, mode="json"),
            body=_DECISION.dump_python(decision, mode="json"),
        )
        return add_row(self.engine, row)

    def decision(self, decision_id: int) -> StoredDecision:
        """The decision with this id.

        :raises StoreError: there is none, or another version of Kitwai has written it in a form
            that this one cannot read.
        """
        return read(self._row(DecisionRow, decision_id), _decision)

    def newest_decisions(
        self, cluster: str, most: int = 1, *, before: int | None = None
    ) -> list[StoredDecision]:
        """The latest ``most`` decisions on ``cluster``, newest first.

        :param before: only decisions with a smaller id.
        """
        query = sa.select(DecisionRow).where(DecisionRow.cluster == cluster)
        if before is not None:
            query = query.where(DecisionRow.id < before)
        return readable(self._rows(query.order_by(DecisionRow.id.desc()).limit(most)), _decision)

    def decisions(self, cluster: str, since: float = 0.0) -> list[StoredDecision]:
        """The decisions on ``cluster`` from the moment ``since``, oldest first."""
        query = sa.select(DecisionRow).where(
            DecisionRow.cluster == cluster, DecisionRow.at >= since
        )
        return readable(self._rows(query.order_by(DecisionRow.at, DecisionRow.id)), _decision)

    def _row(self, table: Any, row_id: int) -> Any:
        with Session(self.engine) as session:
            row = session.get(table, row_id)
        if row is None:
            raise StoreError(
                f"The store {self.engine.url!r} holds no row {row_id} in {table.__tablename__}: "
                "was it pruned, or is this another store?"
            )
        return row

    def _rows(self, query: Any) -> Sequence[Any]:
        with Session(self.engine) as session:
            return session.scalars(query).all()


def _observation(row: ObservationRow) -> Observation:
    return _OBSERVATION.validate_python(row.body)


def _decision(row: DecisionRow) -> StoredDecision:
    return StoredDecision(
        id=row.id,
        observation_id=row.observation_id,
        decision=_DECISION.validate_python(row.body),
        settings=_SETTINGS.validate_python(row.settings),
    )
