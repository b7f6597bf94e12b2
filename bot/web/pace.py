"""How often somebody may come in: so many at once, then as many a minute (generic cell rate algorithm, ITU-T I.371).

A pace is kept in the memory of one process. It protects that process; it is no quota that several would share.
"""

from __future__ import annotations

from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)


class Pace:
    """One who comes in again and again."""

    def __init__(self) -> None:
        self._busy_until: datetime | None = None

    def take(self, rate: int, now: datetime) -> timedelta:
        """Come in, at `rate` a minute: how long until one may, nothing for one who has just come in."""
        each = MINUTE / rate
        busy_until = self._busy(now)
        early = busy_until - now - (MINUTE - each)
        if early > timedelta(0):
            return early
        self._busy_until = busy_until + each
        return timedelta(0)

    def left(self, rate: int, now: datetime) -> int:
        """How many more may come in at once."""
        return int((MINUTE - (self._busy(now) - now)) / (MINUTE / rate))

    def _busy(self, now: datetime) -> datetime:
        busy_until = max(self._busy_until or now, now)
        return now if busy_until > now + MINUTE else busy_until  # only when the clock was set back
