"""How soon an alert wakes somebody: from the HTTP request to the page in the hands of a transport.

Times are this machine's. What must hold is a difference within one run: at 50 alerts a second 99 of 100 pages
are handed over at most 150 ms later than the floor, which is what one alert takes in a process that does
nothing else. Everything runs as `deskbell serve` runs it: a server, the intake, one transaction, the courier.

Two kinds of 50 a second are tried: a quiet night, in which nine of ten alerts are told again, and a bad one, in
which every alert is new and ten sources break at once; each of them may open ten incidents before the rest
counts as a storm. How many incidents a second there can be at all is told beside it.
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
from contextlib import asynccontextmanager, contextmanager, suppress
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
from bot.running import spare_what_is_loaded
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
    """The example organisation with ten services, each with its own person on call and two sources of alerts."""
    known = load(POLICIES)
    keys = [f"s{each}" for each in range(SOURCES)]
    network = known.services["network"]

    def source(key: str, service: str, storm: int) -> AlertSource:
        return AlertSource(key, key, AlertKind.GENERIC, service, Level.HIGH, storm=storm, rate=10_000)

    calm = {f"calm-{key}": source(f"calm-{key}", key, 1000) for key in keys}
    stormy = {f"stormy-{key}": source(f"stormy-{key}", key, 10) for key in keys}
    return replace(
        known,
        version="bench",
        people={**known.people, **{key: Person(key=key, name=key.upper()) for key in keys}},
        escalations={key: Escalation(key, key, (EscalationLevel((key,)),), fallback=key) for key in keys},
        services={key: replace(network, key=key, escalation=key) for key in keys},
        alerts=calm | stormy,
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
            waiting = self._waiting.pop(number, None)
            if waiting and not waiting.done():
                waiting.set_result(None)
        return Delivered({"id": delivery.key})

    async def find(self, delivery: Delivery) -> None: ...

    async def hands_over(self, number: int, within: float) -> bool:
        """Wait until the page about an alert is here; False when none came within so many seconds."""
        if number not in self.handed:
            self._waiting[number] = asyncio.get_running_loop().create_future()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._waiting[number], within)
        return number in self.handed


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
        self._sources = known.alerts
        self._transport = transport
        self._sender = sender

    async def tell(self, number: int, kind: str = "calm") -> None:
        """Send an alert."""
        source = self._sources[f"{kind}-s{number % SOURCES}"]
        await self._sender.post(source, {"title": f"No. {number} is down"})

    async def wake(self, kind: str = "calm", within: float = 60) -> float:
        """Send a new alert; seconds until its page is handed over, 0 when none is."""
        number = next(_numbers)
        start = perf_counter()
        await self.tell(number, kind)
        if not await self._transport.hands_over(number, within):
            return 0.0
        return self._transport.handed[number] - start

    async def quiet(self, seconds: int) -> list[float]:
        """50 alerts a second of which one in ten is new; how long the new ones took."""
        known, turns = sorted(self._transport.handed)[-10:], count()

        async def one() -> float:
            turn = next(turns)
            if turn % 10 == 0:
                return await self.wake()
            await self.tell(known[turn % 10])
            return 0.0

        return [each for each in await paced(one, 50, 50 * seconds) if each]

    async def bad(self, seconds: int) -> list[float]:
        """50 new alerts a second from sources that have storms; how long those took that woke somebody."""
        return [each for each in await paced(lambda: self.wake("stormy", 10), 50, 50 * seconds) if each]

    async def at_most(self, number: int) -> float:
        """How many incidents a second are opened, and somebody woken for each, when eight senders hurry."""
        left = iter(range(number))

        async def hurry() -> None:
            for _ in left:
                await self.wake()

        start = perf_counter()
        await asyncio.gather(*(hurry() for _ in range(8)))
        return number / (perf_counter() - start)


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
        uvicorn.Config(Starlette(routes=intake.routes()), log_level="warning", timeout_keep_alive=600)
    )
    stop = asyncio.Event()
    tasks = [
        asyncio.create_task(server.serve(sockets=[listening])),
        asyncio.create_task(courier.run(stop)),
    ]
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it in no other way
        await asyncio.sleep(0.01)
    spare_what_is_loaded()
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
    times = f"p50 {p(values, 50):7.1f} ms   p99 {p(values, 99):7.1f} ms"
    return f"{name:28} {times}   {over:+7.1f} ms over the floor (bar +150), {len(values)} pages"


async def measure(store: str, url: str, seconds: int) -> None:
    """One store: the floor, two kinds of 50 a second, and what there can be at most."""
    async with served(url) as bench:
        for _ in range(20):
            await bench.wake()
        floor = median([await bench.wake() for _ in range(50)])
        print(f"{store}: one alert alone takes {floor * 1e3:.1f} ms, the floor", flush=True)
        print(shown(f"{store}: 1 of 10 is new", await bench.quiet(seconds), floor), flush=True)
        print(shown(f"{store}: a storm", await bench.bad(seconds), floor), flush=True)
        print(f"{store}: {await bench.at_most(300):.0f} incidents a second at most", flush=True)


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
