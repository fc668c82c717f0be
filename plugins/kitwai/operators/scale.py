"""The last part of a step: make the pool reach the target."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, get_current_context
from airflow.sdk.exceptions import AirflowRuntimeError, DagRunTriggerException

from kitwai.operators.base import ClusterOperator
from kitwai.operators.due import may_stay_until, time_left

if TYPE_CHECKING:
    from airflow.sdk import Context

    from kitwai.core.decide.notices import Notice
    from kitwai.hooks.spark_cluster import SparkClusterHook
    from kitwai.store.steps import StoredDecision
    from kitwai.store.store import Store

STEP = Asset("kitwai_step")
"""Has an event for every step that ended, and for every approved change. Its extra: ``cluster``,
``decision_id``, ``present``, ``target``, ``mode``, ``reason``, ``done``, and ``notices`` where
there are any (`kitwai.core.decide.notices.Notice`).
"""


class ScaleOperator(ClusterOperator):
    """Carries a decision out, if its mode says so, or has a person asked in mode approve. Doing it
    twice changes nothing more.

    :param cluster: connection id of the cluster. (templated)
    :param decision: what `DecideOperator` returned. (templated)
    :param wait_s: most seconds to look on while workers register and drain. It looks on only until
        the next run of the DAG is due; the next step continues what is unfinished.

    Returns ``{"done", ...}``: what was done in one word, and how many workers came and went.
    """

    template_fields: Sequence[str] = ("cluster", "decision")
    ui_color = "#f4e1e1"

    def __init__(self, *, decision: Any, wait_s: float = 30.0, **kwargs: Any) -> None:
        super().__init__(outlets=[STEP], **kwargs)
        self.decision = decision
        self.wait_s = wait_s
        self._until = math.inf

    def execute(self, context: Context) -> dict[str, Any]:
        """Do it, say so in the event of `STEP`, and send what people are to be told."""
        self.scaling_notices: list[Notice] = []
        self._until = may_stay_until(context)
        try:
            outcome = super().execute(context)
        finally:
            notices = [*decided_notices(self.decision), *self.scaling_notices]
            if notices:
                from kitwai.notifiers.send import send

                send(notices, context)
        context["outlet_events"][STEP].extra = step_event(
            self.cluster, self.decision, outcome, notices
        )
        if outcome["done"] == "asked":
            # Airflow triggers a run for a task that ends so, and takes no return value then.
            context["ti"].xcom_push(key="return_value", value=outcome)
            raise asking(outcome)
        return outcome

    def step(self, hook: SparkClusterHook) -> dict[str, Any]:
        """Reach the target of the stored decision."""
        from kitwai.actions.step import carry_out

        outcome, self.scaling_notices = carry_out(
            self.store(),
            hook,
            int(self.decision["decision_id"]),
            ask=self._ask,
            wait_s=time_left(self._until, self.wait_s, time.time()),
            log=self.log,
        )
        return outcome

    def _ask(
        self, store: Store, stored: StoredDecision, hook: SparkClusterHook, now: float
    ) -> dict[str, Any]:
        return open_question(store, stored, hook, now, self.log)


def open_question(
    store: Store, stored: StoredDecision, hook: SparkClusterHook, now: float, log: Any
) -> dict[str, Any]:
    """What `kitwai.actions.step.ask_person` makes of what Airflow knows of the DAG that asks
    people.
    """
    from kitwai.actions.approve import DAG_ID
    from kitwai.actions.step import ask_person

    airflow = get_current_context()["ti"]
    try:
        paused = airflow.get_dag(DAG_ID).is_paused
    except AirflowRuntimeError:
        paused = None
    return ask_person(
        store,
        stored,
        hook,
        now,
        paused=paused,
        is_run=lambda run_id: bool(airflow.get_dr_count(DAG_ID, run_ids=[run_id])),
        log=log,
    )


def decided_notices(decision: dict[str, Any] | None) -> list[Notice]:
    """What people are to be told of a decision, as it came with it."""
    from kitwai.core.decide.notices import Notice

    return [Notice(**notice) for notice in (decision or {}).get("notices", [])]


def step_event(
    cluster: str, decision: dict[str, Any], outcome: dict[str, Any], notices: Sequence[Notice]
) -> dict[str, Any]:
    """The extra of the event of `STEP` that tells of a step."""
    return {"cluster": cluster, **decision, "done": outcome["done"], **noticed(notices)}


def noticed(notices: Sequence[Notice]) -> dict[str, Any]:
    """Notices for the extra of an event; nothing where there are none."""
    return {"notices": [dataclasses.asdict(notice) for notice in notices]} if notices else {}


def asking(outcome: dict[str, Any]) -> DagRunTriggerException:
    """Ends a task so that Airflow triggers the run that puts the question."""
    from kitwai.actions.approve import DAG_ID

    return DagRunTriggerException(
        trigger_dag_id=DAG_ID,
        dag_run_id=outcome["run_id"],
        conf=outcome["conf"],
        reset_dag_run=False,
        # A retry of this task finds the question open and asks nothing.
        skip_when_already_exists=False,
        wait_for_completion=False,
        allowed_states=[],
        failed_states=[],
        poke_interval=0,
        deferrable=False,
    )
