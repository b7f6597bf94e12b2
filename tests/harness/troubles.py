"""What may go wrong at the far end of a call, for every stand-in the same, and in which call it does."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class RateLimited:
    """429, with the seconds to wait."""

    after: int = 1


@dataclass(frozen=True)
class ServerError:
    """A 5xx that did nothing."""

    status: int = 503


@dataclass(frozen=True)
class Lost:
    """The call does its work, and the answer never arrives."""


@dataclass(frozen=True)
class Hang:
    """Neither work nor answer, until the other side gives up."""


@dataclass(frozen=True)
class Says:
    """An error code."""

    error: str


Trouble = RateLimited | ServerError | Lost | Hang | Says


class Troubles:
    """Which calls go wrong: the next ones, one by one, as they were told to; then whatever `always` says."""

    def __init__(self) -> None:
        self.always: Callable[[str], Trouble | None] = lambda method: None
        self._next: defaultdict[str, deque[Trouble]] = defaultdict(deque)

    def add(self, method: str, *troubles: Trouble) -> None:
        """Let the next calls of a method go wrong, one by one."""
        self._next[method].extend(troubles)

    def take(self, method: str) -> Trouble | None:
        """What goes wrong in the call that is made now."""
        waiting = self._next[method]
        return waiting.popleft() if waiting else self.always(method)
