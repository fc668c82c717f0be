"""Two real schedulers on one Postgres: nothing is done twice, also when one of them is killed."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from itertools import pairwise
from types import SimpleNamespace

import psutil
import pytest
import sqlalchemy as sa

from kitwai.pools.local.local_pool import LocalWorkerPool
from kitwai.store.store import Store
from kitwai.store.tables import Base
from kitwai_lab.local.airflow import AirflowStandalone
from kitwai_lab.local.spark import SparkMaster
from quick_airflow import QUICK_AIRFLOW

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(900)]

CLUSTER = "test_cluster"
DAG_ID = "kitwai_autoscale"


@pytest.fixture(scope="module")
def two(tmp_path_factory, repository, new_database):
    """An Airflow with two schedulers and one cluster, which every step brings to 3 workers."""
    folder = tmp_path_factory.mktemp("two")
    with SparkMaster(folder / "master") as master:
        pool = LocalWorkerPool(master.url, folder / "pool", cores=2, memory_mb=512)
        extra = {
            "mode": "auto",
            "pool": "local",
            "pool_directory": str(folder / "pool"),
            "worker_memory_mb": 512,
            "max_workers": 3,
            "min_workers": 3,
            "timeout": "8s",
            **dict.fromkeys(("quiet", "cooldown_out", "cooldown_in"), 0),
        }
        url, database = new_database("store"), new_database("airflow")
        airflow = AirflowStandalone(
            folder / "airflow",
            repository / "dags",
            repository / "plugins",
            {CLUSTER: master.connection(extra)},
            {
                **QUICK_AIRFLOW,
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
                "AIRFLOW__KITWAI__CLUSTERS": CLUSTER,
                "AIRFLOW__KITWAI__STORE": url,
                "AIRFLOW__KITWAI__STEP": "1d",
                # How soon the one notices that the other is gone, and its tasks with it.
                "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
                "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
                "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
            },
            dag_ids=[DAG_ID],
        )
        try:
            with airflow:
                more = airflow.add_scheduler()
                yield SimpleNamespace(
                    airflow=airflow,
                    more=more,
                    pool=pool,
                    store=Store(url),
                    database=sa.create_engine(database),
                )
        finally:
            pool.stop_all()


def living(two) -> int:
    return sum(worker.alive for worker in two.pool.workers())


def query(two, text: str) -> list[tuple]:
    with two.database.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(text))]


def schedulers(two) -> list[tuple]:
    return query(
        two,
        "SELECT id, state FROM job WHERE job_type = 'SchedulerJob' AND state = 'running' "
        "AND latest_heartbeat > now() - interval '30 seconds'",
    )


def check_once(scalings) -> None:
    """Every decision was carried out once at most, and no two operations met."""
    assert len({one.decision_id for one in scalings}) == len(scalings)
    for one, following in pairwise(scalings):
        assert one.ended_at is None or one.ended_at <= following.started_at


def test_two_schedulers_scale_once(two, wait_for):
    wait_for(lambda: len(schedulers(two)) == 2, timeout_s=300)
    two.airflow.unpause(DAG_ID)
    # 3, 1, 3, 1 workers; queued at once, for either scheduler to take.
    runs = [two.airflow.trigger(DAG_ID, {} if at % 2 == 0 else {"N": 1}) for at in range(4)]
    for run_id in runs:
        assert two.airflow.wait_for_run(DAG_ID, run_id, timeout_s=300)["state"] == "success"
        for task in two.airflow.task_instances(DAG_ID, run_id):
            assert (task["state"], task["try_number"]) == ("success", 1)
    scalings = two.store.scalings(CLUSTER)
    check_once(scalings)
    assert all(one.ended_at is not None for one in scalings)
    started = sum(one.started for one in scalings)
    assert started - sum(one.removed for one in scalings) == living(two)
    # Each asked for another count than the one before: nothing was done beyond that.
    assert started >= 3
    assert len(scalings) <= len(runs) + 1  # and the one that Airflow schedules when unpaused
    took = query(
        two,
        "SELECT DISTINCT queued_by_job_id FROM task_instance WHERE queued_by_job_id IS NOT NULL",
    )
    assert {row[0] for row in took} <= {row[0] for row in schedulers(two)}


def test_the_other_scheduler_goes_on_when_one_is_killed_while_it_scales(two, wait_for):
    before = len(two.store.scalings(CLUSTER))
    two.airflow.wait_for_run(DAG_ID, two.airflow.trigger(DAG_ID, {"N": 1}), timeout_s=300)
    wait_for(lambda: living(two) == 1, timeout_s=300)
    killed_run = two.airflow.trigger(DAG_ID)
    victim = kill_while_it_scales(two, wait_for)
    following = two.airflow.trigger(DAG_ID)
    names: set[str] = set()
    most = 0
    deadline = time.monotonic() + 300
    state = None
    while state not in ("success", "failed"):
        assert time.monotonic() < deadline
        alive = {worker.name for worker in two.pool.workers() if worker.alive}
        names |= alive
        most = max(most, len(alive))
        runs = {run["dag_run_id"]: run["state"] for run in two.airflow.runs(DAG_ID)}
        state = runs[following]
        time.sleep(0.5)
    assert state == "success", f"{victim} was killed"
    # The other scheduler takes the task over, or gives it up; either way what was begun is not done
    # a second time.
    assert runs[killed_run] in ("success", "failed")
    assert most == living(two) == len(names) == 3
    completed = [one for one in two.store.scalings(CLUSTER)[before:] if one.ended_at is not None]
    check_once(completed)
    assert len(schedulers(two)) == 1


def kill_while_it_scales(two, wait_for) -> psutil.Process:
    """Kill the scheduler whose task scales, with all its processes. Spark's workers live on: each
    has a session of its own."""
    found: list[psutil.Process] = []

    def scaling() -> bool:
        with two.store.engine.connect() as connection:
            holder = connection.scalar(sa.select(Base.metadata.tables["kitwai_lease"].c.holder))
        under_way = [one for one in two.store.scalings(CLUSTER) if one.ended_at is None]
        if not holder or not under_way:
            return False
        process = psutil.Process(json.loads(holder)["pid"])
        found[:] = [one for one in process.parents() if "scheduler" in one.cmdline()]
        return bool(found)

    wait_for(scaling, timeout_s=300)
    scheduler = found[-1]
    session = os.getsid(scheduler.pid)
    for process in [scheduler, *scheduler.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getsid(process.pid) == session:
                process.kill()
    return scheduler
