"""Reads a Spark driver's log: whole, or on from where the last look ended.

It owns the files: plain or ``.gz``, rotated or not, on a disk or behind an Airflow
`ObjectStoragePath`. `kitwai.observe.log_lines` interprets the lines.

``m_a`` and ``m_t`` are totals like the counts of lines, so that differences give rates:

- ``m_a`` sums the sizes in MemoryStore's "Block … stored as … in memory (estimated size …" lines.
  It is the size of all blocks that the driver's memory store has taken in.
- ``m_t`` sums the sizes in BlockManagerInfo's "Added … in memory on … (size: …" lines. It is the
  size of all blocks that the block managers of driver and executors have taken in.

Removed blocks are not subtracted, since MemoryStore logs no removal above level DEBUG. Spark's REST
API tells how much executors hold now. Spark 4.3 writes no BlockManagerInfo lines at level INFO. If
a log has no such lines, the observation says None.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from kitwai.core.records.observation import DriverLog
from kitwai.errors import InvalidInputError, KitwaiError, SourceError
from kitwai.observe.log_lines import ACTION, TRANSFORMATION, LogCounts, count_lines

BLOCK_BYTES = 256 * 1024
_MAX_LINE = 1024 * 1024
_HEAD_OF_LONG_LINE = 64 * 1024
_TAIL = 256

_READ_ERRORS = (OSError, EOFError, ValueError, zlib.error)


class LineCounter:
    """Counts the lines of data that comes in pieces.

    A line longer than 1 MiB counts by its first 64 KiB, so that memory stays flat whatever a file
    holds. ``taken`` is the number of counted bytes: all but the bytes of an unfinished last line.
    ``tail`` holds the last of these bytes.
    """

    def __init__(self, counts: LogCounts, *, tail: bytes = b"", in_long_line: bool = False) -> None:
        self.counts = counts
        self.in_long_line = in_long_line
        self.taken = 0
        self.tail = tail
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Count the lines that ``data`` ends."""
        if self.in_long_line:
            end = data.find(b"\n") + 1
            self._take(data[: end or len(data)])
            if not end:
                return
            self.in_long_line = False
            data = data[end:]
        end = data.rfind(b"\n") + 1
        if end:
            block = self._rest + data[:end]
            count_lines(block, self.counts)
            self._take(block)
            self._rest = data[end:]
        else:
            self._rest += data
        if len(self._rest) > _MAX_LINE:
            count_lines(self._rest[:_HEAD_OF_LONG_LINE] + b"\n", self.counts)
            self._take(self._rest)
            self._rest = b""
            self.in_long_line = True

    def finish(self) -> None:
        """Count a last line without a newline, as nothing more will come."""
        if self._rest:
            count_lines(self._rest + b"\n", self.counts)
            self._take(self._rest)
            self._rest = b""
        self.in_long_line = False

    def _take(self, data: bytes) -> None:
        self.taken += len(data)
        self.tail = (self.tail + data[-_TAIL:])[-_TAIL:]


def log_path(location: str) -> Any:
    """``location`` as a path: a URL as an `ObjectStoragePath`, else a `pathlib.Path`."""
    if "://" not in location:
        return Path(location)
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(location)


def parse_log(location: str) -> LogCounts:
    """Count the lines of one file, plain or ``.gz``, to its end.

    :param location: its path, or a URL that Airflow's `ObjectStoragePath` knows.
    :raises InvalidInputError: it cannot be read.
    """
    counter = LineCounter(LogCounts())
    try:
        with _opened(log_path(location)) as file:
            while data := file.read(BLOCK_BYTES):
                counter.feed(data)
    except _READ_ERRORS as error:
        raise InvalidInputError(f"The log {location} cannot be read: {_text(error)}.") from error
    except ImportError as error:
        raise InvalidInputError(
            f"The log {location} cannot be read: {error}; install what this kind of URL needs."
        ) from error
    counter.finish()
    return counter.counts


_UNSAFE = re.compile(r"[^\w.-]|^\.")


def log_of(pattern: str, app_id: str) -> str:
    """The location of an application's log.

    :param pattern: a location in which ``{id}`` stands for the application's id.
    :raises SourceError: the id could lead elsewhere.
    """
    if _UNSAFE.search(app_id):
        raise SourceError(f"The application id {app_id[:80]!r} cannot be part of a log's name.")
    return pattern.replace("{id}", app_id)


