"""Tokens that open one thing each: a feed, an alert source. All are derived from one secret, so none is stored.

The secret is the setting `DESKBELL_SECRET`, or else `secret.key` under the desk's home, which is made on first
use and readable by its owner alone. A new secret makes every new token; what earlier secrets made opens until
they are forgotten. The file holds one secret a line, the newest first.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from pydantic import SecretStr

from bot.files import write_safely

_FILE = "secret.key"
_BYTES = 24
"""How much of the HMAC a token shows: 192 bits, 32 characters without padding (RFC 2104, section 5)."""


class Tokens:
    """Derives tokens with HMAC-SHA256. A purpose names what the token opens: `feed/person/oncall`."""

    def __init__(self, *secrets: bytes) -> None:
        if not secrets or any(len(secret) < 32 for secret in secrets):
            raise ValueError("a secret has at least 32 bytes")
        self._secrets: Sequence[bytes] = secrets

    def of(self, purpose: str) -> str:
        """The token for a purpose: 32 characters of letters, digits, `-` and `_`."""
        return _token(self.secrets()[0], purpose)

    def fits(self, purpose: str, token: str) -> bool:
        """Whether this is the token for the purpose, by the newest secret or one before that is not forgotten.

        Takes the same time whatever is wrong with it.
        """
        said = token.encode("utf-8", "replace")
        found = [hmac.compare_digest(_token(each, purpose).encode(), said) for each in self.secrets()]
        return any(found)

    def secrets(self) -> Sequence[bytes]:
        """What the tokens are made from, the newest first."""
        return self._secrets


class KeptTokens(Tokens):
    """Tokens from the secrets in a file, which is read again when it was changed: by another process, as a rule."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = (0, 0)
        super().__init__(*self.secrets())

    def secrets(self) -> Sequence[bytes]:
        """Those in the file now."""
        at = self._path.stat()
        seen = (at.st_ino, at.st_mtime_ns)
        if seen != self._seen:
            self._secrets, self._seen = _secrets_in(self._path), seen
        return self._secrets


def _token(secret: bytes, purpose: str) -> str:
    whole = hmac.digest(secret, b"deskbell token/1\0" + purpose.encode(), sha256)
    return urlsafe_b64encode(whole[:_BYTES]).decode()


def open_tokens(home: Path, given: SecretStr | None) -> Tokens:
    """The tokens of an installation: from the secret it was given, or from its own file under `home`."""
    if given is not None:
        return Tokens(given.get_secret_value().encode())
    _make(home / _FILE)
    return KeptTokens(home / _FILE)


def change_secret(home: Path) -> int:
    """Make a secret for the tokens from now on, and keep those before; returns how many these are."""
    _make(home / _FILE)
    before = _secrets_in(home / _FILE)
    _keep(home / _FILE, [secrets.token_bytes(32), *before])
    return len(before)


def forget_secrets(home: Path) -> int:
    """Void every token of an earlier secret; returns how many secrets were forgotten."""
    _make(home / _FILE)
    newest, *before = _secrets_in(home / _FILE)
    if before:
        _keep(home / _FILE, [newest])
    return len(before)


def _secrets_in(path: Path) -> list[bytes]:
    return [bytes.fromhex(line) for line in path.read_text(encoding="ascii").split()]


def _keep(path: Path, held: Sequence[bytes]) -> None:
    write_safely(path, "".join(f"{each.hex()}\n" for each in held), mode=0o600)


def _make(path: Path) -> None:
    """Make the file with its first secret; whoever comes second takes the first one's."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            first = f"{secrets.token_hex(32)}\n"
            write_safely(path, first, mode=0o600, put=path.hardlink_to)
