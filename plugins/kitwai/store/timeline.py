"""A cluster over time, quickly: a day is 5,760 decisions, and each is some kilobytes of JSON.

What a point needs of a decision and its observation never changes once it is written. So it is
read once and remembered. Longer times than a screen can show are thinned in the database.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import NamedTuple

import sqlalchemy as sa
from pydantic import BaseModel, TypeAdapter
from sqlalchemy.engine import Engine

from kitwai.core.records.targets import at_target
from kitwai.store.tables import DecisionRow, ObservationRow

MAX_MARKS = 500
_REMEMBERED = 50_000
_AT_ONCE = 200

Key = tuple[int, float]
"""Id and moment of a decision. A database may give a deleted row's id to a new one."""


class Point(NamedTuple):
    """One decision on the timeline.

    ``at``: epoch seconds. ``tasks``, ``tasks_done``: of all running applications. ``elapsed_s``,
    ``finish_s``, ``limit_s``: of the application that is nearest to its limit. None: not known.
    """

    at: float
    present: int | None
    target: int | None
    tasks: int | None
    tasks_done: int | None
    elapsed_s: float | None
    finish_s: float | None
    limit_s: float | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A decision for another count than the present one: what the timeline marks."""

    at: float
    decision_id: int
    present: int | None
    target: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Span:
    """The decisions on a cluster in an interval, oldest first: an id and a point for each.

    ``step_s``: seconds between points where there are too many to show each one, else None.
    ``more_marks``: there were more marks than `MAX_MARKS`; the newest are here.
    """

    decision_ids: list[int]
    points: list[Point]
    marks: list[Mark]
    step_s: float | None
    more_marks: bool


class Timelines:
    """Reads timelines from one store and remembers the newest `_REMEMBERED` points."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: OrderedDict[Key, Point] = OrderedDict()
        self._lock = Lock()

    def span(self, cluster: str, since: float, until: float, most: int) -> Span:
        """The decisions on ``cluster`` in [since, until], at most about ``most`` of them.

        Where there are more, the last one of each ``step_s`` seconds is shown. The steps lie on
        the clock, not on ``since``, so that asking again a little later shows the same ones.
        """
        keys, step_s = _keys(self._engine, cluster, since, until, most)
        marks = _marks(self._engine, cluster, since, until)
        return Span(
            decision_ids=[key[0] for key in keys],
            points=self._points(keys),
            marks=marks[:MAX_MARKS][::-1],
            step_s=step_s,
            more_marks=len(marks) > MAX_MARKS,
        )

    def _points(self, keys: Sequence[Key]) -> list[Point]:
        known = self._recall(keys)
        missing = iter([key for key in keys if key not in known])
        while part := list(islice(missing, _AT_ONCE)):
            read = _read(self._engine, [key[0] for key in part])
            known |= read
            self._remember(read)
        # What was pruned in between is left out nowhere: it keeps its place, empty.
        return [known.get(key) or Point(key[1], *[None] * 7) for key in keys]

    def _recall(self, keys: Iterable[Key]) -> dict[Key, Point]:
        with self._lock:
            points = {key: self._known[key] for key in keys if key in self._known}
            for key in points:
                self._known.move_to_end(key)
            return points

    def _remember(self, points: dict[Key, Point]) -> None:
        with self._lock:
            self._known.update(points)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)


def _keys(
    engine: Engine, cluster: str, since: float, until: float, most: int
) -> tuple[list[Key], float | None]:
    """The decisions to show, oldest first, and the seconds between them where they are thinned."""
    span = (
        DecisionRow.cluster == cluster,
        DecisionRow.at >= since,
        DecisionRow.at <= until,
    )
    step_s = None
    wanted = sa.select(DecisionRow.id, DecisionRow.at).where(*span)
    with engine.connect() as connection:
        count = connection.scalar(sa.select(sa.func.count()).where(*span)) or 0
        if count > most:
            step_s = math.ceil((until - since) / most)
            step = sa.cast(DecisionRow.at / step_s, sa.BigInteger)
            last = sa.select(sa.func.max(DecisionRow.id)).where(*span).group_by(step)
            wanted = wanted.where(DecisionRow.id.in_(last))
        order = wanted.order_by(DecisionRow.at, DecisionRow.id)
        return [(row.id, row.at) for row in connection.execute(order)], step_s


