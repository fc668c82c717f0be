"""What became of the agent's versions: promoted, refused, kept or rolled back."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from kitwai.store.paging import Part, newest_first
from kitwai.store.tables import VerdictRow


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a version before the gate, or by hand. ``at``: epoch seconds."""

    id: int
    at: float
    run_id: str | None
    version: str
    champion: str | None
    verdict: str
    reason: str


def verdicts(engine: Engine, *, limit: int, before: int | None = None) -> Part[Verdict]:
    """The verdicts, newest first."""
    query = sa.select(
        VerdictRow.id,
        VerdictRow.at,
        VerdictRow.run_id,
        VerdictRow.version,
        VerdictRow.champion,
        VerdictRow.verdict,
        VerdictRow.reason,
    )
    return newest_first(
        engine,
        query,
        VerdictRow.id,
        lambda row: Verdict(**row._mapping),
        limit=limit,
        before=before,
    )
