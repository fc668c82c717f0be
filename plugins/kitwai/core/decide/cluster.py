"""From an observation to a decision: one target for each application, their sum for the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from kitwai.core.decide.application import Workers, decide_application
from kitwai.core.decide.guardrails import guard_cluster
from kitwai.core.decide.sharing import Share, cluster_target, workers_of
from kitwai.core.forecast.past_runs import Record
from kitwai.core.forecast.start_delay import measured
from kitwai.core.policy.policy import FORECAST, NETWORK, ForecastPolicy, Policy
from kitwai.core.records.decision import ApplicationDecision, Decision, GuardrailNote
from kitwai.core.records.observation import Observation
from kitwai.core.records.settings import ClusterSettings

RULES = "rules"
"""What decides where no application is judged: quiet times, holds, backlogs."""

NAMES = (NETWORK, FORECAST, RULES)
"""What a decision may name as having decided."""

History = Mapping[str, Sequence[Record]]
"""Past runs by the name of the application."""


def decide(
    observation: Observation,
    settings: ClusterSettings,
    policy: Policy | None = None,
    *,
    now: float | None = None,
    no_policy_reason: str | None = None,
    history: History | None = None,
    history_sha256: str | None = None,
) -> Decision:
    """Decide the worker count of one cluster.

    :param policy: the champion; None when none could be loaded, for ``no_policy_reason``.
    :param now: the present moment (epoch seconds), to tell whether the observation is stale;
        None takes the observation for fresh.
    :param history: past runs by the application's name; None: nothing is known of any.
    :param history_sha256: of the cluster's own file of past runs, to be kept with the decision.
    """
    present = observation.present
    decision = Decision(
        cluster=settings.cluster,
        at=observation.at,
        mode=settings.mode,
        constraint=settings.constraint,
        present=present,
        target=present,
        reason="",
        policy=RULES,
        checkpoint=policy.version if policy else None,
        fallback=None if policy else no_policy_reason,
        decided_at=now,
        history=history_sha256,
    )
    settings = measured(settings, observation)
    decision = _decide(decision, observation, settings, policy or ForecastPolicy(), history or {})
    return replace(decision, reason=" ".join([decision.reason, *_remarks(settings)]))


def _decide(
    decision: Decision,
    observation: Observation,
    settings: ClusterSettings,
    policy: Policy,
    history: History,
) -> Decision:
    if decision.present is None:
        why = _missing(observation, "master")
        return replace(decision, held=True, reason=f"Nothing is touched: {why}")
    now = decision.decided_at
    if now is not None and now - observation.at > settings.stale_s:
        age = now - observation.at
        return _hold(decision, f"the observation is {age:.0f} s old.")
    if observation.pool is None:
        return _hold(decision, _missing(observation, "pool"))
    if observation.applications is None:
        decision = _hold(decision, _missing(observation, "applications"))
    elif not observation.applications:
        decision = _decide_idle(decision, observation, settings)
    else:
        decision = _decide_busy(decision, observation, settings, policy, history)
    return _pinned(decision, observation, settings)


def _pinned(decision: Decision, observation: Observation, settings: ClusterSettings) -> Decision:
    """The decision with a person's target in place of its own.

    The policy's target stays visible in a note. Bounds and one operation at a time hold for a pin.
    Cooldowns and the flap budget hold for the policy alone.
    """
    pin, present = settings.pin, decision.present
    if pin is None or present is None:
        return decision
    most = settings.constraint.max_workers
    target = min(pin.target, most)
    why = f"{pin.by} pinned the target to {pin.target} until {moment(pin.until)}."
    if target < pin.target:
        why += f" The constraint allows at most {most} workers."
    notes = [GuardrailNote("pin", decision.target or present, target, why)]
    if target != present and observation.past.operation is not None:
        why = f"{observation.past.operation} is still under way."
        notes.append(GuardrailNote("operation under way", target, present, why))
        target = present
    return replace(
        decision,
        target=target,
        held=False,
        guardrails=(*decision.guardrails, *notes),
        reason=" ".join([decision.reason, *_reasons(tuple(notes))]),
    )


def _remarks(settings: ClusterSettings) -> list[str]:
    """Sentences about settings of a person that the decision does not show."""
    pause = settings.pause
    paused = (
        f"Nothing is touched: {pause.by} paused it until {moment(pause.until)}." if pause else ""
    )
    return [*([paused] if paused else []), *settings.ignored]


def moment(at: float) -> str:
    """A moment (epoch seconds) for people."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _decide_idle(
    decision: Decision, observation: Observation, settings: ClusterSettings
) -> Decision:
    idle_s = observation.past.idle_s or 0.0
    if idle_s < settings.quiet_s and (decision.present or 0) >= settings.min_workers:
        return replace(
            decision,
            reason=f"Held at {decision.present}: no application runs, and the quiet time of "
            f"{settings.quiet_s:.0f} s has lasted {idle_s:.0f} s.",
        )
    reason = f"No application has run for {idle_s:.0f} s."
    return _guarded(decision, observation, settings, settings.min_workers, reason, urgent=False)


