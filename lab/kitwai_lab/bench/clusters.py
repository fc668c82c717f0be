"""How long a round of steps on many clusters takes, and where the time goes.

Airflow is real, and so is the Postgres of Kitwai's store. The masters only answer
(`kitwai_lab.bench.masters`).
"""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kitwai.errors import KitwaiError
from kitwai_lab.bench.masters import SimulatedMasters
from kitwai_lab.bench.setup import STEP_DAG, timed_run
from kitwai_lab.local.airflow import AirflowStandalone
from kitwai_lab.local.checkout import repository
from kitwai_lab.local.postgres import Postgres

_PARTS = ("observe", "decide", "scale")
_WHOLE = ("steps",)
_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Rounds:
    """What the rounds took. A round is a run of the autoscale DAG for all clusters.

    ``round_s``: seconds of each round; ``tasks``: tasks of a round; ``task_s``: median seconds of a
    task by the part of a step that it does, over the API's first page; ``decisions``: those that
    all rounds have stored.
    """

    clusters: int
    round_s: tuple[float, ...]
    tasks: int
    task_s: dict[str, float]
    decisions: int

    @property
    def decisions_per_s(self) -> float:
        """Decisions a second of a round."""
        return self.clusters / statistics.median(self.round_s)


def measure_clusters(
    clusters: int,
    rounds: int,
    clusters_per_task: int = 1,
    progress: Callable[[str], None] = lambda _: None,
) -> Rounds:
    """Run ``rounds`` rounds on ``clusters`` clusters, after one that is not measured.

    :param clusters_per_task: clusters that share a task; with 1 each cluster has three tasks.
    :raises KitwaiError: a round failed or took over ten minutes, or a decision is missing.
    """
    from kitwai.store.store import Store

    root = repository()
    names = [f"cluster_{number:03}" for number in range(clusters)]
    with (
        tempfile.TemporaryDirectory(prefix="kitwai-bench-") as folder,
        Postgres() as postgres,
        SimulatedMasters(clusters) as masters,
    ):
        store_url = postgres.database("store")
        airflow = AirflowStandalone(
            Path(folder) / "airflow",
            root / "dags",
            root / "plugins",
            {
                name: {"conn_type": "spark_cluster", "host": "127.0.0.1", "port": port}
                for name, port in zip(names, masters.ports, strict=True)
            },
            {
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.database("airflow"),
                "AIRFLOW__KITWAI__CLUSTERS": ",".join(names),
                "AIRFLOW__KITWAI__STORE": store_url,
                "AIRFLOW__KITWAI__STEP": "1d",
                "AIRFLOW__KITWAI__CLUSTERS_PER_TASK": str(clusters_per_task),
            },
            dag_ids=[STEP_DAG],
        )
        store = Store(store_url)
        measured, tasks = [], []
        with airflow:
            airflow.unpause(STEP_DAG)
            for number in range(rounds + 1):
                seconds, run = timed_run(airflow, STEP_DAG, _TIMEOUT_S)
                progress(f"round {number}{'' if number else ', not counted'}: {seconds:.1f} s")
                if number > 0:
                    measured.append(seconds)
                    tasks += airflow.task_instances(STEP_DAG, run["dag_run_id"])
        decisions = [len(store.decisions(name)) for name in names]
        if min(decisions) < rounds + 1:
            raise KitwaiError(
                f"A cluster has {min(decisions)} decisions after {rounds + 1} rounds."
            )
    parts = _PARTS if clusters_per_task == 1 else _WHOLE
    return Rounds(
        clusters,
        tuple(measured),
        len(parts) * math.ceil(clusters / clusters_per_task),
        {part: _median_s(tasks, part) for part in parts},
        sum(decisions),
    )


def _median_s(tasks: list[dict[str, Any]], part: str) -> float:
    return statistics.median(
        float(task["duration"]) for task in tasks if task["task_id"].endswith(part)
    )