def _marks(engine: Engine, cluster: str, since: float, until: float) -> list[Mark]:
    """Decisions for another count than the present one, the first of each such run.

    Newest first, at most one more than `MAX_MARKS`. Decisions that named no target begin no run.
    What came before ``since`` counts, so that a run is not marked anew wherever the interval
    begins.
    """
    known = (DecisionRow.cluster == cluster, DecisionRow.target.is_not(None))
    last = sa.select(sa.func.max(DecisionRow.at)).where(*known, DecisionRow.at < since)
    before = sa.func.lag(DecisionRow.target).over(order_by=(DecisionRow.at, DecisionRow.id))
    rows = (
        sa.select(
            DecisionRow.id,
            DecisionRow.at,
            DecisionRow.present,
            DecisionRow.target,
            before.label("before"),
        )
        .where(
            *known,
            DecisionRow.at >= sa.func.coalesce(last.scalar_subquery(), since),
            DecisionRow.at <= until,
        )
        .subquery()
    )
    chosen = (
        sa.select(rows.c.id)
        .where(
            rows.c.at >= since,
            rows.c.target != rows.c.present,
            sa.or_(rows.c.before.is_(None), rows.c.before != rows.c.target),
        )
        .order_by(rows.c.at.desc(), rows.c.id.desc())
        .limit(MAX_MARKS + 1)
    )
    with engine.connect() as connection:
        ids = list(connection.scalars(chosen))
        marks = connection.execute(
            sa.select(
                DecisionRow.at,
                DecisionRow.id.label("decision_id"),
                DecisionRow.present,
                DecisionRow.target,
                DecisionRow.reason,
            )
            .where(DecisionRow.id.in_(ids))
            .order_by(DecisionRow.at.desc(), DecisionRow.id.desc())
        )
        return [Mark(**row._mapping) for row in marks]


class _Stage(BaseModel):
    tasks: int
    complete: int


class _Running(BaseModel):
    id: str
    stages: list[_Stage] | None = None


class _Seen(BaseModel):
    applications: list[_Running] | None = None


class _Limit(BaseModel):
    limit_s: float


class _Judged(BaseModel):
    id: str
    constraint: _Limit
    limit_source: str
    elapsed_s: float
    target: int
    predicted_finish_s: list[float | None] | None = None


class _Decided(BaseModel):
    applications: list[_Judged] = []


_SEEN = TypeAdapter(_Seen)
_DECIDED = TypeAdapter(_Decided)


def _read(engine: Engine, ids: Sequence[int]) -> dict[Key, Point]:
    # As text: parsing only what is needed takes a fraction of what the whole record does.
    query = (
        sa.select(
            DecisionRow.id,
            DecisionRow.at,
            DecisionRow.present,
            DecisionRow.target,
            sa.cast(DecisionRow.body, sa.Text),
            sa.cast(ObservationRow.body, sa.Text),
        )
        .join(ObservationRow, ObservationRow.id == DecisionRow.observation_id)
        .where(DecisionRow.id.in_(ids))
    )
    with engine.connect() as connection:
        return {
            (id_, at): Point(at, present, target, *_applications(decided, seen))
            for id_, at, present, target, decided, seen in connection.execute(query)
        }


def _applications(
    decision: str, observation: str
) -> tuple[int | None, int | None, float | None, float | None, float | None]:
    """What a point tells of applications, of a decision and an observation as JSON."""
    running = _SEEN.validate_json(observation).applications
    return *_tasks(running), *_nearest(_DECIDED.validate_json(decision).applications, running)


def _tasks(running: Sequence[_Running] | None) -> tuple[int | None, int | None]:
    """Tasks of all running applications, and how many are done; None where it is not known."""
    if running is None or any(app.stages is None for app in running):
        return None, None
    stages = [stage for app in running for stage in app.stages or ()]
    return sum(stage.tasks for stage in stages), sum(stage.complete for stage in stages)


def _nearest(
    judged: Sequence[_Judged], running: Sequence[_Running] | None
) -> tuple[float | None, float | None, float | None]:
    """Elapsed time, predicted finish and limit of the application that has the least time left;
    None where none is known to have a limit.
    """
    silent = {app.id for app in running or () if app.stages is None}
    limited = [app for app in judged if app.limit_source != "none" and app.id not in silent]
    if not limited:
        return None, None, None
    nearest = min(limited, key=lambda app: app.constraint.limit_s - app.elapsed_s)
    finish_s = at_target(nearest.predicted_finish_s, nearest.target)
    return nearest.elapsed_s, finish_s, nearest.constraint.limit_s
