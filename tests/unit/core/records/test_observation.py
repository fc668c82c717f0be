"""`core.records.observation`: which workers serve, start or are lost."""

from __future__ import annotations

from dataclasses import replace

from pydantic import TypeAdapter

from builders import (
    application,
    executor,
    host,
    observation,
    pool_worker,
    settings,
    stage,
    worker,
)
from kitwai.core.decide.cluster import decide
from kitwai.core.forecast.from_observation import with_counts
from kitwai.core.records.observation import Observation, Ran, TasksRead, Told, WorkerState

RECORD = TypeAdapter(Observation)


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


NEW_FIELDS = {
    "added_at",
    "first",
    "log_sum",
    "log_squares",
    "told",
    "running_s",
    "running_first",
    "read",
    "attempt",
    "served",
    "warm_s",
}


def without_new_fields(value):
    """A stored observation as it was before tasks were read."""
    if isinstance(value, dict):
        kept = {key: one for key, one in value.items() if key not in NEW_FIELDS}
        return {key: without_new_fields(one) for key, one in kept.items()}
    return [without_new_fields(one) for one in value] if isinstance(value, list) else value


def test_an_observation_of_before_tasks_were_read_is_decoded_and_decided_on():
    seen = with_counts(
        observation(2, application(stage(tasks=100, complete=40), executors=(executor(0),)))
    )
    stored = RECORD.dump_python(seen, mode="json")
    old = without_new_fields(stored)
    assert old != stored
    assert RECORD.validate_python(old) == seen
    assert decide(RECORD.validate_python(old), settings()) == decide(seen, settings())


def test_what_tasks_tell_comes_back_to_the_last_bit():
    ran = (Ran(2, 5, 0.1 + 0.2, first=True, log_sum=1 / 3, log_squares=2 / 3), Ran(2, 9, 5.0))
    read = TasksRead(attempt=1, settled=14, last_id=2**40, ran=ran)
    of_tasks = replace(
        stage(tasks=100, complete=14, active=2),
        ran=ran,
        told=Told.TASKS,
        running_s=1 / 7,
        running_first=1,
        read=read,
        attempt=1,
    )
    app = replace(application(of_tasks), served=((0.5, 1), (7.25, 2)), warm_s={"0": 9.5})
    seen = observation(2, app)
    assert RECORD.validate_json(RECORD.dump_json(seen)) == seen


def test_beside_another_application_only_hosts_with_an_executor_serve_it():
    first = application(executors=(executor(1),), name="one")
    seen = observation(3, first, application(executors=(executor(0),), name="two"))
    assert [each.host for each in seen.serving_for(first)] == [host(1)]
