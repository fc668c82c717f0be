"""The autoscale DAG: observe -> decide -> scale, one run a step, over the configured clusters.

Each cluster has three tasks of its own, or shares one with others (`clusters_per_task`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param, task_group

from kitwai.config.options import CONTINUOUS, clusters, clusters_per_task, step_seconds
from kitwai.operators.decide import DecideOperator
from kitwai.operators.observe import ObserveOperator
from kitwai.operators.scale import ScaleOperator
from kitwai.operators.steps import StepsOperator

_seconds = step_seconds()
_ASKED = "Empty: as the cluster's connection says."

with DAG(
    "kitwai_autoscale",
    description="Scales Spark clusters so that every application meets its limit.",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    schedule=CONTINUOUS if _seconds is None else timedelta(seconds=_seconds),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=5),
    tags=["kitwai"],
    params={
        "clusters": Param(
            None, type=["null", "array"], items={"type": "string"}, title="Clusters",
            description="Connection ids; empty: all configured ones.",
        ),
        "N": Param(None, type=["null", "integer"], minimum=1, title="N, the most workers",
                   description=_ASKED),
        "T": Param(None, type=["null", "string"], title="T, the time limit (such as 10min)",
                   description=_ASKED),
        "mode": Param(None, type=["null", "string"], enum=[None, "suggest", "approve", "auto"],
                      title="Mode", description=_ASKED),
    },
):  # fmt: skip

    @task_group
    def step(cluster: str) -> None:
        """One step on one cluster."""
        observe = ObserveOperator(task_id="observe", cluster=cluster)
        decide = DecideOperator(task_id="decide", cluster=cluster, observation=observe.output)
        ScaleOperator(task_id="scale", cluster=cluster, decision=decide.output)

    if (_together := clusters_per_task()) == 1:
        step.expand(cluster=clusters())
    else:
        _all = clusters()
        StepsOperator.partial(task_id="steps").expand(
            clusters=[_all[at : at + _together] for at in range(0, len(_all), _together)]
        )
