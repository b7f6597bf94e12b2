"""The ledger in the store: records are added at its end, read in order, checked, and never changed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import Result, Select, bindparam, column, delete, func, insert, select, table, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlmodel import col

from handlers.rules.ledger import (
    BadRecord,
    Entry,
    Findings,
    Head,
    Record,
    Row,
    Word,
    audit,
    record_of,
    seal,
)
from handlers.rules.merkle import Frontier
from storage.models.evidence import CheckpointRow, WordsRow
from storage.sqlite import ERASES
from storage.statements import Prepared

_BATCH = 1000  # rows held at a time while a long answer streams through

# The same tables as the models, without types: rows are hashed as they are stored, and this is the hot path.
_evidence = table("evidence", *map(column, Row._fields))
_words = table("words", *map(column, Word._fields))
_checkpoint = table("checkpoint", column("size"), column("root"))
_head = table("ledger_head", column("id"), column("size"), column("hash"), column("frontier"))

_HEAD = select(_head.c.size, _head.c.hash, _head.c.frontier).where(_head.c.id == 1)
_READ_HEAD, _LOCK_HEAD = Prepared(_HEAD), Prepared(_HEAD.with_for_update())
_MOVE_HEAD = Prepared(
    text("UPDATE ledger_head SET size = :size, hash = :hash, frontier = :frontier WHERE id = 1")
)
_FIRST_HEAD = Prepared(
    text(
        "INSERT INTO ledger_head (id, size, hash, frontier) VALUES (1, 0, :hash, '[]') ON CONFLICT DO NOTHING"
    )
)
_STORY = Prepared(
    select(_evidence).where(_evidence.c.subject == bindparam("wanted")).order_by(_evidence.c.seq)
)
_ADD_ROWS, _ADD_WORDS = Prepared(insert(_evidence)), Prepared(insert(_words))


class Ledger:
    """The ledger inside one transaction, which its caller commits.

    `salts` gives 32 fresh random bytes at each call.
    """

    def __init__(self, session: Session, salts: Callable[[], bytes] = lambda: os.urandom(32)) -> None:
        self._session = session
        self._salts = salts
        self._end: Head | None = None  # known and locked once this transaction has added something

    def append(self, entries: Iterable[Entry]) -> list[Record]:
        """Add entries at the end; they count once the transaction commits.

        On PostgreSQL this locks the head until then, and others wait who want to append: call it late.
        Raises NotEvidence for an entry that a record cannot keep.
        """
        sealed = seal(entries, self.hold(), self._salts)
        if not sealed.rows:
            return []
        _ADD_ROWS.run_each(self._session, [row._asdict() for row in sealed.rows])
        if sealed.words:
            _ADD_WORDS.run_each(self._session, [word._asdict() for word in sealed.words])
        head = sealed.head
        frontier = json.dumps(head.frontier.to_hex())
        _MOVE_HEAD.run(self._session, size=head.size, hash=head.hash, frontier=frontier)
        self._end = head
        return sealed.records

    def hold(self) -> Head:
        """Where the ledger ends, kept there until this transaction ends: whoever else would append waits."""
        if self._end is None:
            self._end = self.head(lock=True)
        return self._end

    def head(self, lock: bool = False) -> Head:
        """Where the ledger ends now; with `lock`, nobody else moves it before this transaction ends."""
        asked = _LOCK_HEAD if lock else _READ_HEAD
        found = asked.first(self._session)
        if found is None and lock:
            _FIRST_HEAD.run(self._session, hash=Head.start().hash)
            found = asked.first(self._session)
        return Head.start() if found is None else _head_of(*found)

    def began(self) -> datetime | None:
        """When the first record was written; None while there is none."""
        first = next(self.rows(upto=1), None)
        return None if first is None else record_of(first).at

    def trail(self, subject: str, before_seq: int | None = None, limit: int | None = None) -> list[Record]:
        """The story of one subject, oldest first: the last `limit` records, or those before a `seq`."""
        if before_seq is None and limit is None:
            return [record_of(Row(*each)) for each in _STORY.rows(self._session, wanted=subject)]
        wanted = select(_evidence).where(_evidence.c.subject == subject).order_by(_evidence.c.seq.desc())
        if before_seq is not None:
            wanted = wanted.where(_evidence.c.seq < before_seq)
        found = self._session.execute(wanted.limit(limit)).all()
        return [record_of(Row(*each)) for each in reversed(found)]

    def of_action(self, action: str) -> list[Record]:
        """Every record of one action, oldest first."""
        wanted = select(_evidence).where(_evidence.c.action == action).order_by(_evidence.c.seq)
        return [record_of(Row(*each)) for each in self._session.execute(wanted)]

    def records(self, after: int = 0) -> Iterator[Record]:
        """All records in order, from the one behind `after`; they stream, whatever their number."""
        return map(record_of, self.rows(after))

    def rows(self, after: int = 0, upto: int | None = None) -> Iterator[Row]:
        """The rows of `records` as they are stored and hashed."""
        wanted = select(_evidence).where(_evidence.c.seq > after).order_by(_evidence.c.seq)
        return map(Row._make, self._stream(wanted if upto is None else wanted.where(_evidence.c.seq <= upto)))

    def words(self, upto: int | None = None) -> Iterator[Word]:
        """The words that were not erased, with their salts, in the order of their records."""
        wanted = select(_words).order_by(_words.c.seq)
        return map(Word._make, self._stream(wanted if upto is None else wanted.where(_words.c.seq <= upto)))

    def words_of(self, seqs: Collection[int]) -> dict[int, dict[str, str]]:
        """What people wrote in these records, by `seq` and name; what was erased is not there."""
        found: dict[int, dict[str, str]] = {}
        wanted = select(_words.c.seq, _words.c.name, _words.c.text).where(_words.c.seq.in_(seqs))
        wanted = wanted.order_by(_words.c.seq, _words.c.name)
        for seq, name, written in self._session.execute(wanted):
            found.setdefault(seq, {})[name] = written
        return found

    def erase(self, person: str) -> int:
        """Delete every text that this person wrote, with its salt; returns how many, to be recorded."""
        self._session.info[ERASES] = True
        erased = self._session.execute(delete(WordsRow).where(col(WordsRow.author) == person))
        return int(erased.rowcount)  # type: ignore[attr-defined]  # a cursor result in practice

    def keep_checkpoint(self, at: datetime, note: str, head: Head) -> None:
        """Keep a copy of a signed checkpoint of this head, in place of an earlier one of the same size."""
        self._session.execute(delete(CheckpointRow).where(col(CheckpointRow.size) == head.size))
        self._session.execute(
            insert(CheckpointRow).values(
                size=head.size, root=head.root.hex(), at=at, note=note, frontier=head.frontier.to_hex()
            )
        )

    def signed_size(self) -> int:
        """How many records the largest checkpoint kept here covers."""
        return int(self._session.scalar(select(func.max(col(CheckpointRow.size)))) or 0)

    def last_checkpoint(self) -> tuple[str, Frontier] | None:
        """The note of the largest checkpoint kept here, with the tree's edge; ValueError if that is none."""
        kept = select(CheckpointRow.note, CheckpointRow.size, CheckpointRow.frontier)  # type: ignore[call-overload]
        found = self._session.execute(kept.order_by(col(CheckpointRow.size).desc()).limit(1)).first()
        return None if found is None else (found.note, Frontier.from_hex(found.size, found.frontier))

    def verify(self, anchors: Iterable[tuple[int, bytes]] = ()) -> Findings:
        """Check the whole ledger: every record, the tree, the head, every checkpoint, every word.

        `anchors` are sizes and roots of checkpoints kept outside the database, added to those within.
        Everything streams, so memory stays flat but for some bytes for each checkpoint.
        """
        # Checkpoints first: whatever is signed while this reads on is not expected of it.
        outside = set(anchors)
        known = self._session.execute(select(_checkpoint.c.size, _checkpoint.c.root))
        try:
            signed = sorted({(size, bytes.fromhex(root)) for size, root in known} | outside)
            # One statement, one moment: whoever appends meanwhile moves both or none.
            last = select(func.max(_evidence.c.seq)).scalar_subquery()
            found = self._session.execute(_HEAD.add_columns(last)).first()
            head = Head.start() if found is None else _head_of(*found[:3])
        except (ValueError, TypeError):
            return Findings(0, "", 0, 1, "The head or a checkpoint in the database cannot be read.")
        # Without a head nothing may be there; with one, nothing behind it.
        upto = None if found is None or (found[3] or 0) > head.size else head.size
        return audit(self._legible(self.rows(upto=upto)), head, signed, self.words(upto=upto))

    def _legible(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Make a row that the store cannot even read a finding, and not a failure of the check."""
        seq = 0
        try:
            for row in rows:
                yield row
                seq = row.seq
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            raise BadRecord(
                seq + 1, f"Not all entries behind entry {seq} can be read: {error.orig}"
            ) from error

    def _stream(self, wanted: Select[Any]) -> Iterator[Any]:
        result: Result[Any] = self._session.connection().execute(
            wanted, execution_options={"stream_results": True, "yield_per": _BATCH}
        )
        with result:  # who stops reading early leaves no cursor open
            yield from chain.from_iterable(result.partitions())


def _head_of(size: int, last: str, edge: str) -> Head:
    return Head(last, Frontier.from_hex(size, json.loads(edge)))
