"""The tables of alerts

Revision: 0006, after 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=48), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("bundle", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("detail", sa.String(length=1000), nullable=False),
        sa.Column("link", sa.String(length=500), nullable=True),
        sa.Column("severity", sa.String(length=60), nullable=False),
        sa.Column("urgency", sa.String(length=8), nullable=False),
        sa.Column("service", sa.String(length=48), nullable=False),
        sa.Column("incident", sa.Integer(), nullable=True),
        sa.Column("storm", sa.Boolean(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        sa.Column("over_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_alert")),
    )
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.create_index("ix_alert_bundle", ["source", "bundle"], unique=False)
        batch_op.create_index(batch_op.f("ix_alert_incident"), ["incident"], unique=False)
        batch_op.create_index("ix_alert_since", ["source", "since"], unique=False)
        batch_op.create_index("ix_alert_state", ["state", "since"], unique=False)
        batch_op.create_index("uq_alert_source_key", ["source", "key"], unique=True)

    op.create_table(
        "alert_rejected",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=48), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.String(length=300), nullable=False),
        sa.Column("body", sa.String(length=2000), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_rejected")),
    )
    with op.batch_alter_table("alert_rejected", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alert_rejected_at"), ["at"], unique=False)
        batch_op.create_index("ix_alert_rejected_source", ["source", "id"], unique=False)

    op.create_table(
        "alert_source",
        sa.Column("key", sa.String(length=48), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=True),
        sa.Column("waits_from", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_alert_source")),
    )


def downgrade() -> None:
    op.drop_table("alert_source")
    with op.batch_alter_table("alert_rejected", schema=None) as batch_op:
        batch_op.drop_index("ix_alert_rejected_source")
        batch_op.drop_index(batch_op.f("ix_alert_rejected_at"))

    op.drop_table("alert_rejected")
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.drop_index("uq_alert_source_key")
        batch_op.drop_index("ix_alert_state")
        batch_op.drop_index("ix_alert_since")
        batch_op.drop_index(batch_op.f("ix_alert_incident"))
        batch_op.drop_index("ix_alert_bundle")

    op.drop_table("alert")
