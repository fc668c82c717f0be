"""The autoscale DAG under a real scheduler, on a real Spark cluster."""

from __future__ import annotations

import json

import pytest
from airflow.sdk._shared.module_loading.file_discovery import find_path_from_directory

CLUSTER = "test_cluster"
BROKEN = "broken_cluster"
DAG_ID = "kitwai_autoscale"

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]


def states(setup, run_id):
    """State of every task instance: (part, map index) -> state."""
    return {
        (one["task_id"].removeprefix("step."), one["map_index"]): one["state"]
        for one in setup.airflow.task_instances(DAG_ID, run_id)
    }


@pytest.fixture(scope="module")
def suggested(setup):
    """The first step of all, in mode suggest: its run."""
    run_id, state = setup.run(clusters=[CLUSTER])
    assert state == "success"
    return run_id


def test_a_suggested_target_touches_nothing(setup, suggested):
    assert states(setup, suggested) == {
        ("observe", 0): "success",
        ("decide", 0): "success",
        ("scale", 0): "success",
        ("observe", 1): "skipped",
        ("decide", 1): "skipped",
        ("scale", 1): "skipped",
    }
    newest = setup.store.decisions(CLUSTER)[-1]
    assert (newest.decision.present, newest.decision.target) == (1, 2)
    assert newest.decision.mode == "suggest"
    assert newest.decision.fallback is None
    assert newest.decision.checkpoint
    assert setup.workers() == 1
    assert setup.store.scalings(CLUSTER) == []


def test_xcom_carries_small_json_only(setup, suggested):
    for part in ("observe", "decide", "scale"):
        path = f"/api/v2/dags/{DAG_ID}/dagRuns/{suggested}/taskInstances/step.{part}"
        answer = setup.airflow.api.get(f"{path}/xcomEntries/return_value", params={"map_index": 0})
        value = answer.json()["value"]
        assert len(value if isinstance(value, str) else json.dumps(value)) < 1000, part


def test_every_step_is_an_asset_event(setup, suggested):
    answer = setup.airflow.api.get(
        "/api/v2/assets/events", params={"source_dag_id": DAG_ID, "source_run_id": suggested}
    )
    (event,) = answer.json()["asset_events"]
    assert event["source_task_id"] == "step.scale"
    newest = setup.store.decisions(CLUSTER)[-1]
    extra = event["extra"]
    assert (extra["cluster"], extra["decision_id"]) == (CLUSTER, newest.id)
    assert (extra["target"], extra["mode"]) == (newest.decision.target, "suggest")
    assert extra["done"] == "nothing"
    assert extra["reason"] == newest.decision.reason[:500]


def test_no_task_process_imports_what_it_does_not_need(setup, suggested):
    records = [json.loads(path.read_text()) for path in setup.modules.glob("*.json")]
    records = [record for record in records if record["dag_id"] == DAG_ID]
    parts = {record["task_id"] for record in records}
    assert parts == {"step.observe", "step.decide", "step.scale"}
    for record in records:
        heavy = {
            "tensorflow",
            "keras",
            "docker",
            "matplotlib",
            "pyspark",
            "kitwai.web.app",
        } & set(record["loaded"])
        assert not heavy, record
        assert record["strays"] in ([], ["plugin"]), record


def test_auto_reaches_the_target_and_records_it(setup):
    assert setup.workers() == 1
    run_id, state = setup.run(clusters=[CLUSTER], mode="auto")
    assert state == "success", setup.airflow.task_log(DAG_ID, run_id, "step.scale", map_index=0)
    assert setup.workers() == 2
    scaling = setup.store.scalings(CLUSTER)[-1]
    assert (scaling.target, scaling.started, scaling.removed) == (2, 1, 0)
    assert setup.store.decision(scaling.decision_id).decision.target == 2
    # Again: nothing more.
    setup.run(clusters=[CLUSTER], mode="auto")
    assert setup.workers() == 2
    assert len(setup.store.scalings(CLUSTER)) == 1


def test_n_of_a_run_bounds_the_target_and_scales_in(setup):
    assert setup.workers() == 2
    _, state = setup.run(clusters=[CLUSTER], mode="auto", N=1)
    assert state == "success"
    assert setup.workers() == 1


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"N": 0}, "less than the minimum of 1"),
        ({"N": "many"}, "is not of type"),
        ({"mode": "yolo"}, "is not one of"),
        ({"clusters": "all"}, "is not of type"),
    ],
)
def test_wrong_params_are_refused_when_triggered(setup, params, words):
    answer = setup.airflow.api.post(
        f"/api/v2/dags/{DAG_ID}/dagRuns", json={"logical_date": None, "conf": params}
    )
    assert answer.status_code == 400
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    ("cluster", "index", "params", "words"),
    [
        (CLUSTER, 0, {"T": "0min"}, "'0min' is not a time: write a positive number with a unit"),
        (BROKEN, 1, {}, f"Connection '{BROKEN}': extra field 'max_worker'"),
    ],
)
def test_wrong_settings_fail_the_first_task_in_one_sentence(setup, cluster, index, params, words):
    before = setup.workers()
    run_id, state = setup.run(clusters=[cluster], mode="auto", **params)
    assert state == "failed"
    found = states(setup, run_id)
    assert found["observe", index] == "failed"
    assert found["scale", index] == "upstream_failed"
    assert words in setup.airflow.task_log(DAG_ID, run_id, "step.observe", map_index=index)
    assert setup.workers() == before


def test_airflow_sees_only_the_plugin_file(repository):
    found = find_path_from_directory(repository / "plugins", ".airflowignore", "glob")
    modules = [path for path in found if path.endswith(".py")]
    assert modules == [str(repository / "plugins" / "kitwai" / "plugin.py")]


def test_the_example_dag_runs_an_application_that_carries_its_limit(setup):
    run_id, state = setup.run(
        "kitwai_example_spark_job", master=setup.master.url, limit="4min", argument="4"
    )
    log = setup.airflow.task_log("kitwai_example_spark_job", run_id, "submit")
    assert state == "success", log
    assert "Pi is roughly 3.1" in log
