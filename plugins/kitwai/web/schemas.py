"""What the API answers and accepts. Moments are epoch seconds, times seconds; None is not known.

A decision in full is `kitwai.core.records.decision.Decision` itself, an observation
`kitwai.core.records.observation.Observation`: the API adds nothing to them and leaves nothing out.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from kitwai.core.decide.comparison import Comparison
from kitwai.core.records.decision import ClusterSettings, Decision
from kitwai.core.records.overrides import LATEST

Item = TypeVar("Item")
EpochSeconds = Annotated[float, Field(ge=0, le=LATEST, allow_inf_nan=False)]


class Answer(BaseModel):
    """Base of all: unknown fields are refused, so that a typing error is not passed over."""

    model_config = ConfigDict(extra="forbid")


class Page(Answer, Generic[Item]):
    """A part of a list, newest first. ``next``: the value of ``before`` for the part behind it."""

    items: list[Item]
    next: int | None = None


class Me(Answer):
    """Who asks, and what they may do; ``csrf`` goes with every change as ``X-Kitwai-CSRF``."""

    name: str
    may_change: bool
    may_answer: bool
    may_promote: bool
    csrf: str


class ControlView(Answer):
    """One thing that a person set; ``in_force``: it counts now: it is the newest of its name, its
    end has not come, and it can be used. ``until`` is None also where what is stored is no moment.
    """

    name: str
    value: str | int | None
    at: float
    by: str
    until: float | None
    in_force: bool


class ControlChange(Answer):
    """What to set; ``value`` None lifts it, ``until`` None holds until then."""

    name: Literal["mode", "pause", "pin", "max_workers", "limit"]
    value: Annotated[str, Field(max_length=50)] | StrictInt | None
    until: Annotated[float, Field(allow_inf_nan=False)] | None = None


class ApplicationView(Answer):
    """A running application as the newest decision saw it. ``finish_s``: predicted, at ``target``,
    from its start; ``left_s``: of its limit. ``limit_source``: "application" or "cluster"; "none"
    for one without an end, and "unknown" where its driver is silent: then both limits are None.
    """

    id: str
    name: str
    target: int
    elapsed_s: float
    limit_s: float | None
    limit_source: str
    left_s: float | None
    finish_s: float | None
    miss_probability: float | None
    tasks: int | None
    tasks_done: int | None
    reason: str


class Flaps(Answer):
    """Workers started or told to leave within the last hour, and how many may be."""

    used: int | None
    budget: int | None


class ApprovalView(Answer):
    """A decision that waits, or waited, for a person (``answer`` None: it waits)."""

    id: int
    cluster: str
    decision_id: int
    asked_at: float
    expires_at: float
    present: int | None
    target: int | None
    reason: str
    answer: str | None
    answered_at: float | None
    answered_by: str | None


class ClusterView(Answer):
    """One cluster now. Without an observation all but ``cluster`` and ``error`` is None or empty.

    ``applications``: None where it is not known which ones run; ``mode``, ``max_workers``,
    ``limit_s``: in force, controls included; ``missing``: sources that gave no answer; ``error``:
    why its connection cannot be used; ``ignored``: what was set and cannot be used, and why.
    """

    cluster: str
    error: str | None = None
    observed_at: float | None = None
    decided_at: float | None = None
    decision_id: int | None = None
    present: int | None = None
    serving: int | None = None
    starting: int | None = None
    draining: int | None = None
    target: int | None = None
    mode: str | None = None
    max_workers: int | None = None
    limit_s: float | None = None
    reason: str | None = None
    policy: str | None = None
    checkpoint: str | None = None
    fallback: str | None = None
    flaps: Flaps | None = None
    applications: list[ApplicationView] | None = None
    missing: dict[str, str] = {}
    controls: list[ControlView] = []
    ignored: list[str] = []
    approval: ApprovalView | None = None


class ApprovalAnswer(Answer):
    """What the person decided."""

    answer: Literal["approved", "rejected"]


class Mark(Answer):
    """A decision for another count than the present one: what the timeline marks."""

    at: float
    decision_id: int
    present: int | None
    target: int | None
    reason: str


class Timeline(Answer):
    """A cluster over time, in columns of one length, oldest first; ``tasks`` and ``tasks_done``: of
    all running applications; ``elapsed_s``, ``finish_s`` and ``limit_s``: of the one nearest to its
    limit, None where none is known to have one. ``step_s``: seconds between points where there are
    too many to show each one, None where each is shown; ``more_marks``: only the newest marks are
    here.
    """

    at: list[float]
    present: list[int | None]
    target: list[int | None]
    tasks: list[int | None]
    tasks_done: list[int | None]
    elapsed_s: list[float | None]
    finish_s: list[float | None]
    limit_s: list[float | None]
    decision_id: list[int | None]
    marks: list[Mark]
    step_s: float | None = None
    more_marks: bool = False


class DecisionSummary(Answer):
    """One line of the history; ``started`` and ``removed``: workers that came and went by it, None
    if nothing was carried out.
    """

    id: int
    at: float
    mode: str
    present: int | None
    target: int | None
    reason: str
    policy: str
    checkpoint: str | None
    fallback: str | None
    guardrails: list[str]
    started: int | None
    removed: int | None


class WhatIf(Answer):
    """Every target of one application: what it is predicted to bring. ``cost``: worker-seconds from
    the decision to the predicted finish.
    """

    target: int
    finish_s: float | None
    cost: float | None
    miss_probability: float | None
    q_value: float | None
    allowed: bool


class DecisionDetail(Answer):
    """A decision with all that it was made from. ``what_if`` by application id. ``scalings``: how
    it was carried out (`kitwai.core.records.scaling.ScalingOutcome`).
    """

    id: int
    observation_id: int
    decision: Decision
    settings: ClusterSettings
    what_if: dict[str, list[WhatIf]]
    scalings: list[dict[str, Any]]


class ModelView(Answer):
    """A checkpoint: ``manifest`` without its tables; ``error`` says why it cannot be used."""

    version: str
    champion: bool
    parent: str | None
    created: str | None
    trusted: dict[str, bool]
    metrics: dict[str, Any]
    error: str | None = None


class ModelDetail(ModelView):
    """With its card in Markdown, None where it has none, and the names of the card's pictures."""

    card: str | None
    pictures: list[str]


