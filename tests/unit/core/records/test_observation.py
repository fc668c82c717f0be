"""`core.records.observation`: which workers serve, start or are lost."""

from __future__ import annotations

from builders import application, executor, host, observation, pool_worker, worker
from kitwai.core.records.observation import WorkerState


def test_a_draining_worker_and_a_dead_one_do_not_serve():
    seen = observation(
        4,
        workers=(worker(0), worker(1), worker(2), worker(3, WorkerState.DEAD)),
        pool=(pool_worker(0), pool_worker(1, draining_since=900.0), pool_worker(2, alive=False)),
    )
    assert [each.host for each in seen.serving] == [host(0)]
    assert seen.lost_hosts == {host(2)}


def test_a_worker_that_only_the_pool_knows_is_starting_and_counts_as_present():
    seen = observation(1, pool=(pool_worker(0), pool_worker(5), pool_worker(6, draining_since=9.0)))
    assert [each.host for each in seen.starting] == [host(5)]
    assert seen.present == 2


def test_without_the_master_or_the_pool_nothing_is_made_up():
    blind = observation(2, workers=None)
    assert (blind.serving, blind.present) == (None, None)
    assert observation(2, pool=None).lost_hosts == frozenset()


def test_beside_another_application_only_hosts_with_an_executor_serve_it():
    first = application(executors=(executor(1),), name="one")
    seen = observation(3, first, application(executors=(executor(0),), name="two"))
    assert [each.host for each in seen.serving_for(first)] == [host(1)]
