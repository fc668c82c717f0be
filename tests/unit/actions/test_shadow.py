"""Challengers that decide in the shadow, and what is told of them."""

from __future__ import annotations

import dataclasses
import json
import os
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowSkipException

from builders import application, observation, settings, stage
from kitwai.actions import shadow
from kitwai.actions.replay_report import shadow_reports
from kitwai.actions.shadow import all_figures, decide_in_shadow, kinship, shadow_figures
from kitwai.cli.main import main
from kitwai.core.decide.cluster import decide
from kitwai.hooks.spark_cluster import SparkClusterHook
from kitwai.operators.decide import DecideOperator
from kitwai.operators.training import PromoteOperator
from kitwai.registry.versions import RUNS, load_policy
from kitwai.store.retention import prune
from kitwai.store.shadow import ShadowStore
from kitwai.store.store import Store
from kitwai.store.tables import ShadowRow
from recorded_day import CLUSTER, SETTINGS, START, past, record_day, save_checkpoint

SEEN = observation(2, application(stage(tasks=100, complete=40), elapsed_s=100.0))


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "models"
    runs = [run.profile for run in past()]
    save_checkpoint(folder, "v1", runs)
    save_checkpoint(folder, "v2", runs, scale=0.5)
    (folder / "champion").write_text("v1\n")
    return folder


@pytest.fixture
def store(tmp_path):
    return Store(f"sqlite:///{tmp_path / 'kitwai.db'}")


def step(store, root, *names, seen=SEEN):
    """The champion's decision, and the shadows'; what the latter could not do."""
    observation_id = store.add_observation(seen)
    decision = decide(seen, settings(), load_policy(root, "v1"))
    store.add_decision(decision, observation_id, settings())
    return decide_in_shadow(store.engine, root, names, seen, observation_id, settings())


def test_a_challenger_decides_beside_the_champion(store, root):
    assert step(store, root, "v2") == []
    ((decided, shadow),) = ShadowStore(store.engine).pairs("test", "v2")
    assert (decided.checkpoint, shadow.checkpoint) == ("v1", "v2")
    assert shadow == decide(SEEN, settings(), load_policy(root, "v2"))
    assert ShadowStore(store.engine).challengers() == [("test", "v2")]
    assert len(store.decisions("test")) == 1


def test_the_newest_is_the_version_saved_last(store, root):
    save_checkpoint(root, "a3")
    # As far as the file system's clock can tell them apart.
    later = (root / "v2" / "manifest.json").stat().st_mtime + 10.0
    os.utime(root / "a3" / "manifest.json", (later, later))
    assert step(store, root, "newest", "newest") == []
    assert ShadowStore(store.engine).challengers() == [("test", "a3")]


def test_the_champion_is_not_its_own_shadow(store, root):
    assert step(store, root, "v1") == []
    assert ShadowStore(store.engine).challengers() == []


def test_what_is_wrong_with_one_is_said_and_touches_nothing_else(store, root):
    (root / "v3").mkdir()
    path = root / "v2" / "manifest.json"
    failed = step(store, root, "nowhere", "Not a version", "v2")
    assert [one.split(" has not")[0] for one in failed] == [
        "The shadow nowhere",
        "The shadow Not a version",
    ]
    assert "missing" in failed[0]
    assert ShadowStore(store.engine).challengers() == [("test", "v2")]
    manifest = json.loads(path.read_text()) | {"prior": {"prediction": "oracle"}}
    path.write_text(json.dumps(manifest))
    assert "another prediction" in step(store, root, "v2")[0]
    with store.engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE kitwai_shadow"))
    save_checkpoint(root, "v4")
    assert "has not decided" in step(store, root, "v4")[0]
    assert len(store.decisions("test")) == 3


def test_none_is_begun_when_those_before_took_too_long(store, root, monkeypatch):
    monkeypatch.setattr("kitwai.actions.shadow.PATIENCE_S", -1.0)
    assert step(store, root, "v2") == ["The shadow v2 was left out: those before it took too long."]


@pytest.mark.slow
def test_figures_are_of_both_sides(tmp_path):
    day = record_day(tmp_path)
    save_checkpoint(day.root, "wild-1", [run.profile for run in past()], scale=1.0)
    rows = day.store.decisions(CLUSTER)
    for row in rows:
        seen = day.store.observation(row.observation_id)
        names = ["wild-1", "champion-1"]
        assert (
            decide_in_shadow(day.store.engine, day.root, names, seen, row.observation_id, SETTINGS)
            == []
        )
    figures = shadow_figures(day.store.engine, CLUSTER, "wild-1")
    found = figures.comparison
    assert (figures.champion, found.decisions) == ("champion-1", day.steps)
    assert 0 < found.differs == found.fewer + found.more
    # The same forecast under both: they differ by the network alone.
    assert found.judged == found.same_forecast > 20
    assert found.regret_first > 0
    assert f"{found.differs} of {day.steps} observations" in figures.sentence()
    assert shadow_figures(day.store.engine, CLUSTER, "wild-1", START + 1e6) is None
    assert all_figures(day.store.engine, "another") == []

    (view,) = shadow_reports(day.store, day.root, outcome=True)
    assert (view.decisions, view.differs) == (found.decisions, found.differs)
    assert view.regret_champion == found.regret_first
    assert view.kinship == (
        "Both have the same forecast and past runs, and differ in the network or its prices."
    )
    assert [one.name for one in view.outcome] == ["champion-1", "wild-1"]
    assert [one.limits for one in view.outcome] == [7, 7]
    (plain,) = shadow_reports(day.store, day.root, CLUSTER)
    assert plain.outcome is None
    assert shadow_reports(day.store, day.root, "another") == []


