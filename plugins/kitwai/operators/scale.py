"""The last part of a step: make the pool reach the target."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, get_current_context
from airflow.sdk.exceptions import AirflowRuntimeError, DagRunTriggerException

from kitwai.errors import LeaseError
from kitwai.operators.base import ClusterOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from kitwai.core.controls import Control
    from kitwai.core.notices import Notice
    from kitwai.hooks.spark_cluster import SparkClusterHook
    from kitwai.pools.scaler import ScalingOutcome
    from kitwai.store.store import Store, StoredDecision

STEP = Asset("kitwai_step")
"""Has an event for every step that ended, and for every approved change. Its extra: ``cluster``,
``decision_id``, ``present``, ``target``, ``mode``, ``reason``, ``done``, and ``notices`` where
there are any (`kitwai.core.notices.Notice`).
"""


class ScaleOperator(ClusterOperator):
    """Carries a decision out, if its mode says so, or has a person asked in mode approve. Doing it
    twice changes nothing more.

    :param cluster: connection id of the cluster. (templated)
    :param decision: what `DecideOperator` returned. (templated)
    :param wait_s: seconds to wait for workers to register and drains to end; what is unfinished
        then is continued by the next step.

    Returns ``{"done", ...}``: what was done in one word, and how many workers came and went.
    """

    template_fields: Sequence[str] = ("cluster", "decision")
    ui_color = "#f4e1e1"

    def __init__(self, *, decision: Any, wait_s: float = 30.0, **kwargs: Any) -> None:
        super().__init__(outlets=[STEP], **kwargs)
        self.decision = decision
        self.wait_s = wait_s

    def execute(self, context: Context) -> dict[str, Any]:
        """Do it, say so in the event of `STEP`, and send what people are to be told."""
        from kitwai.core.notices import Notice

        self.scaling_notices: list[Notice] = []
        try:
            outcome = super().execute(context)
        finally:
            decided = self.decision.get("notices", []) if self.decision else []
            notices = [*(Notice(**one) for one in decided), *self.scaling_notices]
            if notices:
                from kitwai.notifiers.send import send

                send(notices, context)
        context["outlet_events"][STEP].extra = {
            "cluster": self.cluster,
            **self.decision,
            "done": outcome["done"],
            **noticed(notices),
        }
        if outcome["done"] == "asked":
            # Airflow triggers a run for a task that ends so, and takes no return value then.
            context["ti"].xcom_push(key="return_value", value=outcome)
            raise _asking(outcome)
        return outcome

    def step(self, hook: SparkClusterHook) -> dict[str, Any]:
        """Reach the target of the stored decision."""
        from kitwai.approvals import close_outdated
        from kitwai.core.decision import Mode
        from kitwai.scaling import scale_cluster, scaling_notices
        from kitwai.settings import controls_for

        store, now = self.store(), time.time()
        stored = store.decision(int(self.decision["decision_id"]))
        decision, controls = stored.decision, controls_for(hook, store)
        closed = close_outdated(store, stored, controls, now)
        if closed:
            self.log.info("The open question is closed: %s", closed)
        why = _why_not(stored, controls, now)
        if why is not None or decision.target is None:
            why = why or "no target is known"
            self.log.info("Nothing is touched, %s: %s", why, decision.reason)
            return {"done": "nothing", "why": why}
        seen = store.observation(stored.observation_id)
        under_way = seen.starting or any(w.alive and w.draining_since for w in seen.pool or ())
        target = decision.target
        try:
            # A pin is a person's word already.
            if decision.mode is Mode.APPROVE and stored.settings.pin is None:
                if target != decision.present:
                    asked = self._ask(store, stored, hook, now)
                    if asked["done"] == "asked" or not under_way:
                        return asked
                # What was approved before is brought to its end.
                target = decision.present or 0
            if target == decision.present and not under_way:
                return {"done": "nothing", "why": "the target is already met"}
            outcome = scale_cluster(store, hook, target, decision_id=stored.id, wait_s=self.wait_s)
        except LeaseError as busy:
            self.log.warning("%s", busy)
            return {"done": "nothing", "why": str(busy)}
        self.scaling_notices = scaling_notices(store, self.cluster, time.time())
        return scaled(self.log, outcome)

    def _ask(
        self, store: Store, stored: StoredDecision, hook: SparkClusterHook, now: float
    ) -> dict[str, Any]:
        from kitwai.approvals import DAG_ID, ask

        try:
            paused = get_current_context()["ti"].get_dag(DAG_ID).is_paused
        except AirflowRuntimeError:
            paused = None
        if paused is not False:
            state = "paused" if paused else "missing"
            why = f"mode approve asks through the DAG {DAG_ID}, which is {state}"
            self.log.error("Nothing is touched: %s.", why)
            return {"done": "nothing", "why": why}
        approval, why = ask(store, stored, now, hook.config.approval_timeout_s)
        self.log.info("%s: %s", why, stored.decision.reason)
        if approval is None:
            return {"done": "nothing", "why": why}
        return {
            "done": "asked",
            "why": why,
            "run_id": approval.run_id,
            "conf": {"cluster": self.cluster, "approval": approval.id, **hook.params},
        }


def noticed(notices: Sequence[Notice]) -> dict[str, Any]:
    """Notices for the extra of an event; nothing where there are none."""
    return {"notices": [dataclasses.asdict(one) for one in notices]} if notices else {}


def scaled(log: Any, outcome: ScalingOutcome) -> dict[str, Any]:
    """What a scaling did, in the small JSON that a task returns; faults go to the log."""
    log.info("%s", outcome)
    if outcome.failed:
        log.error("Scaling was not completed: %s", "; ".join(outcome.failed))
    return {
        "done": "reached" if outcome.settled else "begun",
        "target": outcome.target,
        "started": len(outcome.started),
        "drained": len(outcome.drained),
        "stopped": len(outcome.stopped),
    }


def _why_not(stored: StoredDecision, controls: Sequence[Control], now: float) -> str | None:
    """Why a decision is not carried out, None when it is."""
    from kitwai.core.decision import Mode

    decision, settings = stored.decision, stored.settings
    if decision.mode is Mode.SUGGEST:
        return "mode suggest"
    if settings.pause is not None:
        return f"{settings.pause.by} paused the cluster"
    age = now - decision.at
    if age > 2 * settings.stale_s:
        return f"the decision is {age:.0f} s old"
    # What was set since the cluster was looked at may not be in the decision.
    for control in controls:
        if control.at > decision.at:
            return f"{control.by} set {control.name} just now, which the next step heeds"
    return None


def _asking(outcome: dict[str, Any]) -> DagRunTriggerException:
    from kitwai.approvals import DAG_ID

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
