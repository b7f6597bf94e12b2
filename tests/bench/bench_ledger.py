"""What the ledger costs: an action with it and without, a check against a bare scan, and memory.

Times are this machine's. What must hold are the ratios, each taken within one run: an action with the
ledger at most 1.5 times one without, both with one sync; appending at the end of a long ledger at most
1.1 times that of a short one; checking at least 0.2 times as fast as scanning the same table; peak
memory of a check at most 1.2 times that of a short ledger.
"""

from __future__ import annotations

import argparse
import tempfile
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from statistics import quantiles
from time import perf_counter, process_time
from typing import Any

from sqlalchemy import event
from sqlmodel import Session, SQLModel

from handlers.rules.ledger import Entry, audit
from storage import sqlite
from storage.database import Database
from storage.models import evidence, flow
from storage.repositories.flow import Dues, Inbox
from storage.repositories.ledger import Ledger

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MODELS = (evidence.EvidenceRow, evidence.WordsRow, evidence.LedgerHeadRow, evidence.CheckpointRow)
TABLES = [SQLModel.metadata.tables[str(each.__tablename__)] for each in (*MODELS, flow.InboxRow, flow.DueRow)]


def entry(number: int) -> Entry:
    """A usual entry, every third one with a note."""
    return Entry(
        at=NOON + timedelta(seconds=number),
        actor=f"P-{number % 50}",
        surface="slack",
        action="incident.acknowledged",
        subject=f"INC-{number // 5}",
        before={"state": "open", "assignee": None, "severity": f"sev{number % 5}"},
        after={"state": "acknowledged", "assignee": f"P-{number % 50}", "minutes": number},
        practices=("IRP SP 2.1",),
        policy="5f2c9a17",
        reference=f"cmd-{number}",
        words={"note": "I am looking at the queue now"} if number % 3 == 0 else {},
    )


@contextmanager
def desk(journal: str = "WAL") -> Iterator[Database]:
    """A store in a file of its own, with this journal whatever the version of SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'desk.db'}")

        @event.listens_for(database.engine, "connect")
        def settle(connection: Any, _record: object) -> None:
            connection.execute(f"PRAGMA journal_mode={journal}")

        SQLModel.metadata.create_all(database.engine, tables=TABLES)
        yield database
        database.close()


def act(session: Session, number: int) -> None:
    """The least that a command writes: that it was carried out, and one row of state."""
    Inbox(session).record(f"slack/{number}", NOON, {"title": "INC-7 is yours"})
    Dues(session).set(f"INC-{number}/escalate", f"INC-{number}", NOON, f"incident escalate INC-{number}")


def p50(times: list[float]) -> float:
    """The median, in microseconds."""
    return quantiles(times, n=2)[0] * 1e6


def bench_action(journal: str, rounds: int) -> None:
    """An action without the ledger, with an entry, and with an entry with words, taking turns."""
    numbers = count()
    times: dict[str, list[float]] = {"without": [], "entry": [], "entry and words": []}
    with desk(journal) as database:
        for _ in range(rounds):
            for kind, spent in times.items():
                number = next(numbers)
                start = perf_counter()
                with database.writing() as session:
                    act(session, number)
                    if kind != "without":
                        Ledger(session).append([entry(3 * number + (kind == "entry"))])
                spent.append(perf_counter() - start)
    base = p50(times["without"])
    for kind, spent in times.items():
        print(f"{journal:9} action, {kind:16} p50 {p50(spent):7.0f} us   {p50(spent) / base:.2f} (bar 1.5)")


def fill(database: Database, size: int, first: int = 0) -> None:
    """Entries in large transactions, because only their number matters."""
    for start in range(first, size, 5000):
        with database.writing() as session:
            Ledger(session).append(entry(n) for n in range(start, min(start + 5000, size)))


def appends(database: Database, rounds: int) -> float:
    """The median of one append in its own transaction, in microseconds."""
    spent = []
    for number in range(rounds):
        start = perf_counter()
        with database.writing() as session:
            Ledger(session).append([entry(number)])
        spent.append(perf_counter() - start)
    return p50(spent)


def bench_verify(size: int) -> None:
    """A check of a ledger against a bare scan of its table, and the memory that a longer one takes."""
    peaks = []
    with desk() as database:
        for first, reached in ((0, size // 10), (size // 10, size)):
            fill(database, reached, first)
            with database.reading() as session:
                tracemalloc.start()
                assert Ledger(session).verify().good
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
        path = Path(str(database.url.database))
        with database.reading() as session:
            ledger = Ledger(session)
            scan, alone, whole = best(
                lambda: bare_scan(path), lambda: audit(ledger.rows(), ledger.head()), ledger.verify
            )
        print(f"bare scan of {size} records: {size / scan:,.0f}/s")
        print(f"chain and tree:  {size / alone:,.0f}/s, {scan / alone:.2f} (bar 0.2)")
        print(f"verify, words and all: {size / whole:,.0f}/s, {scan / whole:.2f}")
        grown = peaks[1] / peaks[0]
        print(f"peak memory: {peaks[1] / 1024:,.0f} KiB, {grown:.2f} times that of a tenth (bar 1.2)")
        long = appends(database, 300)
    with desk() as database:
        fill(database, 1000)
        short = appends(database, 300)
    print(f"append behind {size}: p50 {long:.0f} us, {long / short:.2f} times that behind 1000 (bar 1.1)")


def best(*actions: Callable[[], object]) -> list[float]:
    """The shortest of five runs of each, in turn, in seconds of this process: others may be busy."""
    spent: list[list[float]] = [[] for _ in actions]
    for _ in range(5):
        for action, times in zip(actions, spent, strict=True):
            start = process_time()
            action()
            times.append(process_time() - start)
    return [min(times) for times in spent]


def bare_scan(path: Path) -> None:
    """Read every column of every row with nothing but the driver."""
    connection = sqlite.driver.connect(path)
    deque(connection.execute("SELECT * FROM evidence ORDER BY seq"), maxlen=0)
    connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100_000, help="records to check (default 100000)")
    parser.add_argument("--rounds", type=int, default=500, help="actions of each kind (default 500)")
    given = parser.parse_args()
    for journal in ("WAL", "TRUNCATE"):
        bench_action(journal, given.rounds)
    bench_verify(given.size)


if __name__ == "__main__":
    main()
