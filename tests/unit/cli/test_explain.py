"""`kitwai explain`: a stored decision made again on the command line."""

from __future__ import annotations

import pytest

from kitwai.cli.main import main
from kitwai.store.store import Store
from stored_steps import step


@pytest.fixture
def store(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'kitwai.db'}"
    monkeypatch.setenv("AIRFLOW__KITWAI__STORE", url)
    return Store(url)


def test_a_decision_of_the_forecast_is_made_again(store, tmp_path, capsys):
    _, decision_id = step(store, 1000.0)
    assert main(["explain", str(decision_id), "--models", str(tmp_path)]) == 0
    assert store.decision(decision_id).decision.reason in capsys.readouterr().out


def test_an_unknown_decision_is_one_line(store, capsys):
    assert main(["explain", "77"]) == 1
    assert "no row 77" in capsys.readouterr().err
