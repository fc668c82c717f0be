"""Reads grids of constraints as people write them: ``N=1..10,T=5..10m``."""

from __future__ import annotations

import re

from kitwai.errors import InvalidInputError

_MOST_WORKERS = 100


def parse_grid(text: str) -> tuple[list[int], list[float]]:
    """Worker counts and limits in seconds of a grid such as ``N=4,7,10,T=5..10m``.

    A range of counts has steps of 1, a range of times steps of a minute. Times are in m or s.

    :raises InvalidInputError: the text is no grid.
    """
    values: dict[str, list[float]] = {}
    key = ""
    for token in text.replace(" ", "").split(","):
        name, equals, value = token.rpartition("=")
        if equals:
            key = name
            if key not in ("N", "T") or key in values:
                raise _bad_grid(text, f"{token!r} starts neither its N= nor its T=")
            values[key] = []
        if not key:
            raise _bad_grid(text, "it does not start with N= or T=")
        values[key] += _counts(text, value) if key == "N" else _times(text, value)
    if set(values) != {"N", "T"}:
        raise _bad_grid(text, "it needs both N= and T=")
    return sorted({int(count) for count in values["N"]}), sorted(set(values["T"]))


def _counts(text: str, token: str) -> list[float]:
    match = re.fullmatch(r"([0-9]{1,4})(?:\.\.([0-9]{1,4}))?", token)
    if not match:
        raise _bad_grid(text, f"{token!r} is no worker count")
    first, last = int(match[1]), int(match[2] or match[1])
    if not 1 <= first <= last <= _MOST_WORKERS:
        raise _bad_grid(text, f"worker counts lie in 1..{_MOST_WORKERS}, rising, unlike {token}")
    return [float(count) for count in range(first, last + 1)]


def _times(text: str, token: str) -> list[float]:
    match = re.fullmatch(r"([0-9]{1,5})(?:\.\.([0-9]{1,5}))?(m|min|s)", token)
    if not match:
        raise _bad_grid(text, f"{token!r} is no time in m or s")
    unit = 1.0 if match[3] == "s" else 60.0
    first, last = int(match[1]) * unit, int(match[2] or match[1]) * unit
    if not 0 < first <= last <= 24 * 3600.0:
        raise _bad_grid(text, f"times lie within 24 h, rising, unlike {token}")
    return [first + 60.0 * step for step in range(int((last - first) // 60.0) + 1)]


def _bad_grid(text: str, fault: str) -> InvalidInputError:
    return InvalidInputError(
        f"{text!r} is no grid such as N=1..10,T=5..10m or N=4,7,T=300s: {fault}."
    )
