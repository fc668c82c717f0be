"""From an observation to a decision: one target for each application, their sum for the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from kitwai.core.decide.guardrails import guard_application, guard_cluster
from kitwai.core.decide.sharing import Share, cluster_target, workers_of
from kitwai.core.decide.without_end import decide_endless
from kitwai.core.forecast.from_observation import view_of
from kitwai.core.forecast.past_runs import Record, comparable, prior_of
from kitwai.core.policy.policy import AnalyticPolicy, Policy, price_of
from kitwai.core.policy.state import TARGETS, State, build_state
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.decision import (
    ApplicationDecision,
    ClusterSettings,
    Decision,
    GuardrailNote,
)
from kitwai.core.records.observation import Application, Observation

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
        policy=(policy or AnalyticPolicy()).name,
        checkpoint=policy.version if policy else None,
        fallback=None if policy else no_policy_reason,
        decided_at=now,
        history=history_sha256,
    )
    decision = _decide(decision, observation, settings, policy, history or {})
    return replace(decision, reason=" ".join([decision.reason, *_remarks(settings)]))


def _decide(
    decision: Decision,
    observation: Observation,
    settings: ClusterSettings,
    policy: Policy | None,
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
        decision = _decide_busy(decision, observation, settings, policy, AnalyticPolicy(), history)
    return _pinned(decision, observation, settings)


def _pinned(decision: Decision, observation: Observation, settings: ClusterSettings) -> Decision:
    """The decision with a person's target in place of its own, which stays visible. Bounds and one
    operation at a time hold for it; cooldowns and the flap budget are for the policy.
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
    """What a person set and the decision does not show."""
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
    policy: Policy | None,
    analytic: AnalyticPolicy,
    history: History,
) -> Decision:
    present = decision.present or 0
    applications = observation.applications or ()
    decided, shares = [], []
    urgent = False
    for application in applications:
        own, starting = workers_of(application, observation)
        one = _decide_application(
            application,
            settings,
            policy,
            analytic,
            history.get(application.name, ()),
            present=own,
            starting=starting,
            limit_error=_error_of(observation, f"application {application.id} limit"),
        )
        decided.append(one)
        urgent = urgent or _late(one, own, settings.margin)
        judged = one.predicted_finish_s is not None
        shares.append(Share.of(application, one.target, own, judged=judged))
    target = cluster_target(shares, present)
    if len(decided) == 1:
        reason = decided[0].reason
    else:
        reason = "; ".join(f"{one.name} ({one.id}): {one.target}" for one in decided)
        reason = f"Sum over {len(decided)} applications: {reason}."
        if target < sum(one.target for one in decided):
            reason += f" Those that are held ask for nobody new: {target} in all."
    fallbacks = [one for one in decided if one.policy == analytic.name]
    fallback = decision.fallback
    if policy is not None and fallbacks:
        fallback = (
            f"The analytic policy decided for {', '.join(one.name for one in fallbacks)}: "
            f"checkpoint {policy.version} knows at most {policy.max_targets} workers, or gave a "
            "number that is not finite."
        )
    blind = any(application.stages is None for application in applications)
    decision = replace(decision, applications=tuple(decided), fallback=fallback, held=blind)
    return _guarded(decision, observation, settings, target, reason, urgent=urgent)


def _late(decided: ApplicationDecision, present: int, margin: float) -> bool:
    """Whether it is predicted to miss its limit with the workers that it has."""
    finish = decided.predicted_finish_s
    if finish is None:
        return False
    return finish[min(max(1, present), len(finish)) - 1] > margin * decided.constraint.limit_s


