"""Reads a folder of Spark event logs into application profiles, one log after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kitwai.core.records.profile import ApplicationProfile
from kitwai.errors import InvalidInputError, SourceError
from kitwai.event_log.files import LogFiles, find_logs
from kitwai.event_log.reader import read_files
from kitwai.event_log.to_profile import profile_of

_MAX_REASON = 1_000


@dataclass(frozen=True, slots=True)
class ReadLog:
    """An event log that was read: either ``profile`` or ``reason`` is None.

    ``source``: its path or URL; ``fingerprint``: changes with the names, sizes or times of its
    files. It is empty if the storage failed, so that the log is read again. ``started_at``,
    ``ended_at``: start and end of the application in epoch seconds; ``succeeded``: whether its last
    job succeeded (if not, the profile may hold only part of the work); ``reason``: one line that
    says why there is no profile.
    """

    source: str
    fingerprint: str
    profile: ApplicationProfile | None = None
    started_at: float | None = None
    ended_at: float | None = None
    succeeded: bool | None = None
    reason: str | None = None


def read_logs(folder: Any, known: Mapping[str, str] | None = None) -> Iterator[ReadLog]:
    """Read the event logs of a folder and of its subfolders whose fingerprint is not ``known``.

    :param folder: a `pathlib.Path`, an Airflow `ObjectStoragePath` or alike.
    :param known: fingerprints by source from an earlier call; logs that have not changed are left
        out.
    :raises InvalidInputError: the folder itself cannot be listed.
    """
    for files in find_logs(folder):
        unchanged = known is not None and known.get(files.source) == files.fingerprint
        if not unchanged or not files.fingerprint:
            yield read_log(files)


def read_log(files: LogFiles) -> ReadLog:
    """Read one event log."""
    read = ReadLog(files.source, files.fingerprint)
    try:
        log = read_files(files)
        profile = profile_of(log, source=files.source)
    except InvalidInputError as error:
        return replace(read, reason=_one_line(str(error)))
    except SourceError as error:
        return replace(read, fingerprint="", reason=_one_line(str(error)))
    return replace(
        read,
        profile=profile,
        started_at=log.start_ms / 1000.0,
        ended_at=(log.end_ms or 0.0) / 1000.0,
        succeeded=log.succeeded,
    )


def _one_line(text: str) -> str:
    """The text without control characters and not too long, since parts of it come from files."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return plain if len(plain) <= _MAX_REASON else f"{plain[:_MAX_REASON]}..."
