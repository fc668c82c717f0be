"""The history of decisions: what is searched for, one line each, and one in full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, TypeAdapter
from sqlalchemy.engine import Connection, Engine

from kitwai.core.records.decision import ApplicationDecision
from kitwai.store.store import Store
from kitwai.store.tables import DecisionRow, ScalingRow
from kitwai.web.paging import part
from kitwai.web.schemas import DecisionDetail, DecisionSummary, Page, WhatIf
from kitwai.web.timeline import at_target

Line = tuple[Any, ...]
"""A `DecisionSummary` as its fields, in their order: `COLUMNS`. A long history is many of them."""
COLUMNS = tuple(DecisionSummary.model_fields)

_AT_ONCE = 500


@dataclass(frozen=True)
class Filter:
    """Which decisions of a cluster. ``changed``: whether another count than the present one was
    asked for; ``search``: words of the reason.
    """

    cluster: str
    since: float | None = None
    until: float | None = None
    changed: bool | None = None
    mode: str | None = None
    search: str | None = None


class _Note(BaseModel):
    name: str


class _Judged(BaseModel):
    guardrails: list[_Note] = []


class _Decided(BaseModel):
    policy: str
    fallback: str | None = None
    guardrails: list[_Note] = []
    applications: list[_Judged] = []


_DECIDED = TypeAdapter(_Decided)


def decisions(
    engine: Engine, wanted: Filter, *, limit: int, before: int | None
) -> Page[DecisionSummary]:
    """One part of the history. :param before: the id that the part begins behind."""
    query = _query(wanted)
    with engine.connect() as connection:
        if before is not None:
            # By moment, then id: that is the order of the index.
            at = sa.select(DecisionRow.at).where(DecisionRow.id == before).scalar_subquery()
            query = query.where(
                sa.or_(
                    DecisionRow.at < at,
                    sa.and_(DecisionRow.at == at, DecisionRow.id < before),
                )
            )
        rows = connection.execute(query.limit(limit + 1)).all()
        lines = _lines(connection, rows[:limit])
    items = [DecisionSummary(**dict(zip(COLUMNS, line, strict=True))) for line in lines]
    return part(rows, items, limit)


def all_decisions(
    engine: Engine, wanted: Filter, *, at_once: int = _AT_ONCE
) -> Iterator[list[Line]]:
    """The whole history that ``wanted`` tells of, newest first, in parts of ``at_once``: no more
    than two of them are ever held.
    """
    with engine.connect() as connection, engine.connect() as other:
        query = _query(wanted).execution_options(yield_per=at_once)
        rows = iter(connection.execute(query))
        while some := list(islice(rows, at_once)):
            yield _lines(other, some)


def detail(store: Store, decision_id: int) -> DecisionDetail:
    """A decision in full. :raises StoreError: there is none with this id."""
    stored = store.decision(decision_id)
    query = (
        sa.select(
            ScalingRow.id,
            ScalingRow.started_at,
            ScalingRow.ended_at,
            ScalingRow.target,
            ScalingRow.started,
            ScalingRow.removed,
            ScalingRow.body,
        )
        .where(
            ScalingRow.decision_id == decision_id,
            # Both for the index: there is none by decision.
            ScalingRow.cluster == stored.decision.cluster,
            ScalingRow.started_at >= stored.decision.at,
        )
        .order_by(ScalingRow.id)
    )
    with store.engine.connect() as connection:
        scalings = [_scaling(dict(row._mapping)) for row in connection.execute(query)]
    return DecisionDetail(
        id=stored.id,
        observation_id=stored.observation_id,
        decision=stored.decision,
        settings=stored.settings,
        what_if={app.id: what_if(app) for app in stored.decision.applications},
        scalings=scalings,
    )


def what_if(app: ApplicationDecision) -> list[WhatIf]:
    """Every target that was weighed for one application."""
    answers = []
    most = len(app.mask) or len(app.q_values or app.predicted_finish_s or ())
    for target in range(1, most + 1):
        finish_s = at_target(app.predicted_finish_s, target)
        left_s = None if finish_s is None else max(0.0, finish_s - app.elapsed_s)
        answers.append(
            WhatIf(
                target=target,
                finish_s=finish_s,
                cost=None if left_s is None else target * left_s,
                miss_probability=at_target(app.miss_probability, target),
                q_value=at_target(app.q_values, target),
                allowed=target <= len(app.mask) and app.mask[target - 1],
            )
        )
    return answers


def _query(wanted: Filter) -> sa.Select[*tuple[Any, ...]]:
    query = sa.select(
        DecisionRow.id,
        DecisionRow.at,
        DecisionRow.cluster,
        DecisionRow.mode,
        DecisionRow.present,
        DecisionRow.target,
        DecisionRow.checkpoint,
        DecisionRow.reason,
        # As text: only a little of it is parsed.
        sa.cast(DecisionRow.body, sa.Text).label("body"),
    ).where(DecisionRow.cluster == wanted.cluster)
    if wanted.since is not None:
        query = query.where(DecisionRow.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(DecisionRow.at <= wanted.until)
    if wanted.changed is not None:
        differs = DecisionRow.target.is_distinct_from(DecisionRow.present)
        differs = sa.and_(DecisionRow.target.is_not(None), differs)
        query = query.where(differs if wanted.changed else sa.not_(differs))
    if wanted.mode is not None:
        query = query.where(DecisionRow.mode == wanted.mode)
    for word in (wanted.search or "").split():
        query = query.where(DecisionRow.reason.icontains(word, autoescape=True))
    return query.order_by(DecisionRow.at.desc(), DecisionRow.id.desc())


def _lines(connection: Connection, rows: Sequence[Any]) -> list[Line]:
    done = _done(connection, rows)
    lines = []
    for row in rows:
        id_, at, _, mode, present, target, checkpoint, reason, body = row
        made = _DECIDED.validate_json(body)
        notes = [*made.guardrails, *(note for app in made.applications for note in app.guardrails)]
        names = list(dict.fromkeys(note.name for note in notes))
        head = (id_, at, mode, present, target, reason, made.policy, checkpoint, made.fallback)
        lines.append((*head, names, *done.get(id_, (None, None))))
    return lines


def _done(connection: Connection, rows: Sequence[Any]) -> dict[int, tuple[int, int]]:
    """Workers started and told to leave, by decision that was carried out."""
    if not rows:
        return {}
    query = (
        sa.select(
            ScalingRow.decision_id,
            sa.func.sum(ScalingRow.started),
            sa.func.sum(ScalingRow.removed),
        )
        .where(
            ScalingRow.cluster == rows[0].cluster,
            ScalingRow.started_at >= min(row.at for row in rows),
            ScalingRow.decision_id.in_([row.id for row in rows]),
        )
        .group_by(ScalingRow.decision_id)
    )
    return {int(row[0] or 0): (int(row[1]), int(row[2])) for row in connection.execute(query)}


def _scaling(row: dict[str, Any]) -> dict[str, Any]:
    """What an operation did, with its moments: by name where the outcome tells, else in numbers."""
    outcome = row.pop("body") or {}
    return {**row, **outcome}
