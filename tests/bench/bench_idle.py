"""What a look around costs when nothing is due, whatever is open or lies in the past.

A request is filed, taken and told; its rows are copied under other numbers until there are as many open and as many
closed ones as asked for. What should hold: a look at most 10 times a bare read of one range of an index, and at
most 1.2 times as long with 100,000 open requests as with 100, and with 1,000,000 closed ones as with 10,000.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Callable
from contextlib import suppress
from statistics import median
from time import perf_counter
from typing import Any

import structlog
from sqlalchemy import Connection, Table, insert, select
from sqlmodel import SQLModel

from bot.clock import VirtualClock
from bot.scheduler import Bell
from config.loading import load
from handlers import registry
from handlers.delivery import Deliveries
from handlers.dispatch import Dispatcher
from handlers.messages import Command, Place, Sender
from storage import migrations
from storage.database import Database
from tests.harness.house import MONDAY, POLICIES
from tests.harness.postgres import running_server

_TABLES = ("request", "clock", "due", "outbox", "post")
_STARTED = ("due", "outbox")
_LINES = (("staff", "request new question why?"), ("agent", "request take REQ-1"))


class World:
    """A desk with so many open and so many closed requests, none of which has anything due."""

    def __init__(self, url: str, open_: int, closed: int) -> None:
        self.clock = VirtualClock(MONDAY)
        self.database = Database(url)
        migrations.upgrade(self.database)
        policy = load(POLICIES)
        dispatcher = Dispatcher(registry.load(), lambda: policy, self.database, self.clock.now, ["console"])
        self.bell = Bell(dispatcher, self.clock, "bench")
        self.deliveries = Deliveries(dispatcher)
        for number, (person, line) in enumerate(_LINES):
            sender, place = (
                Sender(platform="console", user=person),
                Place(platform="console", channel="requests"),
            )
            dispatcher.obey(Command(line=line, sender=sender, place=place, key=str(number)))
        with self.database.engine.begin() as connection:
            self.database.take_time(connection)
            for name in _TABLES:
                table = SQLModel.metadata.tables[name]
                _multiply(connection, table, range(2, open_ + 1), waits=True)
                _multiply(connection, table, range(open_ + 1, open_ + closed + 1), waits=False)
            connection.exec_driver_sql("UPDATE outbox SET open = (1 = 0), state = 'sent'")
        with self.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")

    def look(self) -> None:
        """What bell and courier ask each second."""
        now = self.clock.now()
        for next_at in (self.bell.next_at(now), self.deliveries.next_at(["console"])):
            assert next_at is None or next_at > now

    def read_a_range(self) -> None:
        """The least that can be asked: one range of an index, in a transaction of its own."""
        with self.database.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute(
                "SELECT id FROM due WHERE open AND rank = 0 AND at <= 0 ORDER BY at, id LIMIT 50"
            ).fetchall()
            driver.rollback()


def _multiply(connection: Connection, table: Table, numbers: range, *, waits: bool) -> None:
    """Copy the rows of the first request for all the others; what is over waits for nothing."""
    rows = [dict(row) for row in connection.execute(select(table)).mappings()]
    mine = [row for row in rows if "REQ-1" in (row.get("subject"), row.get("ref")) or row.get("number") == 1]
    batch: list[dict[str, Any]] = []
    for number in numbers:
        for place, row in enumerate(mine):
            copied = {
                name: value.replace("REQ-1", f"REQ-{number}") if isinstance(value, str) else value
                for name, value in row.items()
            }
            if "id" in copied:
                copied["id"] = 1_000_000 + number * 100 + place
            if "number" in copied:
                copied["number"] = number
            if not waits and "open" in copied:
                copied["open"] = False
            batch.append(copied)
        if len(batch) >= 5000:
            connection.execute(insert(table), batch)
            batch = []
    if batch:
        connection.execute(insert(table), batch)


def spent(work: Callable[[], None], rounds: int = 20) -> float:
    """The median, in milliseconds."""
    found = []
    for _ in range(rounds):
        start = perf_counter()
        work()
        found.append(perf_counter() - start)
    return median(found) * 1e3


def compare(store: str, worlds: dict[str, World], rounds: int) -> None:
    """Look around in all of them in turn, so that whatever slows the machine slows all."""
    few, *more = worlds
    for world in worlds.values():
        spent(world.look)
    taken = [{name: spent(world.look) for name, world in worlds.items()} for _ in range(rounds)]
    bare = median(spent(worlds[few].read_a_range) for _ in range(rounds))
    base = median(each[few] for each in taken)
    print(f"{store:11} {few}: {base:.2f} ms, {base / bare:.1f} times a bare read ({bare:.3f} ms; bar 10)")
    for name in more:
        ratio = median(each[name] / each[few] for each in taken)
        print(
            f"{store:11} {name}: {median(each[name] for each in taken):.2f} ms, {ratio:.2f} times (bar 1.2)"
        )
        worlds[name].database.close()
    worlds[few].database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=20, help="times twenty looks in each world (default 20)"
    )
    parser.add_argument("--part", type=float, default=1.0, help="a part of the sizes, such as 0.1")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sizes = {
        "100 open, 10,000 closed": (100, int(10_000 * given.part)),
        f"{int(100_000 * given.part):,} open": (int(100_000 * given.part), int(10_000 * given.part)),
        f"{int(1_000_000 * given.part):,} closed": (100, int(1_000_000 * given.part)),
    }
    with tempfile.TemporaryDirectory() as folder:
        urls = [f"sqlite:///{folder}/{number}.db" for number in range(len(sizes))]
        compare(
            "SQLite", {n: World(u, *s) for u, (n, s) in zip(urls, sizes.items(), strict=True)}, given.rounds
        )
    with (
        running_server() as server,
        server.database() as one,
        server.database() as two,
        server.database() as three,
    ):
        urls = [one, two, three]
        compare(
            "PostgreSQL",
            {n: World(u, *s) for u, (n, s) in zip(urls, sizes.items(), strict=True)},
            given.rounds,
        )


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
