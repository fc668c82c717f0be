from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console

from demo_run import START, run
from kitwai_lab.demo.measure import Application
from kitwai_lab.demo.report import Report, draw_timeline

SECOND = run(name="second run", lifetimes=((START - 30.0, None), (START + 20.0, START + 25.0)))
LATE = run(name="always-1", application=Application(START, START + 300.0, failed_tasks=1))


def test_summary_holds_the_figures_of_the_first_run():
    assert Report([run()]).summary() == {
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


def test_summary_holds_the_second_run_and_constant_counts():
    summary = Report([run(), SECOND], [LATE]).summary()
    assert summary["worker_seconds"] == 140.0
    assert summary["second_run"]["worker_seconds"] == 105.0
    assert summary["second_run"]["scale_outs"] == 1
    assert summary["compare"] == {
        "always-1": {
            "finish_s": 300.0,
            "hit": False,
            "worker_seconds": pytest.approx(340.0),
            "failed_tasks": 1,
        }
    }


def test_table_sets_all_runs_beside_the_first():
    console = Console(width=120, record=True, file=StringIO())
    console.print(Report([run(name="first run"), SECOND], [LATE]).table())
    lines = [line.split("│") for line in console.export_text().splitlines() if "│" in line]
    cells = [[cell.strip() for cell in line[1:-1]] for line in lines]
    assert cells == [
        ["first run", "100", "met", "140", ""],
        ["second run", "100", "met", "105", "-25%"],
        ["always-1", "300", "missed", "340", "+143%"],
    ]


def test_peak_of_workers_is_unknown_without_samples():
    assert Report([run(samples=())]).summary()["peak_workers"] is None


def test_the_newest_run_is_the_one_that_ended_last():
    report = Report([run()])
    report.scaled.append(SECOND)
    assert report.newest is SECOND
    report.constant.append(LATE)
    assert report.newest is LATE


def test_summary_and_picture_are_written_whole(tmp_path):
    summary, picture = tmp_path / "summary.json", tmp_path / "timeline.png"
    Report([run(), SECOND], [LATE]).write(summary, picture)
    assert json.loads(summary.read_text())["finish_s"] == 100.0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert {file.name for file in tmp_path.iterdir()} == {"summary.json", "timeline.png"}


@pytest.mark.parametrize(
    "drawn",
    [
        [run()],
        [run(), SECOND],
        [run(samples=(), targets=(), lifetimes=())],
        [run(), run(application=Application(START, START + 400.0, failed_tasks=3))],
    ],
    ids=["whole", "both", "nothing known", "late"],
)
def test_picture_is_written(tmp_path, drawn):
    path = tmp_path / "timeline.png"
    draw_timeline(path, drawn, [run(name="always-6")])
    assert path.read_bytes().startswith(b"\x89PNG")
