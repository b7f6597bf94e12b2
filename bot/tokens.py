"""Tokens that open one thing each: a feed, an alert source. All are derived from one secret, so none is stored.

The secret is the setting `DESKBELL_SECRET`, or else `secret.key` under the desk's home, which is made on first
use and readable by its owner alone. A new secret voids every token.
"""

from __future__ import annotations

import hmac
import os
import secrets
import tempfile
from base64 import urlsafe_b64encode
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from pydantic import SecretStr

_BYTES = 24
"""How much of the HMAC a token shows: 192 bits, 32 characters without padding (RFC 2104, section 5)."""


class Tokens:
    """Derives tokens with HMAC-SHA256. A purpose names what the token opens: `feed/person/oncall`."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 32:
            raise ValueError("a secret has at least 32 bytes")
        self._secret = secret

    def of(self, purpose: str) -> str:
        """The token for a purpose: 32 characters of letters, digits, `-` and `_`."""
        whole = hmac.digest(self._secret, b"deskbell token/1\0" + purpose.encode(), sha256)
        return urlsafe_b64encode(whole[:_BYTES]).decode()

    def fits(self, purpose: str, token: str) -> bool:
        """Whether this is the token for the purpose; takes the same time whatever is wrong with it."""
        return hmac.compare_digest(self.of(purpose).encode(), token.encode("utf-8", "replace"))


def open_tokens(home: Path, given: SecretStr | None) -> Tokens:
    """The tokens of an installation: from the secret it was given, or from its own file under `home`."""
    if given is not None:
        return Tokens(given.get_secret_value().encode())
    return Tokens(bytes.fromhex(_kept(home / "secret.key")))


def _kept(path: Path) -> str:
    """The secret in a file; whoever makes the file second takes the first one's."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # A temporary file is readable by its owner alone, and shows under the name only when it is whole.
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32) + "\n")
                file.flush()
                os.fsync(handle)
            with suppress(FileExistsError):
                path.hardlink_to(beside)
        finally:
            Path(beside).unlink()
    return path.read_text(encoding="ascii").strip()
