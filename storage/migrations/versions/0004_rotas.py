"""Rotas

Revision: 0004, after 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "page_test",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(length=48), nullable=False),
        sa.Column("by", sa.String(length=48), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("confirmed_on", sa.String(length=20), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_page_test")),
    )
    op.create_table(
        "rota_swap",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("rota", sa.String(length=48), nullable=False),
        sa.Column("by", sa.String(length=48), nullable=False),
        sa.Column("to", sa.String(length=48), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("back_from", sa.BigInteger(), nullable=True),
        sa.Column("back_until", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("offered_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_rota_swap")),
    )
    with op.batch_alter_table("rota_swap", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rota_swap_to"), ["to"], unique=False)

    op.create_table(
        "rota_turn",
        sa.Column("rota", sa.String(length=48), nullable=False),
        sa.Column("person", sa.String(length=48), nullable=True),
        sa.Column("before", sa.String(length=48), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("revised_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rota", name=op.f("pk_rota_turn")),
    )
    op.create_table(
        "rota_override",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("rota", sa.String(length=48), nullable=False),
        sa.Column("person", sa.String(length=48), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=48), nullable=False),
        sa.Column("swap", sa.Integer(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["swap"], ["rota_swap.number"], name=op.f("fk_rota_override_swap_rota_swap")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_rota_override")),
    )
    with op.batch_alter_table("rota_override", schema=None) as batch_op:
        batch_op.create_index("ix_rota_override_rota_ends_at", ["rota", "ends_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("rota_override", schema=None) as batch_op:
        batch_op.drop_index("ix_rota_override_rota_ends_at")

    op.drop_table("rota_override")
    op.drop_table("rota_turn")
    with op.batch_alter_table("rota_swap", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rota_swap_to"))

    op.drop_table("rota_swap")
    op.drop_table("page_test")
