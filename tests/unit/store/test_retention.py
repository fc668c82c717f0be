"""`store.retention`: what is older than the retention is deleted."""

from __future__ import annotations

import pytest

from kitwai.errors import StoreError
from kitwai.store.retention import prune
from kitwai.store.store import Store
from scaling_rows import add_scaling
from stored_steps import step


@pytest.fixture
def store(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'kitwai.db'}"
    monkeypatch.setenv("AIRFLOW__KITWAI__STORE", url)
    monkeypatch.setenv("AIRFLOW__KITWAI__CLUSTERS", "test")
    return Store(url)


def test_what_is_older_than_the_retention_goes(store):
    old = [step(store, at, scaled=True) for at in (10.0, 20.0, 30.0)]
    add_scaling(store, "test", 2, 15.0)
    kept = [step(store, at, scaled=True) for at in (100.0, 110.0)]
    other = step(store, 10.0, "other")
    assert prune(store, "test", 50.0) == 3
    for seen_id, decision_id in old:
        with pytest.raises(StoreError, match="was it pruned"):
            store.observation(seen_id)
        with pytest.raises(StoreError, match="was it pruned"):
            store.decision(decision_id)
    for seen_id, decision_id in (*kept, other):
        assert store.decision(decision_id).observation_id == seen_id
        assert store.observation(seen_id).at >= 10.0
    assert [row.started_at for row in store.scalings("test")] == [101.0, 111.0]
    assert prune(store, "test", 50.0) == 0


def test_a_step_deletes_little_at_once_and_the_oldest_first(store):
    for at in range(10):
        step(store, float(at))
    for left in (7, 4, 2, 2):
        prune(store, "test", 8.0, at_once=3)
        assert [seen.at for seen in store.observations("test")] == [*range(10)][10 - left :]
