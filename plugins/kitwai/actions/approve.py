"""Mode approve between the steps and the person: when one is asked, and when a question is closed.

The question itself is a run of the DAG `DAG_ID`, which a step triggers and does not wait for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kitwai.core.decide.approval import outdated
from kitwai.core.records.overrides import Control
from kitwai.core.records.settings import Mode
from kitwai.store.approvals import Answer, Approval

if TYPE_CHECKING:
    from kitwai.store.steps import StoredDecision
    from kitwai.store.store import Store

DAG_ID = "kitwai_approve"
ASK_TASK = "ask"
"""The task of it that waits, and whose answer is taken."""

_GRACE_S = 60.0
"""Airflow itself times a question out; only when nothing has come of that is it closed here."""

_TRIGGERED_S = 30.0
"""By then Airflow has the run that is to put a question, unless the step was killed before."""


def close_outdated(
    store: Store, newest: StoredDecision, controls: Sequence[Control], now: float
) -> str | None:
    """Close the cluster's open question if it is not to be answered any more; returns why.

    :param newest: the decision that has just been made.
    :param controls: the newest of each name.
    """
    approvals = store.approvals
    approval = approvals.open(newest.decision.cluster)
    if approval is None:
        return None
    if now > approval.expires_at + _GRACE_S:
        approvals.close(approval.id, Answer.TIMED_OUT, now)
        return "Its time is over."
    why = _other_mode(controls, approval, now) or (
        f"{newest.settings.pin.by} pinned the target."
        if newest.settings.pin
        else outdated(store.decision(approval.decision_id).decision, newest.decision)
    )
    if why is not None:
        approvals.close(approval.id, Answer.SUPERSEDED, now)
    return why


def ask(
    store: Store,
    stored: StoredDecision,
    now: float,
    timeout_s: float,
    *,
    is_run: Callable[[str], bool],
) -> tuple[Approval | None, str]:
    """Open a question for the decision, unless one is open or the same was refused lately. One that
    is open and was never put is put again.

    :param timeout_s: how long it may wait; for as long the same target is not asked for again after
        it was rejected or timed out.
    :param is_run: whether Airflow has a run of `DAG_ID` with this id.
    :returns: the question, and why in a sentence.
    :raises LeaseError: an operation on the cluster is under way.
    """
    approvals, decision = store.approvals, stored.decision
    earlier = approvals.open(decision.cluster)
    if earlier is not None:
        late = now - earlier.asked_at > _TRIGGERED_S
        if late and earlier.run_id is not None and not is_run(earlier.run_id):
            return earlier, "a person is asked: the step that was to do so was killed before"
        return None, "a person has been asked already"
    target = decision.target or 0
    refused = approvals.refused_since(decision.cluster, target, now - timeout_s)
    if refused is not None:
        return None, f"{target} workers were {refused.answer} a short while ago"
    cluster = re.sub(r"[^A-Za-z0-9_.-]", "_", decision.cluster)[:150]
    run_id = f"{cluster}__{stored.id}__{now:.0f}"
    approval = approvals.ask(
        decision.cluster, stored.id, now=now, timeout_s=timeout_s, run_id=run_id
    )
    return approval, "a person is asked" if approval else "a person has been asked already"


def _other_mode(controls: Sequence[Control], approval: Approval, now: float) -> str | None:
    for control in controls:
        if (
            control.name == "mode"
            and control.at > approval.asked_at
            and control.in_force(now)
            and control.value != Mode.APPROVE.value
        ):
            return f"{control.by} set the mode to {control.value}."
    return None
