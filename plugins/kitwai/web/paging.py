"""One part of a list of rows, the newest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from kitwai.web.schemas import Page

_Item = TypeVar("_Item")


def newest_first(
    engine: Engine,
    query: sa.Select[*tuple[Any, ...]],
    key: Any,
    view: Callable[[Any], _Item],
    *,
    limit: int,
    before: int | None,
) -> Page[_Item]:
    """The part of ``query`` that begins behind the id ``before``.

    :param key: the id, also in the rows under this name; ``view``: an item of a row.
    """
    if before is not None:
        query = query.where(key < before)
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(key.desc()).limit(limit + 1)).all()
    return part(rows, [view(row) for row in rows[:limit]], limit)


def part(rows: Sequence[Any], items: Sequence[_Item], limit: int) -> Page[_Item]:
    """The items of the first ``limit`` rows; where there is one row more, the next part is behind
    the last of them.
    """
    return Page(items=list(items), next=rows[limit - 1].id if len(rows) > limit else None)
