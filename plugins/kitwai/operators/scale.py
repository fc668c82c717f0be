"""The last part of a step: make the pool reach the target."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from kitwai.errors import LeaseError
from kitwai.operators.base import ClusterOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from kitwai.hooks.spark_cluster import SparkClusterHook

STEP = Asset("kitwai_step")
"""Has an event for every step that ended. Its extra: ``cluster``, ``decision_id``, ``present``,
``target``, ``mode``, ``reason``, ``done``.
"""


class ScaleOperator(ClusterOperator):
    """Carries a decision out, if its mode says so. Doing it twice changes nothing more.

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
        """Do it, and say so in the event of `STEP`."""
        outcome = super().execute(context)
        context["outlet_events"][STEP].extra = {
            "cluster": self.cluster,
            **self.decision,
            "done": outcome["done"],
        }
        return outcome

    def step(self, hook: SparkClusterHook) -> dict[str, Any]:
        """Reach the target of the stored decision."""
        from kitwai.core.decision import Mode
        from kitwai.scaling import scale_cluster

        store = self.store()
        stored = store.decision(int(self.decision["decision_id"]))
        decision, settings = stored.decision, stored.settings
        if decision.mode is Mode.SUGGEST or decision.target is None:
            self.log.info("Nothing is touched (mode %s): %s", decision.mode, decision.reason)
            return {"done": "nothing", "why": f"mode {decision.mode.value}"}
        age = time.time() - decision.at
        if age > 2 * settings.stale_s:
            self.log.warning("The decision is %.0f s old and is not carried out any more.", age)
            return {"done": "nothing", "why": f"the decision is {age:.0f} s old"}
        seen = store.observation(stored.observation_id)
        under_way = seen.starting or any(w.alive and w.draining_since for w in seen.pool or ())
        if decision.target == decision.present and not under_way:
            return {"done": "nothing", "why": "the target is already met"}
        try:
            outcome = scale_cluster(
                store, hook, decision.target, decision_id=stored.id, wait_s=self.wait_s
            )
        except LeaseError as busy:
            self.log.warning("%s", busy)
            return {"done": "nothing", "why": str(busy)}
        self.log.info("%s", outcome)
        if outcome.failed:
            self.log.error("Scaling was not completed: %s", "; ".join(outcome.failed))
        return {
            "done": "reached" if outcome.settled else "begun",
            "target": outcome.target,
            "started": len(outcome.started),
            "drained": len(outcome.drained),
            "stopped": len(outcome.stopped),
        }
