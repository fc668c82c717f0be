"""What the training DAG keeps in the store: event logs as they were read, verdicts on versions."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from kitwai.core.records.decision import Decision
from kitwai.core.records.observation import Observation
from kitwai.core.records.profile import ApplicationProfile
from kitwai.core.records.settings import ClusterSettings
from kitwai.store.database import add_row
from kitwai.store.tables import DecisionRow, EventLogRow, ObservationRow, VerdictRow

_DECISION = TypeAdapter(Decision)
_OBSERVATION = TypeAdapter(Observation)
_SETTINGS = TypeAdapter(ClusterSettings)


@dataclass(frozen=True, slots=True)
class Run:
    """One finished application: its profile, and when it began and ended (epoch seconds)."""

    profile: ApplicationProfile
    started_at: float
    ended_at: float


class TrainingStore:
    """The two tables of training, on the engine of a `kitwai.store.store.Store`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def fingerprints(self) -> dict[str, str]:
        """The fingerprint with which each event log was read last, by its source."""
        with Session(self.engine) as session:
            rows = session.execute(sa.select(EventLogRow.source, EventLogRow.fingerprint))
            return {source: fingerprint for source, fingerprint in rows}

    def add_run(self, source: str, fingerprint: str, run: Run) -> None:
        """Keep what an event log told; it replaces what an older state of the file told."""
        profile = run.profile
        self._merge(
            source=source,
            fingerprint=fingerprint,
            app=profile.app[:250],
            family=profile.family,
            started_at=run.started_at,
            ended_at=run.ended_at,
            profile=profile.to_dict(),
            reason=None,
        )

    def set_aside(self, source: str, fingerprint: str, reason: str) -> None:
        """Keep why an event log gave no profile."""
        self._merge(
            source=source,
            fingerprint=fingerprint,
            app=None,
            family=None,
            started_at=None,
            ended_at=None,
            profile=None,
            reason=reason,
        )

    def runs(
        self, since: float, until: float, most: int | None = None, *, family: str | None = None
    ) -> list[Run]:
        """Applications that ended in [since, until), oldest first; each once, however many files
        tell of it.

        :param most: only the newest so many; ``family``: only of this one.
        """
        query = (
            sa.select(EventLogRow)
            .where(EventLogRow.ended_at >= since, EventLogRow.ended_at < until)
            .order_by(EventLogRow.ended_at.desc(), EventLogRow.app.desc(), EventLogRow.source)
            .execution_options(yield_per=50)
        )
        if family is not None:
            query = query.where(EventLogRow.family == family)
        found: dict[tuple[str | None, float], Run] = {}
        with Session(self.engine) as session:
            for row in session.scalars(query):
                if most is not None and len(found) >= most:
                    break
                ended_at = row.ended_at or 0.0
                started_at = ended_at if row.started_at is None else row.started_at
                if (row.app, started_at) not in found:
                    profile = ApplicationProfile.from_dict(row.profile)
                    found[row.app, started_at] = Run(profile, started_at, ended_at)
        return list(found.values())[::-1]

    def ends(self, until: float) -> dict[str, float]:
        """By application id, when it had ended, of those that ended before a moment."""
        query = (
            sa.select(EventLogRow.app, EventLogRow.ended_at)
            .where(EventLogRow.ended_at < until)
            .order_by(EventLogRow.ended_at)
        )
        with Session(self.engine) as session:
            return {str(app): float(ended_at or 0.0) for app, ended_at in session.execute(query)}

    def reasons(self) -> dict[str, str]:
        """Why event logs were set aside, by their source."""
        query = sa.select(EventLogRow.source, EventLogRow.reason).where(
            EventLogRow.reason.is_not(None)
        )
        with Session(self.engine) as session:
            return {source: str(reason) for source, reason in session.execute(query)}

    def steps(
        self,
        since: float,
        until: float,
        cluster: str | None = None,
        *,
        newest: int | None = None,
    ) -> Iterator[tuple[Observation, Decision, ClusterSettings] | None]:
        """What the autoscale DAG saw and decided in [since, until), oldest first; None for each
        step that another version of Kitwai has written in a form that this one cannot read.

        :param cluster: of this one alone.
        :param newest: so many at most, the newest first.
        """
        query = (
            sa.select(ObservationRow.body, DecisionRow.body, DecisionRow.settings)
            .join(DecisionRow, DecisionRow.observation_id == ObservationRow.id)
            .where(DecisionRow.at >= since, DecisionRow.at < until)
            .execution_options(yield_per=100)
        )
        if cluster is not None:
            query = query.where(DecisionRow.cluster == cluster)
        if newest is None:
            query = query.order_by(DecisionRow.at, DecisionRow.id)
        else:
            query = query.order_by(DecisionRow.at.desc(), DecisionRow.id.desc()).limit(newest)
        with Session(self.engine) as session:
            for seen, decided, settings in session.execute(query):
                try:
                    yield (
                        _OBSERVATION.validate_python(seen),
                        _DECISION.validate_python(decided),
                        _SETTINGS.validate_python(settings),
                    )
                except ValidationError:
                    yield None

    def extent(self, since: float, until: float, cluster: str) -> tuple[int, float, float] | None:
        """How many decisions there are on ``cluster`` in [since, until), and the moments of the
        first and the last; None where there are none.
        """
        at = DecisionRow.at
        query = sa.select(sa.func.count(), sa.func.min(at), sa.func.max(at)).where(
            DecisionRow.cluster == cluster, at >= since, at < until
        )
        with Session(self.engine) as session:
            count, first, last = session.execute(query).one()
        return (int(count), float(first), float(last)) if count else None

    def add_verdict(
        self,
        version: str,
        champion: str | None,
        verdict: str,
        reason: str,
        *,
        run_id: str | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> int:
        """Keep what became of a version; returns the row's id."""
        row = VerdictRow(
            at=time.time(),
            run_id=run_id,
            version=version,
            champion=champion,
            verdict=verdict,
            reason=reason,
            # Through JSON text: NumPy's numbers must not reach the database's own encoder.
            body=None if body is None else json.loads(json.dumps(body)),
        )
        return add_row(self.engine, row)

    def verdicts(self, run_id: str | None = None) -> list[VerdictRow]:
        """All verdicts, or those of one run of the DAG, oldest first."""
        query = sa.select(VerdictRow).order_by(VerdictRow.at, VerdictRow.id)
        if run_id is not None:
            query = query.where(VerdictRow.run_id == run_id)
        with Session(self.engine) as session:
            return list(session.scalars(query))

    def _merge(self, **columns: Any) -> None:
        for attempt in ("first", "second"):
            try:
                with Session(self.engine) as session, session.begin():
                    session.merge(EventLogRow(read_at=time.time(), **columns))
            except IntegrityError:
                # Another process has read the same file for the first time just now.
                if attempt == "second":
                    raise
            else:
                return
