"""How soon a desk is ready, and how much memory it holds, when much waits.

What should hold: with 100,000 messages that wait, ready within 3 times what the imports alone take; at most 1.3 times
the memory with 100,000 that it has with 100.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import httpx
import psutil

from storage import migrations
from storage.database import Database
from storage.unit_of_work import Records
from tests.harness.house import MONDAY
from tests.survival.world import free_port

_STARTS = 3
_IDLE = 5.0  # seconds
_IMPORTS = (
    "import bot.cli, bot.running, bot.wiring, bot.adapters.console.app, uvicorn.protocols.http.httptools_impl"
)


def prepare(home: Path, waiting: int) -> None:
    """A store in which so many messages wait for a day that is far away, and as many moments."""
    database = Database(f"sqlite:///{home / 'deskbell.db'}")
    migrations.upgrade(database)
    later = MONDAY + timedelta(days=9000)
    with database.writing() as session:
        records = Records(session)
        for first in range(0, waiting, 1000):
            rows = [
                {
                    "key": f"bench/{number}",
                    "kind": "message",
                    "platform": "console",
                    "lane": f"console:C-{number % 1000}",
                    "place": {"channel": f"C-{number % 1000}"},
                    "payload": {"title": "later"},
                    "next_at": later,
                    "created_at": MONDAY,
                }
                for number in range(first, min(first + 1000, waiting))
            ]
            records.outbox.add(rows)
            for row in rows:
                records.dues.set(str(row["key"]), "REQ-1", later, "desk help")
    database.close()


def imports() -> float:
    """Seconds that a process takes to import everything and end."""
    began = perf_counter()
    subprocess.run([sys.executable, "-c", _IMPORTS], check=True)
    return perf_counter() - began


async def start(home: Path) -> tuple[float, float]:
    """Seconds until it is ready, and MB once it was idle for a while."""
    port = free_port()
    environment = {**os.environ, "DESKBELL_HOME": str(home), "PORT": str(port)}
    desk = str(Path(sys.executable).parent / "deskbell")
    began = perf_counter()
    process = await asyncio.create_subprocess_exec(
        desk, "serve", env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient() as client:
            while True:
                with suppress(httpx.TransportError):
                    if (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                        break
                await asyncio.sleep(0.01)
        ready = perf_counter() - began
        await asyncio.sleep(_IDLE)
        return ready, psutil.Process(process.pid).memory_info().rss / 1_000_000
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=100_000, help="messages and moments (default 100000)")
    given = parser.parse_args()
    found = {}
    for waiting in (100, given.waiting):
        with tempfile.TemporaryDirectory() as folder:
            prepare(Path(folder), waiting)
            found[waiting] = [asyncio.run(start(Path(folder))) for _ in range(_STARTS)]
    alone = min(imports() for _ in range(_STARTS))
    (_, little), (ready, much) = (min(found[each]) for each in (100, given.waiting))
    print(
        f"ready after {ready:.2f} s with {given.waiting:,} that wait, {ready / alone:.1f} times the imports (bar 3)"
    )
    print(f"memory {much:.0f} MB, {much / little:.2f} times that with 100 (bar 1.3)")


if __name__ == "__main__":
    main()
