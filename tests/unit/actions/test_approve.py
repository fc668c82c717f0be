"""Mode approve without Airflow: when a person is asked, what an answer comes to, what is shown."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest

import kitwai.actions.approve
from builders import observation, settings
from kitwai.actions.approve import close_outdated
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.decision import Decision
from kitwai.core.records.overrides import Control
from kitwai.core.records.settings import Mode, Pin
from kitwai.errors import LeaseError, StoreError
from kitwai.store.approvals import Answer, ApprovalStore
from kitwai.store.lease import StoreLease
from kitwai.store.store import Store

SETTINGS = settings(mode=Mode.APPROVE)

ask = partial(kitwai.actions.approve.ask, is_run=lambda run_id: True)


def decision(present, target, at=1000.0, **changes) -> Decision:
    made = Decision(
        "test", at, Mode.APPROVE, Constraint(10, 300.0), present, target, "Why.", "forecast", None
    )
    return replace(made, **changes)


@pytest.fixture
def store(tmp_path):
    return Store(f"sqlite:///{tmp_path / 'kitwai.db'}")


def add(store, made, of=SETTINGS):
    seen = store.add_observation(observation(made.present or 0, at=made.at))
    return store.decision(store.add_decision(made, seen, of))


def test_one_question_a_cluster_and_the_first_answer_counts(store):
    stored = add(store, decision(2, 4))
    asked, _ = ask(store, stored, 1000.0, 300.0)
    assert (asked.answer, asked.expires_at) == (None, 1300.0)
    assert asked.run_id.startswith("test__")
    assert ask(store, stored, 1001.0, 300.0)[0] is None
    approvals = ApprovalStore(store.engine)
    assert approvals.close(asked.id, Answer.APPROVED, 1010.0, by="ada")
    assert not approvals.close(asked.id, Answer.REJECTED, 1011.0, by="bob")
    found = approvals.get(asked.id)
    assert (found.answer, found.answered_at, found.answered_by) == ("approved", 1010.0, "ada")
    assert approvals.supersede(asked.id)
    assert approvals.get(asked.id).answered_by == "ada"
    assert not approvals.supersede(asked.id)
    with pytest.raises(StoreError, match="no approval 77"):
        approvals.get(77)


def test_a_question_that_was_never_put_is_put_again(store):
    stored = add(store, decision(2, 4))
    asked, _ = ask(store, stored, 1000.0, 300.0)

    def again(at, *runs):
        found, _ = ask(store, stored, at, 300.0, is_run=lambda run_id: run_id in runs)
        return found

    assert again(1010.0) is None  # the step may be about to end, and Airflow to trigger the run
    assert again(1040.0, asked.run_id) is None
    assert again(1040.0) == asked


def test_two_processes_open_one_question(store, tmp_path):
    stored = add(store, decision(2, 4))
    code = (
        "import sys; from kitwai.store.approvals import ApprovalStore\n"
        "from kitwai.errors import LeaseError\n"
        "from kitwai.store.store import Store\n"
        "store = Store(sys.argv[1])\n"
        "for _ in range(20):\n"
        "    try:\n"
        "        ApprovalStore(store.engine).ask('test', int(sys.argv[2]), now=1.0, timeout_s=9.0,"
        " run_id='r')\n"
        "    except LeaseError:\n"
        "        pass\n"
    )
    command = [sys.executable, "-c", code, str(store.engine.url), str(stored.id)]
    both = [subprocess.Popen(command, env=os.environ) for _ in range(2)]
    assert [one.wait(timeout=60) for one in both] == [0, 0]
    with store.engine.connect() as connection:
        (count,) = connection.exec_driver_sql("select count(*) from kitwai_approval").one()
    assert count == 1


def test_while_an_operation_is_under_way_nobody_is_asked(store):
    stored = add(store, decision(2, 4))
    with StoreLease(store.engine, "test"), pytest.raises(LeaseError):
        ask(store, stored, 1000.0, 300.0)


@pytest.mark.parametrize("answer", [Answer.REJECTED, Answer.TIMED_OUT])
def test_what_was_refused_is_not_asked_again_at_once(store, answer):
    stored = add(store, decision(2, 4))
    asked, _ = ask(store, stored, 1000.0, 300.0)
    ApprovalStore(store.engine).close(asked.id, answer, 1100.0)
    none, why = ask(store, stored, 1200.0, 300.0)
    assert none is None
    assert answer.value in why
    other, _ = ask(store, add(store, decision(2, 5)), 1200.0, 300.0)
    assert other is not None
    ApprovalStore(store.engine).close(other.id, Answer.SUPERSEDED, 1201.0)
    again, _ = ask(store, stored, 1401.0, 300.0)
    assert again is not None


@pytest.mark.parametrize(
    ("newest", "of", "controls", "now", "answer"),
    [
        (decision(2, 4), SETTINGS, [], 1100.0, None),
        (decision(2, 9), SETTINGS, [], 1100.0, None),
        (decision(2, 2), SETTINGS, [], 1100.0, "superseded"),
        (decision(2, 1), SETTINGS, [], 1100.0, "superseded"),
        (decision(2, 4), replace(SETTINGS, pin=Pin(4, 9e9, "ada")), [], 1100.0, "superseded"),
        (decision(2, 4), SETTINGS, [("mode", "auto", 1050.0)], 1100.0, "superseded"),
        (decision(2, 4), SETTINGS, [("mode", "auto", 950.0)], 1100.0, None),
        (decision(2, 4), SETTINGS, [("mode", "approve", 1050.0)], 1100.0, None),
        (decision(2, 4), SETTINGS, [("mode", None, 1050.0)], 1100.0, None),
        (decision(2, 4), SETTINGS, [], 1350.0, None),  # the scheduler's sweep may still come
        (decision(2, 4), SETTINGS, [], 1361.0, "timed out"),
    ],
)
def test_a_step_closes_a_question_that_is_outdated(store, newest, of, controls, now, answer):
    asked, _ = ask(store, add(store, decision(2, 4)), 1000.0, 300.0)
    set_ = [Control(name, value, at, "ada") for name, value, at in controls]
    closed = close_outdated(store, add(store, replace(newest, at=now), of), set_, now)
    assert (closed is None) is (answer is None)
    assert ApprovalStore(store.engine).get(asked.id).answer == answer
    assert close_outdated(store, add(store, decision(2, 2)), [], now) is None or answer is None
