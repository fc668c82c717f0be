"""`reach` and its record on a pool that exists in memory only."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

import builders
from kitwai.actions.scale import scale_cluster
from kitwai.core.records.observation import WorkerState
from kitwai.errors import LeaseLostError, PoolError
from kitwai.pools.reach import Done, reach
from kitwai.store.store import Store
from memory_pool import MemoryPool


class LeaseForSoMany:
    """A lease that is lost after so many renewals."""

    def __init__(self, renewals):
        self.renewals = renewals

    def renew(self):
        if self.renewals == 0:
            raise LeaseLostError("The lease was lost.")
        self.renewals -= 1


@pytest.fixture
def store(tmp_path):
    return Store(f"sqlite:///{tmp_path / 'kitwai.db'}")


def hook_of(pool):
    return SimpleNamespace(conn_id="test", pool=pool, observe=pool.look)


def test_workers_started_before_a_fault_are_told(lease):
    outcome = reach(3, MemoryPool(room=2), MemoryPool().look, lease, wait_s=0)
    assert outcome.started == ("worker-0", "worker-1")
    assert outcome.failed == ("The disk is full.",)


def test_a_lease_lost_between_two_workers_ends_the_start_and_keeps_what_was_done():
    pool, done, notes = MemoryPool(), Done(), []
    with pytest.raises(LeaseLostError):
        reach(
            5, pool, pool.look, LeaseForSoMany(2), done=done,
            note=lambda: notes.append(len(done.started)),
        )  # fmt: skip
    assert list(done.started) == ["worker-0", "worker-1"]
    assert len(pool.workers()) == 2
    assert notes == [1, 2]


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


class Obstinate(MemoryPool):
    """One of its workers cannot be told to leave (``drain``), or not be ended (``stop``)."""

    def __init__(self, count, how, name):
        super().__init__(count)
        self.how, self.name = how, name

    def drain(self, worker):
        self.refuse("drain", worker)
        super().drain(worker)

    def stop(self, worker):
        self.refuse("stop", worker)
        super().stop(worker)

    def refuse(self, how, worker):
        if (how, worker.name) == (self.how, self.name):
            raise PoolError(f"{worker.name} hangs.")


@pytest.mark.parametrize("how", ["drain", "stop"])
def test_a_worker_that_cannot_leave_keeps_no_other_from_it(how, lease):
    pool = Obstinate(3, how, "worker-2")
    outcome = reach(1, pool, pool.look, lease, wait_s=0)
    assert outcome.failed == ("worker-2 hangs.",)
    assert outcome.stopped == ("worker-1",)
    assert not outcome.settled
    assert [worker.alive for worker in pool.workers()] == [True, False, True]


class Clock:
    """Passes only while somebody sleeps."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def reach_in_time(target, pool, look, clock, wait_s=30.0):
    return reach(
        target, pool, look, LeaseForSoMany(99), wait_s=wait_s, clock=clock, sleep=clock.sleep
    )


def silent_until(clock, moment):
    """A cluster with a busy and an idle worker whose driver gives no answer before ``moment``."""
    pool = MemoryPool(2)

    def look():
        seen = pool.look()
        workers = tuple(replace(worker, cores_used=2) for worker in seen.workers)
        executors = (builders.executor(1, active_tasks=2), builders.executor(0))
        error = "no answer" if clock.now < moment else None
        app = builders.application(executors=executors, error=error)
        return replace(seen, workers=workers, applications=(app,))

    return pool, look


def test_a_silent_driver_is_asked_again_before_it_is_chosen_who_leaves():
    clock = Clock()
    pool, look = silent_until(clock, 1004.0)
    outcome = reach_in_time(1, pool, look, clock)
    # The newer one would leave if nothing were known of either.
    assert outcome.drained == ("worker-0",)
    (worker, _) = pool.workers()
    assert worker.draining_since is not None


def test_a_driver_that_stays_silent_is_not_waited_for_longer_than_ten_seconds():
    clock = Clock()
    pool, look = silent_until(clock, float("inf"))
    told = []
    pool.drain = lambda worker: told.append((worker.name, clock.now))
    reach_in_time(1, pool, look, clock, wait_s=11.0)
    assert told[0] == ("worker-1", 1010.0)


def test_a_call_that_may_not_wait_chooses_at_once():
    clock = Clock()
    pool, look = silent_until(clock, float("inf"))
    assert reach_in_time(1, pool, look, clock, wait_s=0).drained == ("worker-1",)


def test_a_worker_that_hangs_is_ended_and_replaced():
    clock, pool = Clock(), MemoryPool(2)

    def look():
        seen = pool.look()
        gone = [replace(w, state=WorkerState.DEAD) if w.host == builders.host(0) else w
                for w in seen.workers]  # fmt: skip
        return replace(seen, workers=tuple(gone))

    outcome = reach_in_time(2, pool, look, clock)
    assert outcome.settled
    assert (outcome.started, outcome.stopped) == (("worker-2",), ("worker-0",))
    assert outcome.drained == ()


def test_of_a_worker_that_never_registers_people_get_its_last_words():
    clock, pool = Clock(), MemoryPool(2)

    def look():
        seen = pool.look()
        return replace(seen, workers=seen.workers[:1])

    outcome = reach_in_time(2, pool, look, clock, wait_s=0)
    assert not outcome.settled
    assert outcome.waiting == (
        "The master does not list worker-1 899 s after its start",
        "worker-1 has not registered; its log ends: nothing",
    )
    assert (outcome.started, outcome.drained, outcome.stopped) == ((), (), ())


def test_a_pool_that_cannot_tell_last_words_fails_no_call():
    clock, pool = Clock(), MemoryPool(1)

    def unreadable(worker):
        raise PoolError("The engine gave no answer.")

    pool.last_words = unreadable
    outcome = reach_in_time(1, pool, lambda: replace(pool.look(), workers=()), clock, wait_s=0)
    assert "The engine gave no answer." in outcome.waiting[-1]


def test_a_master_that_was_restarted_and_lists_nobody_costs_nobodys_work():
    clock, pool = Clock(), MemoryPool(3)
    outcome = reach_in_time(3, pool, lambda: replace(pool.look(), workers=()), clock)
    assert (outcome.started, outcome.drained, outcome.stopped) == ((), (), ())


def test_each_worker_of_others_counts_where_they_share_an_address():
    clock, pool = Clock(), MemoryPool(1)

    def look():
        seen = pool.look()
        theirs = tuple(replace(builders.worker(n), host="10.0.0.1") for n in (7, 8))
        return replace(seen, workers=seen.workers + theirs)

    outcome = reach_in_time(3, pool, look, clock)
    assert outcome.settled
    assert outcome.started == ()
