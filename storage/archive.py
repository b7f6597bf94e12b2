"""A whole store as one file, the same for SQLite and PostgreSQL: a zip with a list of JSON lines for each table.

A backup of one kind of store can be put into the other, which is also how one moves to PostgreSQL.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from itertools import islice
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from sqlalchemy import Column, Connection, MetaData, Table, delete, func, insert, inspect, select, text
from sqlalchemy import table as bare_table
from sqlmodel import SQLModel

import storage.models  # noqa: F401 - fills the metadata
from storage.columns import Instant, Json
from storage.models.flow import Installation
from storage.repositories.flow import HELD

_CHUNK = 1000
_BEFORE_ANYBODY_SPOKE = (
    *("due", "inbox", "installation", "lane", "lease", "ledger_head", "rota_turn"),
    *("continuity_plan_service", "continuity_plan", "definition", "counter"),
)
"""Tables in which a desk writes by itself, as soon as it runs."""


class NotAnArchive(Exception):
    """The file is no backup, or one that this release cannot read; says what to do."""


def tables() -> list[Table]:
    """Every table, those that others point at first."""
    return list(SQLModel.metadata.sorted_tables)


def write(connection: Connection, archive: ZipFile) -> dict[str, int]:
    """Write every row that this connection's transaction sees; returns how many by table."""
    counts = {}
    for table in tables():
        with archive.open(f"tables/{table.name}.jsonl", "w", force_zip64=True) as raw:
            out = TextIOWrapper(raw, encoding="utf-8")
            counts[table.name] = 0
            for row in connection.execution_options(yield_per=_CHUNK).execute(_plain(table)):
                out.write(json.dumps([_kept(value) for value in row], separators=(",", ":")) + "\n")
                counts[table.name] += 1
            out.flush()
            out.detach()
    return counts


def read(connection: Connection, archive: ZipFile) -> dict[str, int]:
    """Put every row into empty tables of the same release, and hold this copy; returns how many rows by table.

    Raises NotAnArchive.
    """
    counts = {}
    for name in _BEFORE_ANYBODY_SPOKE:
        connection.execute(delete(SQLModel.metadata.tables[name]))
    for table in tables():
        try:
            raw = archive.open(f"tables/{table.name}.jsonl")
        except KeyError:
            raise NotAnArchive(f"It has no table {table.name}: use the release that wrote it.") from None
        with raw:
            counts[table.name] = _fill(connection, table, TextIOWrapper(raw, encoding="utf-8"))
    if connection.dialect.name == "postgresql":
        _advance_sequences(connection)
    # In the same transaction: a copy that is there without being held would say everything a second time.
    facts = SQLModel.metadata.tables[str(Installation.__tablename__)]
    connection.execute(delete(facts).where(facts.c.name == HELD))
    connection.execute(insert(facts).values(name=HELD, value=True))
    return counts


def is_empty(connection: Connection) -> bool:
    """Whether nobody has spoken to this desk yet, whatever release its tables are of, if it has any."""
    here = set(inspect(connection).get_table_names())
    spoken = [table for table in tables() if table.name in here and table.name not in _BEFORE_ANYBODY_SPOKE]
    # A constant is all that is asked for: an older release's table may lack a column.
    return not any(
        connection.execute(select(text("1")).select_from(bare_table(table.name)).limit(1)).first()
        for table in spoken
    )


def packed(path: str, mode: str) -> ZipFile:
    """A zip file to write to (`w`) or read from (`r`)."""
    return ZipFile(path, "w" if mode == "w" else "r", ZIP_DEFLATED, compresslevel=6)


def _plain(table: Table) -> Any:
    """The columns as they are stored, without our decoration, so that they come back to the letter."""
    return select(*(_stored(column) for column in table.columns)).order_by(*table.primary_key.columns)


def _stored(column: Any) -> Any:
    kind = column.type
    return column.cast(kind.impl) if isinstance(kind, Instant | Json) else column


def _kept(value: Any) -> Any:
    return {"bytes": base64.b64encode(value).decode()} if isinstance(value, bytes | memoryview) else value


def _restored(value: Any) -> Any:
    return base64.b64decode(value["bytes"]) if isinstance(value, dict) else value


def _fill(connection: Connection, table: Table, lines: Iterable[str]) -> int:
    count = 0
    # A bare table of the same name takes stored values as they are.
    bare = insert(_bare(table))
    names = [column.name for column in table.columns]
    for chunk in _chunks(lines):
        rows = [dict(zip(names, map(_restored, json.loads(line)), strict=True)) for line in chunk]
        connection.execute(bare, rows)
        count += len(rows)
    return count


def _bare(table: Table) -> Any:
    columns = [
        Column(column.name, column.type.impl if isinstance(column.type, Instant | Json) else column.type)
        for column in table.columns
    ]
    return Table(table.name, MetaData(), *columns)


def _chunks(lines: Iterable[str]) -> Iterator[list[str]]:
    source = iter(lines)
    while chunk := list(islice(source, _CHUNK)):
        yield chunk


def _advance_sequences(connection: Connection) -> None:
    for table in tables():
        column = table.autoincrement_column
        if column is None:
            continue
        find = text("SELECT pg_get_serial_sequence(:table, :column)")
        sequence = connection.execute(find, {"table": table.name, "column": column.name}).scalar()
        if sequence:
            highest = connection.execute(select(func.max(column))).scalar()
            if highest:
                connection.execute(
                    text("SELECT setval(:sequence, :highest)"), {"sequence": sequence, "highest": highest}
                )
