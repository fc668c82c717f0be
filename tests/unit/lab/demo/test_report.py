from __future__ import annotations

import json

import pytest

from demo_run import START, run
from kitwai_lab.demo.measure import Application
from kitwai_lab.demo.report import draw_timeline, summarise, write_summary


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


def test_peak_of_workers_is_unknown_without_samples():
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
