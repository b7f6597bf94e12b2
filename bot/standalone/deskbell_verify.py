#!/usr/bin/env python3
"""Check an evidence export of Deskbell with nothing but this file.

    python deskbell_verify.py FILE [--key KEYLINE] [--checkpoint EARLIER]

Needs Python 3.9 or newer and nothing else; with the package `cryptography` it is quicker. Give the
public key line that you got from the organisation by another way, and a checkpoint that you kept from
an earlier day: together they show that the file is theirs, and that nothing you could have seen on that day
was changed since.

It checks that every entry is what was recorded and follows the one before it, that the entries give
the Merkle root (RFC 6962) of every checkpoint, that every checkpoint is signed (C2SP signed-note) and
no entry lacks one, and that people's words are those committed to; erased words are no fault.

Exit code 0: all of it holds. 1: it does not, and the first bad entry is named. 2: it was not checked.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FORMAT = "deskbell-evidence/1"
LONGEST_LINE = 4 << 20  # bytes; a line that has no end must not fill the memory
LONGEST_NOTE = 100_000


class Broken(Exception):
    """The evidence does not hold."""


class Unchecked(Exception):
    """There is nothing that could be checked."""


class Tree:
    """The right edge of an RFC 6962 tree: the roots of its full subtrees, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self.roots: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        size = self.size
        while size & 1:
            leaf = hashlib.sha256(b"\x01" + self.roots.pop() + leaf).digest()
            size >>= 1
        self.roots.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        if not self.roots:
            return hashlib.sha256().digest()
        root = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            root = hashlib.sha256(b"\x01" + left + root).digest()
        return root


class Key:
    """A verifier key in one line: name+id+base64, as C2SP signed-note has it."""

    def __init__(self, line: str) -> None:
        self.name, _, rest = line.partition("+")
        key_id, _, encoded = rest.partition("+")
        material = unbase64(encoded)
        self.public = material[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + material).digest()[:4]
        named = self.name.isprintable() and self.name and " " not in self.name
        if not named or len(material) != 33 or material[0] != 1 or key_id != self.id.hex():
            raise Broken("The key is not an Ed25519 verifier key (name+id+base64).")

    def open(self, note: str) -> tuple[int, bytes]:
        """Read the size and root of a checkpoint that this key signed."""
        text, parted, signatures = note.rpartition("\n\n")
        if not parted or not self.signed(text + "\n", signatures):
            raise Broken(f"is not signed by {self.name}")
        lines = text.split("\n")
        if len(lines) != 3 or lines[0] != self.name:
            raise Broken(f"is not one of {self.name}")
        if not re.fullmatch("0|[1-9][0-9]{0,15}", lines[1]) or len(unbase64(lines[2])) != 32:
            raise Broken("has no size or no root")
        return int(lines[1]), unbase64(lines[2])

    def signed(self, text: str, signatures: str) -> bool:
        for line in signatures.split("\n"):
            dash, _, rest = line.partition(" ")
            name, _, encoded = rest.partition(" ")
            signature = unbase64(encoded)
            if dash == "\u2014" and name == self.name and signature[:4] == self.id:
                return is_signed(self.public, signature[4:], text.encode())
        return False


