"""`reach` on a pool that exists in memory only."""

from __future__ import annotations

from dataclasses import replace

import pytest

import builders
from kitwai.core.records.observation import WorkerState
from kitwai.core.records.scaling import ScalingProgress
from kitwai.errors import LeaseLostError, PoolError
from kitwai.pools.reach import Clock, reach
from memory_pool import MemoryPool


class LeaseForSoMany:
    """An operation that loses its lease after so many renewals; keeps how often it noted what.

    ``continues``: the operation that it continues, if any.
    """

    def __init__(self, renewals, begun_at=0.0, continues=None):
        self.renewals = renewals
        self.done, self.before = ScalingProgress(), ScalingProgress()
        self.begun_at = begun_at
        if continues is not None:
            self.begun_at = continues.begun_at
            for kind in ("started", "drained", "stopped"):
                for done in (continues.before, continues.done):
                    getattr(self.before, kind).update(getattr(done, kind))
        self.notes = []

    def renew(self):
        if self.renewals == 0:
            raise LeaseLostError("The lease was lost.")
        self.renewals -= 1

    def note(self):
        self.notes.append(len(self.done.started))
        self.renew()


def test_workers_started_before_a_fault_are_told(lease):
    outcome = reach(3, MemoryPool(room=2), MemoryPool().look, lease, wait_s=0)
    assert outcome.started == ("worker-0", "worker-1")
    assert outcome.failed == ("The disk is full.",)


def test_a_lease_lost_between_two_workers_ends_the_start_and_keeps_what_was_done():
    pool, operation = MemoryPool(), LeaseForSoMany(2)
    with pytest.raises(LeaseLostError):
        reach(5, pool, pool.look, operation)
    assert list(operation.done.started) == ["worker-0", "worker-1"]
    assert len(pool.workers()) == 2
    assert operation.notes == [1, 2]


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


class Hands:
    """A clock that moves on only while somebody sleeps."""

    def __init__(self):
        self.now = 1000.0

    def sleep(self, seconds):
        self.now += seconds


def reach_in_time(target, pool, look, clock, *, operation=None, **options):
    ticking = Clock(now=lambda: clock.now, sleep=clock.sleep)
    operation = operation or LeaseForSoMany(99, clock.now)
    return reach(target, pool, look, operation, clock=ticking, **options)


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
    clock = Hands()
    pool, look = silent_until(clock, 1004.0)
    outcome = reach_in_time(1, pool, look, clock)
    # The newer one would leave if nothing were known of either.
    assert outcome.drained == ("worker-0",)
    (worker, _) = pool.workers()
    assert worker.draining_since is not None


def test_a_driver_that_stays_silent_is_not_waited_for_longer_than_ten_seconds():
    clock = Hands()
    pool, look = silent_until(clock, float("inf"))
    told = []
    pool.drain = lambda worker: told.append((worker.name, clock.now))
    reach_in_time(1, pool, look, clock, wait_s=11.0)
    assert told[0] == ("worker-1", 1010.0)


def test_a_call_that_may_not_wait_chooses_at_once():
    clock = Hands()
    pool, look = silent_until(clock, float("inf"))
    assert reach_in_time(1, pool, look, clock, wait_s=0, sure_s=0).drained == ("worker-1",)


def test_the_next_call_goes_on_asking_a_silent_driver_only_for_what_is_left_of_ten_seconds():
    clock = Hands()
    pool, look = silent_until(clock, float("inf"))
    first = LeaseForSoMany(99, clock.now)
    assert reach_in_time(1, pool, look, clock, operation=first, wait_s=0).drained == ()
    clock.sleep(8.0)
    second = LeaseForSoMany(99, continues=first)
    assert reach_in_time(1, pool, look, clock, operation=second, wait_s=0).drained == ()
    clock.sleep(2.0)
    third = LeaseForSoMany(99, continues=second)
    assert reach_in_time(1, pool, look, clock, operation=third, wait_s=0).drained == ("worker-1",)


def test_no_look_is_begun_that_would_end_too_late():
    clock, pool = Hands(), MemoryPool(2)
    looks = []

    def look():
        clock.sleep(4.0)
        looks.append(clock.now)
        return replace(pool.look(), workers=None)

    outcome = reach_in_time(3, pool, look, clock, wait_s=10.0)
    # Each look takes 4 s and the pause 0.5 s; a third one would end after 13 s.
    assert looks == [1004.0, 1008.5]
    assert outcome.seconds == 8.5


