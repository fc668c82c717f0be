"""What the models of a connection's fields have in common: their types, and a fault in words."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from kitwai.core.records.constraint import parse_duration
from kitwai.errors import InvalidInputError

_NO_TIME = "no_time"


class Fields(BaseModel):
    """Some fields of the JSON "extra" of a cluster's connection; the others are passed over."""

    # A misspelt field may hold a secret, which must not stand in a traceback.
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    def check(self, where: str) -> None:
        """Whether the fields fit together.

        :param where: the connection in words, with which a message begins.
        :raises InvalidInputError: they do not.
        """


def _seconds(value: Any) -> float:
    try:
        return parse_duration(value if isinstance(value, str | float | int) else "")
    except InvalidInputError:
        # Not chained: the cause repeats the value.
        raise PydanticCustomError(
            _NO_TIME,
            "is not a time: write a positive number with a unit, such as 90s, 5min or 1h",
        ) from None


def _seconds_or_zero(value: Any) -> float:
    return 0.0 if value in (0, "0", "0s") else _seconds(value)


Time = Annotated[float, BeforeValidator(_seconds)]
"""A Spark time string or seconds, above zero; seconds in the model."""

TimeOrZero = Annotated[float, BeforeValidator(_seconds_or_zero)]
"""As `Time`, or zero."""


def first_fault(error: ValidationError) -> str:
    """The first fault of ``error`` as the rest of a sentence that begins with the connection."""
    fault = error.errors(include_url=False, include_context=False)[0]
    name = ".".join(str(part) for part in fault["loc"])
    between = " " if fault["type"] == _NO_TIME else ": "
    return f"extra field {name!r}{between}{fault['msg']}."
