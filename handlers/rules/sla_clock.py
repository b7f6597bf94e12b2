"""The clock of one promise: what the evidence, the definition and the calendar say about it at an instant.

A clock is told facts (it started, paused, resumed, got another target, was stopped or cancelled) and asked
for a reading. Nothing is kept between readings and nothing is added up in a job, so the same facts always
give the same answer, and a reading made earlier is never contradicted by a later one. The rules are those of
the contract's "Service agreements and clocks".

Facts of one instant are taken in the order of `seq`. Whether a promise is broken at an instant is settled
when all of that instant's facts are known: a stop, a cancellation and a change of target come in time then, a
pause comes too late. A stop and a cancellation are final, so a reopened ticket gets a clock of its own. Of
several starts the first holds; a pause may come before the start, and the clock then starts paused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from config.policy import Agreement, Calendar, Priority, Promise
from handlers.rules.business_time import hours_of, utc
from handlers.rules.moments import show_duration


@dataclass(frozen=True)
class Terms:
    """What is promised: `within` so many business seconds of the calendar, warnings at percents of them.

    `minimum_notice`, business seconds too, is the promise after a change that came too late for `within`.
    """

    within: int
    calendar: Calendar
    warn_at: tuple[int, ...] = (50, 75, 90)
    minimum_notice: int = 900


def terms_of(
    agreement: Agreement, promise: Promise, priority: Priority, calendars: Mapping[str, Calendar]
) -> Terms | None:
    """The terms of an agreement's target for a priority; None when it promises nothing of the kind."""
    for target in agreement.targets:
        if target.promise == promise and priority in target.within:
            return Terms(
                target.within[priority], calendars[target.calendar], target.warn_at, agreement.minimum_notice
            )
    return None


# Facts --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fact:
    """Something that moved the clock: when, by which row of the evidence, and why in plain words.

    Raises BadInstant for an instant without a zone.
    """

    at: datetime
    seq: int
    why: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", utc(self.at))


@dataclass(frozen=True)
class Started(Fact):
    """The promise was made."""


@dataclass(frozen=True)
class Paused(Fact):
    """The ticket entered a state that stops the clock, such as "waiting on requester"."""


@dataclass(frozen=True)
class Resumed(Fact):
    """The ticket left the states that stop the clock, or the requester answered."""


@dataclass(frozen=True)
class Retargeted(Fact):
    """Another priority, service or agreement: these terms hold now, counted from the original start."""

    terms: Terms = field(kw_only=True)


@dataclass(frozen=True)
class Stopped(Fact):
    """What was promised was done."""


@dataclass(frozen=True)
class Cancelled(Fact):
    """The promise is no longer owed to anybody."""


# Readings -----------------------------------------------------------------------------------------


class State(StrEnum):
    """How a promise stands. Due soon: its last warning has passed."""

    NOT_STARTED = "not started"
    RUNNING = "running"
    DUE_SOON = "due soon"
    PAUSED = "paused"
    MET = "met"
    MET_LATE = "met late"
    BREACHED = "breached"
    CANCELLED = "cancelled"


class Standing(StrEnum):
    """How a warning stands: one that lies before a change of target is never sent late."""

    TO_COME = "to come"
    PASSED = "passed"
    PASSED_BEFORE = "passed before the change"
    VOID = "void"


@dataclass(frozen=True)
class Threshold:
    """A warning at so many percent of the target; without a moment while a pause keeps it away."""

    percent: int
    at: datetime | None
    standing: Standing


@dataclass(frozen=True)
class Row:
    """A line of the derivation: from, to, counted or not, how much business time, why, which evidence.

    A row that starts where it ends says what happened at that instant. `seq` is None for what happens by
    itself.
    """

    starts: datetime
    ends: datetime
    counted: bool
    amount: timedelta
    why: str
    seq: int | None


@dataclass(frozen=True)
class Stretch:
    """A part of the clock's life in which it ran, or was paused for one reason; the last one has no end."""

    starts: datetime
    ends: datetime | None
    running: bool
    why: str
    seq: int


