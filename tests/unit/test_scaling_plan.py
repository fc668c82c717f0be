from __future__ import annotations

from dataclasses import replace

import builders
import pytest

from kitwai.core.observation import WorkerState
from kitwai.core.scaling import Load, ScalingPlan, loads, plan_scaling

NOW = 1000.0
TIMEOUT = 90.0
ALIVE, DECOMMISSIONED = WorkerState.ALIVE, WorkerState.DECOMMISSIONED

IDLE = Load(ALIVE)
BUSY = Load(ALIVE, cores_used=2, executor_cores=2, active_tasks=2)
LOADED = Load(ALIVE, cores_used=2, executor_cores=2, stored_bytes=1000)
LIGHT = Load(ALIVE, cores_used=2, executor_cores=2, stored_bytes=10)
PENDING = Load(ALIVE, cores_used=2, executor_cores=0)
UNKNOWN = Load(ALIVE, cores_used=2, executor_cores=None)
LEAVING = Load(DECOMMISSIONED, cores_used=2, executor_cores=2, active_tasks=1)
# The master never lowers the cores in use of a decommissioned worker.
LEFT = Load(DECOMMISSIONED, cores_used=2, executor_cores=0)
UNREADABLE = Load(DECOMMISSIONED, cores_used=2, executor_cores=None)


def plan(target: int, *own: tuple[str, Load | None], foreign: tuple[Load, ...] = ()):
    """The plan for a pool of workers 0, 1, ...; ``own``: how each is, and its load.

    How: "up", "new" (for 5 s), "dead", "draining" (for 10 s) or "overdue".
    """
    since = {"draining": NOW - 10, "overdue": NOW - TIMEOUT - 1}
    pool = [
        builders.pool_worker(number, alive=how != "dead", draining_since=since.get(how))
        for number, (how, _) in enumerate(own)
    ]
    pool = [
        replace(worker, started_at=NOW - 5) if how == "new" else worker
        for worker, (how, _) in zip(pool, own, strict=True)
    ]
    load = {builders.host(number): its for number, (_, its) in enumerate(own) if its is not None}
    load |= {builders.host(100 + number): its for number, its in enumerate(foreign)}
    return plan_scaling(target, pool, load, now=NOW, drain_timeout_s=TIMEOUT)


def numbers(workers) -> set[int]:
    return {int(worker.name.removeprefix("worker-")) for worker in workers}


