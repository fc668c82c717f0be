"""Whole steps on several clusters in one task.

A task costs Airflow a process and over a second of its start, whatever it does. On many clusters
that is far more than the steps themselves take.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from logging import LoggerAdapter
from threading import Lock
from typing import TYPE_CHECKING, Any

from airflow.sdk import AssetAlias, BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from kitwai.errors import KitwaiError
from kitwai.operators.base import hook_of, open_store, wanted
from kitwai.operators.due import may_stay_until, time_left
from kitwai.operators.scale import (
    STEP,
    asking,
    decided_notices,
    open_question,
    step_event,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from kitwai.hooks.spark_cluster import SparkClusterHook
    from kitwai.registry.champion import Champion
    from kitwai.store.steps import StoredDecision
    from kitwai.store.store import Store

STEPS = AssetAlias("kitwai_steps")
"""Through it one task gives the asset `STEP` an event for each cluster."""


class StepsOperator(BaseOperator):
    """Observes, decides and carries out on several clusters side by side.

    A cluster that fails does not keep the others from their steps; when they are done the task
    fails and names it. Airflow takes no events of a failed task: the asset `STEP` has none then.
    In mode approve one question a step can be asked, those of other clusters follow in the next.

    :param clusters: connection ids of the clusters. (templated)
    :param wait_s: as `ScaleOperator` has it.

    Returns for each cluster ``{"decision_id", "target", "done"}``, and ``"why"`` where nothing was.
    """

    template_fields: Sequence[str] = ("clusters",)
    ui_color = "#f7efd9"

    def __init__(self, *, clusters: Sequence[str], wait_s: float = 30.0, **kwargs: Any) -> None:
        # A mapped operator hands its own, empty list of outlets on.
        super().__init__(**kwargs | {"outlets": [*kwargs.get("outlets", ()), STEPS]})
        self.clusters = clusters
        self.wait_s = wait_s

    def execute(self, context: Context) -> dict[str, Any]:
        """Do all steps, then say what was done, what failed, and whom to ask."""
        from kitwai.registry.champion import load_champion

        params: dict[str, Any] = dict(context.get("params") or {})
        clusters = wanted(self.clusters, params)
        batch = _Batch(open_store(), load_champion(), self.wait_s, context, self.log)
        with ThreadPoolExecutor(len(clusters), "step") as threads:
            list(threads.map(batch.step, [hook_of(cluster, params) for cluster in clusters]))
        for event in batch.events:
            context["outlet_events"][STEPS].add(STEP, extra=event)
        if batch.question is not None:
            # What failed fails again in the next step; a question is put now or never.
            context["ti"].xcom_push(key="return_value", value=batch.done)
            raise asking(batch.question)
        if batch.failed:
            named = " ".join(f"{cluster}: {why}" for cluster, why in sorted(batch.failed.items()))
            why = f"{len(batch.failed)} of {len(clusters)} clusters failed: {named}"
            self.log.error("%s", why)
            raise AirflowFailException(why)
        return batch.done


class _Batch:
    """What the threads of one task share."""

    def __init__(
        self, store: Store, champion: Champion, wait_s: float, context: Context, log: Any
    ) -> None:
        self.store, self.champion, self.wait_s, self.log = store, champion, wait_s, log
        self.context = context
        self.done: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.failed: dict[str, str] = {}
        self.question: dict[str, Any] | None = None
        self._asking = Lock()

    def step(self, hook: SparkClusterHook) -> None:
        """A whole step on one cluster; nothing is raised."""
        log = _Named(self.log, {"cluster": hook.conn_id})
        try:
            self._step(hook, log)
        except KitwaiError as error:
            log.error("%s", error)
            self.failed[hook.conn_id] = str(error)
        except Exception as error:
            # The other clusters are not to suffer from what nobody foresaw in this one.
            log.exception("The step failed.")
            self.failed[hook.conn_id] = f"{type(error).__name__}: {error}"

    def _step(self, hook: SparkClusterHook, log: Any) -> None:
        from kitwai.actions.step import carry_out, decide_cluster, observe_cluster

        seen = observe_cluster(self.store, hook, log)
        decision = decide_cluster(self.store, hook, seen["observation_id"], log, self.champion)
        notices = decided_notices(decision)
        try:
            outcome, scaling_notices = carry_out(
                self.store,
                hook,
                decision["decision_id"],
                ask=self._ask,
                wait_s=time_left(may_stay_until(self.context), self.wait_s, time.time()),
                log=log,
            )
            notices += scaling_notices
        finally:
            if notices:
                from kitwai.notifiers.send import send

                send(notices, self.context)
        self.events.append(step_event(hook.conn_id, decision, outcome, notices))
        self.done[hook.conn_id] = {
            **{name: decision[name] for name in ("decision_id", "target")},
            **{name: outcome[name] for name in ("done", "why") if name in outcome},
        }

    def _ask(
        self, store: Store, stored: StoredDecision, hook: SparkClusterHook, now: float
    ) -> dict[str, Any]:
        with self._asking:
            # Airflow triggers one run for a task.
            if self.question is not None:
                return {"done": "nothing", "why": "another cluster's question is asked first"}
            log = _Named(self.log, {"cluster": hook.conn_id})
            outcome = open_question(store, stored, hook, now, log)
            if outcome["done"] == "asked":
                self.question = outcome
            return outcome


class _Named(LoggerAdapter[Any]):
    """Puts the cluster before what is logged of it: the lines of all stand in one log."""

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        """The message with its cluster."""
        return f"{(self.extra or {})['cluster']}: {msg}", kwargs
