"""What people set on clusters: the record of every change, of which the newest counts."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from kitwai.core.records.overrides import Control
from kitwai.store.database import add_row
from kitwai.store.paging import Part, newest_first
from kitwai.store.tables import ControlRow


class ControlStore:
    """The table of controls, on the engine of a `kitwai.store.store.Store`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, cluster: str, control: Control) -> int:
        """Keep ``control``, which counts from now on; returns its id."""
        row = ControlRow(
            cluster=cluster,
            at=control.at,
            by=control.by,
            name=control.name,
            value=control.value,
            until=control.until,
        )
        return add_row(self._engine, row)

    def newest(self, cluster: str) -> list[Control]:
        """The newest control of each name, whether in force or not."""
        newest = (
            sa.select(sa.func.max(ControlRow.id))
            .where(ControlRow.cluster == cluster)
            .group_by(ControlRow.name)
        )
        with Session(self._engine) as session:
            rows = session.scalars(
                sa.select(ControlRow).where(ControlRow.id.in_(newest)).order_by(ControlRow.id)
            )
            return [_control(row) for row in rows]

    def record(self, cluster: str, *, limit: int, before: int | None = None) -> Part[Control]:
        """Everything that was set on ``cluster``, newest first."""
        query = sa.select(*ControlRow.__table__.columns).where(ControlRow.cluster == cluster)
        return newest_first(
            self._engine, query, ControlRow.id, _control, limit=limit, before=before
        )


def _control(row: Any) -> Control:
    return Control(name=row.name, value=row.value, at=row.at, by=row.by, until=row.until)
