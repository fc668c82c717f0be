"""An operation of the store: the lease, the record while it is under way, and its end."""

from __future__ import annotations

import pytest

from kitwai.errors import LeaseError, LeaseLostError
from kitwai.store.lease import StoreLease, under_way
from kitwai.store.store import Store
from scaling_rows import add_scaling


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


def scale(store, clock, target, *, settled, seconds=5.0, **kinds):
    """An operation that did ``kinds`` and ended after ``seconds``."""
    with store.operation("test", target, clock=clock) as operation:
        for kind, names in kinds.items():
            getattr(operation.done, kind).update(dict.fromkeys(names))
        clock.now += seconds
        operation.outcome = operation.done.outcome(
            target, settled=settled, waiting=() if settled else ("…",), seconds=seconds
        )
    clock.now += 10.0
    return operation


def test_operation_continues_what_those_before_it_left_unfinished(store):
    clock = Moments()
    scale(store, clock, 2, settled=True, started=["worker-0"])
    scale(store, clock, 3, settled=False, started=["worker-1"])
    scale(store, clock, 3, settled=False, drained=["worker-2"])
    with store.operation("test", 3, clock=clock) as operation:
        assert operation.begun_at == 1015.0
        assert list(operation.before.started) == ["worker-1"]
        assert list(operation.before.drained) == ["worker-2"]


@pytest.mark.parametrize(("target", "later_s"), [(4, 0.0), (3, 600.0)])
def test_operation_to_another_target_or_much_later_begins_anew(store, target, later_s):
    clock = Moments()
    scale(store, clock, 3, settled=False, started=["worker-1"])
    clock.now += later_s
    with store.operation("test", target, clock=clock) as operation:
        assert operation.begun_at == clock.now
        assert not operation.before.started


def test_a_scaling_of_two_steps_counts_once_and_both_have_reached_its_target(store):
    clock = Moments()
    scale(store, clock, 3, settled=False, started=["worker-1", "worker-2"])
    assert [row.target for row in store.unfinished("test", 3, clock.now)] == [3]
    scale(store, clock, 3, settled=True)
    assert store.unfinished("test", 3, clock.now) == []
    begun, ended = store.scalings("test")
    assert begun.body["settled"]
    assert begun.body["waiting"] == []
    # From its own begin to the end of the other.
    assert begun.body["seconds"] == 20.0
    assert begun.body["started"] == ["worker-1", "worker-2"]
    assert (begun.started, ended.started) == (2, 0)
    past = store.past("test", 1025.0)
    # The cooldown counts from the end of the operation that started workers.
    assert (past.since_scale_out_s, past.changes_1h) == (20.0, 2)


def test_a_scaling_that_another_target_replaced_is_not_called_reached(store):
    clock = Moments()
    scale(store, clock, 3, settled=False, started=["worker-1"])
    scale(store, clock, 1, settled=True, drained=["worker-1"])
    assert [row.body["settled"] for row in store.scalings("test")] == [False, True]


def test_a_killed_operation_is_continued_as_well(store):
    clock = Moments()
    add_scaling(store, "test", 3, 990.0, started=1)
    scale(store, clock, 3, settled=True)
    killed, ended = store.scalings("test")
    assert killed.body is None
    assert ended.body["settled"]
