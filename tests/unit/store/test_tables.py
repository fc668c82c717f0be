"""The tables' indexes."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from kitwai.store.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(f"sqlite:///{tmp_path / 'kitwai.db'}")


def test_every_foreign_key_has_an_index(store):
    inspector = sa.inspect(store.engine)
    keys = {
        (table, key["constrained_columns"][0])
        for table in inspector.get_table_names()
        for key in inspector.get_foreign_keys(table)
    }
    indexed = {
        (table, index["column_names"][0])
        for table in inspector.get_table_names()
        for index in inspector.get_indexes(table)
    }
    assert ("kitwai_shadow", "observation_id") in keys
    assert keys <= indexed


def test_a_deletion_finds_what_refers_to_it_by_an_index(store):
    delete = "DELETE FROM kitwai_scaling WHERE decision_id IN (1, 2)"
    with store.engine.connect() as connection:
        (plan,) = connection.execute(sa.text(f"EXPLAIN QUERY PLAN {delete}"))
    assert "ix_kitwai_scaling_decision_id" in plan.detail
