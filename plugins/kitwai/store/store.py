"""The store: what was observed, decided and done, and the lease on each cluster.

SQLAlchemy on any database; a SQLite file by default. Records go in and come out as the frozen
dataclasses of `kitwai.core`, through pydantic, to the last bit.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from kitwai.core.records.decision import ClusterSettings, Decision
from kitwai.core.records.observation import Observation, Past
from kitwai.errors import StoreError
from kitwai.store.lease import StoreLease, under_way
from kitwai.store.schema import ensure_schema
from kitwai.store.tables import DecisionRow, ObservationRow, ScalingRow

log = logging.getLogger(__name__)

T = TypeVar("T")

_OBSERVATION = TypeAdapter(Observation)
_DECISION = TypeAdapter(Decision)
_SETTINGS = TypeAdapter(ClusterSettings)
_HOUR_S = 3600.0


@dataclasses.dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision with its place in the store and the settings it was made under."""

    id: int
    observation_id: int
    decision: Decision
    settings: ClusterSettings


class Store:
    """One database. Opening it brings its schema up to date."""

    def __init__(self, url: str) -> None:
        """:param url: a SQLAlchemy database URL. :raises StoreError: it cannot be used."""
        self.engine = _engine(url)
        ensure_schema(self.engine)

    def add_observation(self, observation: Observation) -> int:
        """Keep ``observation``; returns its id."""
        applications = observation.applications
        row = ObservationRow(
            cluster=observation.cluster,
            at=observation.at,
            applications=None if applications is None else len(applications),
            body=_OBSERVATION.dump_python(observation, mode="json"),
        )
        return self._add(row)

    def observation(self, observation_id: int) -> Observation:
        """The observation with this id.

        :raises StoreError: there is none, or another version of Kitwai has written it in a form
            that this one cannot read.
        """
        return _read(self._row(ObservationRow, observation_id), _seen)

    def newest_observation(self, cluster: str) -> Observation | None:
        """The latest observation of ``cluster``; None before the first, and where this version of
        Kitwai cannot read it.
        """
        return next(iter(self.newest_observations(cluster, 1)), None)

    def newest_observations(self, cluster: str, most: int) -> list[Observation]:
        """The latest observations of ``cluster``, newest first, without those that this version of
        Kitwai cannot read.
        """
        query = sa.select(ObservationRow).where(ObservationRow.cluster == cluster)
        query = query.order_by(ObservationRow.at.desc(), ObservationRow.id.desc()).limit(most)
        with Session(self.engine) as session:
            rows = session.scalars(query).all()
        return _readable(rows, _seen)

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
        return self._add(row)

    def decision(self, decision_id: int) -> StoredDecision:
        """The decision with this id.

        :raises StoreError: there is none, or another version of Kitwai has written it in a form
            that this one cannot read.
        """
        return _read(self._row(DecisionRow, decision_id), _stored)

    def newest_decisions(
        self, cluster: str, most: int = 1, *, before: int | None = None
    ) -> list[StoredDecision]:
        """The latest decisions on ``cluster``, newest first, without those that this version of
        Kitwai cannot read.

        :param before: only those with a smaller id.
        """
        query = sa.select(DecisionRow).where(DecisionRow.cluster == cluster)
        if before is not None:
            query = query.where(DecisionRow.id < before)
        with Session(self.engine) as session:
            rows = session.scalars(query.order_by(DecisionRow.id.desc()).limit(most)).all()
        return _readable(rows, _stored)

    def decisions(self, cluster: str, since: float = 0.0) -> list[StoredDecision]:
        """The decisions on ``cluster`` from the moment ``since``, oldest first, without those that
        this version of Kitwai cannot read.
        """
        return _readable(self._since(DecisionRow, DecisionRow.at, cluster, since), _stored)

    def observations(self, cluster: str, since: float = 0.0) -> list[Observation]:
        """The observations of ``cluster`` from the moment ``since``, oldest first, without those
        that this version of Kitwai cannot read.
        """
        return _readable(self._since(ObservationRow, ObservationRow.at, cluster, since), _seen)

    def begin_scaling(
        self, cluster: str, target: int, decision_id: int | None, now: float | None = None
    ) -> int:
        """Note that an operation begins; returns its id for `end_scaling`."""
        return self._add(
            ScalingRow(
                decision_id=decision_id,
                cluster=cluster,
                started_at=time.time() if now is None else now,
                target=target,
                started=0,
                removed=0,
            )
        )

    def note_scaling(self, scaling_id: int, *, started: int, removed: int) -> None:
        """Note what an operation under way has done so far: it may be killed."""
        with Session(self.engine) as session, session.begin():
            row = session.get_one(ScalingRow, scaling_id)
            row.started, row.removed = started, removed

    def end_scaling(
        self,
        scaling_id: int,
        *,
        started: int,
        removed: int,
        body: dict[str, Any],
        now: float | None = None,
    ) -> None:
        """Note what an operation did: workers started, told to leave, and the details."""
        with Session(self.engine) as session, session.begin():
            row = session.get_one(ScalingRow, scaling_id)
            row.ended_at = time.time() if now is None else now
            row.started, row.removed, row.body = started, removed, body

    def scalings(self, cluster: str, since: float = 0.0) -> list[ScalingRow]:
        """The operations on ``cluster`` from the moment ``since``, oldest first."""
        return list(self._since(ScalingRow, ScalingRow.started_at, cluster, since))

    def newest_scalings(self, cluster: str, most: int) -> list[ScalingRow]:
        """The latest operations on ``cluster`` that have ended, newest first."""
        query = sa.select(ScalingRow).where(
            ScalingRow.cluster == cluster, ScalingRow.ended_at.is_not(None)
        )
        with Session(self.engine) as session:
            return list(session.scalars(query.order_by(ScalingRow.id.desc()).limit(most)))

    def past(self, cluster: str, now: float) -> Past:
        """What a decision at ``now`` must know of the cluster's recent past."""
        with Session(self.engine) as session:

            def newest(column: Any, *where: Any) -> float | None:
                return session.scalar(sa.select(sa.func.max(column)).where(*where))

            seen = ObservationRow.cluster == cluster
            busy_at = newest(ObservationRow.at, seen, ObservationRow.applications > 0)
            if busy_at is None:
                busy_at = session.scalar(sa.select(sa.func.min(ObservationRow.at)).where(seen))
            done = ScalingRow.cluster == cluster
            # One that was killed has no end; what it had done counts from its beginning.
            ended = sa.func.coalesce(ScalingRow.ended_at, ScalingRow.started_at)
            out_at = newest(ended, done, ScalingRow.started > 0)
            in_at = newest(ended, done, ScalingRow.removed > 0)
            changed = sa.func.sum(ScalingRow.started + ScalingRow.removed)
            changes = session.scalar(sa.select(changed).where(done, ended > now - _HOUR_S))
        return Past(
            idle_s=0.0 if busy_at is None else max(0.0, now - busy_at),
            since_scale_out_s=None if out_at is None else max(0.0, now - out_at),
            since_scale_in_s=None if in_at is None else max(0.0, now - in_at),
            operation=under_way(self.engine, cluster, now),
            changes_1h=int(changes or 0),
        )

    def lease(self, cluster: str) -> AbstractContextManager[StoreLease]:
        """The lease on ``cluster``, to be held while it is scaled."""
        return StoreLease(self.engine, cluster)

    def _add(self, row: Any) -> int:
        with Session(self.engine) as session, session.begin():
            session.add(row)
            session.flush()
            return int(row.id)

    def _row(self, table: Any, row_id: int) -> Any:
        with Session(self.engine) as session:
            row = session.get(table, row_id)
        if row is None:
            raise StoreError(
                f"The store {self.engine.url!r} holds no row {row_id} in {table.__tablename__}: "
                "was it pruned, or is this another store?"
            )
        return row

    def _since(self, table: Any, moment: Any, cluster: str, since: float) -> Iterable[Any]:
        query = sa.select(table).where(table.cluster == cluster, moment >= since)
        with Session(self.engine) as session:
            return session.scalars(query.order_by(moment, table.id)).all()