def test_figures_are_of_the_newest_decisions(store, root, monkeypatch):
    for second in range(5):
        step(store, root, "v2", seen=dataclasses.replace(SEEN, at=1000.0 + second))
    monkeypatch.setattr(shadow, "MOST_DECISIONS", 3)
    figures = shadow_figures(store.engine, "test", "v2")
    assert (figures.since, figures.until, figures.comparison.decisions) == (1002.0, 1004.0, 3)
    assert shadow_figures(store.engine, "test", "v2", 1003.0).comparison.decisions == 2
    monkeypatch.setattr(shadow, "MOST_DECISIONS", 6)
    assert shadow_figures(store.engine, "test", "v2").comparison.decisions == 5


def test_what_two_versions_share_is_said(root):
    runs = [run.profile for run in past()]
    save_checkpoint(root, "w1", runs, trusted=False)
    save_checkpoint(root, "w2", runs[:3], trusted=False)
    save_checkpoint(root, "w3", runs, scale=0.5, trusted=False)
    save_checkpoint(root, "w4", runs[:3], scale=0.5)
    assert (root / "w1" / RUNS).read_bytes() != (root / "w2" / RUNS).read_bytes()
    assert "past runs they know alone: both networks abstain" in kinship(root, "w1", "w2")
    assert "Both decide alike" in kinship(root, "w1", "w3")
    assert "differ in the network" in kinship(root, "v1", "v2")
    assert "past runs they know alone: the networks are the same" in kinship(root, "v2", "w4")
    assert kinship(root, "v1", "w4") is None
    assert kinship(root, "v1", "gone") is None
    assert kinship(root, "v1, v2", "v2") is None


def test_shadows_leave_the_store_with_their_observations(store, root):
    step(store, root, "v2")
    assert prune(store, "test", SEEN.at + 1.0) == 1
    with store.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(ShadowRow)) == 0


@pytest.fixture
def configured(store, root, monkeypatch):
    monkeypatch.setenv("AIRFLOW__KITWAI__STORE", str(store.engine.url))
    monkeypatch.setenv("AIRFLOW__KITWAI__MODELS", str(root))
    extra = {"max_workers": 10, "limit": "300s"}
    connection = {"conn_type": "spark_cluster", "host": "localhost", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_TEST", json.dumps(connection))
    return store


def decided_by_the_operator(store):
    observation_id = store.add_observation(SEEN)
    operator = DecideOperator(
        task_id="decide", cluster="test", observation={"observation_id": observation_id}
    )
    return operator.step(SparkClusterHook("test"))


def test_the_decide_operator_lets_them_decide(configured, monkeypatch):
    # The reason tells the observation's age in seconds.
    monkeypatch.setattr("kitwai.actions.step.time", SimpleNamespace(time=lambda: SEEN.at + 1e6))
    alone = decided_by_the_operator(configured)
    assert ShadowStore(configured.engine).challengers() == []
    monkeypatch.setenv("AIRFLOW__KITWAI__SHADOW", "v2, nowhere")
    beside = decided_by_the_operator(configured)
    assert ShadowStore(configured.engine).challengers() == [("test", "v2")]
    assert beside == alone | {"decision_id": beside["decision_id"]}
    ((decided, shadow),) = ShadowStore(configured.engine).pairs("test", "v2")
    # The observation is from long ago, so that both hold.
    assert decided.target == shadow.target == 2


def test_a_verdict_tells_the_figures(configured, root):
    step(configured, root, "v2")
    judged = {"version": "v2", "champion": "v1", "reason": "It is worse.", "passed": False}
    operator = PromoteOperator(task_id="promote", judged=judged)
    run = SimpleNamespace(dag_id="kitwai_train", run_id="one")
    with pytest.raises(AirflowSkipException, match=r"It is worse\. In the shadow of v1 on test"):
        operator.work({"dag_run": run})
    (verdict,) = operator.store().verdicts()
    assert verdict.reason.startswith("It is worse. In the shadow of v1 on test it decided")


def test_the_commands_tell_the_figures(configured, root, tmp_path, capsys):
    assert main(["models", "shadow"]) == 0
    assert "No version has decided in the shadow" in capsys.readouterr().out
    step(configured, root, "v2")
    out = tmp_path / "shadow.json"
    assert main(["models", "shadow", "--cluster", "test", "--outcome", "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "v2 in the shadow of v1 on test:" in printed
    assert "there is no outcome" in printed
    (view,) = json.loads(out.read_text())["shadows"]
    assert (view["checkpoint"], view["decisions"]) == ("v2", 1)
    assert main(["models", "list"]) == 0
    assert "    In the shadow of v1 on test it decided differently" in capsys.readouterr().out
