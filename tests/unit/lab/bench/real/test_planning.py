from __future__ import annotations

from pathlib import Path

import pytest

from kitwai.errors import KitwaiError
from kitwai_lab.bench.real import planning
from kitwai_lab.bench.real.applications import JudgedApplication
from kitwai_lab.bench.real.planning import Campaign, constant_runs, make_history, outcome, run_all
from kitwai_lab.bench.real.record import RunRecord, write_record
from kitwai_lab.demo.measure import Application

APPLICATIONS = tuple(
    JudgedApplication(name, Path("job.py"), (), limit_s=60.0) for name in ("first", "second")
)
CAMPAIGN = Campaign(max_workers=2)


def ended(record: RunRecord, finish_s: float = 40.0) -> RunRecord:
    return record.ended(
        Application(100.0, 100.0 + finish_s, 0),
        ((90.0, None),),
        scale_outs=(),
        scale_ins=(),
        step_errors=(),
        measured_on={},
    )


@pytest.fixture
def ran(monkeypatch):
    """Runs end at once; the list holds (application, run, past runs) in their order."""
    made: list[tuple[str, str, Path | None]] = []

    def run_application(application, plan, folder, champion, history):
        made.append((application.name, plan.name, history))
        folder.mkdir(parents=True, exist_ok=True)
        record = RunRecord.planned(application, plan)
        record = record.failed("No.") if plan.name in failing else ended(record)
        write_record(folder, record)
        return record

    failing: set[str] = set()
    monkeypatch.setattr(planning, "run_application", run_application)
    monkeypatch.setattr(planning, "make_history", lambda folder: folder / "history.json")
    run_application.failing = failing
    run_application.made = made
    return run_application


def test_constant_runs_come_first_and_known_last():
    plans = Campaign(max_workers=3, step_s=15.0).plans
    assert [(plan.name, plan.constant) for plan in plans] == [
        ("constant-1", 1),
        ("constant-2", 2),
        ("constant-3", 3),
        ("unknown", None),
        ("known", None),
    ]
    assert {plan.step_s for plan in plans if plan.constant is None} == {15.0}


def test_constant_counts_above_n_are_left_out():
    plans = Campaign(max_workers=4, constants=(6, 2, 2, 4)).plans
    assert [plan.constant for plan in plans] == [2, 4, None, None]


def test_every_run_is_made_once_and_known_gets_the_past_runs(ran, tmp_path):
    said: list[str] = []
    run_all(APPLICATIONS, CAMPAIGN, tmp_path, said.append)
    names = ("constant-1", "constant-2", "unknown", "known")
    assert [run[:2] for run in ran.made] == [
        (application.name, name) for application in APPLICATIONS for name in names
    ]
    assert [history is not None for _, _, history in ran.made] == 2 * [False, False, False, True]
    assert said[0] == "8 runs, 0 of them done before."


def test_what_is_done_is_not_run_again_and_what_failed_is(ran, tmp_path):
    ran.failing.add("unknown")
    run_all(APPLICATIONS, CAMPAIGN, tmp_path)
    ran.made.clear()
    ran.failing.clear()
    run_all(APPLICATIONS, CAMPAIGN, tmp_path)
    assert [run[:2] for run in ran.made] == [("first", "unknown"), ("second", "unknown")]
    ran.made.clear()
    run_all(APPLICATIONS, Campaign(max_workers=2, step_s=5.0), tmp_path)
    assert {name for _, name, _ in ran.made} == {"unknown", "known"}


def test_application_without_past_runs_is_told_of_and_the_others_go_on(ran, tmp_path, monkeypatch):
    def refuse(folder):
        raise KitwaiError("No constant run succeeded.")

    monkeypatch.setattr(planning, "make_history", refuse)
    said: list[str] = []
    run_all(APPLICATIONS, CAMPAIGN, tmp_path, said.append)
    assert said.count("  not run: No constant run succeeded.") == 2
    assert [run[0] for run in ran.made] == 3 * ["first"] + 3 * ["second"]


def test_only_constant_runs_that_succeeded_are_past_runs(tmp_path):
    for plan in Campaign(max_workers=3).plans:
        record = RunRecord.planned(APPLICATIONS[0], plan)
        record = record.failed("No.") if plan.constant == 2 else ended(record)
        (tmp_path / plan.name).mkdir()
        write_record(tmp_path / plan.name, record)
    assert [record.constant for record in constant_runs(tmp_path)] == [1, 3]


def test_history_of_no_run_is_refused(tmp_path):
    with pytest.raises(KitwaiError, match="No constant run"):
        make_history(tmp_path)


def test_outcome_is_one_line():
    planned = RunRecord.planned(APPLICATIONS[0], CAMPAIGN.plans[0])
    assert outcome(planned.failed("It broke.")) == "failed: It broke."
    expected = "40 s, limit of 60 s met, 40 worker-seconds, 0 failed tasks"
    assert outcome(ended(planned)) == expected
    assert "missed" in outcome(ended(planned, 61.0))
