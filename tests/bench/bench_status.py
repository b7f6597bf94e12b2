"""What it costs a manager to ask whether promises are kept: 1,000,000 closed and 20,000 open tickets.

Against 10,000 closed and 200 open ones at most twice as much, and under 100 ms p99 warm, on SQLite and PostgreSQL.
Every ticket has a promise to respond and one to resolve; what was closed was so within the last year. Clocks are
written by the store itself, and the tallies counted from them once, as every change keeps them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from statistics import quantiles
from time import perf_counter

from sqlalchemy import text

from bot.clock import VirtualClock
from config.loading import load
from storage import migrations
from storage.database import Database
from tests.harness.house import POLICIES, Talk
from tests.harness.postgres import running_server

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SIZES = ((10_000, 200), (1_000_000, 20_000))
WAYS = ("sla status", "sla status mail", "sla status service-desk within:week", "sla status within:year")
_MICROS = 1_000_000
_YEAR = 365 * 86400 * _MICROS
_BATCH = 250_000

# A ticket's number decides everything about it; the odd factors spread it over services, teams and days.
_FILL = """
INSERT INTO clock (subject, promise, kind, agreement, agreement_version, service, topic, team, customer, priority,
    goal, state, open, counted, excluded, decided_on, spent, allowed, started_at, due_at, soon_at, stopped_at,
    breached_at)
WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}),
ticket AS (SELECT i, CAST(i AS BIGINT) * 7919 % 1000003 AS r, {start} + {span} / {total} * (i - {offset}) AS at FROM n)
SELECT 'REQ-' || i, promise, promise, CASE WHEN r % 3 = 0 THEN 'priority' ELSE 'standard' END, 'v1',
    CASE r % 5 WHEN 0 THEN 'mail' WHEN 1 THEN 'laptops' WHEN 2 THEN 'accounts' WHEN 3 THEN 'vpn' ELSE 'help' END,
    'topic' || (r % 12), CASE WHEN r % 2 = 0 THEN 'service-desk' ELSE 'platform' END,
    CASE WHEN r % 3 = 0 THEN 'Everyone who works away from the offices' END, 'P' || (1 + r % 4), 95,
    {state}, {open}, {yes}, {no}, {decided}, {spent}, 14400, at - 7200000000, {due}, {due} - 600000000, {stopped},
    {breached}
FROM ticket CROSS JOIN (SELECT 'respond' AS promise UNION ALL SELECT 'resolve') AS promises
"""


def fill(database: Database, closed: int, running: int) -> None:
    """So many closed and open tickets, and the tallies of their promises."""
    sqlite = database.is_sqlite
    yes, no = ("1", "0") if sqlite else ("true", "false")
    late = "(r % 17 = 0)"
    now = int(NOW.timestamp()) * _MICROS
    day = (
        "strftime('%Y-%m-%d', at / 1000000, 'unixepoch')"
        if sqlite
        else "to_char(to_timestamp(at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
    )
    past = {
        "state": f"CASE WHEN {late} THEN 'met late' ELSE 'met' END", "open": no, "decided": day, "spent": "r % 20000",
        "due": "at", "stopped": "at", "breached": f"CASE WHEN {late} THEN at END", "start": now - _YEAR, "span": _YEAR,
    }  # fmt: skip
    ahead = {
        "state": "CASE r % 10 WHEN 0 THEN 'due soon' WHEN 1 THEN 'paused' ELSE 'running' END", "open": yes,
        "decided": "NULL", "spent": "NULL", "due": "at", "stopped": "NULL", "breached": "NULL",
        "start": now + 3_600_000_000, "span": 7 * 86400 * _MICROS,
    }  # fmt: skip
    with database.writing() as session:
        if not sqlite:
            session.execute(text("SET LOCAL statement_timeout = 0"))  # no person waits for this
        for offset, total, values in ((0, closed, past), (closed, running, ahead)):
            for first in range(offset + 1, offset + total + 1, _BATCH):
                last = min(first + _BATCH - 1, offset + total)
                filled = _FILL.format(
                    first=first, last=last, total=total, offset=offset, yes=yes, no=no, **values
                )
                session.execute(text(filled))
        whose = "service, team, coalesce(customer, ''), agreement, kind, goal"
        came_to = "CASE WHEN breached_at IS NULL THEN 'kept' ELSE 'broken' END"
        for what, which in (
            (f"'', {whose}, state", "open"),
            (f"decided_on, {whose}, {came_to}", "decided_on IS NOT NULL"),
            (f"substr(decided_on, 1, 7), {whose}, {came_to}", "decided_on IS NOT NULL"),
        ):
            counted = f"SELECT {what}, count(*) FROM clock WHERE {which} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8"
            session.execute(text(f"INSERT INTO clock_tally {counted}"))
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))


@contextmanager
def stores(engine: str) -> Iterator[Iterator[str]]:
    """Addresses of empty stores of one engine."""
    with tempfile.TemporaryDirectory() as folder:
        if engine == "sqlite":
            yield (f"sqlite:///{folder}/{number}.db" for number, _ in enumerate(SIZES))
            return
        with running_server() as server, ExitStack() as kept:
            yield iter([kept.enter_context(server.database()) for _ in SIZES])


def timed(talks: Sequence[Talk], line: str, times: int) -> list[list[float]]:
    """Seconds of each answer of each desk, in turns, so that whatever else the machine does strikes both alike."""
    took: list[list[float]] = [[] for _ in talks]
    for number in range(times + 5):
        for talk, seconds in zip(talks, took, strict=True):
            began = perf_counter()
            reply = talk.say("manager", line)
            if number >= 5:  # the first few warm up
                seconds.append(perf_counter() - began)
            assert reply.chart is not None, reply.title
    return took


def measure(engine: str, times: int) -> None:
    """One engine, with few tickets and with many."""
    policy = load(POLICIES)
    with ExitStack() as stack:
        talks = []
        for (closed, running), url in zip(SIZES, stack.enter_context(stores(engine)), strict=False):
            database = Database(url)
            stack.callback(database.close)
            migrations.upgrade(database)
            began = perf_counter()
            fill(database, closed, running)
            print(
                f"{engine}: {closed:,} closed and {running:,} open, filled in {perf_counter() - began:.0f} s"
            )
            talks.append(Talk(database, policy, VirtualClock(NOW)))
        for line in WAYS:
            few, many = (quantiles(each, n=100) for each in timed(talks, line, times))
            print(f"  {line}")
            for name, at in (("p50", 49), ("p99", 98)):
                few_ms, many_ms = few[at] * 1e3, many[at] * 1e3
                print(f"    {name} {few_ms:10.2f} ms {many_ms:10.2f} ms {many_ms / few_ms:8.2f} x")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), action="append")
    options = parser.parse_args()
    for engine in options.engine or ("sqlite", "postgresql"):
        measure(engine, options.times)


if __name__ == "__main__":
    main()
