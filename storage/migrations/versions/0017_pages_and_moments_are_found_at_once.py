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
    _index_open("ix_outbox_urgent", "outbox", ["lane", "id"], " AND rank = 0")
    op.drop_index("ix_due_next", "due")
    _index_open("ix_due_next", "due", ["rank", "at", "id"])
    _index_open("ix_clock_soon", "clock", ["state", "soon_at"])


def downgrade() -> None:
    op.drop_index("ix_clock_soon", "clock")
    op.drop_index("ix_due_next", "due")
    _index_open("ix_due_next", "due", ["rank", "at"])
    op.drop_index("ix_outbox_urgent", "outbox")


def _index_open(name: str, table: str, columns: list[str], further: str = "") -> None:
    """An index of what is open, and further so."""
    op.create_index(
        name,
        table,
        columns,
        sqlite_where=sa.text(f"open = 1{further}"),
        postgresql_where=sa.text(f"open{further}"),
    )
