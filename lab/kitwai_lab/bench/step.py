"""What a step costs: its wall time against that of an empty DAG in the same Airflow."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from kitwai_lab.bench.setup import EMPTY_DAG, STEP_DAG, bench, timed_run
from kitwai_lab.local.airflow import AirflowStandalone


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Seconds from trigger to success of each run."""

    empty_s: tuple[float, ...]
    step_s: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median of a step over median of an empty run."""
        return statistics.median(self.step_s) / statistics.median(self.empty_s)


def measure_step(
    runs: int, warm_up: int = 2, progress: Callable[[str, float], None] = lambda *_: None
) -> StepTimes:
    """Run both DAGs in turn, ``warm_up`` times unmeasured, then ``runs`` times.

    :param progress: called with the DAG's id and its seconds after each run.
    :raises KitwaiError: a run failed.
    """
    times: dict[str, list[float]] = {EMPTY_DAG: [], STEP_DAG: []}
    # Nothing but the triggered runs is to run: the next scheduled one is a day away.
    with bench(step="1d") as where:
        _wait_until_idle(where.airflow)
        for number in range(warm_up + runs):
            for dag_id, measured in times.items():
                seconds, _ = timed_run(where.airflow, dag_id)
                if number >= warm_up:
                    measured.append(seconds)
                    progress(dag_id, seconds)
    return StepTimes(tuple(times[EMPTY_DAG]), tuple(times[STEP_DAG]))


def _wait_until_idle(airflow: AirflowStandalone) -> None:
    for run in airflow.runs(STEP_DAG):
        airflow.wait_for_run(STEP_DAG, run["dag_run_id"])
