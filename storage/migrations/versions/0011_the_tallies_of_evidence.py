"""The tallies of evidence

Revision: 0011, after 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "evidence_tally",
        sa.Column("service", sa.String(length=48), nullable=False),
        sa.Column("span", sa.String(length=10), nullable=False),
        sa.Column("practices", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("newest", sa.BigInteger(), nullable=False),
        sa.Column("sample", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("service", "span", "practices", name=op.f("pk_evidence_tally")),
    )


def downgrade() -> None:
    op.drop_table("evidence_tally")
