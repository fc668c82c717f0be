"""`kitwai_lab.event_log`: what an event log tells of failures."""

from __future__ import annotations

import json

from kitwai_lab.event_log import Losses, read_events, read_losses


def submitted(stage, attempt=0):
    info = {"Stage ID": stage, "Stage Attempt ID": attempt}
    return {"Event": "SparkListenerStageSubmitted", "Stage Info": info}


def task_end(index, reason="Success", *, stage=0, **more):
    return {
        "Event": "SparkListenerTaskEnd",
        "Stage ID": stage,
        "Task End Reason": {"Reason": reason},
        "Task Info": {"Index": index, **more},
    }


def lines(*events):
    return [json.dumps(event) for event in events]


def test_application_that_lost_nothing_has_only_tasks():
    log = lines(submitted(0), task_end(0), task_end(1), submitted(1), task_end(0, stage=1))
    assert read_losses(log) == Losses(
        tasks=3, failed_tasks=0, fetch_failures=0, retried_stages=0, recomputed_tasks=0
    )


def test_tasks_that_spark_takes_back_are_no_failures():
    reasons = ("TaskKilled", "TaskCommitDenied", "ExceptionFailure", "FetchFailed", "Resubmitted")
    losses = read_losses(lines(*(task_end(0, reason) for reason in reasons)))
    assert (losses.failed_tasks, losses.fetch_failures) == (3, 1)


def test_second_attempt_of_a_stage_counts_its_repeated_tasks():
    first = [submitted(0), task_end(0, **{"Partition ID": 5}), task_end(1, **{"Partition ID": 6})]
    # The second attempt numbers its tasks anew; the partition stays.
    again = [submitted(0, attempt=1), task_end(0, **{"Partition ID": 6})]
    losses = read_losses(lines(*first, *again))
    assert (losses.tasks, losses.retried_stages, losses.recomputed_tasks) == (2, 1, 1)


def test_line_that_is_cut_off_is_left_out():
    log = [*lines(submitted(0), task_end(3)), '{"Event":"SparkListenerTaskEnd","Sta']
    assert [event["Task Info"]["Index"] for event in read_events(log, "TaskEnd")] == [3]
    assert len(list(read_events(log))) == 2
