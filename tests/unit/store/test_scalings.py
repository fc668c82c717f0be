"""An operation of the store: the lease, the record while it is under way, and its end."""

from __future__ import annotations

import pytest

from kitwai.errors import LeaseError, LeaseLostError
from kitwai.store.lease import StoreLease, under_way
from kitwai.store.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(f"sqlite:///{tmp_path / 'kitwai.db'}")


class Moments:
    """A clock that a test moves."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_operation_holds_the_lease_until_its_end_is_written(store):
    clock = Moments()
    with store.operation("test", 3, clock=clock) as operation:
        assert under_way(store.engine, "test", clock.now) is not None
        with pytest.raises(LeaseError), store.operation("test", 5, clock=clock):
            pass
        operation.done.started["worker-1"] = None
        clock.now = 1010.0
        operation.outcome = operation.done.outcome(3, settled=True, waiting=(), seconds=10.0)
    assert under_way(store.engine, "test", clock.now) is None
    (row,) = store.scalings("test")
    assert (row.target, row.started_at, row.ended_at) == (3, 1000.0, 1010.0)
    assert (row.started, row.removed, row.body["settled"]) == (1, 0, True)


def test_note_writes_progress_and_keeps_the_lease(store):
    clock = Moments()
    with store.operation("test", 3, clock=clock) as operation:
        operation.done.started["worker-1"] = None
        operation.done.drained["worker-0"] = None
        clock.now += 50.0
        operation.note()
        (row,) = store.scalings("test")
        assert (row.started, row.removed, row.ended_at) == (1, 1, None)
        clock.now += 50.0  # longer than a lease holds that was not renewed
        assert under_way(store.engine, "test", clock.now) is not None


def test_operation_that_lost_its_lease_stops_and_is_on_record(store):
    clock = Moments()

    def lose():
        with store.operation("test", 3, clock=clock) as operation:
            operation.done.started["worker-1"] = None
            clock.now += 61.0
            StoreLease(store.engine, "test", clock=clock).__enter__()
            operation.note()

    with pytest.raises(LeaseLostError):
        lose()
    (row,) = store.scalings("test")
    assert (row.started, row.ended_at) == (1, 1061.0)
    assert row.body["waiting"][0].startswith("It broke off: The lease on cluster 'test' was lost")
    assert row.body["seconds"] == 61.0
    assert under_way(store.engine, "test", clock.now) is not None
    assert [newest.id for newest in store.newest_scalings("test", 2)] == [row.id]