def read_on(
    location: str,
    previous: DriverLog | None,
    *,
    max_bytes: int,
    deadline: float | None = None,
) -> DriverLog:
    """Count the lines that a live log has gained since ``previous``, or all lines without it.

    After a rotation the log's beginning is in another file: ``NAME.1``, ``NAME.2.gz`` or
    ``NAME-20260101``. That file is found by the bytes before the offset. It is read on first, and
    then the files after it from their start. A log that was emptied and written anew is read from
    its start. An unfinished last line waits for its end.

    :param location: as for `parse_log`.
    :param max_bytes: read at most so many bytes; the next look reads on.
    :param deadline: end at this moment (`time.monotonic`).
    :raises SourceError: it cannot be read.
    """
    try:
        return _read_on(log_path(location), previous, max_bytes, deadline)
    except KitwaiError:
        raise
    except (*_READ_ERRORS, ImportError) as error:
        raise SourceError(f"The driver log {location} cannot be read: {_text(error)}.") from error


def _read_on(
    path: Any, previous: DriverLog | None, max_bytes: int, deadline: float | None
) -> DriverLog:
    counts = _counts(previous)
    files, offset, in_long_line = _files_to_read(path, previous)
    stop = max_bytes

    def may_read() -> bool:
        return stop > 0 and (deadline is None or time.monotonic() < deadline)

    complete = True
    counter = LineCounter(counts)
    for number, file_path in enumerate(files):
        if number > 0 and not may_read():
            complete = False
            break
        with _opened(file_path) as file:
            counter = LineCounter(counts, tail=_before(file, offset), in_long_line=in_long_line)
            while may_read() and (data := file.read(min(BLOCK_BYTES, stop))):
                stop -= len(data)
                counter.feed(data)
            complete = not file.read(1)
        if not complete or file_path is files[-1]:
            break
        counter.finish()  # a file that was rotated away gets no more
        offset, in_long_line = 0, False
    return _record(counts, counter, offset, complete=complete)


def _files_to_read(path: Any, previous: DriverLog | None) -> tuple[list[Any], int, bool]:
    """The files to read, oldest first; the offset in the first file; whether the offset lies in a
    line that is skipped.
    """
    if previous is None or (previous.lines == 0 and previous.offset == 0):
        return [*_rotated(path), path], 0, False
    if _stands_in(path, previous):
        return [path], previous.offset, previous.in_long_line
    rotated = _rotated(path)
    for at in reversed(range(len(rotated))):
        if _stands_in(rotated[at], previous):
            return [*rotated[at:], path], previous.offset, previous.in_long_line
    return [path], 0, False


def _stands_in(path: Any, previous: DriverLog) -> bool:
    """Whether the file holds before the offset the bytes that were read there."""
    with _opened(path) as file:
        return _hash(_before(file, previous.offset)) == previous.tail


def _rotated(path: Any) -> list[Any]:
    """The files to which the log's beginning was moved, oldest first."""
    try:
        rotated = [
            file
            for file in path.parent.iterdir()
            if file.name.startswith((f"{path.name}.", f"{path.name}-"))
        ]
        return sorted(rotated, key=lambda file: (file.stat().st_mtime, file.name))
    except (OSError, NotImplementedError, AttributeError):
        return []  # not every store lists its files or knows their times


@contextmanager
def _opened(path: Any) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked if they are gzip, whatever the file's name."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked  # type: ignore[misc]
        else:
            yield file


def _before(file: IO[bytes], offset: int) -> bytes:
    """The last bytes before ``offset``. The file is then positioned at ``offset``."""
    start = max(0, offset - _TAIL)
    file.seek(start)
    return file.read(offset - start)


def _hash(tail: bytes) -> str:
    return hashlib.sha256(tail).hexdigest()  # a log may hold secrets, the store must not


def _counts(previous: DriverLog | None) -> LogCounts:
    if previous is None:
        return LogCounts()
    memory = {ACTION: previous.action_bytes, TRANSFORMATION: previous.transformation_bytes}
    return LogCounts(
        lines=previous.lines,
        unparsed=previous.unparsed,
        loggers=Counter(previous.features),
        levels=Counter(previous.levels),
        tenths=Counter({name: round(10 * (size or 0.0)) for name, size in memory.items()}),
    )


def _record(counts: LogCounts, counter: LineCounter, offset: int, *, complete: bool) -> DriverLog:
    def total(name: str) -> float | None:
        return counts.tenths[name] / 10 if counts.loggers[name] else None

    return DriverLog(
        lines=counts.lines,
        unparsed=counts.unparsed,
        features=counts.features,
        levels=dict(counts.levels),
        action_bytes=total(ACTION),
        transformation_bytes=total(TRANSFORMATION),
        complete=complete,
        offset=offset + counter.taken,
        tail=_hash(counter.tail),
        in_long_line=counter.in_long_line,
    )


def _text(error: BaseException) -> str:
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(words).rstrip(".")
