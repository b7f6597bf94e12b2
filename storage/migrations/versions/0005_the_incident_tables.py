"""The incident tables

Revision: 0005, after 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "incident",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("detail", sa.String(length=3000), nullable=True),
        sa.Column("service", sa.String(length=48), nullable=False),
        sa.Column("team", sa.String(length=48), nullable=False),
        sa.Column("room", sa.String(length=48), nullable=False),
        sa.Column("impact", sa.String(length=8), nullable=False),
        sa.Column("urgency", sa.String(length=8), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("agreement", sa.String(length=48), nullable=False),
        sa.Column("agreement_version", sa.String(length=16), nullable=False),
        sa.Column("escalation", sa.String(length=48), nullable=False),
        sa.Column("escalation_version", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reporter", sa.String(length=48), nullable=False),
        sa.Column("assignee", sa.String(length=48), nullable=True),
        sa.Column("alert", sa.String(length=100), nullable=True),
        sa.Column("practice", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(length=500), nullable=True),
        sa.Column("platform", sa.String(length=20), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("merged_into", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_incident")),
    )
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incident_alert"), ["alert"], unique=False)
        batch_op.create_index(batch_op.f("ix_incident_assignee"), ["assignee"], unique=False)
        batch_op.create_index(batch_op.f("ix_incident_reporter"), ["reporter"], unique=False)
        batch_op.create_index("ix_incident_service_state", ["service", "state"], unique=False)
        batch_op.create_index(batch_op.f("ix_incident_state"), ["state"], unique=False)
        batch_op.create_index("ix_incident_team_state", ["team", "state"], unique=False)

    op.create_table(
        "incident_link",
        sa.Column("incident", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("by", sa.String(length=48), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident"], ["incident.number"], name=op.f("fk_incident_link_incident_incident")
        ),
        sa.PrimaryKeyConstraint("incident", "ref", name=op.f("pk_incident_link")),
    )
    with op.batch_alter_table("incident_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incident_link_ref"), ["ref"], unique=False)

    op.create_table(
        "incident_part",
        sa.Column("incident", sa.Integer(), nullable=False),
        sa.Column("part", sa.String(length=16), nullable=False),
        sa.Column("person", sa.String(length=48), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident"], ["incident.number"], name=op.f("fk_incident_part_incident_incident")
        ),
        sa.PrimaryKeyConstraint("incident", "part", "person", name=op.f("pk_incident_part")),
    )
    with op.batch_alter_table("incident_part", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incident_part_person"), ["person"], unique=False)

    op.create_table(
        "incident_text",
        sa.Column("incident", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("author", sa.String(length=48), nullable=False),
        sa.Column("text", sa.String(length=3000), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident"], ["incident.number"], name=op.f("fk_incident_text_incident_incident")
        ),
        sa.PrimaryKeyConstraint("incident", "kind", name=op.f("pk_incident_text")),
    )
    with op.batch_alter_table("incident_text", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incident_text_author"), ["author"], unique=False)

    with op.batch_alter_table("clock", schema=None) as batch_op:
        batch_op.add_column(sa.Column("counted", sa.Boolean(), server_default=sa.true(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("clock", schema=None) as batch_op:
        batch_op.drop_column("counted")

    with op.batch_alter_table("incident_text", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_incident_text_author"))

    op.drop_table("incident_text")
    with op.batch_alter_table("incident_part", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_incident_part_person"))

    op.drop_table("incident_part")
    with op.batch_alter_table("incident_link", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_incident_link_ref"))

    op.drop_table("incident_link")
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.drop_index("ix_incident_team_state")
        batch_op.drop_index(batch_op.f("ix_incident_state"))
        batch_op.drop_index("ix_incident_service_state")
        batch_op.drop_index(batch_op.f("ix_incident_reporter"))
        batch_op.drop_index(batch_op.f("ix_incident_assignee"))
        batch_op.drop_index(batch_op.f("ix_incident_alert"))

    op.drop_table("incident")
