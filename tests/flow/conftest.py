"""A desk with two platforms, the tests' own tickets, a clock that tests move, a journal at the far end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Connection, event
from structlog.testing import capture_logs

from bot.clock import VirtualClock
from bot.courier import Courier
from bot.scheduler import Bell
from config.policy import Account, Person, Policy, Room
from handlers.declare import Commands
from handlers.delivery import Deliveries
from handlers.dispatch import Dispatcher
from handlers.messages import DESK, Command, Place, Reply
from handlers.rules.ledger import Record
from storage.database import Database
from storage.models.flow import OutboxRow
from storage.unit_of_work import Records
from tests.flow import tickets
from tests.harness.receiver import Receiver

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
STATES = ["pending", "sending", "retry", "sent", "given up", "skipped"]


@dataclass
class Flow:
    """One store, one clock, one receiving end; as many workers as a test wants."""

    database: Database
    dispatcher: Dispatcher
    clock: VirtualClock
    chat: Receiver
    other: Receiver
    mail: Receiver
    sms: Receiver

    def __post_init__(self) -> None:
        self.keys = count(1)
        self.deliveries = Deliveries(self.dispatcher)
        self.courier = self.worker("first")
        self.bell = Bell(self.dispatcher, self.clock, "first")

    def worker(self, name: str, **how: float) -> Courier:
        """A courier of its own, as another process would have."""
        adapters = {each.platform: each for each in (self.chat, self.other, self.mail, self.sms)}
        return Courier(self.dispatcher, adapters, self.clock, name, **how)  # type: ignore[arg-type]

    def say(self, line: str) -> Reply:
        """Have the desk carry out a line."""
        key = f"test/{next(self.keys)}"
        return self.dispatcher.obey(Command(line=line, sender=DESK, place=Place(platform="desk"), key=key))

    def wait(self, **length: float) -> None:
        """Let time pass; nothing happens on the way."""
        self.clock.move(timedelta(**length))

    async def live(self, **length: float) -> None:
        """Let time pass, and whatever is due or waits happen at its own moment."""
        until = self.clock.now() + timedelta(**length)
        while True:
            while self.bell.ring() or await self.courier.drain():
                pass
            moments = filter(None, [self.bell.next_at(), await self.courier.next_at()])
            ahead = [moment for moment in moments if self.clock.now() < moment <= until]
            if not ahead:
                self.clock.set(until)
                return
            self.clock.set(min(ahead))

    def rows(self, *states: str) -> list[OutboxRow]:
        """Messages in some states, or all, oldest first."""
        with self.database.reading() as session:
            found = Records(session).outbox.listed(states or STATES, 100_000)
        return sorted(found, key=lambda row: row.id or 0)

    def evidence(self, action: str) -> list[Record]:
        """What the ledger holds of an action, oldest first."""
        with self.database.reading() as session:
            return [each for each in Records(session).ledger.records() if each.action == action]


async def until(holds: Callable[[], bool]) -> None:
    """Let the desk's own tasks go on until something holds; at most for thirty seconds."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - what is waited for knows nothing of the test
            await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def said() -> Iterator[list[Any]]:
    """What was logged, in no one's way."""
    with capture_logs() as lines:
        yield lines


def on_two_platforms(policy: Policy) -> Policy:
    """The example organisation with rooms on two platforms, and one person with an account."""
    rooms = {
        key: Room(key=key, name=key, places={"chat": f"C-{key}"})
        for key in ("room-a", "room-b", "room-c", "owners")
    }
    rooms["far"] = Room(key="far", name="far", places={"other": "C-far"})
    ada = Person(key="ada", name="Ada", accounts=(Account(platform="chat", workspace="W", user="U-ada"),))
    organisation = replace(policy.organisation, owner_room="owners")
    return replace(policy, rooms=rooms, people={"ada": ada}, organisation=organisation)


@pytest.fixture(scope="session")
def two_platforms(policy: Policy) -> Policy:
    """The same for every test."""
    return on_two_platforms(policy)


def _hurry(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA synchronous=OFF")


def make_flow(database: Database, policy: Policy, pace: float = 0.0) -> Flow:
    """A flow on a store, durable against a crash of the process and not of the machine."""
    if database.is_sqlite:
        event.listen(database.engine, "engine_connect", _hurry)
    clock = VirtualClock(START)
    platforms = ["chat", "other", "mail", "sms"]
    dispatcher = Dispatcher(Commands([tickets]), lambda: policy, database, clock.now, platforms)
    return Flow(database, dispatcher, clock, *(Receiver(each, clock, pace) for each in platforms))


@pytest.fixture
def flow(database: Database, two_platforms: Policy) -> Flow:
    """On SQLite and on PostgreSQL."""
    return make_flow(database, two_platforms)


@pytest.fixture
def quick_flow(sqlite: Database, two_platforms: Policy) -> Flow:
    """On SQLite alone, for questions that are not about the store."""
    return make_flow(sqlite, two_platforms)
