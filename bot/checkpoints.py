"""Checkpoints: what the ledger held is signed, and kept where the database's administrator does not write.

Under the desk's home lie the signing key (`ledger.key`), its public half (`ledger.pub`, to be given to
auditors), and `checkpoints/`: `latest`, and one file for each size that was signed. `latest` is
written first and counts: nothing is shown to anyone before it is safely on the disk, so that after a
crash at any step the next checkpoint still follows every earlier one, as C2SP tlog-checkpoint asks.

A key is changed through the ledger: a record names the next key, `ledger.next` until then, with the old key's
signature for it, and whoever signs behind that record signs with the new one. The old public half stays beside
the checkpoints that it opens.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.orm import Session

from bot.files import write_safely as _write
from handlers.rules.checkpoint import Checkpoint, NotSigned, Signer, Verifier, is_origin
from handlers.rules.ledger import Entry, Head, audit, record_bytes
from handlers.rules.merkle import EMPTY_ROOT, Frontier
from storage.repositories.ledger import Ledger

FORMAT = "deskbell-evidence/1"
KEY_CHANGED = "ledger.key_changed"
EVERY = timedelta(seconds=60)
"""A new record waits no longer for its checkpoint."""
MANY = 256
"""As many new records do not wait at all."""


class CheckpointRefused(Exception):
    """Nothing was signed, because it would not have followed what was signed before."""


class LedgerBehind(CheckpointRefused):
    """The database is older than its last checkpoint, as after an old backup was restored."""


class LedgerRewritten(CheckpointRefused):
    """The database holds other records than those that were signed."""


class Notary:
    """Signs checkpoints of one ledger, named by its origin, with a key that is made on first use.

    Raises ValueError for a name that cannot be an origin, and CheckpointRefused when the files under
    `home` do not belong together.
    """

    def __init__(self, home: Path, origin: str) -> None:
        if not is_origin(origin):
            raise ValueError(f"{origin!r} cannot name a ledger: use a name like desk.example.org/ledger")
        self._origin = origin
        self._key = home / "ledger.key"
        self._next = home / "ledger.next"
        self._folder = home / "checkpoints"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._signer = _load_key(self._key, origin)
        self._size = self._on_disk()[1].size
        self._signed_at: datetime | None = None

    @property
    def verifier(self) -> Verifier:
        """The public half of the key."""
        return self._signer.verifier

    def change_key(self, session: Session, now: datetime, policy: str) -> Verifier:
        """Record who signs from the next checkpoint on, and give the public half of that key.

        Needs a writing transaction of its own; once it is committed, `make` goes on with the new key.
        """
        ledger = Ledger(session)
        ledger.hold()
        self._go_on_with_the_next(ledger)
        made = Signer(self._origin, Ed25519PrivateKey.generate().private_bytes_raw())
        # On the disk before the record that names it; without the record it is never used.
        _write(self._next, made.line() + "\n", mode=0o600)
        successor = made.verifier
        ledger.append(
            [
                Entry(
                    at=now,
                    actor="operator",
                    surface="desk",
                    action=KEY_CHANGED,
                    subject="ledger",
                    before={"key": self.verifier.line()},
                    after={"key": successor.line(), "signed": self._signer.endorse(successor)},
                    practices=("CM SP 3.1",),
                    policy=policy,
                )
            ]
        )
        return successor

    def _go_on_with_the_next(self, ledger: Ledger) -> None:
        """Take the next key once the ledger tells of it, whoever of the signers comes first; safe to cut short."""
        if self._next.exists():
            successor = Signer.parse(self._next.read_text(encoding="utf-8").strip()).verifier.line()
            told = ledger.of_action(KEY_CHANGED)
            if any((change.after or {}).get("key") == successor for change in told):
                old = _load_key(self._key, self._origin).verifier
                _write(self._folder / f"{old.key_id.hex()}.pub", old.line() + "\n")
                self._next.replace(self._key)
                _write(self._key.with_suffix(".pub"), successor + "\n")
        self._signer = _load_key(self._key, self._origin)

    def _former(self) -> Iterator[Verifier]:
        """The public halves of keys that were changed for another."""
        for path in sorted(self._folder.glob("*.pub")):
            yield Verifier.parse(path.read_text(encoding="utf-8").strip())

    def open(self, note: str) -> Checkpoint:
        """Read a checkpoint that one of this ledger's keys has signed; raises NotSigned for anything else."""
        for former in self._former():
            with suppress(NotSigned):
                return former.open(note)
        return self.verifier.open(note)

    def _first_key(self, ledger: Ledger) -> str:
        """The key from which each has signed for the next, up to the present one."""
        line, known = self.verifier.line(), {former.line() for former in self._former()}
        for change in reversed(ledger.of_action(KEY_CHANGED)):
            before = str((change.before or {}).get("key"))
            if (change.after or {}).get("key") == line and before in known:
                line = before
        return line

    @property
    def size(self) -> int:
        """How many records the last checkpoint covers that this signer knows of."""
        return self._size

    @property
    def what_if_behind(self) -> str:
        """What to do when the store is older than its evidence, and no newer copy of it is to be had."""
        return (
            f"If there is none, move {self._folder} and {self._key} to a safe place and start the desk again: it "
            "signs with a new key from then on, and the old one shows auditors where the gap is."
        )

    def due(self, now: datetime, head: Head) -> bool:
        """Whether a checkpoint should be made: for many new records at once, for few after a minute.

        Also when the ledger is shorter than what was signed, so that `make` says so without delay.
        """
        new = head.size - self._size
        recent = self._signed_at is not None and self._signed_at <= now < self._signed_at + EVERY
        return new < 0 or new >= MANY or (new > 0 and not recent)

    def make(self, session: Session, now: datetime) -> str | None:
        """Sign where the ledger stands, and give the note; None when nothing is new.

        Needs a writing transaction of its own, whose lock on the ledger's head lets one signer in at a
        time. Raises LedgerBehind or LedgerRewritten, and then has signed nothing.
        """
        ledger = Ledger(session)
        try:
            head = ledger.head(lock=True)
            self._go_on_with_the_next(ledger)
            note, last, edge = self._last(ledger)
        except ValueError as unreadable:
            raise self._rewritten(
                f"The head or the last checkpoint cannot be read: {unreadable}."
            ) from unreadable
        if head.size < last.size:
            raise LedgerBehind(
                f"The database holds {head.size} entries, and a checkpoint of {last.size} was signed: the "
                f"database is older than its evidence. Stop the desk and restore a newer backup. {self.what_if_behind}"
            )
        self._check(ledger, last, edge, head)
        new = head.size > last.size
        if new:
            note = self._signer.sign(Checkpoint(last.origin, head.size, head.root))
            ledger.keep_checkpoint(now, note, head)
        if head.size:
            _write(self._folder / "latest", note)
            _write(self._folder / f"{head.size:012}", note)
        self._size, self._signed_at = head.size, now
        return note if new else None

    def notes(self) -> Iterator[tuple[int, str]]:
        """All signed checkpoints as they lie on the disk, by size, smallest first."""
        for path in sorted(self._folder.glob("[0-9]" * 12)):
            yield int(path.name), path.read_text(encoding="utf-8")

    def anchors(self) -> Iterator[tuple[int, bytes]]:
        """The same as sizes and roots, for `Ledger.verify`; raises NotSigned for a file that is not ours."""
        for _, note in self.notes():
            checkpoint = self.open(note)
            yield checkpoint.size, checkpoint.root

    def export(self, session: Session, out: TextIO) -> int:
        """Write everything that was signed, one JSON value a line; returns the number of records.

        A header comes first, then the records with the words that were not erased, and each checkpoint
        behind the last record that it covers. Make a checkpoint before, and nothing is left out.
        """
        ledger = Ledger(session)
        covered = self._on_disk()[1].size
        out.write(_line({"format": FORMAT, "key": self._first_key(ledger), "origin": self._signer.name}))
        notes, words = self.notes(), ledger.words(upto=covered)
        ahead, word = next(notes, None), next(words, None)
        count = 0
        for row in ledger.rows(upto=covered):
            while ahead is not None and ahead[0] < row.seq:
                out.write(_line({"checkpoint": ahead[1]}))
                ahead = next(notes, None)
            wrote = {}
            while word is not None and word.seq <= row.seq:
                wrote[word.name] = {"salt": word.salt.hex(), "text": word.text}
                word = next(words, None)
            out.write(_line({"hash": row.hash, "record": json.loads(record_bytes(row)), "words": wrote}))
            count += 1
        while ahead is not None:
            out.write(_line({"checkpoint": ahead[1]}))
            ahead = next(notes, None)
        return count

    def _on_disk(self) -> tuple[str, Checkpoint]:
        """The latest checkpoint and its note; that of an empty ledger needs none."""
        latest = self._folder / "latest"
        try:
            note = latest.read_text(encoding="utf-8")
            return note, self.open(note)
        except FileNotFoundError:
            return "", Checkpoint(self._signer.name, 0, EMPTY_ROOT)
        except (NotSigned, UnicodeDecodeError) as wrong:
            raise CheckpointRefused(
                f"{latest} is not a checkpoint that {self._key} signed: {wrong}. Put the key and the "
                "checkpoints back together from a backup, or move both away to begin with a new key."
            ) from wrong

    def _last(self, ledger: Ledger) -> tuple[str, Checkpoint, Frontier | None]:
        """What was signed last as far as disk and database know, and the tree's edge then, if it was kept."""
        note, last = self._on_disk()
        kept = ledger.last_checkpoint()
        if kept is not None:
            try:
                copy = self.open(kept[0])
            except NotSigned:
                return note, last, None  # of a key that was moved away
            # After a restore of both, the folder may be the older one.
            if copy.size > last.size:
                note, last = kept[0], copy
            edge = kept[1]
            # The edge needs no trust: it gives the root that was signed, or it is not the edge.
            if (edge.size, edge.root()) == (last.size, last.root):
                return note, last, edge
        return note, last, None

    def _check(self, ledger: Ledger, last: Checkpoint, edge: Frontier | None, head: Head) -> None:
        """Make sure that the head follows the last checkpoint: by the records since, or by all of them."""
        if edge is None:
            findings = audit(ledger.rows(upto=head.size), head, [(last.size, last.root)])
        else:
            before = next(ledger.rows(after=last.size - 1, upto=last.size), None)
            since = Head(before.hash if before else "", edge)
            findings = audit(ledger.rows(after=last.size, upto=head.size), head, since=since)
        if not findings.good:
            raise self._rewritten(findings.trouble or "")

    def _rewritten(self, trouble: str) -> LedgerRewritten:
        return LedgerRewritten(
            f"{trouble} The database does not continue what was signed last, so nothing was signed. Stop the "
            f"desk, keep the database and {self._folder} as they are, and compare them with a backup."
        )


def _line(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"


def _load_key(path: Path, origin: str) -> Signer:
    """Read the key, or make it; whoever makes it second takes the first one's."""
    if not path.exists():
        made = Signer(origin, Ed25519PrivateKey.generate().private_bytes_raw())
        with suppress(FileExistsError):
            _write(path, made.line() + "\n", mode=0o600, put=path.hardlink_to)
    signer = Signer.parse(path.read_text(encoding="utf-8").strip())
    if signer.name != origin:
        raise CheckpointRefused(
            f"{path} signs for {signer.name}, and the ledger is called {origin} now. Give it its old name "
            "back, or move the key and the checkpoints to a safe place to begin with a new key."
        )
    public = path.with_suffix(".pub")
    if not public.exists() or public.read_text(encoding="utf-8").strip() != signer.verifier.line():
        _write(public, signer.verifier.line() + "\n")
    return signer
