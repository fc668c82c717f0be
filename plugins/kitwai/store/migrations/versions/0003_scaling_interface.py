"""Tables of the scaling interface: what people set, decisions that wait for them, shadows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "kitwai_control",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cluster", sa.String(250), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("by", sa.String(250), nullable=False),
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("value", sa.JSON(), nullable=True),
        sa.Column("until", sa.Float(53), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_kitwai_control"),
    )
    op.create_index("ix_kitwai_control_cluster_at", "kitwai_control", ["cluster", "at"])
    op.create_table(
        "kitwai_approval",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("cluster", sa.String(250), nullable=False),
        sa.Column("asked_at", sa.Float(53), nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=False),
        sa.Column("run_id", sa.String(250), nullable=True),
        sa.Column("answer", sa.String(20), nullable=True),
        sa.Column("answered_at", sa.Float(53), nullable=True),
        sa.Column("answered_by", sa.String(250), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_kitwai_approval"),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["kitwai_decision.id"],
            name="fk_kitwai_approval_decision_id_kitwai_decision",
        ),
    )
    op.create_index(
        "ix_kitwai_approval_cluster_asked_at", "kitwai_approval", ["cluster", "asked_at"]
    )
    op.create_table(
        "kitwai_shadow",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("observation_id", sa.Integer(), nullable=False),
        sa.Column("cluster", sa.String(250), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("checkpoint", sa.String(100), nullable=False),
        sa.Column("target", sa.Integer(), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_kitwai_shadow"),
        sa.ForeignKeyConstraint(
            ["observation_id"],
            ["kitwai_observation.id"],
            name="fk_kitwai_shadow_observation_id_kitwai_observation",
        ),
    )
    op.create_index("ix_kitwai_shadow_cluster_at", "kitwai_shadow", ["cluster", "at"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("kitwai_shadow")
    op.drop_table("kitwai_approval")
    op.drop_table("kitwai_control")
