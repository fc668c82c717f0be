"""Finds the lines of an event log that hold wanted events, in the pieces of its files.

Most events of a log are not wanted. Their lines are left out by their beginning: they are not
decoded, and long lines are not held. The length of a line, the number of lines and the size of the
log are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

import msgspec

from kitwai.errors import InvalidInputError

MAX_LINE_BYTES = 32 * 2**20
"""Most bytes of a wanted event's line. Lines of other events may be longer."""

MAX_LINES = 50_000_000
MAX_BYTES = 64 * 2**30

_HEAD = re.compile(rb'\s*\{\s*"Event"\s*:\s*"([\w.$]+)"')
_HEAD_BYTES = 200


class _Event(msgspec.Struct, rename={"event": "Event"}):
    event: str


_decode_event = msgspec.json.Decoder(_Event).decode


def wanted_lines(
    pieces: Iterable[bytes], wanted: Collection[bytes]
) -> Iterator[tuple[int, bytes, bytes]]:
    """Number (from 1 on), event and text of each line whose event is ``wanted``.

    A last line without a newline is given if it is a whole JSON object. Else it was cut off and is
    left out.

    :raises InvalidInputError: a line is no event, or a bound is passed.
    """
    number, size = 0, 0
    begun: list[bytes] = []  # parts of the line whose end has not come yet
    held, skipping = 0, False
    for piece in pieces:
        size += len(piece)
        if size > MAX_BYTES:
            raise InvalidInputError(f"it is larger than {MAX_BYTES // 2**30} GiB")
        first, *rest = piece.split(b"\n")
        if not skipping:
            begun.append(first)
            held += len(first)
        if rest:
            number += 1
            line = b"".join(begun)
            if not skipping and (event := _event_of(line, number, wanted)):
                yield number, event, line
            for line in rest[:-1]:
                number += 1
                if line and (event := _event_of(line, number, wanted)):
                    yield number, event, line
            begun, held, skipping = [rest[-1]], len(rest[-1]), False
            if number > MAX_LINES:
                raise InvalidInputError(f"it has more than {MAX_LINES} lines")
        if held >= _HEAD_BYTES:
            begun, held, skipping = _long(begun, held, number + 1, wanted)
    line = b"".join(begun)
    if _is_whole(line) and (event := _event_of(line, number + 1, wanted)):
        yield number + 1, event, line


def _event_of(line: bytes, number: int, wanted: Collection[bytes]) -> bytes | None:
    """The line's event if it is wanted, else None."""
    head = _HEAD.match(line)
    if head is not None:
        event = head[1]
    elif not line or line.isspace():
        return None
    else:
        try:
            event = _decode_event(line).event.encode()
        except (ValueError, RecursionError) as error:
            raise InvalidInputError(f"line {number} is no event of Spark") from error
    return event if event in wanted else None


def _is_whole(line: bytes) -> bool:
    try:
        _decode_event(line)
    except (ValueError, RecursionError):
        return False
    return True


def _long(
    begun: list[bytes], held: int, number: int, wanted: Collection[bytes]
) -> tuple[list[bytes], int, bool]:
    """Of a line whose end has not come yet: the parts to hold, their length, whether to skip it.

    :raises InvalidInputError: it is no JSON object, or a wanted event that is too long.
    """
    if len(begun[0]) < _HEAD_BYTES:
        begun = [b"".join(begun)]
    head = _HEAD.match(begun[0])
    if head is not None and head[1] not in wanted:
        return [], 0, True
    if head is None and begun[0].lstrip()[:1] not in (b"", b"{"):
        raise InvalidInputError(f"line {number} is no event of Spark")
    if held > MAX_LINE_BYTES:
        raise InvalidInputError(f"line {number} is longer than {MAX_LINE_BYTES // 2**20} MiB")
    return begun, held, False
