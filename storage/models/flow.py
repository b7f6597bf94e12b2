"""What makes a command happen once and its consequences leave: inbox, outbox, due moments, counters."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from storage.columns import Instant, Json


class InboxRow(SQLModel, table=True):
    """A command that was carried out, by the sender's own key, with the answer it got; `person` is who gave it."""

    __tablename__ = "inbox"
    __table_args__ = (Index("ix_inbox_person", "person", "at"),)

    key: str = Field(primary_key=True, max_length=200)
    at: datetime = Field(sa_type=Instant, index=True)
    answer: Any = Field(sa_type=Json)
    person: str = Field(default="", max_length=60, sa_column_kwargs={"server_default": ""})


def _while_open(name: str, *columns: str, further: str = "") -> Index:
    """An index over open rows only, and further so: what is done costs nothing when the desk asks what is next."""
    sqlite, postgresql = text(f"open = 1{further}"), text(f"open{further}")
    return Index(name, *columns, sqlite_where=sqlite, postgresql_where=postgresql)


class OutboxRow(SQLModel, table=True):
    """One message to one place, with its life: pending, sending, retry, then sent, given up or skipped.

    `lane` is its destination, `rank` what leaves first there (0 for a page, else 1). `while_in` holds the
    states of the subject in which the message is still worth sending. A `card` carries no content: it is
    drawn from its subject at the moment it is sent. `attempts` is how often it was tried, `failures` how often
    that failed although its lane was well. `next_at` is the earliest moment of the next attempt,
    `first_at` that of the first one. `fence` is the number of the lane's lease under which it was last
    taken. `in_doubt` says that it may have arrived already, and `said_as` is the key it went under, which
    reminders that left as one message share. `message` is what the adapter gave back. `page` is shared by the
    ways in which one person is woken by one page, tried in the order of their `id`; `otherwise` is what the
    desk says to itself when all of them failed.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        # Its first three columns are the order of a lane; by the others those that gather are passed over.
        _while_open("ix_outbox_first", "lane", "rank", "id", "kind", "created_at", "next_at"),
        _while_open("ix_outbox_urgent", "lane", "id", further=" AND rank = 0"),
        _while_open("ix_outbox_order", "lane", "subject", "id"),
        _while_open("ix_outbox_next", "lane", "next_at"),
        Index(
            "ix_outbox_page",
            "page",
            "id",
            sqlite_where=text("page IS NOT NULL"),
            postgresql_where=text("page IS NOT NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True, max_length=200)
    kind: str = Field(max_length=12)
    rank: int = 1
    platform: str = Field(max_length=20)
    lane: str = Field(max_length=150)
    place: Any = Field(sa_type=Json)
    subject: str | None = Field(default=None, index=True, max_length=40)
    while_in: Any = Field(default=None, sa_type=Json, nullable=True)
    payload: Any = Field(default=None, sa_type=Json, nullable=True)
    practices: Any = Field(default=None, sa_type=Json, nullable=True)
    created_at: datetime = Field(sa_type=Instant)
    open: bool = True
    state: str = Field(default="pending", max_length=12)
    reason: str | None = Field(default=None, max_length=500)
    attempts: int = 0
    failures: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    first_at: datetime | None = Field(default=None, sa_type=Instant)
    next_at: datetime = Field(sa_type=Instant)
    fence: int = 0
    in_doubt: bool = False
    said_as: str | None = Field(default=None, max_length=200)
    done_at: datetime | None = Field(default=None, sa_type=Instant)
    message: Any = Field(default=None, sa_type=Json, nullable=True)
    page: str | None = Field(default=None, max_length=250)
    otherwise: str | None = Field(default=None, max_length=500)


class Lane(SQLModel, table=True):
    """One destination: who sends to it now, and from when on it may be sent to.

    At most one message is on its way to it, so the lease is the lane's; `fence` counts the leases.
    `failures` is how often in a row its platform failed there.
    """

    __tablename__ = "lane"

    name: str = Field(primary_key=True, max_length=150)
    not_before: datetime = Field(sa_type=Instant)
    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    holder: str | None = Field(default=None, max_length=80)
    fence: int = 0
    failures: int = 0


class DueRow(SQLModel, table=True):
    """A moment at which the desk must say something to itself: a command line and when.

    `at` never moves while the moment is open, however often it is tried: it is part of the command's key,
    and tells how late the command is. `lease_until` is when somebody (else) may take it; `attempts` counts
    failures, and `trouble` is the last one. `rank` is 0 for what wakes people, else 1.
    """

    __tablename__ = "due"
    __table_args__ = (_while_open("ix_due_next", "rank", "at", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True, max_length=160)
    subject: str = Field(index=True, max_length=40)
    line: str = Field(max_length=500)
    rank: int = 1
    at: datetime = Field(sa_type=Instant)
    open: bool = True
    fence: int = 0
    holder: str | None = Field(default=None, max_length=80)
    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    attempts: int = 0
    trouble: str | None = Field(default=None, max_length=500)


class Counter(SQLModel, table=True):
    """The last number given to a kind of ticket."""

    __tablename__ = "counter"

    kind: str = Field(primary_key=True, max_length=8)
    last: int = 0


SPACE = "@space"
"""The place under which a subject's channel of its own is remembered; no room is called that."""


class Post(SQLModel, table=True):
    """Where a subject's card hangs on a platform, so that it can be edited in place and answered below.

    A channel of its own is such a place as well, and is remembered as one more, whose `place` is SPACE, whose
    `thread` is the channel and whose `message` is what the adapter gave back.
    """

    __tablename__ = "post"

    subject: str = Field(primary_key=True, max_length=40)
    platform: str = Field(primary_key=True, max_length=20)
    place: str = Field(primary_key=True, max_length=100)
    message: Any = Field(sa_type=Json)
    thread: str | None = Field(default=None, max_length=100, index=True)
    posted_at: datetime = Field(sa_type=Instant)


class Definition(SQLModel, table=True):
    """A version of a definition that was in force once; kept for ever, because tickets point at it."""

    __tablename__ = "definition"

    kind: str = Field(primary_key=True, max_length=20)
    key: str = Field(primary_key=True, max_length=48)
    version: str = Field(primary_key=True, max_length=16)
    body: Any = Field(sa_type=Json)
    since: datetime = Field(sa_type=Instant)


class Installation(SQLModel, table=True):
    """A fact about this copy of the store: whether it is held after a restore, what was last synced."""

    __tablename__ = "installation"

    name: str = Field(primary_key=True, max_length=60)
    value: Any = Field(sa_type=Json)
