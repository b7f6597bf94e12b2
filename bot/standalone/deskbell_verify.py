#!/usr/bin/env python3
"""Check an evidence export of Deskbell with nothing but this file.

    python deskbell_verify.py FILE [--key KEYLINE] [--checkpoint EARLIER]

Needs Python 3.9 or newer and nothing else. A public key line that you got by another way, and a checkpoint that
you kept, show that the file is theirs who gave you them, and that nothing was rewritten since that day. A key that
was changed later will do: each has signed for the next. Checked is that every entry is what was recorded and
follows the one before it, that the entries give the Merkle root (RFC 6962) of every checkpoint, that each of these
is signed (C2SP signed-note) and no entry lacks one, and that people's words, unless erased, are those committed to.

Exit code 0: all of it holds. 1: it does not, and the first bad entry is named. 2: it was not checked.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

FORMAT = "deskbell-evidence/1"
KEY_CHANGED = "ledger.key_changed"
LONGEST = 4 << 20  # bytes of a line; one that has no end must not fill the memory
Point = tuple[int, int, int, int]


class Broken(Exception):
    """The evidence does not hold."""


def need(holds: object, otherwise: str) -> None:
    """Raise Broken with a sentence, unless it holds."""
    if not holds:
        raise Broken(otherwise)


class Tree:
    """The right edge of an RFC 6962 tree: the roots of its full subtrees, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self.roots: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        self.size += 1
        for _ in range((self.size & -self.size).bit_length() - 1):  # as many subtrees as become full with it
            leaf = hashlib.sha256(b"\x01" + self.roots.pop() + leaf).digest()
        self.roots.append(leaf)

    def root(self) -> bytes:
        root = self.roots[-1] if self.roots else hashlib.sha256().digest()
        for left in reversed(self.roots[:-1]):
            root = hashlib.sha256(b"\x01" + left + root).digest()
        return root


class Key:
    """A verifier key in one line: name+id+base64, as C2SP signed-note has it."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.name, _, rest = line.partition("+")
        key_id, _, encoded = rest.partition("+")
        material = unbase64(encoded)
        self.public = material[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + material).digest()[:4]
        named = self.name.isprintable() and self.name and " " not in self.name
        fits = named and len(material) == 33 and material[0] == 1 and key_id == self.id.hex()
        need(fits, "The key is not an Ed25519 verifier key (name+id+base64).")

    def open(self, note: str, called: str) -> tuple[int, bytes]:
        """Read the size and root of a checkpoint that this key signed."""
        text, parted, signatures = note.rpartition("\n\n")
        need(parted and self.signed(text + "\n", signatures), f"{called} is not signed by {self.name}.")
        said = re.fullmatch("(.+)\n(0|[1-9][0-9]{0,15})\n(.{44})", text)
        name, size, root = said.groups() if said else ("", "0", "")
        need(name == self.name and len(unbase64(root)) == 32, f"{called} is no checkpoint of {self.name}.")
        return int(size), unbase64(root)

    def signed(self, text: str, signatures: str) -> bool:
        """Whether this key's signature is among these lines; those of others are passed over."""
        for line in signatures.split("\n"):
            by, _, encoded = line.rpartition(" ")
            signature = unbase64(encoded)
            if by == f"\u2014 {self.name}" and signature[:4] == self.id:
                return is_signed(self.public, signature[4:], text.encode())
        return False


