"""The console's rooms for async callers: questions and changes in threads, and a bell for what is new."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from sqlalchemy.exc import IntegrityError

from bot.clock import Clock
from storage.database import Database, StoreConflict, StoreUnavailable
from storage.repositories.console import Console, Message

Answer = TypeVar("Answer")

LOOK_EVERY = 0.3
"""Seconds between two looks for what other processes wrote."""

_TRIES = 4
_THREADS = 4


class Rooms:
    """Reads and writes the rooms. Every method raises StoreUnavailable when the store is away."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._limiter: CapacityLimiter | None = None
        self._bell = asyncio.Event()
        self._listeners = 0
        self._looking: asyncio.Task[None] | None = None

    async def ask(self, question: Callable[[Console], Answer]) -> Answer:
        """Put a question to the rooms."""

        def read() -> Answer:
            with self._database.reading() as session:
                return question(Console(session))

        return await self._in_thread(read)

    async def change(self, work: Callable[[Console, datetime], Answer]) -> Answer:
        """Carry out a change in one transaction, anew if another process came between, and ring the bell."""

        def write() -> Answer:
            for left in reversed(range(_TRIES)):
                try:
                    with self._database.writing() as session:
                        return work(Console(session), self._clock.now())
                except (StoreConflict, IntegrityError):
                    # Another process wrote the same key first; the next try finds it.
                    if not left:
                        raise
            raise StoreUnavailable("unreachable")

        answer = await self._in_thread(write)
        self.ring()
        return answer

    async def since(self, seen: int, reader: str, at_most: int) -> tuple[int, Sequence[Message]]:
        """How many changes there are, and what a reader may see of those after `seen`."""
        # The count comes first: what is written meanwhile is then read again, and never missed.
        return await self.ask(lambda console: (console.changes(), console.since(seen, reader, at_most)))

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """While inside, `news` hears of what other processes write too; all listeners share one look."""
        self._listeners += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            self._listeners -= 1
            if not self._listeners and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    def news(self) -> asyncio.Event:
        """What is set at the next change; take it before looking, wait for it after."""
        return self._bell

    async def rung(self, news: asyncio.Event, at_most: float) -> bool:
        """Wait for news, at most that many seconds; False when there were none."""
        try:
            async with asyncio.timeout(at_most):
                return await news.wait()
        except TimeoutError:
            return False

    def ring(self) -> None:
        """Wake everyone who waits for news."""
        rung, self._bell = self._bell, asyncio.Event()
        rung.set()

    async def _look(self) -> None:
        seen: int | None = None
        while True:
            # While the store is away there is nothing to tell; the pages themselves say what is wrong.
            with suppress(StoreUnavailable):
                changes = await self.ask(lambda console: console.changes())
                if changes != seen:
                    seen = changes
                    self.ring()
            await asyncio.sleep(LOOK_EVERY)

    async def _in_thread(self, function: Callable[[], Answer]) -> Answer:
        if self._limiter is None:
            self._limiter = CapacityLimiter(_THREADS)
        return await anyio.to_thread.run_sync(function, limiter=self._limiter)
