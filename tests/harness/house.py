"""A desk for command tests: the real dispatcher on a real store, with a clock that tests move.

`talk` runs on SQLite and on PostgreSQL; `talk.say("staff", "request new question …")` gives the reply.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.clock import VirtualClock
from config.loading import load
from config.policy import Policy
from handlers import registry
from handlers.dispatch import Dispatcher
from handlers.messages import DESK, Command, Place, Reply, Sender
from handlers.rules.ledger import Record
from storage import migrations
from storage.database import Database
from storage.models.flow import OutboxRow
from storage.unit_of_work import Records

if TYPE_CHECKING:
    from tests.harness.postgres import PostgresServer

MONDAY = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
"""Monday 09:00 in Berlin, when the example organisation's office opens."""

POLICIES = Path(__file__).parents[2] / "config" / "policies"


class Talk:
    """People who talk to one desk, and what can be seen of it afterwards."""

    def __init__(self, database: Database, policy: Policy, clock: VirtualClock) -> None:
        self.database = database
        self.policy = policy
        self.clock = clock
        self.dispatcher = Dispatcher(registry.load(), lambda: self.policy, database, clock.now, ["console"])
        self._keys = count(1)

    def say(
        self, person: str, line: str, *, key: str | None = None, thread: str | None = None, **answers: str
    ) -> Reply:
        """What the desk answers when somebody says a line; `answers` are what a form sent back."""
        return self.dispatcher.run(self.command(person, line, key=key, thread=thread, **answers))

    def command(
        self, person: str, line: str, *, key: str | None = None, thread: str | None = None, **answers: str
    ) -> Command:
        """The command behind `say`; `desk` is the desk itself."""
        return Command(
            line=line,
            sender=DESK if person == DESK.user else Sender(platform="console", user=person),
            place=Place(platform="console", channel="requests", thread=thread),
            key=key or f"test/{next(self._keys)}",
            answers=answers,
        )

    def wait(self, **length: float) -> None:
        """Let time pass, ringing what falls due on the way, at its own moment."""
        until = self.clock.now() + timedelta(**length)
        while True:
            with self.database.reading() as session:
                earliest = Records(session).dues.next_at(self.clock.now())
            if earliest is None or earliest > until:
                break
            self.clock.set(max(earliest, self.clock.now()))
            self.ring()
        self.clock.set(until)

    def ring(self) -> int:
        """Carry out what is due now; returns how many moments that were."""
        with self.database.writing() as session:
            rows = Records(session).dues.claim(self.clock.now(), "test", timedelta(minutes=1), 1000)
        for item in rows:
            key = f"due/{item.key}/{item.at.isoformat()}"  # as the bell says it
            said = Command(line=item.line, sender=DESK, place=Place(platform="desk"), key=key)
            reply = self.dispatcher.run(said)
            assert "wrong on our side" not in reply.title, reply
            with self.database.writing() as session:
                Records(session).dues.finish(item)
        return len(rows)

    def tend(self) -> None:
        """Have the desk look after what it tends, as it does at each start and change of policy."""
        for declared in self.dispatcher.commands:
            if declared.tends:
                key = f"test/{next(self._keys)}"
                place = Place(platform="desk")
                self.dispatcher.obey(Command(line=declared.name, sender=DESK, place=place, key=key))

    def evidence(self, ref: str) -> list[Record]:
        """What the ledger holds about a ticket."""
        with self.database.reading() as session:
            return Records(session).ledger.trail(ref)

    def actions(self, ref: str) -> list[str]:
        """The actions on a ticket, in order, without what the desk noted about promises."""
        return [each.action for each in self.evidence(ref) if not each.action.startswith("sla.")]

    def told(self, to: str, about: str | None = None) -> list[str]:
        """Titles of the messages on their way to a person (`@staff`) or a room, in order."""
        return [each.title for each in self.sent(to, about)]

    def sent(self, to: str, about: str | None = None) -> list[Reply]:
        """The messages on their way to a person (`@staff`) or a room, in order."""
        lane = f"console:@:{to[1:]}" if to.startswith("@") else f"console:{to}"
        return [
            Reply.model_validate(row.payload)
            for row in self._outbox()
            if row.lane == lane and row.payload and (about is None or row.subject == about)
        ]

    def _outbox(self) -> list[OutboxRow]:
        with self.database.reading() as session:
            every = Records(session).outbox.listed(
                ["pending", "sending", "retry", "sent", "given up", "skipped"], 10_000
            )
        return sorted(every, key=lambda row: row.id or 0)


