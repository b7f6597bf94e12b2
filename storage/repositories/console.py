"""The console's rooms: what was said where, who may see it, and what is new.

Not part of `Records`: no command reads these rows, only the console and its deliveries; erasing blanks them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, cast, func, or_, select
from sqlmodel import Session, col

from storage.models.console import ConsoleMessage
from storage.repositories.flow import Counters

DESK = "desk"
"""The author of what the desk says."""


@dataclass(frozen=True)
class Message:
    """A message as it stands. `reply` is what the desk says, as JSON-ready data, `line` what was typed."""

    id: int
    room: str
    thread: int | None
    author: str
    only_for: str | None
    line: str | None
    reply: Mapping[str, Any] | None
    source: int | None
    at: datetime
    edited_at: datetime | None
    changed: int

    @property
    def withdrawn(self) -> bool:
        """Whether it was taken back and shows nothing any more."""
        return self.line is None and self.reply is None


@dataclass(frozen=True)
class Writing:
    """A message to write."""

    room: str
    author: str
    thread: int | None = None
    only_for: str | None = None
    key: str | None = None
    line: str | None = None
    reply: Mapping[str, Any] | None = None
    source: int | None = None


class Console:
    """Messages of every room. A `reader` sees the rooms, and of private messages their own."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def write(self, writing: Writing, now: datetime) -> Message:
        """Add a message; one whose key is known is not added again, and is given back as it stands."""
        if writing.key is not None and (first := self.by_key(writing.key)):
            return first
        row = ConsoleMessage(**vars(writing), at=now, changed=self._next())
        self._session.add(row)
        self._session.flush()
        return _message(row)

    def edit(self, message: int, reply: Mapping[str, Any], now: datetime) -> Message | None:
        """Change what the desk said, in place; None when there is no such message."""
        return self._change(message, {"reply": dict(reply)}, now)

    def withdraw(self, message: int, now: datetime) -> Message | None:
        """Take a message back; it keeps its place and shows nothing."""
        return self._change(message, {"reply": None, "line": None}, now)

    def _change(self, message: int, values: Mapping[str, Any], now: datetime) -> Message | None:
        row = self._session.get(ConsoleMessage, message)
        if row is None:
            return None
        # An edit to the same words is none: a repeat must not make every browser draw it again.
        if any(getattr(row, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(row, name, value)
            row.edited_at = now
            row.changed = self._next()
            self._session.add(row)
            self._session.flush()
        return _message(row)

    def get(self, message: int) -> Message | None:
        """One message."""
        row = self._session.get(ConsoleMessage, message)
        return None if row is None else _message(row)

    def by_key(self, key: str) -> Message | None:
        """The message that was written with this key."""
        row = self._session.scalar(select(ConsoleMessage).where(col(ConsoleMessage.key) == key))
        return None if row is None else _message(row)

    def changes(self) -> int:
        """How often anything was written or edited; never goes back, and grows only with a commit."""
        return int(self._session.scalar(select(func.max(col(ConsoleMessage.changed)))) or 0)

    def since(self, changes: int, reader: str, at_most: int = 200) -> Sequence[Message]:
        """What a reader may see of what was written or edited after that many changes, in that order."""
        rows = select(ConsoleMessage).where(
            col(ConsoleMessage.changed) > changes,
            _visible_to(reader),
            or_(col(ConsoleMessage.room).not_like("@%"), col(ConsoleMessage.room) == f"@{reader}"),
        )
        return self._messages(rows.order_by(col(ConsoleMessage.changed)).limit(at_most))

    def page(
        self, room: str, reader: str, thread: int | None = None, before: int | None = None, at_most: int = 80
    ) -> Sequence[Message]:
        """The newest messages of a room or a thread, oldest of them first; `before` a message, for more."""
        below = col(ConsoleMessage.thread)
        rows = select(ConsoleMessage).where(
            col(ConsoleMessage.room) == room,
            below.is_(None) if thread is None else below == thread,
            _visible_to(reader),
            _stands(),
        )
        if before is not None:
            rows = rows.where(col(ConsoleMessage.id) < before)
        return self._messages(rows.order_by(col(ConsoleMessage.id).desc()).limit(at_most))[::-1]

    def answers(self, messages: Iterable[int], reader: str) -> dict[int, int]:
        """How many answers a reader sees below each of these messages that has any."""
        counted = (
            select(col(ConsoleMessage.thread), func.count())
            .where(col(ConsoleMessage.thread).in_(list(messages)), _visible_to(reader), _stands())
            .group_by(col(ConsoleMessage.thread))
        )
        return {
            int(thread): int(count) for thread, count in self._session.execute(counted) if thread is not None
        }

    def newest(self, rooms: Sequence[str], reader: str) -> dict[str, int]:
        """The last change in each room that a reader may see, for telling what is unread."""
        latest = (
            select(col(ConsoleMessage.room), func.max(col(ConsoleMessage.changed)))
            .where(col(ConsoleMessage.room).in_(rooms), _visible_to(reader), _stands())
            .group_by(col(ConsoleMessage.room))
        )
        return {room: int(changed) for room, changed in self._session.execute(latest) if changed is not None}

    def threads_of(self, person: str, at_most: int = 8) -> Sequence[Message]:
        """The beginnings of the threads that concern a person, the liveliest first.

        Those they wrote in, and the desk's cards with answers that name them.
        """
        wrote_in = select(col(ConsoleMessage.thread)).where(
            col(ConsoleMessage.thread).is_not(None), col(ConsoleMessage.author) == person
        )
        answered = (
            select(col(ConsoleMessage.thread), func.max(col(ConsoleMessage.changed)).label("last"))
            .where(col(ConsoleMessage.thread).is_not(None), _visible_to(person), _stands())
            .group_by(col(ConsoleMessage.thread))
            .subquery()
        )
        # Stored JSON is canonical and escapes a quote inside a text: this can only be a person's own part.
        names_them = cast(col(ConsoleMessage.reply), Text).contains(f'"person":"{person}"', autoescape=True)
        rows = (
            select(ConsoleMessage)
            .join(answered, answered.c.thread == ConsoleMessage.id)
            .where(
                or_(col(ConsoleMessage.id).in_(wrote_in), col(ConsoleMessage.author) == person, names_them),
                _visible_to(person),
                _stands(),
                col(ConsoleMessage.room).not_like("@%"),
            )
            .order_by(answered.c.last.desc())
        )
        return self._messages(rows.limit(at_most))

    def _messages(self, rows: Select[Any]) -> list[Message]:
        return [_message(row) for row in self._session.scalars(rows)]

    def _next(self) -> int:
        # The counter's row stays locked until the commit, so numbers appear in the order they were given.
        return Counters(self._session).next("CONSOLE")


def _visible_to(reader: str) -> ColumnElement[bool]:
    return or_(col(ConsoleMessage.only_for).is_(None), col(ConsoleMessage.only_for) == reader)


def _stands() -> ColumnElement[bool]:
    return or_(col(ConsoleMessage.line).is_not(None), col(ConsoleMessage.reply).is_not(None))


def _message(row: ConsoleMessage) -> Message:
    if row.id is None:
        raise LookupError("a message has its number only once it is written")
    return Message(
        id=row.id,
        room=row.room,
        thread=row.thread,
        author=row.author,
        only_for=row.only_for,
        line=row.line,
        reply=row.reply,
        source=row.source,
        at=row.at,
        edited_at=row.edited_at,
        changed=row.changed,
    )
