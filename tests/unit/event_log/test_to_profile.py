from __future__ import annotations

import pytest

from event_writer import EVENT_LOGS, event, executor, job, submitted, task, two_jobs, write
from kitwai.errors import InvalidInputError
from kitwai.event_log.reader import read_event_log
from kitwai.event_log.to_profile import profile_of
from kitwai.event_log.warmup import first_task_cost_ms


def profile(path, *events, **more):
    return profile_of(read_event_log(write(path, *events, **more)), source="test")


def test_a_log_gives_its_application(tmp_path):
    inputs = {"spark.kitwai.inputs.size": "12.5", "spark.kitwai.timeLimit": "300s"}
    read = read_event_log(write(tmp_path / "log", *two_jobs(), properties=inputs))
    found = profile_of(read, source="test")
    assert (found.app, found.family, found.inputs, found.source) == (
        "app-1",
        "count",
        {"size": 12.5},
        "test",
    )
    assert (found.cores_per_worker, found.workers) == (2, 1.0)
    assert read.finish_s == 12.0
    assert [stage.id for stage in found.stages] == [0, 1, 3]
    first = found.stages[0]
    assert (first.input_bytes, first.shuffle_read_bytes, first.shuffle_write_bytes) == (50, 35, 25)


def test_gaps_are_the_drivers_time_before_a_stage(tmp_path):
    stages = profile(tmp_path / "log", *two_jobs()).stages
    # From the application's start, from the parent's end, from the end of the job before.
    assert [stage.gap_ms for stage in stages] == [2_200, 40, 600]


def test_what_being_first_costs_is_told_apart_from_the_work(tmp_path):
    read = read_event_log(write(tmp_path / "log", *two_jobs()))
    assert first_task_cost_ms(read) == 2_000
    stage = profile_of(read, source="test").stages[0]
    assert stage.task_ms == (3_000, 3_000, 1_000, 1_000, 1_000)
    assert stage.first_ms == {0: 2_000, 1: 2_000}
    assert stage.work_ms == (1_000,) * 5


def test_without_later_tasks_there_is_no_first_task_cost(tmp_path):
    begin, end = job(0, 2_000, 9_000, {0: []})
    log = write(tmp_path / "log", executor("1", 2_500), begin, task(0, 0, 3_000, 4_000), end)
    read = read_event_log(log)
    assert first_task_cost_ms(read) is None
    assert profile_of(read, source="test").stages[0].task_ms == (1_000,)


def test_a_wait_for_a_free_slot_is_no_driver_time(tmp_path):
    begin, end = job(0, 2_000, 9_000, {0: [], 1: [], 2: [1]})
    found = profile(
        tmp_path / "log",
        executor("1", 1_500),
        begin,
        *(submitted(0, 2_010), submitted(1, 2_010), submitted(2, 2_600)),
        task(1, 0, 2_100, 2_590),
        task(0, 0, 2_100, 5_000),
        task(0, 1, 2_590, 5_000),
        task(2, 0, 5_000, 6_000),
        end,
    )
    assert {stage.id: stage.gap_ms for stage in found.stages}[2] == 10


def test_a_stage_that_others_held_back_had_no_longer_gap_than_they(tmp_path):
    """Both were submitted before there was an executor, as adaptive execution does."""
    begin, end = job(0, 2_000, 9_000, {0: [], 1: [], 2: [0, 1]})
    waves = [task(0, at, 3_000 + 1_000 * (at // 2), 4_000 + 1_000 * (at // 2)) for at in range(8)]
    found = profile(
        tmp_path / "log",
        begin,
        *(submitted(0, 2_010), submitted(1, 2_010)),
        executor("1", 2_500),
        *waves,
        task(1, 0, 7_000, 8_000),
        task(2, 0, 8_020, 8_900),
        end,
    )
    assert [stage.gap_ms for stage in found.stages] == [2_000, 2_000, 20]


def test_only_the_first_success_of_a_task_counts(tmp_path):
    begin, end = job(0, 2_000, 9_000, {0: []})
    found = profile(
        tmp_path / "log",
        executor("1", 1_500),
        begin,
        task(0, 0, 2_000, 2_100, reason="ExceptionFailure"),
        task(0, 0, 3_000, 4_000),
        task(0, 1, 3_000, 4_500),
        task(0, 1, 3_500, 4_510, reason="TaskKilled", Speculative=True),
        # A later attempt of the stage counts anew, but names the partition.
        task(0, 0, 5_000, 5_300, **{"Partition ID": 1}),
        end,
    )
    assert found.stages[0].task_ms == (1_000, 1_500)


def test_without_executor_events_the_tasks_show_the_slots(tmp_path):
    begin, end = job(0, 2_000, 9_000, {0: []})
    tasks = [task(0, index, 3_000, 4_000, name="driver") for index in range(3)]
    assert profile(tmp_path / "log", begin, *tasks, end).cores_per_worker == 3


def test_a_task_may_need_several_cores(tmp_path):
    begin, end = job(0, 2_000, 9_000, {0: []})
    events = [executor("1", 1_500, 8), begin, task(0, 0, 3_000, 4_000), end]
    found = profile(tmp_path / "log", *events, properties={"spark.task.cpus": "4"})
    assert found.cores_per_worker == 2
    later = event("EnvironmentUpdate", **{"Spark Properties": {"spark.task.cpus": "4"}})
    assert profile(tmp_path / "log", *events, later).cores_per_worker == 2


def test_an_application_without_stages_has_no_profile(tmp_path):
    read = read_event_log(write(tmp_path / "log", executor("1", 1_500)))
    with pytest.raises(InvalidInputError, match="ran no stage"):
        profile_of(read, source="test")


@pytest.mark.parametrize("value", ["big", "", "nan", "inf", "1" * 400])
def test_an_input_that_is_no_number_is_one_clear_error(value, tmp_path):
    with pytest.raises(InvalidInputError, match=r"spark\.kitwai\.inputs\.size"):
        profile(tmp_path / "log", *two_jobs(), properties={"spark.kitwai.inputs.size": value})


@pytest.mark.skipif(not EVENT_LOGS.is_dir(), reason="the event logs of others are not there")
@pytest.mark.parametrize(
    ("name", "stages", "tasks", "cores"),
    [
        ("rapids-tools/nds_q72_dataproc_2_2.gz", 49, 13_504, 16),
        ("rapids-tools/eventlog_4nodes_8cores_dynamic_alloc.gz", 20, 235, 4),
        ("spark/application_1516285256255_0012", 2, 20, 1),
        ("spark/local-1422981759269", 5, 33, 8),
        ("sparklint/event_log_0", 3, 204, 2),
    ],
)
def test_reads_logs_of_real_applications(name, stages, tasks, cores):
    read = read_event_log(EVENT_LOGS / name)
    found = profile_of(read, source="test")
    assert len(found.stages) == stages
    assert sum(len(stage.task_ms) for stage in found.stages) == tasks
    assert found.cores_per_worker == cores
    # On as many slots as it likes it would end no later than it did, in the order it ran in.
    ends = {}
    before = 0.0
    for stages_of_job in found.jobs:
        for stage in stages_of_job:
            began = max((ends[one] for one in stage.parents), default=before) + stage.gap_ms
            ends[stage.id] = began + max(stage.task_ms)
        before = max(ends[stage.id] for stage in stages_of_job)
    assert 0.5 * read.finish_s < before / 1000.0 < 1.01 * read.finish_s
