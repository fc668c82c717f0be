"""The history of decisions, a line for each, and how one decision was carried out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, TypeAdapter
from sqlalchemy.engine import Connection, Engine

from kitwai.store.paging import Part, part_of
from kitwai.store.steps import StoredDecision
from kitwai.store.tables import DecisionRow, ScalingRow

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """Which decisions of a cluster are wanted. None leaves a field out of the search.

    ``since``, ``until``: epoch seconds, both included. ``changed``: whether the decision asked for
    another count than the present one. ``search``: words that the reason must hold.
    """

    cluster: str
    since: float | None = None
    until: float | None = None
    changed: bool | None = None
    mode: str | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """One decision in a line. A long history is many of these.

    ``guardrails``: names of those that acted. ``started``, ``removed``: workers that came and went
    by the decision; None where nothing was carried out.
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


@dataclass(frozen=True, slots=True)
class StoredScaling:
    """One attempt to carry a decision out, with its moments in epoch seconds.

    ``ended_at`` None: it is under way, or its process died. ``started``, ``removed``: how many
    workers. ``outcome``: the fields of `kitwai.core.records.scaling.ScalingOutcome`, empty without
    an end.
    """

    id: int
    started_at: float
    ended_at: float | None
    target: int
    started: int
    removed: int
    outcome: dict[str, Any]


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


def decision_lines(
    engine: Engine, wanted: DecisionFilter, *, limit: int, before: int | None = None
) -> Part[DecisionLine]:
    """One part of the history, newest first. :param before: the id that the part begins behind."""
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
        return part_of(rows, _lines(connection, rows[:limit]), limit)


def all_decision_lines(
    engine: Engine, wanted: DecisionFilter, *, at_once: int = _AT_ONCE
) -> Iterator[list[DecisionLine]]:
    """The whole history, newest first, in lists of at most ``at_once`` lines.

    No more than two of these lists are in memory at a time.
    """
    with engine.connect() as connection, engine.connect() as other:
        query = _query(wanted).execution_options(yield_per=at_once)
        rows = iter(connection.execute(query))
        while some := list(islice(rows, at_once)):
            yield _lines(other, some)


def scalings_of(engine: Engine, stored: StoredDecision) -> list[StoredScaling]:
    """The attempts to carry a decision out, oldest first."""
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
            ScalingRow.decision_id == stored.id,
            # Both for the index: there is none by decision.
            ScalingRow.cluster == stored.decision.cluster,
            ScalingRow.started_at >= stored.decision.at,
        )
        .order_by(ScalingRow.id)
    )
    with engine.connect() as connection:
        return [StoredScaling(*row[:-1], row.body or {}) for row in connection.execute(query)]


def _query(wanted: DecisionFilter) -> sa.Select[*tuple[Any, ...]]:
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


def _lines(connection: Connection, rows: Sequence[Any]) -> list[DecisionLine]:
    workers = _workers(connection, rows)
    lines = []
    for row in rows:
        id_, at, _, mode, present, target, checkpoint, reason, body = row
        decided = _DECIDED.validate_json(body)
        of_applications = (note for app in decided.applications for note in app.guardrails)
        names = dict.fromkeys(note.name for note in (*decided.guardrails, *of_applications))
        head = (id_, at, mode, present, target, reason)
        decider = (decided.policy, checkpoint, decided.fallback)
        lines.append(DecisionLine(*head, *decider, list(names), *workers.get(id_, (None, None))))
    return lines


def _workers(connection: Connection, rows: Sequence[Any]) -> dict[int, tuple[int, int]]:
    """Workers started and told to leave, by the id of each decision that was carried out."""
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
