"""A stored decision made again: from all it was made from, and what is said when it cannot be."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace

import pytest
import sqlalchemy as sa

from builders import application, observation, settings, stage
from kitwai.actions.explain import explain, explanation_text
from kitwai.cli.main import main
from kitwai.core.decide.cluster import decide
from kitwai.core.forecast.from_observation import with_counts
from kitwai.core.records.observation import Past
from kitwai.core.records.settings import Pause, Pin
from kitwai.registry.champion import load_champion
from kitwai.registry.history_file import history_text
from kitwai.registry.known_runs import own_runs
from kitwai.sim.library import Library
from kitwai.sim.past_runs import history_of
from kitwai.sim.synthetic import synthetic_profiles
from kitwai.store.store import Store
from kitwai.store.tables import DecisionRow

PROFILES = synthetic_profiles(12, 3)
KNOWN = next(one.family for one in PROFILES if one.cores_per_worker == 2)


def busy(name="job", limit_s=200.0, **changes):
    one = application(
        stage(tasks=100, complete=40, task_s=4.7), elapsed_s=100 / 3, limit_s=limit_s, name=name
    )
    return with_counts(observation(2, replace(one, inputs={"size": 0.1}), **changes))


LOOKS = [
    busy(),
    busy(KNOWN),
    busy("two", past=Past(since_scale_in_s=1 / 7, changes_1h=3)),
    busy("late", limit_s=45.1),
    observation(3, past=Past(idle_s=77.7)),
    observation(3, past=Past(idle_s=0.1)),
    observation(2, workers=None),
    observation(2, pool=None),
    observation(2, application(stage(tasks=9, complete=3), error="It hangs.")),
    observation(4, application(stage(tasks=9, complete=3), limit_s=99.0), busy().applications[0]),
]


@pytest.fixture
def models(tmp_path, repository, monkeypatch):
    shutil.copytree(repository / "include" / "models", tmp_path / "models")
    monkeypatch.setenv("AIRFLOW__KITWAI__MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def store(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'kitwai.db'}"
    monkeypatch.setenv("AIRFLOW__KITWAI__STORE", url)
    return Store(url)


@pytest.fixture
def history(tmp_path):
    path = tmp_path / "history.json"
    path.write_text(history_text(history_of(Library(PROFILES))))
    return path


def decided(store, seen, *, of=None, now=1001.5, history=None):
    """One stored decision of the champion; returns its id."""
    champion, of = load_champion(), of or settings(flap_budget=120)
    made = decide(
        seen,
        of,
        champion.policy,
        now=now,
        no_policy_reason=champion.why_not,
        history=champion.history(own_runs(history).runs if history else None),
        history_sha256=hashlib.sha256(history.read_bytes()).hexdigest() if history else None,
    )
    return store.add_decision(made, store.add_observation(seen), of)


@pytest.mark.parametrize("own", [False, True])
def test_every_decision_can_be_made_again_to_the_last_bit(store, models, history, own):
    file = history if own else None
    of = settings(flap_budget=120, pin=Pin(4, 1e9, "ada"), pause=Pause(1e9, "bob"))
    of = replace(of, ignored=("The mode that ada set is left out: no pool.",))
    ids = [decided(store, seen, history=file) for seen in LOOKS]
    ids += [decided(store, seen, of=of, history=file) for seen in LOOKS]
    ids += [decided(store, busy(), now=1031.0), decided(store, busy(), now=None)]
    for decision_id in ids:
        found = explain(store, decision_id, models, history=file)
        assert found.identical, explanation_text(found)
        assert "the same to the last bit" in explanation_text(found)
    held = {store.decision(one).decision.held for one in ids}
    assert held == {True, False}


def test_past_runs_matter_so_that_their_file_is_told_apart(store, models, history):
    with_runs = decided(store, busy(KNOWN), history=history)
    without = decided(store, busy(KNOWN))
    assert store.decision(with_runs).decision.applications != (
        store.decision(without).decision.applications
    )
    assert "names none" in explain(store, with_runs, models).why_not
    history.write_text(json.dumps({"format": 1, "families": {}}))
    found = explain(store, with_runs, models, history=history)
    assert found.again is None
    assert "has changed since the decision" in found.why_not
    assert "cannot be made again" in explanation_text(found)
    history.unlink()
    assert "cannot be read" in explain(store, with_runs, models, history=history).why_not
    assert explain(store, without, models).identical


def test_a_fallback_is_made_again_as_one(store, models):
    (models / "champion").write_text("20990101-00000000\n")
    decision_id = decided(store, busy())
    assert store.decision(decision_id).decision.fallback
    assert explain(store, decision_id, models).identical


def test_a_checkpoint_that_is_gone_is_named(store, models):
    decision_id = decided(store, busy())
    version = store.decision(decision_id).decision.checkpoint
    shutil.rmtree(models / version)
    assert version in explain(store, decision_id, models).why_not


def test_what_does_not_follow_is_found(store, models, capsys):
    decision_id = decided(store, busy())
    assert main(["explain", str(decision_id)]) == 0
    shown = capsys.readouterr().out
    made = store.decision(decision_id).decision
    assert made.reason in shown
    assert "<- target" in shown
    assert f"{made.applications[0].q_values[3]:9.4f}" in shown
    with store.engine.begin() as connection:
        row = connection.execute(sa.select(DecisionRow.__table__)).one()
        altered = json.loads(json.dumps(row.body)) | {"target": made.target + 1}
        q_values = altered["applications"][0]["q_values"]
        q_values[2] *= 1 + 2**-52
        connection.execute(sa.update(DecisionRow.__table__).values(body=altered))
    found = explain(store, decision_id, models)
    assert found.differs == ("target", "applications")
    assert main(["explain", str(decision_id)]) == 1
    assert "differs in: target, applications" in capsys.readouterr().out


def test_the_connection_names_the_file_of_past_runs(store, models, history, monkeypatch, capsys):
    decision_id = decided(store, busy(KNOWN), history=history)
    assert main(["explain", str(decision_id)]) == 1
    assert "Airflow has no connection 'test'" in capsys.readouterr().err
    connection = {"conn_type": "spark_cluster", "host": "h", "extra": {"history": str(history)}}
    monkeypatch.setenv("AIRFLOW_CONN_TEST", json.dumps(connection))
    assert main(["explain", str(decision_id)]) == 0


@pytest.mark.parametrize("name", ["dqn", "analytic"])
def test_a_decision_stored_under_an_older_name_is_still_made_again(store, models, name):
    of, seen = settings(flap_budget=120), busy()
    champion = load_champion()
    made = decide(
        seen, of, champion.policy, now=1001.5, history=champion.history(None), history_sha256=None
    )
    (one,) = made.applications
    words = f"job: {one.target} of at most 10 workers; {name} asked for {one.target}."
    older = replace(
        made, policy=name, reason=words, applications=(replace(one, policy=name, reason=words),)
    )
    observation_id = store.add_observation(seen)
    same = explain(store, store.add_decision(older, observation_id, of), models)
    assert same.identical, explanation_text(same)
    assert words in explanation_text(same)
    other = replace(older, target=(made.target or 0) + 1)
    changed = explain(store, store.add_decision(other, observation_id, of), models)
    assert changed.differs == ("target",)
