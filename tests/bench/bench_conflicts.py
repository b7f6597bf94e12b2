"""What it costs to see all that stands in a change's way: 100,000 scheduled changes, 1,000 recurring freezes.

Times are this machine's. What should hold: p99 at most 20 ms, and at most twice that against 1,000 scheduled changes;
the calendar page of a quarter with 5,000 changes rendered in at most three times its question's time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median, quantiles
from time import perf_counter
from typing import Any

from sqlalchemy import insert

from bot.clock import VirtualClock
from bot.tokens import Tokens
from bot.web.changes import MOST_DAYS, ChangePages
from config.loading import load
from config.policy import Freeze, Policy, Service
from handlers.changes.windowing import free_window, in_the_way
from handlers.messages import Command, Place, Sender
from storage import migrations
from storage.database import Database
from storage.models.changes import Change, ChangeService
from storage.unit_of_work import Records
from tests.harness.house import POLICIES, Talk

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
YEAR = timedelta(days=365)
SERVICES, PEOPLE, FREEZES = 300, 200, 1000
CHECKS = 2000
BATCH = 5000


def estate(random: Random) -> Policy:
    """Services that rest on up to two others, in tiers; freezes of which one in a hundred is for all of them."""
    base = load(POLICIES)
    services: dict[str, Service] = {}
    for number in range(SERVICES):
        below = range(max(0, number // 2 - 60), number // 2)
        rests_on = tuple(f"s{each}" for each in sorted(random.sample(below, min(2, len(below)))))
        services[f"s{number}"] = Service(
            key=f"s{number}", name=f"Service {number}", owner="owner", team="platform", depends_on=rests_on
        )
    rules = (
        "FREQ=DAILY",
        "FREQ=WEEKLY",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH",
        "FREQ=MONTHLY;BYDAY=-1FR",
        "FREQ=YEARLY",
    )
    freezes = {}
    for number in range(FREEZES):
        rule = random.choice(rules)
        day = datetime.fromisoformat("2026-01-30" if "MONTHLY" in rule else "2026-01-05")
        freezes[f"f{number}"] = Freeze(
            key=f"f{number}",
            name=f"Freeze {number}",
            zone="Europe/Berlin",
            start=day + timedelta(hours=random.randrange(24)),
            lasts=3600 * random.randint(1, 4),
            repeats=rule,
            services=() if number % 100 == 0 else (f"s{random.randrange(SERVICES)}",),
        )
    return replace(
        base, services={**base.services, **services}, freezes=freezes, version=f"bench {random.random()}"
    )


def fill(database: Database, number: int, random: Random) -> None:
    """So many scheduled changes within a year, of one to three services each."""
    changes: list[dict[str, Any]] = []
    held: list[dict[str, Any]] = []
    for each in range(1, number + 1):
        start = NOW + YEAR * random.random()
        end = start + timedelta(minutes=random.randint(30, 480))
        person = f"p{random.randrange(PEOPLE)}"
        changes.append(
            {
                "number": each, "kind": "normal", "title": f"change {each}", "room": "changes", "state": "scheduled",
                "requester": person, "implementer": person, "starts_at": start, "ends_at": end, "ballot": 1,
                "seal": "0" * 64, "stage": 0, "platform": "console", "opened_at": NOW, "changed_at": NOW, "version": 1,
            }
        )  # fmt: skip
        held += (
            {
                "change": each,
                "service": f"s{name}",
                "person": person,
                "starts_at": start,
                "ends_at": end,
                "days": 1,
                "holds": True,
            }
            for name in random.sample(range(SERVICES), random.randint(1, 3))
        )
    with database.writing() as session:
        for table, rows in ((Change, changes), (ChangeService, held)):
            for first in range(0, len(rows), BATCH):
                session.execute(insert(table), rows[first : first + BATCH])


def windows(random: Random) -> Iterator[tuple[list[str], str, datetime, datetime]]:
    """New windows to be checked, within the next quarter."""
    while True:
        start = NOW + YEAR / 4 * random.random()
        services = [f"s{each}" for each in random.sample(range(SERVICES), random.randint(1, 2))]
        yield (
            services,
            f"p{random.randrange(PEOPLE)}",
            start,
            start + timedelta(minutes=random.randint(30, 480)),
        )


def checks(talk: Talk, random: Random) -> tuple[list[float], float]:
    """Seconds of each check, and how much was in the way on average."""
    sender = Sender(platform="console", user="oncall")
    command = Command(line="", sender=sender, place=Place(platform="console"), key="")
    took, found = [], 0
    wanted = windows(random)
    for _ in range(CHECKS):
        services, person, start, end = next(wanted)
        with talk.database.reading() as session:
            desk = talk.dispatcher._desk(command, Records(session), "")
            began = perf_counter()
            found += len(in_the_way(desk, "CHG-0", services, person, start, end))
            took.append(perf_counter() - began)
    with talk.database.reading() as session:
        desk = talk.dispatcher._desk(command, Records(session), "")
        services, person, start, end = next(wanted)
        began = perf_counter()
        free_window(desk, services, person, end - start, start)
        print(f"  the next free window within 90 days {(perf_counter() - began) * 1e3:10.2f} ms")
    return took, found / CHECKS


def conflicts() -> None:
    """Against 1,000 and against 100,000 scheduled changes."""
    p99s = []
    for number in (1_000, 100_000):
        random = Random(7)
        with tempfile.TemporaryDirectory() as folder:
            database = Database(f"sqlite:///{Path(folder) / 'desk.db'}")
            migrations.upgrade(database)
            fill(database, number, random)
            talk = Talk(database, estate(random), VirtualClock(NOW))
            print(f"against {number:,} scheduled changes and {FREEZES:,} recurring freezes")
            took, found = checks(talk, random)
            hundredths = quantiles(took, n=100)
            print(f"  the first check {took[0] * 1e3:30.2f} ms")
            print(f"  p50 {hundredths[49] * 1e3:42.2f} ms\n  p99 {hundredths[98] * 1e3:42.2f} ms")
            print(f"  in the way, on average {found:23.1f}")
            p99s.append(hundredths[98])
            database.close()
    print(f"p99 is {p99s[1] / p99s[0]:.2f} x that against 1,000")


def page() -> None:
    """A quarter with 5,000 changes: what the question costs, and what drawing costs."""
    random = Random(7)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'desk.db'}")
        migrations.upgrade(database)
        fill(database, 5_000 * 4, random)
        policy = replace(estate(random), freezes=load(POLICIES).freezes, version="page")
        pages = ChangePages(lambda: policy, database, Tokens(b"x" * 32), lambda: NOW)
        asked, drawn = [], []
        for _ in range(15):
            began = perf_counter()
            planned, frozen = pages.ask(policy, NOW.date(), MOST_DAYS, "")
            asked.append(perf_counter() - began)
            began = perf_counter()
            pages.draw(policy, planned, frozen, NOW.date(), MOST_DAYS, "", NOW.date())
            drawn.append(perf_counter() - began)
        database.close()
    print(f"the page of a quarter with {len(planned):,} changes ({len(frozen):,} freezes)")
    print(f"  the question {median(asked) * 1e3:33.2f} ms\n  drawing it {median(drawn) * 1e3:35.2f} ms")
    print(f"drawing takes {median(drawn) / median(asked):.2f} x the question's time")


def main() -> None:
    """Print everything."""
    conflicts()
    page()


if __name__ == "__main__":
    main()
