from __future__ import annotations

import json

import pytest

from kitwai.core.records.observation import Application as SeenApplication
from kitwai.core.records.observation import Observation, PoolWorker, Stage, Worker, WorkerState
from kitwai_lab.demo.measure import Application, Recorder, Run, Sample, Target, read_event_log
from kitwai_lab.demo.report import draw_timeline, summarise, write_summary

START = 1_000.0


def run(**changed) -> Run:
    fields = {
        "name": "Kitwai",
        "limit_s": 180.0,
        "max_workers": 6,
        "application": Application(START, START + 100.0, failed_tasks=0),
        "lifetimes": ((START - 30.0, None), (START + 20.0, START + 60.0)),
        "samples": (
            Sample(START - 5.0, workers=1, present=1),
            Sample(START + 30.0, workers=2, present=2, tasks_done=10, tasks_total=40),
            Sample(START + 110.0, workers=1, present=1),
        ),
        "targets": (Target(START - 2.0, 1), Target(START + 19.0, 2), Target(START + 55.0, 1)),
        "scale_outs": (START + 20.0,),
        "scale_ins": (START + 56.0, START + 130.0),
        "checkpoints": ("v1",),
    }
    return Run(**(fields | changed))


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


def test_summary_holds_the_figures_of_the_run():
    assert summarise(run()) == {
        "limit_s": 180.0,
        "finish_s": 100.0,
        "hit": True,
        "worker_seconds": 140.0,
        "failed_tasks": 0,
        "max_workers": 6,
        "peak_workers": 2,
        "scale_outs": 1,
        "scale_ins": 2,
        "scale_outs_during_application": 1,
        "scale_ins_during_application": 1,
        "checkpoints": ["v1"],
    }


def test_summary_compares_with_other_runs():
    late = run(name="always-1", application=Application(START, START + 300.0, failed_tasks=1))
    assert summarise(run(), [late])["compare"] == {
        "always-1": {
            "finish_s": 300.0,
            "hit": False,
            "worker_seconds": pytest.approx(340.0),
            "failed_tasks": 1,
        }
    }


def test_peak_is_unknown_without_samples():
    assert summarise(run(samples=()))["peak_workers"] is None


def test_summary_is_written_whole(tmp_path):
    path = tmp_path / "summary.json"
    write_summary(path, summarise(run()))
    assert json.loads(path.read_text())["finish_s"] == 100.0
    assert [file.name for file in tmp_path.iterdir()] == ["summary.json"]


@pytest.mark.parametrize(
    "drawn",
    [
        run(),
        run(samples=(), targets=(), lifetimes=()),
        run(application=Application(START, START + 400.0, failed_tasks=3)),
    ],
    ids=["whole", "nothing known", "late"],
)
def test_picture_is_written(tmp_path, drawn):
    path = tmp_path / "timeline.png"
    draw_timeline(path, drawn, [run(name="always-6")])
    assert path.read_bytes().startswith(b"\x89PNG")


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


def task_end(reason: str) -> dict:
    return {"Event": "SparkListenerTaskEnd", "Task End Reason": {"Reason": reason}}


def test_event_log_tells_start_end_and_failures(tmp_path):
    events = [
        {"Event": "SparkListenerLogStart"},
        {"Event": "SparkListenerApplicationStart", "Timestamp": 5_000},
        *map(task_end, ["Success", "TaskKilled", "TaskCommitDenied", "FetchFailed"]),
        task_end("ExceptionFailure"),
        {"Event": "SparkListenerApplicationEnd", "Timestamp": 65_500},
    ]
    log = tmp_path / "app-1"
    log.write_text("\n".join(map(json.dumps, events)))
    assert read_event_log(tmp_path) == Application(5.0, 65.5, failed_tasks=2)
    log.write_text("\n".join(map(json.dumps, events[:-1])))
    assert read_event_log(tmp_path) is None
