"""Backups: the store and what proves it, in one file; and putting one back without sending anything twice."""

from __future__ import annotations

import json
import os
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot.erasures import FILE, Erasure, ErasuresUnreadable, erase_again, read
from bot.wiring import House
from handlers.rules.checkpoint import Signer
from storage import archive, migrations
from storage.database import Database
from storage.repositories.flow import HELD
from storage.repositories.ledger import Ledger
from storage.unit_of_work import Records

_ABOUT = "deskbell.json"
_KEYS = ("ledger.key", "ledger.pub", "ledger.next", "secret.key")


class NotPossible(Exception):
    """A backup or a restore that cannot be done; the sentence says what to do. Nothing was changed."""


def back_up(house: House, target: Path) -> str:
    """Write a backup while the desk runs, and say what it holds. The file appears only when it is whole."""
    house.sign(only_if_due=False)
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        # Made readable for its owner alone: it holds what people wrote, and the keys.
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        # Read before the store is: what the desk signs from now on speaks of records that the copy need not hold.
        kept = {path: path.read_bytes() for path in _keys_and_proofs(house.settings.home)}
        with archive.packed(str(beside), "w") as packed, _snapshot(house) as connection:
            counts = archive.write(connection, packed)
            packed.writestr(
                _ABOUT, json.dumps({"format": 1, "revision": _revision(connection), "rows": counts})
            )
            for path, content in kept.items():
                packed.writestr(f"home/{path.relative_to(house.settings.home)}", content)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    rows = f"{sum(counts.values())} rows, {counts['evidence']} of them evidence"
    return f"{rows}, in {target}. Keep it as safe as the store."


@contextmanager
def _snapshot(house: House) -> Iterator[Connection]:
    """A connection that sees one moment of the store, and holds nobody up."""
    if not house.database.is_sqlite:
        with house.database.engine.connect() as connection:
            snapshot = connection.execution_options(isolation_level="REPEATABLE READ")
            house.database.take_time(snapshot)  # it rests between the tables, while they are packed
            yield snapshot
        return
    with tempfile.TemporaryDirectory(dir=house.settings.home) as folder:
        path = Path(folder) / "copy.db"
        house.database.copy_to(path)
        copy = Database(f"sqlite:///{path}")
        try:
            with copy.engine.connect() as connection:
                yield connection
        finally:
            copy.close()


def _revision(connection: Connection) -> str:
    return migrations.revision(connection) or ""


def _keys_and_proofs(home: Path) -> Iterator[Path]:
    yield from (home / name for name in (*_KEYS, FILE) if (home / name).exists())
    yield from sorted((home / "checkpoints").glob("*"))


def put_back(house: House, source: Path) -> str:
    """Put a backup into an empty store and hold its messages. Raises NotPossible, and then nothing was changed."""
    try:
        with ZipFile(source) as packed:
            about = json.loads(packed.read(_ABOUT))
            _require_empty(house, packed)
            house.migrate()
            with house.database.engine.begin() as connection:
                house.database.take_time(connection)
                if about["revision"] != _revision(connection):
                    raise NotPossible(
                        "Another release wrote this backup. Restore it with that release, then migrate."
                    )
                counts = archive.read(connection, packed)
                _require_whole(connection)
            _put_keys(packed, house)
    except (
        BadZipFile,
        zlib.error,
        EOFError,
        LookupError,
        TypeError,
        ValueError,
        archive.NotAnArchive,
    ) as error:
        raise NotPossible(f"{source} is no backup of a desk, or a damaged one: {error}") from error
    except IntegrityError as error:
        raise NotPossible(f"{source} contradicts itself: {error.orig}") from error
    erased = _erase_again(house)
    findings = house.verify()
    if house.notary.size > findings.size:
        raise NotPossible(
            f"The copy is here and held, and it is older than its evidence: it holds {findings.size} records, and a "
            f"checkpoint of {house.notary.size} was signed. Look for a newer backup. {house.notary.what_if_behind}"
        )
    if not findings.good:
        raise NotPossible(
            f"The copy is here and held, but its checkpoints do not fit: record {findings.bad}: {findings.trouble}"
        )
    return (
        f"{sum(counts.values())} rows are back, and the ledger holds with {findings.size} records. {erased}"
        "Nothing leaves this copy until you run `deskbell release`."
    )


def _require_empty(house: House, packed: ZipFile) -> None:
    with house.database.engine.connect() as connection:
        empty = archive.is_empty(connection)
    if not empty:
        raise NotPossible("This store is not empty. Restore into a new one, then point DATABASE_URL at it.")
    _whom_to_erase(house)
    key, signed = house.settings.home / _KEYS[0], house.settings.home / "checkpoints"
    inside = f"home/{_KEYS[0]}"
    ours = key.exists() and inside in packed.namelist() and _is_of_this_ledger(house, packed.read(inside))
    if not ours and any(signed.glob("*")):
        raise NotPossible(
            f"{house.settings.home} holds the key and the checkpoints of another ledger. "
            "Point DESKBELL_HOME at a new folder."
        )


def _is_of_this_ledger(house: House, key: bytes) -> bool:
    """Whether a signing key is the one in this home, or one that was changed for it."""
    home = house.settings.home
    here = [path.read_text(encoding="utf-8").strip() for path in (home / "checkpoints").glob("*.pub")]
    now = Signer.parse((home / _KEYS[0]).read_text(encoding="utf-8").strip())
    return Signer.parse(key.decode().strip()).verifier.line() in [*here, now.verifier.line()]


def _require_whole(connection: Connection) -> None:
    with Session(connection) as session:
        findings = Ledger(session).verify()
    if not findings.good:
        raise NotPossible(f"The copy's ledger does not hold: record {findings.bad}: {findings.trouble}")


def _put_keys(packed: ZipFile, house: House) -> None:
    """Write the keys, over a key that has signed nothing, and those checkpoints and erasures that are not here yet.

    What lies here may be newer than the backup: the last checkpoint that was signed is never forgotten.
    """
    home = house.settings.home
    signed = any((home / "checkpoints").glob("*"))
    for name in packed.namelist():
        relative = Path(name)
        if relative.parts[:1] != ("home",) or ".." in relative.parts or len(relative.parts) > 3:
            continue
        path = home.joinpath(*relative.parts[1:])
        if path == house.erasures.path:
            house.erasures.add(read(packed.read(name)))
            continue
        if (signed or path.parent != home) and path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(packed.read(name))


def _whom_to_erase(house: House) -> Sequence[Erasure]:
    try:
        return house.erasures.all()
    except ErasuresUnreadable as error:
        raise NotPossible(str(error)) from error


def _erase_again(house: House) -> str:
    """Erase whom the original has erased since, and say so."""
    listed, policy, now = _whom_to_erase(house), house.policy().version, house.clock.now()
    with house.database.writing() as session:
        again = erase_again(Records(session), listed, now, policy)
    return f"{again} who were erased since the backup were erased again. " if again else ""


def let_go(house: House) -> str:
    """Let a restored copy send and ring from now on. Raises NotPossible while it holds what was to be erased."""
    _erase_again(house)
    with house.database.writing() as session:
        records = Records(session)
        if not records.facts.get(HELD):
            return "This desk is not held; nothing to do."
        records.facts.drop([HELD])
    return "This copy is the desk now: what waits is looked at again and sent if it still holds."
