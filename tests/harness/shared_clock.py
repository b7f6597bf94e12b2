"""A clock that several processes read and one test moves: the machine's time, off by what a file says."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.clock import SystemClock

_NUMBER = struct.Struct("q")  # eight aligned bytes are written and read in one go
_STANDS = 1 << 62  # what is no offset but an instant has this bit, and then the microseconds since 1970
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class SharedClock:
    """Tells the machine's time plus an offset. Whoever opens the same file reads the same time.

    It goes on at the machine's speed, jumps when somebody moves it, forward or back, and may be held.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_NUMBER.pack(0))
        with path.open("r+b") as file:
            self._kept = mmap.mmap(file.fileno(), _NUMBER.size)
        self._machine = SystemClock()

    @property
    def setting(self) -> int:
        """What the file says; another number means that somebody has moved it."""
        return int(_NUMBER.unpack_from(self._kept)[0])

    def now(self) -> datetime:
        """The present instant, in UTC."""
        setting = self.setting
        if setting & _STANDS and setting > 0:
            return _EPOCH + (setting ^ _STANDS) * _MICROSECOND
        return self._machine.now() + setting * _MICROSECOND

    def move(self, by: timedelta) -> None:
        """Jump forward, or back with a negative step."""
        self._put(self.setting + by // _MICROSECOND)

    def set(self, to: datetime) -> None:
        """Jump to an instant."""
        self.move(to - self.now())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let it stand still, but for jumps; then it goes on from where it stands."""
        self._put(_STANDS | (self.now() - _EPOCH) // _MICROSECOND)
        try:
            yield
        finally:
            self._put((self.now() - self._machine.now()) // _MICROSECOND)

    def _put(self, setting: int) -> None:
        _NUMBER.pack_into(self._kept, 0, setting)
