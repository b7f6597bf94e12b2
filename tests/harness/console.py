"""The console for tests: over HTTP without a wire, and as a real server with a courier for real browsers."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from bot.adapters.console.app import ConsoleAdapter
from bot.adapters.port import Ear
from bot.clock import Clock, SystemClock
from bot.courier import Courier
from config.policy import Policy
from handlers import registry
from handlers.declare import Commands
from handlers.dispatch import Dispatcher
from storage.database import Database

HOST = "127.0.0.1:8080"


def dispatcher_of(database: Database, policy: Policy, commands: Commands, clock: Clock) -> Dispatcher:
    """A dispatcher that knows the console alone."""
    return Dispatcher(commands, lambda: policy, database, clock.now, ["console"])


class Visitor:
    """A browser without a script: loads pages, and sends their forms with the headers that browsers add."""

    def __init__(self, adapter: ConsoleAdapter, caller: str = "127.0.0.1") -> None:
        application = Starlette(routes=adapter.routes())
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=application, client=(caller, 50000)), base_url=f"http://{HOST}"
        )
        self._keys = count(1)
        self.token = ""

    async def open(self, path: str, **headers: str) -> httpx.Response:
        """Load a page."""
        answer = await self.http.get(path, headers=headers)
        if found := re.search(r'name="token" value="([0-9a-f]+)"', answer.text):
            self.token = found[1]
        return answer

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        """Send a form of the page that was loaded last."""
        sent = {"Sec-Fetch-Site": "same-origin", "Origin": f"http://{HOST}"} | headers
        return await self.http.post(path, data={"token": self.token} | fields, headers=sent)

    async def say(
        self, me: str, line: str, room: str = "requests", *, key: str | None = None, **more: str
    ) -> httpx.Response:
        """Type a line and send it; a number in `more` names a thread, a form's message or a source."""
        if not self.token:
            await self.open(f"/console/{me}/{room}")
        fields = {"line": line, "room": room, "key": key or f"key-{next(self._keys):08}", "typed": "1"} | more
        return await self.post(f"/console/{me}/-/say", fields)

    async def press(self, me: str, line: str, room: str = "requests", **more: str) -> httpx.Response:
        """Press a button, or send a form."""
        fields = {"line": line, "room": room, "key": f"key-{next(self._keys):08}"} | more
        return await self.post(f"/console/{me}/-/say", fields)


@contextmanager
def served(database: Database, policy: Policy, commands: Commands) -> Iterator[str]:
    """A console on a free port of this machine, with a courier; yields its address."""
    clock = SystemClock()
    dispatcher = dispatcher_of(database, policy, commands, clock)
    adapter = ConsoleAdapter(Ear(dispatcher), database, lambda: policy, clock)
    courier = Courier(dispatcher, {"console": adapter}, clock, "test")
    courier.on_nudge_from(dispatcher)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=adapter.routes()), log_config=None, timeout_graceful_shutdown=1)
    )
    stopping: dict[str, Any] = {}

    async def run() -> None:
        stopping["loop"], stopping["stop"] = asyncio.get_running_loop(), asyncio.Event()
        carrying = asyncio.create_task(courier.run(stopping["stop"]))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await stopping["stop"].wait()
        await adapter.stop()
        server.should_exit = True
        await serving
        await carrying

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stopping["loop"].call_soon_threadsafe(stopping["stop"].set)
        thread.join(timeout=20)
        assert not thread.is_alive(), "the console did not stop"


@pytest.fixture
def console(sqlite: Database, policy: Policy) -> Iterator[str]:
    """The example organisation's console with everything the desk can do, by its address."""
    with served(sqlite, policy, registry.load()) as address:
        yield address
