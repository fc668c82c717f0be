"""`observe.spark_rest` on answers recorded from Spark 4.3, on older ones, and on broken ones."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitwai.core.observation import Stage, Worker, WorkerState
from kitwai.errors import SourceError
from kitwai.observe import spark_rest
from kitwai.observe.http import Answer
from kitwai.observe.spark_conf import Properties, parse_properties
from kitwai.observe.spark_rest import (
    ActiveApplication,
    parse_applications,
    parse_cpu,
    parse_driver_urls,
    parse_elapsed,
    parse_executors,
    parse_idle,
    parse_stages,
    parse_start,
    parse_streaming,
    parse_workers,
)

RECORDED = Path(__file__).parents[1] / "data" / "spark_rest"
OLDER = Path(__file__).parents[2].parent / "shared" / "data" / "rest_json"

needs_older = pytest.mark.skipif(
    not OLDER.is_dir(), reason=f"the answers of older Spark versions are not in {OLDER}"
)


def recorded(name: str) -> Answer:
    return Answer(f"http://host/{name}", (RECORDED / name).read_bytes())


def answer(value: object) -> Answer:
    return Answer("http://host/made", json.dumps(value).encode())


def changed(name: str, **fields: object) -> Answer:
    """The recorded list or object with ``fields`` of its (first) object set; ... removes one."""
    value = json.loads((RECORDED / name).read_bytes())
    target = value[0] if isinstance(value, list) else value
    for key, new in fields.items():
        if new is ...:
            del target[key]
        else:
            target[key] = new
    return answer(value)


def by_id(stages: tuple[Stage, ...]) -> dict[int, Stage]:
    return {stage.id: stage for stage in stages}


# --- the master


def test_workers_of_a_real_master():
    assert parse_workers(recorded("master.json")) == tuple(
        Worker(id, host, WorkerState.ALIVE, 2, 2, 1024, 512)
        for id, host in (
            ("worker-20261124010926-127.0.7.2-37809", "127.0.7.2"),
            ("worker-20261124010926-127.0.7.3-44881", "127.0.7.3"),
        )
    )


def test_applications_of_a_real_master():
    assert parse_applications(recorded("master.json")) == (
        ActiveApplication("app-20261124010933-0000", "orders <by> day & customer", 4, 35.281),
    )


def test_an_unheard_of_worker_state_is_unknown():
    workers = json.loads((RECORDED / "master.json").read_bytes())["workers"]
    workers[0]["state"] = "RESTING"
    assert parse_workers(changed("master.json", workers=workers))[0].state is WorkerState.UNKNOWN


@pytest.mark.parametrize("status", ["STANDBY", "RECOVERING"])
@pytest.mark.parametrize("parse", [parse_workers, parse_applications])
def test_a_master_without_the_say_is_not_a_cluster_of_none(status, parse):
    with pytest.raises(SourceError, match=f"is {status}, not ALIVE"):
        parse(changed("master.json", status=status, workers=[], activeapps=[]))


@pytest.mark.parametrize("field", ["cores", "coresused", "memory", "memoryused", "host", "state"])
def test_a_worker_without_a_field_is_an_error_not_a_zero(field):
    workers = json.loads((RECORDED / "master.json").read_bytes())["workers"]
    del workers[1][field]
    with pytest.raises(SourceError, match=f"workers.1.{field}"):
        parse_workers(changed("master.json", workers=workers))


APP = "app-20261124010933-0000"


def test_driver_address_on_the_page_of_a_real_master():
    urls = parse_driver_urls(recorded("master.html"), "http://master:8080/")
    assert urls == {APP: "http://127.0.7.1:24040"}


def test_driver_address_behind_the_masters_reverse_proxy():
    urls = parse_driver_urls(recorded("master_reverse_proxy.html"), "http://master:8080/")
    assert urls == {"app-20261124011054-0000": "http://master:8080/proxy/app-20261124011054-0000"}


def row(app_id: str, name_cell: str) -> str:
    return (
        f'<tr><td><a href="app/?appId={app_id}">{app_id}</a><a href="#" class="kill-link">(kill)'
        f"</a></td><td>{name_cell}</td><td>4</td></tr>"
    )


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("", {}),
        (row("a", "finished"), {}),
        ('<link href="/static/x.css"/>' + row("a", "finished"), {}),
        (row("a", '<a href="http://d:1?x=1&amp;y=2">n</a>'), {"a": "http://d:1?x=1&y=2"}),
        (row("a", "&lt;a href=&quot;http://evil&quot;&gt;"), {}),
        (row("a", '<a href="http://[">n</a>') + row("b", '<a href="u">n</a>'), {"b": "http://m/u"}),
        ('<a href="app?appId=a">a</a></td><td><a href="http://d:1">old</a>', {"a": "http://d:1"}),
        ("\x00\ufffd<tr><td" + row("a", '<a href="http://d:1">n'), {"a": "http://d:1"}),
    ],
)
def test_driver_addresses_of_made_up_pages(page, expected):
    assert parse_driver_urls(Answer("http://m/", page.encode()), "http://m/") == expected


@pytest.mark.parametrize(
    "bomb", ["<a ", "<!--", '<a href="', 'href="x"', "</tr>", "&", "<a href='"]
)
def test_a_page_of_unclosed_tags_is_read_in_linear_time(bomb):
    # Python's html.parser needs minutes for a fifth of this.
    page = (bomb * (1_000_000 // len(bomb))).encode()
    assert parse_driver_urls(Answer("http://m/", page), "http://m/") == {}


# --- a driver


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
    stages = parse_stages(recorded("stages.json"), recorded("jobs.json"))
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
    start = parse_start(recorded("application.json"))
    stages = by_id(parse_stages(recorded("stages.json"), recorded("jobs.json"), start))
    # By the driver's clock: started at 01:09:31.766, the last stage's first task at 01:10:05.288.
    assert stages[8].began_s == pytest.approx(33.522, abs=1e-3)
    assert stages[8].ended_s is None
    ends = [(stage.began_s, stage.ended_s) for stage in stages.values() if stage.id != 8]
    assert all(0.0 < began < ended < 36.958 for began, ended in ends)
    assert [began for began, _ in ends] == sorted(began for began, _ in ends)


def test_times_of_stages_that_cannot_be_told_are_unknown_not_zero():
    stages = parse_stages(recorded("stages.json"), recorded("jobs.json"))
    assert {(stage.began_s, stage.ended_s) for stage in stages} == {(None, None)}
    without = changed("stages.json", firstTaskLaunchedTime=...)
    assert by_id(parse_stages(without, recorded("jobs.json"), 0.0))[8].began_s is None
    before = parse_stages(recorded("stages.json"), recorded("jobs.json"), 4e9)
    assert {stage.began_s for stage in before} == {0.0}  # a clock that was set back


@pytest.mark.parametrize("time", ["yesterday", "", 5, "9" * 100_000])
def test_a_time_that_is_none_refuses_the_stages(time):
    with pytest.raises(SourceError) as caught:
        parse_stages(changed("stages.json", firstTaskLaunchedTime=time), recorded("jobs.json"), 0.0)
    assert len(str(caught.value)) < 300


def test_shuffles_that_adaptive_execution_has_written_are_not_work_left():
    raw = json.loads((RECORDED / "stages_adaptive.json").read_bytes())
    assert {s["stageId"] for s in raw if s["status"] == "PENDING"} == {2, 3}
    stages = parse_stages(recorded("stages_adaptive.json"), recorded("jobs_adaptive.json"))
    assert [(s.id, s.status) for s in stages] == [(0, "COMPLETE"), (1, "COMPLETE"), (4, "ACTIVE")]


def test_a_stage_that_waits_for_lost_output_is_still_work_left():
    """A worker died: stage 0 runs six tasks again, then stage 1 its last three."""
    stages = parse_stages(recorded("stages_lost.json"), recorded("jobs_lost.json"))
    assert [(s.id, s.status, s.tasks, s.complete) for s in stages] == [
        (0, "ACTIVE", 6, 0),
        (1, "PENDING", 8, 5),
    ]


def test_a_retried_stage_counts_the_tasks_of_its_newest_attempt():
    stages = parse_stages(recorded("stages_retried.json"), recorded("jobs_retried.json"))
    assert [(s.id, s.status, s.tasks, s.complete, s.run_ms) for s in stages] == [
        (0, "COMPLETE", 6, 6, 6922.0),
        (1, "ACTIVE", 3, 2, 6131.0),
    ]


def test_a_failed_stage_of_a_failed_job_stays_failed():
    jobs = [
        {**job, "status": "FAILED"}
        for job in json.loads((RECORDED / "jobs_lost.json").read_bytes())
    ]
    stages = parse_stages(recorded("stages_lost.json"), answer(jobs))
    assert by_id(stages)[1].status == "FAILED"


def test_a_task_that_ran_twice_is_complete_once():
    stages = changed("stages.json", numCompleteTasks=4, numCompletedIndices=2)
    stage = by_id(parse_stages(stages, recorded("jobs.json")))[8]
    assert (stage.complete, stage.run_ms) == (2, 3102.0 / 2)


def test_stages_of_no_submitted_job_are_left_out():
    assert parse_stages(recorded("stages.json"), answer([])) == ()
    assert parse_stages(answer([]), recorded("jobs.json")) == ()


@pytest.mark.parametrize("value", [..., None, -1, 1.5, "3", True, 2**63, [], {}])
@pytest.mark.parametrize(
    "field",
    ["numTasks", "numActiveTasks", "numCompleteTasks", "executorRunTime", "shuffleWriteBytes"],
)
def test_a_stage_with_an_impossible_number_is_an_error_not_a_zero(field, value):
    with pytest.raises(SourceError, match=f"0.{field}"):
        parse_stages(changed("stages.json", **{field: value}), recorded("jobs.json"))


@pytest.mark.parametrize("field", ["totalCores", "activeTasks", "memoryUsed", "diskUsed"])
def test_an_executor_without_a_number_is_an_error_not_a_zero(field):
    with pytest.raises(SourceError, match=f"0.{field}"):
        parse_executors(changed("executors.json", **{field: ...}))


def test_elapsed_is_what_the_drivers_own_clock_says():
    # `now` is an hour ahead of the driver.
    assert parse_elapsed(recorded("application.json"), now=1795482608.0 + 3600.0) == 36.958


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
    assert parse_elapsed(Answer("http://host/", body, server_time), now) == expected


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
        parse_elapsed(answer({"id": "a", "attempts": attempts}), now=1.0)
    assert len(str(caught.value)) < 300


def test_limits_of_a_real_application():
    assert parse_properties(recorded("environment.json")) == Properties(180.0, 4)


@pytest.mark.parametrize(("value", "uses"), [("true", True), (" TRUE ", True), ("false", False)])
def test_whether_a_shuffle_service_has_an_applications_files(value, uses):
    properties = answer({"sparkProperties": [["spark.shuffle.service.enabled", value]]})
    assert parse_properties(properties).shuffle_service is uses


@pytest.mark.parametrize(
    ("properties", "limit_s", "max_workers", "faults"),
    [
        ([], None, None, 0),
        ([["spark.kitwai.timeLimit", "90"]], 90.0, None, 0),
        ([["spark.kitwai.maxWorkers", " 7 "]], None, 7, 0),
        ([["spark.kitwai.timeLimit", "soon"], ["spark.kitwai.maxWorkers", "3"]], None, 3, 1),
        ([["spark.kitwai.timeLimit", "0s"], ["spark.kitwai.maxWorkers", "0"]], None, None, 2),
        ([["spark.kitwai.timeLimit", "-5min"]], None, None, 1),
        ([["spark.kitwai.timeLimit", " " * 1_000_000]], None, None, 1),
        ([["spark.kitwai.maxWorkers", "9" * 10_000]], None, None, 1),
        ([["spark.kitwai.maxWorkers", "2.5"]], None, None, 1),
    ],
)
def test_limits(properties, limit_s, max_workers, faults):
    limits = parse_properties(answer({"sparkProperties": properties}))
    assert (limits.limit_s, limits.max_workers, len(limits.faults)) == (
        limit_s,
        max_workers,
        faults,
    )
    assert all("spark.kitwai." in fault and len(fault) < 400 for fault in limits.faults)


def test_a_job_under_way_is_not_idle():
    assert parse_idle(recorded("application.json"), recorded("jobs.json"), 36.958) is None
    assert parse_idle(recorded("application.json"), answer([]), 36.958) == 36.958


@pytest.mark.parametrize(
    ("properties", "inputs"),
    [
        ([], {}),
        ([["spark.kitwai.inputs.size", "12.5"], ["spark.app.name", "3"]], {"size": 12.5}),
        (
            [["spark.kitwai.inputs.a.b", " 1e3 "], ["spark.kitwai.inputs.c", "-0.5"]],
            {"a.b": 1000.0, "c": -0.5},
        ),
        (
            [
                [f"spark.kitwai.inputs.{n}", v]
                for n, v in enumerate(["", "x", "nan", "inf", "1e999"])
            ],
            {},
        ),
    ],
)
def test_inputs_that_an_application_announces(properties, inputs):
    assert parse_properties(answer({"sparkProperties": properties})).inputs == inputs


@pytest.mark.parametrize(
    ("properties", "endless", "limit_s", "faults"),
    [
        ({}, False, None, 0),
        ({"spark.kitwai.timeLimit": " None "}, True, None, 0),
        ({"spark.app.name": "PySparkShell"}, True, None, 0),
        ({"spark.repl.class.uri": "spark://h:1/classes"}, True, None, 0),
        ({"spark.app.name": "PySparkShell", "spark.kitwai.timeLimit": "1h"}, False, 3600.0, 0),
        ({"spark.app.name": "Spark shell", "spark.kitwai.timeLimit": "never"}, False, None, 1),
    ],
)
def test_applications_without_an_end(properties, endless, limit_s, faults):
    found = parse_properties(answer({"sparkProperties": list(map(list, properties.items()))}))
    assert (found.endless, found.limit_s, len(found.faults)) == (endless, limit_s, faults)


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
    assert parse_streaming(answer([job])) is streaming
    assert not parse_streaming(recorded("jobs.json"))


def test_cpu_time_of_all_stages():
    stages = json.loads(recorded("stages.json").body)
    assert parse_cpu(recorded("stages.json")) == pytest.approx(
        sum(stage["executorCpuTime"] for stage in stages) / 1e9
    )
    del stages[0]["executorCpuTime"]
    assert parse_cpu(answer(stages)) is None


# --- older versions


@needs_older
def test_stages_of_older_versions():
    stages = parse_stages(
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
        elapsed = parse_elapsed(answer(application), now=1.5e9)
        if attempt.get("duration"):
            assert elapsed == attempt["duration"] / 1000.0
        else:
            assert 1e7 < elapsed < 1.5e9


# --- fuzzed

PARSERS = [
    parse_workers,
    parse_applications,
    parse_executors,
    parse_properties,
    parse_start,
    parse_streaming,
    parse_cpu,
    lambda a: parse_stages(a, recorded("jobs.json"), 1.8e9),
    lambda a: parse_stages(recorded("stages.json"), a),
    lambda a: parse_elapsed(a, 1.8e9),
    lambda a: parse_driver_urls(a, "http://master:8080/"),
]
NAMES = sorted(path.name for path in RECORDED.iterdir())

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def only_source_errors(body: bytes) -> None:
    for parse in PARSERS:
        try:
            result = parse(Answer("http://host/", body))
        except SourceError:
            continue
        assert not isinstance(result, float) or math.isfinite(result)
        if parse is parse_properties:
            assert all(map(math.isfinite, result.inputs.values()))


@given(st.binary(max_size=200))
def test_any_bytes(body):
    only_source_errors(body)


@given(junk)
def test_any_json(value):
    only_source_errors(json.dumps(value).encode("utf-8", "surrogatepass"))


@given(st.sampled_from(NAMES), st.data())
def test_recorded_answers_cut_and_overwritten(name, data):
    body = bytearray((RECORDED / name).read_bytes())
    at = data.draw(st.integers(0, len(body) - 1))
    body[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=12))
    only_source_errors(bytes(body[: data.draw(st.integers(at, len(body)))]))


NUMBERS = {
    "numTasks": "tasks",
    "numActiveTasks": "active",
    "numFailedTasks": "failed",
    "inputBytes": "input_bytes",
    "shuffleReadBytes": "shuffle_read_bytes",
    "shuffleWriteBytes": "shuffle_write_bytes",
}


@given(st.sampled_from(sorted(NUMBERS)), junk | st.just(...))
def test_never_a_wrong_zero(field, value):
    """Whatever stands in a number's place is that number, or the answer is refused."""
    try:
        stages = parse_stages(changed("stages.json", **{field: value}), recorded("jobs.json"))
    except SourceError:
        return
    assert type(value) is int
    assert getattr(by_id(stages)[8], NUMBERS[field]) == value


def test_a_driver_that_is_slow_in_everything_is_told_as_one(monkeypatch):
    clock = iter(range(100))

    async def get(client, url, *, timeout_s):
        return None

    monkeypatch.setattr(spark_rest, "time", SimpleNamespace(monotonic=lambda: next(clock) * 0.5))
    monkeypatch.setattr(spark_rest, "get", get)
    read = spark_rest.read_application(
        None, ActiveApplication("app", "name", 4, 1.0), "http://driver", timeout_s=1.0,
        now=lambda: 0.0,
    )  # fmt: skip
    with pytest.raises(SourceError, match=r"within 1\.0 s: no time was left for /jobs\."):
        asyncio.run(read)
