from __future__ import annotations

import numpy as np
import pytest
from builders import application, stage
from hypothesis import given
from hypothesis import strategies as st

from kitwai.core.estimate import finish_times, remaining_work


def finish(tasks, task_s, workers, targets, *, elapsed=0.0, cores=2.0, delay=0.0):
    return finish_times(
        np.array([elapsed]),
        np.array([tasks], float),
        np.array([task_s], float),
        np.array([float(workers)]),
        np.array(targets, float),
        np.array([cores]),
        delay,
    )[0]


@pytest.mark.parametrize(
    ("stages", "tasks_left", "task_s"),
    [
        ((stage(tasks=10, complete=4, task_s=2.0),), (6.0,), (2.0,)),
        ((stage(tasks=10, complete=4, active=2, task_s=2.0),), (5.0,), (2.0,)),
        # A stage that has not begun is expected to have tasks like those already seen.
        (
            (stage(0, tasks=4, complete=2, task_s=3.0), stage(1, tasks=8, status="PENDING")),
            (2.0, 8.0),
            (3.0, 3.0),
        ),
    ],
)
def test_remaining_work_is_what_spark_shows(stages, tasks_left, task_s):
    remaining = remaining_work(application(*stages))
    assert (remaining.tasks_left, remaining.task_s) == (tasks_left, task_s)


@pytest.mark.parametrize(
    "stages",
    [(stage(tasks=10, active=2),), (), (stage(tasks=4, complete=4, status="COMPLETE"),)],
)
def test_no_finished_task_or_nothing_submitted_means_nothing_known(stages):
    assert remaining_work(application(*stages)) is None


def test_unreadable_driver_means_nothing_known():
    assert remaining_work(application(error="timed out")) is None


def test_work_divides_by_the_slots():
    assert finish([40], [5.0], 1, [1, 2, 5], elapsed=10.0) == pytest.approx([110, 60, 30])


def test_no_stage_ends_before_one_of_its_tasks():
    assert finish([4], [20.0], 1, [2, 10]) == pytest.approx([20, 20])


def test_new_workers_help_only_after_the_start_delay():
    # 100 s at one worker; after 15 s 85 % of the work is left, which two workers halve.
    assert finish([20], [10.0], 1, [1, 2], delay=15.0) == pytest.approx([100, 15 + 42.5])


def test_without_a_worker_everything_waits_for_the_first():
    assert finish([20], [10.0], 0, [1], delay=15.0) == pytest.approx([115])


def test_no_work_left_ends_now_at_any_count():
    assert finish([0], [0.0], 3, [1, 3, 10], elapsed=42.0, delay=15.0) == pytest.approx([42] * 3)


@given(
    tasks=st.lists(st.floats(0, 1e4), min_size=1, max_size=4),
    seconds=st.floats(0, 1e3),
    workers=st.integers(0, 10),
    delay=st.floats(0, 60),
)
def test_more_workers_are_never_predicted_slower_among_those_to_be_started(
    tasks, seconds, workers, delay
):
    times = finish(tasks, [seconds] * len(tasks), workers, range(1, 11), delay=delay)
    assert np.isfinite(times).all()
    grown = times[workers:]
    assert (np.diff(grown) <= 1e-6 * np.maximum(1.0, grown[:-1])).all()
