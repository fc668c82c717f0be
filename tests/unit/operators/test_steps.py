"""Steps of several clusters in one task: what one does to the others, and the setting."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.sdk.execution_time.context import OutletEventAccessors

from builders import observation
from kitwai.config.connection import cluster_config
from kitwai.operators import steps
from kitwai.operators.steps import STEPS, StepsOperator
from kitwai.store.store import Store


class Hook:
    """A cluster that looks idle, or breaks in a way that nobody foresaw."""

    history = history_sha256 = None
    asked = frozenset()

    def __init__(self, cluster, params):
        self.conn_id, self.breaks = cluster, cluster == "b"
        self.config = cluster_config(cluster, host="h", port=None, schema=None, extra={})

    def observe(self, past, **_options):
        if self.breaks:
            raise RuntimeError("no such thing")
        return observation(2, at=time.time(), past=past, cluster=self.conn_id)


@pytest.fixture
def store(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 's.db'}"
    monkeypatch.setenv("AIRFLOW__KITWAI__STORE", url)
    monkeypatch.setattr(steps, "hook_of", Hook)
    return Store(url)


def run(*clusters, **params):
    context = {"params": params, "outlet_events": OutletEventAccessors()}
    returned = StepsOperator(task_id="steps", clusters=clusters).execute(context)
    events = context["outlet_events"][STEPS].asset_alias_events
    return returned, {event.extra["cluster"]: event.extra for event in events}


def test_each_cluster_has_its_step_and_its_event(store):
    names = [f"c{number}" for number in range(20)]
    returned, events = run(*names)
    assert set(returned) == set(events) == set(names)
    for name in names:
        (stored,) = store.decisions(name)
        assert returned[name] == {
            "decision_id": stored.id,
            "target": stored.decision.target,
            "done": "nothing",
            "why": "mode suggest",
        }
        assert events[name]["reason"] == stored.decision.reason


def test_what_nobody_foresaw_in_one_keeps_no_other_from_its_step(store):
    with pytest.raises(AirflowFailException, match="1 of 3 clusters failed: b: RuntimeError: no"):
        run("a", "b", "c")
    assert [len(store.decisions(name)) for name in "abc"] == [1, 0, 1]


def test_a_run_for_some_takes_those_alone(store):
    returned, _ = run("a", "b", "c", clusters=["c", "d"])
    assert set(returned) == {"c"}
    with pytest.raises(AirflowSkipException, match="This run is for d only"):
        run("a", clusters=["d"])


@pytest.mark.parametrize(("schedule", "wait_s"), [("@continuous", 0.0), (None, 30.0)])
def test_it_looks_on_until_the_next_run_is_due(store, monkeypatch, schedule, wait_s):
    waits = []

    def carry_out(*_, wait_s, **__):
        waits.append(wait_s)
        return {"done": "reached"}, []

    monkeypatch.setattr("kitwai.actions.step.carry_out", carry_out)
    context = {
        "params": {},
        "dag": SimpleNamespace(schedule=schedule),
        "dag_run": SimpleNamespace(run_after=datetime.now(UTC)),
        "outlet_events": OutletEventAccessors(),
    }
    StepsOperator(task_id="steps", clusters=["a", "c"]).execute(context)
    assert waits == [wait_s, wait_s]
