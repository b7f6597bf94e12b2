"""Tokens of the REST interface: found by digest, fetched once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import update
from sqlmodel import Session, col, select

from storage.models.tokens import ApiToken


class ApiTokens:
    """Questions about tokens. Digests are SHA-256 in hexadecimal."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, token: ApiToken) -> None:
        """Keep a new token, which nobody has fetched."""
        self._session.add(token)
        self._session.flush()

    def get(self, number: int) -> ApiToken | None:
        """One token."""
        return self._session.get(ApiToken, number)

    def listed(self) -> Sequence[ApiToken]:
        """All tokens, the newest first."""
        return self._session.exec(select(ApiToken).order_by(col(ApiToken.number).desc())).all()

    def of(self, digest: str) -> ApiToken | None:
        """The token with this digest."""
        return self._session.exec(select(ApiToken).where(col(ApiToken.digest) == digest)).first()

    def fetch(self, code: str, digest: str, now: datetime) -> ApiToken | None:
        """Give a token its secret, once; None for a code that is wrong, used or too late."""
        found = self._session.exec(select(ApiToken).where(col(ApiToken.code) == code)).first()
        if found is None:
            return None
        mine = (
            col(ApiToken.number) == found.number,
            col(ApiToken.digest).is_(None),
            col(ApiToken.revoked_at).is_(None),
            col(ApiToken.fetch_by) > now,
        )
        fetched = self._session.execute(update(ApiToken).where(*mine).values(digest=digest))
        return found if fetched.rowcount else None  # type: ignore[attr-defined]  # a cursor result in practice

    def save(self) -> None:
        """Write what was changed on tokens that were read."""
        self._session.flush()
