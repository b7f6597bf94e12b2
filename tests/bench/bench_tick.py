"""What it costs to ask what is due when nothing is: at most 1.2 times as much with 10,000 open incidents as with 10.

One incident is declared and climbs its three levels as any other; its rows are then copied under other numbers,
so that the tables hold what they would hold after so many. A tick is what the bell and the courier ask each
second, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from time import perf_counter

import structlog
from sqlalchemy import Engine, Table, insert, select
from sqlmodel import SQLModel

from bot.scheduler import Bell
from config.loading import load
from handlers import registry
from handlers.delivery import Deliveries
from handlers.dispatch import Dispatcher
from handlers.messages import Command, Place, Sender
from storage import migrations
from storage.database import Database
from tests.bench.bench_ack import POLICIES
from tests.harness.postgres import running_server

_START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
_COPIED = ("incident", "incident_part", "clock", "due", "outbox", "post")
_OPEN = (10, 10_000)


@dataclass
class Hands:
    """A clock that is set by hand."""

    at: datetime

    def now(self) -> datetime:
        return self.at


class World:
    """A desk with so many open incidents, none of which has anything due."""

    def __init__(self, url: str, incidents: int) -> None:
        self.clock = Hands(_START)
        self.database = Database(url)
        migrations.upgrade(self.database)
        policy = load(POLICIES)
        self.dispatcher = Dispatcher(
            registry.load(), lambda: policy, self.database, self.clock.now, ["console"]
        )
        self.bell = Bell(self.dispatcher, self.clock, "bench")
        self.deliveries = Deliveries(self.dispatcher)
        self._open(incidents)

    def _open(self, incidents: int) -> None:
        said = Command(
            line="incident declare No network service:network impact:high urgency:high",
            sender=Sender(platform="console", user="staff"),
            place=Place(platform="console", channel="on-call"),
            key="bench",
        )
        self.dispatcher.obey(said)
        for _ in range(20):  # minutes: three levels, as nobody answers
            self.clock.at += timedelta(minutes=1)
            while self.bell.ring():
                pass
            while claims := self.deliveries.claim(self.clock.at, "bench", {"console": 16}):
                for claim in claims:
                    if parcel := self.deliveries.ready(claim, self.clock.at):
                        self.deliveries.settle(
                            self.deliveries.give_up(
                                parcel, "a bench sends nothing", self.clock.at, self.clock.at
                            )
                        )
        for name in _COPIED:
            _multiply(self.database.engine, SQLModel.metadata.tables[name], incidents)
        if not self.database.is_sqlite:
            with self.database.engine.begin() as connection:
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")  # nobody waits for it
                connection.exec_driver_sql("ANALYZE")

    def tick(self) -> None:
        """What bell and courier ask when they look around."""
        assert self.bell.ring() == 0
        assert not self.deliveries.claim(self.clock.at, "bench", {"console": 16})
        self.bell.next_at()
        self.deliveries.next_at(["console"])


def _multiply(engine: Engine, table: Table, number: int) -> None:
    """Copy the rows that belong to the first incident for all the others; no transaction may last for long."""
    with engine.begin() as connection:
        rows = [dict(row) for row in connection.execute(select(table)).mappings()]
    mine = [
        row for row in rows if row.get("subject") == "INC-1" or 1 in (row.get("incident"), row.get("number"))
    ]
    copies = [_as_of(row, each, place) for each in range(2, number + 1) for place, row in enumerate(mine)]
    for start in range(0, len(copies), 5000):
        with engine.begin() as connection:
            connection.execute(insert(table), copies[start : start + 5000])


def _as_of(row: dict[str, object], number: int, place: int) -> dict[str, object]:
    copied = {
        name: value.replace("INC-1", f"INC-{number}") if isinstance(value, str) else value
        for name, value in row.items()
    }
    if "id" in copied:
        copied["id"] = 1_000_000 + number * 1000 + place
    for name in ("number", "incident"):
        if name in copied:
            copied[name] = number
    return copied


def spent(work: Callable[[], None], rounds: int) -> float:
    """The median, in milliseconds."""
    found = []
    for _ in range(rounds):
        start = perf_counter()
        work()
        found.append(perf_counter() - start)
    return median(found) * 1e3


def compare(store: str, urls: tuple[str, str], rounds: int) -> None:
    """Tick both worlds in turn, so that whatever slows the machine slows both."""
    few, many = (World(url, number) for url, number in zip(urls, _OPEN, strict=True))
    spent(few.tick, 20), spent(many.tick, 20)
    pairs = [(spent(few.tick, 20), spent(many.tick, 20)) for _ in range(rounds // 20)]
    ratio = median(many_ms / few_ms for few_ms, many_ms in pairs)
    shown = ", ".join(
        f"{number} open {median(column):.2f} ms"
        for number, column in zip(_OPEN, zip(*pairs, strict=True), strict=True)
    )
    print(f"{store:12} {shown}   {ratio:.2f} times (bar 1.2)")
    for each in (few, many):
        each.database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=400, help="ticks of each world (default 400)")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as folder:
        compare("SQLite", (f"sqlite:///{folder}/few.db", f"sqlite:///{folder}/many.db"), given.rounds)
    with running_server() as server, server.database() as few, server.database() as many:
        compare("PostgreSQL", (few, many), given.rounds)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
