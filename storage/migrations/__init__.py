"""From one shape of the tables to the next. A migration keeps the previous release running.

`upgrade` is what `deskbell migrate` does; `pending` says what it would do.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from storage.database import Database

_HERE = Path(__file__).parent
_LOCK = 4_242_001  # only one process migrates at a time; the number is ours and means nothing else


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["connection"] = connection
    return config


def revision(connection: Connection) -> str | None:
    """The revision that a store's tables are of; None for an empty store."""
    return MigrationContext.configure(connection).get_current_revision()


def pending(database: Database) -> list[str]:
    """The revisions that this release has and the store has not, in order of application."""
    with database.engine.connect() as connection:
        here = MigrationContext.configure(connection).get_current_heads()
        connection.rollback()
    script = ScriptDirectory.from_config(_config())
    wanted = [each.revision for each in script.iterate_revisions("heads", here[0] if here else "base")]
    return [revision for revision in reversed(wanted) if revision not in here]


def upgrade(database: Database) -> list[str]:
    """Apply what is pending, all of it or nothing, and return it. Safe to run from several processes at once."""
    with database.engine.begin() as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        here = MigrationContext.configure(connection).get_current_heads()
        script = ScriptDirectory.from_config(_config())
        wanted = [each.revision for each in script.iterate_revisions("heads", here[0] if here else "base")]
        done = [revision for revision in reversed(wanted) if revision not in here]
        if done:
            command.upgrade(_config(connection), "heads")
    return done
