"""What the contract says about business time and clocks, done minute by minute in the plainest way.

Slow and simple on purpose, and it shares nothing with the rules but the policy's types: `zoneinfo` where they
use `whenever`, a walk over minutes where they search sums. Everything lies on whole minutes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from config.policy import Calendar
from handlers.rules.sla_clock import Cancelled, Fact, Paused, Resumed, Retargeted, Started, Stopped, Terms

MINUTE = timedelta(minutes=1)
NAMES = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def is_open(calendar: Calendar, at: datetime) -> bool:
    """Half open in the calendar's wall time, less the closed days in its own zone."""
    if calendar.always:
        return True
    wall = at.astimezone(ZoneInfo(calendar.zone))
    if wall.date() in calendar.closed:
        return False
    shown = f"{wall.hour:02}:{wall.minute:02}"
    return any(
        NAMES[wall.weekday()] in [str(day) for day in each.days] and each.opens <= shown < each.closes
        for each in calendar.hours
    )


class Days:
    """A calendar's open minutes, each looked up once."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self.known: dict[datetime, bool] = {}

    def open(self, at: datetime) -> bool:
        if at not in self.known:
            self.known[at] = is_open(self.calendar, at)
        return self.known[at]

    def between(self, start: datetime, end: datetime) -> timedelta:
        counted, at = timedelta(0), start
        while at < end:
            counted += MINUTE * self.open(at)
            at += MINUTE
        return counted

    def after(self, start: datetime, amount: timedelta, until: datetime) -> datetime | None:
        counted, at = timedelta(0), start
        while counted < amount:
            if at >= until:
                return None
            counted += MINUTE * self.open(at)
            at += MINUTE
        return at


class Clock:
    """A clock lived through minute by minute; `horizon` is how far it looks ahead."""

    def __init__(self, facts: list[Fact], terms: Terms, now: datetime, horizon: datetime) -> None:
        self.horizon = horizon
        self.ran: list[datetime] = []  # the minutes in which it ran, open or not
        self.days: dict[int, Days] = {}
        self.terms = terms
        self.started: datetime | None = None
        self.ended: Fact | None = None
        self.first: datetime | None = None  # when it ran first
        self.changed: datetime | None = None
        self.paused = self.able = False
        self.breaches: list[datetime] = []
        self.allowed = self.spent = timedelta(0)
        self.due: datetime | None = None
        facts = sorted((each for each in facts if each.at <= now), key=lambda each: (each.at, each.seq))
        at = facts[0].at if facts else now
        while at <= now and not self.ended:
            self.live_through(at, [each for each in facts if each.at == at])
            at += MINUTE
        if self.started and self.due is None and not self.paused:
            self.look_ahead(self.ended.at if self.ended else now)

    def calendar(self) -> Days:
        return self.days.setdefault(id(self.terms.calendar), Days(self.terms.calendar))

    def live_through(self, at: datetime, facts: list[Fact]) -> None:
        self.able = not self.paused  # ran up to this instant, or at it, under the present target
        for fact in facts:
            if not self.ended:
                self.take(fact)
        if not self.started:
            return
        if self.due is None and self.able and self.spent >= self.allowed:
            self.due = at
            if not self.ended:
                self.breaches.append(at)
        if not self.paused and not self.ended:
            self.ran.append(at)
            self.spent += MINUTE * self.calendar().open(at)

    def take(self, fact: Fact) -> None:
        if isinstance(fact, Started) and not self.started:
            self.started = fact.at
            self.allowed = timedelta(seconds=self.terms.within)
            self.able = not self.paused
            self.first = fact.at if self.able else None
        elif isinstance(fact, Paused):
            self.paused = True
        elif isinstance(fact, Resumed):
            self.paused, self.able = False, True
            self.first = self.first or (fact.at if self.started else None)
        elif isinstance(fact, Retargeted):
            self.terms = fact.terms
            if self.started:
                self.change(fact.at)
        elif isinstance(fact, Stopped | Cancelled) and self.started:
            self.ended = fact

    def change(self, at: datetime) -> None:
        self.allowed = timedelta(seconds=self.terms.within)
        self.spent = MINUTE * sum(self.calendar().open(minute) for minute in self.ran)
        if self.spent >= self.allowed:
            self.allowed = self.spent + timedelta(seconds=self.terms.minimum_notice)
        self.changed, self.due = at, None
        self.able = not self.paused

    def look_ahead(self, at: datetime) -> None:
        """Run on as if nothing else happened."""
        spent = MINUTE * sum(self.calendar().open(minute) for minute in self.ran if minute < at)
        while spent < self.allowed and at < self.horizon:
            spent += MINUTE * self.calendar().open(at)
            at += MINUTE
        self.due = at if spent >= self.allowed else None

    def elapsed(self, now: datetime) -> timedelta:
        end = self.ended.at if self.ended else now
        return MINUTE * sum(self.calendar().open(minute) for minute in self.ran if minute < end)

    def warning(self, percent: int) -> datetime | None:
        """The first minute before which so much had been counted, looking ahead unless it is paused."""
        amount = timedelta(seconds=self.terms.within) * percent / 100
        spent = timedelta(0)
        if not amount:
            return self.first
        for minute in self.ran:
            spent += MINUTE * self.calendar().open(minute)
            if spent >= amount:
                return minute + MINUTE
        if self.paused:
            return None
        at = self.ended.at if self.ended else self.ran[-1] + MINUTE
        while spent < amount and at < self.horizon:
            spent += MINUTE * self.calendar().open(at)
            at += MINUTE
        return at if spent >= amount else None

    def standing(self, at: datetime | None, now: datetime) -> str:
        if self.ended and (at is None or at >= self.ended.at):
            return "void"
        if at is None or at > now:
            return "to come"
        return "passed before the change" if self.changed and at < self.changed else "passed"

    def state(self, now: datetime) -> str:
        if not self.started:
            return "not started"
        if isinstance(self.ended, Cancelled):
            return "cancelled"
        if self.ended:
            return "met late" if self.breaches else "met"
        if self.breaches:
            return "breached"
        if self.paused:
            return "paused"
        last = self.warning(max(self.terms.warn_at)) if self.terms.warn_at else None
        return "due soon" if last and last <= now else "running"
