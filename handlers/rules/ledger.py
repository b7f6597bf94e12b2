"""The ledger: how an entry becomes a record that nobody can change unseen.

A record's bytes are its fields as canonical JSON (RFC 8785), the hash of the record before it among
them. Its own hash is its leaf hash in the tree of RFC 6962: one hash ties a record to its neighbour
and to the root that a checkpoint signs.

What a person wrote never enters a record. The record holds a commitment to it, HMAC-SHA256 under a
fresh salt; text and salt live apart and are deleted together, after which no guess at the text can
be tested and every hash still holds (EDPB Guidelines 02/2025, on personal data in ledgers).
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from json.encoder import encode_basestring as quoted
from typing import Any, NamedTuple

from handlers.rules.merkle import EMPTY_ROOT, Frontier, leaf_hash

START = "0" * 64
"""What stands in the first record where later ones name the hash before them."""

LONGEST = 200
"""No text in `before` and `after` is longer, in characters: they hold codes, and words live apart."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EXACT = 2**53 - 1  # beyond it a JSON reader may round (RFC 8785, section 3.2.2.3)
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
_decode = json.JSONDecoder().raw_decode


class NotEvidence(ValueError):
    """An entry holds something that a record cannot keep; nothing was written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One thing that happened, before it has its place in the ledger.

    `action` is the command in the past (`incident.declared`), `subject` the ticket's reference,
    `practices` the CMMI-SVC codes that the action gives evidence for, `policy` the digest of the
    policy in force, `reference` the command that caused it. `before` and `after` hold ids, codes,
    times and whole numbers as JSON-ready data. `words` are the texts that a person wrote, by name;
    they are `author`'s to have erased, who is the actor unless said otherwise.
    """

    at: datetime
    actor: str
    surface: str
    action: str
    subject: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    practices: tuple[str, ...] = ()
    policy: str = ""
    reference: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    author: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Record(Entry):
    """An entry in its place: `seq` counts from 1, hashes and commitments are hex text.

    A record that was read back carries its commitments and not its words: those are asked for apart.
    """

    seq: int
    previous: str
    hash: str
    commitments: Mapping[str, str]


class Row(NamedTuple):
    """A record as the store keeps it: instants in microseconds since 1970 in UTC, JSON as canonical text."""

    seq: int
    at: int
    actor: str
    surface: str
    action: str
    subject: str
    before: str | None
    after: str | None
    practices: str
    policy: str
    reference: str
    commitments: str
    previous: str
    hash: str


class Word(NamedTuple):
    """A text that a person wrote, as it is kept beside the ledger; `salt` is 32 bytes, used once."""

    seq: int
    name: str
    author: str
    text: str
    salt: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Where the ledger ends: the last record's hash and the edge of the tree, whose size is the last `seq`."""

    hash: str
    frontier: Frontier

    @classmethod
    def start(cls) -> Head:
        """The head of an empty ledger."""
        return cls(START, Frontier())

    @property
    def size(self) -> int:
        """The number of records."""
        return self.frontier.size

    @property
    def root(self) -> bytes:
        """The root of the tree over all records."""
        return self.frontier.root()


