"""How the desk speaks to PostgreSQL: what nobody may exceed, and how a connection that has died is noticed.

To ask each connection before it is used costs as much as a small question, and a command would ask several times. A
server that ends a connection leaves word on it, which can be seen without asking.
"""

from __future__ import annotations

import select
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError

LIMITS = {"lock_timeout": 2000, "statement_timeout": 2500, "idle_in_transaction_session_timeout": 10_000}
"""What PostgreSQL lets nobody exceed, in milliseconds. A person waits for the answer, and Slack for three seconds;
a process that froze within a transaction holds the others up until the last of these."""

# A server that is gone says nothing: neither to what is sent (milliseconds) nor to whoever is idle (seconds).
_NOTICED = {"tcp_user_timeout": 2500, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2}


def engine(url: URL) -> Engine:
    """An engine whose connections are alive when they are handed out, as far as can be seen."""
    made = create_engine(
        url,
        hide_parameters=True,  # what people wrote must not reach the log with an error
        # A full pool and a dead server must say so as soon as a lock that somebody holds.
        pool_size=8,
        max_overflow=8,
        pool_timeout=2,
        connect_args={
            "connect_timeout": 2,
            "options": " ".join(f"-c {name}={limit}" for name, limit in LIMITS.items()),
            **_NOTICED,
        },
    )

    @event.listens_for(made, "checkout")
    def look(connection: Any, _record: Any, _proxy: Any) -> None:
        if not _has_news(connection):
            return
        try:
            made.dialect.do_ping(connection)  # it may also be a notice, which is read thereby
        except made.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError("the server ended the connection") from error

    return made


def _has_news(connection: Any) -> bool:
    """Whether a connection that waits for nothing has been sent something, or its end."""
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))
