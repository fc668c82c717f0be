"""`observe.spark_tasks` when a driver answers anything: a list that gives no sense is named."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

import http_server
from builders import application
from kitwai.core.records.observation import Told
from kitwai.observe.http import open_client
from kitwai.observe.spark_tasks import MOST_TASKS, TASK_BYTES, Reader
from played_driver import HERE, START, URL, Driver, listed, look, stage_of, tasks_told

SOUND = listed("SUCCESS", "RUNNING")
HOSTILE = {
    "a duration below 0": [SOUND[0] | {"duration": -1}],
    "a duration of an age": [SOUND[0] | {"duration": 10**18}],
    "a duration that is no number": json.dumps([SOUND[0]]).replace("2000", "NaN").encode(),
    "a duration in words": [SOUND[0] | {"duration": "2000"}],
    "no id": [{key: value for key, value in SOUND[0].items() if key != "taskId"}],
    "an id below 0": [SOUND[0] | {"taskId": -1}],
    "an id that no long holds": [SOUND[0] | {"taskId": 10**30}],
    "no executor": [SOUND[0] | {"executorId": None}],
    "an executor with an endless name": [SOUND[0] | {"executorId": "0" * 100_000}],
    "no launch": [SOUND[0] | {"launchTime": None}],
    "a launch at no time": [SOUND[0] | {"launchTime": "yesterday"}],
    "an object": b"{}",
    "numbers": b"[1, 2]",
    "null": b"null",
    "nothing": b"",
    "brackets": b"[" * 100_000,
    "more tasks than were asked for": [
        {"taskId": 1, "executorId": "0", "launchTime": SOUND[0]["launchTime"], "status": "RUNNING"}
    ]
    * (MOST_TASKS + 2),
    "100 MB": b" " * 100 * 1024 * 1024,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_list_is_a_fault_and_the_rest_stays(body):
    others = listed(*["SUCCESS"] * 4, first_id=50)
    driver = Driver(s0=SOUND, s1=others)
    driver.instead = {"/stages/0/0/taskList": body if isinstance(body, bytes) else _json(body)}
    seen, (fault,) = look(driver, [stage_of(0, SOUND, total=9), stage_of(1, others)])
    assert fault.startswith(f"{URL}/stages/0/0/taskList")
    assert len(fault) < 500
    assert [stage.told for stage in seen.stages] == [Told.QUANTILES, Told.TASKS]
    assert [tasks_told(seen, n) for n in (0, 1)] == [1, 4]


@pytest.mark.parametrize(
    "body",
    [
        b'{"executorRunTime": [1.0, NaN, 2.0]}',
        b'{"executorRunTime": [1.0, -2.0, 2.0]}',
        b'{"executorRunTime": [1e300, 1e300, 1e300]}',
        b'{"executorRunTime": [1.0]}',
        b'{"executorRunTime": [], "duration": [1.0, 2.0, 3.0, 4.0]}',
        b'{"duration": [1.0, 2.0, 3.0]}',
        b"[]",
        b" " * (TASK_BYTES * MOST_TASKS + 1),
    ],
    ids=lambda body: body[:60].decode(),
)
def test_hostile_quantiles_leave_the_sum(body):
    tasks = listed(*["SUCCESS"] * MOST_TASKS, "RUNNING")
    driver = Driver(s0=tasks)
    driver.instead = {"taskSummary": body}
    shown = stage_of(0, tasks)
    seen, _ = look(driver, [shown])
    assert seen.stages == (shown,)


def test_launches_before_the_start_and_far_ahead_give_sound_numbers():
    tasks = listed("SUCCESS", "RUNNING", "RUNNING")
    tasks[0]["launchTime"] = "0001-01-01T00:00:00.000GMT"
    tasks[1]["launchTime"] = "9999-12-31T23:59:59.999GMT"
    seen, faults = look(Driver(s0=tasks), [stage_of(0, tasks)])
    assert faults == ()
    assert seen.stages[0].running_s == 50.0  # of the third task, launched at 10 s


def test_a_driver_that_hangs_over_a_list_ends_the_look_in_time():
    tasks = listed(*["SUCCESS"] * 4, "RUNNING")
    shown = application(*(stage_of(n, tasks) for n in range(30)), elapsed_s=60.0, executors=HERE)

    async def read(url):
        async with open_client() as client:
            return await Reader(client, url, START, time.monotonic() + 0.5).read(shown, None)

    with http_server.serve(http_server.hangs) as url:
        began = time.monotonic()
        seen, faults = asyncio.run(read(url))
        took_s = time.monotonic() - began
    assert took_s < 10.0
    assert len(faults) == 1
    assert "gave no complete answer" in faults[0]
    assert seen.stages == shown.stages


def _json(value) -> bytes:
    return json.dumps(value).encode()
