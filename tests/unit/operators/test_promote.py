"""The champion changed by a task: a retry means the same change."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError

from kitwai.errors import StoreError
from kitwai.operators.promote import ChangeChampionOperator
from kitwai.operators.training import CHAMPION
from kitwai.registry.versions import champion, promote
from kitwai.store.store import Store
from kitwai.store.training import TrainingStore
from recorded_day import past, save_checkpoint


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Three versions, of which v1 and v2 were champions before v3."""
    folder = tmp_path / "models"
    runs = [run.profile for run in past()]
    for version in ("v1", "v2", "v3"):
        save_checkpoint(folder, version, runs)
    promote(folder, "v1", None)
    promote(folder, "v2", "v1")
    promote(folder, "v3", "v2")
    monkeypatch.setenv("AIRFLOW__KITWAI__MODELS", str(folder))
    return folder


@pytest.fixture
def store(tmp_path, monkeypatch):
    made = Store(f"sqlite:///{tmp_path / 'kitwai.db'}")
    monkeypatch.setenv("AIRFLOW__KITWAI__STORE", str(made.engine.url))
    return made


def told(store):
    return [
        (one.version, one.champion, one.verdict, one.reason)
        for one in TrainingStore(store.engine).verdicts()
    ]


@pytest.fixture
def broken(monkeypatch):
    """Lets the store fail when a verdict is to be kept; call it to mend the store."""

    def fail(*args, **kwargs):
        raise OperationalError("INSERT", {}, Exception("disk full"))

    with monkeypatch.context() as patch:
        patch.setattr(TrainingStore, "add_verdict", fail)
        yield patch.undo


class KeptState(dict):
    """What Airflow keeps of a task from one try to the next."""

    set = dict.__setitem__

    def delete(self, key):
        self.pop(key, None)


@pytest.fixture
def context():
    return {
        "dag_run": SimpleNamespace(dag_id="kitwai_models", run_id="one"),
        "task_state_store": KeptState(),
        "outlet_events": {CHAMPION: SimpleNamespace(extra=None)},
    }


def test_a_retry_of_the_operator_does_not_roll_back_a_second_time(root, store, context, broken):
    operator = ChangeChampionOperator(task_id="change", action="rollback")
    with pytest.raises(StoreError, match="the store has no record"):
        operator.work(context)
    assert champion(root) == "v2"
    broken()
    assert operator.work(context) == {"version": "v2", "before": "v3"}
    assert champion(root) == "v2"
    assert [one[:3] for one in told(store)] == [("v2", "v3", "rolled back")]
    (verdict,) = TrainingStore(store.engine).verdicts("kitwai_models/one")
    assert verdict.version == "v2"
    # The task cleared by a person is another rollback.
    assert operator.work(context) == {"version": "v1", "before": "v2"}


def test_a_retry_of_a_promotion_tells_the_champion_before(root, store, context, broken):
    operator = ChangeChampionOperator(task_id="change", action="promote", version="v1")
    with pytest.raises(StoreError):
        operator.work(context)
    broken()
    operator.work(context)
    assert [one[:3] for one in told(store)] == [("v1", "v3", "promoted")]
