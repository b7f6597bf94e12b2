"""Questions about service requests."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, func, or_, select
from sqlmodel import Session, col
from sqlmodel import select as select_models

from storage.models.requests import Request, RequestTask, RequestVote

# Asked by nearly every command on a request, and so built once.
_VOTES = (
    select_models(RequestVote)
    .where(col(RequestVote.request) == bindparam("wanted"))
    .order_by(col(RequestVote.at))
)
_TASKS = (
    select_models(RequestTask)
    .where(col(RequestTask.request) == bindparam("wanted"))
    .order_by(col(RequestTask.place))
)


class Requests:
    """Service requests, their votes and tasks."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, number: int, for_change: bool = False) -> Request | None:
        """One request; `for_change` keeps others from changing it until this transaction ends."""
        return self._session.get(Request, number, with_for_update=for_change or None)

    def add(self, *rows: Request | RequestTask | RequestVote) -> None:
        """Write new rows."""
        self._session.add_all(rows)
        self._session.flush()

    def save(self) -> None:
        """Write what was changed on rows that were read."""
        self._session.flush()

    def votes(self, number: int) -> Sequence[RequestVote]:
        """Votes on a request, in order of time."""
        return self._session.exec(_VOTES, params={"wanted": number}).all()

    def tasks(self, number: int) -> Sequence[RequestTask]:
        """Tasks of a request, in order."""
        return self._session.exec(_TASKS, params={"wanted": number}).all()

    def listed(
        self,
        *,
        states: Sequence[str] = (),
        requester: str | None = None,
        assignee: str | None = None,
        teams: Sequence[str] | None = None,
        offering: str | None = None,
        text: str | None = None,
        numbers: Sequence[int] | None = None,
        skip: int = 0,
        at_most: int = 10,
    ) -> tuple[Sequence[Request], int]:
        """Requests that fit every condition, newest first, and how many there are in all."""
        query = select_models(Request)
        if states:
            query = query.where(col(Request.state).in_(list(states)))
        if requester:
            query = query.where(col(Request.requester) == requester)
        if assignee:
            query = query.where(col(Request.assignee) == assignee)
        if teams is not None:
            query = query.where(col(Request.team).in_(list(teams)))
        if offering:
            query = query.where(col(Request.offering) == offering)
        if numbers is not None:
            query = query.where(col(Request.number).in_(list(numbers)))
        if text:
            query = query.where(func.lower(col(Request.summary)).contains(text.lower(), autoescape=True))
        page = query.order_by(col(Request.number).desc()).offset(skip).limit(at_most)
        rows = self._session.exec(page).all()
        if len(rows) < at_most and (rows or not skip):
            return rows, skip + len(rows)  # the last page tells how many there are
        total = self._session.scalar(select(func.count()).select_from(query.subquery())) or 0
        return rows, int(total)

    def hand_over(self, person: str, to: str) -> Sequence[Request]:
        """Make what one person asked for or holds another one's; returns the requests."""
        mine = or_(col(Request.requester) == person, col(Request.assignee) == person)
        rows = self._session.exec(select_models(Request).where(mine).order_by(col(Request.number))).all()
        for row in rows:
            row.requester = to if row.requester == person else row.requester
            row.assignee = to if row.assignee == person else row.assignee
        self._session.flush()
        return rows

    def erase_words(self, person: str) -> list[int]:
        """Blank what a person wrote on their own requests; returns the requests' numbers."""
        rows = self._session.exec(select_models(Request).where(col(Request.requester) == person)).all()
        for row in rows:
            row.answers, row.summary, row.source = {}, f"{row.offering} (erased)", None
        self._session.flush()
        return [row.number for row in rows]
