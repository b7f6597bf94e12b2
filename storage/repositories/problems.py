"""Problems with what belongs to them, known errors, and actions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import delete, func, or_, select
from sqlmodel import Session, col
from sqlmodel import select as select_models
from sqlmodel.sql.expression import SelectOfScalar

from storage.models.problems import Action, Problem, ProblemFollower, ProblemLink
from storage.statements import Prepared

_ERASED = "(erased)"
_problem = Problem.metadata.tables["problem"]
# Asked whenever something is filed or declared; with nothing known it reads an empty index.
KNOWN = (
    select(_problem.c.number, _problem.c.service, _problem.c.title, _problem.c.symptom)
    .where(_problem.c.known)
    .order_by(_problem.c.helped.desc(), _problem.c.number.desc())
    .limit(1000)
)
_KNOWN = Prepared(KNOWN)

T = TypeVar("T")


def _page(session: Session, query: SelectOfScalar[T], skip: int, at_most: int) -> tuple[Sequence[T], int]:
    """A page of what a query gives, and how many there are in all."""
    rows = session.exec(query.offset(skip).limit(at_most)).all()
    if len(rows) < at_most and (rows or not skip):
        return rows, skip + len(rows)  # the last page tells how many there are
    total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery()))
    return rows, int(total or 0)


class Problems:
    """Problems, their links, who follows them, and the known errors among them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, number: int, for_change: bool = False) -> Problem | None:
        """One problem; `for_change` keeps others from changing it until this transaction ends."""
        return self._session.get(Problem, number, with_for_update=for_change or None)

    def add(self, problem: Problem) -> None:
        """Write a new problem."""
        self._session.add(problem)
        self._session.flush()

    def save(self) -> None:
        """Write what was changed on rows that were read."""
        self._session.flush()

    def link(self, number: int, ref: str, now: datetime) -> bool:
        """Note that a ticket belongs to a problem; False when that is known."""
        if self._session.get(ProblemLink, (number, ref)) is not None:
            return False
        self._session.add(ProblemLink(problem=number, ref=ref, at=now))
        self._session.flush()
        return True

    def unlink(self, number: int, ref: str) -> bool:
        """Note that a ticket does not belong to a problem; False when nobody said that it does."""
        gone = self._session.execute(
            delete(ProblemLink).where(col(ProblemLink.problem) == number, col(ProblemLink.ref) == ref)
        )
        return bool(gone.rowcount)  # type: ignore[attr-defined]  # a cursor result in practice

    def links(self, number: int) -> Sequence[ProblemLink]:
        """The tickets that belong to a problem, in the order in which that was said."""
        of = select_models(ProblemLink).where(col(ProblemLink.problem) == number)
        return self._session.exec(of.order_by(col(ProblemLink.at), col(ProblemLink.ref))).all()

    def of(self, ref: str) -> Sequence[Problem]:
        """The problems to which a ticket belongs, such as an incident's cause."""
        joined = select_models(Problem).join(ProblemLink, col(ProblemLink.problem) == col(Problem.number))
        return self._session.exec(
            joined.where(col(ProblemLink.ref) == ref).order_by(col(Problem.number))
        ).all()

    def follow(self, number: int, person: str) -> None:
        """Let somebody hear of what becomes of a problem."""
        if self._session.get(ProblemFollower, (number, person)) is None:
            self._session.add(ProblemFollower(problem=number, person=person))
            self._session.flush()

    def followers(self, number: int) -> Sequence[str]:
        """Who hears of what becomes of a problem."""
        of = select(col(ProblemFollower.person)).where(col(ProblemFollower.problem) == number)
        return self._session.scalars(of.order_by(col(ProblemFollower.person))).all()

    def listed(
        self,
        *,
        states: Sequence[str] = (),
        follower: str | None = None,
        teams: Sequence[str] | None = None,
        known: bool = False,
        text: str | None = None,
        skip: int = 0,
        at_most: int = 10,
    ) -> tuple[Sequence[Problem], int]:
        """Problems that fit every condition, newest first, and how many there are in all."""
        query = select_models(Problem)
        if states:
            query = query.where(col(Problem.state).in_(list(states)))
        if teams is not None:
            query = query.where(col(Problem.team).in_(list(teams)))
        if known:
            query = query.where(col(Problem.known))
        if follower:
            followed = select(col(ProblemFollower.problem)).where(col(ProblemFollower.person) == follower)
            query = query.where(col(Problem.number).in_(followed))
        if text:
            said = (col(Problem.title), col(Problem.symptom), col(Problem.workaround))
            lower = text.lower()
            query = query.where(or_(*(func.lower(each).contains(lower, autoescape=True) for each in said)))
        return _page(self._session, query.order_by(col(Problem.number).desc()), skip, at_most)

    def known_errors(
        self,
        service: str | None,
        likeness: Callable[[str], float],
        at_least: float,
        resting_on: Collection[str] = (),
        at_most: int = 3,
    ) -> Sequence[Problem]:
        """Known errors that somebody may be talking about, the likeliest first, then those that helped most.

        Those of a service (None: of any), or of the services that it rests on. `likeness` says how well a
        title with a symptom fits to what was said, from 0 to 1.
        """
        likely = sorted(
            (-fits, place, number)
            for place, (number, of, title, symptom) in enumerate(_KNOWN.rows(self._session))
            if service is None or of == service or of in resting_on
            if (fits := likeness(f"{title} {symptom}")) >= at_least
        )
        found = (self._session.get(Problem, number) for _, _, number in likely[:at_most])
        return [each for each in found if each is not None]

    def hand_over(self, person: str, to: str) -> None:
        """Let one person follow what another one followed."""
        mine = select_models(ProblemFollower).where(col(ProblemFollower.person) == person)
        for row in self._session.exec(mine).all():
            self.follow(row.problem, to)
            self._session.delete(row)
        self._session.flush()

    def erase_words(self, person: str) -> list[int]:
        """Blank what a person wrote on problems; returns their numbers. A known error needs both its texts."""
        authors = (Problem.opened_by, Problem.cause_by, Problem.workaround_by, Problem.symptom_by)
        rows = self._session.exec(
            select_models(Problem).where(or_(*(col(each) == person for each in authors)))
        ).all()
        for row in rows:
            if row.opened_by == person:
                row.title = f"{row.service} {_ERASED}"
            if row.cause_by == person:
                row.cause = {"category": row.cause["category"]}
            if row.workaround_by == person:
                row.workaround = row.workaround_by = None
            if row.symptom_by == person:
                row.symptom = row.symptom_by = None
            row.known = bool(row.known and row.symptom and row.workaround)
        self._session.flush()
        return [row.number for row in rows]


