"""The store: what was observed, decided and done, and what people set and answered.

SQLAlchemy on any database; a SQLite file by default. Each subject has its own module; a `Store`
opens the database and lends them all.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from kitwai.core.records.observation import Past
from kitwai.store.approvals import ApprovalStore
from kitwai.store.controls import ControlStore
from kitwai.store.database import open_database
from kitwai.store.lease import under_way
from kitwai.store.scalings import ScalingStore
from kitwai.store.steps import StepStore
from kitwai.store.tables import ObservationRow, ScalingRow
from kitwai.store.training import TrainingStore

_HOUR_S = 3600.0


class Store(StepStore, ScalingStore):
    """One database. Opening it brings its schema up to date.

    Steps and scalings are its own; the other subjects are ``approvals``, ``controls`` and
    ``training``.
    """

    def __init__(self, url: str) -> None:
        """:param url: a SQLAlchemy database URL. :raises StoreError: it cannot be used."""
        super().__init__(open_database(url))

    @cached_property
    def approvals(self) -> ApprovalStore:
        """The questions to people."""
        return ApprovalStore(self.engine)

    @cached_property
    def controls(self) -> ControlStore:
        """What people set."""
        return ControlStore(self.engine)

    @cached_property
    def training(self) -> TrainingStore:
        """Event logs as they were read, and verdicts on versions."""
        return TrainingStore(self.engine)

    def past(self, cluster: str, now: float) -> Past:
        """What a decision at ``now`` must know of the cluster's recent past."""
        with Session(self.engine) as session:

            def newest(column: Any, *where: Any) -> float | None:
                return session.scalar(sa.select(sa.func.max(column)).where(*where))

            of_cluster = ObservationRow.cluster == cluster
            busy_at = newest(ObservationRow.at, of_cluster, ObservationRow.applications > 0)
            if busy_at is None:
                first = sa.select(sa.func.min(ObservationRow.at)).where(of_cluster)
                busy_at = session.scalar(first)
            on_cluster = ScalingRow.cluster == cluster
            # A killed scaling has no end; what it had done counts from its beginning.
            ended = sa.func.coalesce(ScalingRow.ended_at, ScalingRow.started_at)
            out_at = newest(ended, on_cluster, ScalingRow.started > 0)
            in_at = newest(ended, on_cluster, ScalingRow.removed > 0)
            changed = sa.func.sum(ScalingRow.started + ScalingRow.removed)
            changes = session.scalar(sa.select(changed).where(on_cluster, ended > now - _HOUR_S))
        return Past(
            idle_s=0.0 if busy_at is None else max(0.0, now - busy_at),
            since_scale_out_s=None if out_at is None else max(0.0, now - out_at),
            since_scale_in_s=None if in_at is None else max(0.0, now - in_at),
            operation=under_way(self.engine, cluster, now),
            changes_1h=int(changes or 0),
        )
