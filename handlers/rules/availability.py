"""Availability: the share of the agreed service time in which a service was there.

Agreed service time is the open time of a calendar. Outages that overlap count once, and only while it is open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from config.policy import Calendar
from handlers.rules.business_time import hours_of


@dataclass(frozen=True)
class Available:
    """Agreed service time, the downtime in it, and the goal in per cent."""

    agreed: timedelta
    down: timedelta
    goal: float

    @property
    def share(self) -> float | None:
        """In per cent; None where no service time was agreed."""
        return 100 * (1 - self.down / self.agreed) if self.agreed else None

    @property
    def left(self) -> timedelta:
        """How much more downtime the goal allows; negative when it is missed."""
        return self.agreed * (1 - self.goal / 100) - self.down

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is kept; None without agreed service time."""
        return None if self.share is None else self.left >= timedelta()


def available(
    calendar: Calendar,
    goal: float,
    outages: Iterable[tuple[datetime, datetime | None]],
    start: datetime,
    end: datetime,
    now: datetime,
) -> Available:
    """Availability from `start` to before `end`, as far as `now`; an outage without an end goes on."""
    hours, until = hours_of(calendar), min(end, now)
    if until <= start:
        return Available(timedelta(), timedelta(), goal)
    down = timedelta()
    reached = start
    for began, over in sorted(outages, key=lambda each: each[0]):
        since, upto = max(began, reached), min(over or until, until)
        if upto > since:
            down += hours.between(since, upto)
            reached = upto
    return Available(hours.between(start, until), down, goal)
