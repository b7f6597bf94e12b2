"""Questions about drafts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete
from sqlmodel import Session, col

from storage.models.drafts import Draft


class Drafts:
    """Half-filled forms."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, key: str, text: str, now: datetime) -> None:
        """Keep what was filled in so far."""
        self._session.merge(Draft(key=key, text=text, at=now))
        self._session.flush()

    def get(self, key: str) -> str | None:
        """What was kept, unless it was thrown away."""
        found = self._session.get(Draft, key)
        return found.text if found else None

    def take(self, key: str) -> str | None:
        """What was kept, and keep it no longer: whoever asks next finds nothing."""
        gone = delete(Draft).where(col(Draft.key) == key).returning(col(Draft.text))
        return self._session.scalar(gone)

    def forget(self, before: datetime) -> None:
        """Throw away what nobody came back to."""
        self._session.execute(delete(Draft).where(col(Draft.at) < before))