class Actions:
    """What somebody promised to do, and by when."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, number: int, for_change: bool = False) -> Action | None:
        """One action; `for_change` keeps others from changing it until this transaction ends."""
        return self._session.get(Action, number, with_for_update=for_change or None)

    def add(self, action: Action) -> None:
        """Write a new action."""
        self._session.add(action)
        self._session.flush()

    def save(self) -> None:
        """Write what was changed on rows that were read."""
        self._session.flush()

    def of(self, subject: str) -> Sequence[Action]:
        """The actions that a ticket called for, in order."""
        of = select_models(Action).where(col(Action.subject) == subject)
        return self._session.exec(of.order_by(col(Action.number))).all()

    def listed(
        self,
        *,
        states: Sequence[str] = (),
        owners: Sequence[str] | None = None,
        due_before: str | None = None,
        text: str | None = None,
        skip: int = 0,
        at_most: int = 10,
    ) -> tuple[Sequence[Action], int]:
        """Actions that fit every condition, the next due first, and how many there are in all."""
        query = select_models(Action)
        if states:
            query = query.where(col(Action.state).in_(list(states)))
        if owners is not None:
            query = query.where(col(Action.owner).in_(list(owners)))
        if due_before:
            query = query.where(col(Action.due) < due_before)
        if text:
            lower = text.lower()
            about = func.lower(col(Action.what)).contains(lower, autoescape=True)
            query = query.where(or_(about, func.lower(col(Action.subject)) == lower))
        return _page(self._session, query.order_by(col(Action.due), col(Action.number)), skip, at_most)

    def hand_over(self, person: str, to: str) -> Sequence[Action]:
        """Make what one person owes another one's; returns the actions."""
        rows = self._session.exec(select_models(Action).where(col(Action.owner) == person)).all()
        for row in rows:
            row.owner = to
        self._session.flush()
        return rows

    def erase_words(self, person: str) -> list[int]:
        """Blank what a person wrote on actions; returns their numbers."""
        wrote = or_(col(Action.opened_by) == person, col(Action.done_by) == person)
        rows = self._session.exec(select_models(Action).where(wrote)).all()
        for row in rows:
            if row.opened_by == person:
                row.what = _ERASED
            if row.done_by == person:
                row.result = None
        self._session.flush()
        return [row.number for row in rows]
