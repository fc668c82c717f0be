"""One real Airflow and one real Spark master with a worker for all tests of this folder."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from kitwai.pools.local.local_pool import LocalWorkerPool
from kitwai.store.store import Store
from kitwai_lab.local.airflow import AirflowStandalone
from kitwai_lab.local.spark import SparkMaster
from quick_airflow import QUICK_AIRFLOW
from sharing import shared_part

CLUSTER = "test_cluster"
BROKEN = "broken_cluster"
DAG_ID = "kitwai_autoscale"
DAGS = (DAG_ID, "kitwai_approve", "kitwai_example_spark_job", "kitwai_train", "kitwai_models")


@dataclass
class Setup:
    airflow: AirflowStandalone
    master: SparkMaster
    pool: LocalWorkerPool
    store: Store
    modules: Path
    models: Path
    event_logs: Path
    notices: Path

    def run(self, dag_id: str = DAG_ID, **params: Any) -> tuple[str, str]:
        """One run of a DAG to its end: its id and its state."""
        run_id = self.airflow.trigger(dag_id, params)
        return run_id, self.airflow.wait_for_run(dag_id, run_id, timeout_s=240)["state"]

    def client(self, user: str | None = None) -> httpx.Client:
        """Another client of Airflow, logged in as ``user``."""
        client = httpx.Client(base_url=self.airflow.url, timeout=20.0)
        if user is not None:
            file = self.airflow.home / "simple_auth_manager_passwords.json.generated"
            login = {"username": user, "password": json.loads(file.read_text())[user]}
            token = client.post("/auth/token", json=login).json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
        return client

    def workers(self) -> int:
        return sum(worker.alive for worker in self.pool.workers())


_ended = ExitStack()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    """End the shared Airflow after its last test: others need the processor."""
    if nextitem is None or shared_part(nextitem.path) != "airflow":
        _ended.close()


@pytest.fixture(scope="session")
def setup(tmp_path_factory, repository, new_database):
    yield _ended.enter_context(_setup(tmp_path_factory, repository, new_database("airflow")))
    _ended.close()  # also when the tests are interrupted


@contextmanager
def _setup(tmp_path_factory, repository, database):
    folder = tmp_path_factory.mktemp("setup")
    modules = folder / "modules"
    modules.mkdir()
    # The repository's plugins folder as it is, with a listener of the tests beside it.
    plugins = folder / "plugins"
    plugins.mkdir()
    for source in (
        repository / "plugins" / "kitwai",
        repository / "plugins" / ".airflowignore",
        repository / "tests" / "real" / "airflow" / "plugins" / "loaded_modules.py",
        repository / "tests" / "real" / "airflow" / "plugins" / "told_to_file.py",
    ):
        (plugins / source.name).symlink_to(source)
    with SparkMaster(folder / "master") as master:
        pool = LocalWorkerPool(master.url, folder / "pool", cores=2, memory_mb=1024)
        extra = {
            "pool": "local",
            "pool_directory": str(folder / "pool"),
            "worker_cores": 2,
            "worker_memory_mb": 1024,
            "max_workers": 3,
            "min_workers": 2,
            "quiet": 0,
            "cooldown_out": 0,
            "cooldown_in": 0,
        }
        url = f"sqlite:///{folder / 'kitwai.db'}"
        models, event_logs = folder / "models", folder / "event_logs"
        shutil.copytree(repository / "include" / "models", models)
        event_logs.mkdir()
        airflow = AirflowStandalone(
            folder / "airflow",
            repository / "dags",
            plugins,
            connections={
                CLUSTER: master.connection(extra),
                BROKEN: master.connection({"max_worker": 3}),
            },
            env={
                **QUICK_AIRFLOW,
                # On SQLite its scheduler and its API are in each other's way.
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
                "AIRFLOW__KITWAI__CLUSTERS": f"{CLUSTER},{BROKEN}",
                "AIRFLOW__KITWAI__STORE": url,
                # The tests trigger every step themselves.
                "AIRFLOW__KITWAI__STEP": "1d",
                "AIRFLOW__KITWAI__MODELS": str(models),
                "AIRFLOW__KITWAI__EVENT_LOGS": str(event_logs),
                # A short training on limits that small applications can miss.
                "AIRFLOW__KITWAI__GRID": "N=1..6,T=15s,20s,25s",
                "AIRFLOW__KITWAI__EFFORT": "0.05",
                "AIRFLOW__KITWAI__COLLECT_TASKS": "1",
                "KITWAI_TEST_MODULES": str(modules),
                "AIRFLOW__KITWAI__NOTIFIERS": "told_to_file:ToFile",
                "KITWAI_TEST_NOTICES": str(folder / "notices"),
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
            },
            dag_ids=DAGS,
        )
        try:
            pool.start(1)
            with airflow:
                for dag_id in DAGS:
                    airflow.unpause(dag_id)
                yield Setup(
                    airflow, master, pool, Store(url), modules, models, event_logs,
                    folder / "notices",
                )  # fmt: skip
        finally:
            pool.stop_all()
