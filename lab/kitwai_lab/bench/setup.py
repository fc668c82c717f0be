"""One real Airflow, one real Spark master with a worker: where `kitwai bench` measures."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kitwai
from kitwai.pools.local.local_pool import LocalWorkerPool
from kitwai_lab.demo.claim import claim
from kitwai_lab.local.airflow import AirflowStandalone
from kitwai_lab.local.spark import SparkMaster

STEP_DAG = "kitwai_autoscale"
EMPTY_DAG = "kitwai_bench_empty"
_CLUSTER = "spark_bench"


@dataclass(frozen=True, slots=True)
class Bench:
    """What runs: Airflow with the autoscale DAG and the empty one, and the cluster's pool."""

    airflow: AirflowStandalone
    pool: LocalWorkerPool


@contextmanager
def bench(
    step: str,
    extra: Mapping[str, Any] | None = None,
    *,
    clusters: Sequence[str] = (_CLUSTER,),
    env: Mapping[str, str] | None = None,
) -> Iterator[Bench]:
    """Start all of it in a temporary folder; on leaving, end it and remove the folder.

    :param step: time between two steps of the autoscale DAG, as in ``[kitwai] step``.
    :param extra: fields of the connection's extra, in addition to those of the pool.
    :param clusters: connection ids, all of the one cluster; ``env``: more for Airflow.
    """
    repository = Path(kitwai.__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory(prefix="kitwai-bench-") as name:
        folder = Path(name)
        dags = folder / "dags"
        dags.mkdir()
        for source in (
            repository / "dags" / "kitwai_autoscale.py",
            Path(__file__).parent / "dags" / "empty_step.py",
        ):
            (dags / source.name).symlink_to(source)
        with claim(folder), SparkMaster(folder / "master") as master:
            pool = LocalWorkerPool(master.url, folder / "pool")
            pool.start(1)
            connection = master.connection(
                {
                    "mode": "auto",
                    "pool": "local",
                    "pool_directory": str(pool.directory),
                    **(extra or {}),
                }
            )
            airflow = AirflowStandalone(
                folder / "airflow",
                dags,
                repository / "plugins",
                dict.fromkeys(clusters, connection),
                {
                    "AIRFLOW__KITWAI__CLUSTERS": ",".join(clusters),
                    "AIRFLOW__KITWAI__STEP": step,
                    **(env or {}),
                },
                dag_ids=[STEP_DAG, EMPTY_DAG],
            )
            with airflow:
                for dag_id in (STEP_DAG, EMPTY_DAG):
                    airflow.unpause(dag_id)
                yield Bench(airflow, pool)
