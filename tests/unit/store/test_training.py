"""Event logs and verdicts in the store."""

from __future__ import annotations

import pytest

from kitwai.store.store import Store
from kitwai.store.training import Run
from recorded_day import profile


@pytest.fixture
def training(tmp_path):
    return Store(f"sqlite:///{tmp_path / 'kitwai.db'}").training


def run(app: str, ended_at: float, family: str = "sort") -> Run:
    return Run(profile(family, 1.0, app), ended_at - 50.0, ended_at)


def test_run_told_by_two_event_logs_counts_once(training):
    for source in ("plain", "gzip"):
        training.add_run(source, "1", run("app-1", 1000.0))
    training.add_run("other", "1", run("app-2", 900.0))
    runs = training.runs(0.0, 2000.0)
    assert [(one.profile.app, one.ended_at) for one in runs] == [
        ("app-2", 900.0),
        ("app-1", 1000.0),
    ]
    assert [one.profile.app for one in training.runs(0.0, 2000.0, 1)] == ["app-1"]
    assert training.runs(0.0, 900.0) == []
    assert training.ends(1000.0) == {"app-2": 900.0}


def test_event_log_read_again_replaces_what_it_told(training):
    training.set_aside("log", "1", "It has no end.")
    assert training.reasons() == {"log": "It has no end."}
    training.add_run("log", "2", run("app-1", 1000.0))
    assert training.reasons() == {}
    assert training.fingerprints() == {"log": "2"}


def test_verdicts_of_one_run_of_the_dag(training):
    training.add_verdict("v2", "v1", "refused", "It is slower.", run_id="kitwai_train/a")
    training.add_verdict("v3", "v1", "promoted", "It is faster.", run_id="kitwai_train/b")
    assert [row.version for row in training.verdicts()] == ["v2", "v3"]
    (verdict,) = training.verdicts("kitwai_train/b")
    assert (verdict.version, verdict.champion, verdict.reason) == ("v3", "v1", "It is faster.")
