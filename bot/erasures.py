"""Erasures, kept outside the store: a backup from before one would bring back what was to be forgotten.

Beside the checkpoints lies `erasures.jsonl`, one person a line, written whenever a checkpoint is signed: never later
than a minute after the erasure. Whoever puts a backup back does all of them again that it does not know of.
It names people by the keys that the ledger keeps of them, and by nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from bot.files import write_safely
from handlers import erasure
from handlers.rules.ledger import Entry, Record
from storage.repositories.ledger import Ledger
from storage.unit_of_work import Records

FILE = "erasures.jsonl"


class ErasuresUnreadable(Exception):
    """The list of erasures holds what nobody can read; the sentence says where."""


@dataclass(frozen=True)
class Erasure:
    """That a person was erased: `record` is the hash of the ledger's record of it, `people` are the person's keys."""

    record: str
    at: str
    people: tuple[str, ...]


class Erasures:
    """The list under one home."""

    def __init__(self, home: Path) -> None:
        self.path = home / FILE

    def note(self, ledger: Ledger) -> None:
        """Add what the ledger tells of people erased since; to be called by one process at a time."""
        told = ledger.of_action(erasure.ERASED)
        # What was done again after a restore is here already, as it was the first time.
        self.add(_from(record) for record in told if record.actor != "desk")

    def add(self, found: Iterable[Erasure]) -> None:
        """Add those that are not here yet. Nothing is lost when this is cut short."""
        known = self.all()
        new = {each.record: each for each in found if each not in known}
        if new:
            lines = [json.dumps(asdict(each), sort_keys=True) for each in (*known, *new.values())]
            write_safely(self.path, "\n".join(lines) + "\n", mode=0o600)

    def all(self) -> Sequence[Erasure]:
        """Every one. Raises ErasuresUnreadable."""
        try:
            return read(self.path.read_bytes())
        except FileNotFoundError:
            return ()
        except ValueError as error:
            raise ErasuresUnreadable(
                f"{self.path} cannot be read: {error}. Put it back from a copy."
            ) from error


def read(written: bytes) -> Sequence[Erasure]:
    """What a list says. Raises ValueError."""
    found = []
    for number, line in enumerate(written.decode().splitlines(), 1):
        try:
            said = json.loads(line)
            found.append(Erasure(str(said["record"]), str(said["at"]), tuple(map(str, said["people"]))))
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"line {number} is no erasure") from None
    return found


def erase_again(records: Records, listed: Iterable[Erasure], now: datetime, policy: str) -> int:
    """Do those again of which this store knows nothing, and record it; returns how many people that were."""
    done = 0
    for each in listed:
        person, known = each.people[0], records.ledger.of_action(erasure.ERASED)
        if any(record.hash == each.record or record.reference == _reference(each) for record in known):
            continue
        erased = erasure.erase(records, each.people, now)
        entry = Entry(
            at=now,
            actor="desk",
            surface="desk",
            action=erasure.ERASED,
            subject=person,
            after=erased.after(),
            practices=erasure.PRACTICES,
            policy=policy,
            reference=_reference(each),
        )
        records.ledger.append([entry])
        done += 1
    return done


def _reference(erased: Erasure) -> str:
    """What tells that a record is of an erasure done again, and of which."""
    return f"again-{erased.record[:32]}"


def _from(record: Record) -> Erasure:
    also = (record.after or {}).get("also", ())
    return Erasure(record.hash, record.at.isoformat(), (record.subject, *map(str, also)))
