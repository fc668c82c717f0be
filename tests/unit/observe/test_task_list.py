"""`observe.task_list`: what a stage's tasks tell, whatever the looks between which they end."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import stage
from kitwai.core.records.observation import Executor, Ran, Told
from kitwai.observe.task_list import (
    MOST_CHANGES,
    Task,
    of_tasks,
    served_since,
    warm_since,
    workers_at,
)

START = 5_000.0
ONE_WORKER = ((0.0, 1),)


def executor(name: str, host: str, added_s: float | None) -> Executor:
    """An executor that registered so many seconds after the application's start."""
    return Executor(name, host, 2, 0, 0, 0, added_at=None if added_s is None else START + added_s)


def ran(workers: int, *seconds: float, first: bool = False) -> Ran:
    """Finished tasks of these durations."""
    logs = [math.log(1000.0 * second) for second in seconds]
    return Ran(
        workers,
        len(seconds),
        sum(1000.0 * second for second in seconds),
        first=first,
        log_sum=pytest.approx(sum(logs)),
        log_squares=pytest.approx(sum(log**2 for log in logs)),
    )


def look(tasks, before=None, warm=None, served=ONE_WORKER, now_s=100.0):
    """A stage by its tasks; if ``warm`` is not given, it comes from these tasks."""
    warm = warm_since({}, tasks, ()) if warm is None else warm
    return of_tasks(stage(), tasks, before.read if before else None, warm, served, now_s)


# --- tasks of one look


def test_first_tasks_stand_apart_and_running_tasks_have_an_age():
    seen = look(
        [
            Task(0, "a", 10.0, 5.0),  # the two slots' first tasks
            Task(1, "a", 10.0, 6.0),
            Task(2, "a", 15.0, 2.0),
            Task(3, "b", 90.0, None),  # the first on its executor
            Task(4, "a", 98.0, None),
        ]
    )
    assert seen.told is Told.TASKS
    assert seen.ran == (ran(1, 2.0), ran(1, 5.0, 6.0, first=True))
    assert (seen.running_s, seen.running_first) == (12.0, 1)


def test_a_task_counts_for_the_workers_that_served_at_its_launch():
    served = ((0.0, 1), (20.0, 3), (40.0, 2))
    tasks = [Task(n, "a", at, 1.0) for n, at in enumerate((5.0, 19.9, 20.0, 39.0, 50.0))]
    seen = look(tasks, warm={"a": 0.0}, served=served)
    assert {part.workers: part.tasks for part in seen.ran} == {1: 2, 2: 1, 3: 2}


def test_failed_tasks_do_not_count_and_hold_no_place():
    seen = look(
        [Task(0, "a", 1.0, 9.0, failed=True), Task(1, "a", 1.0, 2.0), Task(2, "a", 12.0, 3.0)]
    )
    # A task that failed has warmed its slot up.
    assert seen.ran == (ran(1, 2.0, first=True), ran(1, 3.0))[::-1]
    assert (seen.read.settled, seen.read.last_id) == (3, 2)


def test_a_straggler_keeps_the_place_and_the_tasks_behind_it_count_once():
    straggler = Task(1, "a", 1.0, None)
    first = look([Task(0, "a", 1.0, 2.0), straggler, Task(2, "a", 3.0, 2.0)], now_s=6.0)
    assert (first.read.settled, first.read.last_id) == (1, 0)
    assert sum(part.tasks for part in first.ran) == 2
    more = [straggler, Task(2, "a", 3.0, 2.0), Task(3, "a", 5.0, 2.0)]
    second = look(more, before=first, warm={"a": 3.0}, now_s=20.0)
    assert (second.read.settled, second.read.last_id) == (1, 0)
    assert sum(part.tasks for part in second.ran) == 3
    assert second.running_s == 19.0
    ended = [Task(1, "a", 1.0, 30.0), *more[1:]]
    third = look(ended, before=second, warm={"a": 3.0}, now_s=40.0)
    assert (third.read.settled, third.read.last_id) == (4, 3)
    assert sum(part.tasks for part in third.ran) == 4
    assert third.read.ran == third.ran
    assert third.running_s == 0.0


def test_a_task_without_a_duration_has_a_logarithm():
    assert math.isfinite(look([Task(0, "a", 1.0, 0.0)]).ran[0].log_sum)


def test_a_clock_that_runs_behind_gives_no_age_below_zero():
    assert look([Task(0, "a", 100.5, None)]).running_s == 0.0


# --- several looks


@st.composite
def runs(draw):
    """Tasks in the order of their launch, and the moments of some looks."""
    moments = st.integers(0, 60).map(float)
    launches = sorted(draw(st.lists(moments, max_size=25)))
    tasks = [
        Task(
            n,
            draw(st.sampled_from(["a", "b", "c"])),
            at,
            draw(st.integers(0, 40).map(float)),
            draw(st.booleans()),
        )
        for n, at in enumerate(launches)
    ]
    return tasks, sorted({*draw(st.lists(moments, max_size=6)), 200.0})


def at_moment(task: Task, now_s: float) -> Task:
    """The task as a look at ``now_s`` sees it."""
    if task.ended_s <= now_s:
        return task
    return Task(task.id, task.executor, task.launched_s, None)


