"""A few threads for the synchronous core, behind one awaitable call.

The general ways of the libraries cost a tenth of a millisecond for each hop there and back, a good part of what
a whole command costs; a queue that the threads wait on costs a quarter of that.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_IDLE = 5.0
"""Seconds after which a thread that has nothing to do ends."""

_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Context, Callable[[], Any]]


class Threads:
    """At most so many threads, started as they are needed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._lock = threading.Lock()
        self._alive = self._free = self._owed = 0

    async def run(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """What the function returns or raises, called in a thread; it runs to its end even if nobody waits any more."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._lock:
            self._owed += 1
            wanted = self._owed > self._free and self._alive < self._most
            self._alive += wanted
        self._jobs.put((loop, future, copy_context(), lambda: function(*arguments, **named)))
        if wanted:
            threading.Thread(target=self._serve, name="desk", daemon=True).start()
        return await future

    def _serve(self) -> None:
        while (job := self._next()) is not None:
            loop, future, context, function = job
            try:
                result, error = context.run(function), None
            except BaseException as raised:  # noqa: BLE001 - it belongs to whoever waits
                result, error = None, raised
            with suppress(RuntimeError):  # the loop is closed, and nobody waits
                loop.call_soon_threadsafe(_settle, future, result, error)
            del job, future, context, function, result, error  # else they would live until the next job

    def _next(self) -> _Job | None:
        """The next job, or None when none came for a while and this thread may end."""
        while True:
            with self._lock:
                self._free += 1
            try:
                job = self._jobs.get(timeout=_IDLE)
            except Empty:
                job = None
            with self._lock:
                self._free -= 1
                if job is not None:
                    self._owed -= 1
                    return job
                if not self._owed:
                    self._alive -= 1
                    return None


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
