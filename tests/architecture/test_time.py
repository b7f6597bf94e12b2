"""Does only the clock ask for the time, and does an instant come back from the store as it went in?"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args, get_type_hints
from zoneinfo import ZoneInfo, available_timezones

import pytest
from sqlalchemy import Boolean, Date, DateTime, Float, Integer, LargeBinary, Table, Time, insert, select
from sqlmodel import SQLModel

import storage.models  # noqa: F401 - fills the metadata
from storage.columns import Instant, Json
from storage.database import Database

ROOT = Path(__file__).parents[2]
SOURCES = [
    path for package in ("bot", "handlers", "storage", "config") for path in (ROOT / package).rglob("*.py")
]

ASKS = {
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time"),
    ("time", "time_ns"), ("time", "monotonic"), ("time", "monotonic_ns"), ("time", "perf_counter"),
    ("time", "sleep"), ("time", "localtime"), ("time", "gmtime"), ("Instant", "now"), ("ZonedDateTime", "now"),
    ("func", "now"), ("func", "current_timestamp"), ("uuid", "uuid1"),
}  # fmt: skip
IN_SQL = re.compile(r"\b(current_timestamp|current_date|now\(\)|datetime\('now|julianday)", re.IGNORECASE)
# Not clock_timestamp(): the doctor compares the database's clock with ours, and asks for nothing else.


def asked(tree: ast.AST) -> Iterator[str]:
    """Every place that asks the machine or the database for the time."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            if (owner, node.attr) in ASKS:
                yield f"line {node.lineno}: {owner}.{node.attr}"
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield f"line {node.lineno}: from time import …"
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and IN_SQL.search(node.value):
            yield f"line {node.lineno}: {node.value[:40]!r}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_clock_asks_for_the_time(path: Path) -> None:
    if path == ROOT / "bot/clock.py":
        assert list(asked(ast.parse(path.read_text(encoding="utf-8"))))
    else:
        assert not list(asked(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize(
    "line",
    [
        "datetime.now(UTC)", "import datetime; datetime.datetime.now()", "date.today()", "time.time()",
        "from time import sleep", "func.now()", "text('SELECT now()')", "text('DEFAULT CURRENT_TIMESTAMP')",
        "whenever.Instant.now()",
    ],
)  # fmt: skip
def test_a_hidden_clock_would_be_found(line: str) -> None:
    assert list(asked(ast.parse(line)))


# Columns -----------------------------------------------------------------------------------------------

TABLES = SQLModel.metadata.sorted_tables


def models() -> list[type[SQLModel]]:
    """Every mapped class."""
    return [mapper.class_ for mapper in SQLModel._sa_registry.mappers]


def test_no_column_keeps_a_time_without_a_zone() -> None:
    naive = [
        f"{table.name}.{column.name}"
        for table in TABLES
        for column in table.columns
        if isinstance(column.type, DateTime | Date | Time)
    ]
    assert naive == []


def test_every_field_for_a_time_is_kept_as_an_instant() -> None:
    fields = [
        (model.__tablename__, name)
        for model in models()
        for name, hint in get_type_hints(model).items()
        if hint is datetime or datetime in get_args(hint)
    ]
    assert len(fields) > 20
    for table, name in fields:
        assert isinstance(SQLModel.metadata.tables[str(table)].columns[name].type, Instant), (table, name)


def instants(count: int) -> list[datetime]:
    """Aware instants over all zones and centuries, both passes of repeated hours, and the ends of the calendar."""
    chance = random.Random(21)
    zones = sorted(available_timezones())
    found = [
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        *(datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=ZoneInfo("Europe/Berlin")) for fold in (0, 1)),
    ]
    while len(found) < count:
        utc = datetime(1900, 1, 1, tzinfo=UTC) + timedelta(
            microseconds=chance.randrange(300 * 365 * 86_400 * 10**6)
        )
        found.append(utc.astimezone(ZoneInfo(chance.choice(zones))))
    return found


def filled(table: Table, number: int, at: datetime) -> dict[str, Any]:
    """A row of a table in which every instant is this one; numbers make it unlike the others."""

    def value(kind: Any) -> Any:
        match kind:
            case Instant():
                return at
            case Json():
                return {"number": number}
            case Boolean():
                return True
            case Integer() | Float():
                return number + 1
            case LargeBinary():
                return b"salt"
            case _:
                return f"x{number}"

    return {
        column.name: value(column.type)
        for column in table.columns
        if column.name != "id" or table.name == "ledger_head"
    }


def test_an_instant_comes_back_from_every_column_as_it_went_in(database: Database) -> None:
    sample = instants(400)
    wanted = sorted(each.astimezone(UTC) for each in sample)
    with_instants = [
        table for table in TABLES if any(isinstance(each.type, Instant) for each in table.columns)
    ]
    assert len(with_instants) > 12
    checked = 0
    with database.writing() as session:
        for table in with_instants:  # parents stand before those that point at them
            session.execute(insert(table), [filled(table, number, at) for number, at in enumerate(sample)])
            columns = [column for column in table.columns if isinstance(column.type, Instant)]
            kept = session.execute(select(*columns)).all()
            for column in range(len(columns)):
                found = sorted(row[column] for row in kept)
                assert found == wanted, (table.name, columns[column].name)
                assert all(each.utcoffset() == timedelta() for each in found)
                checked += len(found)
    assert checked >= 10_000


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    table = SQLModel.metadata.tables["draft"]
    with pytest.raises(Exception, match="without a zone"), database.writing() as session:
        session.execute(insert(table), [filled(table, 1, datetime(2026, 1, 1))])  # noqa: DTZ001 - that is the question
