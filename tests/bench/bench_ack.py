"""How soon Slack gets its acknowledgement: a signed command in, its effect durable, the answer out.

Times are this machine's. What must hold are ratios taken within one run: at the dispatch boundary the median
at most 1.5 times that of a bare Bolt app plus one durable commit; over HTTP at 50 requests a second 99 of
100 within 30 ms; with 50 calls to a Slack that does not answer in flight, 99 of 100 within 100 ms and none
refused; beside one who floods the desk at most 1.5 times as long as without.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, cycle
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Any
from urllib.parse import urlencode

import httpx
import structlog
import uvicorn
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request

from bot.adapters.port import Ear
from bot.adapters.slack.app import SlackAdapter
from bot.adapters.slack.inbound import PATH
from bot.clock import SystemClock
from bot.courier import Courier
from bot.running import spare_what_is_loaded
from config.loading import load
from config.policy import Room
from handlers import registry
from handlers.declare import Change, Commands, Outcome, command
from handlers.desk import Desk
from handlers.directory import Directory
from handlers.dispatch import Dispatcher
from handlers.messages import Notice, Reply, ToRoom
from handlers.outgoing import Postbox
from handlers.parsing import Text
from storage import migrations, sqlite
from storage.database import Database
from storage.unit_of_work import Records
from tests.harness.slack import BOT_TOKEN, SECRET, FakeSlack
from tests.harness.troubles import Hang

POLICIES = Path(__file__).parents[2] / "config" / "policies"
SLOW = 50
"""How many calls to a Slack that does not answer are under way at once."""

FORM = "application/x-www-form-urlencoded"

_numbers = count(1)


@dataclass(frozen=True)
class Noted:
    """For example: bench note hello"""

    words: Text


@command("bench note", params=Noted, evidences=("SD SP 3.1",))
def note(asked: Noted, desk: Desk) -> Outcome:
    """The least that a command changes: one entry of evidence."""
    change = Change(action="bench.noted", subject="REQ-1", after={"size": len(asked.words)})
    return Outcome(reply=Reply(title="Noted"), changes=[change])


def body(name: str, text: str, user: str = "U0BENCH") -> bytes:
    """A slash command's form."""
    number = next(_numbers)
    known = {"command": f"/{name}", "text": text, "user_id": user, "user_name": "Bea Bench"}
    return urlencode(
        {**known, "team_id": "T0DESKBELL", "channel_id": "DU0BENCH", "trigger_id": f"{number}.bench"}
    ).encode()


def _slow_room(number: int) -> Room:
    return Room(key=f"slow-{number}", name=f"Slow {number}", places={"slack": f"C0SLOW{number}"})


@asynccontextmanager
async def desk(rate: int | None = None) -> AsyncIterator[tuple[SlackAdapter, FakeSlack, Dispatcher]]:
    """The example organisation's desk on a fresh SQLite, reached through Slack."""
    clock = SystemClock()
    policy = load(POLICIES)
    rooms = {f"slow-{number}": _slow_room(number) for number in range(SLOW)}
    policy = replace(policy, rooms={**policy.rooms, **rooms})
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/desk.db")
        migrations.upgrade(database)
        commands = Commands([*registry.CAPABILITIES, sys.modules[__name__]])
        dispatcher = Dispatcher(commands, lambda: policy, database, clock.now, ["slack"], rate=rate)
        fake = await FakeSlack(clock.now).start()
        adapter = SlackAdapter(
            Ear(dispatcher), clock.now, bot_token=BOT_TOKEN, signing_secret=SECRET, api_url=fake.api_url
        )
        await adapter.start()
        try:
            yield adapter, fake, dispatcher
        finally:
            await adapter.stop()
            await fake.stop()
            database.close()


def at_the_boundary(adapter: SlackAdapter, fake: FakeSlack) -> Callable[[bytes], Awaitable[int]]:
    """A signed request handed to the adapter without a server between."""

    async def send(content: bytes) -> int:
        signed = {"content-type": FORM, **fake.signed(content)}
        headers = [(name.encode(), value.encode()) for name, value in signed.items()]
        scope = {"type": "http", "method": "POST", "path": PATH, "headers": headers, "query_string": b""}
        parts = iter([{"type": "http.request", "body": content, "more_body": False}])

        async def receive() -> Any:
            return next(parts)

        return int((await adapter._receive(Request(scope, receive))).status_code)

    return send


