"""The one place that asks the machine for the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the present instant, in UTC."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The machine's time."""
        return datetime.now(UTC)


class VirtualClock:
    """A clock that moves only when told to; rehearsals and tests run on it."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """The instant it was last set to."""
        return self._now

    def move(self, by: timedelta) -> None:
        """Step forward, or back with a negative step."""
        self._now += by

    def set(self, to: datetime) -> None:
        """Jump to an instant."""
        self._now = to.astimezone(UTC)


def monotonic() -> float:
    """Seconds that never go back, for measuring how long something took."""
    return time.monotonic()
