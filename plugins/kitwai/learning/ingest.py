"""Event logs of a folder -> application profiles in the store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kitwai.errors import InvalidInputError
from kitwai.observe.event_log import read_event_log
from kitwai.observe.event_profile import profile_of
from kitwai.store.training import Run, TrainingStore


@dataclass(frozen=True, slots=True)
class Ingested:
    """``read``: logs that gave a profile now; ``set_aside``: by log, why it gave none;
    ``unchanged``: logs that were read before.
    """

    read: int
    unchanged: int
    set_aside: dict[str, str]


def ingest(folder: Path, store: TrainingStore) -> Ingested:
    """Read every log of a folder that is new or has changed since it was read last.

    All of them, whenever their applications ended: what a day's training knows then depends on the
    folder alone, not on which days were trained before it.

    :raises InvalidInputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InvalidInputError(
            f"The folder of event logs {folder} does not exist: set [kitwai] event_logs."
        )
    known = store.fingerprints()
    read = unchanged = 0
    set_aside: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        if path.name.startswith(".") or not path.is_file():
            continue
        status = path.stat()
        source, fingerprint = str(path), f"{status.st_size}-{status.st_mtime_ns}"
        if known.get(source) == fingerprint:
            unchanged += 1
            continue
        try:
            run = run_of(path)
        except (InvalidInputError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            set_aside[source] = str(error)
            store.set_aside(source, fingerprint, str(error))
        else:
            read += 1
            store.add_run(source, fingerprint, run)
    return Ingested(read, unchanged, set_aside)


def run_of(path: Path) -> Run:
    """The finished application of one event log. :raises InvalidInputError: it tells of none."""
    log = read_event_log(path)
    profile = profile_of(log, source=path.name)
    return Run(profile, log.start_ms / 1000.0, (log.end_ms or log.start_ms) / 1000.0)
