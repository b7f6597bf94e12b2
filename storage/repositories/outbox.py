"""Messages on their way out: taken lane by lane under a lease with a fencing number.

A lane is one destination. A message is free when it is open and due, when its lane is before nobody's
time and in nobody's hands, and when no older open message of its lane is about the same subject. So
what one subject has to say arrives in order, and a message that fails holds up no other subject. A page
waits for no message, and a way of a page whose time is still to come holds up nothing.

A page to a person is one row for each way to wake them. When a way fails, the next one is due at once.

Every question starts from the lanes that have open messages, found by stepping through an index from
one lane to the next: its cost grows with the destinations that wait and with nothing else. Whoever takes
messages goes on from the lane that was reached before, as far as there is something to take; so ten times
as many destinations take ten times as long, and each has its turn.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    String,
    bindparam,
    case,
    exists,
    false,
    func,
    insert,
    literal_column,
    not_,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from storage.models.flow import Lane, OutboxRow
from storage.statements import Prepared

_outbox = OutboxRow.metadata.tables["outbox"]
_lane = Lane.metadata.tables["lane"]

PAGE, REMINDER, CARD = "page", "reminder", "card"


@dataclass(frozen=True, kw_only=True)
class Item:
    """A message that was taken, as it stood before that; `OutboxRow` says what its fields mean."""

    id: int
    key: str
    kind: str
    rank: int
    platform: str
    lane: str
    place: Mapping[str, Any]
    subject: str | None
    while_in: Sequence[str] | None
    payload: Mapping[str, Any] | None
    practices: Sequence[str] | None
    created_at: datetime
    attempts: int
    failures: int
    first_at: datetime | None
    in_doubt: bool
    said_as: str | None
    page: str | None = None


@dataclass(frozen=True, kw_only=True)
class PageWay:
    """A row of a page, as far as the other rows depend on it."""

    id: int
    lane: str
    subject: str | None
    state: str
    first_at: datetime | None
    next_at: datetime
    otherwise: str | None


@dataclass(frozen=True, kw_only=True)
class Paged:
    """How one way of waking a person stands: a row of a page. `next_at` is None once it is over.

    `state` is as in the outbox; `reason` is why it failed, was skipped or given up.
    """

    person: str
    way: str
    state: str
    reason: str | None
    attempts: int
    paged_at: datetime
    next_at: datetime | None
    done_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Messages of one lane that leave as one, under a lease. `key` is stable over the attempts.

    `until` is the end of the lease; `before` is the worker whose lease ran out with the lane in its hands;
    `failures` are the lane's.
    """

    lane: str
    platform: str
    key: str
    holder: str
    before: str | None
    until: datetime
    fence: int
    failures: int
    items: tuple[Item, ...]

    @property
    def in_doubt(self) -> bool:
        """Whether it may have arrived already, because nobody knows how an earlier attempt ended."""
        return any(item.in_doubt for item in self.items)


_ITEM = [each.name for each in fields(Item)]


