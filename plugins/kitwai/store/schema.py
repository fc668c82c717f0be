"""Brings a database to the schema of this code, by Alembic, once.

The usual case is a database that is up to date: that costs one small query and no Alembic.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from kitwai.errors import StoreError

HEAD = "0005"
"""The newest migration; a test holds it equal to Alembic's own answer."""

VERSION_TABLE = "kitwai_alembic_version"
_LOCK_KEY = 0x6B697477  # "kitw"


def ensure_schema(engine: Engine) -> None:
    """Migrate the database up to `HEAD` if it is older; safe in several processes at once.

    :raises StoreError: the database is newer than this code, or cannot be migrated.
    """
    if _revision(engine) == HEAD:
        return
    with _one_migrates(engine) as connection:
        current = _current(connection)
        if current == HEAD:
            return
        if current is not None and current > HEAD:
            raise StoreError(
                f"The store {engine.url!r} has schema {current}, newer than this Kitwai's {HEAD}: "
                "install the newer Kitwai."
            )
        _upgrade(connection)


def _revision(engine: Engine) -> str | None:
    try:
        with engine.connect() as connection:
            return _current(connection)
    except SQLAlchemyError as error:
        raise StoreError(
            f"The store {engine.url!r} cannot be opened ({_cause(error)}): check [kitwai] store."
        ) from error


def _current(connection: Connection) -> str | None:
    # Asking the catalogue first keeps a missing table from being an error in the server's log.
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    row = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).first()  # noqa: S608
    return None if row is None else str(row[0])


@contextlib.contextmanager
def _one_migrates(engine: Engine) -> Iterator[Connection]:
    """A transaction that only one process has: a lock of the database where it offers one."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # SQLite's own driver commits around DDL; an immediate transaction excludes others.
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")
            return
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})"))
            yield connection


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, HEAD)
    except SQLAlchemyError as error:
        raise StoreError(
            f"The store's schema could not be brought to {HEAD}: {_cause(error)}."
        ) from error


def _cause(error: SQLAlchemyError) -> str:
    """The database's own words on one line, without the password of the address."""
    text = str(getattr(error, "orig", None) or error).strip().splitlines()
    return re.sub(r"//[^@\s/]+@", "//***@", text[0] if text else type(error).__name__)
