"""The projection of clocks, for lists, and the tallies of it, for figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    String,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
)
from sqlalchemy.orm import class_mapper
from sqlmodel import Session, col
from sqlmodel import select as select_models

from storage.models.continuity import DrillService
from storage.models.service_levels import ClockRow, Exclusion, TallyRow
from storage.statements import Prepared

_clock = ClockRow.metadata.tables["clock"]
_tally = TallyRow.metadata.tables["clock_tally"]
_NAMES = tuple(each.name for each in _clock.c)
_new = class_mapper(ClockRow).class_manager.new_instance
_KEYS = tuple(each.name for each in _tally.c if each.name != "number")
# Asked by nearly every command on a ticket.
_OF = Prepared(select(_clock).where(_clock.c.subject == bindparam("wanted")).order_by(_clock.c.promise))
_DROP = Prepared(delete(_clock).where(_clock.c.subject == bindparam("wanted")))
_ADD = Prepared(insert(_clock))
_COUNT = Prepared(
    text(
        "INSERT INTO clock_tally (day, service, team, customer, agreement, kind, goal, outcome, number)"
        " VALUES (:day, :service, :team, :customer, :agreement, :kind, :goal, :outcome, :more)"
        " ON CONFLICT (day, service, team, customer, agreement, kind, goal, outcome)"
        " DO UPDATE SET number = clock_tally.number + :more"
    )
)
_drilled = DrillService.metadata.tables["drill_service"]
_DRILL = literal("DRL-") + cast(_drilled.c.drill, String)
"""The drill of a row of `drill_service`, as a clock names it."""
_TICKING = ("running", "due soon")
Tally = Counter[tuple[Any, ...]]


@dataclass(frozen=True)
class Whose:
    """Whose promises are asked about: of a service, a team or a customer; of everybody, where nothing is named.

    A drill of several services is promised to each of them. It is kept under the first, so that totals count it once;
    whoever asks about another one is told of it by what the drill holds.
    """

    service: str | None = None
    team: str | None = None
    customer: str | None = None

    def within(self, table: Any, services: Any = None) -> list[ColumnElement[bool]]:
        """The conditions on a table that has these three columns, or whose services are in another one."""
        of = {**table.c, "service": table.c.service if services is None else services}
        return [
            of[name] == wanted
            for name in ("service", "team", "customer")
            if (wanted := getattr(self, name)) is not None
        ]

    def anywhere(self) -> list[ColumnElement[bool]]:
        """The conditions on clocks, those of drills included that are about the service beside others."""
        if self.service is None:
            return self.within(_clock)
        drills = select(_DRILL).where(_drilled.c.service == self.service)
        return [or_(*self.within(_clock), _clock.c.subject.in_(drills))]


EVERYBODY = Whose()


class Clocks:
    """Clocks as they stood at the last change of their ticket, and how many of them came to what."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._of: dict[str, Sequence[ClockRow]] = {}
        self._tallied: dict[str, Tally] = {}

    def of(self, subject: str) -> Sequence[ClockRow]:
        """The clocks of a ticket; a change to one counts once it is `put`."""
        if subject not in self._of:
            found = _OF.rows(self._session, wanted=subject)
            self._remember(subject, [_as_kept(row) for row in found])
        return self._of[subject]

    def _remember(self, subject: str, rows: Sequence[ClockRow]) -> None:
        self._of[subject] = rows
        self._tallied[subject] = Counter(key for row in rows for key in row.tallied())

    def put(self, subject: str, rows: Sequence[ClockRow]) -> None:
        """Replace the clocks of a ticket, and count them where they belong now.

        On PostgreSQL others wait who would change the same tallies: hold the ledger first, as they do.
        """
        if self.of(subject):
            _DROP.run(self._session, wanted=subject)
        _ADD.run_each(self._session, ({name: getattr(row, name) for name in _NAMES} for row in rows))
        before = self._tallied[subject]
        self._remember(subject, sorted(rows, key=lambda row: row.promise))
        after = self._tallied[subject]
        changed = [
            {**dict(zip(_KEYS, key, strict=True)), "more": after[key] - before[key]}
            for key in sorted({*before, *after}, key=repr)
            if after[key] != before[key]
        ]
        if changed:
            _COUNT.run_each(self._session, changed)

    # Figures

    def decided(
        self, since: str, until: str, whose: Whose = EVERYBODY, by: Sequence[str] = (), step: int = 10
    ) -> list[tuple[Any, ...]]:
        """How many promises came to what, from a day to before another: (day, *by, outcome, number).

        Days are cut to `step` characters: 10 for days, 7 for months, 0 for all in one. `by` are columns. Unless days
        are asked for, whole months are read from their own tallies.
        """
        day = func.substr(_tally.c.day, 1, step) if step else literal("")
        asked = [day, *(_tally.c[name] for name in by), _tally.c.outcome]
        query = (
            select(*asked, func.sum(_tally.c.number))
            .where(_days(since, until) if step == 10 else _stretch(since, until), *whose.within(_tally))
            .group_by(*asked)
        )
        found = Counter({tuple(row[:-1]): int(row[-1]) for row in self._session.execute(query)})
        if whose.service or "service" in by:
            day_ = _clock.c.decided_on
            for row, service in self._further(whose, day_ >= since, day_ < until):
                for key in row.tallied(service):
                    told: dict[str, Any] = dict(zip(_KEYS, key, strict=True))
                    if len(told["day"]) == 10:  # neither what is open still nor the same for its month
                        found[told["day"][:step], *(told[name] for name in by), told["outcome"]] += 1
        return [(*key, number) for key, number in found.items() if number]

    def _further(self, whose: Whose, *only: ColumnElement[bool]) -> list[tuple[ClockRow, str]]:
        """Clocks of drills, each with every service of the drill but the one under which it is kept."""
        query = (
            select_models(ClockRow, DrillService)
            .join(DrillService, _clock.c.subject == _DRILL)
            .where(
                _clock.c.counted,
                _clock.c.service != _drilled.c.service,
                *only,
                *whose.within(_clock, _drilled.c.service),
            )
        )
        return [(row, of.service) for row, of in self._session.exec(query)]

    def standing(self, whose: Whose = EVERYBODY) -> Counter[str]:
        """How many open promises stand how, by the state that they were last seen in."""
        query = (
            select(_tally.c.outcome, func.sum(_tally.c.number))
            .where(_tally.c.day == "", *whose.within(_tally))
            .group_by(_tally.c.outcome)
        )
        found = Counter({state: int(number) for state, number in self._session.execute(query) if number})
        if whose.service:
            found.update(row.state for row, _ in self._further(whose, _clock.c.open))
        return found

    def unrung(
        self, now: datetime, whose: Whose = EVERYBODY, each_service: bool = False
    ) -> list[tuple[str, str, str, float, str, int]]:
        """Promises whose moment has come and that nobody was told of yet; `each_service`: under each of theirs.

        Told as (service, agreement, kind, goal, state, number).
        """
        ripe = _clock.c.state.in_(_TICKING), _clock.c.due_at <= now
        asked = (_clock.c.service, _clock.c.agreement, _clock.c.kind, _clock.c.goal, _clock.c.state)
        query = (
            select(*asked, func.count()).where(*ripe, *_counting(), *whose.within(_clock)).group_by(*asked)
        )
        found = [tuple(row) for row in self._session.execute(query)]
        if whose.service or each_service:
            found += [
                (service, row.agreement, row.kind, row.goal, row.state, 1)
                for row, service in self._further(whose, *ripe, _clock.c.open)
            ]
        return found

    def unwarned(self, now: datetime, whose: Whose = EVERYBODY) -> int:
        """How many promises are due soon and kept as running, because nobody was told of it yet."""
        soon = _clock.c.state == "running", _clock.c.soon_at <= now, _clock.c.due_at > now
        found = self._session.scalar(
            select(func.count()).select_from(_clock).where(*soon, *_counting(), *whose.within(_clock))
        )
        return int(found or 0) + (len(self._further(whose, *soon, _clock.c.open)) if whose.service else 0)

    def next_due(self, now: datetime, whose: Whose = EVERYBODY, at_most: int = 5) -> Sequence[ClockRow]:
        """The open promises that are due next."""
        query = select_models(ClockRow).where(col(ClockRow.due_at) > now, *_counting(), *whose.within(_clock))
        found = self._session.exec(
            query.order_by(col(ClockRow.due_at), col(ClockRow.subject)).limit(at_most)
        ).all()
        if whose.service is None:
            return found
        # One question for both would not be answered from the index of a service's clocks.
        further = [row for row, _ in self._further(whose, _clock.c.due_at > now, _clock.c.open)]
        return sorted([*found, *further], key=lambda row: (row.due_at or now, row.subject))[:at_most]

    def recount(self) -> Tally:
        """The tallies as they follow from every clock: what the kept ones must equal, counted the long way."""
        found: Tally = Counter()
        for row in self._session.exec(select_models(ClockRow)):
            found.update(row.tallied())
        return found

    def tallies(self) -> Tally:
        """The tallies as they are kept, without those that came to nothing."""
        rows = self._session.execute(select(_tally).where(_tally.c.number != 0)).mappings()
        return Counter({tuple(row[key] for key in _KEYS): row["number"] for row in rows})

    # Lists

    def promised_on(self, subjects: Sequence[str], kind: str) -> set[str]:
        """Those of these tickets that have an open promise of a kind."""
        query = select(_clock.c.subject).where(
            _clock.c.subject.in_(subjects), _clock.c.kind == kind, _clock.c.open
        )
        return set(self._session.scalars(query))

    def broken(
        self,
        since: datetime,
        until: datetime,
        now: datetime,
        whose: Whose = EVERYBODY,
        kind: str | None = None,
        skip: int = 0,
        at_most: int = 20,
    ) -> tuple[Sequence[ClockRow], int]:
        """Promises that were broken in a period, the newest breach first, and how many there are in all.

        One whose moment has come counts at once.
        """
        told = (col(ClockRow.breached_at) >= since) & (col(ClockRow.breached_at) < until)
        silent = (
            col(ClockRow.breached_at).is_(None)
            & col(ClockRow.open)
            & col(ClockRow.state).in_(_TICKING)
            & (col(ClockRow.due_at) <= now)
            & (col(ClockRow.due_at) >= since)
            & (col(ClockRow.due_at) < until)
        )
        only = [col(ClockRow.kind) == kind] if kind else []
        query = select_models(ClockRow).where(told | silent, col(ClockRow.counted), *only, *whose.anywhere())
        moment = func.coalesce(col(ClockRow.breached_at), col(ClockRow.due_at))
        page = query.order_by(moment.desc(), col(ClockRow.subject)).offset(skip).limit(at_most)
        total = self._session.scalar(select(func.count()).select_from(query.subquery())) or 0
        return self._session.exec(page).all(), int(total)

    def overdue(self, kinds: Sequence[str], now: datetime) -> Sequence[ClockRow]:
        """Open promises of some kinds whose moment is past, the oldest first."""
        late = _clock.c.kind.in_(kinds), _clock.c.due_at <= now
        query = select_models(ClockRow).where(*late, *_counting())
        return self._session.exec(query.order_by(col(ClockRow.due_at), col(ClockRow.subject))).all()

    def past(self, kind: str, topic: str, priority: str, at_most: int) -> Sequence[ClockRow]:
        """The promises of one kind that ended last."""
        like = col(ClockRow.kind) == kind, col(ClockRow.topic) == topic, col(ClockRow.priority) == priority
        query = select_models(ClockRow).where(
            *like, col(ClockRow.stopped_at).is_not(None), col(ClockRow.counted)
        )
        return self._session.exec(query.order_by(col(ClockRow.stopped_at).desc()).limit(at_most)).all()

    def tickets_under(
        self, agreement: str, other_than: str, whose: Whose = EVERYBODY, at_most: int | None = None
    ) -> Sequence[str]:
        """Tickets with an open promise of an agreement in any version but one, in order of their references."""
        query = select(_clock.c.subject).where(
            _clock.c.agreement == agreement,
            _clock.c.agreement_version != other_than,
            _clock.c.open,
            *whose.within(_clock),
        )
        return self._session.scalars(query.distinct().order_by(_clock.c.subject).limit(at_most)).all()

    # What people agree to leave out

    def exclusions(self, subject: str) -> Sequence[Exclusion]:
        """What was asked to be left out of the figures on a ticket."""
        return self._session.exec(select_models(Exclusion).where(col(Exclusion.subject) == subject)).all()

    def ask_to_exclude(self, exclusion: Exclusion) -> None:
        """Keep what somebody asks for, in place of what was refused earlier."""
        self._session.merge(exclusion)
        self._session.flush()

    def save(self) -> None:
        """Write what was changed on exclusions that were read."""
        self._session.flush()