class Outbox:
    """Outgoing messages."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.reached: dict[str, str] = {}
        """The last lane of each platform that `claim` came to."""

    @property
    def _is_postgresql(self) -> bool:
        return bool(self._session.get_bind().dialect.name == "postgresql")

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows; one whose key is known is left out, because it was said already."""
        fresh = {row["key"]: row for row in rows if _KNOWN.value(self._session, wanted=row["key"]) is None}
        for row in sorted(fresh.values(), key=lambda row: str(row["lane"])):
            if _LANE.value(self._session, wanted=row["lane"]) is None:
                self._open_lane(row["lane"], row["created_at"])
        rows = [{**_BLANK, **row, "rank": _rank(row)} for row in fresh.values()]
        _ADD.run_each(self._session, [{f"new_{name}": row[name] for name in _BLANK} for row in rows])

    def _open_lane(self, name: str, at: datetime) -> None:
        dialect = postgresql if self._is_postgresql else sqlite
        new = dialect.insert(_lane).values(name=name, not_before=at).on_conflict_do_nothing()
        self._session.execute(new)

    def card_waits(self, subject: str, lane: str) -> bool:
        """Whether a redraw of this card is waiting already; one is enough, it is drawn when sent.

        The one that waits is held until this transaction ends: taken before, it would be drawn without what this
        one changes. One that somebody is about to take does not count.
        """
        return _CARD_WAITS.value(self._session, about=subject, wanted=lane) is not None

    # Taking ---------------------------------------------------------------------------------------

    def claim(
        self,
        now: datetime,
        holder: str,
        lease: timedelta,
        at_most: Mapping[str, int],
        gather_since: datetime | None = None,
        after: Mapping[str, str] | None = None,
    ) -> list[Claim]:
        """Take what may leave now, one message from each of at most so many lanes of each platform.

        While pages may leave, nothing else does: in a storm the drawing of cards would keep people asleep.
        The lanes of a platform have their turn from the one `after` which it is; a hint, by which nothing is missed.
        Reminders that wait in one lane leave as one message; those written after `gather_since` are left to
        gather. Several workers share: a lane that another one is about to take is passed over.
        """
        lanes = {
            lane["first"]: lane
            for platform, number in at_most.items()
            for lane in self._free(now, platform, number, urgent=True)
        }
        hints = after or {}
        lanes = lanes or {
            lane["first"]: lane
            for platform, number in at_most.items()
            for lane in self._free(now, platform, number, gather_since, hints.get(platform, ""))
        }
        # Asked again under the lock: somebody may have sent it between the question and the lock. One that a
        # command counts on (`card_waits`) is passed over until that command is over.
        first = [self._item(row) for number in lanes for row in _OPEN.rows(self._session, wanted=number)]
        taken = [
            Claim(
                lane=item.lane,
                platform=item.platform,
                key=item.said_as if item.in_doubt and item.said_as else item.key,
                holder=holder,
                before=lanes[item.id]["holder"],
                until=now + lease,
                fence=lanes[item.id]["fence"] + 1,
                failures=lanes[item.id]["failures"],
                items=self._together(item, now, gather_since),
            )
            for item in sorted(first, key=lambda item: (item.rank, item.id))
        ]
        if taken:
            self._lease(taken, now)
        return taken

    def _free(
        self,
        now: datetime,
        platform: str,
        at_most: int,
        gather_since: datetime | None = None,
        after: str = "",
        *,
        urgent: bool = False,
    ) -> Sequence[Mapping[str, Any]]:
        """Lanes of a platform that may be sent to now, locked, each with what leaves first; `urgent`: with a page."""
        given: dict[str, Any] = {"now": now, "platform": _prefix(platform)}
        if gather_since is not None:
            given["gather_since"] = gather_since
        free = _free_lanes(gather_since is not None, urgent, walks=self._is_postgresql)
        rows = list(free.rows(self._session, **given, at_most=at_most, after=after, upto=""))
        if after and len(rows) < at_most:  # from the first lane on, up to where it began
            rows += free.rows(self._session, **given, at_most=at_most - len(rows), after="", upto=after)
        found = [dict(zip(_FREE, row, strict=True)) for row in rows]
        if found and not urgent:
            self.reached[platform] = found[-1]["name"]
        return found

    def _together(self, first: Item, now: datetime, gather_since: datetime | None) -> tuple[Item, ...]:
        """The messages that leave as one with this one: those that did before, or the reminders that wait."""
        if first.in_doubt:
            before = _outbox.c.lane == first.lane, _outbox.c.said_as == first.said_as, _outbox.c.in_doubt
            return self._items(select(_outbox).where(_outbox.c.open, *before))
        if first.kind == REMINDER:
            waits = _outbox.c.lane == first.lane, _outbox.c.kind == REMINDER, not_(_outbox.c.in_doubt)
            return self._items(_may_leave(_outbox, now, gather_since, beside=REMINDER).where(*waits))
        return (first,)

    def _items(self, wanted: Select[Any]) -> tuple[Item, ...]:
        columns = [_outbox.c[name] for name in _ITEM]
        found = self._session.execute(wanted.with_only_columns(*columns).order_by(_outbox.c.id))
        return tuple(map(self._item, found))

    @staticmethod
    def _item(row: Iterable[Any]) -> Item:
        return Item(**dict(zip(_ITEM, row, strict=True)))

    def _lease(self, taken: Sequence[Claim], now: datetime) -> None:
        for claim in taken:
            _TAKE_LANE.run(
                self._session, wanted=claim.lane, by=claim.holder, end=claim.until, number=claim.fence
            )
            for item in claim.items:
                _TAKE.run(self._session, wanted=item.id, number=claim.fence, together=claim.key, now=now)

    # Settling -------------------------------------------------------------------------------------

    def pages_of(self, items: Iterable[Item], resting: str | None = None) -> AbstractSet[str]:
        """The pages to which these messages belong, and those that wait in a lane that rests."""
        pages = {item.page for item in items if item.page}
        if resting is None:
            return pages
        waiting = _outbox.c.open, _outbox.c.lane == resting, _outbox.c.page.is_not(None)
        return pages | set(self._session.scalars(select(_outbox.c.page).where(*waiting)))

    def ways(self, page: str) -> Sequence[PageWay]:
        """The ways of one page, in the order in which they are tried."""
        found = _WAYS.rows(self._session, wanted=page)
        return [PageWay(**dict(zip(_WAY, row, strict=True))) for row in found]

    def hurry(self, ids: Collection[int], now: datetime) -> None:
        """Make these messages due now."""
        self._session.execute(update(_outbox).where(_outbox.c.id.in_(ids)).values(next_at=now))

    def otherwise_is_said(self, page: str) -> None:
        """Nothing more is to be said when this page reaches nobody."""
        self._session.execute(update(_outbox).where(_outbox.c.page == page).values(otherwise=None))

    def settle(self, claim: Claim, items: Iterable[Item], **values: Any) -> bool:
        """Record what became of messages that were taken; False when somebody else took one meanwhile.

        After False the transaction must be given up.
        """
        settle = _settling(tuple(values))
        given = {f"new_{name}": value for name, value in values.items()} | {"number": claim.fence}
        return all(settle.run(self._session, wanted=item.id, **given) for item in items)

    def free(self, claim: Claim, not_before: datetime | None = None, failures: int = 0) -> None:
        """End the lease, unless the lane is in other hands by now; the lane rests until an instant."""
        mine = {"wanted": claim.lane, "number": claim.fence, "counted": failures}
        if not_before is None:
            _FREE_LANE.run(self._session, **mine)
        else:
            _REST_LANE.run(self._session, **mine, until=not_before)

    # Looking --------------------------------------------------------------------------------------

    def next_at(self, platforms: Collection[str]) -> datetime | None:
        """When the next message may leave; None when nothing waits. May be past: it may leave now, or it gathers."""
        found = _next_in_lanes(tuple(platforms), walks=self._is_postgresql).rows(self._session)
        return min((max(filter(None, moments)) for moments in found if moments[0]), default=None)

    def get(self, row_id: int) -> OutboxRow | None:
        """One message."""
        return self._session.get(OutboxRow, row_id)

    def of(self, subject: str) -> Sequence[OutboxRow]:
        """Every message about a subject, oldest first."""
        return self._rows(select(OutboxRow).where(_outbox.c.subject == subject).order_by(_outbox.c.id))

    def pages(self, subject: str) -> Sequence[Paged]:
        """Who was or will be woken about a subject, and how: every way of every page, oldest page first."""
        wanted = select(OutboxRow).where(_outbox.c.subject == subject, _outbox.c.page.is_not(None))
        return [
            Paged(
                person=row.place["person"],
                way=row.platform,
                state=row.state,
                reason=row.reason,
                attempts=row.attempts,
                paged_at=row.created_at,
                next_at=row.next_at if row.open else None,
                done_at=row.done_at,
            )
            for row in self._rows(wanted.order_by(_outbox.c.id))
        ]

    def resting(self, lanes: Collection[str], now: datetime) -> AbstractSet[str]:
        """Those of the lanes to which nothing may be sent yet."""
        return {each for each in lanes if _RESTS.value(self._session, wanted=each, now=now) is not None}

    def given_up(self, subject: str) -> Sequence[OutboxRow]:
        """The messages about a subject that never left, oldest first."""
        lost = _outbox.c.subject == subject, _outbox.c.state == "given up"
        return self._rows(select(OutboxRow).where(*lost).order_by(_outbox.c.id))

    def set_aside(self, reason: str, now: datetime) -> int:
        """Skip everything that waits, and say why; returns how many messages that were."""
        gone = self._session.execute(
            update(_outbox)
            .where(_outbox.c.open)
            .values(open=False, state="skipped", reason=reason, done_at=now, payload=null())
        )
        return int(gone.rowcount)  # type: ignore[attr-defined]  # a cursor result in practice

    def listed(self, states: Sequence[str], at_most: int = 100) -> Sequence[OutboxRow]:
        """Messages in some states, newest first."""
        wanted = select(OutboxRow).where(_outbox.c.state.in_(states))
        return self._rows(wanted.order_by(_outbox.c.id.desc()).limit(at_most))

    def _rows(self, wanted: Select[OutboxRow]) -> Sequence[OutboxRow]:
        return self._session.scalars(wanted).all()

    def retry(self, row_id: int, now: datetime) -> bool:
        """Open a message that was given up; False when it is not one."""
        opened = self._session.execute(
            update(_outbox)
            .where(_outbox.c.id == row_id, _outbox.c.state == "given up")
            .values(
                state="retry", open=True, attempts=0, failures=0, first_at=None, next_at=now, done_at=None
            )
        )
        return bool(opened.rowcount)  # type: ignore[attr-defined]  # a cursor result in practice

    def counts(self) -> dict[str, int]:
        """How many messages are in each open state."""
        rows = self._session.execute(
            select(_outbox.c.state, func.count()).where(_outbox.c.open).group_by(_outbox.c.state)
        )
        return {str(state): int(number) for state, number in rows}


