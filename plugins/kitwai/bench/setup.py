"""What the benchmarks run on: a real Airflow and a real Spark cluster in a temporary folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kitwai
from kitwai.pools.local import LocalWorkerPool
from kitwai.sandbox.airflow import AirflowStandalone
from kitwai.sandbox.spark import SparkMaster
from kitwai.store.store import Store

CLUSTER = "spark_bench"
AUTOSCALE = "kitwai_autoscale"
EMPTY = "kitwai_bench_empty"


@dataclass(frozen=True, slots=True)
class Bench:
    """The running parts."""

    airflow: AirflowStandalone
    master: SparkMaster
    pool: LocalWorkerPool
    store: Store
    folder: Path


@contextmanager
def running_bench(*, step: str, workers: int, **extra: Any) -> Iterator[Bench]:
    """Start master, ``workers`` workers and Airflow with its DAGs unpaused; end all of it after.

    :param step: option ``step`` of `[kitwai]`; ``extra``: fields of the cluster's connection.
    """
    root = Path(kitwai.__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory(prefix="kitwai-bench-") as name:
        folder = Path(name)
        dags = folder / "dags"
        dags.mkdir()
        for source in (
            root / "dags" / f"{AUTOSCALE}.py",
            Path(__file__).parent / "dags" / "empty_step.py",
        ):
            (dags / source.name).symlink_to(source)
        store_url = f"sqlite:///{folder / 'kitwai.db'}"
        with SparkMaster(folder / "master") as master:
            pool = LocalWorkerPool(master.url, folder / "pool", cores=2, memory_mb=1024)
            address = urlsplit(master.web_url)
            connection = {
                "conn_type": "spark_cluster",
                "host": address.hostname,
                "port": address.port,
                "extra": {
                    "master": master.url,
                    "pool": "local",
                    "pool_directory": str(pool.directory),
                    "worker_memory_mb": pool.memory_mb,
                    **extra,
                },
            }
            airflow = AirflowStandalone(
                folder / "airflow",
                dags,
                root / "plugins",
                {CLUSTER: connection},
                {
                    "AIRFLOW__KITWAI__CLUSTERS": CLUSTER,
                    "AIRFLOW__KITWAI__STORE": store_url,
                    "AIRFLOW__KITWAI__STEP": step,
                },
                dag_ids=[AUTOSCALE, EMPTY],
            )
            try:
                pool.start(workers)
                with airflow:
                    airflow.unpause(EMPTY)
                    airflow.unpause(AUTOSCALE)
                    yield Bench(airflow, master, pool, Store(store_url), folder)
            finally:
                pool.stop_all()
