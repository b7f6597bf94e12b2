"""A checkpoint: the ledger's size and root as a signed note that any log witness can read.

The text is that of C2SP tlog-checkpoint (origin, size, root in base64, one a line) and the signature
that of C2SP signed-note with Ed25519 (type 0x01). A key is written in one line, as Go's tools for
transparency logs do: `name+id+base64` for checking, behind `PRIVATE+KEY+` for signing.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_PRIVATE = "PRIVATE+KEY+"
_SIZE = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_LONGEST_NOTE = 100_000  # characters: room for many witnesses, and a bound for a hostile file


class NotAKey(ValueError):
    """This line is not a key for signed notes."""


class NotSigned(ValueError):
    """This note is not a checkpoint that the expected key has signed."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is signed: which ledger, how many records, and the root (32 bytes) of the tree over them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The text of the note, with its last newline."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class Verifier:
    """A name and a public key (32 bytes), to tell whose a note is."""

    name: str
    public: bytes

    @classmethod
    def parse(cls, line: str) -> Verifier:
        """Read `name+id+base64`; raises NotAKey when it is something else."""
        name, material = _key_parts(line)
        verifier = cls(name, material)
        if verifier.line() != line:
            raise NotAKey(f"{line[:80]!r} is not a verifier key: its parts do not belong together")
        return verifier

    @property
    def key_id(self) -> bytes:
        """Four bytes that name this key, as signed-note derives them."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def line(self) -> str:
        """The key in one line, to be given to everyone."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(_ED25519 + self.public).decode()}"

    def open(self, note: str) -> Checkpoint:
        """Read a checkpoint that this key signed under its own name; raises NotSigned for anything else.

        Signatures of others, such as witnesses, are passed over.
        """
        if len(note) > _LONGEST_NOTE:
            raise NotSigned("this note is too long for a checkpoint")
        text, parted, signatures = note.rpartition("\n\n")
        text += "\n"
        if not parted or not self._signed(text, signatures):
            raise NotSigned(f"this note is not signed by {self.name}")
        return _parse(text, self.name)

    def endorsed(self, successor: Verifier, signature: str) -> bool:
        """Whether this key has signed that another one follows it."""
        return self._signed(_succession(self.name, successor), signature)

    def _signed(self, text: str, signatures: str) -> bool:
        for line in signatures.split("\n"):
            dash, _, rest = line.partition(" ")
            name, _, encoded = rest.partition(" ")
            try:
                signature = _unbase64(encoded)
                if dash == "—" and name == self.name and signature[:4] == self.key_id:
                    Ed25519PublicKey.from_public_bytes(self.public).verify(signature[4:], text.encode())
                    return True
            except (NotBase64, InvalidSignature, ValueError):
                return False
        return False


@dataclass(frozen=True, slots=True)
class Signer:
    """A name and a private key (32 bytes of seed)."""

    name: str
    seed: bytes = field(repr=False)

    @classmethod
    def parse(cls, line: str) -> Signer:
        """Read `PRIVATE+KEY+name+id+base64`; raises NotAKey when it is something else."""
        if not line.startswith(_PRIVATE):
            raise NotAKey("this is not a signing key")
        signer = cls(*_key_parts(line.removeprefix(_PRIVATE)))
        if signer.line() != line:
            raise NotAKey("this is not a signing key: its parts do not belong together")
        return signer

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        return Verifier(self.name, self._key().public_key().public_bytes_raw())

    def line(self) -> str:
        """The key in one line, to be kept from everyone."""
        return (
            f"{_PRIVATE}{self.name}+{self.verifier.key_id.hex()}+{b64encode(_ED25519 + self.seed).decode()}"
        )

    def sign(self, checkpoint: Checkpoint) -> str:
        """The checkpoint as a signed note."""
        text = checkpoint.text()
        return f"{text}\n{self._signature(text)}\n"

    def endorse(self, successor: Verifier) -> str:
        """A signature, one line of a note, for the key that follows this one."""
        return self._signature(_succession(self.name, successor))

    def _signature(self, text: str) -> str:
        signature = b64encode(self.verifier.key_id + self._key().sign(text.encode())).decode()
        return f"— {self.name} {signature}"

    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def _succession(name: str, successor: Verifier) -> str:
    """What an old key signs for a new one; its second line keeps it from being read as a checkpoint."""
    return f"{name}\nnext key\n{successor.line()}\n"


def is_origin(name: str) -> bool:
    """Whether this can name a ledger and its key: not empty, no space, no plus, nothing unprintable."""
    return name.isprintable() and bool(name) and not any(each.isspace() or each == "+" for each in name)


def _key_parts(line: str) -> tuple[str, bytes]:
    name, _, rest = line.partition("+")
    _, _, encoded = rest.partition("+")
    try:
        material = _unbase64(encoded)
    except (NotBase64, ValueError):
        material = b""
    if not is_origin(name) or len(material) != 33 or material[:1] != _ED25519:
        raise NotAKey(f"this is not an Ed25519 key for signed notes, named {name[:80]!r}")
    return name, material[1:]


def _unbase64(text: str) -> bytes:
    """Decode what is written as an encoder writes it: stray bits in the last character would go unnoticed."""
    decoded = b64decode(text, validate=True)
    if b64encode(decoded).decode() != text:
        raise NotBase64("not the one way to write these bytes")
    return decoded


def _parse(text: str, origin: str) -> Checkpoint:
    """Read the three lines; anything that would not be written the same way again is refused."""
    lines = text.split("\n")
    try:
        root = _unbase64(lines[2])
        checkpoint = Checkpoint(origin, int(lines[1]) if _SIZE.fullmatch(lines[1]) else -1, root)
    except (IndexError, NotBase64, ValueError):
        raise NotSigned("this note is not a checkpoint") from None
    if len(root) != 32 or checkpoint.text() != text:
        raise NotSigned(f"this note is not a checkpoint of {origin}")
    return checkpoint
