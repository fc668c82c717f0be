"""What people set on clusters: the record of every change, of which the newest counts."""

from __future__ import annotations

from typing import cast

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from kitwai.core.records.overrides import Control
from kitwai.store.database import add_row
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
            return [control_of(row) for row in rows]

    def rows(self, cluster: str, *, most: int, before: int | None = None) -> list[ControlRow]:
        """The record of what was set on ``cluster``, newest first (`control_of`).

        :param before: only rows with a smaller id.
        """
        query = sa.select(ControlRow).where(ControlRow.cluster == cluster)
        if before is not None:
            query = query.where(ControlRow.id < before)
        with Session(self._engine) as session:
            return list(session.scalars(query.order_by(ControlRow.id.desc()).limit(most)))


def control_of(row: ControlRow) -> Control:
    """The control that a row keeps."""
    value = cast("str | int | None", row.value)
    return Control(name=row.name, value=value, at=row.at, by=row.by, until=row.until)
