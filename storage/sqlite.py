"""Which SQLite the desk speaks to, and whether its write-ahead log may be trusted.

Python brings the SQLite of the machine it was built on, which is often old. Versions from 3.7.0 to 3.51.2 can
corrupt a database under write-ahead logging (sqlite.org/wal.html#walresetbug; fixed in 3.51.3, 3.50.7 and
3.44.6). Where Python's own is one of those, the driver `pysqlite3` is taken, which carries a newer one.
"""

from __future__ import annotations

import sqlite3
from importlib import import_module
from typing import Any

_FIXED_BACKPORTS: dict[tuple[int, ...], int] = {(3, 44): 6, (3, 50): 7}


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """Whether an SQLite of this version is free of the WAL-reset fault."""
    if version[:2] in _FIXED_BACKPORTS:
        return version[2] >= _FIXED_BACKPORTS[version[:2]]
    return version >= (3, 51, 3)


def _chosen() -> Any:
    if wal_is_safe(sqlite3.sqlite_version_info):
        return sqlite3
    try:
        other = import_module("pysqlite3.dbapi2")
    except ImportError:  # it is not made for every machine
        return sqlite3
    return other if wal_is_safe(other.sqlite_version_info) else sqlite3


driver: Any = _chosen()
"""The DB-API module: Python's own, or the one with a newer SQLite."""

journal: str = "WAL" if wal_is_safe(driver.sqlite_version_info) else "TRUNCATE"
"""The journal mode: the rollback journal costs more for each commit and lets readers and writers wait for each
other, but cannot corrupt on an old version."""

ERASES = "deskbell erases"
"""What a session's `info` holds when its transaction erases words: nothing of them may stay in the journal, either."""
