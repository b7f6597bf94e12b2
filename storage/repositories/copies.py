"""What people wrote also lies in copies: answers kept for repeats, messages, the console's rooms, drafts.

A copy is found by the tickets that it mentions, so a list that quotes a ticket's summary is found as well.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from sqlalchemy import Text, cast, delete, null, or_, select, update
from sqlmodel import Session, col

from storage.database import Database
from storage.models.console import ConsoleMessage
from storage.models.drafts import Draft
from storage.models.evidence import EvidenceRow, WordsRow
from storage.models.flow import SPACE, InboxRow, OutboxRow, Post
from storage.repositories.console import Console
from storage.sqlite import ERASES

_REF = re.compile(r"\b[A-Z]{3}-\d+\b")
_ERASED = "What was said here was erased."


class Copies:
    """Every place, beside the records themselves, in which somebody's words may stand."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def tickets_of(self, people: Collection[str]) -> set[str]:
        """The subjects on which these people did or wrote anything."""
        acted = select(col(EvidenceRow.subject)).where(col(EvidenceRow.actor).in_(people))
        wrote = (
            select(col(EvidenceRow.subject))
            .join(WordsRow, col(WordsRow.seq) == col(EvidenceRow.seq))
            .where(col(WordsRow.author).in_(people))
        )
        return set(self._session.scalars(acted.union(wrote)))

    def erase(self, people: Collection[str], tickets: AbstractSet[str], now: datetime) -> int:
        """Blank every copy that mentions these tickets, or is by or for these people; returns how many.

        What still waits to be sent says that it was erased and shows the ticket. Half-filled forms tell
        nobody whose they are and live for a day, so all of them go.
        """
        Database.take_time(self._session.connection())  # it looks at every answer and message that is kept
        self._session.execute(delete(Draft))
        return (
            self._answers(people, tickets)
            + self._messages(people, tickets)
            + self._spaces(tickets)
            + self._rooms(people, tickets, now)
        )

    def empty_messages(self, before: datetime) -> int:
        """Empty what was sent, skipped or given up before an instant; returns how many messages."""
        old = (
            col(OutboxRow.done_at) < before,
            col(OutboxRow.payload).is_not(None),
            col(OutboxRow.open).is_(False),
        )
        return self._emptied(update(OutboxRow).where(*old).values(payload=null()))

    def empty_talk(self, before: datetime) -> int:
        """Empty what was said in the console's rooms before an instant; returns how many messages."""
        said = or_(col(ConsoleMessage.line).is_not(None), col(ConsoleMessage.reply).is_not(None))
        old = update(ConsoleMessage).where(col(ConsoleMessage.at) < before, said)
        return self._emptied(old.values(line=None, reply=null()))

    def _emptied(self, change: Any) -> int:
        self._session.info[ERASES] = True
        return int(self._session.execute(change).rowcount)  # type: ignore[attr-defined]  # a cursor result in practice

    def _answers(self, people: Collection[str], tickets: AbstractSet[str]) -> int:
        found = [
            key
            for key, answer in self._session.execute(
                select(col(InboxRow.key), cast(col(InboxRow.answer), Text))
            )
            if _mentions(answer, people, tickets)
        ]
        for key in found:
            self._session.execute(
                update(InboxRow).where(col(InboxRow.key) == key).values(answer={"title": _ERASED})
            )
        return len(found)

    def _messages(self, people: Collection[str], tickets: AbstractSet[str]) -> int:
        rows = self._session.execute(
            select(
                col(OutboxRow.id),
                col(OutboxRow.subject),
                col(OutboxRow.place),
                col(OutboxRow.open),
                cast(col(OutboxRow.payload), Text),
            ).where(col(OutboxRow.payload).is_not(None))
        )
        found = [
            (number, subject, dict(place) if waits else _anonymous(place))
            for number, subject, place, waits, payload in rows
            if subject in tickets or place.get("person") in people or _mentions(payload, people, tickets)
        ]
        for number, subject, place in found:
            if subject and place.get("space"):
                place |= {"space": subject.lower()}
            changed = update(OutboxRow).where(col(OutboxRow.id) == number)
            self._session.execute(changed.values(payload=_neutral(subject), place=place))
        return len(found)

    def _spaces(self, tickets: Collection[str]) -> int:
        """The names of channels are made of titles; here they are forgotten, on the platform people rename them."""
        found = self._session.scalars(
            select(Post).where(col(Post.place) == SPACE, col(Post.subject).in_(tickets))
        ).all()
        for post in found:
            post.message = {key: value for key, value in post.message.items() if key != "name"}
        return len(found)

    def _rooms(self, people: Collection[str], tickets: AbstractSet[str], now: datetime) -> int:
        said = select(
            col(ConsoleMessage.id),
            or_(
                col(ConsoleMessage.author).in_(people),
                col(ConsoleMessage.only_for).in_(people),
                col(ConsoleMessage.room).in_([f"@{person}" for person in people]),
            ),
            cast(col(ConsoleMessage.reply), Text),
        ).where(or_(col(ConsoleMessage.line).is_not(None), col(ConsoleMessage.reply).is_not(None)))
        console = Console(self._session)
        found = [
            number
            for number, theirs, reply in self._session.execute(said)
            if theirs or _mentions(reply, people, tickets)
        ]
        for number in found:
            console.withdraw(int(number), now)
        return len(found)


def _mentions(stored: str | None, people: Iterable[str], tickets: AbstractSet[str]) -> bool:
    """Whether stored JSON names one of these tickets or people."""
    if not stored:
        return False
    # Stored JSON is canonical and escapes a quote inside a text: this can only be a person's own part.
    named = any(f'"person":"{person}"' in stored for person in people)
    return named or not tickets.isdisjoint(_REF.findall(stored))


def _anonymous(place: Mapping[str, Any]) -> dict[str, Any]:
    """A place without a name, an address or a number."""
    return {key: value for key, value in place.items() if key not in ("name", "to")}


def _neutral(subject: str | None) -> dict[str, Any]:
    if subject is None:
        return {"title": _ERASED}
    button = {"label": f"Show {subject}", "line": subject}
    return {"title": f"{subject}: what was said here was erased.", "subject": subject, "buttons": [button]}
