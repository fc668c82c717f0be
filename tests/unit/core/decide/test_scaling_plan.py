from __future__ import annotations

from dataclasses import replace

import pytest

import builders
from kitwai.core.decide.scaling_plan import (
    GONE_S,
    Load,
    ScalingPlan,
    foreign_workers,
    loads,
    plan_scaling,
)
from kitwai.core.records.observation import WorkerState

NOW = 1000.0
TIMEOUT = 90.0
ALIVE, DECOMMISSIONED = WorkerState.ALIVE, WorkerState.DECOMMISSIONED

IDLE = Load(ALIVE)
BUSY = Load(ALIVE, cores_used=2, executor_cores=2, active_tasks=2)
LOADED = Load(ALIVE, cores_used=2, executor_cores=2, stored_bytes=1000)
LIGHT = Load(ALIVE, cores_used=2, executor_cores=2, stored_bytes=10)
PENDING = Load(ALIVE, cores_used=2, executor_cores=0)
UNKNOWN = Load(ALIVE, cores_used=2, executor_cores=None)
SILENT_BUSY = Load(ALIVE, cores_used=4, executor_cores=None, active_tasks=1)
HUNG = Load(WorkerState.DEAD, executor_cores=0)
CUT_OFF = Load(WorkerState.DEAD, executor_cores=2, active_tasks=1)
DEAD_OR_NOT = Load(WorkerState.DEAD, executor_cores=None)
RECOVERING = Load(WorkerState.UNKNOWN, executor_cores=None)
UNLISTED_BUSY = Load(None, executor_cores=None, active_tasks=1)
LEAVING = Load(DECOMMISSIONED, cores_used=2, executor_cores=2, active_tasks=1)
# The master never lowers the cores in use of a decommissioned worker.
LEFT = Load(DECOMMISSIONED, cores_used=2, executor_cores=0)
UNREADABLE = Load(DECOMMISSIONED, cores_used=2, executor_cores=None)
# A stage that began before the executor had gone knows of files there; another one does not.
ASKED = replace(LEFT, asked_since=NOW - 12)
NOT_ASKED = replace(LEFT, asked_since=NOW - 10 + GONE_S)


def plan(target: int, *own: tuple[str, Load | None], **options):
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
    return plan_scaling(target, pool, load, now=NOW, drain_timeout_s=TIMEOUT, **options)


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
        ("not yet registered first", 1, [("up", IDLE), ("new", None)], (0, {1}, {1}, 0)),
        ("never registered: no force", 1, [("up", IDLE), ("up", None)], (0, {1}, set(), 1)),
        ("all unlisted", 1, [("up", None), ("up", None)], (0, {1}, set(), 2)),
        ("at work, unlisted", 1, [("up", IDLE), ("up", UNLISTED_BUSY)], (0, {0}, {0}, 1)),
        ("recovering after idle", 1, [("up", IDLE), ("up", RECOVERING)], (0, {0}, {0}, 1)),
        ("unknown after idle", 1, [("up", IDLE), ("up", UNKNOWN)], (0, {0}, {0}, 0)),
        ("unknown after busy", 1, [("up", BUSY), ("up", UNKNOWN)], (0, {0}, set(), 1)),
        ("unknown in part", 1, [("up", BUSY), ("up", SILENT_BUSY)], (0, {0}, set(), 1)),
        ("dead or not: after idle", 1, [("up", IDLE), ("up", DEAD_OR_NOT)], (0, {0}, {0}, 1)),
        ("hung: replaced", 2, [("up", BUSY), ("up", HUNG)], (1, set(), {1}, 1)),
        ("hung while it drains", 1, [("up", BUSY), ("draining", HUNG)], (0, set(), {1}, 0)),
        ("hung and too many", 1, [("up", BUSY), ("up", HUNG)], (0, set(), {1}, 0)),
        ("dead, but at work", 2, [("up", BUSY), ("up", CUT_OFF)], (0, set(), set(), 1)),
        ("dead for the master alone", 2, [("up", BUSY), ("up", DEAD_OR_NOT)], (0, set(), set(), 1)),
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
        ("drains, unlisted", 1, [("up", BUSY), ("draining", None)], (0, set(), set(), 1)),
        ("drained, unlisted", 1, [("up", BUSY), ("overdue", None)], (0, set(), {1}, 0)),
        ("has drained, serves files", 1, [("up", BUSY), ("draining", ASKED)], (0, set(), set(), 0)),
        ("nobody asks any more", 1, [("up", BUSY), ("draining", NOT_ASKED)], (0, set(), {1}, 0)),
        ("serves for too long", 1, [("up", BUSY), ("overdue", ASKED)], (0, set(), {1}, 0)),
        ("it is no worker any more", 2, [("up", BUSY), ("draining", ASKED)], (1, set(), set(), 1)),
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
        ("they count", 3, [("up", BUSY)], 2, 0, set()),
        ("own ones fill up", 4, [("up", BUSY)], 1, 2, set()),
        ("only own ones leave", 1, [("up", BUSY)], 2, 0, {0}),
    ],
)
def test_workers_of_others(why, target, own, foreign, start, drain):
    made = plan(target, *own, foreign=foreign)
    assert (made.start, numbers(made.drain)) == (start, drain), why


