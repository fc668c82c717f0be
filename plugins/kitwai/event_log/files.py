"""Finds the files of an event log: one file, or the parts of a rolling log.

A rolling log is a folder ``eventlog_v2_<application>`` of ``events_<number>_<application>[.codec]``
and an empty ``appstatus_<application>[.inprogress]``. Folders are `pathlib.Path`s, Airflow's
`ObjectStoragePath`s or alike. Only ``name``, ``iterdir``, ``is_dir``, ``is_file``, ``is_symlink``,
``exists``, ``stat`` and ``open`` are used of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kitwai.errors import InvalidInputError

MAX_DEPTH = 8

_ROLLING = "eventlog_v2_"

_PART = re.compile(r"events_(\d{1,9})_.*?(\.compact)?")
_READING = "1"
"""Part of every fingerprint. With another number here, all event logs are read again."""


@dataclass(frozen=True, slots=True)
class LogFiles:
    """The files of one event log.

    ``source``: its path or URL; ``fingerprint``: changes with its files; ``parts``: its files in
    order; ``compacted``: whether Spark has left out events of ended jobs; ``reason``: why the log
    cannot be read, None if it can.
    """

    source: str
    fingerprint: str
    parts: tuple[Any, ...] = ()
    compacted: bool = False
    reason: str | None = None

    @property
    def in_progress(self) -> bool:
        """Whether Spark says by a file's name that the application has not ended."""
        return any(part.name.endswith(".inprogress") for part in self.parts)


def files_of(path: Any) -> LogFiles:
    """The event log at ``path``: a file, or the folder of a rolling log."""
    source = _source(path)
    try:
        if not path.is_dir():
            if not path.is_file():
                reason = "it is no file" if path.exists() else "it does not exist"
                return LogFiles(source, "", reason=reason)
            return LogFiles(source, _fingerprint([path]), (path,))
        parts = sorted(path.iterdir(), key=lambda part: str(part.name))
        parts = [part for part in parts if part.is_file()]
        fingerprint = _fingerprint(parts)
        try:
            chosen, compacted = _chosen(parts)
        except InvalidInputError as error:
            return LogFiles(source, fingerprint, reason=str(error))
        status = [part for part in parts if part.name.startswith("appstatus_")]
        return LogFiles(source, fingerprint, (*chosen, *status), compacted)
    except (OSError, ValueError) as error:
        return LogFiles(source, "", reason=f"it cannot be read ({error})")


def find_logs(folder: Any) -> Iterator[LogFiles]:
    """The event logs of a folder and its subfolders, by name.

    Hidden names, which begin with ``.`` or ``_``, are left out. The folder may be a rolling log
    itself.

    :raises InvalidInputError: the folder cannot be listed.
    """
    try:
        if not folder.is_dir():
            raise InvalidInputError(f"The folder of event logs {folder} does not exist.")
        inside = _listed(folder)
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"The folder {folder} cannot be listed: {error}.") from error
    yield from _within(folder, inside, MAX_DEPTH)


def _within(folder: Any, inside: list[Any], depth: int) -> Iterator[LogFiles]:
    if folder.name.startswith(_ROLLING) or any(_PART.fullmatch(path.name) for path in inside):
        yield files_of(folder)
        return
    for path in inside:
        try:
            further = _listed(path) if path.is_dir() else None
            # Links to folders are left out, since they may lead round in a circle.
            left_out = further is not None and (depth == 0 or path.is_symlink())
        except (OSError, ValueError) as error:
            yield LogFiles(_source(path), "", reason=f"it cannot be listed ({error})")
            continue
        if further is None:
            yield files_of(path)
        elif not left_out:
            yield from _within(path, further, depth - 1)


def _listed(folder: Any) -> list[Any]:
    inside = (path for path in folder.iterdir() if not path.name.startswith((".", "_")))
    return sorted(inside, key=lambda path: str(path.name))


def _source(path: Any) -> str:
    """The path or URL, in characters that every database takes."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _chosen(parts: list[Any]) -> tuple[list[Any], bool]:
    """The parts to read, in order, and whether one of them is compacted.

    A compacted part stands for all parts up to its number. If these are still there, they are read
    instead.

    :raises InvalidInputError: a part is missing.
    """
    plain: dict[int, Any] = {}
    compact: dict[int, Any] = {}
    for part in parts:
        match = _PART.fullmatch(part.name)
        # An unfinished part is a compacted part being written; the parts it will replace remain.
        if match is not None and not part.name.endswith(".inprogress"):
            (compact if match[2] else plain)[int(match[1])] = part
    if not plain and not compact:
        raise InvalidInputError("it holds no file events_*")
    numbers, base = sorted(plain), max(compact, default=0)
    last = max(base, *numbers, 0)
    if len(numbers) == last and numbers[0] == 1:
        return [plain[number] for number in numbers], False
    later = [number for number in numbers if number > base]
    if later != list(range(base + 1, base + 1 + len(later))):
        raise InvalidInputError("one of its files events_* is missing")
    return [*([compact[base]] if base else []), *(plain[number] for number in later)], bool(base)


def _fingerprint(parts: list[Any]) -> str:
    """A hash of the parts' names, sizes and times of change."""
    digest = hashlib.sha256(_READING.encode())
    for part in parts:
        stat = part.stat()
        about = f"\n{part.name}\n{stat.st_size} {getattr(stat, 'st_mtime', 0)}"
        digest.update(about.encode("utf-8", "backslashreplace"))
    return digest.hexdigest()[:32]
