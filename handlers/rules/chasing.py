"""When somebody who owes something hears of it: some days before, on the day, and every week after it until it is done.

Days are those of the place where the person is, and each word comes in the morning there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import count, takewhile

from handlers.rules.moments import instant_at

MORNING = time(9)
AHEAD = 3
"""Days before the day on which it is due: a working day lies between, even over a weekend."""

MANAGER_FROM, TEAM_FROM = 7, 14
"""Days after which not only the owner hears of it."""


@dataclass(frozen=True)
class Nudge:
    """One word: how many days after the due day it is (before it: negative), and its instant in UTC."""

    days: int
    at: datetime


def nudges(due: date, zone: str) -> Iterator[Nudge]:
    """Every word about something that is due on a day, without end: nobody stops until it is done."""
    for days in (-AHEAD, 0):
        yield _nudge(due, zone, days)
    for week in count(1):
        yield _nudge(due, zone, 7 * week)


def _nudge(due: date, zone: str, days: int) -> Nudge:
    return Nudge(days, instant_at(due + timedelta(days=days), MORNING, zone))


def next_nudge(due: date, zone: str, after: datetime) -> Nudge:
    """The first word that comes after an instant."""
    return next(each for each in nudges(due, zone) if each.at > after)


def newest_nudge(due: date, zone: str, now: datetime) -> Nudge | None:
    """The last word whose time has come; None before the first. What was missed meanwhile is not said late."""
    come = [*takewhile(lambda each: each.at <= now, nudges(due, zone))]
    return come[-1] if come else None
