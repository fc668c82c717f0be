"""`observe.spark_tasks`: a driver's lists of tasks, read on from look to look and within bounds."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import replace

import httpx
import pytest

from builders import application
from kitwai.core.records.observation import Executor, Told
from kitwai.errors import SourceError
from kitwai.observe.http import Answer
from kitwai.observe.spark_tasks import (
    MOST_REQUESTS,
    MOST_TASKS,
    TASK_BYTES,
    Reader,
    parse_tasks,
)
from places import DATA
from played_driver import START, URL, Driver, listed, look, stage_of, tasks_told

RECORDED = (DATA / "spark_rest" / "task_list.json").read_bytes()
RECORDED_AT = 1_796_076_917.695  # start of the application that was recorded


# --- what Spark writes


def test_a_recorded_list():
    tasks = parse_tasks(Answer(URL, RECORDED), RECORDED_AT)
    assert [one.id for one in tasks] == list(range(11))
    assert [one.id for one in tasks if one.failed] == [3]
    # Spark gives a running task a duration too: it has no end.
    assert [one.id for one in tasks if one.duration_s is None] == [2, 8, 9, 10]
    assert {one.executor for one in tasks} == {"0", "1"}
    assert (tasks[0].launched_s, tasks[0].duration_s) == (pytest.approx(163.022), 46.572)


def test_a_recorded_stage():
    tasks = json.loads(RECORDED)
    driver = Driver(s0=tasks)
    here = tuple(Executor(name, f"h{name}", 2, 2, 0, 0, added_at=RECORDED_AT) for name in "01")
    shown = application(stage_of(0, tasks), elapsed_s=217.354, executors=here)

    async def read():
        async with httpx.AsyncClient(transport=httpx.MockTransport(driver)) as client:
            reader = Reader(client, URL, RECORDED_AT, time.monotonic() + 30.0)
            return await reader.read(shown, None)

    seen, faults = asyncio.run(read())
    assert faults == ()
    (stage,) = seen.stages
    later, first = stage.ran
    # Tasks 0 to 3 came first, of which 3 failed and 2 still runs. Task 5 was launched before Spark
    # noted the end of task 0, whose slot it took.
    assert (first.first, first.tasks, first.run_ms) == (True, 2, 46_572.0 + 45_915.0)
    assert (later.first, later.tasks, later.run_ms) == (False, 4, 2426.0 + 2877.0 + 2079.0 + 1980.0)
    assert stage.running_first == 1
    assert stage.running_s == pytest.approx(53.848 + 3.824 + 3.476 + 2.451, abs=0.01)
    assert (stage.read.settled, stage.read.last_id) == (2, 1)
    assert seen.warm_s == {
        "0": pytest.approx(209.178),  # launch of task 5
        "1": pytest.approx(209.045),  # launch of task 4
    }


def test_a_recorded_summary():
    body = (DATA / "spark_rest" / "task_summary.json").read_bytes()
    driver = Driver()
    driver.instead = {"taskSummary": body, "taskList": b"no"}
    seen, _ = look(driver, [stage_of(0, listed(*["SUCCESS"] * 6, "RUNNING"), total=99)])
    (part,) = seen.stages[0].ran
    assert (part.tasks, part.run_ms / 6) == (6, pytest.approx((2079 + 2426 + 2877) / 3))


@pytest.mark.parametrize(
    ("changes", "duration_s", "failed"),
    [
        ({"status": "RUNNING"}, None, False),
        ({"status": "GET RESULT"}, None, False),
        ({"status": "UNKNOWN"}, None, False),
        ({"status": "KILLED"}, 2.0, True),
        ({"status": "FAILED"}, 2.0, True),
        ({"status": "SUCCESS"}, 2.0, False),
        # Spark leaves out a duration of 0, and older versions leave out all of them.
        ({"duration": None}, 2.0, False),
        ({"duration": None, "taskMetrics": None}, 0.0, False),
        ({"taskMetrics": {"executorRunTime": 1000}}, 2.0, False),
    ],
    ids=str,
)
def test_the_states_of_a_task(changes, duration_s, failed):
    body = json.dumps([listed("SUCCESS")[0] | changes]).encode()
    (read,) = parse_tasks(Answer(URL, body), START)
    assert (read.duration_s, read.failed) == (duration_s, failed)


def test_a_list_of_a_version_that_tells_no_status_is_refused():
    tasks = listed("SUCCESS")
    del tasks[0]["status"]
    with pytest.raises(SourceError, match=r"0\.status"):
        parse_tasks(Answer(URL, json.dumps(tasks).encode()), START)


# --- look after look


def test_a_look_goes_on_where_the_last_one_ended():
    early = listed(*["SUCCESS"] * 6, "RUNNING")
    driver = Driver(s0=early)
    first, _ = look(driver, [stage_of(0, early, total=40)], now_s=14.5)
    late = listed(*["SUCCESS"] * 9, "RUNNING")
    driver.tasks[0] = late
    second, faults = look(driver, [stage_of(0, late, total=40)], first, now_s=16.5)
    whole, _ = look(driver, [stage_of(0, late, total=40)], now_s=16.5)
    assert faults == ()
    assert [re.search(r"offset=(\d+)", path)[1] for path in driver.lists] == ["0", "5", "0"]
    assert second.stages == whole.stages
    assert second.warm_s == whole.warm_s == {"0": 12.0, "1": 12.0}
    assert second.stages[0].told is Told.TASKS


def test_first_tasks_are_told_by_executor():
    tasks = listed(*["SUCCESS"] * 8)
    seen, _ = look(Driver(s0=tasks), [stage_of(0, tasks)])
    assert {(part.first, part.tasks) for part in seen.stages[0].ran} == {(True, 4), (False, 4)}


def test_a_stage_that_has_ended_is_read_once():
    tasks = listed(*["SUCCESS"] * 8)
    driver = Driver(s0=tasks)
    first, _ = look(driver, [stage_of(0, tasks)])
    second, _ = look(driver, [stage_of(0, tasks)], first, now_s=75.0)
    assert len(driver.asked) == 1
    assert second.stages == first.stages


def test_another_attempt_of_a_stage_is_read_from_its_beginning():
    tasks = listed(*["SUCCESS"] * 4, "RUNNING")
    driver = Driver(s0=tasks)
    first, _ = look(driver, [stage_of(0, tasks)])
    driver.instead = {"/stages/0/1/taskList": json.dumps(tasks[:2]).encode()}
    again = replace(stage_of(0, tasks[:2]), attempt=1)
    second, _ = look(driver, [again], first)
    assert "/stages/0/1/taskList?offset=0" in driver.lists[-1]
    assert (tasks_told(second), second.stages[0].read.attempt) == (2, 1)


def test_more_settled_tasks_than_a_stages_counts_tell_still_ask_for_some():
    # 30 tasks were killed: Spark counts them neither as failed nor as complete.
    tasks = listed(*["KILLED"] * 30, *["SUCCESS"] * 6, "RUNNING")
    driver, seen = Driver(s0=tasks), None
    for _ in range(4):
        seen, faults = look(driver, [stage_of(0, tasks)], seen)
        assert faults == ()
    assert tasks_told(seen) == 6
    assert seen.stages[0].read.settled == 36


def test_tasks_that_the_driver_has_dropped_are_a_fault_and_no_tasks():
    tasks = listed(*["SUCCESS"] * 12, "RUNNING")
    driver = Driver(s0=tasks)
    first, _ = look(driver, [stage_of(0, tasks, total=40)])
    driver.tasks[0] = tasks[4:]  # spark.ui.retainedTasks
    second, (fault,) = look(driver, [stage_of(0, tasks, total=40)], first)
    assert "spark.ui.retainedTasks" in fault
    assert (second.stages[0].told, tasks_told(second)) == (Told.QUANTILES, 12)


def test_a_look_that_could_not_read_a_list_leaves_the_place_of_reading():
    early = listed(*["SUCCESS"] * 8, "RUNNING")
    driver = Driver(s0=early)
    first, _ = look(driver, [stage_of(0, early, total=40)])
    late = listed(*["SUCCESS"] * 12, "RUNNING")
    driver.tasks[0], driver.instead = late, {"taskList": b"busy"}
    second, (fault,) = look(driver, [stage_of(0, late, total=40)], first)
    assert "did not answer as expected" in fault
    # The settled tasks count as they were read, the others by quantiles.
    assert (second.stages[0].told, tasks_told(second)) == (Told.QUANTILES, 12)
    assert second.stages[0].ran[:-1] == first.stages[0].read.ran
    driver.instead = {}
    third, _ = look(driver, [stage_of(0, late, total=40)], second)
    assert "offset=7" in driver.lists[-1]
    assert (third.stages[0].told, tasks_told(third)) == (Told.TASKS, 12)


# --- bounds


def test_a_list_too_long_is_told_by_quantiles_and_without_them_by_the_sum():
    tasks = listed(*["SUCCESS"] * MOST_TASKS, "RUNNING")
    driver = Driver(s0=tasks)
    shown = stage_of(0, tasks, total=2 * MOST_TASKS)
    seen, faults = look(driver, [shown])
    assert (driver.lists, faults) == ([], ())
    (stage,) = seen.stages
    assert (stage.told, stage.read, stage.running_s) == (Told.QUANTILES, None, None)
    assert (tasks_told(seen), stage.ran[0].run_ms) == (MOST_TASKS, 2000.0 * MOST_TASKS)
    assert stage.ran[0].workers == 2
    driver.instead = {"taskSummary": b"{}"}
    unknown, faults = look(driver, [shown])
    assert faults == ()
    assert unknown.stages == (shown,)
    assert shown.told is Told.SUM


def test_quantiles_of_an_ended_stage_are_asked_for_once():
    tasks = listed(*["SUCCESS"] * MOST_TASKS)
    driver = Driver(s0=tasks)
    first, _ = look(driver, [stage_of(0, tasks)])
    second, _ = look(driver, [stage_of(0, tasks)], first)
    assert len(driver.asked) == 1
    assert second.stages[0].told is Told.QUANTILES
    assert second.stages[0].ran == first.stages[0].ran


def test_many_stages_are_read_over_some_looks_running_ones_and_the_newest_first():
    lists = {n: listed(*["SUCCESS"] * 4, first_id=4 * n, began_s=10.0 + 2.0 * n) for n in range(40)}
    lists[5][-1]["status"] = "RUNNING"
    driver, seen = Driver(**{f"s{n}": tasks for n, tasks in lists.items()}), None
    stages = [stage_of(n, tasks) for n, tasks in lists.items()]
    for round_ in range(1, 5):
        driver.asked.clear()
        seen, _ = look(driver, stages, seen, now_s=100.0 + 15.0 * round_)
        assert len(driver.lists) <= MOST_REQUESTS
        assert len(driver.summaries) <= MOST_REQUESTS
        if round_ == 1:
            order = [int(re.match(r"/stages/(\d+)", path)[1]) for path in driver.lists]
            assert order == [5, *range(39, 39 - MOST_REQUESTS + 1, -1)]
            # Which tasks came first on their executors is not known of the rest.
            assert not any(part.first for stage in seen.stages for part in stage.ran)
    assert {stage.told for stage in seen.stages} <= {Told.TASKS, Told.QUANTILES}
    assert [tasks_told(seen, n) for n in range(40)] == [stage.complete for stage in stages]


def test_tasks_and_bytes_of_a_look_are_bounded():
    lists = {f"s{n}": listed(*["SUCCESS"] * 300, "RUNNING") for n in range(8)}
    driver = Driver(**lists)
    stages = [stage_of(int(name[1:]), tasks) for name, tasks in lists.items()]
    seen, _ = look(driver, stages)
    read = [stage for stage in seen.stages if stage.told is Told.TASKS]
    assert 0 < sum(stage.read.settled for stage in read) <= MOST_TASKS
    assert driver.bytes <= TASK_BYTES * MOST_TASKS
    assert {stage.told for stage in seen.stages} == {Told.TASKS, Told.QUANTILES}
