"""The champion by hand: promote a version, or roll back to the champion before."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from kitwai.operators.promote import ChangeChampionOperator

with DAG(
    "kitwai_models",
    description="Promotes a version of the agent, or restores the champion before.",
    schedule=None,
    max_active_runs=1,
    tags=["kitwai"],
    params={
        "action": Param("rollback", enum=["rollback", "promote"], title="Action"),
        "version": Param(None, type=["null", "string"], title="Version to promote"),
    },
):
    ChangeChampionOperator(
        task_id="change",
        action="{{ params.action }}",
        version="{{ params.version or '' }}",
    )
