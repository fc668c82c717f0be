from __future__ import annotations

import io

from rich.console import Console

from kitwai_lab.bench.real.drawing import draw_ratios
from kitwai_lab.bench.real.reporting import (
    failures,
    forecasts_table,
    sentences_of,
    summary_of,
    table_of,
)

ERRORS = {"10": None, "25": -0.2, "50": 0.1, "75": 0.05}


def run(ratio: float | None, *, hit: bool = True, **changed):
    return {
        "finish_s": 80.0,
        "hit": hit,
        "worker_seconds": 240.4,
        "ratio": ratio,
        "operations": 2,
        "failed_tasks": 7,
        "failed_steps": 0,
        "forecast_error": ERRORS,
    } | changed


def row(name: str, best: int | None, unknown, known, simulated: float | None = 1.1):
    figures = {"ratio": simulated, "hit": True}
    return {
        "application": name,
        "limit_s": 100.0,
        "best_constant": best,
        "constants": {} if best is None else {str(best): run(1.0)},
        "unknown": unknown,
        "known": known,
        "simulated": None if simulated is None else {"unknown": figures, "known": figures},
    }


ROWS = [
    row("skew", 2, run(1.25), run(0.9)),
    row("cached", 3, run(1.5, hit=False), {"error": "It broke."}),
    row("three-jobs", None, run(None), None, simulated=None),
]


def shown(table) -> str:
    text = io.StringIO()
    Console(width=130, file=text).print(table)
    return text.getvalue()


def test_summary_counts_applications_that_a_constant_count_can_meet():
    unknown = summary_of(ROWS, "unknown")
    assert (unknown["feasible"], unknown["met"], unknown["mean_ratio"]) == (2, 1, 1.25)
    assert unknown["simulated_ratio"] == 1.1
    assert unknown["forecast_error"] == {"10": None, "25": 0.2, "50": 0.1, "75": 0.05}
    known = summary_of(ROWS, "known")
    assert (known["feasible"], known["met"], known["mean_ratio"]) == (1, 1, 0.9)


def test_summary_is_told_in_sentences():
    summary = {regime: summary_of(ROWS, regime) for regime in ("unknown", "known")}
    first, second, *errors = sentences_of({"summary": summary})
    assert "Family unknown: 1 limits met of 2" in first
    assert "mean ratio 0.90, simulated 1.10" in second
    assert errors[0].endswith("of runs, unknown: -, 20%, 10%, 5%.")


def test_table_has_the_best_constant_and_both_runs_of_each_application():
    text = shown(table_of({"rows": ROWS}))
    lines = [line.strip("│ ").split("│") for line in text.splitlines() if "│" in line]
    cells = [[cell.strip() for cell in line] for line in lines]
    assert [line[0] for line in cells] == [
        *("skew (100 s)", "2 workers", "unknown", "known"),
        *("cached (100 s)", "3 workers", "unknown", "known"),
        *("three-jobs (100 s)", "no constant count met it", "unknown", "known"),
    ]
    assert cells[2][1:] == ["80", "240", "1.25 (1.10)", "2", "7", "-  -20%  +10%  +5%"]
    assert cells[6][1] == "late 80"
    assert cells[7][1] == "failed"
    assert cells[10][3] == "-"
    assert cells[11][1] == "not run"


def test_failures_name_the_run_and_the_reason():
    assert failures({"rows": ROWS}) == ["cached, known: It broke."]


def test_table_of_forecasts_shows_them_before_and_now():
    rows = [{"application": "skew", "run": "known", "recorded": ERRORS, "now": ERRORS}]
    assert shown(forecasts_table(rows)).count("-20%  +10%  +5%") == 2


def test_picture_shows_what_there_is(tmp_path):
    draw_ratios(tmp_path / "ratios.png", ROWS)
    assert (tmp_path / "ratios.png").read_bytes().startswith(b"\x89PNG")
