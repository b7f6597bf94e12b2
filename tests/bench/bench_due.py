"""How fast what waits is sent, alone and by two workers, against the commits that it cannot do without.

The receiver answers at once. What should hold: at least half of the rate that two bare durable commits a message
allow; ten times as much at once takes at most 1.2 times ten times as long; two processes at least 1.5 times one on
PostgreSQL, at least 0.8 times on SQLite.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from time import perf_counter
from typing import Any

import structlog
from sqlalchemy import text

from bot.adapters.port import Delivered, Delivery, Result
from bot.clock import VirtualClock
from bot.courier import Courier
from config.loading import load
from handlers import registry
from handlers.dispatch import Dispatcher
from handlers.messages import Reply
from storage import migrations
from storage.database import Database
from storage.unit_of_work import Records
from tests.harness.house import MONDAY, POLICIES
from tests.harness.postgres import running_server


class AtOnce:
    """A platform that takes everything at once."""

    platform, pace = "console", 0.0

    async def deliver(self, delivery: Delivery) -> Result:
        return Delivered({"id": delivery.key})

    async def find(self, delivery: Delivery) -> None:
        return None


def fill(database: Database, messages: int, first: int = 0) -> None:
    """So many messages that may leave now, each to a place of its own."""
    reply = Reply(title="Something is due").model_dump(mode="json", exclude_defaults=True)
    with database.writing() as session:
        database.take_time(session.connection())
        Records(session).outbox.add(
            [
                {
                    "key": f"bench/{number}",
                    "kind": "message",
                    "platform": "console",
                    "lane": f"console:C-{number}",
                    "place": {"channel": f"C-{number}"},
                    "payload": reply,
                    "next_at": MONDAY,
                    "created_at": MONDAY,
                }
                for number in range(first, first + messages)
            ]
        )


def courier(database: Database, name: str) -> Courier:
    """A worker."""
    policy = load(POLICIES)
    clock = VirtualClock(MONDAY)
    dispatcher = Dispatcher(registry.load(), lambda: policy, database, clock.now, ["console"])
    return Courier(dispatcher, {"console": AtOnce()}, clock, name)  # type: ignore[dict-item]


def waiting(database: Database) -> int:
    with database.reading() as session:
        return int(session.connection().execute(text("SELECT count(*) FROM outbox WHERE open")).scalar_one())


async def run(worker: Courier, database: Database) -> None:
    """Send as a worker does, until nothing waits."""
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    while await asyncio.to_thread(waiting, database):  # noqa: ASYNC110 - nobody tells it that nothing waits
        await asyncio.sleep(0.02)
    stop.set()
    await running


def drained(url: str, messages: int, processes: int) -> float:
    """Seconds that it takes so many processes to send so much; each is ready before the clock starts."""
    database = Database(url)
    arguments = [sys.executable, "-m", "tests.bench.bench_due", "--worker", url]
    workers = [
        subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(processes)
    ]
    for each in workers:
        assert each.stdout is not None
        each.stdout.readline()
    fill(database, messages)
    began = perf_counter()
    for each in workers:
        assert each.stdin is not None
        each.stdin.write(b"go\n")
        each.stdin.flush()
    while waiting(database):
        asyncio.run(asyncio.sleep(0.02))
    spent = perf_counter() - began
    for each in workers:
        each.communicate()
    database.close()
    return spent


def two_commits(url: str, times: int) -> float:
    """Seconds for a message of two bare durable commits: it was taken, it was sent."""
    database = Database(url)
    began = perf_counter()
    for number in range(2 * times):
        with database.writing() as session:
            session.connection().execute(
                text("INSERT INTO draft (key, text, at) VALUES (:key, 'x', 0)"), {"key": f"bench/{number}"}
            )
    spent = (perf_counter() - began) / times
    database.close()
    return spent


def compare(store: str, urls: list[str], messages: int) -> None:
    """Print it."""
    for url in urls:
        database = Database(url)
        migrations.upgrade(database)
        database.close()
    few, many, two, bare = urls
    floor = two_commits(bare, 300)
    tenth, whole = drained(few, messages // 10, 1), drained(many, messages, 1)
    both = drained(two, messages, 2)
    print(f"{store:11} {messages} at once: {messages / whole:,.0f}/s, {floor * messages / whole:.2f} of the rate that "
          f"two bare commits allow ({1 / floor:,.0f}/s; bar 0.5)")  # fmt: skip
    print(f"{store:11} {whole / tenth / 10:.2f} times as long for each as a tenth of it (bar 1.2)")
    print(f"{store:11} two workers: {whole / both:.2f} times one (bar {0.8 if store == 'SQLite' else 1.5})")


def work(url: str) -> None:
    """Be a worker: say that one is ready, and begin at a word."""
    database = Database(url)
    worker = courier(database, f"bench:{id(database)}")
    print("ready", flush=True)
    sys.stdin.readline()
    asyncio.run(run(worker, database))
    database.close()


def main() -> None:
    parser: Any = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000, help="at once (default 10000)")
    parser.add_argument("--worker", help="be a worker on this store")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if given.worker:
        work(given.worker)
        return
    with tempfile.TemporaryDirectory() as folder:
        compare("SQLite", [f"sqlite:///{Path(folder) / str(each)}.db" for each in range(4)], given.messages)
    with running_server() as server, ExitStack() as stack:
        urls = [stack.enter_context(server.database()) for _ in range(4)]
        compare("PostgreSQL", urls, given.messages)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