@pytest.fixture(scope="session")
def policy() -> Policy:
    """The example organisation."""
    return load(POLICIES)


def _prepare(url: str) -> None:
    database = Database(url)
    migrations.upgrade(database)
    database.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An empty, migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "desk.db"
    _prepare(f"sqlite:///{path}")
    return path.read_bytes()


class Stores:
    """Stores that are opened again and again, by as many names as are lent at once.

    An engine works out once how it says a statement, and thousands of tests say the same few hundred. A test gets an
    empty store all the same, and nobody listens to it but whom the test brings.
    """

    def __init__(self, folder: Path, empty: bytes) -> None:
        self._folder = folder
        self._empty = empty
        self._opened: dict[str, Database] = {}
        self._lent: set[str] = set()

    @contextmanager
    def sqlite(self, holding: bytes = b"") -> Iterator[Database]:
        """Lend a store of SQLite: an empty one, or a copy of the file that is given."""
        with self._name() as name:
            file = self._folder / f"{name}.db"
            for ending in (
                "",
                "-wal",
                "-shm",
            ):  # a new file, so that whoever still holds the old one is left to it
                file.with_name(file.name + ending).unlink(missing_ok=True)
            file.write_bytes(holding or self._empty)
            with self._store(f"sqlite:///{file}") as found:
                yield found

    @contextmanager
    def postgresql(self, server: PostgresServer) -> Iterator[Database]:
        """Lend an empty store of PostgreSQL."""
        template = server.template("desk", _prepare)
        with self._name() as name, server.database(template, name) as url, self._store(url) as found:
            yield found

    @contextmanager
    def _name(self) -> Iterator[str]:
        name = next(each for each in map("lent_{}".format, count(1)) if each not in self._lent)
        self._lent.add(name)
        try:
            yield name
        finally:
            self._lent.remove(name)

    @contextmanager
    def _store(self, url: str) -> Iterator[Database]:
        if url not in self._opened:
            self._opened[url] = Database(url)
        found = copy(self._opened[url])
        found.engine = found.engine.execution_options()  # the same engine, with listeners of its own
        try:
            yield found
        finally:
            found.close()


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory, sqlite_template: bytes) -> Stores:
    """The stores of this test process."""
    return Stores(tmp_path_factory.mktemp("stores"), sqlite_template)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, stores: Stores) -> Iterator[Database]:
    """An empty store with every table, once on SQLite and once on PostgreSQL."""
    of_its_kind = (
        stores.sqlite()
        if request.param == "sqlite"
        else stores.postgresql(request.getfixturevalue("postgres_server"))
    )
    with of_its_kind as found:
        yield found


@pytest.fixture
def sqlite(stores: Stores) -> Iterator[Database]:
    """An empty SQLite store, for tests whose question is not about the store."""
    with stores.sqlite() as found:
        yield found


@pytest.fixture
def talk(database: Database, policy: Policy) -> Talk:
    """The example organisation's desk on Monday morning, on both stores."""
    return Talk(database, policy, VirtualClock(MONDAY))


@pytest.fixture
def quick_talk(sqlite: Database, policy: Policy) -> Talk:
    """The same on SQLite alone."""
    return Talk(sqlite, policy, VirtualClock(MONDAY))
