"""A world for each test, one after the other: what is measured here does not like company."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage import migrations
from storage.database import Database
from tests.harness.far_side import FarSide, far_side
from tests.harness.postgres import PostgresServer
from tests.survival.desks import Nursery, nursery
from tests.survival.world import World, open_world

FULL = os.environ.get("SURVIVE") == "full"
LINE = "survived"


def sized(small: int, full: int) -> int:
    """How much of something: a taste of it in `make test`, all of it in `make survive`."""
    return full if FULL else small


def on(store: str) -> pytest.MarkDecorator:
    """On both stores in `make survive`; in `make test` on the one that tells more."""
    return pytest.mark.parametrize("kind", ["sqlite", "postgresql"] if FULL else [store])


in_full = pytest.mark.skipif(not FULL, reason="`make survive` has the time for it")
"""What tells little more than its neighbours do, or waits for long."""


@pytest.fixture(scope="session")
def far() -> Iterator[FarSide]:
    """Where the platforms live."""
    with far_side() as found:
        yield found


@pytest.fixture(scope="session")
def births() -> Iterator[Nursery]:
    """Where desks are born."""
    with nursery() as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the world keeps its things."""
    return tmp_path


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest, folder: Path, sqlite_template: bytes) -> Iterator[str]:
    """An empty store with every table, of the kind that `on` names."""
    if kind == "sqlite":
        path = folder / "desk.db"
        path.write_bytes(sqlite_template)
        yield f"sqlite:///{path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database(server.template("desk", prepare)) as found:
        yield found


def prepare(url: str) -> None:
    """Make the tables."""
    database = Database(url)
    migrations.upgrade(database)
    database.close()


@pytest.fixture
def world(folder: Path, url: str, far: FarSide, births: Nursery) -> Iterator[World]:
    """A world with both platforms."""
    with open_world(folder, url, far, births) as found:
        yield found


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """What a test tells about itself: what was tried, what was lost, what came twice."""
    return lambda line: record_property(LINE, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was told, test by test."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, line in getattr(report, "user_properties", ()):
                if name == LINE:
                    terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {line}")
