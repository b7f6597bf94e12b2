"""Periods as managers name them, in their own zone: today, a week, a month, the last thirty days."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from handlers.rules.moments import instant_at

_NAMES = "today, week, month, quarter, year, last-week, last-month, 30d or 2026-10"


class NotAPeriod(ValueError):
    """No period anyone could mean, or one that has not begun."""


@dataclass(frozen=True)
class Period:
    """From `since` (included) to `until` (not included), both UTC, and what it is called."""

    since: datetime
    until: datetime
    name: str

    def before(self) -> Period:
        """The stretch of the same length just before, for the trend."""
        return Period(self.since - (self.until - self.since), self.since, "the period before")


def period(text: str, now: datetime, zone: str) -> Period:
    """The period a word means, in a zone; raises NotAPeriod with the words that are known."""
    word = text.strip().lower().replace(" ", "-").removeprefix("this-")
    today = now.astimezone(ZoneInfo(zone)).date()
    if match := re.fullmatch(r"(\d{1,3})d", word):
        days = max(1, int(match[1]))
        return Period(
            _midnight(today - timedelta(days=days - 1), zone),
            _midnight(_after(today), zone),
            f"the last {days} days",
        )
    if match := re.fullmatch(r"(\d{4})-(\d{2})", word):
        if not 1 <= int(match[2]) <= 12 or int(match[1]) < 2000:
            raise NotAPeriod(f"“{text[:30]}” is not a month. Write it like 2026-10.")
        first = date(int(match[1]), int(match[2]), 1)
        if first > today:
            raise NotAPeriod(f"{word} has not begun yet. Ask for one of: {_NAMES}.")
        return Period(_midnight(first, zone), _midnight(_next_month(first), zone), word)
    monday = today - timedelta(days=today.weekday())
    month = today.replace(day=1)
    last_month = (month - timedelta(days=1)).replace(day=1)
    quarter = today.replace(month=3 * ((today.month - 1) // 3) + 1, day=1)
    spans = {
        "today": (today, _after(today)),
        "week": (monday, monday + timedelta(days=7)),
        "last-week": (monday - timedelta(days=7), monday),
        "month": (month, _next_month(month)),
        "last-month": (last_month, month),
        "quarter": (quarter, _next_month(_next_month(_next_month(quarter)))),
        "year": (date(today.year, 1, 1), date(today.year + 1, 1, 1)),
    }
    if word not in spans:
        raise NotAPeriod(f"“{text[:30]}” is not a period I know. Ask for one of: {_NAMES}.")
    first, end = spans[word]
    name = {"today": "today"}.get(word, word.replace("-", " ") if "-" in word else f"this {word}")
    return Period(_midnight(first, zone), _midnight(end, zone), name)


def _midnight(day: date, zone: str) -> datetime:
    return instant_at(day, time(), zone)


def _after(day: date) -> date:
    return day + timedelta(days=1)


def _next_month(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)
