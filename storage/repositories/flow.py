"""Inbox, due moments, counters, cards and definitions: what the kernel asks of the store on every command.

These are the hot tables, so they are written with prepared statements instead of mapped objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    union_all,
    update,
)
from sqlmodel import Session, col

from storage.models.flow import SPACE, Definition, DueRow, InboxRow, Installation, Post
from storage.statements import Prepared, adding

_due = DueRow.metadata.tables["due"]

HELD = "held"
"""The fact by which nothing leaves and nothing is rung: this copy was restored and not yet released."""

EXAMPLE = "example-history"
"""The fact that marks a store whose history never happened: the seed, how many tickets, from when to when."""

_inbox = InboxRow.metadata.tables["inbox"]
_ANSWER = Prepared(select(_inbox.c.answer).where(_inbox.c.key == bindparam("wanted")))
_RECORD = Prepared(insert(_inbox))
_EARLIER = Prepared(
    select(_inbox.c.at)
    .where(_inbox.c.person == bindparam("by"), _inbox.c.at > bindparam("since", type_=_inbox.c.at.type))
    .order_by(_inbox.c.at.desc())
    .limit(1)
    .offset(bindparam("many"))
)
# A new fence: whoever carries out the earlier moment now must not finish this one with it.
_SET_DUE = Prepared(
    text(
        'INSERT INTO due ("key", subject, line, rank, at, open, fence, attempts)'
        " VALUES (:key, :subject, :line, :rank, :at, :yes, 0, 0)"
        ' ON CONFLICT ("key") DO UPDATE SET subject = excluded.subject, line = excluded.line,'
        " rank = excluded.rank, at = excluded.at, open = excluded.open, fence = due.fence + 1,"
        " attempts = 0, holder = NULL, lease_until = NULL, trouble = NULL"
    ).bindparams(bindparam("at", type_=_due.c.at.type), bindparam("yes", True))
)
_CANCEL_DUE = Prepared(
    delete(_due).where(
        _due.c.open,
        or_(
            _due.c.key == bindparam("exactly"),
            and_(_due.c.key >= bindparam("above"), _due.c.key < bindparam("below")),
        ),
    )
)
_NEXT = Prepared(
    text(
        "INSERT INTO counter (kind, last) VALUES (:kind, 1)"
        " ON CONFLICT (kind) DO UPDATE SET last = counter.last + 1 RETURNING last"
    )
)
_post = Post.metadata.tables["post"]
_THREAD = Prepared(
    select(_post.c.subject).where(
        _post.c.platform == bindparam("on"),
        _post.c.place == bindparam("within"),
        _post.c.thread == bindparam("wanted"),
    )
)
_HANGS = Prepared(select(_post).where(_post.c.subject == bindparam("about")))
_HANGS_AT = Prepared(
    select(_post).where(
        _post.c.subject == bindparam("about"),
        _post.c.platform == bindparam("on"),
        _post.c.place == bindparam("within"),
    )
)
_PLACES = [each.name for each in _post.c]
_fact = Installation.metadata.tables["installation"]
_FACT = Prepared(select(_fact.c.value).where(_fact.c.name == bindparam("wanted")))
_SETTLE = adding(_fact, ("name", "value"))
# Said, not given: a plan for any number of rows takes a tenth of all that is open.
_ONE: ColumnElement[int] = literal_column("1")
_RANKS = (0, 1)  # named one by one, so that each question is one range of an index for each


def _of_each_rank(wanted: Callable[[int], Select[Any]]) -> Prepared:
    """What a question that gives one row at most finds for each rank."""
    return Prepared(union_all(*(select(wanted(rank).subquery()) for rank in _RANKS)))


def _first_of(*columns: ColumnElement[Any]) -> Callable[[int], Select[Any]]:
    return lambda rank: (
        select(*columns).where(_due.c.open, _due.c.rank == rank).order_by(_due.c.at, _due.c.id).limit(_ONE)
    )


# In order, or PostgreSQL reads all that is open: in a plan for any instant it takes a third of it to lie before.
_UNTRIED = _of_each_rank(
    lambda rank: (
        select(_due.c.id)
        .where(
            _due.c.open,
            _due.c.rank == rank,
            _due.c.at < bindparam("before", type_=_due.c.at.type),
            _due.c.attempts == 0,
        )
        .order_by(_due.c.at, _due.c.id)
        .limit(_ONE)
    )
)
_NOW = bindparam("now", type_=_due.c.at.type)
_TAKE = "id", "key", "subject", "at", "line", "fence", "attempts"
_TAKEABLE = Prepared(
    select(*(_due.c[name] for name in _TAKE))
    .where(
        _due.c.open,
        _due.c.rank == bindparam("of"),
        _due.c.at <= _NOW,
        or_(_due.c.lease_until.is_(None), _due.c.lease_until <= _NOW),
    )
    .order_by(_due.c.at, _due.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_EARLIEST = _of_each_rank(_first_of(_due.c.rank, _due.c.at, _due.c.lease_until))
_TO_COME = Prepared(
    select(func.min(_due.c.at)).where(_due.c.open, _due.c.rank == bindparam("of"), _due.c.at > _NOW)
)
_FREE_AGAIN = Prepared(
    select(func.min(case((_due.c.lease_until > _NOW, _due.c.lease_until), else_=_NOW))).where(
        _due.c.open, _due.c.rank == bindparam("of"), _due.c.at <= _NOW
    )
)
_FIRST_DUE = _of_each_rank(_first_of(*(_due.c[name] for name in _TAKE)))
_DONE = Prepared(
    update(_due).where(_due.c.id == bindparam("which"), _due.c.fence == bindparam("seen")).values(open=False)
)
_definition = Definition.metadata.tables["definition"]
_KEEP = Prepared(insert(_definition))
_KNOWN = Prepared(
    select(_definition.c.version).where(
        _definition.c.kind == bindparam("of"),
        _definition.c.key == bindparam("called"),
        _definition.c.version == bindparam("wanted"),
    )
)


@dataclass(frozen=True, kw_only=True)
class DueItem:
    """A moment that was taken: what to say, since when it is due, and the how-manieth attempt this is."""

    id: int
    key: str
    subject: str
    at: datetime
    line: str
    fence: int
    attempts: int


def _taken(
    number: int, key: str, subject: str, at: datetime, line: str, fence: int, attempts: int
) -> DueItem:
    return DueItem(
        id=number, key=key, subject=subject, at=at, line=line, fence=fence + 1, attempts=attempts + 1
    )


class Inbox:
    """Commands already carried out, by the sender's key."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def answer(self, key: str) -> Any | None:
        """The answer that was given to this key, or None when it is new."""
        return _ANSWER.value(self._session, wanted=key)

    def record(self, key: str, at: datetime, answer: Any, person: str = "") -> None:
        """Keep the answer. Raises IntegrityError when another transaction answered the same key first."""
        _RECORD.run(self._session, key=key, at=at, answer=answer, person=person)

    def nth_last(self, person: str, number: int, since: datetime) -> datetime | None:
        """When somebody's command was carried out behind which so many are, itself among them; None if before."""
        found: datetime | None = _EARLIER.value(self._session, by=person, since=since, many=number - 1)
        return found

    def forget(self, before: datetime) -> int:
        """Drop keys so old that no platform repeats them; returns how many."""
        gone = self._session.execute(delete(InboxRow).where(col(InboxRow.at) < before))
        return int(gone.rowcount)  # type: ignore[attr-defined]  # a cursor result in practice


