"""The decision on one application: its constraint, what holds it, and its target with the
reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kitwai.core.decide.guardrails import notes_of
from kitwai.core.decide.targets import Choices, Terms, choose_targets
from kitwai.core.decide.without_end import decide_endless
from kitwai.core.forecast.arrays import Floats, View
from kitwai.core.forecast.from_observation import view_of
from kitwai.core.forecast.past_runs import Record, comparable, prior_of
from kitwai.core.forecast.prior import Prior
from kitwai.core.policy.policy import FORECAST, NETWORK, Policy
from kitwai.core.policy.state import TARGETS
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.decision import ApplicationDecision
from kitwai.core.records.observation import Application
from kitwai.core.records.settings import ClusterSettings


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers of one application: ``own``, starting ones included, and how many start."""

    own: int
    starting: int


def decide_application(
    application: Application,
    settings: ClusterSettings,
    policy: Policy,
    runs: Sequence[Record],
    *,
    workers: Workers,
    limit_error: str | None,
) -> tuple[ApplicationDecision, bool]:
    """Decide the target of one application. Returns the decision, and whether the forecast stood in
    for a policy that could not answer.

    :param runs: past runs of the application's family.
    :param limit_error: why the application's own limit could not be read, None where it could.
    """
    held, takes_more = _held(application, settings, workers.own)
    hold = _reason_to_hold(held, application, limit_error)
    if hold is not None:
        return replace(held, reason=hold), False
    endless = application.endless and application.limit_s is None
    if endless and application.idle_s is None:
        return decide_endless(held, application, settings, present=workers.own), False
    view, prior = as_arrays(application, held.constraint, settings, runs, workers)
    if application.idle_s is not None and (endless or not _more_planned(application, prior)):
        return _between_jobs(held, application.idle_s, settings.quiet_s), False
    terms = Terms(settings.margin, settings.start_delay_s, settings.drain_s)
    choices = choose_targets(policy, view, prior, np.array([held.constraint.miss]), terms)
    if not choices.known[0]:
        reason = (
            f"{held.name} is held at {held.target}: Spark shows no work that it has left, so its "
            f"end cannot be predicted ({_whose(held)} is {held.constraint.limit_s:.0f} s)."
        )
        return replace(held, reason=reason), False
    # An application that takes no more cores has no use for more workers.
    cores = None if takes_more else application.max_cores
    return _chosen(held, choices, policy, cores), bool(choices.replaced[0])


def as_arrays(
    application: Application,
    constraint: Constraint,
    settings: ClusterSettings,
    runs: Sequence[Record],
    workers: Workers,
) -> tuple[View, Prior]:
    """The application as the simulator would show it, and what past runs tell of it (B = 1), over
    max(N, 10) targets.
    """
    counts = max(TARGETS, constraint.max_workers)
    fit = comparable(runs, counts, settings.cores_per_worker)
    stages = sorted(application.stages or (), key=lambda stage: stage.id)
    shown = [stage.tasks for stage in stages]
    prior = prior_of(fit, application.inputs, counts, len(shown), shown)
    view = view_of(
        application,
        constraint,
        workers=workers.own,
        serving=max(0, workers.own - workers.starting),
        cores=settings.cores_per_worker,
        counts=counts,
        stages=prior.tasks.shape[1],
    )
    return view, prior