def _as_kept(values: Sequence[Any]) -> ClockRow:
    """A clock as the mapper makes one that it has loaded; the constructor would ask about each value."""
    row: ClockRow = _new()
    row.__dict__.update(zip(_NAMES, values, strict=True))
    return row


def _days(since: str, until: str) -> ColumnElement[bool]:
    """The tallies of the days from one to before another."""
    day = _tally.c.day
    return and_(day >= since, day < until, func.length(day) == 10)


def _stretch(since: str, until: str) -> ColumnElement[bool]:
    """The tallies of the whole months between two days, and of the days before and after these."""
    months = list(_months(since, until))
    if not months:
        return _days(since, until)
    first, end = f"{months[0]}-01", f"{until[:7]}-01"
    return or_(_tally.c.day.in_(months), _days(since, first), _days(end, until))


def _months(since: str, until: str) -> Iterator[str]:
    """The whole months from a day to before another."""
    year, month = int(since[:4]), int(since[5:7])
    if not since.endswith("-01"):
        year, month = year + month // 12, month % 12 + 1
    while (found := f"{year:04}-{month:02}") < until[:7]:
        yield found
        year, month = year + month // 12, month % 12 + 1


def _counting() -> tuple[ColumnElement[bool], ...]:
    return (_clock.c.open, _clock.c.counted)