# Ed25519 (RFC 8032, section 5.1), with points of the curve in extended coordinates (x, y, z, x*y/z).
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def is_signed(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether R = [S]B - [k]A (section 5.1.7) for the signature's R and S and the key's point A."""
    scalar = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or scalar >= ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    x, y, z, xy = point(public)
    minus = (P - x, y, z, P - xy)
    addends = ((0, 1, 1, 0), BASE, minus, add(BASE, minus))
    total = addends[0]
    for bit in reversed(range(256)):
        total = add(add(total, total), addends[scalar >> bit & 1 | (challenge >> bit & 1) << 1])
    x, y = (each * pow(total[2], -1, P) % P for each in total[:2])
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


def point(written: bytes) -> Point:
    """A point from its 32 bytes (section 5.1.3)."""
    sign, y = divmod(int.from_bytes(written, "little"), 2**255)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P  # times a square root of -1
    need(y < P and x * x % P == square and (x or not sign), "The key is no point of the curve.")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def add(one: Point, other: Point) -> Point:
    """The sum of two points (section 5.1.4)."""
    a, b = (one[1] - one[0]) * (other[1] - other[0]), (one[1] + one[0]) * (other[1] + other[0])
    c, d = 2 * one[3] * other[3] * D, 2 * one[2] * other[2]
    e, f, g, h = (b - a) % P, (d - c) % P, (d + c) % P, (b + a) % P
    return e * f % P, g * h % P, f * g % P, e * h % P


BASE = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


class Ledger:
    """What the file has shown so far. `earlier` is the note of a checkpoint that was kept elsewhere."""

    def __init__(self, key: Key, earlier: str | None) -> None:
        self.tree, self.previous = Tree(), "0" * 64
        self.checkpoints = self.covered = self.texts = self.erased = 0
        self.unopened, self.signers = earlier, {key.line}
        self.earlier: tuple[int, bytes] | None = None
        self.use(key)

    def use(self, key: Key) -> None:
        """What follows is signed by this key."""
        self.key = key
        with suppress(Broken):  # unless it was signed by a later one
            if self.unopened is not None:
                self.earlier, self.unopened = key.open(self.unopened, "It"), None

    def take(self, line: Any, number: int) -> None:
        """Take the next line, which is an entry or a checkpoint."""
        kind = line.keys() if isinstance(line, dict) else ()
        if kind == {"checkpoint"}:
            self.take_checkpoint(str(line["checkpoint"]))
            return
        entry = kind == {"hash", "record", "words"}
        need(entry, f"Line {number}, behind entry {self.tree.size}, is neither an entry nor a checkpoint.")
        seq, recorded, record, words = self.tree.size + 1, line["hash"], line["record"], line["words"]
        need(isinstance(record, dict) and isinstance(words, dict), f"Entry {seq} cannot be read.")
        there = repr(record.get("seq"))
        need(there == str(seq), f"Entry {seq} is missing or out of place: {there[:20]} is there.")
        need(record.get("previous") == self.previous, f"Entry {seq} does not follow the entry before it.")
        leaf = hashlib.sha256(b"\x00" + canonical(record)).digest()
        need(leaf.hex() == recorded, f"Entry {seq} is not what was recorded.")
        self.take_words(seq, parse(record.get("commitments")), words)
        self.previous = recorded
        self.tree.append(leaf)
        if record.get("action") == KEY_CHANGED:
            self.follow(parse(record.get("after")))
        if self.earlier and self.earlier[0] == seq:
            same = self.earlier[1] == self.tree.root()
            need(same, f"Entries 1 to {seq} are not those of the earlier checkpoint.")
            self.earlier = None

    def take_words(self, seq: int, committed: Any, words: dict[str, Any]) -> None:
        need(isinstance(committed, dict), f"Entry {seq} says nothing about its words.")
        for name, kept in words.items():
            found, salt = None, b""
            with suppress(TypeError, KeyError, AttributeError, ValueError):
                told, salt = name.encode() + b"\x00" + kept["text"].encode(), bytes.fromhex(kept["salt"])
                found = hmac.new(salt, told, hashlib.sha256).hexdigest()
            written = found and found == committed.get(name) and salt.hex() == kept["salt"]
            need(written, f"The words of entry {seq} ({name[:40]!r}) are not those that were written.")
        self.texts += len(words)
        self.erased += len(committed) - len(words)

    def follow(self, told: Any) -> None:
        """Go on with the next key where the present one signed for it; anybody else's word counts nothing."""
        line, by = (str(told.get(key)) for key in ("key", "signed")) if isinstance(told, dict) else ("", "")
        if self.key.signed(f"{self.key.name}\nnext key\n{line}\n", by):
            self.use(Key(line))

    def take_checkpoint(self, note: str) -> None:
        there, here = self.tree.size, f"The checkpoint behind entry {self.tree.size}"
        size, root = self.key.open(note, here)
        need(size <= there, f"Entry {there + 1} is missing: a checkpoint here covers {size} entries.")
        ours, first = (size, root) == (there, self.tree.root()), min(self.covered, size) + 1
        need(ours, f"{here} was signed for other entries: the first that may be bad is entry {first}.")
        self.checkpoints, self.covered = self.checkpoints + 1, size
        self.signers.add(self.key.line)

    def end(self, key_line: str | None) -> None:
        """Look at what the file still owes when it has ended."""
        at = self.earlier and self.earlier[0]
        need(not at, f"Entry {self.tree.size + 1} is missing: the earlier checkpoint covers {at}.")
        bare = f"Entry {self.covered + 1} and those behind it are covered by no checkpoint."
        need(self.covered == self.tree.size, bare)
        need(not key_line or key_line.strip() in self.signers, "It was made with another key than yours.")
        if self.unopened is not None:
            raise ValueError("The earlier checkpoint is not signed by a key of this file.")


def canonical(value: Any) -> bytes:
    """RFC 8785, for what an export may hold: no floats, and names in plain ASCII."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        raise Broken("A line holds what cannot be written as UTF-8, or is nested too deep.") from None


def parse(text: Any) -> Any:
    """JSON without floats, which are no text of an int, or None; nothing nested so deep that Python gives up."""
    with suppress(TypeError, ValueError, RecursionError):
        return json.loads(text, parse_float=int, parse_constant=int)
    return None


def unbase64(text: str) -> bytes:
    """Decode what is written in the one way that an encoder writes it, or give nothing."""
    with suppress(ValueError):
        decoded = base64.b64decode(text, validate=True)
        if base64.b64encode(decoded).decode() == text:
            return decoded
    return b""


def read_lines(file: BinaryIO) -> Iterator[tuple[int, Any]]:
    """The lines of an export with their numbers, each parsed and found to be written canonically."""
    for number, line in enumerate(iter(lambda: file.readline(LONGEST), b""), 1):
        value = parse(line[:-1]) if line.endswith(b"\n") else None
        whole = value is not None and canonical(value) == line[:-1]
        need(whole, f"Line {number} is cut off, too long, or not as an export writes it.")
        yield number, value


def check(path: Path, key_line: str | None = None, earlier_path: Path | None = None) -> str:
    """Check an export; returns what was found as text. Raises Broken; ValueError and OSError for what is none."""
    for each in (path, earlier_path or path):
        if not each.is_file():  # a pipe or a device could be waited on for ever
            raise ValueError(f"{each} is not a file")
    earlier = earlier_path.read_text("utf-8", "replace") if earlier_path else None
    with path.open("rb") as file:
        lines, header = read_lines(file), None
        with suppress(Broken):
            _, header = next(lines, (0, None))
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise ValueError(f"{path} is not an evidence export ({FORMAT}).")
        key = Key(str(header.get("key")))
        need(header.get("origin") == key.name, "The file calls its origin otherwise than its key.")
        ledger = Ledger(key, earlier)
        for number, line in lines:
            ledger.take(line, number)
        ledger.end(key_line)
    found = f"Good: {ledger.tree.size} entries of {key.name}, {ledger.checkpoints} checkpoints, "
    found += f"{ledger.texts} texts as they were written, {ledger.erased} erased."
    found += f"\nRoot: {base64.b64encode(ledger.tree.root()).decode()}"
    found += "" if key_line else "\nThe key came from the file itself. Give --key to know who signed."
    return found + ("" if earlier_path else "\nGive --checkpoint, one you kept: was it rewritten since?")


def main(arguments: list[str] | None = None) -> int:
    """Check, say what was found, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", type=Path, help="the export")
    parser.add_argument("--key", metavar="KEYLINE", help="the public key line: name+id+base64")
    parser.add_argument("--checkpoint", type=Path, metavar="EARLIER", help="a checkpoint that you kept")
    given = parser.parse_args(arguments)
    try:
        code, found = 0, check(given.file, given.key, given.checkpoint)
    except Broken as why:
        code, found = 1, f"Bad: {why}"
    except (OSError, ValueError) as why:
        code, found = 2, f"Not checked: {why}"
    sys.stdout.write(found.encode("ascii", "backslashreplace").decode() + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
