"""Questions about leases."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update
from sqlmodel import Session, col

from storage.models.leases import Lease


class Leases:
    """What one process holds."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def take(self, name: str, holder: str, now: datetime, length: timedelta) -> bool:
        """Take or renew a lease; False while somebody else's has not run out."""
        taken = self._session.execute(
            update(Lease)
            .where(col(Lease.name) == name, (col(Lease.holder) == holder) | (col(Lease.until) < now))
            .values(holder=holder, until=now + length)
        )
        if taken.rowcount:  # type: ignore[attr-defined]  # a cursor result in practice
            return True
        if self._session.scalar(select(col(Lease.name)).where(col(Lease.name) == name)):
            return False
        self._session.execute(insert(Lease).values(name=name, holder=holder, until=now + length))
        return True

    def release(self, name: str, holder: str) -> None:
        """Give a lease back."""
        self._session.execute(delete(Lease).where(col(Lease.name) == name, col(Lease.holder) == holder))

    def holder(self, name: str, now: datetime) -> str | None:
        """Who holds a lease now."""
        return self._session.scalar(
            select(col(Lease.holder)).where(col(Lease.name) == name, col(Lease.until) >= now)
        )
