"""What it costs a manager to ask what is on file: 5,000,000 records of a year against 50,000, on SQLite and PostgreSQL.

At most twice as much. The records are written by the store itself, without their hashes, and the tallies counted from
them once, as folding them in would leave them; 300 records lie behind the tallies, as between two checkpoints.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from statistics import quantiles
from time import perf_counter

from sqlalchemy import text

from bot.clock import VirtualClock
from config.loading import load
from storage import migrations
from storage.database import Database
from storage.unit_of_work import Records
from tests.harness.house import POLICIES, Talk
from tests.harness.postgres import running_server

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SIZES = (50_000, 5_000_000)
BEHIND = 300
WAYS = (
    "evidence coverage",
    "evidence coverage IRP",
    "evidence coverage SD service:mail within:quarter",
    "evidence gaps",
)
_YEAR = 365 * 86_400_000_000
_BATCH = 500_000

# A record's number decides everything about it; every seventh is the first of its subject, and names its service.
_FILL = """
INSERT INTO evidence (seq, at, actor, surface, action, subject, before, after, practices, policy, reference,
    commitments, previous, hash)
WITH RECURSIVE n(i) AS (SELECT CAST({first} AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {last})
SELECT i, {start} + {step} * i, 'agent', 'console', 'request.taken', 'REQ-' || (i / 7), NULL,
    CASE WHEN i % 7 = 0 THEN '{{"service":"' || {service} || '"}}' END, {practices}, '', '', '{{}}', '', ''
FROM n
"""
_SERVICE = """CASE (i / 7) % 5 WHEN 0 THEN 'mail' WHEN 1 THEN 'vpn' WHEN 2 THEN 'help' WHEN 3 THEN 'network'
    ELSE 'laptops' END"""
_PRACTICES = """CASE i % 6 WHEN 0 THEN '["SD SP 3.1"]' WHEN 1 THEN '["SD SP 3.2","WMC SP 1.1"]'
    WHEN 2 THEN '["IRP SP 2.1"]' WHEN 3 THEN '["IRP SP 2.3"]' WHEN 4 THEN '["CM SP 2.1","SST SP 1.2"]'
    ELSE '["WMC SP 1.2"]' END"""


def fill(database: Database, size: int) -> None:
    """So many records over a year, and the tallies of all but the last."""
    start = int(NOW.timestamp()) * 1_000_000 - _YEAR
    step = _YEAR // size
    sqlite = database.is_sqlite
    with database.engine.begin() as connection:
        if not sqlite:
            connection.execute(text("SET LOCAL statement_timeout TO 0"))
        for first in range(1, size + 1, _BATCH):
            last = min(first + _BATCH - 1, size)
            connection.execute(
                text(
                    _FILL.format(
                        first=first, last=last, start=start, step=step, service=_SERVICE, practices=_PRACTICES
                    ).replace(':"', '\\:"')
                )
            )
        at = "at / 1000000"
        day = (
            f"strftime('%Y-%m-%d', {at}, 'unixepoch')"
            if sqlite
            else f"to_char(to_timestamp({at}) AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
        )
        own = _SERVICE.replace("i /", "seq /")
        for service in ("''", own):
            for span in (day, f"substr({day}, 1, 7)"):
                connection.execute(
                    text(
                        "INSERT INTO evidence_tally (service, span, practices, number, newest, sample)"
                        f" SELECT {service}, {span}, practices, count(*), max(at), max(seq) FROM evidence"
                        f" WHERE seq <= {size - BEHIND} GROUP BY 1, 2, 3"
                    )
                )
    with database.writing() as session:
        Records(session).facts.put("evidence-folded", {"seq": size - BEHIND, "zone": "Europe/Berlin"})
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))


@contextmanager
def stores(engine: str) -> Iterator[Iterator[str]]:
    """Addresses of empty stores of one engine."""
    with tempfile.TemporaryDirectory() as folder:
        if engine == "sqlite":
            yield (f"sqlite:///{folder}/{number}.db" for number, _ in enumerate(SIZES))
            return
        with running_server() as server:

            def each() -> Iterator[str]:
                for _ in SIZES:
                    with server.database() as url:
                        yield url

            yield each()


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), action="append")
    options = parser.parse_args()
    policy = load(POLICIES)
    for engine in options.engine or ("sqlite", "postgresql"):
        found: dict[str, list[tuple[float, float]]] = {line: [] for line in WAYS}
        with stores(engine) as urls:
            for size, url in zip(SIZES, urls, strict=False):
                database = Database(url)
                migrations.upgrade(database)
                began = perf_counter()
                fill(database, size)
                print(f"{engine}: {size:,} records, filled in {perf_counter() - began:.0f} s", flush=True)
                talk = Talk(database, policy, VirtualClock(NOW))
                for line in WAYS:
                    took = []
                    for number in range(options.times + 3):
                        began = perf_counter()
                        reply = talk.say("manager", line)
                        if number >= 3:
                            took.append(perf_counter() - began)
                    assert reply.table is not None, reply.title
                    hundredths = quantiles(took, n=100)
                    found[line].append((hundredths[49], hundredths[98]))
                    print(
                        f"  {line:<50} p50 {hundredths[49] * 1e3:7.2f} ms   p99 {hundredths[98] * 1e3:7.2f} ms"
                    )
                database.close()
        for line, ((p50, p99), (p50_most, p99_most)) in found.items():
            print(f"{engine}: {line}: {p50_most / p50:.2f} x at p50, {p99_most / p99:.2f} x at p99")


if __name__ == "__main__":
    main()
