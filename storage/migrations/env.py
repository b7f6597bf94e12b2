"""How Alembic reaches our tables: on the connection that `upgrade` gives it, or on a fresh SQLite file for `revision`."""

from __future__ import annotations

import os
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import BigInteger, Text, create_engine
from sqlmodel import AutoString, SQLModel

import storage.models  # noqa: F401 - fills the metadata
from storage.columns import Instant, Json


def render_item(kind: str, item: Any, _autogen: AutogenContext) -> str | Literal[False]:
    """Write plain column types into migrations, so that a migration does not change when our classes do."""
    if kind == "type":
        if isinstance(item, Instant):
            return "sa.BigInteger()"
        if isinstance(item, Json):
            return "sa.Text()"
        if isinstance(item, AutoString):
            return f"sa.String(length={item.length})" if item.length else "sa.Text()"
    return False


def compare_type(_context: Any, _column: Any, _found: Any, inspected: Any, wanted: Any) -> bool | None:
    """Our decorated types are the same as the plain ones beneath them."""
    if isinstance(wanted, Instant):
        return not isinstance(inspected, BigInteger)
    if isinstance(wanted, Json):
        return not isinstance(inspected, Text)
    if isinstance(wanted, AutoString) and not wanted.length:
        return not isinstance(inspected, Text)
    return None


def run(connection: Any) -> None:
    """Run what was asked for on a connection whose transaction belongs to the caller."""
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_item=render_item,
        compare_type=compare_type,
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(os.environ.get("DATABASE_URL", "sqlite://")).connect() as own:
        run(own)
        own.commit()
