"""Where the platforms live while a test waits: an event loop in a thread of its own, outside the desk's process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
_PATIENCE = 30.0  # seconds


class FarSide:
    """A running event loop that a test's own thread gives work to."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="far side", daemon=True)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Have something done over there, and wait for what comes of it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    @contextmanager
    def open(self, thing: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """Something that lives over there until the end."""
        yielded = self.do(thing.__aenter__())
        try:
            yield yielded
        finally:
            self.do(_leave(thing))

    def close(self) -> None:
        """End it, with whatever still waits over there."""
        self.do(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()


async def _leave(thing: AbstractAsyncContextManager[Any]) -> None:
    await thing.__aexit__(None, None, None)


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def far_side() -> Iterator[FarSide]:
    """Lend one."""
    made = FarSide()
    try:
        yield made
    finally:
        made.close()