def _rank(row: Mapping[str, Any]) -> int:
    return 0 if row["kind"] == PAGE else 1


def _waiting_lanes(urgent: bool = False, after: Any = None, upto: Any = None) -> CTE:
    """The lanes with open messages, stepping through the index from one to the next.

    Those with pages, where it is `urgent`; those `after` a lane and `upto` another one, where these are not empty.
    """
    least, greater = _outbox.alias("least"), _outbox.alias("greater")

    def open_(row: FromClause) -> list[ColumnElement[bool]]:
        return [row.c.open, *([row.c.rank == literal_column("0")] if urgent else [])]

    begin = select(func.min(least.c.lane).label("lane")).where(*open_(least))
    waiting = (begin if after is None else begin.where(least.c.lane > after)).cte("waiting", recursive=True)
    following = select(func.min(greater.c.lane)).where(*open_(greater), greater.c.lane > waiting.c.lane)
    further = select(following.correlate(waiting).scalar_subquery()).where(waiting.c.lane.is_not(None))
    return waiting.union_all(
        further if upto is None else further.where(or_(upto == "", waiting.c.lane < upto))
    )


def _is_behind(row: FromClause, now: Any = None, beside: str | None = None) -> ColumnElement[bool]:
    """Whether an older open message of the same lane is about the same subject.

    A page is behind pages only, and nothing is behind a way of a page that is to be tried later than it.
    Those of the kind `beside` that are due do not count, for they leave together with it; one in doubt does, for it
    leaves only with those that it left with before.
    """
    older = _outbox.alias("older")
    # Found by their subject, which is few. Where it has no statistics yet PostgreSQL would as soon go by the lane, and
    # read all of it for each message; so the lane and the order are said by what is in no index.
    same = older.c.subject == row.c.subject, older.c.lane + "" == row.c.lane
    before = older.c.rank + 0 <= row.c.rank, older.c.id + 0 < row.c.id
    begun = or_(older.c.page.is_(None), older.c.state != "pending", older.c.next_at <= row.c.next_at)
    in_front = exists().where(older.c.open, *same, *before, begun).correlate(row)
    if beside is not None:
        in_front = in_front.where(or_(older.c.kind != beside, older.c.next_at > now, older.c.in_doubt))
    return in_front


