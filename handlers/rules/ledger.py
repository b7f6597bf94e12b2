"""The ledger: how an entry becomes a record that nobody can change unseen.

A record's bytes are its fields as canonical JSON (RFC 8785), the hash of the record before it among
them. The object is flat: what is itself JSON stands in it as canonical text, just as it is stored, so
no text can slip from one field into the next. A record's own hash is its leaf hash in the tree of RFC
6962: one hash ties it to its neighbour and to the root that a checkpoint signs.

What a person wrote never enters a record. The record holds a commitment to it, HMAC-SHA256 under a
fresh salt; text and salt live apart and are deleted together, after which no guess at the text can
be tested and every hash still holds (EDPB Guidelines 02/2025, on personal data in ledgers).
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from json.encoder import encode_basestring as quoted
from typing import Any, NamedTuple

from handlers.rules.merkle import Frontier, leaf_hash

START = "0" * 64
"""What stands in the first record where later ones name the hash before them."""

LONGEST = 200
"""No text in `before` and `after` is longer, in characters: they hold codes, and words live apart."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EXACT = 2**53 - 1  # beyond it a JSON reader may round (RFC 8785, section 3.2.2.3)
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=dict).encode


class NotEvidence(ValueError):
    """An entry holds something that a record cannot keep; nothing was written."""


