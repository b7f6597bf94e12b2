"""The tables of changes

Revision: 0007, after 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "change",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("template", sa.String(length=48), nullable=True),
        sa.Column("transition", sa.String(length=16), nullable=True),
        sa.Column("incident", sa.String(length=20), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("room", sa.String(length=48), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("requester", sa.String(length=48), nullable=False),
        sa.Column("implementer", sa.String(length=48), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("risk", sa.String(length=8), nullable=True),
        sa.Column("points", sa.Integer(), nullable=True),
        sa.Column("ballot", sa.Integer(), nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("decide_by", sa.BigInteger(), nullable=True),
        sa.Column("rules_version", sa.String(length=16), nullable=True),
        sa.Column("accepted", sa.Text(), nullable=True),
        sa.Column("platform", sa.String(length=20), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("result", sa.String(length=16), nullable=True),
        sa.Column("review_by", sa.BigInteger(), nullable=True),
        sa.Column("reviewed_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_change")),
    )
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_change_ended_at"), ["ended_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_change_implementer"), ["implementer"], unique=False)
        batch_op.create_index(batch_op.f("ix_change_requester"), ["requester"], unique=False)
        batch_op.create_index(batch_op.f("ix_change_started_at"), ["started_at"], unique=False)
        batch_op.create_index("ix_change_state_starts_at", ["state", "starts_at"], unique=False)
        batch_op.create_index(
            "ix_change_unpaid",
            ["review_by"],
            unique=False,
            sqlite_where=sa.text("reviewed_at IS NULL AND review_by IS NOT NULL"),
            postgresql_where=sa.text("reviewed_at IS NULL AND review_by IS NOT NULL"),
        )

    op.create_table(
        "freeze",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=150), nullable=False),
        sa.Column("services", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=48), nullable=False),
        sa.Column("lifted_by", sa.String(length=48), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_freeze")),
    )
    with op.batch_alter_table("freeze", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_freeze_ends_at"), ["ends_at"], unique=False)

    op.create_table(
        "change_content",
        sa.Column("change", sa.Integer(), nullable=False),
        sa.Column("ballot", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=48), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["change"], ["change.number"], name=op.f("fk_change_content_change_change")),
        sa.PrimaryKeyConstraint("change", "ballot", name=op.f("pk_change_content")),
    )
    with op.batch_alter_table("change_content", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_change_content_by"), ["by"], unique=False)

    op.create_table(
        "change_link",
        sa.Column("change", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("by", sa.String(length=48), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["change"], ["change.number"], name=op.f("fk_change_link_change_change")),
        sa.PrimaryKeyConstraint("change", "ref", name=op.f("pk_change_link")),
    )
    with op.batch_alter_table("change_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_change_link_ref"), ["ref"], unique=False)

    op.create_table(
        "change_service",
        sa.Column("change", sa.Integer(), nullable=False),
        sa.Column("service", sa.String(length=48), nullable=False),
        sa.Column("person", sa.String(length=48), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["change"], ["change.number"], name=op.f("fk_change_service_change_change")),
        sa.PrimaryKeyConstraint("change", "service", name=op.f("pk_change_service")),
    )
    with op.batch_alter_table("change_service", schema=None) as batch_op:
        batch_op.create_index(
            "ix_change_service_holds",
            ["service", "days", "starts_at", "ends_at"],
            unique=False,
            sqlite_where=sa.text("holds = 1"),
            postgresql_where=sa.text("holds"),
        )
        batch_op.create_index(
            "ix_change_service_person",
            ["person", "days", "starts_at", "ends_at"],
            unique=False,
            sqlite_where=sa.text("holds = 1"),
            postgresql_where=sa.text("holds"),
        )
        batch_op.create_index(batch_op.f("ix_change_service_service"), ["service"], unique=False)

    op.create_table(
        "change_text",
        sa.Column("change", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("author", sa.String(length=48), nullable=False),
        sa.Column("text", sa.String(length=3000), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["change"], ["change.number"], name=op.f("fk_change_text_change_change")),
        sa.PrimaryKeyConstraint("change", "kind", name=op.f("pk_change_text")),
    )
    with op.batch_alter_table("change_text", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_change_text_author"), ["author"], unique=False)

    op.create_table(
        "change_vote",
        sa.Column("change", sa.Integer(), nullable=False),
        sa.Column("ballot", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(length=48), nullable=False),
        sa.Column("says", sa.String(length=12), nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.Column("on_behalf_of", sa.String(length=48), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["change"], ["change.number"], name=op.f("fk_change_vote_change_change")),
        sa.PrimaryKeyConstraint("change", "ballot", "stage", "person", name=op.f("pk_change_vote")),
    )
    with op.batch_alter_table("change_vote", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_change_vote_person"), ["person"], unique=False)

    op.create_table(
        "service_state",
        sa.Column("service", sa.String(length=48), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("change", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["change"], ["change.number"], name=op.f("fk_service_state_change_change")),
        sa.PrimaryKeyConstraint("service", name=op.f("pk_service_state")),
    )


def downgrade() -> None:
    op.drop_table("service_state")
    with op.batch_alter_table("change_vote", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_change_vote_person"))

    op.drop_table("change_vote")
    with op.batch_alter_table("change_text", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_change_text_author"))

    op.drop_table("change_text")
    with op.batch_alter_table("change_service", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_change_service_service"))
        batch_op.drop_index(
            "ix_change_service_person", sqlite_where=sa.text("holds = 1"), postgresql_where=sa.text("holds")
        )
        batch_op.drop_index(
            "ix_change_service_holds", sqlite_where=sa.text("holds = 1"), postgresql_where=sa.text("holds")
        )

    op.drop_table("change_service")
    with op.batch_alter_table("change_link", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_change_link_ref"))

    op.drop_table("change_link")
    with op.batch_alter_table("change_content", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_change_content_by"))

    op.drop_table("change_content")
    with op.batch_alter_table("freeze", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_freeze_ends_at"))

    op.drop_table("freeze")
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_change_unpaid",
            sqlite_where=sa.text("reviewed_at IS NULL AND review_by IS NOT NULL"),
            postgresql_where=sa.text("reviewed_at IS NULL AND review_by IS NOT NULL"),
        )
        batch_op.drop_index("ix_change_state_starts_at")
        batch_op.drop_index(batch_op.f("ix_change_started_at"))
        batch_op.drop_index(batch_op.f("ix_change_requester"))
        batch_op.drop_index(batch_op.f("ix_change_implementer"))
        batch_op.drop_index(batch_op.f("ix_change_ended_at"))

    op.drop_table("change")
