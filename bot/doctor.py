"""The doctor: looks the desk over and says, for everything that is wrong, what to do."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from zoneinfo import TZPATH

from sqlalchemy import text

from bot import reach
from bot.checkpoints import EVERY
from bot.wiring import House
from config.policy import Way
from storage import migrations, sqlite
from storage.database import StoreUnavailable
from storage.repositories.flow import HELD
from storage.unit_of_work import Records

_LATE = timedelta(minutes=2)
_ROOM = 1 << 30
_SLACK = timedelta(seconds=5)
_PATIENCE_MS = 1000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what was found, whether it is good, and what to do when it is not."""

    name: str
    good: bool
    found: str
    then: str = ""

    def plain(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def examine(house: House) -> list[Finding]:
    """Every finding. Writes nothing."""
    findings = [_reachable(house)]
    if findings[0].good:
        findings += [_schema(house)]
        findings += list(_store(house))
        if house.database.is_sqlite:
            findings.append(_locks(house))
        if findings[1].good:
            with house.database.reading() as session:
                records = Records(session)
                findings += [look(house, records) for look in (_held, _overdue, _outbox, _alerts, _ledger)]
    findings += [_disk(house), _zones(), _key(house), *_platforms(house), _waking(house)]
    return findings


def _reachable(house: House) -> Finding:
    try:
        good = house.database.ready()
    except StoreUnavailable:
        good = False
    where = house.database.url.render_as_string(hide_password=True)
    return Finding("store", good, where, "Check DATABASE_URL and that the server runs.")


def _schema(house: House) -> Finding:
    missing = migrations.pending(house.database)
    found = f"missing {', '.join(missing)}" if missing else "of this release"
    return Finding("tables", not missing, found, "Run `deskbell migrate`.")


def _store(house: House) -> Iterator[Finding]:
    with house.database.reading() as session:

        def ask(question: str) -> str:
            return str(session.connection().execute(text(question)).scalar())

        if house.database.is_sqlite:
            yield from _sqlite(ask)
        else:
            yield Finding(
                "commits reach the disk",
                ask("SHOW synchronous_commit") != "off" and ask("SHOW fsync") == "on",
                f"synchronous_commit={ask('SHOW synchronous_commit')}, fsync={ask('SHOW fsync')}",
                "Turn both on in postgresql.conf: an acknowledged command must survive a power cut.",
            )
            theirs = float(ask("SELECT extract(epoch FROM clock_timestamp())"))
            apart = abs(theirs - house.clock.now().timestamp())
            yield Finding(
                "clock",
                apart < _SLACK.total_seconds(),
                f"{apart:.1f} s from the database's",
                "Synchronise both machines' clocks (NTP).",
            )


def _sqlite(ask: Callable[[str], str]) -> Iterator[Finding]:
    journal, sync = ask("PRAGMA journal_mode"), ask("PRAGMA synchronous")
    yield Finding(
        "SQLite journal",
        journal.upper() == sqlite.journal,
        f"{journal} on SQLite {sqlite.driver.sqlite_version}"
        + ("" if sqlite.journal == "WAL" else " (safe mode: this version has the WAL-reset fault)"),
        "Stop every process of the desk and start it again.",
    )
    yield Finding(
        "commits reach the disk", sync in ("2", "3"), f"synchronous={sync}", "Report this as a bug."
    )
    keys = ask("PRAGMA foreign_keys")
    yield Finding("foreign keys", keys == "1", "on" if keys == "1" else "off", "Report this as a bug.")
    patience = int(ask("PRAGMA busy_timeout"))
    yield Finding("waiting for locks", patience >= _PATIENCE_MS, f"{patience} ms", "Report this as a bug.")
    whole = ask("PRAGMA quick_check")
    yield Finding("pages", whole == "ok", whole, "Stop the desk and restore a backup.")


def _locks(house: House) -> Finding:
    """Whether a transaction that may write keeps others out from its beginning."""
    path = str(house.database.url.database)
    stranger = closing(sqlite.driver.connect(path, timeout=0, isolation_level=None))
    with house.database.writing() as session, stranger as other:
        session.connection()  # only now does its transaction begin
        try:
            other.execute("BEGIN IMMEDIATE")
            alone = False
        except sqlite.driver.OperationalError:
            alone = True
    return Finding("BEGIN IMMEDIATE", alone, "on" if alone else "off", "Report this as a bug.")


def _held(_house: House, records: Records) -> Finding:
    held = records.facts.get(HELD)
    found = "this is a restored copy: nothing leaves it" if held else "messages may leave"
    return Finding("held", not held, found, "When this copy is to be the desk, run `deskbell release`.")


def _overdue(house: House, records: Records) -> Finding:
    count = records.dues.overdue(house.clock.now() - _LATE)
    return Finding(
        "due moments", not count, f"{count} overdue", "Start `deskbell worker` (or `serve`); see its log."
    )


def _outbox(_house: House, records: Records) -> Finding:
    given_up = records.outbox.listed(["given up"], 1000)
    return Finding(
        "messages",
        not given_up,
        f"{len(given_up)} never arrived" if given_up else "none was given up",
        "See `deskbell outbox list`, mend the cause, then `deskbell outbox retry NUMBER`.",
    )


def _alerts(house: House, records: Records) -> Finding:
    count = records.alerts.rejected_since(house.clock.now() - timedelta(days=1))
    found = f"{count} could not be read since yesterday" if count else "every one could be read"
    return Finding("alerts", not count, found, "Type `alert rejected` to see why, and mend their senders.")


def _ledger(house: House, records: Records) -> Finding:
    size = records.ledger.head().size
    newest = next(iter(records.ledger.records(after=size - 1)), None) if size else None
    behind = size - records.ledger.signed_size()
    late = newest is not None and behind > 0 and house.clock.now() - newest.at > 3 * EVERY
    future = newest is not None and newest.at > house.clock.now() + _SLACK
    found = f"{size} records, {behind} not signed yet"
    if future:
        return Finding(
            "ledger", False, f"{found}; the newest lies in the future", "Set this machine's clock right."
        )
    return Finding(
        "ledger", not late, found, "Start `deskbell worker` (or `serve`), which signs checkpoints."
    )


def _disk(house: House) -> Finding:
    home = house.settings.home
    free = shutil.disk_usage(home if home.exists() else Path.cwd()).free
    return Finding("disk", free > _ROOM, f"{free / _ROOM:.1f} GiB free", f"Make room where {home} lies.")


def _zones() -> Finding:
    found = (
        f"tzdata {version('tzdata')}, the system's in {TZPATH[0]}"
        if TZPATH
        else f"tzdata {version('tzdata')}"
    )
    return Finding("time zones", True, found)


def _key(house: House) -> Finding:
    key = house.settings.home / "ledger.key"
    if not key.exists():
        return Finding("ledger's key", True, "made when the first checkpoint is signed")
    mode = stat.S_IMODE(key.stat().st_mode)
    return Finding(
        "ledger's key", not mode & 0o077, f"mode {mode:o}", f"Run `chmod 600 {key}`; keep a copy elsewhere."
    )


def _platforms(house: House) -> Iterator[Finding]:
    settings = house.settings
    known = house.policy().access.workspaces
    for name, on in (("slack", settings.slack_bot_token), ("discord", settings.discord_token)):
        if on is None:
            yield Finding(name, True, "not connected")
            continue
        listed = any(each.startswith(f"{name}:") for each in known)
        yield Finding(
            name,
            listed,
            "connected" if listed else "connected, but any workspace may speak to the desk",
            "Name yours under `workspaces` in access.yaml.",
        )
    if not settings.slack_bot_token and not settings.discord_token:
        loopback = settings.host in ("127.0.0.1", "localhost", "::1")
        yield Finding(
            "console", loopback, f"on {settings.host}", "Anyone can be anyone there: set HOST to 127.0.0.1."
        )


def _waking(house: House) -> Finding:
    """By which ways people can be woken, and whether each way that they name is one of them."""
    ready = [way for way in Way if way is Way.CHAT or way in house.platforms]
    missing = reach.not_set_up(house.policy(), house.platforms)
    found = "; ".join(filter(None, (", ".join(ready), reach.in_words(missing))))
    return Finding("ways to wake people", not missing, found, reach.what_to_do(missing))
