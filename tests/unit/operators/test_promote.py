"""The champion changed by a task: a retry means the same change."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from champions import refused_verdicts, three_champions, verdicts_told
from kitwai.errors import StoreError
from kitwai.operators.promote import ChangeChampionOperator
from kitwai.operators.training import CHAMPION
from kitwai.registry.versions import champion
from kitwai.store.store import Store
from kitwai.store.training import TrainingStore


@pytest.fixture
def root(tmp_path, monkeypatch):
    folder = three_champions(tmp_path / "models")
    monkeypatch.setenv("AIRFLOW__KITWAI__MODELS", str(folder))
    return folder


@pytest.fixture
def store(tmp_path, monkeypatch):
    made = Store(f"sqlite:///{tmp_path / 'kitwai.db'}")
    monkeypatch.setenv("AIRFLOW__KITWAI__STORE", str(made.engine.url))
    return made


@pytest.fixture
def broken(monkeypatch):
    with refused_verdicts(monkeypatch) as mend:
        yield mend


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
    assert [one[:3] for one in verdicts_told(store)] == [("v2", "v3", "rolled back")]
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
    assert [one[:3] for one in verdicts_told(store)] == [("v1", "v3", "promoted")]
