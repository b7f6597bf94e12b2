"""Periods as managers name them, as days of one zone: today, a week, a month, a quarter, the last thirty days."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from handlers.rules.moments import instant_at

_NAMES = "today, week, month, quarter, year, last-week, last-month, 30d, 2026-10, 2026-Q3 or 2026"


class NotAPeriod(ValueError):
    """No period anyone could mean, or one that has not begun."""


@dataclass(frozen=True)
class Period:
    """From `since` (included) to `until` (not included), both UTC, and what it is called.

    `first` and `end` are the same as days of the zone.
    """

    since: datetime
    until: datetime
    name: str
    first: date
    end: date

    def before(self) -> Period:
        """The stretch of as many days just before, for comparing; None of it is in this one."""
        first = self.first - (self.end - self.first)
        return Period(
            self.since - (self.until - self.since), self.since, "the period before", first, self.first
        )


def period(text: str, now: datetime, zone: str) -> Period:
    """The period a word means, in a zone; raises NotAPeriod with the words that are known."""
    word = text.strip().lower().replace(" ", "-").removeprefix("this-")
    today = now.astimezone(ZoneInfo(zone)).date()
    found = _named(word, today) or _dated(word)
    if found is None:
        raise NotAPeriod(f"“{text[:30]}” is not a period I know. Ask for one of: {_NAMES}.")
    first, end, name = found
    if first > today:
        raise NotAPeriod(f"{word} has not begun yet. Ask for one of: {_NAMES}.")
    return Period(_midnight(first, zone), _midnight(end, zone), name, first, end)


def _named(word: str, today: date) -> tuple[date, date, str] | None:
    """What is named by today: its first day, the day after its last, what it is called."""
    if match := re.fullmatch(r"(\d{1,3})d", word):
        days = int(match[1])
        if not days:
            raise NotAPeriod(f"{word} is no time at all. Ask for one of: {_NAMES}.")
        return (
            today - timedelta(days=days - 1),
            _after(today),
            f"the last {days} days" if days > 1 else "today",
        )
    monday = today - timedelta(days=today.weekday())
    month, quarter, year = (
        today.replace(day=1),
        _quarter(today.year, (today.month + 2) // 3),
        today.replace(month=1, day=1),
    )
    last_month = (month - timedelta(days=1)).replace(day=1)
    last_quarter = _quarter(
        (quarter - timedelta(days=1)).year, ((quarter - timedelta(days=1)).month + 2) // 3
    )
    spans = {
        "today": (today, _after(today)),
        "week": (monday, monday + timedelta(days=7)),
        "last-week": (monday - timedelta(days=7), monday),
        "month": (month, _next_month(month)),
        "last-month": (last_month, month),
        "quarter": (quarter, _next_quarter(quarter)),
        "last-quarter": (last_quarter, quarter),
        "year": (year, date(today.year + 1, 1, 1)),
        "last-year": (date(today.year - 1, 1, 1), year),
    }
    if word not in spans:
        return None
    name = {"today": "today"}.get(word, word.replace("-", " ") if "-" in word else f"this {word}")
    return *spans[word], name


def _dated(word: str) -> tuple[date, date, str] | None:
    """What is named by its date: a year, a quarter, a month."""
    match = re.fullmatch(r"(2\d{3})(?:-(?:q([1-4])|(\d{2})))?", word)
    if match is None:
        return None
    year = int(match[1])
    if match[2]:
        first = _quarter(year, int(match[2]))
        return first, _next_quarter(first), word.upper()
    if match[3]:
        if not 1 <= int(match[3]) <= 12:
            raise NotAPeriod(f"“{word}” is not a month. Write it like 2026-10.")
        first = date(year, int(match[3]), 1)
        return first, _next_month(first), word
    return date(year, 1, 1), date(year + 1, 1, 1), word


def _midnight(day: date, zone: str) -> datetime:
    return instant_at(day, time(), zone)


def _after(day: date) -> date:
    return day + timedelta(days=1)


def _next_month(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)


def _quarter(year: int, number: int) -> date:
    return date(year, 3 * number - 2, 1)


def _next_quarter(first: date) -> date:
    return (first + timedelta(days=93)).replace(day=1)
