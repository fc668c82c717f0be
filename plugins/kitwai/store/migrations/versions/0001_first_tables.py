"""First tables: observations, decisions, scalings, leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "kitwai_observation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cluster", sa.String(250), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("applications", sa.Integer(), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_kitwai_observation"),
    )
    op.create_index("ix_kitwai_observation_cluster_at", "kitwai_observation", ["cluster", "at"])
    op.create_table(
        "kitwai_decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("observation_id", sa.Integer(), nullable=False),
        sa.Column("cluster", sa.String(250), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("mode", sa.String(20), nullable=False),
        sa.Column("present", sa.Integer(), nullable=True),
        sa.Column("target", sa.Integer(), nullable=True),
        sa.Column("checkpoint", sa.String(100), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["observation_id"],
            ["kitwai_observation.id"],
            name="fk_kitwai_decision_observation_id_kitwai_observation",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_kitwai_decision"),
    )
    op.create_index("ix_kitwai_decision_cluster_at", "kitwai_decision", ["cluster", "at"])
    op.create_table(
        "kitwai_scaling",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=True),
        sa.Column("cluster", sa.String(250), nullable=False),
        sa.Column("started_at", sa.Float(53), nullable=False),
        sa.Column("ended_at", sa.Float(53), nullable=True),
        sa.Column("target", sa.Integer(), nullable=False),
        sa.Column("started", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["kitwai_decision.id"],
            name="fk_kitwai_scaling_decision_id_kitwai_decision",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_kitwai_scaling"),
    )
    op.create_index(
        "ix_kitwai_scaling_cluster_started_at", "kitwai_scaling", ["cluster", "started_at"]
    )
    op.create_table(
        "kitwai_lease",
        sa.Column("cluster", sa.String(250), nullable=False),
        sa.Column("holder", sa.String(500), nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("cluster", name="pk_kitwai_lease"),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("kitwai_lease", "kitwai_scaling", "kitwai_decision", "kitwai_observation"):
        op.drop_table(table)