def _read(row: Any, form: Callable[[Any], T]) -> T:
    try:
        return form(row)
    except ValidationError:
        raise StoreError(
            f"Row {row.id} in {row.__tablename__} cannot be read: another version of Kitwai has "
            "written it in another form."
        ) from None


def _readable(rows: Iterable[Any], form: Callable[[Any], T]) -> list[T]:
    """Those that can be read. One step's record in another form must not stop all later steps."""
    found = []
    for row in rows:
        try:
            found.append(_read(row, form))
        except StoreError as error:
            log.warning("%s It is left out.", error)
    return found


def _seen(row: ObservationRow) -> Observation:
    return _OBSERVATION.validate_python(row.body)


def _stored(row: DecisionRow) -> StoredDecision:
    return StoredDecision(
        id=row.id,
        observation_id=row.observation_id,
        decision=_DECISION.validate_python(row.body),
        settings=_SETTINGS.validate_python(row.settings),
    )


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.drivername.startswith("sqlite") and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            engine = sa.create_engine(parsed, connect_args={"timeout": 30})
            sa.event.listen(engine, "connect", _use_wal)
            return engine
        return sa.create_engine(parsed, pool_pre_ping=True)
    except (ArgumentError, ImportError, OSError) as error:
        shown = _hide_password(url)
        raise StoreError(
            f"The store's database URL {shown} cannot be used ({error}): check [kitwai] store."
        ) from error


def _hide_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "not a database URL"


def _use_wal(connection: Any, _record: Any) -> None:
    # Readers do not wait for the writer then: the UI reads while a step writes.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")
