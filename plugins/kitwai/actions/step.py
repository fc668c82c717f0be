"""The three parts of a step on one cluster: observe, decide, carry out.

The operators of `kitwai.operators` are shells around these: one part a task, or all three for
several clusters in one task. Imports that cost time stand inside the functions, so that each task
pays for what its own part needs.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kitwai.errors import LeaseError, LeaseLostError

if TYPE_CHECKING:
    from kitwai.core.decide.cluster import History
    from kitwai.core.decide.notices import Notice
    from kitwai.core.records.decision import Decision
    from kitwai.core.records.observation import Observation
    from kitwai.core.records.overrides import Control
    from kitwai.core.records.scaling import ScalingOutcome
    from kitwai.core.records.settings import ClusterSettings
    from kitwai.hooks.spark_cluster import SparkClusterHook
    from kitwai.registry.champion import Champion
    from kitwai.store.steps import StoredDecision
    from kitwai.store.store import Store

Ask = Callable[["Store", "StoredDecision", "SparkClusterHook", float], dict[str, Any]]
"""Puts a decision before a person; returns ``{"done": "asked" or "nothing", "why", ...}``."""

_LOOK_BACK = 20
# So many looks in a row may lack a driver's answer before its worker counts are forgotten.
_COUNTS_BACK = 5
_MOST_NOTICES = 10


def observe_cluster(store: Store, hook: SparkClusterHook, log: Any) -> dict[str, Any]:
    """Look at the cluster and keep what was seen; a source that fails is named, and the observation
    is kept without it.

    :returns: ``{"observation_id", "present", "applications", "missing"}``.
    """
    from kitwai.config.options import retention_seconds
    from kitwai.core.forecast.from_observation import with_counts
    from kitwai.core.forecast.start_delay import with_start_delay
    from kitwai.store.retention import prune

    _ = hook.config  # a wrong setting must fail here, before anything else is asked
    cluster = hook.conn_id
    earlier = store.newest_observations(cluster, _COUNTS_BACK)
    past = store.past(cluster, time.time())
    previous = earlier[0] if earlier else None
    observation = with_counts(hook.observe(past, previous=previous, logs=True), *earlier)
    observation = with_start_delay(observation, *earlier)
    observation_id = store.add_observation(observation)
    retention_s = retention_seconds()
    if retention_s is not None:
        prune(store, cluster, observation.at - retention_s)
    missing = [part.name for part in observation.parts if part.error]
    for part in observation.parts:
        if part.error:
            log.warning("No answer from %s: %s", part.name, part.error)
    applications = observation.applications
    count = None if applications is None else len(applications)
    log.info("Cluster %s: %s workers, %s applications.", cluster, observation.present, count)
    return {
        "observation_id": observation_id,
        "present": observation.present,
        "applications": count,
        "missing": missing,
    }


def decide_cluster(
    store: Store,
    hook: SparkClusterHook,
    observation_id: int,
    log: Any,
    champion: Champion | None = None,
) -> dict[str, Any]:
    """Decide on a stored observation, and keep why.

    :param champion: as `load_champion` gives it, where it has been loaded already.
    :returns: ``{"decision_id", "present", "target", "mode", "reason"}``, and ``"notices"`` where
        people are to be told of something.
    """
    from kitwai.actions.settings import settings_in_force
    from kitwai.core.decide.cluster import decide
    from kitwai.registry.champion import load_champion

    now = time.time()
    settings = settings_in_force(hook, store, now)
    for why in settings.ignored:
        log.warning("%s", why)
    champion = champion or load_champion()
    observation = store.observation(observation_id)
    decision = decide(
        observation,
        settings,
        champion.policy,
        now=now,
        no_policy_reason=champion.why_not,
        history=champion.history(hook.history),
        history_sha256=hook.history_sha256,
    )
    if decision.fallback:
        log.error("The forecast stands in for the champion: %s", decision.fallback)
    log.info("%s", decision.reason)
    decision_id = store.add_decision(decision, observation_id, settings)
    notices = _notices(store, decision_id, decision, observation)
    _decide_in_shadow(store, observation, observation_id, settings, now, hook.history, log)
    return {
        "decision_id": decision_id,
        "present": decision.present,
        "target": decision.target,
        "mode": decision.mode.value,
        "reason": decision.reason[:500],
        **({"notices": notices} if notices else {}),
    }


def carry_out(
    store: Store,
    hook: SparkClusterHook,
    decision_id: int,
    *,
    ask: Ask,
    wait_s: float,
    log: Any,
) -> tuple[dict[str, Any], list[Notice]]:
    """Make the pool reach the target of a stored decision, if its mode says so, or have a person
    asked. Doing it twice changes nothing more.

    :param wait_s: seconds to look on while workers register and drain; what is unfinished then is
        continued by the next step.
    :returns: ``{"done", ...}``, what was done in one word and how many workers came and went; and
        what people are to be told of it.
    """
    from kitwai.actions.approve import close_outdated
    from kitwai.actions.scale import scale_cluster, scaling_notices
    from kitwai.actions.settings import controls_for
    from kitwai.core.records.settings import Mode

    now = time.time()
    stored = store.decision(decision_id)
    decision, controls = stored.decision, controls_for(hook, store)
    closed = close_outdated(store, stored, controls, now)
    if closed:
        log.info("The open question is closed: %s", closed)
    why = _why_not(stored, controls, now)
    if why is not None or decision.target is None:
        why = why or "no target is known"
        log.info("Nothing is touched, %s: %s", why, decision.reason)
        return {"done": "nothing", "why": why}, []
    seen = store.observation(stored.observation_id)
    target = decision.target
    # What ended by itself since the last step is yet to be put on record.
    under_way = (
        seen.starting
        or any(worker.alive and worker.draining_since for worker in seen.pool or ())
        or store.unfinished(hook.conn_id, decision.present or 0, now)
    )
    try:
        # A pin is a person's word already.
        if decision.mode is Mode.APPROVE and stored.settings.pin is None:
            if target != decision.present:
                asked = ask(store, stored, hook, now)
                if asked["done"] == "asked" or not under_way:
                    return asked, []
            # What was approved before is brought to its end.
            target = decision.present or 0
        if target == decision.present and not under_way:
            return {"done": "nothing", "why": "the target is already met"}, []
        if target < 1:
            why = "no worker is present, and none is to be started yet"
            return {"done": "nothing", "why": why}, []
        outcome = scale_cluster(store, hook, target, decision_id=stored.id, wait_s=wait_s)
    except LeaseError as busy:
        log.warning("%s", busy)
        done = "begun" if isinstance(busy, LeaseLostError) else "nothing"
        return {"done": done, "why": str(busy)}, []
    return scaled(log, outcome), scaling_notices(store, hook.conn_id, time.time())


def ask_person(
    store: Store,
    stored: StoredDecision,
    hook: SparkClusterHook,
    now: float,
    *,
    paused: bool | None,
    is_run: Callable[[str], bool],
    log: Any,
) -> dict[str, Any]:
    """Open the question that the approve DAG is to put.

    :param paused: whether that DAG is paused; None where there is none.
    :param is_run: whether it has a run with this id.
    :returns: with ``"done": "asked"`` also the ``run_id`` and ``conf`` of the run to trigger.
    """
    from kitwai.actions.approve import DAG_ID, ask

    if paused is not False:
        state = "paused" if paused else "missing"
        why = f"mode approve asks through the DAG {DAG_ID}, which is {state}"
        log.error("Nothing is touched: %s.", why)
        return {"done": "nothing", "why": why}
    approval, why = ask(store, stored, now, hook.config.approval_timeout_s, is_run=is_run)
    log.info("%s: %s", why, stored.decision.reason)
    if approval is None:
        return {"done": "nothing", "why": why}
    return {
        "done": "asked",
        "why": why,
        "run_id": approval.run_id,
        "conf": {"cluster": hook.conn_id, "approval": approval.id, **hook.params},
    }


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
    from kitwai.core.records.settings import Mode

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


def _decide_in_shadow(
    store: Store,
    observation: Observation,
    observation_id: int,
    settings: ClusterSettings,
    now: float,
    own: History | None,
    log: Any,
) -> None:
    """Let the challengers decide too; nothing acts on it, and no fault of theirs counts."""
    from kitwai.config.options import models_root, shadows

    names = shadows()
    if not names:
        return
    from kitwai.actions.shadow import decide_in_shadow

    for why in decide_in_shadow(
        store.engine,
        models_root(),
        names,
        observation,
        observation_id,
        settings,
        now=now,
        own=own,
    ):
        log.warning("%s", why)


def _notices(
    store: Store, decision_id: int, decision: Decision, observation: Observation
) -> list[dict[str, Any]]:
    """What people are to be told, for the next task to send: small, as it goes through XCom."""
    from kitwai.core.decide.notices import of_decision

    earlier = store.newest_decisions(decision.cluster, before=decision_id)
    looked = store.observation(earlier[0].observation_id) if earlier else None
    if earlier and earlier[0].decision.held:
        earlier = store.newest_decisions(decision.cluster, _LOOK_BACK, before=decision_id)
    before = [stored.decision for stored in earlier]
    notices = of_decision(decision, observation, before, looked)[:_MOST_NOTICES]
    return [{**dataclasses.asdict(notice), "text": notice.text[:300]} for notice in notices]
