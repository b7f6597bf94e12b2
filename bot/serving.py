"""Serving: the web server of a process, from the moment it listens until its last answer is given."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn

from bot.web.app import create
from bot.wiring import House


class _Server(uvicorn.Server):
    """A server that leaves the signals to us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(house: House) -> AsyncIterator[int]:
    """The web server; yields the port it listens on once it does."""
    routes = [route for adapter in house.adapters.values() for route in getattr(adapter, "routes", list)()]
    routes += house.alerts.routes()
    routes += house.feeds.routes()
    routes += house.change_pages.routes()
    routes += house.rest.routes()
    routes += house.pages.routes()
    app = create(house.database, routes, house.measures.registry, lambda: ())
    config = uvicorn.Config(
        app,
        host=house.settings.host,
        port=house.settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    server = _Server(config)
    # Bound here, so that a taken port is said at once; IPPROTO_TCP, or the socket gets no TCP_NODELAY.
    family = socket.AF_INET6 if ":" in house.settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((house.settings.host, house.settings.port))
    task = asyncio.create_task(server.serve(sockets=[listener]), name="web")
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn tells its start in no other way
        await asyncio.sleep(0.01)
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await task
        listener.close()
