"""The approve DAG: a person is asked, and what is approved is carried out.

Steps of the autoscale DAG trigger it for clusters in mode approve, and go on while a person thinks.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from kitwai.operators.approve import AskOperator, ScaleApprovedOperator

_OF_STEP = "As the step was asked for."

with DAG(
    "kitwai_approve",
    description="Asks a person before a cluster in mode approve is scaled.",
    schedule=None,
    # It does nothing by itself: a cluster in mode approve needs no more than its mode.
    is_paused_upon_creation=False,
    # One a cluster, and those that wait for their end.
    max_active_runs=64,
    max_active_tasks=64,
    tags=["kitwai"],
    params={
        "cluster": Param(None, type=["null", "string"], title="Cluster"),
        "approval": Param(None, type=["null", "integer"], title="The question"),
        "N": Param(None, type=["null", "integer"], minimum=1, description=_OF_STEP),
        "T": Param(None, type=["null", "string"], description=_OF_STEP),
        "mode": Param(None, type=["null", "string"], description=_OF_STEP),
    },
):  # fmt: skip
    ask = AskOperator(task_id="ask", approval="{{ params.approval }}")
    scale = ScaleApprovedOperator(
        task_id="scale",
        cluster="{{ params.cluster }}",
        approval="{{ params.approval }}",
        # Another operation may hold the lease for a moment.
        retries=3,
        retry_delay=timedelta(seconds=10),
    )
    ask >> scale
