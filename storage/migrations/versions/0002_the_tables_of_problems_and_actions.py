"""The tables of problems and actions

Revision: 0002, after 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "action",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("what", sa.String(length=300), nullable=False),
        sa.Column("owner", sa.String(length=48), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("opened_by", sa.String(length=48), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.String(length=10), nullable=False),
        sa.Column("moved", sa.Integer(), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("done_by", sa.String(length=48), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_action")),
    )
    with op.batch_alter_table("action", schema=None) as batch_op:
        batch_op.create_index("ix_action_due", ["state", "due"], unique=False)
        batch_op.create_index("ix_action_owner", ["owner", "state"], unique=False)
        batch_op.create_index(batch_op.f("ix_action_subject"), ["subject"], unique=False)

    op.create_table(
        "problem",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("service", sa.String(length=48), nullable=False),
        sa.Column("team", sa.String(length=48), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("opened_by", sa.String(length=48), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("cause_by", sa.String(length=48), nullable=True),
        sa.Column("workaround", sa.Text(), nullable=True),
        sa.Column("workaround_by", sa.String(length=48), nullable=True),
        sa.Column("symptom", sa.Text(), nullable=True),
        sa.Column("symptom_by", sa.String(length=48), nullable=True),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("helped", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_problem")),
    )
    with op.batch_alter_table("problem", schema=None) as batch_op:
        batch_op.create_index(
            "ix_problem_known",
            ["helped"],
            unique=False,
            sqlite_where=sa.text("known = 1"),
            postgresql_where=sa.text("known"),
        )
        batch_op.create_index(batch_op.f("ix_problem_state"), ["state"], unique=False)
        batch_op.create_index("ix_problem_team_state", ["team", "state"], unique=False)

    op.create_table(
        "problem_follower",
        sa.Column("problem", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(length=48), nullable=False),
        sa.ForeignKeyConstraint(
            ["problem"], ["problem.number"], name=op.f("fk_problem_follower_problem_problem")
        ),
        sa.PrimaryKeyConstraint("problem", "person", name=op.f("pk_problem_follower")),
    )
    with op.batch_alter_table("problem_follower", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_problem_follower_person"), ["person"], unique=False)

    op.create_table(
        "problem_link",
        sa.Column("problem", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(length=40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["problem"], ["problem.number"], name=op.f("fk_problem_link_problem_problem")
        ),
        sa.PrimaryKeyConstraint("problem", "ref", name=op.f("pk_problem_link")),
    )
    with op.batch_alter_table("problem_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_problem_link_ref"), ["ref"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("problem_link", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_problem_link_ref"))

    op.drop_table("problem_link")
    with op.batch_alter_table("problem_follower", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_problem_follower_person"))

    op.drop_table("problem_follower")
    with op.batch_alter_table("problem", schema=None) as batch_op:
        batch_op.drop_index("ix_problem_team_state")
        batch_op.drop_index(batch_op.f("ix_problem_state"))
        batch_op.drop_index(
            "ix_problem_known", sqlite_where=sa.text("known = 1"), postgresql_where=sa.text("known")
        )

    op.drop_table("problem")
    with op.batch_alter_table("action", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_action_subject"))
        batch_op.drop_index("ix_action_owner")
        batch_op.drop_index("ix_action_due")

    op.drop_table("action")
