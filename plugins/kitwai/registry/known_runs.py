"""Which past runs a version could know at each moment of the past."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kitwai.core.forecast.ended_runs import PastRuns
from kitwai.core.forecast.past_runs import Record
from kitwai.registry.history_file import parse_history, read_history
from kitwai.registry.versions import load_runs, read_manifest


@dataclass(frozen=True, slots=True)
class OwnRuns:
    """A cluster's own file of past runs.

    ``runs``: by family; ``latest``: epoch seconds when the file was written, by which all runs had
    ended; ``sha256``: identifies the file (`kitwai.core.records.decision.Decision.history`).
    """

    runs: Mapping[str, Sequence[Record]]
    latest: float
    sha256: str | None = None


def own_runs(path: Path | None) -> OwnRuns | None:
    """A cluster's own file of past runs, None if it has none.

    :raises InvalidInputError: the file cannot be used.
    """
    if path is None:
        return None
    content = read_history(path)
    runs = parse_history(content, path)
    return OwnRuns(runs, path.stat().st_mtime, hashlib.sha256(content).hexdigest())


def known_runs(
    root: Path, version: str | None, ends: Mapping[str, float], own: OwnRuns | None = None
) -> PastRuns:
    """The past runs of a version and of a cluster's own file, with their ends.

    A family in the cluster's own file replaces the family of the version. A run ended when its
    event log says so. Without a log it had ended by the end of the version's data, or by the making
    of the version.

    :param version: None: only the cluster's own file; ``ends``: end of applications in epoch
        seconds, by application id; ``own``: None: only the version.
    :raises CheckpointError: the version cannot be used.
    """
    known: dict[str, list[tuple[Record, float]]] = {}
    sources: list[OwnRuns] = []
    if version is not None:
        sources.append(OwnRuns(load_runs(root, version), _made_at(read_manifest(root, version))))
    if own is not None:
        sources.append(own)
    for source in sources:
        for family, runs in source.runs.items():
            known[family] = [(run, ends.get(run.app, source.latest)) for run in runs]
    return PastRuns(known)


def _made_at(manifest: Mapping[str, Any]) -> float:
    """Epoch seconds by which the runs of a version had ended; inf if its manifest does not tell."""
    interval = manifest.get("data_interval")
    moments = [manifest.get("created"), interval[1] if isinstance(interval, list) else None]
    return min((_epoch(moment) for moment in moments), default=math.inf)


def _epoch(moment: object) -> float:
    try:
        made = datetime.fromisoformat(str(moment))
    except ValueError:
        return math.inf
    return (made if made.tzinfo else made.replace(tzinfo=UTC)).timestamp()
