"""Inbox, due moments, counters, cards and definitions: what the kernel asks of the store on every command.

These are the hot tables, so they are written with plain statements instead of mapped objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, insert, select, update
from sqlmodel import Session, col

from storage.models.flow import Counter, Definition, DueRow, InboxRow, Installation, Post


class Inbox:
    """Commands already carried out, by the sender's key."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def answer(self, key: str) -> Any | None:
        """The answer that was given to this key, or None when it is new."""
        return self._session.scalar(select(col(InboxRow.answer)).where(col(InboxRow.key) == key))

    def record(self, key: str, at: datetime, answer: Any) -> None:
        """Keep the answer. Raises IntegrityError when another transaction answered the same key first."""
        self._session.execute(insert(InboxRow).values(key=key, at=at, answer=answer))

    def forget(self, before: datetime) -> int:
        """Drop keys so old that no platform repeats them; returns how many."""
        gone = self._session.execute(delete(InboxRow).where(col(InboxRow.at) < before))
        return int(gone.rowcount)  # type: ignore[attr-defined]  # a cursor result in practice


class Dues:
    """Moments at which something must happen."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def set(self, key: str, subject: str, at: datetime, line: str) -> None:
        """Set a moment; an open one of the same key is moved, a finished one is set anew."""
        moved = self._session.execute(
            update(DueRow)
            .where(col(DueRow.key) == key)
            .values(subject=subject, at=at, line=line, open=True, attempts=0, holder=None, lease_until=None, trouble=None)
        )
        if not moved.rowcount:  # type: ignore[attr-defined]  # a cursor result in practice
            self._session.execute(insert(DueRow).values(key=key, subject=subject, at=at, line=line, open=True))

    def cancel(self, prefix: str) -> None:
        """Cancel the moments whose key is this or starts with it and a slash."""
        self._session.execute(
            delete(DueRow).where(
                (col(DueRow.key) == prefix) | (col(DueRow.key) >= f"{prefix}/") & (col(DueRow.key) < f"{prefix}0"),
                col(DueRow.open).is_(True),
            )
        )

    def earliest(self) -> datetime | None:
        """The next moment that nobody holds, or None."""
        return self._session.scalar(
            select(col(DueRow.at)).where(col(DueRow.open).is_(True)).order_by(col(DueRow.at)).limit(1)
        )

    def claim(self, now: datetime, holder: str, lease: timedelta, at_most: int) -> Sequence[Mapping[str, Any]]:
        """Take due moments for a while, oldest first; two workers never get the same one."""
        free = (
            select(col(DueRow.id))
            .where(
                col(DueRow.open).is_(True),
                col(DueRow.at) <= now,
                (col(DueRow.lease_until).is_(None)) | (col(DueRow.lease_until) < now),
            )
            .order_by(col(DueRow.at), col(DueRow.id))
            .limit(at_most)
            .with_for_update(skip_locked=True)
        )
        claimed = self._session.execute(
            update(DueRow)
            .where(col(DueRow.id).in_(free))
            .values(holder=holder, lease_until=now + lease, fence=col(DueRow.fence) + 1, attempts=col(DueRow.attempts) + 1)
            .returning(
                col(DueRow.id),
                col(DueRow.key),
                col(DueRow.subject),
                col(DueRow.line),
                col(DueRow.at),
                col(DueRow.fence),
                col(DueRow.attempts),
            )
        )
        return sorted((dict(row._mapping) for row in claimed), key=lambda row: (row["at"], row["id"]))

    def finish(self, row_id: int, fence: int) -> bool:
        """Close a moment; False when the lease was lost to another worker meanwhile."""
        return self._settle(row_id, fence, {"open": False, "holder": None, "lease_until": None})

    def put_off(self, row_id: int, fence: int, until: datetime, trouble: str) -> bool:
        """Try again later, and say what went wrong."""
        return self._settle(
            row_id, fence, {"at": until, "holder": None, "lease_until": None, "trouble": trouble[:500]}
        )

    def _settle(self, row_id: int, fence: int, values: dict[str, Any]) -> bool:
        done = self._session.execute(
            update(DueRow)
            .where(and_(col(DueRow.id) == row_id, col(DueRow.fence) == fence, col(DueRow.open).is_(True)))
            .values(**values)
        )
        return bool(done.rowcount)  # type: ignore[attr-defined]  # a cursor result in practice

    def overdue(self, before: datetime) -> int:
        """How many open moments lie before an instant."""
        return int(
            self._session.scalar(
                select(func.count()).select_from(DueRow).where(col(DueRow.open).is_(True), col(DueRow.at) < before)
            )
            or 0
        )


class Counters:
    """Numbers for tickets, without gaps that a rollback did not make."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def next(self, kind: str) -> int:
        """The next number of a kind; others wait until this transaction ends."""
        advance = (
            update(Counter).where(col(Counter.kind) == kind).values(last=col(Counter.last) + 1).returning(col(Counter.last))
        )
        number = self._session.scalar(advance)
        if number is None:
            self._session.execute(insert(Counter).values(kind=kind, last=1))
            number = 1
        return int(number)


class Posts:
    """Where cards hang."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, subject: str) -> Sequence[Post]:
        """Every place where a subject's card hangs."""
        return self._session.exec(_select_posts().where(col(Post.subject) == subject)).all()

    def at(self, subject: str, platform: str, place: str) -> Post | None:
        """A subject's card in one place."""
        return self._session.get(Post, (subject, platform, place))

    def subject_of_thread(self, platform: str, place: str, thread: str) -> str | None:
        """Whose thread this is."""
        return self._session.scalar(
            select(col(Post.subject)).where(
                col(Post.platform) == platform, col(Post.place) == place, col(Post.thread) == thread
            )
        )

    def put(self, post: Post) -> None:
        """Remember where a card hangs now."""
        self._session.merge(post)
        self._session.flush()


def _select_posts() -> Any:
    from sqlmodel import select as select_models

    return select_models(Post)


class Definitions:
    """Every version of a definition that was ever used."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def keep(self, kind: str, key: str, version: str, body: Any, now: datetime) -> bool:
        """Store a version unless it is known; True when it is new."""
        if self._session.get(Definition, (kind, key, version)) is not None:
            return False
        self._session.add(Definition(kind=kind, key=key, version=version, body=body, since=now))
        self._session.flush()
        return True

    def body(self, kind: str, key: str, version: str) -> Any:
        """The body of a version; raises LookupError when it was never kept."""
        found = self._session.get(Definition, (kind, key, version))
        if found is None:
            raise LookupError(f"{kind} {key} has no version {version}")
        return found.body

    def versions(self, kind: str, key: str) -> Sequence[tuple[str, datetime]]:
        """Versions of a definition, oldest first."""
        rows = self._session.execute(
            select(col(Definition.version), col(Definition.since))
            .where(col(Definition.kind) == kind, col(Definition.key) == key)
            .order_by(col(Definition.since))
        )
        return [(row[0], row[1]) for row in rows]


class Facts:
    """Facts about this copy of the store."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, name: str) -> Any | None:
        """A fact, or None."""
        return self._session.scalar(select(col(Installation.value)).where(col(Installation.name) == name))

    def put(self, name: str, value: Any) -> None:
        """Set a fact."""
        self._session.merge(Installation(name=name, value=value))
        self._session.flush()

    def drop(self, names: Iterable[str]) -> None:
        """Remove facts."""
        self._session.execute(delete(Installation).where(col(Installation.name).in_(list(names))))
