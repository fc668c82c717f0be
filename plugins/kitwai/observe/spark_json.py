"""What all JSON of Spark's has in common.

Only the needed fields are modelled: an unknown one is ignored, a missing or impossible one refuses
the answer, so that nothing unknown is ever taken for zero.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel


class SparkModel(BaseModel):
    """A JSON object of Spark's, whose fields are in camel case."""

    model_config = ConfigDict(strict=True, alias_generator=to_camel)


def _epoch_seconds(text: object) -> float | None:
    if text is None:
        return None
    try:
        written = str(text)[:40].replace("GMT", "+0000")
        return datetime.strptime(written, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
    except ValueError:
        raise ValueError("no time as Spark writes it") from None


Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""A Java long that counts something."""

Moment = Annotated[float, BeforeValidator(_epoch_seconds)]
"""Epoch seconds of what Spark writes as ``2026-11-25T01:09:31.766GMT``."""

MaybeMoment = Annotated[float | None, BeforeValidator(_epoch_seconds)]
"""The same where Spark may leave it out or write null."""
