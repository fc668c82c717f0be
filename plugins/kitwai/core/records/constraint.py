"""The record of a constraint: at most N workers, done within T seconds of the start."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from kitwai.errors import InvalidInputError

# Spark's own suffixes (JavaUtils.timeSuffixes); a number without one is read as seconds.
_SECONDS_PER_UNIT = {
    "us": 1e-6,
    "ms": 1e-3,
    "": 1.0,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_TIME_STRING = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Constraint:
    """The most workers (N), the limit in seconds from the application's start (T), and how often it
    may be missed.

    ``miss``: probability in (0, 1) that a run may be late.

    :raises InvalidInputError: a value is out of range.
    """

    max_workers: int
    limit_s: float
    miss: float = 0.01

    def __post_init__(self) -> None:
        if not isinstance(self.max_workers, int) or self.max_workers < 1:
            raise InvalidInputError(
                "N (the most workers) must be a whole number of at least 1, "
                f"not {self.max_workers!r}."
            )
        if not math.isfinite(self.limit_s) or self.limit_s <= 0:
            raise InvalidInputError(
                f"T (the time limit) must be a positive time, not {self.limit_s!r} s."
            )
        if not 0 < self.miss < 1:
            raise InvalidInputError(
                f"The miss probability must lie between 0 and 1, not be {self.miss!r}."
            )


def parse_duration(text: str | float) -> float:
    """Seconds of a Spark time string such as ``90``, ``90s``, ``5min``, ``1.5h``.

    :raises InvalidInputError: for any other text, and for a time of zero.
    """
    if isinstance(text, bool):
        seconds = math.nan
    elif isinstance(text, int | float):
        seconds = float(text)
    else:
        match = _TIME_STRING.fullmatch(text.lower())
        unit = _SECONDS_PER_UNIT.get(match.group(2)) if match else None
        seconds = float(match.group(1)) * unit if match and unit is not None else math.nan
    if not math.isfinite(seconds) or seconds <= 0:
        raise InvalidInputError(
            f"{text!r} is not a time: write a positive number with a unit, such as 90s, 5min or 1h."
        )
    return seconds