@given(runs(), st.lists(st.tuples(st.integers(0, 60), st.integers(1, 5)), max_size=4))
def test_reading_on_gives_the_same_as_reading_all_at_once(run, changes):
    tasks, looks = run
    served = ((0.0, 2), *((float(at), count) for at, count in sorted(dict(changes).items())))
    here = [executor(name, name, 0.0) for name in "abc"]
    before, warm = None, {}
    for now_s in looks:
        listed = [at_moment(task, now_s) for task in tasks if task.launched_s <= now_s]
        unread = listed[before.read.settled if before else 0 :]
        warm = warm_since(warm, unread, here)
        then = tuple(change for change in served if change[0] <= now_s)
        before = look(unread, before, warm, then, now_s)
        whole = look(listed, None, warm_since({}, listed, here), then, now_s)
        assert before.ran == whole.ran
        assert before.read == whole.read
        assert before.running_s == pytest.approx(whole.running_s)
        assert before.running_first == whole.running_first
    assert sum(part.tasks for part in before.ran) == sum(not task.failed for task in tasks)


# --- executors


def test_an_executor_is_warm_when_its_first_task_has_ended():
    here = [executor("a", "h", 0.0), executor("b", "h", 0.0)]
    tasks = [Task(0, "a", 1.0, 8.0), Task(1, "a", 1.0, 4.0), Task(2, "b", 2.0, None)]
    assert warm_since({}, tasks, here) == {"a": 5.0}
    assert warm_since({"a": 3.0}, tasks, here) == {"a": 3.0}


def test_a_task_more_than_an_executor_has_slots_is_not_its_first():
    """Spark launches a slot's next task before it notes the end of the last one."""
    tasks = [Task(n, "a", at, 5.0) for n, at in enumerate((1.0, 1.1, 5.99))]
    assert warm_since({}, tasks, [executor("a", "h", 0.0)]) == {"a": 5.99}
    assert warm_since({}, tasks, ()) == {"a": 6.0}


def test_an_executor_that_has_gone_is_forgotten_once_its_tasks_are_not_read_any_more():
    gone = Task(7, "gone", 50.0, 2.0)
    assert warm_since({"gone": 3.0}, [gone], ()) == {"gone": 3.0}
    assert warm_since({"gone": 3.0}, [], ()) == {}


def test_where_finished_tasks_are_unread_no_later_task_is_called_the_first():
    here = [executor("a", "h", 0.0), executor("known", "h", 0.0)]
    warm = warm_since({"known": 30.0}, [Task(9, "a", 80.0, 2.0)], here, whole=False)
    assert warm == {"a": 0.0, "known": 30.0}
    assert not look([Task(9, "a", 80.0, 2.0)], warm=warm).ran[0].first


# --- workers


@pytest.mark.parametrize(
    ("at_s", "workers"), [(-1.0, 2), (0.0, 2), (9.9, 2), (10.0, 5), (29.0, 5), (30.0, 1), (99.0, 1)]
)
def test_workers_at_a_moment(at_s, workers):
    assert workers_at(((0.0, 2), (10.0, 5), (30.0, 0)), at_s) == workers


def test_where_no_worker_is_known_one_must_have_served():
    assert workers_at((), 5.0) == 1


def test_workers_that_come_between_two_looks_count_from_their_registration():
    first = served_since((), [executor("0", "h0", 2.0), executor("1", "h1", 3.0)], START, 15.0)
    assert first == ((2.0, 1), (3.0, 2), (15.0, 2))
    here = [executor(str(n), f"h{n}", at) for n, at in enumerate((2.0, 3.0, 22.0, 26.0))]
    second = served_since(first, here, START, 30.0)
    assert [workers_at(second, at) for at in (2.5, 21.0, 23.0, 27.0)] == [1, 2, 3, 4]
    third = served_since(second, here[:3], START, 45.0)
    assert [workers_at(third, at) for at in (27.0, 44.0, 46.0)] == [4, 4, 3]


def test_two_executors_of_a_host_are_one_worker():
    here = [executor("0", "h", 2.0), executor("1", "h", 9.0)]
    assert served_since((), here, START, 15.0) == ((2.0, 1), (15.0, 1))


@pytest.mark.parametrize(("added_s", "from_s"), [(None, 15.0), (-20.0, 0.0), (99.0, 15.0)], ids=str)
def test_an_odd_registration_lies_within_the_run(added_s, from_s):
    served = served_since((), [executor("0", "h", added_s)], START, 15.0)
    assert served[0] == (from_s, 1)


def test_looks_at_a_calm_cluster_add_nothing():
    here, served = [executor("0", "h", 2.0)], ()
    for now_s in range(15, 1500, 15):
        served = served_since(served, here, START, float(now_s))
    assert served == ((2.0, 1), (1485.0, 1))


def test_the_changes_that_are_kept_are_bounded():
    served = ()
    for now_s in range(1, 3 * MOST_CHANGES):
        here = [executor(str(n), f"h{n}", None) for n in range(1 + now_s % 2)]
        served = served_since(served, here, START, float(now_s))
    assert len(served) == MOST_CHANGES
