"""Questions about changes and freezes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    union_all,
    update,
)
from sqlmodel import Session, col
from sqlmodel import select as select_models

from handlers.rules.windows import LONGEST, Booking, Frozen
from storage.models.changes import (
    Change,
    ChangeContent,
    ChangeLink,
    ChangeService,
    ChangeText,
    ChangeVote,
    FreezeRow,
    ServiceState,
)

_ERASED = "(erased)"
_TEXTS = ("title", "because", "plan", "test", "backout")

_VOTES = (
    select_models(ChangeVote)
    .where(col(ChangeVote.change) == bindparam("wanted"), col(ChangeVote.ballot) == bindparam("counted"))
    .order_by(col(ChangeVote.stage), col(ChangeVote.at), col(ChangeVote.person))
)


_BOUNDS = (1, LONGEST.days, 3660)
"""Bounds of how long a change holds its services, in days: most take hours, and none should take years."""


def _bound(start: datetime, end: datetime) -> int:
    """The smallest bound within which a span lies."""
    return next((days for days in _BOUNDS if end - start <= timedelta(days=days)), _BOUNDS[-1])


def _held() -> CompoundSelect[Any]:
    """What holds one of some services, or a person, in a span: each part is one range of an index."""
    held = ChangeService.metadata.tables["change_service"].c
    change = Change.metadata.tables["change"].c
    parts = [
        select(held.change, held.service, held.person, held.starts_at, held.ends_at, change.title).where(
            change.number == held.change,
            whose,
            held.holds,
            held.days == days,
            held.starts_at > bindparam(f"since_{days}"),
            held.starts_at < bindparam("end"),
            held.ends_at > bindparam("start"),
        )
        for days in _BOUNDS
        for whose in (
            held.service.in_(bindparam("services", expanding=True)),
            held.person == bindparam("who"),
        )
    ]
    return union_all(*parts)


_HELD = _held()
_FREEZES = (
    select_models(FreezeRow)
    .where(
        col(FreezeRow.starts_at) < bindparam("end"),
        col(FreezeRow.ends_at) > bindparam("start"),
        col(FreezeRow.ends_at) > col(FreezeRow.starts_at),
    )
    .order_by(col(FreezeRow.starts_at), col(FreezeRow.number))
)


# Asked whenever an incident's card is drawn, and so built once.
_RECENT = (
    select_models(Change)
    .where(
        col(Change.started_at) <= bindparam("until"),
        or_(col(Change.ended_at).is_(None), col(Change.ended_at) >= bindparam("since")),
        col(Change.number).in_(
            select(col(ChangeService.change)).where(
                col(ChangeService.service).in_(bindparam("services", expanding=True))
            )
        ),
    )
    .order_by(col(Change.started_at).desc())
)
_CAUSES = (
    select(col(ChangeLink.change))
    .where(col(ChangeLink.ref) == bindparam("wanted"))
    .order_by(col(ChangeLink.change))
)


@dataclass(frozen=True)
class Planned:
    """A change as a calendar shows it."""

    ref: str
    title: str
    kind: str
    state: str
    result: str | None
    implementer: str
    services: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    changed_at: datetime


class Changes:
    """Changes, what was decided on and by whom, when they hold their services, and declared freezes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, number: int, for_change: bool = False) -> Change | None:
        """One change; `for_change` keeps others from changing it until this transaction ends."""
        return self._session.get(Change, number, with_for_update=for_change or None)

    def add(self, *rows: Change | ChangeVote | ChangeLink | FreezeRow) -> None:
        """Write new rows."""
        self._session.add_all(rows)
        self._session.flush()

    def save(self) -> None:
        """Write what was changed on rows that were read."""
        self._session.flush()

    # What is decided on

    def put_content(self, content: ChangeContent) -> None:
        """Write what a ballot decides on, or write it anew while nobody has been asked."""
        self._session.merge(content)
        self._session.flush()

    def content(self, number: int, ballot: int) -> ChangeContent:
        """What a ballot decides on. Raises LookupError for one that was never held."""
        found = self._session.get(ChangeContent, (number, ballot))
        if found is None:
            raise LookupError(f"CHG-{number} had no ballot {ballot}")
        return found

    def votes(self, number: int, ballot: int) -> Sequence[ChangeVote]:
        """The votes of a ballot, stage after stage, in order of time."""
        return self._session.exec(_VOTES, params={"wanted": number, "counted": ballot}).all()

    # When it holds its services

    def place(self, change: Change, services: Iterable[str], holds: bool) -> None:
        """Say which services a change concerns and whether it holds them during its window now."""
        self._session.execute(delete(ChangeService).where(col(ChangeService.change) == change.number))
        start, end = change.starts_at, change.ends_at
        self._session.add_all(
            ChangeService(
                change=change.number,
                service=service,
                person=change.implementer,
                starts_at=start,
                ends_at=end,
                days=_bound(start, end) if start and end else 0,
                holds=holds and start is not None,
            )
            for service in services
        )
        self._session.flush()

    def hold_until(self, change: Change, until: datetime) -> None:
        """Let a change that takes longer hold its services further."""
        mine = col(ChangeService.change) == change.number
        days = _bound(change.starts_at or until, until)
        held = update(ChangeService).where(mine).values(ends_at=until, days=days)
        self._session.execute(held.execution_options(synchronize_session=False))

    def bookings(self, services: Iterable[str], person: str, start: datetime, end: datetime) -> list[Booking]:
        """The changes that hold one of these services, or this person, at some time in `[start, end)`."""
        asked: dict[str, object] = {"services": list(services), "who": person, "start": start, "end": end}
        asked |= {f"since_{days}": start - timedelta(days=days) for days in _BOUNDS}
        rows = {(row[0], row[1]): row for row in self._session.execute(_HELD, asked)}
        concerned: dict[int, list[str]] = {}
        for number, service in sorted(rows):
            concerned.setdefault(number, []).append(service)
        found = []
        for number, names in concerned.items():
            _, _, who, starts, ends, title = rows[number, names[0]]
            found.append(Booking(f"CHG-{number}", title, tuple(names), who, starts, ends))
        return found

    # What was said, what it caused

    def texts(self, number: int) -> dict[str, ChangeText]:
        """What was said of it, by kind."""
        query = select_models(ChangeText).where(col(ChangeText.change) == number)
        return {each.kind: each for each in self._session.exec(query)}

    def put_text(self, number: int, kind: str, author: str, text: str, at: datetime) -> None:
        """Remember what was said."""
        self._session.merge(ChangeText(change=number, kind=kind, author=author, text=text, at=at))
        self._session.flush()

    def links(self, number: int) -> Sequence[str]:
        """The incidents that it caused, in the order in which that was said."""
        query = select(col(ChangeLink.ref)).where(col(ChangeLink.change) == number)
        return self._session.scalars(query.order_by(col(ChangeLink.at), col(ChangeLink.ref))).all()

    def put_link(self, number: int, ref: str, by: str, at: datetime) -> bool:
        """Note that a change caused an incident; False when that is known."""
        if self._session.get(ChangeLink, (number, ref)) is not None:
            return False
        self.add(ChangeLink(change=number, ref=ref, by=by, at=at))
        return True

    def causes(self, ref: str) -> Sequence[int]:
        """The changes that are said to have caused an incident."""
        return self._session.scalars(_CAUSES, {"wanted": ref}).all()

    # Lists

    def listed(
        self,
        *,
        states: Sequence[str] = (),
        person: str | None = None,
        service: str | None = None,
        services: Sequence[str] | None = None,
        kind: str | None = None,
        template: str | None = None,
        text: str | None = None,
        skip: int = 0,
        at_most: int = 10,
    ) -> tuple[Sequence[Change], int]:
        """Changes that fit every condition, newest first, and how many there are; `person` asks for it or makes it."""
        query = select_models(Change)
        if states:
            query = query.where(col(Change.state).in_(list(states)))
        if person:
            query = query.where(or_(col(Change.requester) == person, col(Change.implementer) == person))
        if service is not None or services is not None:
            wanted = list(services) if services is not None else [service]
            concerned = select(col(ChangeService.change)).where(col(ChangeService.service).in_(wanted))
            query = query.where(col(Change.number).in_(concerned))
        if kind:
            query = query.where(col(Change.kind) == kind)
        if template:
            query = query.where(col(Change.template) == template)
        if text:
            query = query.where(func.lower(col(Change.title)).contains(text.lower(), autoescape=True))
        total = self._session.scalar(select(func.count()).select_from(query.subquery())) or 0
        page = query.order_by(col(Change.number).desc()).offset(skip).limit(at_most)
        return self._session.exec(page).all(), int(total)

    def calendar(
        self, states: Sequence[str], start: datetime, end: datetime, services: Iterable[str] | None = None
    ) -> list[Planned]:
        """The changes whose window touches `[start, end)`, the earliest first; of some services, or all."""
        within = and_(
            col(Change.state).in_(list(states)),
            col(Change.starts_at) > start - LONGEST,
            col(Change.starts_at) < end,
            col(Change.ends_at) > start,
        )
        if services is not None:
            concerned = select(col(ChangeService.change)).where(
                col(ChangeService.service).in_(list(services))
            )
            within = and_(within, col(Change.number).in_(concerned))
        names: dict[int, list[str]] = {}
        of = select(col(ChangeService.change), col(ChangeService.service)).join(
            Change, col(Change.number) == col(ChangeService.change)
        )
        for number, service in self._session.execute(of.where(within).order_by(col(ChangeService.service))):
            names.setdefault(number, []).append(service)
        columns = (
            col(Change.number),
            col(Change.title),
            col(Change.kind),
            col(Change.state),
            col(Change.result),
            col(Change.implementer),
            col(Change.starts_at),
            col(Change.ends_at),
            col(Change.changed_at),
        )
        rows = self._session.execute(
            select(*columns).where(within).order_by(col(Change.starts_at), col(Change.number))
        )
        return [
            Planned(
                ref=f"CHG-{row[0]}",
                title=row[1],
                kind=row[2],
                state=row[3],
                result=row[4],
                implementer=row[5],
                services=tuple(names.get(row[0], ())),
                starts_at=row[6],
                ends_at=row[7],
                changed_at=row[8],
            )
            for row in rows
        ]

    def recent(self, services: Iterable[str], since: datetime, until: datetime) -> Sequence[Change]:
        """The changes of these services that were being made between two instants, both included, newest first."""
        asked = {"services": list(services), "since": since, "until": until}
        return self._session.exec(_RECENT, params=asked).all()

    def ended(self, since: datetime, until: datetime) -> Sequence[Change]:
        """The changes that came to an end between two instants, in that order."""
        query = select_models(Change).where(col(Change.ended_at) >= since, col(Change.ended_at) < until)
        return self._session.exec(query.order_by(col(Change.ended_at), col(Change.number))).all()

    def unpaid(self, requester: str | None = None) -> Sequence[Change]:
        """The emergencies whose review is still owed, the one that is due first in front."""
        query = select_models(Change).where(
            col(Change.review_by).is_not(None),
            col(Change.reviewed_at).is_(None),
            col(Change.kind) == "emergency",
        )
        if requester is not None:
            query = query.where(col(Change.requester) == requester)
        return self._session.exec(query.order_by(col(Change.review_by), col(Change.number))).all()

    # Services that a change took somewhere

    def service_states(self) -> dict[str, ServiceState]:
        """How services stand since a change took them there, by key."""
        return {each.service: each for each in self._session.exec(select_models(ServiceState))}

    def put_service_state(self, service: str, state: str, change: int, at: datetime) -> None:
        """Note how a service stands from now on."""
        self._session.merge(ServiceState(service=service, state=state, change=change, at=at))
        self._session.flush()

    # Freezes that somebody declared

    def freeze(self, number: int, for_change: bool = False) -> FreezeRow | None:
        """One declared freeze."""
        return self._session.get(FreezeRow, number, with_for_update=for_change or None)

    def freezes(self, start: datetime, end: datetime) -> list[Frozen]:
        """The declared freezes that touch `[start, end)`, without those that were lifted before they began."""
        return [
            Frozen(row.ref, row.name, row.starts_at, row.ends_at, tuple(row.services))
            for row in self._session.exec(_FREEZES, params={"start": start, "end": end})
        ]

    # People who are joined or erased

    def hand_over(self, person: str, to: str) -> Sequence[Change]:
        """Make what one person asked for, makes, voted or wrote another one's; returns the changes.

        Where both have voted, one vote is left: that of the person who stays.
        """
        votes = self._session.exec(select_models(ChangeVote).where(col(ChangeVote.person) == person)).all()
        for vote in votes:
            self._session.delete(vote)
            self._session.flush()
            if self._session.get(ChangeVote, (vote.change, vote.ballot, vote.stage, to)) is None:
                self._session.add(ChangeVote(**{**vote.model_dump(), "person": to}))
        mine: ColumnElement[bool] = or_(
            col(Change.requester) == person,
            col(Change.implementer) == person,
            col(Change.number).in_([vote.change for vote in votes]),
        )
        rows = self._session.exec(select_models(Change).where(mine).order_by(col(Change.number))).all()
        for row in rows:
            row.requester = to if row.requester == person else row.requester
            row.implementer = to if row.implementer == person else row.implementer
        self._session.flush()
        for model, column in (
            (ChangeService, "person"),
            (ChangeContent, "by"),
            (ChangeText, "author"),
            (FreezeRow, "by"),
        ):
            owned = getattr(model, column) == person
            self._session.execute(
                update(model).where(owned).values({column: to}).execution_options(synchronize_session=False)
            )
        return rows

    def erase_words(self, person: str) -> list[int]:
        """Blank what a person wrote about changes; returns the numbers of those that showed it.

        The seal of what was voted on stays: it tells nothing, and the votes are bound to it.
        """
        wrote = select(col(ChangeContent.change)).where(col(ChangeContent.by) == person)
        asked = select(col(Change.number)).where(col(Change.requester) == person)
        numbers = sorted({*self._session.scalars(wrote), *self._session.scalars(asked)})
        # An edit keeps the words of the one before, so all contents of such a change are blanked.
        query = select_models(ChangeContent).where(col(ChangeContent.change).in_(numbers))
        for content in self._session.exec(query):
            blank = {name: _ERASED for name in _TEXTS if content.body.get(name)}
            content.body = {**content.body, **blank}
        for change in self._session.exec(select_models(Change).where(col(Change.number).in_(numbers))):
            change.title = _ERASED
        self._session.flush()
        theirs = col(ChangeText.author) == person
        said = self._session.scalars(select(col(ChangeText.change)).where(theirs)).all()
        self._session.execute(
            update(ChangeText).where(theirs).values(text=_ERASED).execution_options(synchronize_session=False)
        )
        self._session.execute(
            update(FreezeRow)
            .where(col(FreezeRow.by) == person)
            .values(name=_ERASED)
            .execution_options(synchronize_session=False)
        )
        return sorted({*numbers, *said})