def _decide_application(
    application: Application,
    settings: ClusterSettings,
    policy: Policy | None,
    analytic: AnalyticPolicy,
    runs: Sequence[Record],
    *,
    present: int,
    starting: int,
    limit_error: str | None,
) -> ApplicationDecision:
    own_limit = application.limit_s is not None
    allowed = min(
        settings.constraint.max_workers, application.max_workers or settings.constraint.max_workers
    )
    cores = application.max_cores
    # A worker of which it takes no core is paid for in vain.
    most = min(allowed, -(-cores // settings.cores_per_worker)) if cores else allowed
    constraint = Constraint(
        max_workers=most,
        limit_s=application.limit_s if application.limit_s else settings.constraint.limit_s,
        miss=settings.constraint.miss,
    )
    # What names no limit and has no end is in time for nothing, between its jobs too.
    source = "application" if own_limit else "none" if application.endless else "cluster"
    whose = "its own limit" if own_limit else "the cluster's limit"
    decided = ApplicationDecision(
        id=application.id,
        name=application.name,
        constraint=constraint,
        limit_source=source,
        elapsed_s=application.elapsed_s,
        target=min(max(1, present), constraint.max_workers),
        reason="",
        mask=(True,) * constraint.max_workers,
    )
    if application.stages is None:
        why = application.error or "its driver gave no answer"
        return replace(decided, reason=f"{application.name} is held at {decided.target}: {why}")
    if limit_error is not None:
        return replace(
            decided, reason=f"{application.name} is held at {decided.target}: {limit_error}"
        )
    if application.idle_s is not None:
        return _between_jobs(decided, application.idle_s, settings.quiet_s)
    if application.endless and not own_limit:
        return decide_endless(decided, application, settings, present=present)
    chosen: Policy = analytic
    if policy is not None and (policy.max_targets is None or most <= policy.max_targets):
        chosen = policy
    state = state_of(
        application, constraint, settings, chosen, runs, present=present, starting=starting
    )
    if not state.forecast.known[0]:
        return replace(
            decided,
            reason=f"{application.name} is held at {decided.target}: Spark shows no work that it "
            f"has left, so its end cannot be predicted ({whose} is {constraint.limit_s:.0f} s).",
        )
    values = chosen.values(state)
    if not np.isfinite(values.q).all():
        chosen = analytic
        state = state_of(
            application, constraint, settings, chosen, runs, present=present, starting=starting
        )
        values = chosen.values(state)
    recommended = int(values.best(state)[0])
    finish = tuple(float(f) for f in state.finish_s[0, :most])
    told = bool(state.forecast.told[0])
    notes: tuple[GuardrailNote, ...] = ()
    target = recommended
    if told:
        target, notes = guard_application(
            recommended,
            finish_s=finish,
            present=present,
            constraint=constraint,
            margin=settings.margin,
        )
    left = constraint.limit_s - application.elapsed_s
    bound = "" if most == allowed else f" (it takes at most {cores} cores)"
    reason = (
        f"{application.name}: {target} of at most {most} workers{bound}, predicted to end at "
        f"{finish[target - 1]:.0f} s of {constraint.limit_s:.0f} s ({whose}, {left:.0f} s left)"
    )
    reason += f"; {chosen.name} asked for {recommended}. {notes[-1].reason}" if notes else "."
    if not told:
        reason += " No task of it has finished and no run of it is known: this is a guess."
    elif min(finish) > constraint.limit_s:
        reason += " " + _out_of_reach(state, most, constraint.limit_s, more=most == allowed)
    return replace(
        decided,
        target=target,
        reason=reason,
        policy=chosen.name,
        checkpoint=chosen.version,
        q_values=tuple(float(q) for q in values.q[0, :most]),
        miss_probability=tuple(float(p) for p in values.miss[0, :most]),
        # A guess must not make anything urgent.
        predicted_finish_s=finish if told else None,
        guardrails=notes,
    )


def state_of(
    application: Application,
    constraint: Constraint,
    settings: ClusterSettings,
    policy: Policy,
    runs: Sequence[Record],
    *,
    present: int,
    starting: int,
) -> State:
    """What the policy is asked about one application, over max(N, 10) targets."""
    counts = max(TARGETS, constraint.max_workers)
    fit = comparable(runs, counts, settings.cores_per_worker)
    prior = prior_of(fit, application.inputs, counts, len(application.stages or ()))
    view = view_of(
        application,
        constraint,
        workers=present,
        serving=max(0, present - starting),
        cores=settings.cores_per_worker,
        counts=counts,
        stages=prior.tasks.shape[1],
    )
    return build_state(
        view,
        prior,
        np.array([price_of(constraint.miss, policy.prices)]),
        start_delay_s=settings.start_delay_s,
        drain_s=settings.drain_s,
    )


def _out_of_reach(state: State, most: int, limit_s: float, *, more: bool) -> str:
    """One sentence for a limit that no allowed count is predicted to meet: what would meet it.

    :param more: whether more workers would be of use to it.
    """
    finish = state.finish_s[0]
    enough = np.flatnonzero(finish <= limit_s)
    ends = f"{most} workers are predicted to end at {finish[most - 1]:.0f} s"
    if more and len(enough) and enough[0] >= most:
        return f"No count up to {most} is predicted to meet the limit: {ends}; it takes " + (
            f"{enough[0] + 1} ({finish[enough[0]]:.0f} s)."
        )
    return f"No count up to {most} is predicted to meet the limit: {ends}."


def _between_jobs(
    decided: ApplicationDecision, idle_s: float, quiet_s: float
) -> ApplicationDecision:
    """A driver that computes for a moment keeps its workers; one that waits long does not."""
    since = f"{decided.name} has run no job for {idle_s:.0f} s"
    if idle_s < quiet_s:
        return replace(decided, reason=f"{since}, less than {quiet_s:.0f} s: it is held.")
    return replace(decided, target=1, reason=f"{since}: one worker stays for it.")


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
