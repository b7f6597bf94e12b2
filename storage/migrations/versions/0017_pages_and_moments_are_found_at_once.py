"""Pages are found without going through all that waits, the next moment without a sort, what is due soon at once

Revision: 0017, after 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_outbox_urgent",
        "outbox",
        ["lane", "id"],
        sqlite_where=sa.text("open = 1 AND rank = 0"),
        postgresql_where=sa.text("open AND rank = 0"),
    )
    _index_due(["rank", "at", "id"])
    op.create_index(
        "ix_clock_soon",
        "clock",
        ["state", "soon_at"],
        sqlite_where=sa.text("open = 1"),
        postgresql_where=sa.text("open"),
    )


def downgrade() -> None:
    op.drop_index("ix_outbox_urgent", "outbox")
    _index_due(["rank", "at"])
    op.drop_index("ix_clock_soon", "clock")


def _index_due(columns: list[str]) -> None:
    op.drop_index("ix_due_next", "due")
    op.create_index(
        "ix_due_next", "due", columns, sqlite_where=sa.text("open = 1"), postgresql_where=sa.text("open")
    )
