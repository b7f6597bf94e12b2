"""The figures of service levels

Revision: 0008, after 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "clock_tally",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("service", sa.String(length=48), nullable=False),
        sa.Column("team", sa.String(length=48), nullable=False),
        sa.Column("customer", sa.String(length=150), nullable=False),
        sa.Column("agreement", sa.String(length=48), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("goal", sa.Float(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "day",
            "service",
            "team",
            "customer",
            "agreement",
            "kind",
            "goal",
            "outcome",
            name=op.f("pk_clock_tally"),
        ),
    )
    op.create_table(
        "exclusion",
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=70), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("promise", sa.String(length=70), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("asked_by", sa.String(length=48), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(length=48), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("subject", "kind", "started_at", name=op.f("pk_exclusion")),
    )
    with op.batch_alter_table("exclusion", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_exclusion_asked_by"), ["asked_by"], unique=False)

    with op.batch_alter_table("clock", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(length=16), server_default="", nullable=False))
        batch_op.add_column(sa.Column("topic", sa.String(length=48), server_default="", nullable=False))
        batch_op.add_column(sa.Column("excluded", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("decided_on", sa.String(length=10), nullable=True))
        batch_op.add_column(sa.Column("spent", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("allowed", sa.Integer(), nullable=True))
        batch_op.drop_index(batch_op.f("ix_clock_finished"))
        batch_op.drop_index(batch_op.f("ix_clock_open"))
        batch_op.drop_index(batch_op.f("ix_clock_team"))
        batch_op.create_index(
            "ix_clock_broken",
            ["breached_at"],
            unique=False,
            sqlite_where=sa.text("breached_at IS NOT NULL"),
            postgresql_where=sa.text("breached_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_clock_next",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("open = 1"),
            postgresql_where=sa.text("open"),
        )
        batch_op.create_index(
            "ix_clock_next_service",
            ["service", "due_at"],
            unique=False,
            sqlite_where=sa.text("open = 1"),
            postgresql_where=sa.text("open"),
        )
        batch_op.create_index(
            "ix_clock_next_team",
            ["team", "due_at"],
            unique=False,
            sqlite_where=sa.text("open = 1"),
            postgresql_where=sa.text("open"),
        )
        batch_op.create_index("ix_clock_past", ["kind", "topic", "priority", "stopped_at"], unique=False)
        batch_op.create_index(
            "ix_clock_ticking",
            ["state", "due_at"],
            unique=False,
            sqlite_where=sa.text("open = 1"),
            postgresql_where=sa.text("open"),
        )

    _count_what_is_there()


def _count_what_is_there() -> None:
    """Give clocks that are there what is new about them, and count them. Their days are those of UTC."""
    bind = op.get_bind()
    for kind in ("respond", "update", "resolve", "approve", "fulfil-step", "review"):
        mine = sa.text("UPDATE clock SET kind = :kind WHERE promise = :kind OR promise LIKE :more")
        bind.execute(mine, {"kind": kind, "more": f"{kind} %"})
    moment = "coalesce(breached_at, stopped_at)"
    day = (
        f"strftime('%Y-%m-%d', {moment} / 1000000, 'unixepoch')"
        if bind.dialect.name == "sqlite"
        else f"to_char(to_timestamp({moment} / 1000000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
    )
    decided = "breached_at IS NOT NULL OR (stopped_at IS NOT NULL AND state = 'met')"
    dated = f"UPDATE clock SET topic = service, decided_on = CASE WHEN {decided} THEN {day} END"  # noqa: S608 - as below
    bind.execute(sa.text(dated))
    whose = "service, team, coalesce(customer, ''), agreement, kind, goal"
    came_to = "CASE WHEN breached_at IS NULL THEN 'kept' ELSE 'broken' END"
    for day, outcome, which in (("''", "state", "open"), ("decided_on", came_to, "decided_on IS NOT NULL")):
        asked = f"SELECT {day}, {whose}, {outcome}, count(*) FROM clock"  # noqa: S608 - all of it is written here
        names = "day, service, team, customer, agreement, kind, goal, outcome, number"
        rest = f"WHERE counted AND {which} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8"
        bind.execute(sa.text(f"INSERT INTO clock_tally ({names}) {asked} {rest}"))


def downgrade() -> None:
    with op.batch_alter_table("clock", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_clock_ticking", sqlite_where=sa.text("open = 1"), postgresql_where=sa.text("open")
        )
        batch_op.drop_index("ix_clock_past")
        batch_op.drop_index(
            "ix_clock_next_team", sqlite_where=sa.text("open = 1"), postgresql_where=sa.text("open")
        )
        batch_op.drop_index(
            "ix_clock_next_service", sqlite_where=sa.text("open = 1"), postgresql_where=sa.text("open")
        )
        batch_op.drop_index(
            "ix_clock_next", sqlite_where=sa.text("open = 1"), postgresql_where=sa.text("open")
        )
        batch_op.drop_index(
            "ix_clock_broken",
            sqlite_where=sa.text("breached_at IS NOT NULL"),
            postgresql_where=sa.text("breached_at IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("ix_clock_team"), ["team", "open"], unique=False)
        batch_op.create_index(batch_op.f("ix_clock_open"), ["open", "due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_clock_finished"), ["stopped_at"], unique=False)
        batch_op.drop_column("allowed")
        batch_op.drop_column("spent")
        batch_op.drop_column("decided_on")
        batch_op.drop_column("excluded")
        batch_op.drop_column("topic")
        batch_op.drop_column("kind")

    with op.batch_alter_table("exclusion", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_exclusion_asked_by"))

    op.drop_table("exclusion")
    op.drop_table("clock_tally")
