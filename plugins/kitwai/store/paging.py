"""Long lists are read in parts, the newest item first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Engine

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Part(Generic[Item]):
    """One part of a list. ``next``: the id that the next part begins behind, None at the end."""

    items: list[Item]
    next: int | None


def newest_first(
    engine: Engine,
    query: sa.Select[*tuple[Any, ...]],
    key: Any,
    record: Callable[[Any], Item],
    *,
    limit: int,
    before: int | None,
) -> Part[Item]:
    """The part of ``query`` that begins behind the id ``before``, at most ``limit`` items.

    :param key: the column of the id; the rows carry it under the name ``id``.
    :param record: makes the item of a row.
    """
    if before is not None:
        query = query.where(key < before)
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(key.desc()).limit(limit + 1)).all()
    return part_of(rows, [record(row) for row in rows[:limit]], limit)


def part_of(rows: Sequence[Any], items: list[Item], limit: int) -> Part[Item]:
    """The part with these items, made of the first ``limit`` rows.

    A row more than ``limit`` says that the list goes on.
    """
    return Part(items=items, next=rows[limit - 1].id if len(rows) > limit else None)