def bare_bolt() -> Callable[[], Coroutine[Any, Any, float]]:
    """How long a Bolt app takes that does nothing, as fast as Bolt can be."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id="T0DESKBELL", bot_user_id="U0", bot_token="xoxb")

    logger = logging.getLogger("bench")
    logger.setLevel(logging.ERROR)
    app = AsyncApp(
        logger=logger,
        client=AsyncWebClient(logger=logger),
        authorize=authorize,
        signing_secret=SECRET,
        process_before_response=True,
    )

    @app.command("/bench")
    async def nothing(ack: Any) -> None:
        await ack("Noted")

    signer = FakeSlack(SystemClock().now)

    async def once() -> float:
        content = body("bench", "note hello")
        headers = {"content-type": FORM, **signer.signed(content)}
        start = perf_counter()
        answer = await app.async_dispatch(AsyncBoltRequest(body=content.decode(), headers=dict(headers)))
        spent = perf_counter() - start
        assert answer.status == 200
        return spent

    return once


@contextmanager
def durable_commit() -> Iterator[Callable[[], Coroutine[Any, Any, float]]]:
    """How long two inserts and a commit take that is on the disk, with nothing but the driver."""
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite.driver.connect(f"{folder}/bare.db", isolation_level=None)
        connection.execute(f"PRAGMA journal_mode={sqlite.journal}")
        connection.execute("PRAGMA synchronous=FULL")
        for table in ("inbox", "evidence"):
            connection.execute(f"CREATE TABLE {table} (key TEXT PRIMARY KEY, body TEXT)")

        async def once() -> float:
            key = f"k{next(_numbers)}"
            start = perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            for table in ("inbox", "evidence"):
                connection.execute(f"INSERT INTO {table} VALUES (?, ?)", (key, "x" * 200))
            connection.execute("COMMIT")
            return perf_counter() - start

        yield once
        connection.close()


def said(
    send: Callable[[bytes], Awaitable[int]], name: str, text: str
) -> Callable[[], Coroutine[Any, Any, float]]:
    """How long a command takes."""

    async def once() -> float:
        content = body(name, text)
        start = perf_counter()
        assert await send(content) == 200
        return perf_counter() - start

    return once


def said_again(send: Callable[[bytes], Awaitable[int]]) -> Callable[[], Coroutine[Any, Any, float]]:
    """How long the first answer takes when Slack repeats what was carried out."""

    async def once() -> float:
        content = body("bench", "note hello")
        assert await send(content) == 200
        began = perf_counter()
        assert await send(content) == 200
        return perf_counter() - began

    return once


def shown(spent: list[float]) -> str:
    """Median and 99th percentile, in milliseconds."""
    return f"p50 {p(spent, 50):7.2f} ms   p99 {p(spent, 99):7.2f} ms"


def p(spent: list[float], percentile: int) -> float:
    """A percentile in milliseconds."""
    return quantiles(spent, n=100)[percentile - 1] * 1e3


async def bench_boundary(rounds: int) -> None:
    """At the dispatch boundary, against a bare Bolt app and one durable commit, turn by turn: disks have moods."""
    async with desk() as (adapter, fake, _):
        send = at_the_boundary(adapter, fake)
        commands = {
            "desk whoami": said(send, "desk", "whoami"),
            "bench note": said(send, "bench", "note hello"),
            # Distinct askers of this one would only measure how people are met.
            "request new": said(send, "request", "new question question:Why? anyway:yes"),
        }
        again = {"bench note, said again": said_again(send)}
        with durable_commit() as commit:
            floor = {"bare Bolt": bare_bolt(), "one durable commit": commit}
            every = {**floor, **commands, **again}
            spent: dict[str, list[float]] = {name: [] for name in every}
            for turn in range(-20, rounds):
                for name, once in every.items():
                    took = await once()
                    if turn >= 0:
                        spent[name].append(took)
    both = sum(p(spent[name], 50) for name in floor)
    for name in again:
        print(f"{name:24} {shown(spent[name])}   (bar 50 ms)")
    for name in floor:
        print(f"{name:24} {shown(spent[name])}")
    for name in commands:
        ratio = p(spent[name], 50) / both
        print(f"{name:24} {shown(spent[name])}   {ratio:.2f} times both (bar 1.5)")


@asynccontextmanager
async def served(adapter: SlackAdapter) -> AsyncIterator[str]:
    """The adapter's routes behind uvicorn on a loopback port."""
    # A socket without its protocol named gets no TCP_NODELAY, and every answer waits 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=adapter.routes()), log_level="warning"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it in no other way
        await asyncio.sleep(0.01)
    spare_what_is_loaded()  # as a desk does once it is ready
    yield f"http://127.0.0.1:{listening.getsockname()[1]}{PATH}"
    server.should_exit = True
    await serving


