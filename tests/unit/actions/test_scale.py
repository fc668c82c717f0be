"""`scale_cluster`: what is on record of a scaling, on a pool that exists in memory only."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from kitwai.actions.scale import scale_cluster
from kitwai.errors import LeaseLostError
from kitwai.store.store import Store
from memory_pool import MemoryPool


@pytest.fixture
def store(tmp_path):
    return Store(f"sqlite:///{tmp_path / 'kitwai.db'}")


def hook_of(pool):
    return SimpleNamespace(conn_id="test", pool=pool, observe=pool.look)


class Deadline(BaseException):
    """As Airflow ends a task that takes too long."""


@pytest.mark.parametrize("fault", [Deadline("too late"), OSError("gone"), LeaseLostError("lost")])
def test_a_scaling_that_breaks_off_is_recorded_with_what_it_did(store, fault):
    with pytest.raises(type(fault)):
        scale_cluster(store, hook_of(MemoryPool(room=2, fault=fault)), 4)
    (row,) = store.scalings("test")
    assert (row.started, row.removed) == (2, 0)
    assert row.ended_at is not None
    assert row.body["started"] == ["worker-0", "worker-1"]
    assert row.body["waiting"] == [f"It broke off: {fault}"]
    past = store.past("test", row.ended_at + 5)
    assert (past.changes_1h, past.since_scale_out_s) == (2, 5.0)


def test_each_worker_is_recorded_before_the_next_one_starts(store):
    """What a killed process leaves behind is what was noted until then."""
    seen = []

    class Watched(MemoryPool):
        def start(self, count, each):
            def watched(worker):
                each(worker)
                seen.append([(row.started, row.ended_at) for row in store.scalings("test")])

            return super().start(count, watched)

    scale_cluster(store, hook_of(Watched()), 2)
    assert seen == [[(1, None)], [(2, None)]]


def test_a_scaling_in_is_recorded(store):
    assert scale_cluster(store, hook_of(MemoryPool(3)), 1).settled
    (row,) = store.scalings("test")
    assert (row.started, row.removed) == (0, 2)
