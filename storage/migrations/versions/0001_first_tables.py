"""The first tables

Revision: 0001, after
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.models.evidence import APPEND_ONLY

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("platform", sa.String(length=20), nullable=False),
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=48), nullable=False),
        sa.Column("direct", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("platform", "workspace", "user", name=op.f("pk_account")),
    )
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_account_person"), ["person"], unique=False)

    op.create_table(
        "checkpoint",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("frontier", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_checkpoint")),
    )
    op.create_table(
        "clock",
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("promise", sa.String(length=70), nullable=False),
        sa.Column("agreement", sa.String(length=48), nullable=False),
        sa.Column("agreement_version", sa.String(length=16), nullable=False),
        sa.Column("service", sa.String(length=48), nullable=False),
        sa.Column("team", sa.String(length=48), nullable=False),
        sa.Column("customer", sa.String(length=150), nullable=True),
        sa.Column("priority", sa.String(length=4), nullable=False),
        sa.Column("goal", sa.Float(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("soon_at", sa.BigInteger(), nullable=True),
        sa.Column("stopped_at", sa.BigInteger(), nullable=True),
        sa.Column("breached_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("subject", "promise", name=op.f("pk_clock")),
    )
    with op.batch_alter_table("clock", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clock_agreement"), ["agreement"], unique=False)
        batch_op.create_index("ix_clock_finished", ["stopped_at"], unique=False)
        batch_op.create_index("ix_clock_open", ["open", "due_at"], unique=False)
        batch_op.create_index("ix_clock_team", ["team", "open"], unique=False)

    op.create_table(
        "console_message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("room", sa.String(length=60), nullable=False),
        sa.Column("thread", sa.Integer(), nullable=True),
        sa.Column("author", sa.String(length=48), nullable=False),
        sa.Column("only_for", sa.String(length=48), nullable=True),
        sa.Column("key", sa.String(length=200), nullable=True),
        sa.Column("line", sa.Text(), nullable=True),
        sa.Column("reply", sa.Text(), nullable=True),
        sa.Column("source", sa.Integer(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("edited_at", sa.BigInteger(), nullable=True),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_console_message")),
        sa.UniqueConstraint("key", name=op.f("uq_console_message_key")),
    )
    with op.batch_alter_table("console_message", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_console_message_changed"), ["changed"], unique=False)
        batch_op.create_index("ix_console_message_room", ["room", "thread", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_console_message_thread"), ["thread"], unique=False)

    op.create_table(
        "counter",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_counter")),
    )
    op.create_table(
        "definition",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=48), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", "version", name=op.f("pk_definition")),
    )
    op.create_table(
        "draft",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_draft")),
    )
    with op.batch_alter_table("draft", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_draft_at"), ["at"], unique=False)

    op.create_table(
        "due",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("line", sa.String(length=500), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(length=80), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_due")),
        sa.UniqueConstraint("key", name=op.f("uq_due_key")),
    )
    with op.batch_alter_table("due", schema=None) as batch_op:
        batch_op.create_index(
            "ix_due_next",
            ["rank", "at"],
            unique=False,
            sqlite_where=sa.text("open = 1"),
            postgresql_where=sa.text("open"),
        )
        batch_op.create_index(batch_op.f("ix_due_subject"), ["subject"], unique=False)

    op.create_table(
        "evidence",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("surface", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("practices", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("commitments", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_evidence")),
    )
    with op.batch_alter_table("evidence", schema=None) as batch_op:
        batch_op.create_index("ix_evidence_action", ["action", "at"], unique=False)
        batch_op.create_index("ix_evidence_subject", ["subject", "seq"], unique=False)

    op.create_table(
        "inbox",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_inbox")),
    )
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_inbox_at"), ["at"], unique=False)

    op.create_table(
        "installation",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_installation")),
    )
    op.create_table(
        "lane",
        sa.Column("name", sa.String(length=150), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("holder", sa.String(length=80), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lane")),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("holder", sa.String(length=120), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "ledger_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("frontier", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_ledger_head_alone")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_head")),
    )
    op.create_table(
        "link_code",
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=48), nullable=False),
        sa.Column("platform", sa.String(length=20), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_link_code")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("platform", sa.String(length=20), nullable=False),
        sa.Column("lane", sa.String(length=150), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=True),
        sa.Column("while_in", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.Column("practices", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=True),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("in_doubt", sa.Boolean(), nullable=False),
        sa.Column("said_as", sa.String(length=200), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(
            "ix_outbox_first",
            ["lane", "rank", "id"],
            unique=False,
            sqlite_where=sa.text("open = 1"),
            postgresql_where=sa.text("open"),
        )
        batch_op.create_index(
            "ix_outbox_next",
            ["lane", "next_at"],
            unique=False,
            sqlite_where=sa.text("open = 1"),
            postgresql_where=sa.text("open"),
        )
        batch_op.create_index(
            "ix_outbox_order",
            ["lane", "subject", "id"],
            unique=False,
            sqlite_where=sa.text("open = 1"),
            postgresql_where=sa.text("open"),
        )
        batch_op.create_index(batch_op.f("ix_outbox_subject"), ["subject"], unique=False)

    op.create_table(
        "person",
        sa.Column("key", sa.String(length=48), nullable=False),
        sa.Column("name", sa.String(length=150), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=True),
        sa.Column("met_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_person")),
    )
    op.create_table(
        "post",
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("platform", sa.String(length=20), nullable=False),
        sa.Column("place", sa.String(length=100), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("thread", sa.String(length=100), nullable=True),
        sa.Column("posted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "platform", "place", name=op.f("pk_post")),
    )
    with op.batch_alter_table("post", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_post_thread"), ["thread"], unique=False)

    op.create_table(
        "request",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("offering", sa.String(length=48), nullable=False),
        sa.Column("offering_version", sa.String(length=16), nullable=False),
        sa.Column("service", sa.String(length=48), nullable=False),
        sa.Column("agreement", sa.String(length=48), nullable=False),
        sa.Column("agreement_version", sa.String(length=16), nullable=False),
        sa.Column("team", sa.String(length=48), nullable=False),
        sa.Column("priority", sa.String(length=4), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("requester", sa.String(length=48), nullable=False),
        sa.Column("assignee", sa.String(length=48), nullable=True),
        sa.Column("summary", sa.String(length=200), nullable=False),
        sa.Column("answers", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=500), nullable=True),
        sa.Column("platform", sa.String(length=20), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("fulfilled_at", sa.BigInteger(), nullable=True),
        sa.Column("rating", sa.Integer(), nullable=True),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("at_owner", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_request")),
    )
    with op.batch_alter_table("request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_request_assignee"), ["assignee"], unique=False)
        batch_op.create_index(batch_op.f("ix_request_requester"), ["requester"], unique=False)
        batch_op.create_index(batch_op.f("ix_request_service"), ["service"], unique=False)
        batch_op.create_index(batch_op.f("ix_request_state"), ["state"], unique=False)
        batch_op.create_index("ix_request_team_state", ["team", "state"], unique=False)

    op.create_table(
        "request_task",
        sa.Column("request", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=48), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=150), nullable=False),
        sa.Column("team", sa.String(length=48), nullable=False),
        sa.Column("done_by", sa.String(length=48), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["request"], ["request.number"], name=op.f("fk_request_task_request_request")
        ),
        sa.PrimaryKeyConstraint("request", "key", name=op.f("pk_request_task")),
    )
    op.create_table(
        "request_vote",
        sa.Column("request", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(length=48), nullable=False),
        sa.Column("says", sa.String(length=12), nullable=False),
        sa.Column("on_behalf_of", sa.String(length=48), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request"], ["request.number"], name=op.f("fk_request_vote_request_request")
        ),
        sa.PrimaryKeyConstraint("request", "stage", "person", name=op.f("pk_request_vote")),
    )
    op.create_table(
        "words",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["evidence.seq"], name=op.f("fk_words_seq_evidence")),
        sa.PrimaryKeyConstraint("seq", "name", name=op.f("pk_words")),
    )
    with op.batch_alter_table("words", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_words_author"), ["author"], unique=False)

    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    with op.batch_alter_table("words", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_words_author"))

    op.drop_table("words")
    op.drop_table("request_vote")
    op.drop_table("request_task")
    with op.batch_alter_table("request", schema=None) as batch_op:
        batch_op.drop_index("ix_request_team_state")
        batch_op.drop_index(batch_op.f("ix_request_state"))
        batch_op.drop_index(batch_op.f("ix_request_service"))
        batch_op.drop_index(batch_op.f("ix_request_requester"))
        batch_op.drop_index(batch_op.f("ix_request_assignee"))

    op.drop_table("request")
    with op.batch_alter_table("post", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_post_thread"))

    op.drop_table("post")
    op.drop_table("person")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outbox_subject"))
        batch_op.drop_index(
            "ix_outbox_order", sqlite_where=sa.text("open = 1"), postgresql_where=sa.text("open")
        )
        batch_op.drop_index(
            "ix_outbox_next", sqlite_where=sa.text("open = 1"), postgresql_where=sa.text("open")
        )
        batch_op.drop_index(
            "ix_outbox_first", sqlite_where=sa.text("open = 1"), postgresql_where=sa.text("open")
        )

    op.drop_table("outbox")
    op.drop_table("link_code")
    op.drop_table("ledger_head")
    op.drop_table("lease")
    op.drop_table("lane")
    op.drop_table("installation")
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_inbox_at"))

    op.drop_table("inbox")
    with op.batch_alter_table("evidence", schema=None) as batch_op:
        batch_op.drop_index("ix_evidence_subject")
        batch_op.drop_index("ix_evidence_action")

    op.drop_table("evidence")
    with op.batch_alter_table("due", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_due_subject"))
        batch_op.drop_index("ix_due_next", sqlite_where=sa.text("open = 1"), postgresql_where=sa.text("open"))

    op.drop_table("due")
    with op.batch_alter_table("draft", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_draft_at"))

    op.drop_table("draft")
    op.drop_table("definition")
    op.drop_table("counter")
    with op.batch_alter_table("console_message", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_console_message_thread"))
        batch_op.drop_index("ix_console_message_room")
        batch_op.drop_index(batch_op.f("ix_console_message_changed"))

    op.drop_table("console_message")
    with op.batch_alter_table("clock", schema=None) as batch_op:
        batch_op.drop_index("ix_clock_team")
        batch_op.drop_index("ix_clock_open")
        batch_op.drop_index("ix_clock_finished")
        batch_op.drop_index(batch_op.f("ix_clock_agreement"))

    op.drop_table("clock")
    op.drop_table("checkpoint")
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_account_person"))

    op.drop_table("account")