def is_signed(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature is by this Ed25519 key (RFC 8032): by `cryptography`, or with nothing but Python, slower."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return is_signed_slowly(public, signature, message)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


# Ed25519 by the book (RFC 8032, section 5.1): points of the curve in extended coordinates (x, y, z, x*y).
PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE = -121665 * pow(121666, PRIME - 2, PRIME) % PRIME
ROOT = pow(2, (PRIME - 1) // 4, PRIME)


def is_signed_slowly(public: bytes, signature: bytes, message: bytes) -> bool:
    """The same with whole numbers alone."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, commitment = point(public), point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or scalar >= ORDER:
        return False
    hashed = hashlib.sha512(signature[:32] + public + message).digest()
    challenge = int.from_bytes(hashed, "little") % ORDER
    base = point((4 * pow(5, PRIME - 2, PRIME) % PRIME).to_bytes(32, "little"))
    assert base is not None
    left, right = times(scalar, base), plus(commitment, times(challenge, key))
    return all((left[i] * right[2] - right[i] * left[2]) % PRIME == 0 for i in (0, 1))


def point(written: bytes) -> tuple[int, int, int, int] | None:
    """A point from its 32 bytes; None when they are none of the curve."""
    number = int.from_bytes(written, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= PRIME:
        return None
    square = (y * y - 1) * pow(CURVE * y * y + 1, PRIME - 2, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if (x * x - square) % PRIME:
        x = x * ROOT % PRIME
    if (x * x - square) % PRIME or (x == 0 and sign):
        return None
    x = PRIME - x if x & 1 != sign else x
    return x, y, 1, x * y % PRIME


def plus(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """The sum of two points."""
    a, b = (one[1] - one[0]) * (other[1] - other[0]), (one[1] + one[0]) * (other[1] + other[0])
    c, d = 2 * one[3] * other[3] * CURVE, 2 * one[2] * other[2]
    e, f, g, h = (b - a) % PRIME, (d - c) % PRIME, (d + c) % PRIME, (b + a) % PRIME
    return e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME


def times(number: int, one: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """A point added to itself so many times."""
    found = (0, 1, 1, 0)
    while number:
        if number & 1:
            found = plus(found, one)
        one, number = plus(one, one), number >> 1
    return found


class Ledger:
    """What the file has shown so far."""

    def __init__(self, key: Key, earlier: tuple[int, bytes] | None) -> None:
        self.key, self.earlier = key, earlier
        self.tree, self.previous = Tree(), "0" * 64
        self.checkpoints = self.covered = self.texts = self.erased = 0
        self.meet_earlier()

    def take(self, line: Any, number: int) -> None:
        """Take the next line, which is an entry or a checkpoint."""
        if isinstance(line, dict) and line.keys() == {"hash", "record", "words"}:
            self.take_entry(line["hash"], line["record"], line["words"])
        elif isinstance(line, dict) and line.keys() == {"checkpoint"} and isinstance(line["checkpoint"], str):
            self.take_checkpoint(line["checkpoint"])
        else:
            raise Broken(
                f"Line {number}, behind entry {self.tree.size}, is neither an entry nor a checkpoint."
            )

    def take_entry(self, recorded: Any, record: Any, words: Any) -> None:
        seq = self.tree.size + 1
        if not isinstance(record, dict) or not isinstance(words, dict):
            raise Broken(f"Entry {seq} cannot be read.")
        if type(record.get("seq")) is not int or record["seq"] != seq:
            raise Broken(f"Entry {seq} is missing or out of place: {str(record.get('seq'))[:20]} is there.")
        if record.get("previous") != self.previous:
            raise Broken(f"Entry {seq} does not follow the entry before it.")
        leaf = hashlib.sha256(b"\x00" + canonical(record)).digest()
        if leaf.hex() != recorded:
            raise Broken(f"Entry {seq} is not what was recorded.")
        self.take_words(seq, record.get("commitments"), words)
        self.previous = recorded
        self.tree.append(leaf)
        self.meet_earlier()

    def take_words(self, seq: int, commitments: Any, words: dict[str, Any]) -> None:
        committed = parse(commitments) if isinstance(commitments, str) else None
        if not isinstance(committed, dict):
            raise Broken(f"Entry {seq} says nothing about its words.")
        for name, kept in words.items():
            try:
                told = name.encode() + b"\x00" + kept["text"].encode()
                salt = bytes.fromhex(kept["salt"])
                found = hmac.new(salt, told, hashlib.sha256).hexdigest()
            except (TypeError, KeyError, AttributeError, ValueError):
                raise Broken(f"The words of entry {seq} cannot be read.") from None
            if found != committed.get(name) or salt.hex() != kept["salt"]:
                raise Broken(f"The words of entry {seq} ({name[:40]!r}) are not those that were written.")
        self.texts += len(words)
        self.erased += len(committed) - len(words)

    def take_checkpoint(self, note: str) -> None:
        here = f"The checkpoint behind entry {self.tree.size}"
        try:
            size, root = self.key.open(note)
        except Broken as why:
            raise Broken(f"{here} {why}.") from None
        if size > self.tree.size:
            raise Broken(f"Entry {self.tree.size + 1} is missing: a checkpoint here covers {size} entries.")
        if (size, root) != (self.tree.size, self.tree.root()):
            first = min(self.covered, size) + 1
            raise Broken(f"{here} was signed for other entries: the first that may be bad is entry {first}.")
        self.checkpoints, self.covered = self.checkpoints + 1, size

    def meet_earlier(self) -> None:
        if self.earlier and self.earlier[0] == self.tree.size:
            if self.earlier[1] != self.tree.root():
                raise Broken(f"Entries 1 to {self.tree.size} are not those of the earlier checkpoint.")
            self.earlier = None

    def end(self) -> None:
        """Look at what the file still owes when it has ended."""
        if self.earlier:
            covered = self.earlier[0]
            raise Broken(f"Entry {self.tree.size + 1} is missing: the earlier checkpoint covers {covered}.")
        if self.covered < self.tree.size:
            raise Broken(f"Entry {self.covered + 1} and those behind it are covered by no checkpoint.")


def canonical(value: Any) -> bytes:
    """RFC 8785, for what an export may hold: no floats, and names in plain ASCII."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        raise Broken("A line holds what cannot be written as UTF-8, or is nested too deep.") from None


def parse(text: str | bytes) -> Any:
    """JSON without floats, or None; nothing nested so deep that Python gives up."""
    try:
        return json.loads(text, parse_float=refuse, parse_constant=refuse)
    except (ValueError, RecursionError):
        return None


def refuse(number: str) -> None:
    """Refuse a number that is not a whole one."""
    raise ValueError(number)


def unbase64(text: str) -> bytes:
    """Decode what is written in the one way that an encoder writes it, or give nothing."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return decoded if base64.b64encode(decoded).decode() == text else b""


def read_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """The lines of a regular file with their numbers, each parsed and found to be written canonically."""
    try:
        with opened(path) as file:
            number = 0
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                value = parse(line[:-1]) if line.endswith(b"\n") else None
                if value is None or canonical(value) != line[:-1]:
                    raise Broken(f"Line {number} is cut off, too long, or not as an export writes it.")
                yield number, value
    except (OSError, ValueError) as why:
        raise Unchecked(f"{path} cannot be read: {why}.") from None


def opened(path: Path) -> Any:
    """A regular file, opened: what can be waited on for ever, such as a pipe, is not."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is not a file")
    return path.open("rb")


def check(path: Path, key_line: str | None = None, earlier_path: Path | None = None) -> str:
    """Check an export; returns what was found as text. Raises Broken or Unchecked."""
    lines = read_lines(path)
    try:
        _, header = next(lines)
    except (StopIteration, Broken):
        header = None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise Unchecked(f"{path} is not an evidence export ({FORMAT}).")
    if not isinstance(header.get("key"), str) or (key_line and header["key"] != key_line.strip()):
        raise Broken("The file was made with another key than the one you gave, or with none.")
    key = Key(header["key"])
    if header.get("origin") != key.name:
        raise Broken(f"The file calls its origin otherwise than its key, which is of {key.name[:80]}.")
    ledger = Ledger(key, read_checkpoint(earlier_path, key) if earlier_path else None)
    for number, line in lines:
        ledger.take(line, number)
    ledger.end()
    found = f"Good: {ledger.tree.size} entries of {key.name}, {ledger.checkpoints} checkpoints, "
    found += f"{ledger.texts} texts as they were written, {ledger.erased} erased."
    found += f"\nRoot: {base64.b64encode(ledger.tree.root()).decode()}"
    found += "" if key_line else "\nThe key came from the file itself. Give --key to know who signed."
    told = "\nGive --checkpoint, one you kept, to know that its signer rewrote nothing since."
    return found if earlier_path else found + told


def read_checkpoint(path: Path, key: Key) -> tuple[int, bytes]:
    """Read a checkpoint that was kept elsewhere."""
    try:
        with opened(path) as file:
            return key.open(file.read(LONGEST_NOTE).decode())
    except (OSError, ValueError) as why:
        raise Unchecked(f"{path} cannot be read: {why}.") from None
    except Broken as why:
        raise Unchecked(f"The earlier checkpoint in {path} {why}.") from None


def main(arguments: list[str] | None = None) -> int:
    """Check, say what was found, and return the exit code."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("file", type=Path, help="the export")
    parser.add_argument("--key", metavar="KEYLINE", help="the public key line: name+id+base64")
    parser.add_argument("--checkpoint", type=Path, metavar="EARLIER", help="a checkpoint that you kept")
    given = parser.parse_args(arguments)
    try:
        code, found = 0, check(given.file, given.key, given.checkpoint)
    except Broken as why:
        code, found = 1, f"Bad: {why}"
    except (Unchecked, ImportError) as why:
        code, found = 2, f"Not checked: {why}"
    sys.stdout.write(found.encode("ascii", "backslashreplace").decode() + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