class Dues:
    """Moments at which something must happen."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def set(self, key: str, subject: str, at: datetime, line: str, urgent: bool = False) -> None:
        """Set a moment; an open one of the same key is moved, a finished one is set anew."""
        self.set_each([(key, subject, at, line, urgent)])

    def set_each(self, moments: Iterable[tuple[str, str, datetime, str, bool]]) -> None:
        """Set several moments as `set` does, each by its key, subject, instant, line and whether it is urgent."""
        rows = [
            {"key": key, "subject": subject, "at": at, "line": line, "rank": 0 if urgent else 1}
            for key, subject, at, line, urgent in moments
        ]
        _SET_DUE.run_each(self._session, rows)

    def cancel(self, prefix: str) -> None:
        """Cancel the moments whose key is this or starts with it and a slash."""
        _CANCEL_DUE.run(self._session, exactly=prefix, above=f"{prefix}/", below=f"{prefix}0")

    def at(self, key: str) -> datetime | None:
        """The instant of an open moment, or None."""
        return self._session.scalar(select(_due.c.at).where(_due.c.open, _due.c.key == key))

    def claim(self, now: datetime, holder: str, lease: timedelta, at_most: int) -> Sequence[DueItem]:
        """Take due moments for a while: urgent ones first, then oldest first; no two workers get the same."""
        found: list[DueItem] = []
        for rank in _RANKS:
            rows = _TAKEABLE.rows(self._session, of=rank, now=now, most=at_most - len(found))
            found += [_taken(*row) for row in rows]
            if len(found) == at_most:
                break
        if found:
            self._session.execute(
                update(_due)
                .where(_due.c.id.in_([each.id for each in found]))
                .values(holder=holder, lease_until=now + lease, fence=_due.c.fence + 1)
            )
        return found

    def first(self) -> DueItem | None:
        """The open moment that comes first, for whoever is alone with the store; `done` closes it."""
        rows = _FIRST_DUE.rows(self._session)
        if not rows:
            return None
        number, key, subject, at, line, fence, attempts = min(rows, key=lambda row: row[3])
        return DueItem(
            id=number, key=key, subject=subject, at=at, line=line, fence=fence, attempts=attempts + 1
        )

    def done(self, item: DueItem) -> None:
        """Close what `first` gave, unless it was set anew meanwhile."""
        _DONE.run(self._session, which=item.id, seen=item.fence)

    def finish(self, item: DueItem) -> bool:
        """Close a moment; False when it was set anew, cancelled or taken by another worker meanwhile."""
        return self._settle(item, open=False, holder=None, lease_until=None)

    def put_off(self, item: DueItem, until: datetime, trouble: str) -> bool:
        """Leave a moment to be tried again, and say what went wrong."""
        attempts = item.attempts
        return self._settle(item, holder=None, lease_until=until, attempts=attempts, trouble=trouble[:500])

    def _settle(self, item: DueItem, **values: Any) -> bool:
        mine = _due.c.id == item.id, _due.c.fence == item.fence, _due.c.open
        done = self._session.execute(update(_due).where(*mine).values(**values))
        return bool(done.rowcount)  # type: ignore[attr-defined]  # a cursor result in practice

    def next_at(self, now: datetime) -> datetime | None:
        """When something may be taken next, not before `now`; None when no moment is to come."""
        found = [self._next_of(*row[:3], now=now) for row in _EARLIEST.rows(self._session)]
        return min(found, default=None)

    def _next_of(self, rank: int, at: datetime, lease_until: datetime | None, *, now: datetime) -> datetime:
        """When a moment of a rank may be taken, of which the earliest lies there."""
        if lease_until is None or lease_until <= now:
            return max(at, now)
        # It is in somebody's hands or was put off, and others may come before it is free again.
        ahead: list[datetime | None] = [
            each.value(self._session, of=rank, now=now) for each in (_TO_COME, _FREE_AGAIN)
        ]
        return min(filter(None, ahead))

    def overdue(self, before: datetime) -> int:
        """How many open moments lie before an instant."""
        past = _due.c.open, _due.c.rank.in_(_RANKS), _due.c.at < before
        return self._session.scalar(select(func.count()).select_from(_due).where(*past)) or 0

    def is_behind(self, before: datetime) -> bool:
        """Whether a moment before an instant has not been tried yet: the desk is catching up."""
        return bool(_UNTRIED.rows(self._session, before=before))


class Counters:
    """Numbers for tickets, without gaps that a rollback did not make."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def next(self, kind: str) -> int:
        """The next number of a kind; others wait until this transaction ends."""
        return int(_NEXT.value(self._session, kind=kind))