@dataclass(frozen=True)
class Reading:
    """What a clock shows at an instant; all instants are UTC, all lengths business time.

    `breached_at` is the first breach and stays through a change of target; `breaches` has each of them.
    `remaining` counts down to the due moment and is negative after it. `marks` are the instants at which
    something happened.
    """

    at: datetime
    state: State
    terms: Terms
    started_at: datetime | None = None
    due_at: datetime | None = None
    stopped_at: datetime | None = None
    breaches: tuple[datetime, ...] = ()
    elapsed: timedelta = timedelta(0)
    remaining: timedelta | None = None
    warnings: tuple[Threshold, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    marks: tuple[Row, ...] = ()

    @property
    def breached_at(self) -> datetime | None:
        return self.breaches[0] if self.breaches else None

    @cached_property
    def intervals(self) -> tuple[Row, ...]:
        """All time from the start to the stop or the reading, without gaps, counted or not and why."""
        end = self.stopped_at or self.at
        return tuple(row for stretch in self.stretches for row in self._rows(stretch, stretch.ends or end))

    def _rows(self, stretch: Stretch, ends: datetime) -> Iterable[Row]:
        if not stretch.running:
            if stretch.starts < ends:
                yield Row(stretch.starts, ends, False, timedelta(0), stretch.why, stretch.seq)
            return
        for part in hours_of(self.terms.calendar).sections(stretch.starts, ends):
            amount = part.ends - part.starts if part.counted else timedelta(0)
            yield Row(part.starts, part.ends, part.counted, amount, part.why, stretch.seq)


@dataclass(frozen=True)
class Ahead:
    """What will happen by itself: a warning at so many percent, or the breach (None)."""

    at: datetime
    percent: int | None


def read(facts: Iterable[Fact], terms: Terms, now: datetime) -> Reading:
    """What the clock shows now; facts of a later instant are not known yet.

    `terms` hold until the first change. Raises BadCalendar and BadInstant.
    """
    now = utc(now)
    clock = _Clock(terms)
    for fact in sorted((each for each in facts if each.at <= now), key=lambda each: (each.at, each.seq)):
        clock.take(fact)
    return clock.show(now)


def next_moment(reading: Reading, now: datetime) -> Ahead | None:
    """The earliest warning or breach later than now, if no new fact comes; None when nothing will happen."""
    ahead = [
        Ahead(each.at, each.percent)
        for each in reading.warnings
        if each.at and each.standing == Standing.TO_COME
    ]
    if reading.due_at and not reading.stopped_at:
        ahead.append(Ahead(reading.due_at, None))
    return min((each for each in ahead if each.at > now), key=lambda each: each.at, default=None)


def explain(reading: Reading) -> tuple[Row, ...]:
    """The whole derivation in order: what happened, and between that how time was counted."""
    return tuple(sorted((*reading.marks, *reading.intervals), key=lambda row: (row.starts, row.ends)))


class _Clock:
    """The clock while its facts are read one by one."""

    def __init__(self, terms: Terms) -> None:
        self._agree(terms)
        self._start: datetime | None = None
        self._end: Stopped | Cancelled | None = None
        self._pause: Paused | None = None
        self._changed: datetime | None = None
        self._stretches: list[Stretch] = []
        self._marks: list[Row] = []
        self._breaches: list[datetime] = []
        self._due: datetime | None = None
        self._broken = False  # the present target; an earlier one's breach is only remembered

    def take(self, fact: Fact) -> None:
        """Go on to a fact, and let it have its effect."""
        if self._end:
            return
        if self._due and self._due < fact.at:
            self._break()
        match fact:
            case Started() if not self._start:
                self._begin(fact)
            case Paused():
                self._stand_still(fact)
            case Resumed() if self._pause:
                self._go_on(fact)
            case Retargeted():
                self._retarget(fact)
            case Stopped() | Cancelled() if self._start:
                self._end = fact
                what = "stopped" if isinstance(fact, Stopped) else "cancelled"
                self._mark(fact.at, f"{what}: {fact.why}" if fact.why else what, fact.seq)

    def show(self, now: datetime) -> Reading:
        """The reading once every fact up to now has been taken."""
        if not self._start:
            return Reading(now, State.NOT_STARTED, self._terms)
        if not self._end and self._due and self._due <= now:
            self._break()
        warnings = self._warnings(now)
        elapsed = self._elapsed(self._end.at if self._end else now)
        return Reading(
            at=now,
            state=self._state(warnings),
            terms=self._terms,
            started_at=self._start,
            due_at=self._due,
            stopped_at=self._end.at if self._end else None,
            breaches=tuple(self._breaches),
            elapsed=elapsed,
            remaining=self._allowed - elapsed,
            warnings=warnings,
            stretches=tuple(self._stretches),
            marks=tuple(self._marks),
        )

    # What facts do

    def _agree(self, terms: Terms) -> None:
        self._terms, self._hours = terms, hours_of(terms.calendar)
        self._allowed = timedelta(seconds=terms.within)

    def _begin(self, fact: Started) -> None:
        self._start = fact.at
        still = self._pause
        self._stretches.append(Stretch(fact.at, None, not still, _reason(still), (still or fact).seq))
        self._mark(fact.at, f"started: due within {self._promise()}", fact.seq)
        self._reckon(fact.at)

    def _stand_still(self, fact: Paused) -> None:
        self._pause = fact
        if self._start:
            self._turn(fact)
            if self._due and self._due > fact.at:
                self._due = None

    def _go_on(self, fact: Resumed) -> None:
        self._pause = None
        if self._start:
            self._turn(fact)
            if not self._due:
                self._reckon(fact.at)

    def _retarget(self, fact: Retargeted) -> None:
        self._agree(fact.terms)
        if not self._start:
            return
        self._changed, self._broken = fact.at, False
        spent = self._elapsed(fact.at)
        words = f"{fact.why or 'another target'}: due within {self._promise()}, counted from the start"
        if spent >= self._allowed:
            notice = timedelta(seconds=fact.terms.minimum_notice)
            self._allowed = spent + notice
            words += (
                f"; {_business(spent)} had passed by then, so the promise is the minimum notice, "
                f"{_business(notice)} after the change"
            )
        self._mark(fact.at, words, fact.seq)
        self._reckon(fact.at)

    # What follows from them

    def _turn(self, fact: Paused | Resumed) -> None:
        self._stretches[-1] = replace(self._stretches[-1], ends=fact.at)
        self._stretches.append(Stretch(fact.at, None, not self._pause, _reason(self._pause), fact.seq))

    def _reckon(self, at: datetime) -> None:
        """The due moment as it follows from what is left; a pause has none."""
        self._due = None if self._pause else self._hours.after(at, self._allowed - self._elapsed(at))

    def _break(self) -> None:
        if self._due and not self._broken:
            self._broken = True
            self._breaches.append(self._due)
            self._mark(self._due, "breached: not stopped by the due moment", None)

    def _elapsed(self, at: datetime) -> timedelta:
        return sum(
            (self._hours.between(each.starts, each.ends or at) for each in self._stretches if each.running),
            timedelta(0),
        )

    def _moment(self, amount: timedelta) -> datetime | None:
        """When so much business time had been counted, or will be; None while a pause keeps it away."""
        for each in self._stretches:
            if each.running:
                here = self._hours.between(each.starts, each.ends) if each.ends else None
                if here is None or here >= amount:
                    return self._hours.after(each.starts, amount)
                amount -= here
        return None

    def _warnings(self, now: datetime) -> tuple[Threshold, ...]:
        within = timedelta(seconds=self._terms.within)
        moments = [
            (percent, self._moment(within * percent / 100)) for percent in sorted(set(self._terms.warn_at))
        ]
        return tuple(Threshold(percent, at, self._standing(at, now)) for percent, at in moments)

    def _standing(self, at: datetime | None, now: datetime) -> Standing:
        if self._end and (at is None or at >= self._end.at):
            return Standing.VOID
        if at is None or at > now:
            return Standing.TO_COME
        if self._changed and at < self._changed:
            return Standing.PASSED_BEFORE
        return Standing.PASSED

    def _state(self, warnings: Sequence[Threshold]) -> State:
        if isinstance(self._end, Cancelled):
            return State.CANCELLED
        if self._end:
            return State.MET_LATE if self._breaches else State.MET
        if self._breaches:
            return State.BREACHED
        if self._pause:
            return State.PAUSED
        soon = warnings and warnings[-1].standing != Standing.TO_COME
        return State.DUE_SOON if soon else State.RUNNING

    def _promise(self) -> str:
        return f"{_business(timedelta(seconds=self._terms.within))} of {self._terms.calendar.name}"

    def _mark(self, at: datetime, why: str, seq: int | None) -> None:
        self._marks.append(Row(at, at, False, timedelta(0), why, seq))


def _reason(pause: Paused | None) -> str:
    return (pause.why or "paused") if pause else "running"


def _business(length: timedelta) -> str:
    return show_duration(length, days=False)  # a business day is not 24 hours long
