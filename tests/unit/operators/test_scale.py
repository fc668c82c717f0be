"""The tasks that decide and scale: what is set holds, and what is told."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.execution_time.context import OutletEventAccessors

from asked_cluster import LOCAL, Hook, set_
from builders import application, observation, stage
from kitwai.core.records.observation import Part
from kitwai.operators.decide import DecideOperator
from kitwai.operators.scale import ScaleOperator
from kitwai.store.store import Store


@pytest.fixture
def store(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 's.db'}"
    monkeypatch.setenv("AIRFLOW__KITWAI__STORE", url)
    return Store(url)


def step_of(store, hook, seen):
    """Decide and scale on a look at the cluster, as the two tasks do."""
    observation_id = store.add_observation(seen)
    decide_task = DecideOperator(
        task_id="decide", cluster="test", observation={"observation_id": observation_id}
    )
    return decide_task.step(hook)


def scale(decided, hook):
    return ScaleOperator(task_id="scale", cluster="test", decision=decided).step(hook)


def test_the_settings_are_kept_with_the_decision(store):
    now = time.time()
    set_(store, "pin", 3, now + 600, at=now - 60)
    set_(store, "pause", "on", now + 600, at=now - 60)
    decided = step_of(store, Hook(LOCAL), observation(2, at=now))
    kept = store.decision(decided["decision_id"])
    assert (kept.settings.pin.target, kept.decision.target) == (3, 3)
    assert kept.settings.pause.by == "ada"
    assert kept.decision.decided_at >= now
    assert scale(decided, Hook(LOCAL)) == {"done": "nothing", "why": "ada paused the cluster"}


@pytest.mark.parametrize("name", ["pause", "mode", "pin", "max_workers", "limit"])
def test_what_is_set_between_decide_and_scale_holds_already(store, name):
    now = time.time()
    decided = step_of(store, Hook(LOCAL), observation(9, at=now - 1))
    value = {"pause": "on", "mode": "suggest", "pin": 3, "max_workers": 2, "limit": "1h"}[name]
    set_(store, name, value, now + 600, at=time.time())
    outcome = scale(decided, Hook(LOCAL))
    assert outcome["done"] == "nothing"
    assert outcome["why"] == f"ada set {name} just now, which the next step heeds"


def test_a_step_without_the_master_touches_nothing(store):
    blind = observation(2, at=time.time(), workers=None, parts=(Part("master", error="Gone."),))
    outcome = scale(step_of(store, Hook(LOCAL), blind), Hook(LOCAL))
    assert outcome == {"done": "nothing", "why": "no target is known"}


def test_what_is_told_goes_with_the_decision(store):
    late = application(stage(tasks=4000, complete=40), limit_s=40.0)
    seen = observation(2, late, at=time.time())
    (told,) = step_of(store, Hook(LOCAL), seen)["notices"]
    assert (told["event"], told["state"], told["subject"]) == (
        "limit in danger", "begins", "app-job",
    )  # fmt: skip
    assert "notices" not in step_of(store, Hook(LOCAL), seen)
    lost = replace(seen, pool=None, parts=(Part("pool", error="No engine."),))
    (pool,) = step_of(store, Hook(LOCAL), lost)["notices"]
    assert (pool["event"], pool["state"]) == ("pool failing", "begins")
    (back,) = step_of(store, Hook(LOCAL), seen)["notices"]  # the limit was in danger all along
    assert (back["event"], back["state"]) == ("pool failing", "over")


@pytest.mark.parametrize(("schedule", "wait_s"), [(timedelta(seconds=15), 0.0), (None, 30.0)])
def test_it_looks_on_until_the_next_run_is_due(store, monkeypatch, schedule, wait_s):
    waits = []

    def carry_out(*_, wait_s, **__):
        waits.append(wait_s)
        return {"done": "reached"}, []

    monkeypatch.setattr("kitwai.actions.step.carry_out", carry_out)
    monkeypatch.setattr(ScaleOperator, "hook", lambda *_: Hook(LOCAL))
    context = {
        "dag": SimpleNamespace(schedule=schedule),
        "dag_run": SimpleNamespace(run_after=datetime.now(UTC) - timedelta(minutes=1)),
        "outlet_events": OutletEventAccessors(),
    }
    decision = {"decision_id": 1}
    ScaleOperator(task_id="scale", cluster="test", decision=decision).execute(context)
    assert waits == [wait_s]
