"""Observations and decisions in the store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import application, observation, settings, stage
from kitwai.core.decide.cluster import decide
from kitwai.core.forecast.from_observation import with_counts
from kitwai.core.records.observation import Ran
from kitwai.errors import StoreError
from kitwai.store.store import Store
from kitwai.store.tables import Base

ONE = application(stage(tasks=100, complete=40), elapsed_s=1 / 3, limit_s=200.0)
SEEN = with_counts(observation(2, replace(ONE, inputs={"size": 0.1})))


@pytest.fixture
def store(tmp_path):
    return Store(f"sqlite:///{tmp_path / 'kitwai.db'}")


def test_records_come_back_to_the_last_bit(store):
    observation_id = store.add_observation(SEEN)
    decision = decide(SEEN, settings())
    stored = store.decision(store.add_decision(decision, observation_id, settings()))
    assert store.observation(observation_id) == SEEN
    assert SEEN.applications[0].stages[0].ran == (Ran(2, 40, 200_000.0),)
    assert stored.decision == decision
    assert stored.settings == settings()


def test_a_decision_can_be_made_again_from_the_store_alone(store):
    observation_id = store.add_observation(SEEN)
    decision_id = store.add_decision(decide(SEEN, settings()), observation_id, settings())
    stored = store.decision(decision_id)
    again = decide(store.observation(stored.observation_id), stored.settings)
    assert again == stored.decision


def test_the_newest_observation_of_a_cluster(store):
    assert store.newest_observation("test") is None
    store.add_observation(replace(SEEN, at=990.0))
    store.add_observation(SEEN)
    store.add_observation(replace(SEEN, at=980.0))
    store.add_observation(observation(1, cluster="other", at=2000.0))
    assert store.newest_observation("test") == SEEN
    assert [one.at for one in store.newest_observations("test", 2)] == [SEEN.at, 990.0]


def test_a_missing_row_is_named(store):
    with pytest.raises(StoreError, match="no row 77"):
        store.observation(77)


def test_what_another_version_wrote_in_another_form_stops_nothing(store, caplog):
    first = store.add_observation(replace(SEEN, at=980.0))
    decided = [store.add_decision(decide(SEEN, settings()), first, settings()) for _ in range(2)]
    newest = store.add_observation(SEEN)
    with store.engine.begin() as connection:
        for table, row in (("kitwai_observation", newest), ("kitwai_decision", decided[1])):
            of = Base.metadata.tables[table]
            connection.execute(of.update().where(of.c.id == row).values(body={"form": "another"}))
    assert store.newest_observation("test") is None
    assert [one.at for one in store.newest_observations("test", 2)] == [980.0]
    assert [one.at for one in store.observations("test")] == [980.0]
    assert [one.id for one in store.newest_decisions("test", 2)] == decided[:1]
    assert [one.id for one in store.decisions("test")] == decided[:1]
    assert f"Row {newest} in kitwai_observation cannot be read" in caplog.text
    with pytest.raises(StoreError, match="written it in another form"):
        store.observation(newest)
    with pytest.raises(StoreError, match=f"Row {decided[1]} in kitwai_decision"):
        store.decision(decided[1])
