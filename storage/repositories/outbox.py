"""Messages on their way out: claimed with a lease and a fencing number, one at a time per lane.

A lane is one destination. Within a lane messages leave in the order in which they were written, so a
row is free only when no older open row of its lane is before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col
from sqlmodel import select as select_models

from storage.models.flow import OutboxRow

class Outbox:
    """Outgoing messages."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows; one whose key is known is left out, because it was said already."""
        keys = [row["key"] for row in rows]
        known = set(self._session.scalars(select(col(OutboxRow.key)).where(col(OutboxRow.key).in_(keys))))
        fresh: dict[str, Mapping[str, Any]] = {row["key"]: row for row in rows if row["key"] not in known}
        if fresh:
            self._session.execute(insert(OutboxRow), [dict(row) for row in fresh.values()])

    def card_waits(self, subject: str, lane: str) -> bool:
        """Whether a redraw of this card is waiting already; one is enough, it is drawn when sent."""
        return (
            self._session.scalar(
                select(col(OutboxRow.id)).where(
                    col(OutboxRow.subject) == subject,
                    col(OutboxRow.lane) == lane,
                    col(OutboxRow.kind) == "card",
                    col(OutboxRow.open).is_(True),
                    col(OutboxRow.state).in_(("pending", "retry")),
                )
            )
            is not None
        )

    def claim(
        self, now: datetime, holder: str, lease: timedelta, at_most: int, platforms: Sequence[str]
    ) -> Sequence[OutboxRow]:
        """Take messages that may leave now: pages first, then by age, at most one from each lane."""
        older = aliased(OutboxRow)
        first_in_lane = (
            select(func.min(older.id)).where(older.lane == col(OutboxRow.lane), older.open.is_(True)).scalar_subquery()  # type: ignore[attr-defined]
        )
        free = (
            select(col(OutboxRow.id))
            .where(
                col(OutboxRow.open).is_(True),
                col(OutboxRow.next_at) <= now,
                col(OutboxRow.platform).in_(list(platforms)),
                (col(OutboxRow.lease_until).is_(None)) | (col(OutboxRow.lease_until) < now),
                col(OutboxRow.id) == first_in_lane,
            )
            .order_by(col(OutboxRow.kind) != "page", col(OutboxRow.id))
            .limit(at_most)
            .with_for_update(skip_locked=True)
        )
        ids = list(self._session.scalars(free))
        if not ids:
            return ()
        self._session.execute(
            update(OutboxRow)
            .where(col(OutboxRow.id).in_(ids))
            .values(
                holder=holder,
                lease_until=now + lease,
                fence=col(OutboxRow.fence) + 1,
                attempts=col(OutboxRow.attempts) + 1,
                state="sending",
            )
        )
        rows = self._session.exec(select_models(OutboxRow).where(col(OutboxRow.id).in_(ids))).all()
        return sorted(rows, key=lambda row: ids.index(row.id or 0))

    def get(self, row_id: int) -> OutboxRow | None:
        """One message."""
        return self._session.get(OutboxRow, row_id)

    def settle(self, row_id: int, fence: int, **values: Any) -> bool:
        """Record what became of a claimed message; False when the lease was lost to another worker."""
        done = self._session.execute(
            update(OutboxRow)
            .where(col(OutboxRow.id) == row_id, col(OutboxRow.fence) == fence, col(OutboxRow.open).is_(True))
            .values(holder=None, lease_until=None, **values)
        )
        return bool(done.rowcount)  # type: ignore[attr-defined]  # a cursor result in practice

    def hold_lane(self, lane: str, until: datetime) -> None:
        """Let nothing more leave to a destination before an instant (its platform asked for it)."""
        self._session.execute(
            update(OutboxRow)
            .where(col(OutboxRow.lane) == lane, col(OutboxRow.open).is_(True), col(OutboxRow.next_at) < until)
            .values(next_at=until)
        )

    def earliest(self, platforms: Sequence[str]) -> datetime | None:
        """When the next message may leave, or None."""
        return self._session.scalar(
            select(func.min(col(OutboxRow.next_at))).where(
                col(OutboxRow.open).is_(True), col(OutboxRow.platform).in_(list(platforms))
            )
        )

    def of(self, subject: str) -> Sequence[OutboxRow]:
        """Every message about a subject, oldest first."""
        return self._session.exec(
            select_models(OutboxRow).where(col(OutboxRow.subject) == subject).order_by(col(OutboxRow.id))
        ).all()

    def listed(self, states: Sequence[str], at_most: int = 100) -> Sequence[OutboxRow]:
        """Messages in some states, newest first."""
        return self._session.exec(
            select_models(OutboxRow)
            .where(col(OutboxRow.state).in_(list(states)))
            .order_by(col(OutboxRow.id).desc())
            .limit(at_most)
        ).all()

    def retry(self, row_id: int, now: datetime) -> bool:
        """Open a message that was given up; False when it is not one."""
        done = self._session.execute(
            update(OutboxRow)
            .where(col(OutboxRow.id) == row_id, col(OutboxRow.state) == "given up")
            .values(state="retry", open=True, attempts=0, next_at=now, done_at=None, reason=None)
        )
        return bool(done.rowcount)  # type: ignore[attr-defined]  # a cursor result in practice

    def counts(self) -> dict[str, int]:
        """How many messages are in each open state."""
        rows = self._session.execute(
            select(col(OutboxRow.state), func.count()).where(col(OutboxRow.open).is_(True)).group_by(col(OutboxRow.state))
        )
        return {str(state): int(number) for state, number in rows}
