"""The button on a step's tasks that leads to what the page shows of them.

Airflow asks for the address in the API server, when a person looks at the task: the step itself
pays nothing for it. The button itself is asked for by every process that reads DAGs, so that the
imports stand where the address is made.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

from kitwai.operators.decide import DecideOperator
from kitwai.operators.observe import ObserveOperator
from kitwai.operators.scale import ScaleOperator
from kitwai.operators.steps import StepsOperator


class PageLink(BaseOperatorLink):
    """To the decision of the step, before there is one to its cluster, of several to all."""

    name = "Kitwai"
    operators: ClassVar[list[Any]] = [ObserveOperator, DecideOperator, ScaleOperator, StepsOperator]

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address; :param ti_key: of the task instance."""
        import sqlalchemy as sa
        from airflow.api_fastapi.app import get_cookie_path
        from airflow.models.renderedtifields import RenderedTaskInstanceFields
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session

        page = f"{get_cookie_path()}kitwai/"
        decide = f"{ti_key.task_id.rpartition('.')[0]}.decide".lstrip(".")
        with create_session() as session:
            decided = session.scalar(
                sa.select(XComModel.value).where(
                    *_of(XComModel, ti_key, decide), XComModel.key == "return_value"
                )
            )
            fields = session.scalar(
                sa.select(RenderedTaskInstanceFields.rendered_fields).where(
                    *_of(RenderedTaskInstanceFields, ti_key, ti_key.task_id)
                )
            )
        if isinstance(decided, str):
            # Airflow keeps the JSON as text on some ways.
            decided = json.loads(decided)
        if isinstance(decided, dict) and isinstance(decided.get("decision_id"), int):
            return f"{page}#/decisions/{decided['decision_id']}"
        cluster = (fields or {}).get("cluster")
        return f"{page}#/clusters/{quote(cluster, safe='')}" if isinstance(cluster, str) else page


def _of(table: Any, ti_key: Any, task_id: str) -> tuple[Any, ...]:
    return (
        table.dag_id == ti_key.dag_id,
        table.run_id == ti_key.run_id,
        table.task_id == task_id,
        table.map_index == ti_key.map_index,
    )
