"""The database behind the store: opening it, and what all its tables have in common."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import SQLAlchemyError as DatabaseError
from sqlalchemy.orm import Session

from kitwai.errors import StoreError
from kitwai.store.schema import ensure_schema

__all__ = [
    "DatabaseError",
    "Engine",
    "add_row",
    "open_database",
    "read",
    "readable",
]
"""Other rooms name the database's handle and its error through this module."""

log = logging.getLogger(__name__)

T = TypeVar("T")

_SWITCH_S = 10.0
"""Seconds that opening a new SQLite file may wait for another process that opens it too."""


def open_database(url: str) -> Engine:
    """The database at ``url``, a SQLAlchemy database URL, with its schema up to date.

    :raises StoreError: it cannot be used; no message holds its password.
    """
    engine = _engine(url)
    ensure_schema(engine)
    return engine


def add_row(engine: Engine, row: Any) -> int:
    """Write a new row of any table that has an id; returns the id."""
    with Session(engine) as session, session.begin():
        session.add(row)
        session.flush()
        return int(row.id)


def read(row: Any, form: Callable[[Any], T]) -> T:
    """The record of ``row``, as ``form`` makes it.

    :raises StoreError: another version of Kitwai has written the row in another form.
    """
    try:
        return form(row)
    except ValidationError:
        raise StoreError(
            f"Row {row.id} in {row.__tablename__} cannot be read: another version of Kitwai has "
            "written it in another form."
        ) from None


def readable(rows: Iterable[Any], form: Callable[[Any], T]) -> list[T]:
    """The records that can be read. A record in another form must not stop all later steps."""
    records = []
    for row in rows:
        try:
            records.append(read(row, form))
        except StoreError as error:
            log.warning("%s It is left out.", error)
    return records


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
    # Readers do not wait for the writer then: the UI reads while a step writes. A new file is
    # switched by whoever comes first; SQLite makes nobody wait for that, so that others try again.
    until = time.monotonic() + _SWITCH_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
    connection.execute("PRAGMA foreign_keys=ON")
