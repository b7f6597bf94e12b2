"""A clock that several processes read and one test moves: the machine's time, off by what a file says."""

from __future__ import annotations

import mmap
import struct
from datetime import datetime, timedelta
from pathlib import Path

from bot.clock import SystemClock

_OFFSET = struct.Struct("q")  # microseconds; eight aligned bytes are written and read in one go


class SharedClock:
    """Tells the machine's time plus an offset. Whoever opens the same file reads the same time.

    It goes on at the machine's speed, and jumps when somebody moves it, forward or back.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_OFFSET.pack(0))
        with path.open("r+b") as file:
            self._kept = mmap.mmap(file.fileno(), _OFFSET.size)
        self._machine = SystemClock()

    @property
    def offset(self) -> timedelta:
        """How far it is ahead of the machine's time."""
        return timedelta(microseconds=_OFFSET.unpack_from(self._kept)[0])

    def now(self) -> datetime:
        """The present instant, in UTC."""
        return self._machine.now() + self.offset

    def move(self, by: timedelta) -> None:
        """Jump forward, or back with a negative step."""
        _OFFSET.pack_into(self._kept, 0, (self.offset + by) // timedelta(microseconds=1))

    def set(self, to: datetime) -> None:
        """Jump to an instant."""
        self.move(to - self.now())
