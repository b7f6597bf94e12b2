"""What makes a command happen once and its consequences leave: inbox, outbox, due moments, counters, cards."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from storage.columns import Instant, Json


class InboxRow(SQLModel, table=True):
    """A command that was carried out, by the sender's own key, with the answer it got."""

    __tablename__ = "inbox"

    key: str = Field(primary_key=True, max_length=200)
    at: datetime = Field(sa_type=Instant, index=True)
    answer: Any = Field(sa_type=Json)


class OutboxRow(SQLModel, table=True):
    """One message to one place, with its life: pending, sending, retry, then sent, given up or skipped.

    `while_in` holds the states of the subject in which the message is still worth sending; `card`
    rows carry no content, because a card is drawn from the subject at the moment it is sent.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_waiting", "next_at", sqlite_where=text("open"), postgresql_where=text("open")),
        Index("ix_outbox_lane", "lane", "id", sqlite_where=text("open"), postgresql_where=text("open")),
    )

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True, max_length=200)
    kind: str = Field(max_length=12)
    platform: str = Field(max_length=20)
    lane: str = Field(max_length=150)
    place: Any = Field(sa_type=Json)
    subject: str | None = Field(default=None, index=True, max_length=40)
    while_in: Any = Field(default=None, sa_type=Json)
    payload: Any = Field(default=None, sa_type=Json)
    practices: Any = Field(default=None, sa_type=Json)
    created_at: datetime = Field(sa_type=Instant)
    open: bool = True
    state: str = Field(default="pending", max_length=12)
    reason: str | None = Field(default=None, max_length=500)
    attempts: int = 0
    next_at: datetime = Field(sa_type=Instant)
    fence: int = 0
    holder: str | None = Field(default=None, max_length=80)
    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    done_at: datetime | None = Field(default=None, sa_type=Instant)
    message: Any = Field(default=None, sa_type=Json)


class DueRow(SQLModel, table=True):
    """A moment at which the desk must say something to itself: a command line and when."""

    __tablename__ = "due"
    __table_args__ = (
        Index("ix_due_waiting", "at", sqlite_where=text("open"), postgresql_where=text("open")),
    )

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True, max_length=200)
    subject: str = Field(index=True, max_length=40)
    line: str = Field(max_length=500)
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


class Post(SQLModel, table=True):
    """Where a subject's card hangs on a platform, so that it can be edited in place and answered below."""

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
    """One row of facts about this copy of the store: whether it is held after a restore, what was last synced."""

    __tablename__ = "installation"

    name: str = Field(primary_key=True, max_length=60)
    value: Any = Field(sa_type=Json)
