"""`operators.observe`: one stored look, which forgets what is too old."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from kitwai.store.store import Store
from stored_steps import SEEN, step


@pytest.fixture
def store(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'kitwai.db'}"
    monkeypatch.setenv("AIRFLOW__KITWAI__STORE", url)
    monkeypatch.setenv("AIRFLOW__KITWAI__CLUSTERS", "test")
    return Store(url)


class Hook:
    """A cluster that looks the same at every look; keeps what it was asked."""

    config, conn_id = None, "test"

    def __init__(self) -> None:
        self.asked = []

    def observe(self, past, **options):
        self.asked.append(options)
        return replace(SEEN, at=time.time(), past=past)


@pytest.mark.parametrize(("retention", "left"), [("1h", 2), ("0", 3)])
def test_a_step_forgets_and_reads_on_from_the_look_before(store, monkeypatch, retention, left):
    from kitwai.operators.observe import ObserveOperator

    monkeypatch.setenv("AIRFLOW__KITWAI__RETENTION", retention)
    now = time.time()
    step(store, now - 4000.0)
    step(store, now - 15.0)
    hook = Hook()
    made = ObserveOperator(task_id="observe", cluster="test").step(hook)
    (asked,) = hook.asked
    assert (asked["previous"].at, asked["logs"]) == (now - 15.0, True)
    assert (made["present"], made["missing"]) == (2, ["pool"])
    assert len(store.observations("test")) == left
