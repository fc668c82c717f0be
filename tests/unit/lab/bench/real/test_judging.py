from __future__ import annotations

from dataclasses import replace

import pytest

from demo_run import run
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.decision import ApplicationDecision, Decision
from kitwai.core.records.settings import Mode
from kitwai.store.store import Store
from kitwai_lab.bench.real.judging import best_constant, forecast_errors, forecasts_of, row_of
from kitwai_lab.bench.real.record import CLUSTER, RunRecord, write_record
from kitwai_lab.demo.measure import Application
from stored_steps import SEEN, settings

START = 1_000.0


def decision(elapsed_s: float, finish_s: tuple[float, ...] | None, target: int = 2) -> Decision:
    constraint = Constraint(3, 60.0)
    application = ApplicationDecision(
        "app-1", "real-skew", constraint, "application", elapsed_s, target, "",
        predicted_finish_s=finish_s,
    )  # fmt: skip
    return Decision(
        CLUSTER, START + elapsed_s, Mode.AUTO, constraint, 1, target, "", "forecast", None,
        applications=(application,),
    )  # fmt: skip


def constant(finish_s: float, workers: int, limit_s: float = 100.0):
    application = Application(START, START + finish_s, 0)
    return run(application=application, limit_s=limit_s, lifetimes=((START, None),) * workers)


def test_best_constant_is_the_cheapest_that_meets_the_limit():
    # One worker is the cheapest and too late; three cost more than two.
    runs = {1: constant(150.0, 1), 2: constant(80.0, 2), 3: constant(60.0, 3)}
    assert best_constant(runs) == 2
    # A count below which memory is short costs more than a larger one.
    assert best_constant(runs | {2: constant(99.0, 2)}) == 3
    assert best_constant({1: constant(150.0, 1)}) is None
    assert best_constant({}) is None


def test_forecast_is_that_of_the_count_decided_on():
    decisions = [decision(10.0, None), decision(20.0, (90.0, 50.0, 40.0))]
    assert forecasts_of(decisions) == [(20.0, 50.0)]
    assert forecasts_of(decisions, constant=3) == [(20.0, 40.0)]
    # More workers than the forecast knows.
    assert forecasts_of(decisions, constant=4) == []
    assert forecasts_of([replace(decisions[1], applications=())]) == []


@pytest.mark.parametrize(
    ("forecasts", "expected"),
    [
        ([], [None, None, None, None]),
        ([(5.0, 80.0)], [-0.2, -0.2, -0.2, -0.2]),
        ([(11.0, 150.0), (40.0, 110.0), (51.0, 100.0)], [None, 0.5, 0.1, 0.0]),
        ([(76.0, 100.0)], [None, None, None, None]),
    ],
)
def test_error_at_a_share_is_that_of_the_newest_forecast_then(forecasts, expected):
    errors = forecast_errors(forecasts, 100.0)
    assert errors == dict(zip(("10", "25", "50", "75"), expected, strict=True))


def add_run(folder, name: str, constant: int | None, finish_s: float, workers: int) -> None:
    planned = RunRecord("skew", name, ("shapes.py",), 60.0, 3, 15.0, constant)
    record = planned.ended(
        Application(START, START + finish_s, failed_tasks=1),
        ((START, None),) * workers,
        scale_outs=(START + 1.0, START - 5.0),
        scale_ins=(START + 2.0, START + finish_s + 1.0),
        step_errors=("No answer.",),
        measured_on={"load_average": [0.5, 0.4, 0.3]},
    )
    (folder / name).mkdir(parents=True)
    write_record(folder / name, record)
    store = Store(f"sqlite:///{folder / name / 'kitwai.db'}")
    seen = store.add_observation(replace(SEEN, cluster=CLUSTER))
    store.add_decision(decision(5.0, (90.0, 55.0, 40.0)), seen, settings())
    store.engine.dispose()


def test_row_holds_every_run_and_its_ratio_to_the_best_constant(tmp_path):
    folder = tmp_path / "skew"
    add_run(folder, "constant-1", 1, 90.0, 1)
    add_run(folder, "constant-2", 2, 50.0, 2)
    add_run(folder, "unknown", None, 40.0, 3)
    failed = RunRecord("skew", "known", ("shapes.py",), 60.0, 3, 15.0).failed("It broke.")
    (folder / "known").mkdir()
    write_record(folder / "known", failed)
    row = row_of(folder)
    assert (row["application"], row["limit_s"], row["max_workers"]) == ("skew", 60.0, 3)
    assert row["best_constant"] == 2
    assert {count: run["ratio"] for count, run in row["constants"].items()} == {"1": 0.9, "2": 1.0}
    assert row["constants"]["1"]["forecast_error"]["10"] == 0.0
    assert row["unknown"] == {
        "finish_s": 40.0,
        "hit": True,
        "worker_seconds": 120.0,
        "ratio": 1.2,
        "operations": 2,
        "failed_tasks": 1,
        "failed_steps": 1,
        "forecast_error": {"10": None, "25": 0.375, "50": 0.375, "75": 0.375},
        "load": 0.5,
    }
    assert row["known"] == {"error": "It broke."}


def test_row_of_an_application_that_never_ran_is_empty(tmp_path):
    row = row_of(tmp_path / "skew")
    assert (row["best_constant"], row["constants"]) == (None, {})
    assert (row["unknown"], row["known"]) == (None, None)


def test_without_a_constant_run_in_time_there_is_no_ratio(tmp_path):
    folder = tmp_path / "skew"
    add_run(folder, "constant-1", 1, 90.0, 1)
    add_run(folder, "unknown", None, 40.0, 3)
    row = row_of(folder)
    assert row["best_constant"] is None
    assert row["unknown"]["ratio"] is None
