"""How long a step takes, against an empty three-task DAG in the same Airflow at the same time."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kitwai.bench.setup import AUTOSCALE, EMPTY, Bench, running_bench
from kitwai.errors import KitwaiError
from kitwai.sandbox.processes import stop_trees
from kitwai.sandbox.spark import submit

_WARM_UPS = 2


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Seconds from trigger to end, round by round."""

    empty_s: tuple[float, ...]
    step_s: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median step over median empty DAG."""
        return statistics.median(self.step_s) / statistics.median(self.empty_s)


def bench_step(rounds: int, progress: Callable[[int], None] = lambda done: None) -> StepTimes:
    """Trigger the empty DAG and a step in turn, ``rounds`` times after two warm-ups each.

    The cluster has one worker and one application that runs meanwhile.

    :raises KitwaiError: a run failed.
    """
    import psutil

    empty, step = [], []
    with running_bench(step="1d", workers=1, timeout="8s") as bench:
        driver = submit(
            bench.master.url,
            Path(__file__).parent / "waiting_application.py",
            ["100000"],
            log=bench.folder / "application.log",
        )
        try:
            for index in range(rounds + _WARM_UPS):
                times = _seconds(bench, EMPTY), _seconds(bench, AUTOSCALE)
                if index >= _WARM_UPS:
                    empty.append(times[0])
                    step.append(times[1])
                progress(index + 1)
        finally:
            stop_trees([psutil.Process(driver.pid)])
    return StepTimes(tuple(empty), tuple(step))


def _seconds(bench: Bench, dag_id: str) -> float:
    run_id = bench.airflow.trigger(dag_id)
    run = bench.airflow.wait_for_run(dag_id, run_id)
    if run["state"] != "success":
        raise KitwaiError(f"Run {run_id} of {dag_id} failed; nothing was measured.")
    begun, ended = (datetime.fromisoformat(run[name]) for name in ("queued_at", "end_date"))
    return (ended - begun).total_seconds()