@pytest.mark.parametrize(
    ("why", "workers", "pool", "count"),
    [
        ("nobody's", [(0, ALIVE)], [], 1),
        ("the pool's own", [(0, ALIVE), (1, ALIVE)], [builders.pool_worker(0)], 1),
        ("an own dead one", [(0, ALIVE)], [builders.pool_worker(0, alive=False)], 0),
        ("leaving ones", [(0, DECOMMISSIONED), (1, WorkerState.DEAD), (2, ALIVE)], [], 1),
    ],
)
def test_who_belongs_to_others(why, workers, pool, count):
    listed = tuple(builders.worker(number, state) for number, state in workers)
    seen = builders.observation(0, workers=listed, pool=tuple(pool))
    assert foreign_workers(seen) == count, why


def test_workers_of_others_that_share_an_address_count_each():
    both = tuple(replace(builders.worker(n), host="10.0.0.1") for n in range(2))
    assert foreign_workers(builders.observation(0, workers=both, pool=())) == 2


def test_who_leaves_is_not_chosen_while_it_is_unknown_what_somebody_holds():
    own = [("up", IDLE), ("up", UNKNOWN), ("draining", LEFT)]
    waits = plan(1, *own, patient=True)
    assert (numbers(waits.drain), numbers(waits.stop)) == (set(), {2})
    assert "worker-1" in waits.waiting[0]
    assert numbers(plan(1, *own).drain) == {0}
    assert plan(2, *own[:2], patient=True).settled  # nobody has to leave
    assert numbers(plan(1, ("up", IDLE), ("up", BUSY), patient=True).drain) == {0}


def test_a_worker_that_never_registers_is_told_and_not_ended():
    made = plan(3, ("up", None), ("new", None), ("up", BUSY))
    assert (made.start, made.drain, made.stop) == (0, (), ())
    assert numbers(made.unregistered) == {0}
    assert made.waiting == (
        "The master does not list worker-0 900 s after its start",
        "worker-1 starts",
    )


@pytest.mark.parametrize(
    ("why", "how", "load", "found"),
    [
        ("not listed", "up", None, True),
        ("dead for the master", "up", CUT_OFF, True),
        ("registered", "up", IDLE, False),
        ("the master recovers", "up", RECOVERING, False),
        ("it starts", "new", None, False),
        ("it leaves", "draining", None, False),
        ("it is gone", "dead", None, False),
        ("it is ended", "up", HUNG, False),
    ],
)
def test_who_is_unregistered(why, how, load, found):
    assert bool(plan(1, (how, load)).unregistered) == found, why


