"""A cluster over time, quickly: a day is 5,760 decisions, and each is some kilobytes of JSON.

What a point of the timeline needs of a decision and its observation never changes once written, so
it is read once and remembered. Longer times than a screen can show are thinned in the database.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import islice
from threading import Lock
from typing import NamedTuple

import sqlalchemy as sa
from pydantic import BaseModel, TypeAdapter
from sqlalchemy.engine import Engine

from kitwai.store.tables import DecisionRow, ObservationRow
from kitwai.web.schemas import Mark, Timeline

MAX_MARKS = 500
_REMEMBERED = 50_000
_AT_ONCE = 200


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


class Point(NamedTuple):
    """One decision on the timeline, in the words of `Timeline`."""

    at: float
    present: int | None
    target: int | None
    tasks: int | None
    tasks_done: int | None
    elapsed_s: float | None
    finish_s: float | None
    limit_s: float | None


class Points:
    """Reads points from one store and remembers the newest `_REMEMBERED` that were asked for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: OrderedDict[tuple[int, float], Point] = OrderedDict()
        self._lock = Lock()

    def timeline(self, cluster: str, since: float, until: float, most: int) -> Timeline:
        """The decisions on ``cluster`` in [since, until], at most about ``most`` of them.

        Where there are more, the last one of each ``step_s`` seconds is shown; the steps lie on
        the clock, not on ``since``, so that asking again a little later shows the same ones.
        """
        span = (
            DecisionRow.cluster == cluster,
            DecisionRow.at >= since,
            DecisionRow.at <= until,
        )
        step_s = None
        with self._engine.connect() as connection:
            wanted = sa.select(DecisionRow.id, DecisionRow.at).where(*span)
            count = connection.scalar(sa.select(sa.func.count()).where(*span)) or 0
            if count > most:
                step_s = math.ceil((until - since) / most)
                step = sa.cast(DecisionRow.at / step_s, sa.BigInteger)
                last = sa.select(sa.func.max(DecisionRow.id)).where(*span).group_by(step)
                wanted = wanted.where(DecisionRow.id.in_(last))
            order = wanted.order_by(DecisionRow.at, DecisionRow.id)
            keys = [(row.id, row.at) for row in connection.execute(order)]
        marks, more_marks = self._marks(cluster, since, until)
        points = self._points(keys)
        columns = list(zip(*points, strict=True)) or [()] * len(Point._fields)
        return Timeline(
            **dict(zip(Point._fields, map(list, columns), strict=True)),
            decision_id=[key[0] for key in keys],
            marks=marks,
            step_s=step_s,
            more_marks=more_marks,
        )

    def _marks(self, cluster: str, since: float, until: float) -> tuple[list[Mark], bool]:
        """Decisions for another count than the present one, the first of each such run.

        Decisions that named no target begin no run. What came before ``since`` counts, so that a
        run is not marked anew wherever the time that is asked for begins.
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
        with self._engine.connect() as connection:
            ids = list(connection.scalars(chosen))
            found = connection.execute(
                sa.select(
                    DecisionRow.at,
                    DecisionRow.id.label("decision_id"),
                    DecisionRow.present,
                    DecisionRow.target,
                    DecisionRow.reason,
                )
                .where(DecisionRow.id.in_(ids[:MAX_MARKS]))
                .order_by(DecisionRow.at, DecisionRow.id)
            )
            return [Mark(**row._mapping) for row in found], len(ids) > MAX_MARKS

    def _points(self, keys: Sequence[tuple[int, float]]) -> list[Point]:
        known = self._recall(keys)
        missing = iter([key for key in keys if key not in known])
        while part := list(islice(missing, _AT_ONCE)):
            read = self._read([key[0] for key in part])
            known |= read
            self._remember(read)
        # What was pruned in between is left out nowhere: it keeps its place, empty.
        return [known.get(key) or Point(key[1], *[None] * 7) for key in keys]

    def _read(self, ids: Sequence[int]) -> dict[tuple[int, float], Point]:
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
        with self._engine.connect() as connection:
            return {
                (id_, at): Point(at, present, target, *_applications(decided, seen))
                for id_, at, present, target, decided, seen in connection.execute(query)
            }

    def _recall(self, keys: Iterable[tuple[int, float]]) -> dict[tuple[int, float], Point]:
        with self._lock:
            found = {key: self._known[key] for key in keys if key in self._known}
            for key in found:
                self._known.move_to_end(key)
            return found

    def _remember(self, points: dict[tuple[int, float], Point]) -> None:
        with self._lock:
            self._known.update(points)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)


def _applications(
    decision: str, observation: str
) -> tuple[int | None, int | None, float | None, float | None, float | None]:
    """What a point tells of applications, of a decision and an observation as JSON."""
    running = _SEEN.validate_json(observation).applications
    return *_tasks(running), *_nearest(_DECIDED.validate_json(decision).applications, running)


def _tasks(running: Sequence[_Running] | None) -> tuple[int | None, int | None]:
    """Tasks of all running applications, and how many are done; None where it is not known."""
    if running is None or any(one.stages is None for one in running):
        return None, None
    stages = [stage for one in running for stage in one.stages or ()]
    return sum(stage.tasks for stage in stages), sum(stage.complete for stage in stages)


def _nearest(
    judged: Sequence[_Judged], running: Sequence[_Running] | None
) -> tuple[float | None, float | None, float | None]:
    """Elapsed time, predicted finish and limit of the application that has the least time left;
    None where none is known to have a limit.
    """
    silent = {one.id for one in running or () if one.stages is None}
    limited = [one for one in judged if one.limit_source != "none" and one.id not in silent]
    if not limited:
        return None, None, None
    one = min(limited, key=lambda app: app.constraint.limit_s - app.elapsed_s)
    finish_s = at_target(one.predicted_finish_s, one.target)
    return one.elapsed_s, finish_s, one.constraint.limit_s


def at_target(values: Sequence[float | None] | None, target: int) -> float | None:
    """The entry for ``target`` of what begins with target 1; None where there is none, or none that
    JSON can carry.
    """
    if values is None or not 1 <= target <= len(values):
        return None
    value = values[target - 1]
    return value if value is not None and math.isfinite(value) else None
