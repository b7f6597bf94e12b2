"""What the pages cost: from the request to the first byte, against what the store is asked for it, and their size.

Times are this machine's. What should hold, warm: p99 under 100 ms, at most three times what the questions take, no page
over 200 kB. A picture is drawn once and then remembered. Last, a drill's report of 200 steps in 10 lanes with 50
participants as a PDF: at most 3 s, in flat memory.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import structlog

from bot.clock import VirtualClock
from bot.printing import drill_pdf
from bot.rehearsal.player import Player
from bot.rehearsal.script import read
from bot.rehearsal.stage import RoomInMemory
from bot.running import spare_what_is_loaded
from bot.web.changes import ChangePages
from bot.web.doors import Doors
from bot.web.pages import PAGES
from bot.web.special import facts_of, length
from config.loading import load
from handlers.continuity.report import Attendee, report_of
from storage import migrations
from storage.database import Database
from storage.unit_of_work import Records
from tests.harness.house import MONDAY, POLICIES, Talk
from tests.harness.pages import DRILL, client, link

ROUNDS = 120
TICKETS = 300
REPORTS = 8
EVERY = [
    *(page.path for page in PAGES),
    "/desk/calendar",
    "/desk/continuity",
    "/desk/evidence",
    "/desk/drills/DRL-1",
    "/desk/tickets/REQ-1",
    "/desk/tickets/DRL-1",
]


def furnished(path: Path) -> Talk:
    """A desk that has rehearsed a disaster and has some hundred tickets."""
    database = Database(f"sqlite:///{path}")
    migrations.upgrade(database)
    policy, clock = load(POLICIES), VirtualClock(MONDAY)
    asyncio.run(Player(read(DRILL), database, RoomInMemory(policy), clock).play())
    talk = Talk(database, policy, clock)
    for number in range(1, TICKETS + 1):
        talk.say("staff", f"request new question question:“How does number {number} work?”")
        if number % 2:
            talk.say("agent", f"request take REQ-{number}")
            talk.say("agent", f"request fulfil REQ-{number} “Like this”")
    return talk


class Stopwatch:
    """Adds up how long the desk takes to answer."""

    def __init__(self) -> None:
        self.took = 0.0

    def around(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same work, timed."""

        def timed(*given: Any) -> Any:
            began = perf_counter()
            try:
                return work(*given)
            finally:
                self.took += perf_counter() - began

        return timed


async def pages(talk: Talk) -> None:
    """Each page again and again."""
    watch = Stopwatch()
    talk.dispatcher.ask = watch.around(talk.dispatcher.ask)  # type: ignore[method-assign]
    Doors.visit = watch.around(Doors.visit)  # type: ignore[method-assign]
    ChangePages.ask = watch.around(ChangePages.ask)  # type: ignore[method-assign]
    async with client(talk) as web:
        await web.post(link(talk, "manager"))
        spare_what_is_loaded()  # as a desk does once it is ready
        for path in EVERY:
            size = len((await web.get(path)).content)
            whole, answers = [], []
            for _ in range(ROUNDS):
                watch.took, began = 0.0, perf_counter()
                page = await web.get(path)
                whole.append(perf_counter() - began)
                answers.append(watch.took)
                assert page.status_code == 200, path
            p99 = quantiles(whole, n=100)[98] * 1e3
            ratio = median(whole) / median(answers) if median(answers) else 0.0
            print(
                f"{path:24} {size / 1000:6.1f} kB, median {median(whole) * 1e3:5.1f} ms, p99 {p99:5.1f} ms,"
                f" {ratio:.1f} × its questions"
            )


def resident() -> float:
    """What this process holds in memory, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def reports(talk: Talk) -> None:
    """A large drill's report, printed again and again."""
    with talk.database.reading() as session:
        small = report_of(talk.policy, Records(session), "DRL-1", talk.clock.now())
    begun = small.started_at or MONDAY
    steps = tuple(
        replace(
            small.steps[number % len(small.steps)],
            key=f"s{number}",
            lane=f"Lane {number % 10}",
            planned=(
                begun + timedelta(minutes=number // 10 * 10),
                begun + timedelta(minutes=number // 10 * 10 + 9),
            ),
        )
        for number in range(200)
    )
    people = tuple(Attendee(f"Person {number}", begun) for number in range(50))
    large = replace(small, steps=steps, attendance=people)
    took, held = [], []
    for _ in range(REPORTS):
        began = perf_counter()
        facts = facts_of(large, "UTC", large.as_of)
        printed = drill_pdf(large, "Example", "Europe/Berlin", facts, "full drill", "finished", length)
        took.append(perf_counter() - began)
        held.append(resident())
    print(
        f"report of 200 steps: first {took[0]:.2f} s, then median {median(took[1:]):.2f} s,"
        f" {len(printed) / 1000:.0f} kB; memory {held[0]:.0f} MB after the first, {held[-1]:.0f} MB after {REPORTS}"
    )


def main() -> None:
    """Measure both."""
    structlog.configure(processors=[_drop])
    with tempfile.TemporaryDirectory() as folder:
        talk = furnished(Path(folder) / "desk.db")
        asyncio.run(pages(talk))
        reports(talk)
        talk.database.close()


def _drop(*_: Any) -> Any:
    raise structlog.DropEvent


if __name__ == "__main__":
    main()