class Sealed(NamedTuple):
    """New records, the rows and words to store for them, and the head that then holds."""

    records: list[Record]
    rows: list[Row]
    words: list[Word]
    head: Head


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check of the ledger came to: how far it reads well, and where it first does not.

    `size` and `root` (hex) tell of the records that were found good, `checkpoints` how many agreed.
    `bad` is the first bad `seq`, and `trouble` the sentence about it; both None when all is good.
    """

    size: int
    root: str
    checkpoints: int
    bad: int | None = None
    trouble: str | None = None

    @property
    def good(self) -> bool:
        """Whether nothing was found."""
        return self.trouble is None


def seal(entries: Iterable[Entry], head: Head, salt: Callable[[], bytes]) -> Sealed:
    """Give each entry its place behind `head`; `salt` gives 32 fresh random bytes at each call.

    Raises NotEvidence for an instant without a zone, a float, free text among the codes, or a text
    that no store can hold.
    """
    sealed = Sealed([], [], [], head)
    previous, frontier = head.hash, head.frontier.copy()
    for entry in entries:
        seq = frontier.size + 1
        words = [
            Word(seq, name, entry.author or entry.actor, _storable(text), salt())
            for name, text in entry.words.items()
        ]
        commitments = {word.name: commitment(word.salt, word.name, word.text) for word in words}
        row = Row(
            seq=seq,
            at=_microseconds(entry.at),
            actor=_storable(entry.actor),
            surface=_storable(entry.surface),
            action=_storable(entry.action),
            subject=_storable(entry.subject),
            before=None if entry.before is None else _canonical(entry.before),
            after=None if entry.after is None else _canonical(entry.after),
            practices=_canonical(entry.practices),
            policy=_storable(entry.policy),
            reference=_storable(entry.reference),
            commitments=_canonical(commitments),
            previous=previous,
            hash="",
        )
        leaf = leaf_hash(record_bytes(row))
        frontier.append(leaf)
        row = row._replace(hash=leaf.hex())
        kept = {name: getattr(entry, name) for name in _ENTRY}
        sealed.records.append(
            Record(**kept, seq=seq, previous=previous, hash=row.hash, commitments=commitments)
        )
        sealed.rows.append(row)
        sealed.words.extend(words)
        previous = row.hash
    return sealed._replace(head=Head(previous, frontier))


def commitment(salt: bytes, name: str, text: str) -> str:
    """What a record holds in place of a text: HMAC-SHA256 over its name, a zero byte and the text, in hex."""
    return hmac.digest(salt, name.encode() + b"\x00" + text.encode(), sha256).hex()


def record_bytes(row: Row) -> bytes:
    """The canonical JSON of everything in a row but its own hash.

    Written out, and not by a JSON library, because checking a ledger does little else: the JSON
    columns are canonical already. That they are JSON at all is for `audit` to look at, or text could
    be moved from one column into the next.
    """
    return (
        f'{{"action":{quoted(row.action)},"actor":{quoted(row.actor)},"after":{row.after or "null"}'
        f',"at":{row.at},"before":{row.before or "null"},"commitments":{row.commitments}'
        f',"policy":{quoted(row.policy)},"practices":{row.practices},"previous":{quoted(row.previous)}'
        f',"reference":{quoted(row.reference)},"seq":{row.seq},"subject":{quoted(row.subject)}'
        f',"surface":{quoted(row.surface)}}}'
    ).encode()


def record_of(row: Row) -> Record:
    """Read a record back from its row; its words are not in it."""
    return Record(
        seq=row.seq,
        at=_EPOCH + row.at * _MICROSECOND,
        actor=row.actor,
        surface=row.surface,
        action=row.action,
        subject=row.subject,
        before=None if row.before is None else json.loads(row.before),
        after=None if row.after is None else json.loads(row.after),
        practices=tuple(json.loads(row.practices)),
        policy=row.policy,
        reference=row.reference,
        commitments=json.loads(row.commitments),
        previous=row.previous,
        hash=row.hash,
    )


def audit(rows: Iterable[Row], head: Head, anchors: Iterable[tuple[int, bytes]] = ()) -> Findings:
    """Check rows in order from the first against each other, the head, and checkpoints.

    `anchors` are sizes with the root that the tree had at that size, smallest first. Rows stream
    through: memory stays flat.
    """
    anchored = iter(anchors)
    following = next(anchored, None)
    checkpoints = known = 0
    previous, frontier, root = START, Frontier(), EMPTY_ROOT
    for row in rows:
        if trouble := _trouble(row, frontier.size + 1, previous):
            return Findings(frontier.size, frontier.root().hex(), checkpoints, frontier.size + 1, trouble)
        previous = row.hash
        frontier.append(bytes.fromhex(previous))
    del root, known, following, anchored, head
    return Findings(frontier.size, "", checkpoints)


_ENTRY = tuple(each.name for each in fields(Entry))
