"""Indexes by which the timeline and the newest decision are found without reading bodies."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

_TABLE = "kitwai_decision"
_TIMELINE = ["cluster", "at", "id", "present", "target"]


def upgrade() -> None:
    """Replace the index of moments by one that also holds what a timeline asks for."""
    op.create_index(f"ix_{_TABLE}_{'_'.join(_TIMELINE)}", _TABLE, _TIMELINE)
    op.create_index(f"ix_{_TABLE}_cluster_id", _TABLE, ["cluster", "id"])
    op.drop_index(f"ix_{_TABLE}_cluster_at", _TABLE)
