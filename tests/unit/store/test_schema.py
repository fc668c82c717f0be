"""The schema of the store: migrations, and who may open which."""

from __future__ import annotations

import subprocess
import sys

import pytest
import sqlalchemy as sa

from kitwai.errors import StoreError
from kitwai.store.schema import HEAD, VERSION_TABLE
from kitwai.store.store import Store
from kitwai.store.tables import Base


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'folder' / 'kitwai.db'}"


@pytest.fixture
def store(url):
    return Store(url)


def test_migrations_make_the_tables_of_this_code(store):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    with store.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, Base.metadata) == []
    import kitwai.store.migrations as migrations

    assert ScriptDirectory(migrations.__path__[0]).get_current_head() == HEAD


def test_a_newer_store_is_refused(store, url):
    with store.engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))  # noqa: S608
    with pytest.raises(StoreError, match="newer than this Kitwai"):
        Store(url)


@pytest.mark.slow
def test_many_processes_may_open_a_new_store_at_once(url):
    code = f"from kitwai.store.store import Store; Store({url!r}).past('test', 0.0)"
    openers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [opener.wait(60) for opener in openers] == [0] * 4
