"""When a question that the approve DAG puts can be answered."""

from __future__ import annotations

from urllib.parse import quote

from kitwai.actions.approve import ASK_TASK, DAG_ID


def wait_until_asked(airflow, run_id: str, wait_for) -> None:
    """Until the task waits for its answer, and the scheduler has seen its process end.

    Airflow 3.3 fails a task that was answered before that, within a second of asking: it finds it
    queued anew when it hears that it has ended.
    """
    task = f"/api/v2/dags/{DAG_ID}/dagRuns/{quote(run_id)}/taskInstances/{ASK_TASK}"
    wait_for(lambda: airflow.api.get(task).json()["state"] == "awaiting_input")
    key = f"TaskInstanceKey(dag_id='{DAG_ID}', task_id='{ASK_TASK}', run_id='{run_id}'"
    seen = f"Received executor event with state success for task instance {key}"
    wait_for(lambda: seen in airflow.log.read_text(errors="replace"))
