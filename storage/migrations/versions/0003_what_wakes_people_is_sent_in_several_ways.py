"""What wakes people is sent in several ways

Revision: 0003, after 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("page", sa.String(length=250), nullable=True))
        batch_op.add_column(sa.Column("otherwise", sa.String(length=500), nullable=True))
        batch_op.create_index(
            "ix_outbox_page",
            ["page", "id"],
            unique=False,
            sqlite_where=sa.text("page IS NOT NULL"),
            postgresql_where=sa.text("page IS NOT NULL"),
        )


def downgrade() -> None:
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_outbox_page",
            sqlite_where=sa.text("page IS NOT NULL"),
            postgresql_where=sa.text("page IS NOT NULL"),
        )
        batch_op.drop_column("otherwise")
        batch_op.drop_column("page")
