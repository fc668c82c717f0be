from __future__ import annotations

import logging
import os
import time

import pytest

from kitwai.errors import KitwaiError, SourceError
from kitwai_lab.bench.real import running
from kitwai_lab.bench.real.running import Steps, airflow_home


class Running:
    """An application that ends after so many questions whether it has."""

    def __init__(self, polls: int):
        self.polls = polls

    def poll(self) -> int | None:
        self.polls -= 1
        return None if self.polls >= 0 else 0


@pytest.fixture
def steps(monkeypatch):
    monkeypatch.setattr(running, "_POLL_S", 0.01)
    return Steps(None, None, None, step_s=0.05, log=logging.Logger("test"), acts=True)


@pytest.fixture
def parts(monkeypatch):
    """What the parts of steps were asked: the seconds that each may wait for workers."""
    waits: list[float] = []

    def carry_out(*_, wait_s, **__):
        waits.append(wait_s)
        return {}, []

    monkeypatch.setattr("kitwai.actions.step.observe_cluster", lambda *_: {"observation_id": 1})
    monkeypatch.setattr("kitwai.actions.step.decide_cluster", lambda *_: {"decision_id": 1})
    monkeypatch.setattr("kitwai.actions.step.carry_out", carry_out)
    return waits


def test_steps_are_taken_until_the_application_has_ended(steps, parts):
    steps.follow(Running(30), timeout_s=10.0)
    assert 3 <= len(parts) <= 12
    # A step may wait until the next one is due, and no longer.
    assert all(0.0 <= wait_s <= 0.05 for wait_s in parts)


def test_constant_run_is_looked_at_and_not_scaled(steps, parts):
    steps.acts = False
    steps.follow(Running(10), timeout_s=10.0)
    assert parts == []


def test_application_that_does_not_end_is_given_up(steps, parts):
    with pytest.raises(KitwaiError, match="did not end within 0 s"):
        steps.follow(Running(10_000), timeout_s=0.1)


def test_step_that_fails_is_noted_and_the_next_one_is_taken(steps, parts, monkeypatch):
    def fail(*_):
        raise SourceError("No answer.")

    monkeypatch.setattr("kitwai.actions.step.observe_cluster", fail)
    steps.follow(Running(30), timeout_s=10.0)
    assert len(steps.errors) >= 2
    assert set(steps.errors) == {"No answer."}


def test_step_that_takes_too_long_delays_the_next_one(steps, parts, monkeypatch):
    monkeypatch.setattr(
        "kitwai.actions.step.observe_cluster",
        lambda *_: time.sleep(0.12) or {"observation_id": 1},
    )
    began = time.monotonic()
    steps.follow(Running(4), timeout_s=10.0)
    assert len(parts) <= (time.monotonic() - began) / 0.12
    assert parts[0] == 0.0


def test_airflow_has_its_own_home_for_so_long(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_HOME", "/before")
    monkeypatch.delenv("AIRFLOW__LOGGING__LOGGING_LEVEL", raising=False)
    with airflow_home(tmp_path):
        assert os.environ["AIRFLOW_HOME"] == str(tmp_path / "airflow")
    assert os.environ["AIRFLOW_HOME"] == "/before"
    assert "AIRFLOW__LOGGING__LOGGING_LEVEL" not in os.environ