def _decide_busy(
    decision: Decision,
    observation: Observation,
    settings: ClusterSettings,
    policy: Policy,
    history: History,
) -> Decision:
    present = decision.present or 0
    applications = observation.applications or ()
    decided, shares, replaced = [], [], []
    urgent = False
    for application in applications:
        own, starting = workers_of(application, observation)
        made, was_replaced = decide_application(
            application,
            settings,
            policy,
            history.get(application.name, ()),
            workers=Workers(own, starting),
            limit_error=_error_of(observation, f"application {application.id} limit"),
        )
        decided.append(made)
        if was_replaced:
            replaced.append(made.name)
        urgent = urgent or _late(made, own, settings.margin)
        judged = made.predicted_finish_s is not None
        shares.append(Share.of(application, made.target, own, judged=judged))
    target = cluster_target(shares, present)
    if len(decided) == 1:
        reason = decided[0].reason
    else:
        reason = "; ".join(f"{made.name} ({made.id}): {made.target}" for made in decided)
        reason = f"Sum over {len(decided)} applications: {reason}."
        if target < sum(made.target for made in decided):
            reason += f" Those that are held ask for nobody new: {target} in all."
    fallback = decision.fallback
    if replaced and policy.version is not None:
        fallback = (
            f"The forecast decided for {', '.join(replaced)}: "
            f"checkpoint {policy.version} knows at most {policy.max_targets} workers, or gave a "
            "number that is not finite."
        )
    blind = any(application.stages is None for application in applications)
    decision = replace(
        decision,
        applications=tuple(decided),
        policy=_deciders(decided),
        fallback=fallback,
        held=blind,
    )
    return _guarded(decision, observation, settings, target, reason, urgent=urgent)


def _deciders(decided: Sequence[ApplicationDecision]) -> str:
    """What decided: the network, if it decided for any application, else the forecast, else rules
    that ask neither.
    """
    names = {made.policy for made in decided}
    return next((name for name in (NETWORK, FORECAST) if name in names), RULES)


def _late(decided: ApplicationDecision, present: int, margin: float) -> bool:
    """Whether the application is predicted to miss its limit with its present workers."""
    finish = decided.predicted_finish_s
    if finish is None:
        return False
    return finish[min(max(1, present), len(finish)) - 1] > margin * decided.constraint.limit_s


def _guarded(
    decision: Decision,
    observation: Observation,
    settings: ClusterSettings,
    target: int,
    reason: str,
    *,
    urgent: bool,
) -> Decision:
    final, notes = guard_cluster(
        target,
        present=decision.present or 0,
        past=observation.past,
        settings=settings,
        urgent=urgent,
    )
    return replace(
        decision, target=final, guardrails=notes, reason=" ".join([reason, *_reasons(notes)])
    )


def _reasons(notes: tuple[GuardrailNote, ...]) -> list[str]:
    return [f"Changed from {note.before} to {note.after}: {note.reason}" for note in notes]


def _hold(decision: Decision, why: str) -> Decision:
    return replace(decision, held=True, reason=f"Held at {decision.present}: {why}")


def _missing(observation: Observation, part: str) -> str:
    error = _error_of(observation, part)
    return f"the {part} gave no answer." if error is None else f"no {part}: {error}"


def _error_of(observation: Observation, part: str) -> str | None:
    return next((one.error for one in observation.parts if one.name == part), None)
