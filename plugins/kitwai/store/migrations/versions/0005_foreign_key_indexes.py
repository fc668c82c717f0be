"""An index for each foreign key: deleting a row looks for those that refer to it."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

_KEYS = (
    ("kitwai_decision", "observation_id"),
    ("kitwai_scaling", "decision_id"),
    ("kitwai_approval", "decision_id"),
    ("kitwai_shadow", "observation_id"),
)


def upgrade() -> None:
    """Add the indexes."""
    for table, column in _KEYS:
        op.create_index(f"ix_{table}_{column}", table, [column])
