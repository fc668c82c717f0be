"""How soon the loop acts, how long it looks away, and what it costs, for each schedule.

A worker dies while the cluster is to keep two workers. Such a change needs no application, and the
pool knows of it at once. The reaction ends with the launch of another worker.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from kitwai.errors import KitwaiError
from kitwai_lab.bench.look_gap import STARTING, LookGap, measure_look_gap
from kitwai_lab.bench.setup import STEP_DAG, Bench, bench
from kitwai_lab.local.airflow import session_members
from kitwai_lab.local.waiting import wait_until

_WORKERS = 2
_TIMEOUT_S = 120.0
_POLL_S = 0.1
_SETTLE_S = 10.0
# Changes come at any phase of a step.
_PHASE_S = 15.0


@dataclass(frozen=True, slots=True)
class Reaction:
    """What was measured under the schedule ``step``.

    ``reaction_s``: seconds from each change to the launch; ``cpu_s_per_minute``: Airflow's
    processor time; ``steps_per_minute``: both are means over the changes. ``look_gap``: the gaps
    between looks while workers start and drain.
    """

    step: str
    reaction_s: tuple[float, ...]
    cpu_s_per_minute: float
    steps_per_minute: float
    look_gap: LookGap

    @property
    def median_s(self) -> float:
        """Median reaction in seconds."""
        return statistics.median(self.reaction_s)


def measure_reaction(
    step: str, changes: int, progress: Callable[[str, float], None] = lambda *_: None
) -> Reaction:
    """Let ``changes`` workers die, one after another, under the schedule ``step``. Then let others
    start and drain.

    :raises KitwaiError: no worker was launched in time, or the cluster did not reach a target.
    """
    extra = {
        "min_workers": _WORKERS,
        "max_workers": _WORKERS + STARTING,
        **dict.fromkeys(("quiet", "cooldown_out", "cooldown_in"), 0),
    }
    with bench(step, extra) as where:
        _wait_for_workers(where)
        began, cpu_began = time.monotonic(), _cpu_seconds(where)
        known = {run["dag_run_id"] for run in where.airflow.runs(STEP_DAG)}
        reactions = []
        for _ in range(changes):
            time.sleep(_SETTLE_S + random.uniform(0, _PHASE_S))
            reactions.append(_react(where))
            progress(step, reactions[-1])
            _wait_for_workers(where)
        minutes = (time.monotonic() - began) / 60
        steps = {run["dag_run_id"] for run in where.airflow.runs(STEP_DAG)} - known
        cpu_s = _cpu_seconds(where) - cpu_began
        return Reaction(
            step=step,
            reaction_s=tuple(reactions),
            cpu_s_per_minute=cpu_s / minutes,
            steps_per_minute=len(steps) / minutes,
            look_gap=measure_look_gap(where, _WORKERS),
        )


def _react(where: Bench) -> float:
    victim = next(worker for worker in where.pool.workers() if worker.alive)
    where.pool.stop(victim)
    changed_at = time.time()
    launches: list[float] = []

    def launched() -> bool:
        workers = where.pool.workers()
        launches.extend(w.started_at for w in workers if w.alive and w.started_at > changed_at)
        return bool(launches)

    late = KitwaiError(f"No worker was launched within {_TIMEOUT_S:.0f} s of another's death.")
    wait_until(launched, _TIMEOUT_S, late, _POLL_S)
    return launches[0] - changed_at


def _wait_for_workers(where: Bench) -> None:
    late = KitwaiError(f"The cluster did not reach {_WORKERS} workers: {where.airflow.log}.")
    wait_until(
        lambda: sum(worker.alive for worker in where.pool.workers()) >= _WORKERS,
        _TIMEOUT_S,
        late,
        _POLL_S,
    )


def _cpu_seconds(where: Bench) -> float:
    """Processor time of Airflow so far, its ended tasks included."""
    total = 0.0
    for process in session_members(where.airflow.session or 0):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total
