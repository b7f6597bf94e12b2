"""A ledger to write to: on SQLite in a file, and on PostgreSQL."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import SQLModel

from handlers.rules.ledger import Entry
from storage.database import Database
from storage.models import evidence, flow  # noqa: F401 - fills the metadata
from storage.repositories.ledger import Ledger

_NAMES = ("evidence", "words", "ledger_head", "checkpoint", "evidence_tally", "installation")
TABLES = [SQLModel.metadata.tables[name] for name in _NAMES]
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def prepare(url: str) -> None:
    """Make the ledger's tables, triggers included."""
    database = Database(url)
    SQLModel.metadata.create_all(database.engine, tables=TABLES)
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Each kind of store in turn."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'desk.db'}"
        prepare(url)
        yield from lent(url)
    else:
        server = request.getfixturevalue("postgres_server")
        with server.database(server.template("ledger", prepare)) as url:
            yield from lent(url)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """Only SQLite, for what does not depend on the store."""
    url = f"sqlite:///{tmp_path / 'desk.db'}"
    prepare(url)
    yield from lent(url)


def lent(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


def entry(number: int, **given: object) -> Entry:
    """The numberth of a day's entries: every field used, every third with words."""
    wrote = {"note": f"The queue is stuck again, part {number} \u00e9\U0001f527"} if number % 3 == 0 else {}
    usual: dict[str, object] = {
        "at": NOON + timedelta(minutes=number),
        "actor": f"P-{number % 4}",
        "surface": "slack",
        "action": ("incident.declared", "incident.acknowledged", "incident.resolved")[number % 3],
        "subject": f"INC-{number // 3}",
        "before": None if number % 3 == 0 else {"state": "open", "assignee": None},
        "after": {"state": "open", "people": ["P-1", "P-2"], "minutes": number, "paged": True},
        "practices": ("IRP SP 2.1", "IRP SP 2.2")[: number % 3],
        "policy": "5f2c",
        "reference": f"cmd-{number}",
        "words": wrote,
    }
    return Entry(**(usual | given))  # type: ignore[arg-type]


def fill(store: Database, count: int, first: int = 0) -> None:
    """Append that many entries, some in one transaction and some in several."""
    for start in range(first, first + count, 50):
        with store.writing() as session:
            Ledger(session).append(entry(n) for n in range(start, min(start + 50, first + count)))


__all__ = ["NOON", "TABLES", "entry", "evidence", "fill", "prepare"]
