"""What the API answers and accepts. Moments are epoch seconds, times seconds; None is not known.

A decision in full is `kitwai.core.records.decision.Decision` itself, an observation
`kitwai.core.records.observation.Observation`: the API adds nothing to them and leaves nothing out.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from kitwai.core.records.decision import Decision
from kitwai.core.records.settings import ClusterSettings
from kitwai.store.approvals import AskedDecision
from kitwai.store.timeline import Mark

Item = TypeVar("Item")


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
    approval: AskedDecision | None = None


class ApprovalAnswer(Answer):
    """What the person decided."""

    answer: Literal["approved", "rejected"]


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
    decision_id: list[int]
    marks: list[Mark]
    step_s: float | None = None
    more_marks: bool = False


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


class Scaling(BaseModel):
    """One attempt to carry a decision out. ``ended_at`` None: under way, or its process died.

    ``started``, ``removed``: how many workers. An attempt that has ended tells more, in the words
    of `kitwai.core.records.scaling.ScalingOutcome`, and ``started`` holds the workers' names
    instead. The fields with a default are left out until then.
    """

    id: int
    started_at: float
    ended_at: float | None
    target: int
    started: int | list[str]
    removed: int
    drained: list[str] = []
    stopped: list[str] = []
    settled: bool = False
    waiting: list[str] = []
    failed: list[str] = []
    seconds: float = 0.0


class DecisionDetail(Answer):
    """A decision with all that it was made from, and how it was carried out. ``what_if``: by
    application id.
    """

    id: int
    observation_id: int
    decision: Decision
    settings: ClusterSettings
    what_if: dict[str, list[WhatIf]]
    scalings: list[Scaling]


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


class Moved(Answer):
    """The champion after a promotion or a rollback."""

    champion: str
    before: str | None
