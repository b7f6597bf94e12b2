"""When a digest is due: on its days, at its time of day, by the clock of its zone."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from config.policy import Digest, Weekday
from handlers.rules.moments import instant_at

_DAYS = tuple(Weekday)


def next_digest(digest: Digest, after: datetime) -> datetime:
    """The first moment later than an instant, in UTC.

    A time of day that the zone skips means the first instant after the skip; one that it repeats counts once.
    """
    hour, minute = map(int, digest.at.split(":"))
    late, clock = (1, time()) if hour == 24 else (0, time(hour, minute))
    day = after.astimezone(ZoneInfo(digest.zone)).date() - timedelta(days=1)
    while True:
        if _DAYS[day.weekday()] in digest.days:
            at = instant_at(day + timedelta(days=late), clock, digest.zone)
            if at > after:
                return at
        day += timedelta(days=1)