class Posts:
    """Where cards hang."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, subject: str) -> Sequence[Post]:
        """Every place where a subject's card hangs."""
        return [_hangs(row) for row in _HANGS.rows(self._session, about=subject)]

    def at(self, subject: str, platform: str, place: str) -> Post | None:
        """A subject's card in one place."""
        found = _HANGS_AT.first(self._session, about=subject, on=platform, within=place)
        return None if found is None else _hangs(found)

    def subject_of_thread(self, platform: str, place: str, thread: str) -> str | None:
        """Whose thread this is."""
        found: str | None = _THREAD.value(self._session, on=platform, within=place, wanted=thread)
        return found

    def space(self, subject: str, platform: str) -> Post | None:
        """A subject's channel of its own on a platform: the channel is its `thread`."""
        return self.at(subject, platform, SPACE)

    def subject_of_space(self, platform: str, channel: str) -> str | None:
        """Whose channel this is."""
        return self.subject_of_thread(platform, SPACE, channel)

    def put(self, post: Post) -> None:
        """Remember where a card hangs now."""
        self._session.merge(post)
        self._session.flush()

    def leave(self, subject: str, platform: str, channel: str) -> None:
        """Forget a subject's channel of its own, and the card in it."""
        mine = _post.c.subject == subject, _post.c.platform == platform
        theirs = or_(_post.c.place == channel, and_(_post.c.place == SPACE, _post.c.thread == channel))
        self._session.execute(delete(_post).where(*mine, theirs))


def _hangs(row: Sequence[Any]) -> Post:
    return Post(**dict(zip(_PLACES, row, strict=True)))


class Definitions:
    """Every version of a definition that was ever used."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def keep(self, kind: str, key: str, version: str, body: Any, now: datetime) -> bool:
        """Store a version unless it is known; True when it is new."""
        if _KNOWN.first(self._session, of=kind, called=key, wanted=version):
            return False
        _KEEP.run(self._session, kind=kind, key=key, version=version, body=body, since=now)
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
        return _FACT.value(self._session, wanted=name)

    def settle(self, name: str, value: Any) -> Any:
        """Set a fact unless somebody has, and give what it is; of several at once the first decides."""
        _SETTLE.run(self._session, name=name, value=value)
        return self.get(name)

    def put(self, name: str, value: Any) -> None:
        """Set a fact."""
        self._session.merge(Installation(name=name, value=value))
        self._session.flush()

    def drop(self, names: Iterable[str]) -> None:
        """Remove facts."""
        self._session.execute(delete(Installation).where(col(Installation.name).in_(list(names))))
