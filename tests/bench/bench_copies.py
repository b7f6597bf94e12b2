"""How long it takes to back a desk up and to put it back, beside copying the same bytes.

A backup is no copy of a file: it is written while the desk works, fits both kinds of store, and when it is put back
every record is checked against its chain and its checkpoints. What should hold for 100,000 tickets: put back within 3
times the time of a copy that is on the disk. A desk that must be back sooner than that keeps a standby of its
PostgreSQL, which is what the guide says.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import structlog

from bot.backup import back_up, put_back
from bot.clock import VirtualClock
from bot.wiring import House
from config.settings import Settings
from tests.bench.bench_idle import World
from tests.bench.bench_ledger import fill
from tests.harness.house import MONDAY
from tests.harness.postgres import running_server

RECORDS = 8
"""How many records of evidence a ticket leaves, as in the example history."""


def house(home: Path, url: str) -> House:
    """A house of its own on a store."""
    given: dict[str, Any] = {"DESKBELL_HOME": home, "DATABASE_URL": url}
    return House(Settings(**given, _env_file=None), VirtualClock(MONDAY))


def copied(source: Path, target: Path) -> float:
    """How many seconds a copy of a file takes that is on the disk in the end."""
    began = perf_counter()
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    return perf_counter() - began


def measure(folder: Path, url: str, tickets: int) -> None:
    """One store to the same kind of store, and to the other."""
    source = folder / "one" / "desk.db"
    source.parent.mkdir()
    world = World(f"sqlite:///{source}", tickets // 100, tickets - tickets // 100)
    fill(world.database, RECORDS * tickets)
    world.database.close()
    one = house(source.parent, f"sqlite:///{source}")
    base = copied(source, folder / "bare.db")
    archive = folder / "backup.zip"
    began = perf_counter()
    back_up(one, archive)
    took = perf_counter() - began
    sizes = (
        f"{source.stat().st_size / 1e6:.0f} MB in a file, {archive.stat().st_size / 1e6:.0f} MB in a backup"
    )
    print(f"{tickets} tickets, {RECORDS * tickets} records: {sizes}; a bare copy takes {base:.2f} s")
    print(f"backed up in {took:.1f} s, {took / base:.0f} times a copy", flush=True)
    one.database.close()
    for store, where in (("SQLite", f"sqlite:///{folder / 'two' / 'desk.db'}"), ("PostgreSQL", url)):
        other = house(folder / store, where)
        began = perf_counter()
        put_back(other, archive)
        took = perf_counter() - began
        print(
            f"{store}: put back and checked in {took:.1f} s, {took / base:.0f} times a copy (bar 3)",
            flush=True,
        )
        other.database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=100_000, help="how many tickets (default 100000)")
    tickets = parser.parse_args().tickets
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(running_server())
        measure(folder, stack.enter_context(server.database()), tickets)


if __name__ == "__main__":
    main()
