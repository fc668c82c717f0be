"""Until when a step may look on: the next run of its DAG must not find it at work."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import Context

RESERVE_S = 3.0
"""Seconds before the next run is due at which a step ends: Airflow has to end the task, then the
run, and has to start the next one."""


def may_stay_until(context: Context) -> float:
    """The moment (epoch seconds) at which a task of ``context`` has to be over.

    A DAG without a schedule sets no such moment. Where the time between two runs is not known, as
    when one run follows another without a pause, the moment is past at once.
    """
    dag, run = context.get("dag"), context.get("dag_run")
    if dag is None or run is None or dag.schedule is None:
        return math.inf
    if not isinstance(dag.schedule, timedelta):
        return -math.inf
    return run.run_after.timestamp() + dag.schedule.total_seconds() - RESERVE_S


def time_left(until: float, most_s: float, now: float) -> float:
    """Seconds from ``now`` on in which a step may look on: up to ``until``, ``most_s`` at most."""
    return max(0.0, min(most_s, until - now))
