"""Killed while it changes the tables: are they those of before or those of after, and does the next run finish it?"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import event, inspect, text

from handlers.rules.ledger import Entry
from storage import migrations
from storage.database import Database
from storage.repositories.ledger import Ledger
from tests.harness.far_side import FarSide
from tests.harness.house import MONDAY
from tests.harness.postgres import PostgresServer
from tests.survival import points
from tests.survival.conftest import FULL, on, sized
from tests.survival.desks import Nursery
from tests.survival.world import World, open_world

KILLS = sized(2, 20)
"""On the way from the first tables to those of this release; in `make survive` also from every other release."""

REVISIONS = sorted(
    path.name.partition("_")[0] for path in (Path(migrations.__file__).parent / "versions").glob("0*.py")
)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """A store with nothing in it at all."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'desk.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database() as found:
        yield found


@pytest.fixture
def world(folder: Path, url: str, far: FarSide, births: Nursery) -> Iterator[World]:
    """A world on that store."""
    with open_world(folder, url, far, births) as found:
        yield found


def make(database: Database, revision: str) -> None:
    """The tables of an earlier release, or of this one."""
    with database.engine.begin() as connection:
        command.upgrade(migrations.config(connection), revision)


def fill(database: Database) -> None:
    """Something in the tables that every release has."""
    with database.writing() as session:
        Ledger(session).append(
            Entry(
                at=MONDAY,
                actor="staff",
                surface="slack",
                action="request.received",
                subject=f"REQ-{number}",
                practices=("SD SP 3.1",),
                policy="p",
                reference="r",
                words={"summary": f"why {number}"},
            )
            for number in range(300)
        )


def shape(database: Database) -> dict[str, Any]:
    """Tables with columns, indexes and keys, and the revision."""
    with database.engine.connect() as connection:
        seen = inspect(connection)
        found: dict[str, Any] = {
            table: (
                sorted(
                    (each["name"], str(each["type"]), each["nullable"]) for each in seen.get_columns(table)
                ),
                sorted((str(each["name"]), tuple(each["column_names"])) for each in seen.get_indexes(table)),
                seen.get_pk_constraint(table)["constrained_columns"],
            )
            for table in sorted(seen.get_table_names())
        }
        triggers = (
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            if database.is_sqlite
            else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
        )
        return {
            **found,
            "triggers": sorted(connection.execute(text(triggers)).scalars()),
            "revision": migrations.revision(connection),
        }


def statements(database: Database) -> int:
    """How many statements it takes to bring a store to this release; it is brought there."""
    count = 0

    def seen(*_: Any) -> None:
        nonlocal count
        count += 1

    event.listen(database.engine, "after_cursor_execute", seen)
    migrations.upgrade(database)
    event.remove(database.engine, "after_cursor_execute", seen)
    return count


def root(database: Database) -> tuple[int, bytes]:
    """What the ledger holds, in one number; fails when it does not verify."""
    with database.reading() as session:
        ledger = Ledger(session)
        assert ledger.verify().good
        return ledger.head().size, ledger.head().root


def clear(database: Database) -> None:
    """Leave nothing."""
    if database.is_sqlite:
        database.close()
        for path in Path(str(database.url.database)).parent.glob("desk.db*"):
            path.unlink()
        return
    with database.engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))


@on("sqlite")
def test_a_migration_that_is_killed_has_not_begun_and_the_next_run_does_all_of_it(
    world: World, say: Callable[[str], None]
):
    database, chance, kills = world.database, random.Random(7), 0
    for first in REVISIONS[:-1] if FULL else REVISIONS[:1]:
        make(database, first)
        fill(database)
        before, held = shape(database), root(database)
        number = statements(database)
        after = shape(database)
        assert root(database) == held
        chosen = sorted(chance.sample(range(1, number + 1), min(KILLS, number)))
        clear(database)
        make(database, first)
        fill(database)
        held = root(database)
        for nth in chosen:
            desk = world.start("migrate", point=points.MIGRATING, nth=nth)
            assert desk.ended.wait(60)
            assert desk.code == -9, (nth, number, desk.said)
            kills += 1
            assert shape(database) == before
            assert root(database) == held
        desk = world.start("migrate")
        assert desk.ended.wait(60)
        assert desk.code == 0, desk.said
        assert shape(database) == after
        assert root(database) == held
        clear(database)
    say(
        f"{kills} kills while migrating; each left the tables of before, and one more run those of this release"
    )