def test_a_master_that_lists_nobody_ends_nobody():
    made = plan(3, *[("up", None)] * 3)
    assert (made.start, made.drain, made.stop) == (0, (), ())


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
        builders.host(2): HUNG,
    }
    assert not load[builders.host(0)].pending
    assert load[builders.host(1)].pending


def test_a_shuffle_service_is_asked_since_the_oldest_stage_under_way_began():
    stages = (
        replace(builders.stage(number, status=status), began_s=began_s, shuffle_write_bytes=9)
        for number, (status, began_s) in enumerate(
            [("COMPLETE", 1.0), ("ACTIVE", 20.0), ("ACTIVE", 30.0), ("PENDING", None)]
        )
    )
    app = builders.application(*stages, elapsed_s=40.0)
    for service, expected in ((True, NOW - 20.0), (False, None)):
        seen = builders.observation(1, replace(app, shuffle_service=service), at=NOW)
        (load,) = loads(seen).values()
        assert load.asked_since == expected


@pytest.mark.parametrize(
    ("first", "written", "expected"),
    [
        pytest.param(0, 0, None, id="nothing was written before it"),
        pytest.param(0, 9, NOW - 20.0, id="a stage before it wrote files"),
        pytest.param(3, 0, NOW - 20.0, id="the stages before are shown no more"),
    ],
)
def test_a_stage_asks_for_files_only_if_there_are_some(first, written, expected):
    before = replace(
        builders.stage(first, status="COMPLETE"), began_s=1.0, shuffle_write_bytes=written
    )
    # What it writes itself, a later stage asks for.
    running = replace(builders.stage(first + 1), began_s=20.0, shuffle_write_bytes=9)
    app = replace(builders.application(before, running, elapsed_s=40.0), shuffle_service=True)
    (load,) = loads(builders.observation(1, app, at=NOW)).values()
    assert load.asked_since == expected


@pytest.mark.parametrize("changes", [{"applications": None}, {}])
def test_a_driver_that_cannot_be_read_leaves_its_executors_unknown(changes):
    seen = builders.observation(1, builders.application(error="no answer"), **changes)
    (load,) = loads(seen).values()
    assert load.executor_cores is None
    assert not load.pending
    assert not load.empty


def test_a_silent_driver_leaves_unknown_only_what_others_do_not_account_for():
    told = builders.application(executors=(builders.executor(0, active_tasks=1),), name="told")
    silent = builders.application(name="silent", error="no answer")
    workers = (builders.worker(0), builders.worker(1), builders.worker(2, cores_used=0))
    load = loads(builders.observation(3, told, silent, workers=workers))
    assert [load[builders.host(n)].unknown for n in range(3)] == [False, True, False]
    assert load[builders.host(2)].empty


def test_a_worker_that_only_drivers_list_is_at_work():
    app = builders.application(executors=(builders.executor(0, active_tasks=1),))
    load = loads(builders.observation(0, app))[builders.host(0)]
    assert load == UNLISTED_BUSY
    assert not load.empty


def test_a_worker_that_came_back_is_not_the_dead_one_of_its_address():
    workers = (builders.worker(0), replace(builders.worker(0, WorkerState.DEAD), id="before"))
    for listed in (workers, workers[::-1]):
        assert loads(builders.observation(0, workers=listed))[builders.host(0)].registered


@pytest.mark.parametrize(
    ("why", "applications", "hung"),
    [
        ("no driver", (), True),
        ("none there", (builders.application(executors=(builders.executor(1),)),), True),
        ("at work", (builders.application(executors=(builders.executor(0),)),), False),
        ("a driver is silent", (builders.application(error="no answer"),), False),
    ],
)
def test_who_hangs(why, applications, hung):
    seen = builders.observation(1, *applications, workers=(builders.worker(0, WorkerState.DEAD),))
    assert loads(seen)[builders.host(0)].hung == hung, why
