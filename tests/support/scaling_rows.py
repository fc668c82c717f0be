"""Scalings put into a store as rows, at moments that a test chooses."""

from __future__ import annotations

from typing import Any

from kitwai.store.database import add_row
from kitwai.store.store import Store
from kitwai.store.tables import ScalingRow


def add_scaling(store: Store, cluster: str, target: int, started_at: float, **columns: Any) -> int:
    """Add a scaling, under way unless ``columns`` hold its ``ended_at``; returns its id."""
    counts = {"started": 0, "removed": 0}
    row = ScalingRow(cluster=cluster, target=target, started_at=started_at, **counts | columns)
    return add_row(store.engine, row)
