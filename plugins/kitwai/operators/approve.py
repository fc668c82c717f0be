"""The two tasks of the approve DAG: ask a person, then carry out what was approved."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from kitwai.errors import LeaseError
from kitwai.operators.base import ClusterOperator, open_store
from kitwai.operators.scale import STEP, noticed

if TYPE_CHECKING:
    from airflow.sdk import Context

    from kitwai.core.decide.notices import Notice
    from kitwai.hooks.spark_cluster import SparkClusterHook


class AskOperator(ApprovalOperator):
    """Asks whether a decision may be carried out, in Airflow's "Required Actions" and its API.

    Waiting takes no process. Without an answer in time the scheduler answers "Reject": it is held.

    :param approval: id of the `kitwai.store.approvals.Approval`. (templated)
    """

    template_fields: Sequence[str] = (*ApprovalOperator.template_fields, "approval")

    def __init__(self, *, approval: Any, **kwargs: Any) -> None:
        super().__init__(subject="A cluster asks", defaults=self.REJECT, **kwargs)
        self.approval = approval

    def execute(self, context: Context) -> Any:
        """Put the question, unless it has been closed before anybody could see it."""
        from kitwai.actions.question import question
        from kitwai.core.decide.notices import APPROVAL, ONCE, Notice
        from kitwai.notifiers.send import send
        from kitwai.store.approvals import Answer

        store, now = open_store(), time.time()
        approvals = store.approvals
        approval = approvals.get(int(self.approval))
        if approval.expires_at <= now:
            approvals.close(approval.id, Answer.TIMED_OUT, now)
        if approval.answer is not None or approval.expires_at <= now:
            raise AirflowSkipException("The question was closed before it could be asked.")
        decision = store.decision(approval.decision_id).decision
        self.subject, self.body = question(decision)
        self.params = ParamsDict(
            {
                "cluster": Param(approval.cluster, const=approval.cluster),
                "present": Param(decision.present, const=decision.present),
                "target": Param(decision.target, const=decision.target),
            }
        )
        text = f"{self.subject}. Answer at {self.generate_link_to_ui_from_context(context=context)}"
        notice = Notice(APPROVAL, ONCE, approval.cluster, str(approval.id), text, now)
        send([notice], context)
        self.response_timeout = timedelta(seconds=max(1.0, approval.expires_at - time.time()))
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Keep the answer. One that comes after the question was closed counts as a "Reject"."""
        from kitwai.store.approvals import Answer

        approvals = open_store().approvals
        user = event.get("responded_by_user")
        if event.get("timedout") or "error" in event:
            answer = Answer.TIMED_OUT
        elif event.get("chosen_options") == [self.APPROVE]:
            answer = Answer.APPROVED
        else:
            answer = Answer.REJECTED
        if not approvals.close(
            int(self.approval), answer, time.time(), by=user["name"] if user else None
        ):
            closed = approvals.get(int(self.approval)).answer
            self.log.warning("The question was closed before it was answered: %s.", closed)
            event = {**event, "chosen_options": [self.REJECT]}
        return super().execute_complete(context, event)


class ScaleApprovedOperator(ClusterOperator):
    """Carries out what was approved, as far as it is still wanted (`kitwai.core.decide.approval`).

    :param cluster: connection id of the cluster. (templated)
    :param approval: id of the `kitwai.store.approvals.Approval`. (templated)
    :param wait_s: seconds to wait; what is unfinished then is continued by the steps.
    """

    template_fields: Sequence[str] = ("cluster", "approval")
    ui_color = "#f4e1e1"

    def __init__(self, *, approval: Any, wait_s: float = 30.0, **kwargs: Any) -> None:
        super().__init__(outlets=[STEP], **kwargs)
        self.approval = approval
        self.wait_s = wait_s

    def execute(self, context: Context) -> dict[str, Any]:
        """Do it, and say so in the event of `STEP`."""
        self.notices: list[Notice] = []
        outcome = super().execute(context)
        if self.notices:
            from kitwai.notifiers.send import send

            send(self.notices, context)
        extra = {"cluster": self.cluster, **outcome, **noticed(self.notices)}
        context["outlet_events"][STEP].extra = extra
        return outcome

    def step(self, hook: SparkClusterHook) -> dict[str, Any]:
        """Reach the approved target."""
        from kitwai.actions.scale import scale_cluster, scaling_notices
        from kitwai.actions.settings import settings_in_force
        from kitwai.actions.step import scaled
        from kitwai.core.decide.approval import approved_target
        from kitwai.store.approvals import Answer

        store, now = self.store(), time.time()
        approvals = store.approvals
        approval = approvals.get(int(self.approval))
        if approval.answer is not Answer.APPROVED:
            raise AirflowSkipException(f"Nothing is touched: it was {approval.answer}.")
        asked = store.decision(approval.decision_id).decision
        settings = settings_in_force(hook, store, now)
        recent = (stored.decision for stored in store.newest_decisions(self.cluster, 10))
        fresh = (made for made in recent if not made.held and now - made.at <= 2 * settings.stale_s)
        target, why = approved_target(asked, next(fresh, None), settings)
        if target is None:
            approvals.supersede(approval.id)
            raise AirflowSkipException(f"Nothing is touched: {why}")
        self.log.info("%s", why)
        try:
            outcome = scale_cluster(
                store, hook, target, decision_id=approval.decision_id, wait_s=self.wait_s
            )
        except LeaseError as busy:
            raise AirflowException(str(busy)) from busy  # it is tried again
        self.notices = scaling_notices(store, self.cluster, time.time())
        return {
            "decision_id": approval.decision_id,
            "approved_by": approval.answered_by,
            "reason": why,
            **scaled(self.log, outcome),
        }