@pytest.mark.parametrize(
    ("why", "target", "own", "expected"),
    [
        # expected: how many start, which drain, which stop, how many things are under way then
        ("nothing to do", 2, [("up", BUSY), ("up", IDLE)], (0, set(), set(), 0)),
        ("N = 1 from nothing", 1, [], (1, set(), set(), 1)),
        ("N = 1 stays", 1, [("up", BUSY)], (0, set(), set(), 0)),
        ("scale-out", 4, [("up", BUSY)], (3, set(), set(), 1)),
        ("those starting count", 3, [("up", BUSY), ("up", None)], (1, set(), set(), 2)),
        ("all under way", 2, [("up", BUSY), ("up", None)], (0, set(), set(), 1)),
        ("a dead one is replaced", 2, [("up", BUSY), ("dead", BUSY)], (1, set(), set(), 1)),
        ("dead and forgotten", 1, [("up", BUSY), ("dead", None)], (0, set(), set(), 0)),
        ("idle first, at once", 1, [("up", BUSY), ("up", IDLE)], (0, {1}, {1}, 0)),
        ("idle first, older or not", 1, [("up", IDLE), ("up", BUSY)], (0, {0}, {0}, 0)),
        ("not yet registered first", 1, [("up", IDLE), ("up", None)], (0, {1}, {1}, 0)),
        ("fewest tasks first", 1, [("up", BUSY), ("up", LOADED)], (0, {1}, set(), 1)),
        ("least data first", 1, [("up", LIGHT), ("up", LOADED)], (0, {0}, set(), 1)),
        ("newest first of equals", 1, [("up", BUSY), ("up", BUSY)], (0, {1}, set(), 1)),
        ("several leave", 1, [("up", BUSY), ("up", IDLE), ("up", LIGHT)], (0, {1, 2}, {1}, 1)),
        ("a driver's own last", 1, [("up", PENDING), ("up", BUSY)], (0, {1}, set(), 1)),
        ("coming up before busy", 1, [("up", BUSY), ("new", PENDING)], (0, set(), set(), 1)),
        ("idle before coming up", 1, [("up", IDLE), ("new", PENDING)], (0, {0}, {0}, 0)),
        ("coming up: no signal yet", 1, [("up", PENDING), ("up", PENDING)], (0, set(), set(), 1)),
        ("driver unreadable: drain", 1, [("up", UNKNOWN), ("up", UNKNOWN)], (0, {1}, set(), 1)),
        ("drains", 1, [("up", BUSY), ("draining", LEAVING)], (0, set(), set(), 1)),
        ("has drained", 1, [("up", BUSY), ("draining", LEFT)], (0, set(), {1}, 0)),
        ("drained, unlisted", 1, [("up", BUSY), ("draining", None)], (0, set(), {1}, 0)),
        ("drain too long", 1, [("up", BUSY), ("overdue", LEAVING)], (0, set(), {1}, 0)),
        ("unreadable: wait", 1, [("up", BUSY), ("draining", UNREADABLE)], (0, set(), set(), 1)),
        ("noted, not told: again", 1, [("up", BUSY), ("draining", BUSY)], (0, {1}, set(), 1)),
        ("noted, coming up", 1, [("up", BUSY), ("draining", PENDING)], (0, set(), set(), 1)),
        ("told by others: note it", 1, [("up", BUSY), ("up", LEAVING)], (0, {1}, set(), 1)),
        ("no way back", 2, [("up", BUSY), ("draining", LEAVING)], (1, set(), set(), 2)),
    ],
)
def test_plan(why, target, own, expected):
    start, drain, stop, waiting = expected
    made = plan(target, *own)
    assert (made.start, numbers(made.drain), numbers(made.stop)) == (start, drain, stop), why
    assert len(made.waiting) == waiting, why
    assert made.settled == (not (start or drain or stop or waiting)), why


@pytest.mark.parametrize(
    ("why", "target", "own", "foreign", "start", "drain"),
    [
        ("they count", 3, [("up", BUSY)], (BUSY, BUSY), 0, set()),
        ("own ones fill up", 4, [("up", BUSY)], (BUSY,), 2, set()),
        ("only own ones leave", 1, [("up", BUSY)], (IDLE, IDLE), 0, {0}),
        ("leaving ones do not count", 2, [("up", BUSY)], (LEAVING,), 1, set()),
    ],
)
def test_workers_of_others(why, target, own, foreign, start, drain):
    made = plan(target, *own, foreign=foreign)
    assert (made.start, numbers(made.drain)) == (start, drain), why


def test_a_dead_own_worker_that_the_master_still_lists_is_not_somebody_elses():
    assert plan(1, ("dead", BUSY)).start == 1


def test_at_least_the_target_stays_to_take_the_blocks():
    made = plan(2, *[("up", BUSY)] * 5)
    assert len(made.drain) == 3
    assert made.stop == ()


def test_a_plan_without_anything_is_settled():
    assert ScalingPlan(0, (), (), ()).settled


def test_loads_join_the_master_and_the_drivers():
    seen = builders.observation(
        3,
        builders.application(executors=(builders.executor(0, active_tasks=2, stored=7),)),
        workers=(
            builders.worker(0),
            builders.worker(1),
            builders.worker(2, WorkerState.DEAD),
        ),
    )
    load = loads(seen)
    assert load == {
        builders.host(0): Load(ALIVE, 2, 2, active_tasks=2, stored_bytes=7),
        builders.host(1): Load(ALIVE, 2, 0),
    }
    assert not load[builders.host(0)].pending
    assert load[builders.host(1)].pending


@pytest.mark.parametrize("changes", [{"applications": None}, {}])
def test_a_driver_that_cannot_be_read_leaves_its_executors_unknown(changes):
    seen = builders.observation(1, builders.application(error="no answer"), **changes)
    (load,) = loads(seen).values()
    assert load.executor_cores is None
    assert not load.pending
    assert not load.empty
