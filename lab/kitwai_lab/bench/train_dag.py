"""What a run of the training DAG takes under a real Airflow, and how much of it is Airflow's own.

The event logs are of real Spark applications, repeated under other ids until there are enough.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from kitwai.errors import KitwaiError
from kitwai_lab.bench.event_logs import make_event_logs, shifted
from kitwai_lab.local.airflow import AirflowStandalone
from kitwai_lab.local.checkout import repository

DAG = "kitwai_train"
_DAY = date(2026, 1, 5)
_TIMEOUT_S = 1200.0


@dataclass(frozen=True, slots=True)
class TrainTimes:
    """What a run took.

    ``wall_s``: seconds from its start to its end; ``busy_s``: those in which at least one task did
    its own work; ``tasks``: seconds of each task's work; ``verdict``: what the gate said.
    """

    applications: int
    wall_s: float
    busy_s: float
    tasks: dict[str, float]
    verdict: str

    @property
    def overhead(self) -> float:
        """Airflow's share of the wall time: scheduling, starting processes, importing itself."""
        return 1.0 - self.busy_s / self.wall_s


def measure_train_dag(
    applications: int, progress: Callable[[str], None] = lambda text: None
) -> TrainTimes:
    """Run the training DAG once, with its usual settings.

    :param applications: of the one day that the DAG learns from.
    :raises KitwaiError: an application or the run failed.
    """
    root = repository()
    with tempfile.TemporaryDirectory(prefix="kitwai-bench-") as name:
        folder = Path(name)
        progress("running Spark applications for their event logs")
        logs = make_event_logs(folder / "real")
        (folder / "logs").mkdir()
        for number in range(applications):
            begin = datetime(_DAY.year, _DAY.month, _DAY.day, 1, tzinfo=UTC)
            begin += timedelta(minutes=5 * number)
            app = f"app-{begin:%Y%m%d%H%M}-{number:04d}"
            shifted(logs[number % len(logs)], folder / "logs" / app, begin, app)
        (folder / "dags").mkdir()
        (folder / "dags" / f"{DAG}.py").symlink_to(root / "dags" / f"{DAG}.py")
        shutil.copytree(root / "include" / "models", folder / "models")
        settings = {
            "EVENT_LOGS": folder / "logs",
            "MODELS": folder / "models",
            "TRAINING": folder / "training",
        }
        airflow = AirflowStandalone(
            folder / "airflow",
            folder / "dags",
            root / "plugins",
            env={f"AIRFLOW__KITWAI__{key}": str(value) for key, value in settings.items()},
            dag_ids=[DAG],
        )
        with airflow:
            airflow.unpause(DAG)
            progress(f"training on {applications} applications")
            (run,) = airflow.backfill(DAG, _DAY, _DAY)
            return _times(airflow, run["dag_run_id"], applications)


def _times(airflow: AirflowStandalone, run_id: str, applications: int) -> TrainTimes:
    run = airflow.wait_for_run(DAG, run_id, _TIMEOUT_S)
    if run["state"] != "success":
        raise KitwaiError(f"A run of {DAG} ended in state {run['state']}; see {airflow.log}.")
    began, ended = _moment(run["start_date"]), _moment(run["end_date"])
    worked: dict[str, tuple[float, float]] = {}
    for task in airflow.task_instances(DAG, run_id):
        index = task["map_index"]
        seconds = airflow.xcom(DAG, run_id, task["task_id"], "seconds", map_index=index)
        if seconds is not None:
            name = task["task_id"] if index < 0 else f"{task['task_id']}[{index}]"
            end = _moment(task["end_date"])
            worked[name] = (end - float(seconds), end)
    return TrainTimes(
        applications=applications,
        wall_s=ended - began,
        busy_s=_union(list(worked.values())),
        tasks={name: round(end - begin, 1) for name, (begin, end) in worked.items()},
        verdict=str(run["note"]),
    )


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _union(spans: list[tuple[float, float]]) -> float:
    """Length of what the spans (begin, end) cover together."""
    total, until = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total
