"""What the console shows: its rooms are kept here, because no chat platform keeps them for us."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from storage.columns import Instant, Json


class ConsoleMessage(SQLModel, table=True):
    """A message in a room, in a thread of a room, or between the desk and one person (`@key`).

    `changed` counts up over the whole table whenever a message is written or edited, so that a
    browser can ask for what is new since it last looked. `only_for` hides a private answer from others.
    `key` is the writer's own once-only key, `thread` the message that this one answers, and `source` the
    message that a form was opened from. A message that is neither a line nor a reply was withdrawn.
    """

    __tablename__ = "console_message"
    __table_args__ = (Index("ix_console_message_room", "room", "thread", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    room: str = Field(max_length=60)
    thread: int | None = Field(default=None, index=True)
    author: str = Field(max_length=48)
    only_for: str | None = Field(default=None, max_length=48)
    key: str | None = Field(default=None, max_length=200, unique=True)
    line: str | None = None
    reply: Any = Field(default=None, sa_type=Json, nullable=True)
    source: int | None = None
    at: datetime = Field(sa_type=Instant)
    edited_at: datetime | None = Field(default=None, sa_type=Instant)
    changed: int = Field(default=0, index=True)
