"""Steps of several clusters in one task, under a real scheduler."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from kitwai.pools.local.local_pool import LocalWorkerPool
from kitwai.store.approvals import ApprovalStore
from kitwai.store.store import Store
from kitwai_lab.local.airflow import AirflowStandalone
from kitwai_lab.local.spark import SparkMaster
from quick_airflow import QUICK_AIRFLOW

FIRST, SECOND, BROKEN, OTHER = "first_cluster", "second_cluster", "broken_cluster", "other_cluster"
DAG_ID = "kitwai_autoscale"

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def batched(tmp_path_factory, repository, new_database):
    """An Airflow with four clusters, of which three share a task and one has its own."""
    folder = tmp_path_factory.mktemp("batched")
    with SparkMaster(folder / "master") as master:
        pool = LocalWorkerPool(master.url, folder / "pool", cores=2, memory_mb=512)
        extra = {
            "pool": "local",
            "pool_directory": str(folder / "pool"),
            "worker_memory_mb": 512,
            "max_workers": 3,
            "min_workers": 2,
            "approval_timeout": "2min",
            "timeout": "20s",
            **dict.fromkeys(("quiet", "cooldown_out", "cooldown_in"), 0),
        }
        url = f"sqlite:///{folder / 'kitwai.db'}"
        airflow = AirflowStandalone(
            folder / "airflow",
            repository / "dags",
            repository / "plugins",
            {
                FIRST: master.connection(extra),
                SECOND: master.connection(extra),
                BROKEN: master.connection({"max_worker": 3}),
                OTHER: master.connection({}),
            },
            {
                **QUICK_AIRFLOW,
                # On SQLite its scheduler and its API are in each other's way.
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": new_database("airflow"),
                "AIRFLOW__KITWAI__CLUSTERS": ",".join((FIRST, BROKEN, SECOND, OTHER)),
                "AIRFLOW__KITWAI__CLUSTERS_PER_TASK": "3",
                "AIRFLOW__KITWAI__STORE": url,
                "AIRFLOW__KITWAI__STEP": "1d",
            },
            dag_ids=[DAG_ID, "kitwai_approve"],
        )
        try:
            with airflow:
                airflow.unpause(DAG_ID)
                airflow.unpause("kitwai_approve")
                pool.start(1)
                yield SimpleNamespace(airflow=airflow, pool=pool, store=Store(url))
        finally:
            pool.stop_all()


def step(batched, state="success", **params):
    """One run; what the task of the three clusters returned."""
    run_id = batched.airflow.trigger(DAG_ID, params)
    ended = batched.airflow.wait_for_run(DAG_ID, run_id, timeout_s=240)["state"]
    assert ended == state, batched.airflow.task_log(DAG_ID, run_id, "steps", map_index=0)
    return run_id


def returned(batched, run_id):
    return batched.airflow.xcom(DAG_ID, run_id, "steps", "return_value", map_index=0)


def events(batched, run_id):
    found = batched.airflow.api.get(
        "/api/v2/assets/events", params={"source_dag_id": DAG_ID, "source_run_id": run_id}
    ).json()["asset_events"]
    return {event["extra"]["cluster"]: event["extra"] for event in found}


def test_each_cluster_has_its_decision_and_its_event(batched):
    run_id = step(batched, clusters=[FIRST, SECOND], mode="suggest")
    states = {
        one["map_index"]: one["state"] for one in batched.airflow.task_instances(DAG_ID, run_id)
    }
    assert states == {0: "success", 1: "skipped"}
    told = events(batched, run_id)
    assert set(told) == {FIRST, SECOND}
    for cluster, extra in told.items():
        newest = batched.store.decisions(cluster)[-1]
        assert (extra["decision_id"], extra["done"]) == (newest.id, "nothing")
        assert (newest.decision.present, newest.decision.target) == (1, 2)
    log = batched.airflow.task_log(DAG_ID, run_id, "steps", map_index=0)
    assert f"{FIRST}: Cluster {FIRST}: 1 workers" in log


def test_a_cluster_that_fails_keeps_no_other_from_its_step(batched):
    before = len(batched.store.decisions(FIRST))
    run_id = step(batched, "failed", clusters=[FIRST, BROKEN], mode="suggest")
    assert len(batched.store.decisions(FIRST)) == before + 1
    log = batched.airflow.task_log(DAG_ID, run_id, "steps", map_index=0)
    assert f"1 of 2 clusters failed: {BROKEN}: Connection '{BROKEN}': extra field" in log


def test_one_question_is_asked_at_a_time_and_then_the_next(batched, wait_for):
    approvals = ApprovalStore(batched.store.engine)
    for asked in (1, 2):
        run_id = step(batched, clusters=[FIRST, SECOND], mode="approve")
        done = sorted(one["done"] for one in returned(batched, run_id).values())
        assert done == ["asked", "nothing"]
        assert sum(approvals.open(one) is not None for one in (FIRST, SECOND)) == asked
    waiting = {approvals.open(one).run_id for one in (FIRST, SECOND)}
    wait_for(
        lambda: (
            waiting
            == {
                run["dag_run_id"]
                for run in batched.airflow.runs("kitwai_approve")
                if run["state"] == "running"
            }
        )
    )


def test_a_target_is_reached_and_the_question_about_it_closed(batched):
    assert sum(worker.alive for worker in batched.pool.workers()) == 1
    run_id = step(batched, clusters=[FIRST], mode="auto")
    assert returned(batched, run_id)[FIRST]["done"] == "reached"
    assert sum(worker.alive for worker in batched.pool.workers()) == 2
    scaling = batched.store.scalings(FIRST)[-1]
    assert (scaling.target, scaling.started) == (2, 1)
    step(batched, clusters=[FIRST, SECOND], mode="approve")
    approvals = ApprovalStore(batched.store.engine)
    assert approvals.open(FIRST) is None
    assert approvals.open(SECOND) is None
