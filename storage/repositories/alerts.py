"""Questions about alerts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_models

from storage.models.alerts import Alert, HeardSource, RejectedAlert
from storage.statements import Prepared

FIRING = "firing"
OVER = "over"

_source = HeardSource.metadata.tables["alert_source"]
_HEAR = Prepared(
    update(_source)
    .where(_source.c.key == bindparam("wanted"))
    .values(heard_at=bindparam("now", type_=_source.c.heard_at.type), waits_from=bindparam("now"))
)


class Alerts:
    """Alerts, the sources they come from, and what could not be read."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def hear(self, source: str, now: datetime) -> None:
        """Note that a source spoke; others who take in its alerts wait until this transaction ends."""
        if not _HEAR.run(self._session, wanted=source, now=now):
            self._session.execute(insert(_source).values(key=source, heard_at=now, waits_from=now))

    def wait(self, source: str, now: datetime, *, anew: bool = False) -> HeardSource:
        """A source with the instant that its silence counts from: `now` if it is a new one or counted `anew`."""
        row = self._session.get(HeardSource, source, with_for_update=True)
        if row is None:
            row = HeardSource(key=source, waits_from=now)
            self._session.add(row)
        elif anew:
            row.waits_from = now
        self._session.flush()
        return row

    def get(self, number: int) -> Alert | None:
        """One alert."""
        return self._session.get(Alert, number)

    def by_key(self, source: str, keys: Collection[str]) -> Mapping[str, Alert]:
        """A source's alerts with these keys."""
        wanted = select_models(Alert).where(col(Alert.source) == source, col(Alert.key).in_(list(keys)))
        return {row.key: row for row in self._session.exec(wanted)}

    def add(self, row: Alert) -> None:
        """Write a new alert."""
        self._session.add(row)
        self._session.flush()

    def save(self) -> None:
        """Write what was changed on rows that were read."""
        self._session.flush()

    def incident_of_bundle(self, source: str, bundle: str) -> int | None:
        """The newest incident of what a source sends together."""
        return self._session.scalar(
            select(func.max(col(Alert.incident))).where(
                col(Alert.source) == source, col(Alert.bundle) == bundle
            )
        )

    def incident_of_storm(self, source: str) -> int | None:
        """The newest incident that a source's alerts shared because they were so many."""
        return self._session.scalar(
            select(func.max(col(Alert.incident))).where(col(Alert.source) == source, col(Alert.storm))
        )

    def incidents_since(self, source: str, since: datetime) -> int:
        """To how many incidents a source's alerts belong that began to fire after an instant."""
        return (
            self._session.scalar(
                select(func.count(col(Alert.incident).distinct())).where(
                    col(Alert.source) == source, col(Alert.since) > since, col(Alert.key) != ""
                )
            )
            or 0
        )

    def of_incident(self, number: int) -> Sequence[Alert]:
        """The alerts of an incident, in the order in which they came."""
        return self._session.exec(
            select_models(Alert).where(col(Alert.incident) == number).order_by(col(Alert.number))
        ).all()

    def unlinked(self, source: str, bundle: str) -> Sequence[Alert]:
        """What a source sent together and belongs to no incident yet, in the order in which it came."""
        return self._session.exec(
            select_models(Alert)
            .where(
                col(Alert.source) == source,
                col(Alert.bundle) == bundle,
                col(Alert.incident).is_(None),
                col(Alert.state) == FIRING,
            )
            .order_by(col(Alert.number))
        ).all()

    def listed(
        self, *, state: str | None, source: str | None, skip: int, at_most: int
    ) -> tuple[Sequence[Alert], int]:
        """Alerts that fit, those that began last first, and how many there are in all."""
        query = select_models(Alert)
        if state:
            query = query.where(col(Alert.state) == state)
        if source:
            query = query.where(col(Alert.source) == source)
        total = self._session.scalar(select(func.count()).select_from(query.subquery())) or 0
        page = query.order_by(col(Alert.since).desc(), col(Alert.number).desc()).offset(skip).limit(at_most)
        return self._session.exec(page).all(), int(total)

    def reject(self, row: RejectedAlert, keep: int) -> None:
        """Keep what could not be read, and no more than the newest `keep` of its source."""
        self._session.add(row)
        self._session.flush()
        oldest_kept = (
            select(col(RejectedAlert.id))
            .where(col(RejectedAlert.source) == row.source)
            .order_by(col(RejectedAlert.id).desc())
            .offset(keep)
            .limit(1)
        ).scalar_subquery()
        too_old = col(RejectedAlert.source) == row.source, col(RejectedAlert.id) <= oldest_kept
        self._session.execute(delete(RejectedAlert).where(*too_old))

    def rejected(self, at_most: int) -> Sequence[RejectedAlert]:
        """What could not be read, newest first."""
        newest = select_models(RejectedAlert).order_by(col(RejectedAlert.id).desc()).limit(at_most)
        return self._session.exec(newest).all()

    def rejected_since(self, since: datetime, source: str | None = None) -> int:
        """How often something could not be read since an instant."""
        query = select(func.count()).select_from(RejectedAlert).where(col(RejectedAlert.at) >= since)
        if source:
            query = query.where(col(RejectedAlert.source) == source)
        return self._session.scalar(query) or 0
