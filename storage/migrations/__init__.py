"""From one shape of the tables to the next. A migration keeps the previous release running.

`upgrade` is what `deskbell migrate` does; `pending` says what it would do.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from storage.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

_HERE = Path(__file__).parent
_LOCK = 4_242_001  # only one process migrates at a time; the number is ours and means nothing else


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration for our folder, on a connection whose transaction belongs to the caller."""
    # Imported here: a desk whose tables are of its release should not carry Alembic in memory.
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(_HERE))
    made.attributes["connection"] = connection
    return made


def revision(connection: Connection) -> str | None:
    """The revision that a store's tables are of; None for an empty store."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def pending(database: Database) -> list[str]:
    """The revisions that this release has and the store has not, in order of application."""
    with database.engine.connect() as connection:
        return _pending(connection)


def _pending(connection: Connection) -> list[str]:
    # A migration's file is called by its revision, and revisions count up.
    known = sorted(path.name.partition("_")[0] for path in (_HERE / "versions").glob("[0-9]*.py"))
    here = revision(connection)
    return known if here is None else [each for each in known if each > here]


def upgrade(database: Database) -> list[str]:
    """Apply what is pending, all of it or nothing, and return it. Safe to run from several processes at once."""
    with database.engine.begin() as connection:
        database.take_time(connection)
        if not database.is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        done = _pending(connection)
        if done:
            from alembic import command

            command.upgrade(config(connection), "heads")
    return done
