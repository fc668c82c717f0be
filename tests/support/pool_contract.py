"""What every kind of worker pool must do, against a real Spark master or without one.

A subclass lives where the fixtures are that its kind of pool needs:

- ``pool``: a pool whose workers register at a master; ``look``: observes both;
- ``lone_pool``: one whose workers find no master; ``again``: makes another pool object for it;
- ``starter``: the command of a process that starts so many workers of ``lone_pool``;
- ``kill``, ``freeze``: end a worker of the pool with SIGKILL, or keep it from answering, as
  somebody else would who does not ask the pool.
"""

from __future__ import annotations

import signal
import subprocess
import time

from kitwai.core.records.observation import WorkerState
from kitwai.pools.reach import reach

WAIT_S = 120.0  # a busy machine starts three JVMs in tens of seconds


def living(pool) -> list[str]:
    return [worker.name for worker in pool.workers() if worker.alive]


def settled(pool) -> set[str]:
    """The living workers once two looks agree: what a process asked an engine for just before it
    was killed is made all the same."""
    before, now = None, set(living(pool))
    while before != now:
        time.sleep(0.5)
        before, now = now, set(living(pool))
    return now


class PoolContract:
    def test_1_3_1_and_nothing_is_done_twice(self, pool, look, lease):
        assert reach(1, pool, look, lease, wait_s=WAIT_S).settled
        out = reach(3, pool, look, lease, wait_s=WAIT_S)
        assert out.settled
        assert len(out.started) == 2
        assert {w.host for w in look().workers} == {w.host for w in pool.workers() if w.alive}
        assert len({worker.host for worker in look().workers}) == 3
        same = reach(3, pool, look, lease, wait_s=WAIT_S)
        assert same.settled
        assert (same.started, same.drained, same.stopped) == ((), (), ())
        back = reach(1, pool, look, lease, wait_s=WAIT_S)
        assert back.settled
        assert set(back.drained) == set(back.stopped)
        assert len(back.drained) == 2
        assert len(living(pool)) == len(look().serving) == 1

    def test_a_killed_worker_is_known_at_once_and_replaced(self, pool, look, lease, kill, wait_for):
        assert reach(1, pool, look, lease, wait_s=WAIT_S).settled
        (worker,) = pool.workers()
        kill(pool, worker)
        wait_for(lambda: not living(pool), timeout_s=10)
        seen = look()
        assert seen.serving == ()
        assert seen.lost_hosts == {worker.host}
        out = reach(1, pool, look, lease, wait_s=WAIT_S)
        assert out.settled
        assert len(out.started) == 1
        assert out.started != (worker.name,)

    def test_drain_decommissions_this_worker_alone_and_keeps_its_moment(
        self, pool, look, lease, wait_for
    ):
        assert reach(2, pool, look, lease, wait_s=WAIT_S).settled
        first, second = pool.workers()
        pool.drain(first)
        since = pool.workers()[0].draining_since
        assert since is not None
        assert since >= first.started_at
        # Two signals at once would end its JVM.
        pool.drain(first)
        pool.drain(first)
        assert pool.workers()[0].draining_since == since
        wait_for(lambda: WorkerState.DECOMMISSIONED in {w.state for w in look().workers})
        states = {worker.host: worker.state for worker in look().workers}
        assert states == {first.host: WorkerState.DECOMMISSIONED, second.host: WorkerState.ALIVE}
        assert len(living(pool)) == 2

    def test_draining_a_worker_that_is_not_up_yet_ends_it(self, lone_pool, wait_for):
        (worker,) = lone_pool.start(1)
        lone_pool.drain(worker)
        wait_for(lambda: not living(lone_pool))

    def test_stop_ends_a_worker_that_does_not_answer_signals(self, lone_pool, freeze):
        (worker,) = lone_pool.start(1)
        freeze(lone_pool, worker)
        lone_pool.stop(worker)
        assert living(lone_pool) == []
        lone_pool.stop(worker)
        lone_pool.drain(worker)

    def test_names_and_addresses_are_never_used_again(self, lone_pool):
        (first,) = lone_pool.start(1)
        lone_pool.stop(first)
        (second,) = lone_pool.start(1)
        assert second.name != first.name
        assert second.host != first.host
        assert [worker.alive for worker in lone_pool.workers()] == [False, True]

    def test_another_pool_object_sees_and_ends_the_same_workers(self, lone_pool, again):
        started = lone_pool.start(2)
        other = again()
        assert [worker.name for worker in started] == living(other)
        assert other.workers() == lone_pool.workers()
        for worker in started:
            other.stop(worker)
        assert living(lone_pool) == []

    def test_starting_at_once_from_several_processes_gives_every_worker_its_own_name(
        self, lone_pool, starter
    ):
        starters = [subprocess.Popen(starter(1)) for _ in range(3)]
        assert [process.wait() for process in starters] == [0, 0, 0]
        assert len({worker.host for worker in lone_pool.workers() if worker.alive}) == 3

    def test_what_a_process_started_before_it_was_killed_is_found(
        self, lone_pool, again, starter, wait_for
    ):
        process = subprocess.Popen(starter(20))
        wait_for(lambda: lone_pool.workers())
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        other = again()
        before = settled(other)
        (more,) = other.start(1)
        assert more.name not in before
        assert set(living(other)) == before | {more.name}
        other.stop_all()
        assert living(lone_pool) == []

    def test_every_started_worker_is_told_before_the_next_one_starts(self, lone_pool):
        told = []
        started = lone_pool.start(
            2, lambda worker: told.append((worker.name, len(living(lone_pool))))
        )
        assert told == [(worker.name, count) for count, worker in enumerate(started, 1)]

    def test_starting_none_starts_none(self, lone_pool):
        assert lone_pool.start(0) == ()
        assert lone_pool.workers() == ()