class Mortal(MemoryPool):
    """Each of its workers ends as soon as another call begins."""

    def die(self):
        for worker in self.workers():
            self.stop(worker)


def test_workers_that_die_from_call_to_call_are_told_and_replaced_once_a_call():
    clock, pool = Hands(), Mortal()
    operation, told = None, []
    for _ in range(4):
        operation = LeaseForSoMany(99, clock.now, continues=operation)
        outcome = reach_in_time(1, pool, pool.look, clock, operation=operation, wait_s=0)
        assert len(outcome.started) == 1
        told.append([why.split(" ended")[0] for why in outcome.failed])
        pool.die()
        clock.sleep(15.0)
    # The first one may have died by chance. That its substitute dies as well is a fault.
    assert told == [[], [], ["worker-1"], ["worker-2"]]


def test_a_worker_that_is_told_to_leave_again_by_the_next_call_counts_once():
    clock, pool = Hands(), MemoryPool(2)

    def busy():
        seen = pool.look()
        workers = tuple(replace(worker, cores_used=2) for worker in seen.workers)
        executors = tuple(builders.executor(number, active_tasks=2) for number in range(2))
        return replace(
            seen, workers=workers, applications=(builders.application(executors=executors),)
        )

    first = LeaseForSoMany(99, clock.now)
    outcome = reach_in_time(1, pool, busy, clock, operation=first, wait_s=0)
    assert (outcome.drained, outcome.stopped) == (("worker-1",), ())
    told = []
    pool.drain = told.append
    second = LeaseForSoMany(99, continues=first)
    again = reach_in_time(1, pool, busy, clock, operation=second, wait_s=0)
    assert [worker.name for worker in told] == ["worker-1"]
    assert again.drained == ()
    assert second.notes == []


def test_a_worker_that_hangs_is_ended_and_replaced():
    clock, pool = Hands(), MemoryPool(2)

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
    clock, pool = Hands(), MemoryPool(2)

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


def test_a_started_worker_has_time_to_register_before_its_last_words_are_asked_for():
    clock, pool = Hands(), MemoryPool(1)

    def look():
        seen = pool.look()
        return replace(seen, workers=seen.workers[:1])

    first = LeaseForSoMany(99, clock.now)
    begun = reach_in_time(2, pool, look, clock, operation=first, wait_s=0)
    assert begun.started == ("worker-1",)
    pool.change(pool.workers()[1], started_at=clock.now)
    clock.sleep(14.0)
    second = LeaseForSoMany(99, continues=first)
    waiting = reach_in_time(2, pool, look, clock, operation=second, wait_s=0).waiting
    assert waiting == ("worker-1 starts",)
    clock.sleep(1.0)
    third = LeaseForSoMany(99, continues=second)
    waiting = reach_in_time(2, pool, look, clock, operation=third, wait_s=0).waiting
    assert waiting == ("worker-1 starts", "worker-1 has not registered; its log ends: nothing")


def test_a_pool_that_cannot_tell_last_words_fails_no_call():
    clock, pool = Hands(), MemoryPool(1)

    def unreadable(worker):
        raise PoolError("The engine gave no answer.")

    pool.last_words = unreadable
    outcome = reach_in_time(1, pool, lambda: replace(pool.look(), workers=()), clock, wait_s=0)
    assert "The engine gave no answer." in outcome.waiting[-1]


def test_a_master_that_was_restarted_and_lists_nobody_costs_nobodys_work():
    clock, pool = Hands(), MemoryPool(3)
    outcome = reach_in_time(3, pool, lambda: replace(pool.look(), workers=()), clock)
    assert (outcome.started, outcome.drained, outcome.stopped) == ((), (), ())


def test_each_worker_of_others_counts_where_they_share_an_address():
    clock, pool = Hands(), MemoryPool(1)

    def look():
        seen = pool.look()
        theirs = tuple(replace(builders.worker(n), host="10.0.0.1") for n in (7, 8))
        return replace(seen, workers=seen.workers + theirs)

    outcome = reach_in_time(3, pool, look, clock)
    assert outcome.settled
    assert outcome.started == ()