async def paced(post: Callable[[], Coroutine[Any, Any, float]], rate: float, number: int) -> list[float]:
    """So many requests at so many a second, whether or not the earlier ones are answered."""
    tasks: list[asyncio.Task[float]] = []
    start = perf_counter()
    for each in range(number):
        await asyncio.sleep(max(0.0, start + each / rate - perf_counter()))
        tasks.append(asyncio.create_task(post()))
    return list(await asyncio.gather(*tasks))


Post = Callable[..., Coroutine[Any, Any, float]]


@asynccontextmanager
async def reached(rate: int | None = None) -> AsyncIterator[tuple[Post, SlackAdapter, FakeSlack, Dispatcher]]:
    """A served desk, and what posts a command to it: by its name, its words and who says it."""
    async with (
        desk(rate) as (adapter, fake, dispatcher),
        served(adapter) as url,
        httpx.AsyncClient(timeout=10) as client,
    ):

        async def post(name: str = "bench", text: str = "note hello", user: str = "U0BENCH") -> float:
            content = body(name, text, user)
            start = perf_counter()
            answer = await client.post(
                url, content=content, headers={"content-type": FORM, **fake.signed(content)}
            )
            assert answer.status_code == 200, answer.text
            return perf_counter() - start

        yield post, adapter, fake, dispatcher


async def bench_http(seconds: int) -> None:
    """Over HTTP at 50 requests a second, alone and beside 50 commands whose Slack does not answer."""
    async with reached() as (post, adapter, fake, dispatcher):
        await paced(post, 50, 50)
        spent = await paced(post, 50, 50 * seconds)
        print(f"HTTP, 50 a second        {shown(spent)}   (bar p99 30 ms)")
        fake.trouble("views.open", *[Hang()] * SLOW)
        held = [asyncio.create_task(post("bench", "note")) for _ in range(SLOW)]
        await fifty(fake, "views.open")
        beside = await paced(post, 50, 75)
        hung = sum(not each.done() for each in held)
        print(f"beside {hung} hanging forms  {shown(beside)}   (bar p99 100 ms)")
        print(f"those forms' own answers {shown(await asyncio.gather(*held))}   (Slack waits 3000 ms)")

        fake.trouble("chat.postMessage", *[Hang()] * SLOW)
        async with sending(dispatcher, adapter):
            await fifty(fake, "chat.postMessage")
            beside = await paced(post, 50, 250)
        print(f"beside {SLOW} hanging posts  {shown(beside)}   (bar p99 100 ms)")


async def bench_flood(seconds: int) -> None:
    """Over HTTP at 50 requests a second from 100 people, alone and beside one who says as much as all of them.

    That one is refused from the sixtieth command of a minute on.
    """
    people = cycle(f"U{number}" for number in range(100))

    async with reached(rate=60) as (post, *_):

        async def one() -> float:
            return await post(user=next(people))

        await paced(one, 50, 100)
        alone = await paced(one, 50, 50 * seconds)
        flooding = asyncio.create_task(paced(partial(post, user="U0FLOOD"), 50, 50 * seconds))
        beside = await paced(one, 50, 50 * seconds)
        await flooding
    ratio = p(beside, 99) / p(alone, 99)
    print(f"100 people               {shown(alone)}")
    print(f"beside one who floods    {shown(beside)}   {ratio:.2f} times alone (bar 1.5)")


async def fifty(fake: FakeSlack, method: str) -> None:
    """Until so many calls of a method are under way, which nobody answers."""
    while len(fake.called(method)) < SLOW:  # noqa: ASYNC110 - the stand-in tells it in no other way
        await asyncio.sleep(0.01)


@asynccontextmanager
async def sending(dispatcher: Dispatcher, adapter: SlackAdapter) -> AsyncIterator[None]:
    """A courier that has as many destinations to serve at once as there are slow ones."""
    clock, stop = SystemClock(), asyncio.Event()
    notices = [
        Notice(to=ToRoom(room=f"slow-{number}"), reply=Reply(title="Slow"), key=f"slow/{number}")
        for number in range(SLOW)
    ]
    with dispatcher.database.writing() as session:
        records = Records(session)
        policy = dispatcher.policy()
        directory = Directory(policy, records, dispatcher.platforms)
        Postbox(policy, records, directory, dispatcher.platforms).post(notices, (), clock.now(), "slack", ())
    courier = Courier(dispatcher, {"slack": adapter}, clock, "bench", at_once=SLOW)
    sent = asyncio.create_task(courier.run(stop))
    try:
        yield
    finally:
        stop.set()
        sent.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=500, help="commands of each kind (default 500)")
    parser.add_argument("--seconds", type=int, default=20, help="how long to send over HTTP (default 20)")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asyncio.run(bench_boundary(given.rounds))
    asyncio.run(bench_http(given.seconds))
    asyncio.run(bench_flood(given.seconds))


if __name__ == "__main__":
    main()
