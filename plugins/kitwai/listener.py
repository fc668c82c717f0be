"""Writes why a version was promoted or not into the note of the run, where people look first.

A task cannot set the note of its run (Airflow 3.3); a listener in the scheduler can. What it writes
is the verdict that the run's task has left in the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

_DAGS = ("kitwai_train", "kitwai_models")
_MARK = "Kitwai: "
_MOST = 1000


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Set the note, unless a person has written one."""
    if dag_run.dag_id not in _DAGS or not (dag_run.note or _MARK).startswith(_MARK):
        return
    from kitwai.config import store_url
    from kitwai.store.store import Store
    from kitwai.store.training import TrainingStore

    store = Store(store_url())
    try:
        verdicts = TrainingStore(store.engine).verdicts(f"{dag_run.dag_id}/{dag_run.run_id}")
    finally:
        store.engine.dispose()
    if verdicts:
        newest = verdicts[-1]
        dag_run.note = f"{_MARK}{newest.version} {newest.verdict}. {newest.reason}"[:_MOST]
