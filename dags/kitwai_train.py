"""The training DAG: a day of event logs -> a judged version of the agent, and perhaps a champion.

Backfill it over months of logs, and there is an agent that knows the house's applications.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from kitwai.operators.training import (
    CollectOperator,
    EvaluateOperator,
    IngestOperator,
    PromoteOperator,
    TrainOperator,
)

_ASKED = "Empty: as the section [kitwai] of Airflow's configuration says."

with DAG(
    "kitwai_train",
    description="Learns from the event logs of a day, and promotes what has become better.",
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    # Everything can be repeated: each task replaces its own files whole.
    default_args={"retries": 2, "retry_delay": timedelta(seconds=10)},
    dagrun_timeout=timedelta(hours=2),
    tags=["kitwai"],
    params={
        "grid": Param(None, type=["null", "string"], title="Constraints, as N=1..10,T=5..10m",
                      description=_ASKED),
        "seed": Param(None, type=["null", "integer"], minimum=0, title="Seed", description=_ASKED),
        "effort": Param(None, type=["null", "number"], exclusiveMinimum=0, maximum=10,
                        title="Share of the usual training", description=_ASKED),
    },
):  # fmt: skip
    ingest = IngestOperator(task_id="ingest")
    collect = CollectOperator.partial(task_id="collect").expand(chunk=ingest.output)
    train = TrainOperator(task_id="train", parts=ingest.output)
    evaluate = EvaluateOperator(task_id="evaluate", parts=ingest.output)
    promote = PromoteOperator(task_id="promote", judged=evaluate.output)
    collect >> train >> evaluate >> promote