def _held(
    application: Application, settings: ClusterSettings, present: int
) -> tuple[ApplicationDecision, bool]:
    """The decision that holds the present count, and whether more than N workers would be of
    use.
    """
    allowed = min(
        settings.constraint.max_workers, application.max_workers or settings.constraint.max_workers
    )
    cores = application.max_cores
    # A worker of which it takes no core is paid for in vain.
    most = min(allowed, -(-cores // settings.cores_per_worker)) if cores else allowed
    limit_s = application.limit_s if application.limit_s else settings.constraint.limit_s
    constraint = Constraint(most, limit_s, settings.constraint.miss)
    # An application without end and without a limit of its own has no deadline between jobs either.
    source = "none" if application.endless else "cluster"
    held = ApplicationDecision(
        id=application.id,
        name=application.name,
        constraint=constraint,
        limit_source="application" if application.limit_s is not None else source,
        elapsed_s=application.elapsed_s,
        target=min(max(1, present), most),
        reason="",
        mask=(True,) * most,
    )
    return held, most == allowed


def _reason_to_hold(
    held: ApplicationDecision, application: Application, limit_error: str | None
) -> str | None:
    """Why the application keeps its present count, None where it can be judged."""
    why = limit_error
    if application.stages is None:
        why = application.error or "its driver gave no answer"
    return None if why is None else f"{held.name} is held at {held.target}: {why}"


def _more_planned(application: Application, prior: Prior) -> bool:
    """Whether past runs tell of stages that the application has not shown yet."""
    shown = len(application.stages or ())
    return bool(prior.informed[0]) and int((prior.tasks[0] > 0).sum()) > shown


def _between_jobs(held: ApplicationDecision, idle_s: float, quiet_s: float) -> ApplicationDecision:
    """A driver that computes for a moment keeps its workers; one that waits long does not.

    It is for an application of which no past run tells what comes next.
    """
    since = f"{held.name} has run no job for {idle_s:.0f} s"
    if idle_s < quiet_s:
        return replace(held, reason=f"{since}, less than {quiet_s:.0f} s: it is held.")
    return replace(held, target=1, reason=f"{since}: one worker stays for it.")


def _whose(decided: ApplicationDecision) -> str:
    """Whose limit counts for the application, in words."""
    own = decided.limit_source == "application"
    return "its own limit" if own else "the cluster's limit"


def _chosen(
    held: ApplicationDecision, choices: Choices, policy: Policy, cores: int | None
) -> ApplicationDecision:
    """The decision with the target that was chosen.

    :param cores: the most cores that the application takes, where they bound its workers.
    """
    most, limit_s = held.constraint.max_workers, held.constraint.limit_s
    target, recommended = int(choices.target[0]), int(choices.recommended[0])
    told, by = bool(choices.told[0]), NETWORK if choices.network[0] else FORECAST
    notes = notes_of(choices.moves) if told else ()
    finish_s = choices.finish_s[0]
    left_s = limit_s - held.elapsed_s
    bound = "" if cores is None else f" (it takes at most {cores} cores)"
    reason = (
        f"{held.name}: {target} of at most {most} workers{bound}, predicted to end at "
        f"{finish_s[target - 1]:.0f} s of {limit_s:.0f} s ({_whose(held)}, {left_s:.0f} s left)"
    )
    reason += f"; the {by} asked for {recommended}."
    if notes:
        reason += f" {notes[-1].reason}"
    if not told:
        reason += " No task of it has finished and no run of it is known: this is a guess."
    elif finish_s[:most].min() > limit_s:
        reason += " " + _out_of_reach(finish_s, most, limit_s, more=cores is None)
    return replace(
        held,
        target=target,
        reason=reason,
        policy=by,
        checkpoint=None if choices.replaced[0] else policy.version,
        q_values=_numbers(choices.q, most),
        miss_probability=_numbers(choices.miss, most),
        # A guess must not make anything urgent.
        predicted_finish_s=_numbers(choices.finish_s, most) if told else None,
        guardrails=notes,
    )


def _numbers(values: Floats, most: int) -> tuple[float, ...]:
    return tuple(float(value) for value in values[0, :most])


def _out_of_reach(finish_s: Floats, most: int, limit_s: float, *, more: bool) -> str:
    """One sentence for a limit that no allowed count is predicted to meet: what would meet it.

    :param finish_s: [W]; ``more``: whether more workers would be of use to the application.
    """
    enough = np.flatnonzero(finish_s <= limit_s)
    ends = f"{most} workers are predicted to end at {finish_s[most - 1]:.0f} s"
    if more and len(enough) and enough[0] >= most:
        return f"No count up to {most} is predicted to meet the limit: {ends}; it takes " + (
            f"{enough[0] + 1} ({finish_s[enough[0]]:.0f} s)."
        )
    return f"No count up to {most} is predicted to meet the limit: {ends}."
