"""How far one PostgreSQL carries: a day of an organisation of 100,000 people, in a small part, and what that comes to.

A day is 45 requests for each 1,000 people (one a month for each of them), each asked, taken, commented on twice,
fulfilled and confirmed, and 15 hundredths of them within the busiest hour. The part is played through the real
dispatcher, bell and courier with a receiver that answers at once, by so many threads at a time; printed is what a
command and a ticket cost in time of the desk and in room of the store, and how many people that would do for.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from statistics import quantiles
from time import perf_counter, process_time

import structlog
from sqlalchemy import text

from bot.clock import VirtualClock
from bot.courier import Courier
from config.loading import load
from handlers import registry
from handlers.dispatch import Dispatcher
from handlers.messages import Command, Place, Reply, Sender
from storage import migrations
from storage.database import Database
from tests.bench.bench_due import AtOnce
from tests.harness.house import MONDAY, POLICIES
from tests.harness.postgres import running_server

PEOPLE = 100_000
A_DAY = 0.045
"""Requests for each person."""
PEAK = 0.15
"""Of a day's, within its busiest hour."""
THREADS = 4
LIFE = (
    ("staff", 'request new question "Where is thing {n}?" anyway:yes'),
    ("agent", "request take {ref}"),
    ("agent", "request comment {ref} which one?"),
    ("staff", "request comment {ref} the second"),
    ("agent", "request fulfil {ref} there"),
    ("staff", "request confirm {ref}"),
)


class Day:
    """A desk, and how long each command took."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        migrations.upgrade(self.database)
        self.clock = VirtualClock(MONDAY)
        policy = load(POLICIES)
        self.dispatcher = Dispatcher(
            registry.load(), lambda: policy, self.database, self.clock.now, ["console"]
        )
        self.took: list[float] = []

    def say(self, person: str, line: str, key: str) -> Reply:
        sender, place = Sender(platform="console", user=person), Place(platform="console", channel="requests")
        began = perf_counter()
        reply = self.dispatcher.run(Command(line=line, sender=sender, place=place, key=key))
        self.took.append(perf_counter() - began)
        return reply

    def live(self, number: int) -> None:
        """A ticket's life."""
        ref = ""
        for step, (person, line) in enumerate(LIFE):
            ref = self.say(person, line.format(n=number, ref=ref), f"{number}/{step}").subject or ref

    def size(self) -> int:
        """Bytes of the store."""
        with self.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM"))
            return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tickets", type=int, default=400, help="the part of the day that is played (default 400)"
    )
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with running_server() as server, server.database() as url:
        day = Day(url)
        for number in range(20):
            day.live(number)
        day.took.clear()
        before = day.size()
        began, worked = perf_counter(), process_time()
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(day.live, range(20, 20 + given.tickets)))
        said, computed = perf_counter() - began, process_time() - worked
        commands = len(day.took)
        courier = Courier(day.dispatcher, {"console": AtOnce()}, day.clock, "bench")  # type: ignore[dict-item]
        began, worked, sent = perf_counter(), process_time(), 0
        while taken := asyncio.run(courier.drain()):
            sent += taken
            day.clock.set(day.clock.now() + timedelta(seconds=1))
        delivered, carrying = perf_counter() - began, process_time() - worked
        each = (day.size() - before) / given.tickets
        day.database.close()
    p50, p99 = quantiles(day.took, n=100)[49], quantiles(day.took, n=100)[98]
    tickets = PEOPLE * A_DAY
    busiest = tickets * PEAK / 3600
    cost = (computed + carrying) / given.tickets
    print(
        f"{PEOPLE:,} people ask {tickets:,.0f} times a day, {busiest:.2f} times a second in the busiest hour"
    )
    print(f"a command: p50 {p50 * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms with {THREADS} at a time, "
          f"{computed / commands * 1e3:.1f} ms of a processor; {commands / said:,.0f}/s from one process")  # fmt: skip
    print(f"a message: {carrying / sent * 1e3:.1f} ms of a processor, {sent / delivered:,.0f}/s from one courier; "
          f"{sent / given.tickets:.1f} a ticket")  # fmt: skip
    print(f"a ticket: {cost * 1e3:.0f} ms of a processor, {each / 1024:.0f} KiB in the store, "
          f"{each * tickets * 230 / 2**30:.0f} GiB a year of that organisation")  # fmt: skip
    print(f"the busiest hour takes {busiest * cost:.1%} of one processor for the desk itself; at half of one it would "
          f"do for {PEOPLE / (busiest * cost) / 2:,.0f} people")  # fmt: skip


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
