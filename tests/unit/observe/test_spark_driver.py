"""`observe.spark_driver` on answers recorded from Spark 4.3, on older ones, and on broken ones."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest

from kitwai.core.records.observation import Stage
from kitwai.errors import SourceError
from kitwai.observe import spark_driver
from kitwai.observe.http import Answer
from kitwai.observe.spark_driver import (
    cpu_seconds,
    elapsed_seconds,
    idle_seconds,
    is_stream,
    parse_attempt,
    parse_executors,
    parse_jobs,
    parse_stages,
    submitted_stages,
)
from kitwai.observe.spark_master import ActiveApplication
from places import SHARED
from spark_answers import RECORDED, answer, changed, recorded

ABOUT = parse_attempt(recorded("application.json"))
OLDER = SHARED / "data" / "rest_json"

needs_older = pytest.mark.skipif(
    not OLDER.is_dir(), reason=f"the answers of older Spark versions are not in {OLDER}"
)


def stages_of(stages: Answer, jobs: Answer, started_at: float | None = None) -> tuple[Stage, ...]:
    return submitted_stages(parse_stages(stages), parse_jobs(jobs), started_at)


def by_id(stages: tuple[Stage, ...]) -> dict[int, Stage]:
    return {stage.id: stage for stage in stages}


def test_executors_of_a_real_driver():
    executors = parse_executors(recorded("executors.json"))
    assert [(e.id, e.host, e.cores) for e in executors] == [
        ("1", "127.0.7.2", 2),
        ("0", "127.0.7.3", 2),
    ]
    raw = {e["id"]: e for e in json.loads((RECORDED / "executors.json").read_bytes())}
    for executor in executors:
        assert executor.active_tasks == raw[executor.id]["activeTasks"]
        assert executor.shuffle_write_bytes == raw[executor.id]["totalShuffleWrite"] > 0
        assert (
            executor.stored_bytes == raw[executor.id]["memoryUsed"] + raw[executor.id]["diskUsed"]
        )


def test_executors_that_are_gone_are_left_out():
    raw = json.loads((RECORDED / "executors.json").read_bytes())
    gone = [{**executor, "isActive": False} for executor in raw]
    assert parse_executors(answer(gone)) == ()


@pytest.mark.parametrize(
    ("host_port", "host"),
    [("127.0.0.2:4711", "127.0.0.2"), ("[::1]:4711", "[::1]"), ("node-7", "node-7")],
)
def test_host_of_an_executor(host_port, host):
    raw = json.loads((RECORDED / "executors.json").read_bytes())[1]
    assert parse_executors(answer([{**raw, "hostPort": host_port}]))[0].host == host


def test_stages_of_a_real_driver():
    """Five jobs, the last under way: what was skipped or is about to be does not count."""
    stages = stages_of(recorded("stages.json"), recorded("jobs.json"))
    assert [(s.id, s.status, s.tasks, s.complete, s.active) for s in stages] == [
        (0, "COMPLETE", 4, 4, 0),
        (1, "COMPLETE", 8, 8, 0),
        (4, "COMPLETE", 4, 4, 0),
        (5, "COMPLETE", 12, 12, 0),
        (6, "COMPLETE", 4, 4, 0),
        (8, "ACTIVE", 4, 1, 3),
    ]
    assert by_id(stages)[8].run_ms == 3102.0
    assert by_id(stages)[8].shuffle_read_bytes == 350


def test_stages_begin_and_end_since_the_applications_start():
    start = ABOUT.start_time
    stages = by_id(stages_of(recorded("stages.json"), recorded("jobs.json"), start))
    # By the driver's clock: started at 01:09:31.766, the last stage's first task at 01:10:05.288.
    assert stages[8].began_s == pytest.approx(33.522, abs=1e-3)
    assert stages[8].ended_s is None
    ends = [(stage.began_s, stage.ended_s) for stage in stages.values() if stage.id != 8]
    assert all(0.0 < began < ended < 36.958 for began, ended in ends)
    assert [began for began, _ in ends] == sorted(began for began, _ in ends)


def test_times_of_stages_that_cannot_be_told_are_unknown_not_zero():
    stages = stages_of(recorded("stages.json"), recorded("jobs.json"))
    assert {(stage.began_s, stage.ended_s) for stage in stages} == {(None, None)}
    without = changed("stages.json", firstTaskLaunchedTime=...)
    assert by_id(stages_of(without, recorded("jobs.json"), 0.0))[8].began_s is None
    before = stages_of(recorded("stages.json"), recorded("jobs.json"), 4e9)
    assert {stage.began_s for stage in before} == {0.0}  # a clock that was set back


@pytest.mark.parametrize("time", ["yesterday", "", 5, "9" * 100_000])
def test_a_time_that_is_none_refuses_the_stages(time):
    with pytest.raises(SourceError) as caught:
        stages_of(changed("stages.json", firstTaskLaunchedTime=time), recorded("jobs.json"), 0.0)
    assert len(str(caught.value)) < 300


def test_shuffles_that_adaptive_execution_has_written_are_not_work_left():
    raw = json.loads((RECORDED / "stages_adaptive.json").read_bytes())
    assert {s["stageId"] for s in raw if s["status"] == "PENDING"} == {2, 3}
    stages = stages_of(recorded("stages_adaptive.json"), recorded("jobs_adaptive.json"))
    assert [(s.id, s.status) for s in stages] == [(0, "COMPLETE"), (1, "COMPLETE"), (4, "ACTIVE")]


def test_a_stage_that_waits_for_lost_output_is_still_work_left():
    """A worker died: stage 0 runs six tasks again, then stage 1 its last three."""
    stages = stages_of(recorded("stages_lost.json"), recorded("jobs_lost.json"))
    assert [(s.id, s.status, s.tasks, s.complete) for s in stages] == [
        (0, "ACTIVE", 6, 0),
        (1, "PENDING", 8, 5),
    ]


def test_a_retried_stage_counts_the_tasks_of_its_newest_attempt():
    stages = stages_of(recorded("stages_retried.json"), recorded("jobs_retried.json"))
    assert [(s.id, s.status, s.tasks, s.complete, s.run_ms) for s in stages] == [
        (0, "COMPLETE", 6, 6, 6922.0),
        (1, "ACTIVE", 3, 2, 6131.0),
    ]


def test_a_failed_stage_of_a_failed_job_stays_failed():
    jobs = [
        {**job, "status": "FAILED"}
        for job in json.loads((RECORDED / "jobs_lost.json").read_bytes())
    ]
    stages = stages_of(recorded("stages_lost.json"), answer(jobs))
    assert by_id(stages)[1].status == "FAILED"


def test_a_task_that_ran_twice_is_complete_once():
    stages = changed("stages.json", numCompleteTasks=4, numCompletedIndices=2)
    stage = by_id(stages_of(stages, recorded("jobs.json")))[8]
    assert (stage.complete, stage.run_ms) == (2, 3102.0 / 2)


def test_stages_of_no_submitted_job_are_left_out():
    assert stages_of(recorded("stages.json"), answer([])) == ()
    assert stages_of(answer([]), recorded("jobs.json")) == ()


@pytest.mark.parametrize("value", [..., None, -1, 1.5, "3", True, 2**63, [], {}])
@pytest.mark.parametrize(
    "field",
    ["numTasks", "numActiveTasks", "numCompleteTasks", "executorRunTime", "shuffleWriteBytes"],
)
def test_a_stage_with_an_impossible_number_is_an_error_not_a_zero(field, value):
    with pytest.raises(SourceError, match=f"0.{field}"):
        stages_of(changed("stages.json", **{field: value}), recorded("jobs.json"))


@pytest.mark.parametrize("field", ["totalCores", "activeTasks", "memoryUsed", "diskUsed"])
def test_an_executor_without_a_number_is_an_error_not_a_zero(field):
    with pytest.raises(SourceError, match=f"0.{field}"):
        parse_executors(changed("executors.json", **{field: ...}))


def test_elapsed_is_what_the_drivers_own_clock_says():
    # `now` is an hour ahead of the driver.
    assert elapsed_seconds(ABOUT, now=1795482608.0 + 3600.0) == 36.958


@pytest.mark.parametrize(
    ("server_time", "now", "expected"),
    [
        (None, 1030.5, 30.5),
        (1030.0, 1030.5, 30.5),  # clocks agree: the finer one counts
        (1030.0, 4630.5, 31.0),  # this clock is ahead
        (1030.0, 30.5, 30.0),  # this clock is behind
        (None, 900.0, 0.0),
    ],
)
@pytest.mark.parametrize(
    "attempt",
    [
        {"startTime": "1970-01-01T00:16:40.000GMT", "startTimeEpoch": 1000000, "duration": 0},
        {"startTime": "1970-01-01T00:16:40.000GMT"},
    ],
)
def test_elapsed_without_a_duration(attempt, server_time, now, expected):
    body = json.dumps({"id": "a", "name": "n", "attempts": [attempt]}).encode()
    assert (
        elapsed_seconds(parse_attempt(Answer("http://host/", body)), now, server_time) == expected
    )


@pytest.mark.parametrize(
    "attempts",
    [
        [],
        [{}],
        [{"startTime": "yesterday"}],
        [{"startTime": "9" * 100_000}],
        [{"startTime": "", "startTimeEpoch": 10**400}],
        [{"startTime": "", "startTimeEpoch": 1, "duration": 10**400}],
    ],
)
def test_elapsed_without_a_start_is_an_error(attempts):
    with pytest.raises(SourceError) as caught:
        parse_attempt(answer({"id": "a", "attempts": attempts}))
    assert len(str(caught.value)) < 300


def test_a_job_under_way_is_not_idle():
    assert idle_seconds(ABOUT, parse_jobs(recorded("jobs.json")), 36.958) is None
    assert idle_seconds(ABOUT, [], 36.958) == 36.958


@pytest.mark.parametrize(
    ("description", "streaming"),
    [
        (None, False),
        ("count at job.py:3", False),
        ("id = 4e1b\nrunId = 12345678-90ab-cdef-1234-567890abcdef\nbatch = 7", True),
        ('Streaming job from <a href="/streaming/batch?id=1">[output operation 0]</a>', True),
    ],
)
def test_a_stream_is_known_by_its_batches(description, streaming):
    job = {"status": "RUNNING", "stageIds": [1], "description": description}
    assert is_stream(parse_jobs(answer([job]))) is streaming
    assert not is_stream(parse_jobs(recorded("jobs.json")))


def test_cpu_time_of_all_stages():
    stages = json.loads(recorded("stages.json").body)
    assert cpu_seconds(parse_stages(recorded("stages.json"))) == pytest.approx(
        sum(stage["executorCpuTime"] for stage in stages) / 1e9
    )
    del stages[0]["executorCpuTime"]
    assert cpu_seconds(parse_stages(answer(stages))) is None


@needs_older
def test_stages_of_older_versions():
    stages = stages_of(
        Answer("http://host/stages", (OLDER / "stage_list.json").read_bytes()),
        Answer("http://host/jobs", (OLDER / "job_list.json").read_bytes()),
    )
    assert [(s.id, s.status, s.tasks, s.complete, s.failed) for s in stages] == [
        (0, "COMPLETE", 8, 8, 0),
        (1, "COMPLETE", 8, 8, 0),
        (2, "FAILED", 8, 7, 1),
        (3, "COMPLETE", 8, 8, 0),
    ]
    assert by_id(stages)[1].run_ms == 3476.0


@needs_older
@pytest.mark.parametrize(
    ("name", "hosts"),
    [("executor_list.json", []), ("executor_list_with_executor_metrics.json", None)],
)
def test_executors_of_older_versions(name, hosts):
    raw = json.loads((OLDER / name).read_bytes())
    executors = parse_executors(Answer("http://host/executors", (OLDER / name).read_bytes()))
    others = [e for e in raw if e["id"] != "driver" and e["isActive"]]
    assert [e.id for e in executors] == [e["id"] for e in others]
    assert [e.active_tasks for e in executors] == [e["activeTasks"] for e in others]
    assert hosts is None or [e.host for e in executors] == hosts


@needs_older
@pytest.mark.parametrize("name", ["application_list.json", "application_list_spark-1.6.0.json"])
def test_elapsed_of_older_versions(name):
    for application in json.loads((OLDER / name).read_bytes()):
        attempt = application["attempts"][0]
        ran_s = elapsed_seconds(parse_attempt(answer(application)), now=1.5e9)
        if attempt.get("duration"):
            assert ran_s == attempt["duration"] / 1000.0
        else:
            assert 1e7 < ran_s < 1.5e9


def test_a_driver_that_is_slow_in_everything_is_told_as_one(monkeypatch):
    clock = iter(range(100))

    async def get(client, url, *, timeout_s):
        return None

    monkeypatch.setattr(spark_driver, "time", SimpleNamespace(monotonic=lambda: next(clock) * 0.5))
    monkeypatch.setattr(spark_driver, "get", get)
    read = spark_driver.read_application(
        None, ActiveApplication("app", "name", 4, 1.0), "http://driver", timeout_s=1.0,
        now=lambda: 0.0,
    )  # fmt: skip
    with pytest.raises(SourceError, match=r"within 1\.0 s: no time was left for /jobs\."):
        asyncio.run(read)
