"""Statements that nearly every command runs: compiled once, then handed to the driver as they are.

What SQLAlchemy does around each statement costs ten times what the store does for a small one, and a person
waits for the sum. Types, names and the two dialects stay SQLAlchemy's; only the way to the driver is short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Executable, Table, bindparam, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler

T = TypeVar("T")
Change = Callable[[Any], Any]
_DRIVER = "deskbell driver"


class _Compiled:
    """A statement in one dialect: its text, what is done to each value on the way in, and to each column out."""

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # every executable compiles
        assert isinstance(compiled, SQLCompiler)
        self.text = str(compiled)
        self.fixed = {name: value for name, value in compiled.params.items() if value is not None}
        self.order = list(compiled.positiontup or ()) if compiled.positional else None
        binds = {name: bind.type for bind, name in compiled.bind_names.items()}
        self.names = list(binds) if self.order is None else self.order
        coming = {name: type_.dialect_impl(dialect).bind_processor(dialect) for name, type_ in binds.items()}
        self.coming: dict[str, Change] = {name: change for name, change in coming.items() if change}
        self.columns = [
            each.type.dialect_impl(dialect) for each in getattr(statement, "exported_columns", ())
        ]
        self.dialect = dialect
        self.going: list[tuple[int, Change]] | None = None

    def values(self, given: Mapping[str, Any]) -> Any:
        """What the driver is given: values in order, or by name."""
        all_given = {**self.fixed, **given} if self.fixed else given
        values = {name: all_given[name] for name in self.names}
        for name, change in self.coming.items():
            values[name] = change(values[name])
        return values if self.order is None else tuple([values[name] for name in self.names])

    def rows(self, cursor: Any) -> Sequence[tuple[Any, ...]]:
        if self.going is None:  # only an answer tells what the driver itself makes of each column
            codes = [each[1] for each in cursor.description]
            going = [
                column.result_processor(self.dialect, code)
                for column, code in zip(self.columns, codes, strict=False)
            ]
            self.going = [(at, change) for at, change in enumerate(going) if change]
        found: list[tuple[Any, ...]] = cursor.fetchall()
        if not self.going:
            return found
        rows = [list(row) for row in found]
        for row in rows:
            for at, change in self.going:
                row[at] = change(row[at])
        return [tuple(row) for row in rows]


class Prepared:
    """One statement with named parameters, for either store. Lists of values (`IN`) are not for it.

    What it writes is not seen by objects that the session has loaded. Errors are those of SQLAlchemy.
    """

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, session: Session, **given: Any) -> Sequence[tuple[Any, ...]]:
        """Every row that it gives."""
        return self._run(session, lambda how: how.values(given), _rows)

    def first(self, session: Session, **given: Any) -> tuple[Any, ...] | None:
        """The first row that it gives, or None."""
        rows = self.rows(session, **given)
        return rows[0] if rows else None

    def value(self, session: Session, **given: Any) -> Any:
        """The first column of the first row, or None."""
        rows = self.rows(session, **given)
        return rows[0][0] if rows else None

    def run(self, session: Session, **given: Any) -> int:
        """Carry it out; returns how many rows it touched."""
        return self._run(session, lambda how: how.values(given), _count)

    def run_each(self, session: Session, given: Iterable[Mapping[str, Any]]) -> None:
        """Carry it out once for each."""
        self._run(session, lambda how: [how.values(each) for each in given], _each)

    def _run(
        self,
        session: Session,
        values_of: Callable[[_Compiled], Any],
        work: Callable[[Any, _Compiled, Any], T],
    ) -> T:
        connection, driver, dialect = _driver_of(session)
        how = self._compiled.get(dialect.name)
        if how is None:
            how = self._compiled[dialect.name] = _Compiled(self._statement, dialect)
        values = values_of(how)
        for listener in connection.dispatch.before_cursor_execute:  # who watches statements sees these too
            listener(connection, None, how.text, values, None, work is _each)
        try:
            return work(driver, how, values)
        except dialect.loaded_dbapi.Error as error:
            raise _understood(error, how.text, connection, dialect) from error


def adding(table: Table, names: Iterable[str]) -> Prepared:
    """Adds a row, and does nothing where it is known already: one with the same key stands."""
    columns = {name: table.c[name] for name in names}
    listed, given = ", ".join(f'"{name}"' for name in columns), ", ".join(f":{name}" for name in columns)
    said = text(f'INSERT INTO "{table.name}" ({listed}) VALUES ({given}) ON CONFLICT DO NOTHING')  # noqa: S608 - names of our own tables
    return Prepared(said.bindparams(*(bindparam(name, type_=each.type) for name, each in columns.items())))


def _rows(driver: Any, how: _Compiled, values: Any) -> Sequence[tuple[Any, ...]]:
    return how.rows(driver.execute(how.text, values))


def _count(driver: Any, how: _Compiled, values: Any) -> int:
    return int(driver.execute(how.text, values).rowcount)


def _each(driver: Any, how: _Compiled, values: Any) -> None:
    if len(values) == 1:  # a driver that sends many at once takes twice as long for one
        driver.execute(how.text, values[0])
    else:
        driver.cursor().executemany(how.text, values)


def _driver_of(session: Session) -> tuple[Connection, Any, Dialect]:
    """The connection of a session's transaction: SQLAlchemy's and the driver's own."""
    found = session.info.get(_DRIVER)
    if found is None or found[0].closed:
        connection = session.connection()
        found = connection, connection.connection.driver_connection, connection.dialect
        session.info[_DRIVER] = found
    return found


def leave_out_rows(error: BaseException) -> None:
    """Cut an error of PostgreSQL to its first sentence: the others quote the row, and it would reach the log."""
    diagnosis = getattr(error, "diag", None)
    if diagnosis is not None and diagnosis.message_primary:
        error.args = (diagnosis.message_primary,)


def _understood(error: Exception, text: str, connection: Connection, dialect: Dialect) -> BaseException:
    """The driver's error as SQLAlchemy tells it, without the values; a connection that is gone is given up."""
    gone = dialect.is_disconnect(error, connection.connection, None)  # type: ignore[arg-type]
    if gone:
        connection.invalidate(error)
    leave_out_rows(error)
    return DBAPIError.instance(
        text,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=gone,
        dialect=dialect,
    )
