"""Base model and field types for all JSON that Spark writes.

Only the needed fields are modelled. An unknown field is ignored. A missing or impossible field
refuses the answer, so that nothing unknown is ever taken for zero.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

_USUAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", re.ASCII)


class SparkModel(BaseModel):
    """A JSON object that Spark writes, with fields in camel case."""

    model_config = ConfigDict(strict=True, alias_generator=to_camel)


def _epoch_seconds(text: object) -> float | None:
    if text is None:
        return None
    written = str(text)[:40].replace("GMT", "+0000")
    try:
        if _USUAL.fullmatch(written):
            return datetime.fromisoformat(written).timestamp()  # far faster than strptime
        return datetime.strptime(written, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
    except ValueError:
        raise ValueError("no time as Spark writes it") from None


Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""A Java long that counts something."""

Moment = Annotated[float, BeforeValidator(_epoch_seconds)]
"""Epoch seconds of a moment that Spark writes as ``2026-11-25T01:09:31.766GMT``."""

MaybeMoment = Annotated[float | None, BeforeValidator(_epoch_seconds)]
"""A `Moment` that Spark may leave out or write as null."""
