"""The tables of continuity

Revision: 0009, after 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "continuity_plan",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=48), nullable=False),
        sa.Column("name", sa.String(length=150), nullable=False),
        sa.Column("owner", sa.String(length=48), nullable=False),
        sa.Column("in_file", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("content", sa.String(length=16), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("author", sa.String(length=48), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("signed", sa.String(length=16), nullable=True),
        sa.Column("signed_by", sa.String(length=48), nullable=True),
        sa.Column("signed_at", sa.BigInteger(), nullable=True),
        sa.Column("review_on", sa.String(length=10), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_continuity_plan")),
        sa.UniqueConstraint("key", name=op.f("uq_continuity_plan_key")),
    )
    with op.batch_alter_table("continuity_plan", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_continuity_plan_author"), ["author"], unique=False)
        batch_op.create_index(batch_op.f("ix_continuity_plan_owner"), ["owner"], unique=False)

    op.create_table(
        "impact_analysis",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("service", sa.String(length=48), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("outage", sa.Text(), nullable=False),
        sa.Column("loss", sa.Text(), nullable=False),
        sa.Column("rto", sa.Integer(), nullable=False),
        sa.Column("rpo", sa.Integer(), nullable=True),
        sa.Column("criticality", sa.String(length=12), nullable=False),
        sa.Column("resources", sa.String(length=3000), nullable=False),
        sa.Column("author", sa.String(length=48), nullable=False),
        sa.Column("written_at", sa.BigInteger(), nullable=False),
        sa.Column("signed_by", sa.String(length=48), nullable=True),
        sa.Column("signed_at", sa.BigInteger(), nullable=True),
        sa.Column("review_on", sa.String(length=10), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_impact_analysis")),
    )
    with op.batch_alter_table("impact_analysis", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_impact_analysis_author"), ["author"], unique=False)
        batch_op.create_index("ix_impact_analysis_service", ["service", "state"], unique=False)

    op.create_table(
        "readiness_check",
        sa.Column("service", sa.String(length=48), nullable=False),
        sa.Column("item", sa.String(length=48), nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=True),
        sa.Column("by", sa.String(length=48), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.String(length=3000), nullable=False),
        sa.PrimaryKeyConstraint("service", "item", name=op.f("pk_readiness_check")),
    )
    with op.batch_alter_table("readiness_check", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_readiness_check_by"), ["by"], unique=False)

    op.create_table(
        "continuity_plan_service",
        sa.Column("plan", sa.Integer(), nullable=False),
        sa.Column("service", sa.String(length=48), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan"], ["continuity_plan.number"], name=op.f("fk_continuity_plan_service_plan_continuity_plan")
        ),
        sa.PrimaryKeyConstraint("plan", "service", name=op.f("pk_continuity_plan_service")),
    )
    with op.batch_alter_table("continuity_plan_service", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_continuity_plan_service_service"), ["service"], unique=False)

    op.create_table(
        "drill",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("plan", sa.Integer(), nullable=False),
        sa.Column("content", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("room", sa.String(length=48), nullable=False),
        sa.Column("lead", sa.String(length=48), nullable=False),
        sa.Column("by", sa.String(length=48), nullable=False),
        sa.Column("incident", sa.String(length=20), nullable=True),
        sa.Column("series", sa.String(length=120), nullable=True),
        sa.Column("repeats", sa.String(length=300), nullable=True),
        sa.Column("zone", sa.String(length=64), nullable=True),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("paused_for", sa.String(length=20), nullable=True),
        sa.Column("within", sa.Boolean(), nullable=True),
        sa.Column("platform", sa.String(length=20), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan"], ["continuity_plan.number"], name=op.f("fk_drill_plan_continuity_plan")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_drill")),
        sa.UniqueConstraint("series", name=op.f("uq_drill_series")),
    )
    with op.batch_alter_table("drill", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_drill_lead"), ["lead"], unique=False)
        batch_op.create_index("ix_drill_paused_for", ["paused_for"], unique=False)
        batch_op.create_index("ix_drill_plan", ["plan", "state"], unique=False)
        batch_op.create_index("ix_drill_state", ["state", "starts_at"], unique=False)

    op.create_table(
        "drill_inject",
        sa.Column("drill", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("says", sa.String(length=3000), nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=48), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("said_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["drill"], ["drill.number"], name=op.f("fk_drill_inject_drill_drill")),
        sa.PrimaryKeyConstraint("drill", "number", name=op.f("pk_drill_inject")),
    )
    with op.batch_alter_table("drill_inject", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_drill_inject_by"), ["by"], unique=False)

    op.create_table(
        "drill_person",
        sa.Column("drill", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(length=48), nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.Column("rating", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["drill"], ["drill.number"], name=op.f("fk_drill_person_drill_drill")),
        sa.PrimaryKeyConstraint("drill", "person", name=op.f("pk_drill_person")),
    )
    with op.batch_alter_table("drill_person", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_drill_person_person"), ["person"], unique=False)

    op.create_table(
        "drill_service",
        sa.Column("drill", sa.Integer(), nullable=False),
        sa.Column("service", sa.String(length=48), nullable=False),
        sa.Column("team", sa.String(length=48), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.Column("rto", sa.Integer(), nullable=True),
        sa.Column("rpo", sa.Integer(), nullable=True),
        sa.Column("within", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["drill"], ["drill.number"], name=op.f("fk_drill_service_drill_drill")),
        sa.PrimaryKeyConstraint("drill", "service", name=op.f("pk_drill_service")),
    )
    with op.batch_alter_table("drill_service", schema=None) as batch_op:
        batch_op.create_index(
            "ix_drill_service_holds",
            ["service", "starts_at"],
            unique=False,
            sqlite_where=sa.text("holds = 1"),
            postgresql_where=sa.text("holds"),
        )
        batch_op.create_index("ix_drill_service_service", ["service"], unique=False)

    op.create_table(
        "drill_step",
        sa.Column("drill", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=48), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("lane", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=150), nullable=False),
        sa.Column("owners", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("lasts", sa.Integer(), nullable=False),
        sa.Column("proof", sa.String(length=150), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("waits", sa.Integer(), nullable=False),
        sa.Column("planned_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("by", sa.String(length=48), nullable=True),
        sa.Column("note", sa.String(length=3000), nullable=False),
        sa.Column("early", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["drill"], ["drill.number"], name=op.f("fk_drill_step_drill_drill")),
        sa.PrimaryKeyConstraint("drill", "key", name=op.f("pk_drill_step")),
    )
    with op.batch_alter_table("drill_step", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_drill_step_by"), ["by"], unique=False)

    op.create_table(
        "drill_text",
        sa.Column("drill", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("author", sa.String(length=48), nullable=False),
        sa.Column("text", sa.String(length=3000), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["drill"], ["drill.number"], name=op.f("fk_drill_text_drill_drill")),
        sa.PrimaryKeyConstraint("drill", "kind", name=op.f("pk_drill_text")),
    )
    with op.batch_alter_table("drill_text", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_drill_text_author"), ["author"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("drill_text", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_drill_text_author"))

    op.drop_table("drill_text")
    with op.batch_alter_table("drill_step", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_drill_step_by"))

    op.drop_table("drill_step")
    with op.batch_alter_table("drill_service", schema=None) as batch_op:
        batch_op.drop_index("ix_drill_service_service")
        batch_op.drop_index(
            "ix_drill_service_holds", sqlite_where=sa.text("holds = 1"), postgresql_where=sa.text("holds")
        )

    op.drop_table("drill_service")
    with op.batch_alter_table("drill_person", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_drill_person_person"))

    op.drop_table("drill_person")
    with op.batch_alter_table("drill_inject", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_drill_inject_by"))

    op.drop_table("drill_inject")
    with op.batch_alter_table("drill", schema=None) as batch_op:
        batch_op.drop_index("ix_drill_state")
        batch_op.drop_index("ix_drill_plan")
        batch_op.drop_index("ix_drill_paused_for")
        batch_op.drop_index(batch_op.f("ix_drill_lead"))

    op.drop_table("drill")
    with op.batch_alter_table("continuity_plan_service", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_continuity_plan_service_service"))

    op.drop_table("continuity_plan_service")
    with op.batch_alter_table("readiness_check", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_readiness_check_by"))

    op.drop_table("readiness_check")
    with op.batch_alter_table("impact_analysis", schema=None) as batch_op:
        batch_op.drop_index("ix_impact_analysis_service")
        batch_op.drop_index(batch_op.f("ix_impact_analysis_author"))

    op.drop_table("impact_analysis")
    with op.batch_alter_table("continuity_plan", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_continuity_plan_owner"))
        batch_op.drop_index(batch_op.f("ix_continuity_plan_author"))

    op.drop_table("continuity_plan")
