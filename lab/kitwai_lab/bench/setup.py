"""One real Airflow, one real Spark master with a worker: where `kitwai bench` measures."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from kitwai.errors import KitwaiError
from kitwai.pools.local.local_pool import LocalWorkerPool
from kitwai_lab.demo.claim import claim
from kitwai_lab.local.airflow import AirflowStandalone
from kitwai_lab.local.checkout import repository
from kitwai_lab.local.cluster import LocalCluster

STEP_DAG = "kitwai_autoscale"
EMPTY_DAG = "kitwai_bench_empty"
CLUSTER = "spark_bench"


@dataclass(frozen=True, slots=True)
class Bench:
    """What runs: Airflow with the autoscale DAG and the empty one, and the cluster."""

    airflow: AirflowStandalone
    cluster: LocalCluster

    @property
    def pool(self) -> LocalWorkerPool:
        """The cluster's pool."""
        return self.cluster.pool

    @property
    def store_url(self) -> str:
        """Database URL of Kitwai's store."""
        return f"sqlite:///{self.airflow.home / 'kitwai.db'}"


@contextmanager
def bench(
    step: str,
    extra: Mapping[str, Any] | None = None,
    *,
    clusters: Sequence[str] = (CLUSTER,),
    env: Mapping[str, str] | None = None,
) -> Iterator[Bench]:
    """Start Airflow and a cluster with one worker in a temporary folder, and end all on leaving.

    :param step: time between two steps of the autoscale DAG, as in ``[kitwai] step``.
    :param extra: fields of the connection's extra, in addition to those of the pool.
    :param clusters: connection ids, all of the one cluster.
    :param env: further environment variables of Airflow.
    """
    root = repository()
    with tempfile.TemporaryDirectory(prefix="kitwai-bench-") as name:
        folder = Path(name)
        dags = folder / "dags"
        dags.mkdir()
        for source in (
            root / "dags" / "kitwai_autoscale.py",
            Path(__file__).parent / "dags" / "empty_step.py",
        ):
            (dags / source.name).symlink_to(source)
        with claim(folder), LocalCluster(folder) as cluster:
            cluster.pool.start(1)
            connection = cluster.connection(**(extra or {}))
            airflow = AirflowStandalone(
                folder / "airflow",
                dags,
                root / "plugins",
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
                yield Bench(airflow, cluster)


def timed_run(
    airflow: AirflowStandalone, dag_id: str, timeout_s: float = 120.0
) -> tuple[float, dict[str, Any]]:
    """Trigger a run and wait for its success.

    :returns: seconds from the trigger to the run's end, and the run as the API gives it.
    :raises KitwaiError: the run failed, or took longer than ``timeout_s``.
    """
    triggered_at = time.time()
    run = airflow.wait_for_run(dag_id, airflow.trigger(dag_id), timeout_s)
    if run["state"] != "success":
        raise KitwaiError(f"A run of {dag_id} ended in state {run['state']}; see {airflow.log}.")
    # Airflow's own end, not the moment at which it was noticed.
    return datetime.fromisoformat(run["end_date"]).timestamp() - triggered_at, run
