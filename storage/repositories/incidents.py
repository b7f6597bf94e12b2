"""Questions about incidents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, func, or_, select
from sqlmodel import Session, col
from sqlmodel import select as select_models

from storage.models.incidents import PAGED, Incident, IncidentLink, IncidentPart, IncidentText
from storage.statements import adding

# Asked by nearly every command on an incident, and so built once.
_PARTS = (
    select_models(IncidentPart)
    .where(col(IncidentPart.incident) == bindparam("wanted"))
    .order_by(col(IncidentPart.since), col(IncidentPart.person))
)
_TEXTS = select_models(IncidentText).where(col(IncidentText.incident) == bindparam("wanted"))
_LINKS = (
    select_models(IncidentLink)
    .where(col(IncidentLink.incident) == bindparam("wanted"))
    .order_by(col(IncidentLink.at), col(IncidentLink.ref))
)
_PUT_PART = adding(IncidentPart.metadata.tables["incident_part"], ("incident", "part", "person", "since"))


class Incidents:
    """Incidents, the parts people play in them, what was last said, and what they belong to.

    What belongs to an incident is asked for once in a transaction, however often it is drawn.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._parts: dict[int, Sequence[IncidentPart]] = {}
        self._texts: dict[int, dict[str, IncidentText]] = {}
        self._links: dict[int, Sequence[IncidentLink]] = {}

    def get(self, number: int, for_change: bool = False) -> Incident | None:
        """One incident; `for_change` keeps others from changing it until this transaction ends."""
        return self._session.get(Incident, number, with_for_update=for_change or None)

    def add(self, incident: Incident) -> None:
        """Write a new incident."""
        self._session.add(incident)
        self._session.flush()

    def save(self) -> None:
        """Write what was changed on rows that were read."""
        self._session.flush()

    # The parts that people play

    def parts(self, number: int) -> Sequence[IncidentPart]:
        """Who plays which part, the longest-standing first."""
        if number not in self._parts:
            self._parts[number] = self._session.exec(_PARTS, params={"wanted": number}).all()
        return self._parts[number]

    def put_part(self, number: int, part: str, person: str, at: datetime) -> None:
        """Give somebody a part; that they play it already changes nothing."""
        self._parts.pop(number, None)
        _PUT_PART.run(self._session, incident=number, part=part, person=person, since=at)

    def drop_parts(self, number: int, parts: Iterable[str], person: str | None = None) -> None:
        """Take these parts away from somebody, or from everybody."""
        gone = delete(IncidentPart).where(
            col(IncidentPart.incident) == number, col(IncidentPart.part).in_(list(parts))
        )
        if person is not None:
            gone = gone.where(col(IncidentPart.person) == person)
        self._parts.pop(number, None)
        self._session.execute(gone)

    # What was last said

    def texts(self, number: int) -> dict[str, IncidentText]:
        """What was last said, by kind."""
        if number not in self._texts:
            found = self._session.exec(_TEXTS, params={"wanted": number})
            self._texts[number] = {each.kind: each for each in found}
        return self._texts[number]

    def put_text(self, number: int, kind: str, author: str, text: str, at: datetime) -> None:
        """Remember the newest word of a kind."""
        self._texts.pop(number, None)
        self._session.merge(IncidentText(incident=number, kind=kind, author=author, text=text, at=at))
        self._session.flush()

    # What it belongs to

    def links(self, number: int) -> Sequence[IncidentLink]:
        """The other tickets it has to do with, in the order in which that was said."""
        if number not in self._links:
            self._links[number] = self._session.exec(_LINKS, params={"wanted": number}).all()
        return self._links[number]

    def put_link(self, number: int, ref: str, by: str, at: datetime) -> bool:
        """Link another ticket; False when it was linked already."""
        if self._session.get(IncidentLink, (number, ref)) is not None:
            return False
        self._links.pop(number, None)
        self._session.add(IncidentLink(incident=number, ref=ref, by=by, at=at))
        self._session.flush()
        return True

    def drop_link(self, number: int, ref: str) -> bool:
        """Undo a link; False when there was none."""
        self._links.pop(number, None)
        gone = delete(IncidentLink).where(col(IncidentLink.incident) == number, col(IncidentLink.ref) == ref)
        return bool(self._session.execute(gone).rowcount)  # type: ignore[attr-defined]  # a cursor result

    def linked_to(self, ref: str) -> Sequence[int]:
        """The incidents that are linked to a ticket."""
        wanted = select(col(IncidentLink.incident)).where(col(IncidentLink.ref) == ref)
        return self._session.scalars(wanted.order_by(col(IncidentLink.incident))).all()

    # Lists

    def listed(
        self,
        *,
        states: Sequence[str] = (),
        person: str | None = None,
        teams: Sequence[str] | None = None,
        service: str | None = None,
        practice: bool | None = None,
        text: str | None = None,
        skip: int = 0,
        at_most: int = 10,
    ) -> tuple[Sequence[Incident], int]:
        """Incidents that fit every condition, newest first, and how many there are in all.

        `person` reported it, holds it, or plays a part in it other than having been paged.
        """
        query = select_models(Incident)
        if states:
            query = query.where(col(Incident.state).in_(list(states)))
        if person:
            plays = select(col(IncidentPart.incident)).where(
                col(IncidentPart.person) == person, col(IncidentPart.part) != PAGED
            )
            mine = (
                col(Incident.reporter) == person,
                col(Incident.assignee) == person,
                col(Incident.number).in_(plays),
            )
            query = query.where(or_(*mine))
        if teams is not None:
            query = query.where(col(Incident.team).in_(list(teams)))
        if service:
            query = query.where(col(Incident.service) == service)
        if practice is not None:
            query = query.where(col(Incident.practice).is_(practice))
        if text:
            query = query.where(func.lower(col(Incident.title)).contains(text.lower(), autoescape=True))
        total = self._session.scalar(select(func.count()).select_from(query.subquery())) or 0
        page = query.order_by(col(Incident.number).desc()).offset(skip).limit(at_most)
        return self._session.exec(page).all(), int(total)

    def held_by(self, person: str, states: Sequence[str], parts: Sequence[str] = ()) -> Sequence[Incident]:
        """The incidents in these states that somebody holds, or plays one of these parts in, oldest first."""
        plays = select(col(IncidentPart.incident)).where(
            col(IncidentPart.person) == person, col(IncidentPart.part).in_(list(parts))
        )
        query = select_models(Incident).where(
            col(Incident.state).in_(list(states)),
            or_(col(Incident.assignee) == person, col(Incident.number).in_(plays)),
        )
        return self._session.exec(query.order_by(col(Incident.number))).all()

    def of_alert(self, alert: str) -> Incident | None:
        """The newest incident that an alert opened."""
        query = select_models(Incident).where(col(Incident.alert) == alert)
        return self._session.exec(query.order_by(col(Incident.number).desc()).limit(1)).first()

    # People who are joined or erased

    def hand_over(self, person: str, to: str) -> Sequence[Incident]:
        """Make what one person reported or holds another one's, and the parts they play; returns the incidents."""
        mine = or_(col(Incident.reporter) == person, col(Incident.assignee) == person)
        rows = self._session.exec(select_models(Incident).where(mine).order_by(col(Incident.number))).all()
        for row in rows:
            row.reporter = to if row.reporter == person else row.reporter
            row.assignee = to if row.assignee == person else row.assignee
        self._session.flush()
        played = select_models(IncidentPart).where(col(IncidentPart.person) == person)
        for part in self._session.exec(played).all():
            self._session.delete(part)
            self.put_part(part.incident, part.part, to, part.since)
        self._session.flush()
        return rows

    def erase_words(self, person: str) -> list[int]:
        """Blank what a person wrote about incidents; returns the numbers of those that showed it."""
        rows = self._session.exec(select_models(Incident).where(col(Incident.reporter) == person)).all()
        for row in rows:
            row.title, row.detail, row.source = f"{row.service} (erased)", None, None
        self._session.flush()
        texts = self._session.exec(
            select_models(IncidentText).where(col(IncidentText.author) == person)
        ).all()
        for each in texts:
            each.text = "(erased)"
        self._session.flush()
        return sorted({row.number for row in rows} | {text.incident for text in texts})