class Verdict(Answer):
    """What became of a version before the gate, or by hand."""

    id: int
    at: float
    run_id: str | None
    version: str
    champion: str | None
    verdict: str
    reason: str


class Moved(Answer):
    """The champion after a promotion or a rollback."""

    champion: str
    before: str | None


class ReplayRequest(Answer):
    """Which decisions to take again, with what. ``checkpoint``: a version; or ``policy``: a
    baseline such as ``remaining-work@0.80``; exactly one of the two.
    """

    since: EpochSeconds
    until: EpochSeconds
    checkpoint: str | None = Field(None, max_length=100)
    policy: str | None = Field(None, max_length=100)


class ReplayPolicy(Answer):
    """What one side of a replay comes to. ``limits``: applications that ended with a limit;
    ``met``: of these, in time; ``worker_s``: paid in all. None where it cannot be told
    (`Replay.notes` say why).
    """

    name: str
    limits: int | None
    met: int | None
    worker_s: float | None


class Replay(Answer):
    """Recorded days decided again, on two levels.

    Decisions, under the recorded past: ``observations``: how many were decided again; ``differs``:
    on how many of them the targets differ, ``share``: the same as a share; ``comparison``: as both
    forecasts see the difference, the recorded policy first; for each ``at`` both targets.

    Outcome: ``real``: what happened; ``recorded`` and ``replayed``: what both policies come to in
    the simulator, where ``recorded`` against ``real`` shows how good the simulation is;
    ``unknown``: applications that are in none of the three, and why; ``notes``: what else to know.
    """

    cluster: str
    since: float
    until: float
    observations: int
    differs: int
    share: float | None
    comparison: Comparison
    real: ReplayPolicy
    recorded: ReplayPolicy
    replayed: ReplayPolicy
    unknown: list[str]
    notes: list[str]
    at: list[float]
    recorded_target: list[int | None]
    replayed_target: list[int | None]


class ShadowView(Answer):
    """A challenger that decides without acting, against the champion, in [since, until].

    ``champion``: the versions that decided. ``regret_champion``: mean loss of the challenger's
    target less that of the champion's, as the champion's forecast sees it; ``regret_challenger``:
    mean loss of the champion's target less that of the challenger's, as the challenger's sees it.
    A loss is an expected cost plus price x miss probability, in costs of the whole run on the best
    static cluster (`kitwai.core.decide.comparison`), its mean over ``comparison.judged`` decisions
    on applications. ``kinship``: what the two have in common. ``outcome``: what both come to in the
    simulator, the champion first; None where it was not asked for, ``notes`` as in `Replay`.
    """

    cluster: str
    checkpoint: str
    champion: str
    decisions: int
    differs: int
    fewer_workers: int
    more_workers: int
    regret_champion: float | None
    regret_challenger: float | None
    since: float
    until: float
    comparison: Comparison
    kinship: str | None = None
    outcome: list[ReplayPolicy] | None = None
    notes: list[str] = []
