"""The projection of clocks, for lists and figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select
from sqlmodel import Session, col
from sqlmodel import select as select_models

from storage.models.service_levels import ClockRow
from storage.statements import Prepared

_clock = ClockRow.metadata.tables["clock"]
_NAMES = tuple(each.name for each in _clock.c)
# Asked by nearly every command on a ticket.
_OF = Prepared(select(_clock).where(_clock.c.subject == bindparam("wanted")).order_by(_clock.c.promise))
_DROP = Prepared(delete(_clock).where(_clock.c.subject == bindparam("wanted")))
_ADD = Prepared(insert(_clock))


class Clocks:
    """Clocks as they stood at the last change of their ticket."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._of: dict[str, Sequence[ClockRow]] = {}

    def of(self, subject: str) -> Sequence[ClockRow]:
        """The clocks of a ticket; a change to one counts once it is `put`."""
        if subject not in self._of:
            rows = _OF.rows(self._session, wanted=subject)
            self._of[subject] = [ClockRow(**dict(zip(_NAMES, row, strict=True))) for row in rows]
        return self._of[subject]

    def put(self, subject: str, rows: Sequence[ClockRow]) -> None:
        """Replace the clocks of a ticket."""
        if self.of(subject):
            _DROP.run(self._session, wanted=subject)
        _ADD.run_each(self._session, ({name: getattr(row, name) for name in _NAMES} for row in rows))
        self._of[subject] = sorted(rows, key=lambda row: row.promise)

    def running(
        self, *, service: str | None = None, team: str | None = None, customer: str | None = None
    ) -> Sequence[ClockRow]:
        """Clocks of open tickets that count, the next due first."""
        query = select_models(ClockRow).where(col(ClockRow.open).is_(True), *_within(service, team, customer))
        return self._session.exec(query.order_by(col(ClockRow.due_at))).all()

    def ended(
        self,
        since: datetime,
        until: datetime,
        *,
        service: str | None = None,
        team: str | None = None,
        customer: str | None = None,
    ) -> Sequence[ClockRow]:
        """Clocks that count and were decided in a period: stopped in it, or breached in it and still running."""
        stopped = (col(ClockRow.stopped_at) >= since) & (col(ClockRow.stopped_at) < until)
        broken = (
            col(ClockRow.stopped_at).is_(None)
            & (col(ClockRow.breached_at) >= since)
            & (col(ClockRow.breached_at) < until)
        )
        return self._session.exec(
            select_models(ClockRow).where(stopped | broken, *_within(service, team, customer))
        ).all()

    def broken(
        self,
        since: datetime,
        until: datetime,
        now: datetime,
        *,
        service: str | None = None,
        team: str | None = None,
        customer: str | None = None,
    ) -> Sequence[ClockRow]:
        """Clocks that count and were breached in a period, the newest breach first.

        One whose moment has come counts at once.
        """
        told = (col(ClockRow.breached_at) >= since) & (col(ClockRow.breached_at) < until)
        silent = (
            col(ClockRow.breached_at).is_(None)
            & col(ClockRow.open).is_(True)
            & (col(ClockRow.due_at) <= now)
            & (col(ClockRow.due_at) >= since)
            & (col(ClockRow.due_at) < until)
        )
        rows = self._session.exec(
            select_models(ClockRow).where(told | silent, *_within(service, team, customer))
        ).all()
        return sorted(rows, key=lambda row: row.breached_at or row.due_at or since, reverse=True)


def _within(service: str | None, team: str | None, customer: str | None) -> list[Any]:
    asked = ((ClockRow.service, service), (ClockRow.team, team), (ClockRow.customer, customer))
    return [col(ClockRow.counted), *(col(column) == wanted for column, wanted in asked if wanted)]
