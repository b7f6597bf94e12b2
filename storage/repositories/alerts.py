"""Questions about alerts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_models

from storage.models.alerts import Alert, HeardSource, RejectedAlert
from storage.models.incidents import Incident
from storage.statements import Prepared

FIRING = "firing"
OVER = "over"

_source = HeardSource.metadata.tables["alert_source"]
_alert = Alert.metadata.tables["alert"]
_incident = Incident.metadata.tables["incident"]

# Asked for every alert that comes in, and alerts come in crowds.
_HEAR = Prepared(
    update(_source)
    .where(_source.c.key == bindparam("wanted"))
    .values(heard_at=bindparam("now", type_=_source.c.heard_at.type), waits_from=bindparam("now"))
)
_OF_SOURCE = _alert.c.source == bindparam("wanted")
_BY_KEY = Prepared(select(_alert.c.number).where(_OF_SOURCE, _alert.c.key == bindparam("key")))
_NEWEST = select(func.max(_alert.c.incident)).where(_OF_SOURCE)
_OF_BUNDLE = Prepared(_NEWEST.where(_alert.c.bundle == bindparam("bundle")))
_OF_STORM = Prepared(_NEWEST.where(_alert.c.storm))
_SINCE = Prepared(
    select(func.count(_alert.c.incident.distinct())).where(
        _OF_SOURCE, _alert.c.since > bindparam("instant", type_=_alert.c.since.type), _alert.c.key != ""
    )
)
_LED_TO = Prepared(select(func.max(_incident.c.number)).where(_incident.c.alert == bindparam("ref")))
_UNLINKED = Prepared(
    select(_alert.c.number)
    .where(
        _OF_SOURCE,
        _alert.c.bundle == bindparam("bundle"),
        _alert.c.incident.is_(None),
        _alert.c.state == FIRING,
    )
    .order_by(_alert.c.number)
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

    def by_key(self, source: str, keys: Iterable[str]) -> dict[str, Alert]:
        """A source's alerts with these keys."""
        numbers = {key: _BY_KEY.value(self._session, wanted=source, key=key) for key in keys}
        found = {key: self.get(number) for key, number in numbers.items() if number is not None}
        return {key: row for key, row in found.items() if row is not None}

    def add(self, row: Alert) -> None:
        """Note a new alert; it is written with whatever is written next."""
        self._session.add(row)

    def save(self) -> None:
        """Write what is new and what was changed on rows that were read."""
        self._session.flush()

    def incident_of_bundle(self, source: str, bundle: str) -> int | None:
        """The newest incident of what a source sends together."""
        found: int | None = _OF_BUNDLE.value(self._session, wanted=source, bundle=bundle)
        return found

    def incident_of_storm(self, source: str) -> int | None:
        """The newest incident that a source's alerts shared because they were so many."""
        found: int | None = _OF_STORM.value(self._session, wanted=source)
        return found

    def incidents_since(self, source: str, since: datetime) -> int:
        """To how many incidents a source's alerts belong that began to fire after an instant."""
        return int(_SINCE.value(self._session, wanted=source, instant=since))

    def led_to(self, ref: str) -> int | None:
        """The newest incident that an alert opened."""
        found: int | None = _LED_TO.value(self._session, ref=ref)
        return found

    def unlinked(self, source: str, bundle: str) -> Sequence[Alert]:
        """What a source sent together and belongs to no incident yet, in the order in which it came."""
        self.save()
        numbers = [row[0] for row in _UNLINKED.rows(self._session, wanted=source, bundle=bundle)]
        return [row for row in map(self.get, numbers) if row is not None]

    def of_incident(self, number: int) -> Sequence[Alert]:
        """The alerts of an incident, in the order in which they came."""
        return self._session.exec(
            select_models(Alert).where(col(Alert.incident) == number).order_by(col(Alert.number))
        ).all()

    def first_of_incident(self, number: int, at_most: int) -> tuple[Sequence[Alert], int]:
        """The first alerts of an incident, those that fire before the others, and how many it has."""
        of = col(Alert.incident) == number
        first = select_models(Alert).where(of).order_by(col(Alert.state) != FIRING, col(Alert.number))
        in_all = self._session.scalar(select(func.count()).select_from(Alert).where(of))
        return self._session.exec(first.limit(at_most)).all(), in_all or 0

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
