"""Event logs of a folder -> application profiles in the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kitwai.event_log.folder import read_logs
from kitwai.store.training import Run, TrainingStore

_FAILED = "The application's last job failed: the log may hold only a part of its work."


@dataclass(frozen=True, slots=True)
class Ingested:
    """``read``: how many logs gave a profile; ``set_aside``: by log, why it gave no profile."""

    read: int
    set_aside: dict[str, str]


def ingest(folder: Any, store: TrainingStore) -> Ingested:
    """Read every log of a folder that is new or has changed since it was read last.

    The logs of all days are read. So a day's training depends on the folder alone, not on which
    days were trained before it.

    :param folder: a path, an Airflow `ObjectStoragePath` or alike.
    :raises InvalidInputError: the folder cannot be listed.
    """
    read = 0
    set_aside: dict[str, str] = {}
    for log in read_logs(folder, store.fingerprints()):
        reason = log.reason if log.succeeded is not False else _FAILED
        if reason is None and log.profile and log.started_at is not None and log.ended_at:
            read += 1
            run = Run(log.profile, log.started_at, log.ended_at)
            store.add_run(log.source, log.fingerprint, run)
        else:
            set_aside[log.source] = reason or "It does not say when its application ran."
            store.set_aside(log.source, log.fingerprint, set_aside[log.source])
    return Ingested(read, set_aside)
