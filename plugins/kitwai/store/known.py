"""What a checkpoint could know at each moment of the past: its past runs with their ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kitwai.core.history import Record
from kitwai.core.past_runs import PastRuns
from kitwai.store.history import load_history
from kitwai.store.registry import load_runs, read_manifest

OwnRuns = tuple[Mapping[str, Sequence[Record]], float]
"""A cluster's own file of past runs, and the moment by which all of them had ended."""


def own_runs(path: Path | None) -> OwnRuns | None:
    """A cluster's own file of past runs, None where it has none.

    :raises InvalidInputError: the file cannot be used.
    """
    return None if path is None else (load_history(path), path.stat().st_mtime)


def known_runs(
    root: Path, version: str | None, ends: Mapping[str, float], own: OwnRuns | None = None
) -> PastRuns:
    """The past runs of a version, None for none, with those of a cluster's own file before them.

    A run has ended when its event log says so; where that has not been read, by the end of the
    version's data or when it was made.

    :param ends: end of applications (epoch seconds) by their id.
    :raises CheckpointError: the version cannot be used.
    """
    known: dict[str, list[tuple[Record, float]]] = {}
    sources: list[OwnRuns] = []
    if version is not None:
        sources.append((load_runs(root, version), _made_at(read_manifest(root, version))))
    if own is not None:
        sources.append(own)
    for history, latest in sources:
        for family, runs in history.items():
            known[family] = [(run, ends.get(run.app, latest)) for run in runs]
    return PastRuns(known)


def _made_at(manifest: Mapping[str, Any]) -> float:
    """By when the runs of a version had ended; inf where its manifest does not tell."""
    interval = manifest.get("data_interval")
    moments = [manifest.get("created"), interval[1] if isinstance(interval, list) else None]
    return min((_epoch(one) for one in moments), default=math.inf)


def _epoch(moment: object) -> float:
    try:
        made = datetime.fromisoformat(str(moment))
    except ValueError:
        return math.inf
    return (made if made.tzinfo else made.replace(tzinfo=UTC)).timestamp()
