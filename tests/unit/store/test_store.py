"""What the store tells of a cluster's recent past."""

from __future__ import annotations

import pytest

from builders import application, observation
from kitwai.store.store import Store
from scaling_rows import add_scaling


@pytest.fixture
def store(tmp_path):
    return Store(f"sqlite:///{tmp_path / 'kitwai.db'}")


def test_the_past_of_a_cluster(store):
    store.add_observation(observation(1, at=900.0))
    assert store.past("test", 930.0).idle_s == 30.0  # never busy: idle since first seen
    store.add_observation(observation(1, application(), at=950.0))
    store.add_observation(observation(1, at=960.0))
    add_scaling(store, "test", 4, 970.0, started=3, ended_at=980.0)
    add_scaling(store, "test", 2, 981.0, removed=2, ended_at=990.0)
    add_scaling(store, "test", 9, 995.0)  # its process died
    past = store.past("test", 1000.0)
    assert (past.idle_s, past.since_scale_out_s, past.since_scale_in_s) == (50.0, 20.0, 10.0)
    assert past.operation is None
    assert store.past("other", 1000.0).idle_s == 0.0


def test_what_a_killed_scaling_had_done_counts(store):
    add_scaling(store, "test", 4, 970.0, started=2, removed=1)
    past = store.past("test", 1000.0)
    assert (past.since_scale_out_s, past.since_scale_in_s, past.changes_1h) == (30.0, 30.0, 3)


def test_changes_of_the_last_hour_are_counted(store):
    for ended, started, removed in ((100.0, 3, 0), (2000.0, 2, 1), (3000.0, 0, 4)):
        done = {"started": started, "removed": removed, "ended_at": ended}
        add_scaling(store, "test", 1, ended - 1, **done)
    add_scaling(store, "test", 9, 3001.0)
    assert store.past("test", 3600.0).changes_1h == 10
    assert store.past("test", 4000.0).changes_1h == 7
    assert store.past("other", 4000.0).changes_1h == 0