def _quietly(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """A condition that no planner goes by, and that it takes to hold for nearly every row: each is asked by itself."""
    return case((condition, 1), else_=0) != 0


def _may_leave(row: FromClause, now: Any, gather_since: Any, beside: str | None = None) -> Select[Any]:
    """The messages that may leave at an instant; both instants may also be parameters of a statement."""
    # Hidden from the planners of both stores: going by this moment they would read all that is due in a lane, and
    # sort it, for the one that leaves first, which the order of the lane tells at once.
    is_due = _quietly(row.c.next_at <= now)
    wanted = select(row).where(row.c.open, is_due, _quietly(not_(_is_behind(row, now, beside))))
    if gather_since is None:
        return wanted
    return wanted.where(or_(row.c.kind != REMINDER, row.c.created_at <= gather_since))


# What every message asks, and so prepared. Names of parameters differ from those of columns, which are taken.

_INSTANT = _outbox.c.next_at.type
_NOW = bindparam("now", type_=_INSTANT)
_WANTED: BindParameter[Any] = bindparam("wanted")


def _prefix(platform: str) -> str:
    """How the names of a platform's lanes begin."""
    return f"{platform}:"


@cache
def _free_lanes(gathers: bool, urgent: bool, walks: bool) -> Prepared:
    """Lanes that may be sent to now, in no order but that of the walk, which ends as soon as enough are found.

    `walks`: it must be said that each lane is looked up in turn. Without statistics PostgreSQL would rather compare
    every lane that there is with every one that waits; SQLite knows no way to say it, and needs none.
    """
    after, upto = bindparam("after", type_=String), bindparam("upto", type_=String)
    waiting, candidate = _waiting_lanes(urgent, after, upto), _outbox.alias("candidate")
    first = (
        _may_leave(candidate, _NOW, bindparam("gather_since", type_=_INSTANT) if gathers else None)
        .with_only_columns(candidate.c.id)
        .where(candidate.c.lane == _lane.c.name)
        .order_by(candidate.c.rank, candidate.c.id)
        .limit(1)
        .correlate(_lane)
    )
    if urgent:
        first = first.where(candidate.c.rank == literal_column("0"))
    leaves = first.scalar_subquery()
    free = (
        select(*_lane.c, leaves.label("first"))
        .where(_lane.c.name == waiting.c.lane, _lane.c.name.startswith(bindparam("platform")))
        .where(_lane.c.not_before <= _NOW, or_(_lane.c.lease_until.is_(None), _lane.c.lease_until <= _NOW))
        .where(leaves.is_not(None))
        .with_for_update(of=_lane, skip_locked=True)
    )
    if walks:
        each = free.lateral("free")
        free = select(*(each.c[name] for name in _FREE)).select_from(waiting.join(each, true()))
    return Prepared(free.limit(bindparam("at_most", type_=Integer)))


@cache
def _next_in_lanes(platforms: tuple[str, ...], walks: bool) -> Prepared:
    """When the next message of each lane may leave, with what the lane waits for; `walks` as for `_free_lanes`."""
    waiting, head = _waiting_lanes(), _outbox.alias("head")
    next_in_lane = (
        select(head.c.next_at)
        .where(head.c.open, head.c.lane == _lane.c.name)
        .where(_quietly(not_(_is_behind(head))))
        .order_by(head.c.next_at)
        .limit(1)
        .correlate(_lane)
        .scalar_subquery()
    )
    ours = or_(false(), *(_lane.c.name.startswith(_prefix(each)) for each in platforms))
    moments = select(next_in_lane.label("next_at"), _lane.c.not_before, _lane.c.lease_until).where(
        _lane.c.name == waiting.c.lane, ours
    )
    if walks:
        each = moments.limit(literal_column("1")).lateral("moments")
        moments = select(*each.c).select_from(waiting.join(each, true()))
    return Prepared(moments)


@cache
def _settling(names: tuple[str, ...]) -> Prepared:
    mine = _outbox.c.id == _WANTED, _outbox.c.open, _outbox.c.fence == bindparam("number")
    new = {name: bindparam(f"new_{name}", type_=_outbox.c[name].type) for name in names}
    return Prepared(update(_outbox).where(*mine).values(new))


_FREE = (*(each.name for each in _lane.c), "first")
_BLANK = {name: field.get_default() for name, field in OutboxRow.model_fields.items() if name != "id"}
_ADD = Prepared(
    insert(_outbox)
    .inline()
    .values({name: bindparam(f"new_{name}", type_=_outbox.c[name].type) for name in _BLANK})
)
_KNOWN = Prepared(select(_outbox.c.id).where(_outbox.c.key == _WANTED))
_LANE = Prepared(select(_lane.c.name).where(_lane.c.name == _WANTED))
_RESTS = Prepared(select(_lane.c.name).where(_lane.c.name == _WANTED, _lane.c.not_before > _NOW))
_CARD_WAITS = Prepared(
    select(_outbox.c.id)
    .where(
        _outbox.c.open,
        _outbox.c.lane == _WANTED,
        _outbox.c.subject == bindparam("about"),
        _outbox.c.kind == CARD,
        _outbox.c.state != "sending",
    )
    .limit(1)
    .with_for_update(skip_locked=True)
)
_OPEN = Prepared(
    select(*(_outbox.c[name] for name in _ITEM))
    .where(_outbox.c.id == _WANTED, _outbox.c.open)
    .with_for_update(skip_locked=True)
)
_WAY = [each.name for each in fields(PageWay)]
_WAYS = Prepared(
    select(*(_outbox.c[name] for name in _WAY)).where(_outbox.c.page == _WANTED).order_by(_outbox.c.id)
)
_TAKE_LANE = Prepared(
    update(_lane)
    .where(_lane.c.name == _WANTED)
    .values(
        holder=bindparam("by"),
        lease_until=bindparam("end", type_=_INSTANT),
        fence=bindparam("number"),
    )
)
_TAKE = Prepared(
    update(_outbox)
    .where(_outbox.c.id == _WANTED)
    .values(
        state="sending",
        in_doubt=True,
        attempts=_outbox.c.attempts + 1,
        first_at=func.coalesce(_outbox.c.first_at, _NOW),
        fence=bindparam("number"),
        said_as=bindparam("together"),
    )
)
_THEIRS = update(_lane).where(_lane.c.name == _WANTED, _lane.c.fence == bindparam("number"))
_LEFT: dict[str, Any] = {"holder": null(), "lease_until": null(), "failures": bindparam("counted")}
_FREE_LANE = Prepared(_THEIRS.values(_LEFT))
_REST_LANE = Prepared(_THEIRS.values(_LEFT | {"not_before": bindparam("until", type_=_INSTANT)}))
