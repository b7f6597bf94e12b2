"""The tallies of whole months

Revision: 0014, after 0013
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    whose = "service, team, customer, agreement, kind, goal, outcome"
    op.execute(
        f"INSERT INTO clock_tally (day, {whose}, number)"  # noqa: S608 - all of it is written here
        f" SELECT substr(day, 1, 7), {whose}, sum(number) FROM clock_tally WHERE day <> ''"
        f" GROUP BY substr(day, 1, 7), {whose}"
    )


def downgrade() -> None:
    op.execute("DELETE FROM clock_tally WHERE length(day) = 7")
