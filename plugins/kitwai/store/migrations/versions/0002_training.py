"""Tables of the training DAG: event logs as read, verdicts on versions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "kitwai_event_log",
        sa.Column("source", sa.String(700), nullable=False),
        sa.Column("fingerprint", sa.String(250), nullable=False),
        sa.Column("read_at", sa.Float(53), nullable=False),
        sa.Column("app", sa.String(250), nullable=True),
        sa.Column("family", sa.Text(), nullable=True),
        sa.Column("started_at", sa.Float(53), nullable=True),
        sa.Column("ended_at", sa.Float(53), nullable=True),
        sa.Column("profile", sa.JSON(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("source", name="pk_kitwai_event_log"),
    )
    op.create_index("ix_kitwai_event_log_ended_at", "kitwai_event_log", ["ended_at"])
    op.create_table(
        "kitwai_verdict",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("run_id", sa.String(500), nullable=True),
        sa.Column("version", sa.String(100), nullable=False),
        sa.Column("champion", sa.String(100), nullable=True),
        sa.Column("verdict", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_kitwai_verdict"),
    )
    op.create_index("ix_kitwai_verdict_at", "kitwai_verdict", ["at"])
    op.create_index("ix_kitwai_verdict_run_id", "kitwai_verdict", ["run_id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("kitwai_verdict")
    op.drop_table("kitwai_event_log")
