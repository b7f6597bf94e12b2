"""The store: SQLite or PostgreSQL behind one URL, with the settings that make a commit mean something.

SQLite is opened with `synchronous=FULL`, foreign keys on and `BEGIN IMMEDIATE` for work that may
write; `sqlite.py` says which driver and which journal.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoneFree
from sqlmodel import Session

from storage import postgresql, sqlite
from storage.statements import leave_out_rows

_PATIENCE_MS = 10_000
_WAL_AT_MOST = 64 << 20
"""To how many bytes SQLite's log is cut back once nobody reads from it; a long reader lets it grow meanwhile."""


class StoreUnavailable(Exception):
    """The store could not be reached or could not commit; nothing was written."""


class StoreConflict(StoreUnavailable):
    """Two transactions got into each other's way (a deadlock, a failed serialisation); trying again helps."""


class Database:
    """An engine and the way to open sessions on it; one process writes to SQLite through one door."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            if self.url.database and self.url.database != ":memory:":
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            self.engine = create_engine(
                self.url,
                module=sqlite.driver,
                hide_parameters=True,
                connect_args={"check_same_thread": False},
            )
            _prepare_sqlite(self.engine)
        else:
            self.engine = postgresql.engine(self.url)
        event.listen(self.engine, "handle_error", _leave_out_rows)
        self._door = threading.Lock() if self.is_sqlite else None

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction that may write: commits at the end, rolls back on any error.

        Raises StoreUnavailable when the store is away, locked for too long or full.
        """
        with self._admitted(), _understood():
            with self._session() as session, session.begin():
                yield session
            if self.is_sqlite and session.info.get(sqlite.ERASES):
                self._leave_nothing_behind()

    def _leave_nothing_behind(self) -> None:
        """Empty the write-ahead log: what was erased stands in it until it is written over."""
        with self.engine.connect() as connection:
            connection.execution_options(deskbell_reads=True)
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        """One writer of this process at a time on SQLite, which would otherwise let them wait by polling."""
        if self._door is None:
            yield
            return
        if not self._door.acquire(timeout=_PATIENCE_MS / 1000):
            raise StoreUnavailable("the store is busy with other writers")
        try:
            yield
        finally:
            self._door.release()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for questions only; what it changes is rolled back."""
        with _understood(), self._session(writes=False) as session:
            yield session

    def _session(self, writes: bool = True) -> Session:
        engine = self.engine.execution_options(deskbell_reads=not writes)
        return Session(engine, expire_on_commit=False, autoflush=False)

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Commit without waiting for the disk, for a store that can be made again: a power cut may ruin it."""
        said = "PRAGMA synchronous=OFF" if self.is_sqlite else "SET synchronous_commit TO off"

        def hurry(connection: Any, _record: Any) -> None:
            with closing(connection.cursor()) as cursor:
                cursor.execute(said)

        self.engine.dispose()
        event.listen(self.engine, "connect", hurry)
        try:
            yield
        finally:
            event.remove(self.engine, "connect", hurry)
            self.engine.dispose()

    def ready(self) -> bool:
        """Whether the store answers now."""
        try:
            with self.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except (DBAPIError, NoneFree):
            return False
        return True

    @staticmethod
    def take_time(connection: Connection) -> None:
        """Let a transaction for which nobody waits take as long as it needs: a migration, a restore."""
        if connection.dialect.name == "postgresql":
            for name in postgresql.LIMITS:
                connection.exec_driver_sql(f"SET LOCAL {name} = 0")

    def copy_to(self, path: Path) -> None:
        """Copy an SQLite store into a new file while it is in use (sqlite.org/backup.html)."""
        with self.engine.connect() as connection, sqlite.driver.connect(path) as target:
            source = connection.connection.driver_connection
            if not isinstance(source, sqlite.driver.Connection):
                raise TypeError("only SQLite is copied as a file")
            source.backup(target, pages=1000)
        target.close()

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


@contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except NoneFree as error:
        raise StoreUnavailable("every connection to the store is in use") from error
    except DBAPIError as error:
        # PostgreSQL calls it an internal error when it ends a connection whose transaction was idle for too long.
        if not (isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated):
            raise
        conflict = str(getattr(error.orig, "sqlstate", "") or "").startswith("40")
        raise (StoreConflict if conflict else StoreUnavailable)(str(error.orig or error)) from error


def _leave_out_rows(failed: ExceptionContext) -> None:
    leave_out_rows(failed.original_exception)
    if failed.sqlalchemy_exception is not None:
        failed.sqlalchemy_exception.args = failed.original_exception.args


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def settle(connection: Any, _record: Any) -> None:
        # pysqlite must not open transactions by itself, or BEGIN IMMEDIATE comes too late.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout={_PATIENCE_MS}",
            f"journal_mode={sqlite.journal}",
            f"journal_size_limit={_WAL_AT_MOST}",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",  # what somebody had erased must not stay in the file's free places
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        # A read that later writes fails at once when another process wrote in between; IMMEDIATE waits instead.
        reads = connection.get_execution_options().get("deskbell_reads", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
