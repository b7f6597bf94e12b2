"""What gathers is passed over in the index alone

Revision: 0016, after 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_FIRST = ["lane", "rank", "id"]


def upgrade() -> None:
    _index_first([*_FIRST, "kind", "created_at", "next_at"])


def downgrade() -> None:
    _index_first(_FIRST)


def _index_first(columns: list[str]) -> None:
    where = sa.text("open = 1")
    postgresql_where = sa.text("open")
    op.drop_index("ix_outbox_first", "outbox")
    op.create_index(
        "ix_outbox_first", "outbox", columns, sqlite_where=where, postgresql_where=postgresql_where
    )
