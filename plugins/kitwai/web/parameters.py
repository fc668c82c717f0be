"""Query and path parameters that several routes share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

_MOST_ID = 2**31 - 1

Limit = Annotated[int, Query(ge=1, le=200, description="The most items of the answer.")]
Before = Annotated[
    int | None,
    Query(ge=1, le=_MOST_ID, description="What `next` of the part before said."),
]
Moment = Annotated[
    float | None, Query(ge=0, le=1e11, allow_inf_nan=False, description="Epoch seconds.")
]
RowId = Annotated[int, Path(ge=1, le=_MOST_ID)]
