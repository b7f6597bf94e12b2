"""How soon an alert wakes somebody: from the HTTP request to the page in the hands of a transport.

Times are this machine's. What must hold is a difference within one run: at 50 alerts a second 99 of 100 pages
are handed over at most 150 ms later than the floor, which is what one alert takes in a process that does
nothing else. Everything runs as `deskbell serve` runs it: a server, the intake, one transaction, the courier.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import re
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import structlog
import uvicorn
from starlette.applications import Starlette

from bot.adapters.port import Delivered, Delivery
from bot.clock import SystemClock
from bot.courier import Courier
from bot.tokens import Tokens
from bot.web.alerts import AlertIntake, address, purpose
from config.loading import load
from config.policy import AlertKind, AlertSource, Escalation, EscalationLevel, Level, Person, Policy
from handlers import registry
from handlers.dispatch import Dispatcher
from storage import migrations
from storage.database import Database
from tests.bench.bench_ack import POLICIES, p, paced
from tests.harness.postgres import running_server

SOURCES = 10
_NUMBER = re.compile(r"No\. (\d+)")
_numbers = count(1)


def policy() -> Policy:
    """The example organisation with ten sources about ten services, each with a person of its own on call."""
    known = load(POLICIES)
    keys = [f"s{each}" for each in range(SOURCES)]
    network = known.services["network"]
    return replace(
        known,
        version="bench",
        people={**known.people, **{key: Person(key=key, name=key.upper()) for key in keys}},
        escalations={key: Escalation(key, key, (EscalationLevel((key,)),), fallback=key) for key in keys},
        services={key: replace(network, key=key, escalation=key) for key in keys},
        alerts={
            key: AlertSource(key, key, AlertKind.GENERIC, key, Level.HIGH, storm=1000, rate=10_000)
            for key in keys
        },
    )


class Transport:
    """An instant one that notes when each page was handed to it."""

    platform = "console"
    pace = 0.0

    def __init__(self) -> None:
        self.handed: dict[int, float] = {}
        self._waiting: dict[int, asyncio.Future[None]] = {}

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def deliver(self, delivery: Delivery) -> Delivered:
        if delivery.kind == "page" and (found := _NUMBER.search(delivery.reply.title)):
            number = int(found[1])
            self.handed.setdefault(number, perf_counter())
            if waiting := self._waiting.pop(number, None):
                waiting.set_result(None)
        return Delivered({"id": delivery.key})

    async def find(self, delivery: Delivery) -> None: ...

    async def hands_over(self, number: int) -> None:
        """Wait until the page about an alert is here."""
        if number not in self.handed:
            self._waiting[number] = asyncio.get_running_loop().create_future()
            await asyncio.wait_for(self._waiting[number], 60)


class Sender:
    """Sends alerts over connections that stay open, with little work of its own."""

    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        self._port = port
        self._headers = headers
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, source: AlertSource, alert: Mapping[str, Any]) -> None:
        """One request, until its answer."""
        reader, writer = (
            self._free.pop() if self._free else await asyncio.open_connection("127.0.0.1", self._port)
        )
        body = json.dumps(alert)
        writer.write(
            f"POST {address(source)} HTTP/1.1\r\nHost: bench\r\nAuthorization: {self._headers[source.key]}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        answer = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert answer.startswith("HTTP/1.1 200"), answer
        length = re.search(r"content-length: (\d+)", answer, re.IGNORECASE)
        await reader.readexactly(int(length[1]) if length else 0)
        self._free.append((reader, writer))


class Bench:
    """A served desk on one store, its transport and its senders."""

    def __init__(self, known: Policy, transport: Transport, sender: Sender) -> None:
        self._sources = list(known.alerts.values())
        self._transport = transport
        self._sender = sender

    async def wake(self) -> float:
        """Send a new alert; seconds until its page is handed over."""
        number = next(_numbers)
        start = perf_counter()
        await self._sender.post(self._sources[number % SOURCES], {"title": f"No. {number} is down"})
        await self._transport.hands_over(number)
        return self._transport.handed[number] - start

    async def repeat(self, number: int) -> float:
        """Send an alert again that woke somebody already."""
        await self._sender.post(self._sources[number % SOURCES], {"title": f"No. {number} is down"})
        return 0.0

    async def mixed(self, of: int, seconds: int) -> list[float]:
        """Alerts of which one in so many is new, at 50 a second altogether; how long the new ones took."""
        known = sorted(self._transport.handed)[-of:]
        turns = count()

        async def one() -> float:
            turn = next(turns)
            return await (self.wake() if turn % of == 0 else self.repeat(known[turn % len(known)]))

        return [each for each in await paced(one, 50, 50 * seconds) if each]


@asynccontextmanager
async def served(url: str) -> AsyncIterator[Bench]:
    """A desk on a store, as one process runs it."""
    clock, known = SystemClock(), policy()
    database = Database(url)
    migrations.upgrade(database)
    dispatcher = Dispatcher(registry.load(), lambda: known, database, clock.now, ["console"])
    transport, tokens = Transport(), Tokens(b"the secret of a bench, 32 bytes or more")
    courier = Courier(dispatcher, {"console": transport}, clock, "bench")
    courier.on_nudge_from(dispatcher)
    intake = AlertIntake(dispatcher, lambda: known, tokens, clock.now)
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=intake.routes()), log_level="warning", timeout_keep_alive=60)
    )
    stop = asyncio.Event()
    tasks = [
        asyncio.create_task(server.serve(sockets=[listening])),
        asyncio.create_task(courier.run(stop)),
    ]
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it in no other way
        await asyncio.sleep(0.01)
    headers = {key: f"Bearer {tokens.of(purpose(each))}" for key, each in known.alerts.items()}
    yield Bench(known, transport, Sender(listening.getsockname()[1], headers))
    stop.set()
    server.should_exit = True
    await asyncio.gather(*tasks)
    database.close()


def shown(name: str, spent: Sequence[float], floor: float) -> str:
    """Median and 99th percentile, and how far the latter lies over the floor."""
    values = list(spent)
    over = p(values, 99) - floor * 1e3
    return f"{name:28} p50 {p(values, 50):7.1f} ms   p99 {p(values, 99):7.1f} ms   {over:+7.1f} ms over the floor"


async def measure(store: str, url: str, seconds: int) -> None:
    """One store: the floor, then 50 a second, mostly repeated and all new."""
    async with served(url) as bench:
        for _ in range(20):
            await bench.wake()
        floor = median([await bench.wake() for _ in range(50)])
        print(f"{store}: one alert alone, the floor {floor * 1e3:.1f} ms")
        print(shown(f"{store}: 1 of 10 is new", await bench.mixed(10, seconds), floor))
        print(
            shown(f"{store}: every one is new", await bench.mixed(1, seconds), floor),
            "(bar +150 ms)",
            flush=True,
        )


@contextmanager
def stores() -> Iterator[list[tuple[str, str]]]:
    """A fresh SQLite and a fresh PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder, running_server() as server, server.database() as url:
        yield [("SQLite", f"sqlite:///{Path(folder) / 'desk.db'}"), ("PostgreSQL", url)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20, help="how long to send (default 20)")
    seconds = parser.parse_args().seconds
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with stores() as known:
        for store, url in known:
            asyncio.run(measure(store, url, seconds))


if __name__ == "__main__":
    main()
