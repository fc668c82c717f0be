from __future__ import annotations

import pytest

from demo_run import START, run
from event_writer import task, write
from kitwai.core.records.observation import Application as SeenApplication
from kitwai.core.records.observation import Observation, PoolWorker, Stage, Worker, WorkerState
from kitwai.errors import InvalidInputError
from kitwai_lab.demo.measure import Application, Recorder, Sample, read_event_log


@pytest.mark.parametrize(
    ("lifetimes", "expected"),
    [
        ((), 0.0),
        (((START - 30.0, None),), 100.0),  # launched before, still there at the end
        (((START + 20.0, START + 60.0),), 40.0),
        (((START + 90.0, START + 200.0),), 10.0),  # removed after the end
        (((START + 150.0, START + 200.0),), 0.0),  # launched after the end
        (((START - 30.0, None), (START + 20.0, START + 60.0)), 140.0),
    ],
)
def test_worker_seconds_count_within_the_run(lifetimes, expected):
    assert run(lifetimes=lifetimes).worker_seconds == pytest.approx(expected)


def test_recorder_follows_workers_and_tasks():
    recorder = Recorder()
    worker = PoolWorker("w1", "127.0.0.2", alive=True, started_at=START)
    stage = Stage(0, "ACTIVE", 8, 1, 3, 0, 300.0, 0, 0, 0)
    application = SeenApplication("app-1", "demo", 2, 10.0, stages=(stage,))
    seen = Worker("worker-1", "127.0.0.2", WorkerState.ALIVE, 2, 2, 512, 512)
    sample = recorder.add(
        Observation("c", START + 5, (seen,), (worker,), applications=(application,))
    )
    assert sample == Sample(START + 5, workers=1, present=1, tasks_done=3, tasks_total=8)
    gone = PoolWorker("w1", "127.0.0.2", alive=False, started_at=START)
    recorder.add(Observation("c", START + 9, (), (gone,)))
    recorder.add(Observation("c", START + 10, (), (gone,)))
    recorder.add(Observation("c", START + 11))
    assert recorder.lifetimes == ((START, START + 9),)
    assert recorder.samples[-1] == Sample(START + 11)


def test_event_log_gives_start_end_and_failures(tmp_path):
    reasons = ("Success", "TaskKilled", "TaskCommitDenied", "FetchFailed", "ExceptionFailure")
    events = [task(0, index, 6_000, 7_000, reason=reason) for index, reason in enumerate(reasons)]
    (tmp_path / ".app-1.crc").write_bytes(b"crc")
    write(tmp_path / "app-1", *events, end=65_500)
    assert read_event_log(tmp_path) == Application(1.0, 65.5, failed_tasks=2)


def test_event_log_of_a_running_application_is_refused(tmp_path):
    write(tmp_path / "app-1", task(0, 0, 6_000, 7_000), end=None)
    with pytest.raises(InvalidInputError, match="end of an application"):
        read_event_log(tmp_path)


def test_folder_without_an_event_log_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="holds no event log"):
        read_event_log(tmp_path)
