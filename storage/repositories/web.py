"""Sign-ins to the pages: each link opens once, each session ends by itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete
from sqlmodel import Session, col, select

from storage.models.web import UsedLink, WebSession


class Web:
    """Questions about sign-ins. Digests are SHA-256 in hexadecimal; what they are of is never stored."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def sign_in(
        self, link: str, link_ends: datetime, session: str, sender: Mapping[str, Any], ends: datetime
    ) -> None:
        """Use up a link and begin a session. Raises IntegrityError when the link was used before."""
        self._session.add(UsedLink(digest=link, expires_at=link_ends))
        self._session.add(WebSession(digest=session, sender=dict(sender), expires_at=ends))
        self._session.flush()

    def was_used(self, link: str) -> bool:
        """Whether a link has opened a session."""
        return self._session.get(UsedLink, link) is not None

    def sender(self, session: str, now: datetime) -> Mapping[str, Any] | None:
        """The account of a session that has not ended."""
        asked = select(WebSession).where(col(WebSession.digest) == session, col(WebSession.expires_at) > now)
        found = self._session.exec(asked).first()
        return dict(found.sender) if found else None

    def sign_out(self, session: str) -> None:
        """End a session."""
        self._session.execute(delete(WebSession).where(col(WebSession.digest) == session))

    def clear(self, now: datetime) -> None:
        """Forget what has ended by itself."""
        self._session.execute(delete(WebSession).where(col(WebSession.expires_at) <= now))
        self._session.execute(delete(UsedLink).where(col(UsedLink.expires_at) <= now))