class BadRecord(Exception):
    """The first record that does not fit: its `seq`, and a sentence. `audit` makes it a finding."""

    def __init__(self, seq: int, sentence: str) -> None:
        super().__init__(sentence)
        self.seq = seq


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
    """Where the ledger ends: the last record's hash, and the edge of the tree over all records."""

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
    """The canonical JSON of a row without its own hash.

    Written out, and not by a JSON library, because checking a ledger does little else.
    """
    seq, at, actor, surface, action, subject, before, after, practices = row[:9]
    policy, reference, commitments, previous = row[9:13]
    was = "null" if before is None else quoted(before)
    became = "null" if after is None else quoted(after)
    return (
        f'{{"action":{quoted(action)},"actor":{quoted(actor)},"after":{became}'
        f',"at":{at:d},"before":{was},"commitments":{quoted(commitments)}'
        f',"policy":{quoted(policy)},"practices":{quoted(practices)},"previous":{quoted(previous)}'
        f',"reference":{quoted(reference)},"seq":{seq},"subject":{quoted(subject)}'
        f',"surface":{quoted(surface)}}}'
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


def audit(
    rows: Iterable[Row],
    head: Head,
    anchors: Iterable[tuple[int, bytes]] = (),
    words: Iterable[Word] = (),
    since: Head | None = None,
) -> Findings:
    """Check rows in order against each other, the head, checkpoints, and people's words.

    `anchors` are tree sizes with the root that was signed for each, smallest first; `words` come in
    the order of their records; the rows begin behind `since`, or with the first. All stream through,
    so memory stays flat; the walk ends at the first thing that is wrong.
    """
    walk = _Walk(since or Head.start(), anchors, words)
    try:
        for row in rows:
            walk.step(row)
        walk.end(head)
    except BadRecord as bad:
        return walk.findings(bad.seq, str(bad))
    return walk.findings()


class _Walk:
    """From record to record, with the tree growing behind, the next checkpoint and the next words ahead."""

    def __init__(self, since: Head, anchors: Iterable[tuple[int, bytes]], words: Iterable[Word]) -> None:
        self._frontier = since.frontier.copy()
        self._previous = since.hash
        self._anchors, self._words = iter(anchors), iter(words)
        self._anchor, self._word = next(self._anchors, None), next(self._words, None)
        self._agreed = self._agreed_size = 0

    def step(self, row: Row) -> None:
        """Look at the next row."""
        if self._anchor is not None and self._anchor[0] <= self._frontier.size:
            self._meet_anchors()
        seq = self._frontier.size + 1
        if row.seq != seq:
            raise BadRecord(seq, f"Entry {seq} is missing or out of place: entry {row.seq} stands there.")
        if row.previous != self._previous:
            raise BadRecord(seq, f"Entry {seq} does not follow the entry before it.")
        leaf = _leaf(row)
        if leaf is None or leaf.hex() != row.hash:
            raise BadRecord(seq, f"Entry {seq} is not what was recorded.")
        if self._word is not None and self._word.seq <= seq:
            self._meet_words(seq, row.commitments)
        self._previous = row.hash
        self._frontier.append(leaf)

    def end(self, head: Head) -> None:
        """Look at what is left when the rows are through: checkpoints, words, and the head."""
        self._meet_anchors()
        size = self._frontier.size
        if self._anchor is not None:
            raise BadRecord(
                size + 1,
                f"The end is missing: a checkpoint covers {self._anchor[0]} entries and {size} are here.",
            )
        if self._word is not None:
            raise BadRecord(size + 1, f"There are words of entry {self._word.seq}, and no such entry.")
        if (head.size, head.hash) != (size, self._previous) or head.root != self._frontier.root():
            raise BadRecord(
                min(size, head.size) + 1,
                f"The head speaks of {head.size} entries and {size} are here, or its hashes are others.",
            )

    def findings(self, bad: int | None = None, trouble: str | None = None) -> Findings:
        """What it has come to so far."""
        return Findings(self._frontier.size, self._frontier.root().hex(), self._agreed, bad, trouble)

    def _meet_anchors(self) -> None:
        size = self._frontier.size
        while self._anchor is not None and self._anchor[0] <= size:
            if self._anchor != (size, self._frontier.root()):
                first = min(self._agreed_size + 1, self._anchor[0])
                raise BadRecord(
                    first, f"Entries {first} to {self._anchor[0]} are not those that a checkpoint covers."
                )
            self._agreed, self._agreed_size = self._agreed + 1, size
            self._anchor = next(self._anchors, None)

    def _meet_words(self, seq: int, commitments: str) -> None:
        while self._word is not None and self._word.seq <= seq:
            if self._word.seq < seq or not _is_committed(self._word, commitments):
                name = self._word.name
                raise BadRecord(seq, f"The words of entry {seq} ({name}) are not those that were written.")
            self._word = next(self._words, None)


def _is_committed(word: Word, commitments: str) -> bool:
    """Whether this canonical text, whose hash was found good, holds the word's commitment."""
    try:
        return f'{quoted(word.name)}:"{commitment(word.salt, word.name, word.text)}"' in commitments
    except (TypeError, AttributeError, ValueError):
        return False  # as above: not what the column is for


def _leaf(row: Row) -> bytes | None:
    """The leaf hash of a row, or None when the row is not one that could have been written."""
    try:
        return leaf_hash(record_bytes(row))
    except (TypeError, ValueError):
        return None  # SQLite keeps a value of any type in any column


def _canonical(value: object) -> str:
    _refuse_words(value)
    return _encode(value)


def _refuse_words(value: object) -> None:
    """Let through what RFC 8785 writes in one way only, and what no person wrote."""
    match value:
        case None | bool():
            pass
        case int() if abs(value) <= _EXACT:
            pass
        case str() if len(value) <= LONGEST and "\n" not in value:
            _storable(value)
        case list() | tuple():
            for each in value:
                _refuse_words(each)
        case Mapping():
            for name, each in value.items():
                # Keys beyond ASCII sort differently in UTF-16, which RFC 8785 sorts by.
                if not (isinstance(name, str) and name.isascii()):
                    raise NotEvidence(f"{name!r} cannot be a name in the ledger: use plain ASCII")
                _refuse_words(each)
        case _:
            raise NotEvidence(
                f"{str(value)[:60]!r} cannot stand in the ledger: before and after hold ids, codes, times as "
                "text and whole numbers; what a person wrote belongs in words"
            )


def _storable(text: str) -> str:
    """The same text, if every store can hold it: PostgreSQL knows no zero character, UTF-8 no half pairs."""
    if "\x00" in text or not _is_utf8(text):
        raise NotEvidence(f"{text[:60]!r} holds characters that cannot be stored")
    return str(text)  # and not an enumeration's member, which drivers write in their own ways


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _microseconds(at: datetime) -> int:
    if at.tzinfo is None:
        raise NotEvidence("a time without a zone must not reach the ledger")
    return (at - _EPOCH) // _MICROSECOND


_ENTRY = tuple(each.name for each in fields(Entry))
