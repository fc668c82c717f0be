"""Query and path parameters that several routes share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from kitwai.core.records.overrides import LATEST
from kitwai.store.tables import MOST_ID

DAY_S = 24 * 3600.0

Limit = Annotated[int, Query(ge=1, le=200, description="The most items of the answer.")]
Before = Annotated[
    int | None,
    Query(ge=1, le=MOST_ID, description="What `next` of the part before said."),
]
Moment = Annotated[
    float | None, Query(ge=0, le=LATEST, allow_inf_nan=False, description="Epoch seconds.")
]
RowId = Annotated[int, Path(ge=1, le=MOST_ID)]
