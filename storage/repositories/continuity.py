"""Impact analyses, plans, drills, and what was found ready."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, func, or_, select, update
from sqlmodel import Session, SQLModel, col
from sqlmodel import select as select_models

from handlers.rules.windows import Booking
from storage.models.continuity import (
    WHOLE,
    ContinuityPlan,
    Drill,
    DrillInject,
    DrillPerson,
    DrillService,
    DrillStep,
    DrillText,
    ImpactAnalysis,
    PlanService,
    ReadinessCheck,
)
from storage.models.problems import Action

_ERASED = "(erased)"
LONGEST = timedelta(days=7)
"""No drill is planned to last longer."""

_REACH = LONGEST + timedelta(days=7)  # how far back a question reads: a drill may take longer than planned

# Asked whenever a change's window is looked at.
_BETWEEN = (
    select(
        col(Drill.number),
        col(Drill.title),
        col(DrillService.service),
        col(Drill.lead),
        col(DrillService.starts_at),
        col(DrillService.ends_at),
    )
    .join(Drill, col(Drill.number) == col(DrillService.drill))
    .where(
        col(DrillService.holds),
        col(DrillService.service).in_(bindparam("services", expanding=True)),
        col(DrillService.starts_at) > bindparam("since"),
        col(DrillService.starts_at) < bindparam("end"),
        col(DrillService.ends_at) > bindparam("start"),
    )
    .order_by(col(DrillService.starts_at), col(Drill.number), col(DrillService.service))
)
# Asked whenever an incident is declared.
_RUNNING = (
    select(col(Drill.number))
    .join(DrillService, col(Drill.number) == col(DrillService.drill))
    .where(
        col(Drill.state) == "running",
        col(Drill.kind) != "real",
        or_(col(DrillService.service) == bindparam("of"), col(DrillService.team) == bindparam("by")),
    )
    .order_by(col(Drill.number))
    .distinct()
)


class Continuity:
    """Impact analyses, plans, drills and readiness."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, *rows: SQLModel) -> None:
        """Write new rows."""
        self._session.add_all(rows)
        self._session.flush()

    def save(self) -> None:
        """Write what was changed on rows that were read."""
        self._session.flush()

    # Impact analyses

    def analysis(self, number: int, for_change: bool = False) -> ImpactAnalysis | None:
        """One impact analysis."""
        return self._session.get(ImpactAnalysis, number, with_for_update=for_change or None)

    def signed_analyses(self) -> dict[str, ImpactAnalysis]:
        """The impact analysis in force of each service that has one."""
        query = select_models(ImpactAnalysis).where(col(ImpactAnalysis.state) == "signed")
        return {each.service: each for each in self._session.exec(query.order_by(col(ImpactAnalysis.number)))}

    def analyses_of(self, service: str) -> Sequence[ImpactAnalysis]:
        """The impact analyses of a service, the newest first."""
        query = select_models(ImpactAnalysis).where(col(ImpactAnalysis.service) == service)
        return self._session.exec(query.order_by(col(ImpactAnalysis.number).desc())).all()

    def unsigned_analyses(self) -> Sequence[ImpactAnalysis]:
        """The impact analyses that wait for their owner's signature, the oldest first."""
        query = select_models(ImpactAnalysis).where(col(ImpactAnalysis.state) == "draft")
        return self._session.exec(query.order_by(col(ImpactAnalysis.number))).all()

    # Plans

    def plan(self, number: int, for_change: bool = False) -> ContinuityPlan | None:
        """One plan."""
        return self._session.get(ContinuityPlan, number, with_for_update=for_change or None)

    def plan_called(self, key: str) -> ContinuityPlan | None:
        """The plan with a key."""
        query = select_models(ContinuityPlan).where(col(ContinuityPlan.key) == key)
        return self._session.exec(query).first()

    def plans(
        self,
        *,
        states: Sequence[str] = (),
        owner: str | None = None,
        service: str | None = None,
        text: str | None = None,
        skip: int = 0,
        at_most: int = 1000,
    ) -> tuple[Sequence[ContinuityPlan], int]:
        """Plans that fit every condition, newest first, and how many there are."""
        query = select_models(ContinuityPlan)
        if states:
            query = query.where(col(ContinuityPlan.state).in_(list(states)))
        if owner:
            query = query.where(col(ContinuityPlan.owner) == owner)
        if service:
            mine = select(col(PlanService.plan)).where(col(PlanService.service) == service)
            query = query.where(col(ContinuityPlan.number).in_(mine))
        if text:
            query = query.where(func.lower(col(ContinuityPlan.name)).contains(text.lower(), autoescape=True))
        total = self._session.scalar(select(func.count()).select_from(query.subquery())) or 0
        page = query.order_by(col(ContinuityPlan.number).desc()).offset(skip).limit(at_most)
        return self._session.exec(page).all(), int(total)

    def put_plan_services(self, number: int, services: Iterable[str]) -> None:
        """Say which services a plan recovers."""
        self._session.execute(delete(PlanService).where(col(PlanService.plan) == number))
        self._session.add_all(PlanService(plan=number, service=each) for each in services)
        self._session.flush()

    def plans_by_service(self) -> dict[str, list[ContinuityPlan]]:
        """The plans of each service that are not withdrawn."""
        query = (
            select_models(ContinuityPlan, PlanService)
            .join(PlanService, col(PlanService.plan) == col(ContinuityPlan.number))
            .where(col(ContinuityPlan.state) != "withdrawn")
            .order_by(col(ContinuityPlan.number))
        )
        found: dict[str, list[ContinuityPlan]] = {}
        for plan, of in self._session.exec(query):
            found.setdefault(of.service, []).append(plan)
        return found

    # Drills

    def drill(self, number: int, for_change: bool = False) -> Drill | None:
        """One drill; `for_change` keeps others from changing it until this transaction ends."""
        return self._session.get(Drill, number, with_for_update=for_change or None)

    def in_series(self, series: str) -> bool:
        """Whether this occurrence of a drill that repeats is set already."""
        return self._session.scalar(select(col(Drill.number)).where(col(Drill.series) == series)) is not None

    def drills(
        self,
        *,
        states: Sequence[str] = (),
        person: str | None = None,
        plan: int | None = None,
        service: str | None = None,
        text: str | None = None,
        skip: int = 0,
        at_most: int = 10,
    ) -> tuple[Sequence[Drill], int]:
        """Drills that fit every condition, newest first, and how many there are; `person` leads it or takes part."""
        query = select_models(Drill)
        if states:
            query = query.where(col(Drill.state).in_(list(states)))
        if person:
            joined = select(col(DrillPerson.drill)).where(col(DrillPerson.person) == person)
            query = query.where(or_(col(Drill.lead) == person, col(Drill.number).in_(joined)))
        if plan is not None:
            query = query.where(col(Drill.plan) == plan)
        if service:
            of = select(col(DrillService.drill)).where(col(DrillService.service) == service)
            query = query.where(col(Drill.number).in_(of))
        if text:
            query = query.where(func.lower(col(Drill.title)).contains(text.lower(), autoescape=True))
        total = self._session.scalar(select(func.count()).select_from(query.subquery())) or 0
        page = query.order_by(col(Drill.number).desc()).offset(skip).limit(at_most)
        return self._session.exec(page).all(), int(total)

    def unheld(self, now: datetime) -> Sequence[Drill]:
        """Drills whose time is over and that never began, the oldest first."""
        over = col(Drill.state) == "scheduled", col(Drill.ends_at) <= now
        return self._session.exec(select_models(Drill).where(*over).order_by(col(Drill.ends_at))).all()

    def drills_between(self, services: Iterable[str], start: datetime, end: datetime) -> list[Booking]:
        """The drills that hold one of these services at some time in `[start, end)`; real ones, too."""
        asked = {"services": list(services), "since": start - _REACH, "start": start, "end": end}
        found: dict[int, list[tuple[str, str, str, datetime, datetime]]] = {}
        for number, title, service, lead, starts, ends in self._session.execute(_BETWEEN, asked):
            found.setdefault(number, []).append((title, service, lead, starts, ends))
        return [
            Booking(
                ref=f"DRL-{number}",
                title=rows[0][0],
                services=tuple(row[1] for row in rows),
                person=rows[0][2],
                start=rows[0][3],
                end=rows[0][4],
                drill=True,
            )
            for number, rows in found.items()
        ]

    def running_for(self, service: str, team: str) -> Sequence[str]:
        """The drills, by reference, that run now for a service or for the services of a team; real ones left out."""
        found = self._session.scalars(_RUNNING, {"of": service, "by": team}).all()
        return [f"DRL-{number}" for number in found]

    def paused_for(self, incident: str) -> Sequence[str]:
        """The drills, by reference, that an incident has held up until now."""
        query = select(col(Drill.number)).where(col(Drill.paused_for) == incident)
        found = self._session.scalars(query.where(col(Drill.state) == "paused")).all()
        return [f"DRL-{number}" for number in found]

    def services_of(self, number: int) -> Sequence[DrillService]:
        """The services that a drill recovers, in order of key."""
        query = select_models(DrillService).where(col(DrillService.drill) == number)
        return self._session.exec(query.order_by(col(DrillService.service))).all()

    def hold(self, drill: Drill, holds: bool) -> None:
        """Let a drill hold its services from its start to its end, or let them go."""
        mine = col(DrillService.drill) == drill.number
        held = update(DrillService).where(mine)
        held = held.values(starts_at=drill.starts_at, ends_at=drill.ends_at, holds=holds)
        self._session.execute(held.execution_options(synchronize_session="fetch"))

    def repeating(self) -> Sequence[Drill]:
        """The drills that began a series in chat which nobody has stopped."""
        query = select_models(Drill).where(col(Drill.repeats).is_not(None))
        return self._session.exec(query.order_by(col(Drill.number))).all()

    def open_findings(self) -> Sequence[Action]:
        """What drills found and somebody still owes, the earliest due first."""
        query = select_models(Action).where(col(Action.state) == "open", col(Action.subject).like("DRL-%"))
        return self._session.exec(query.order_by(col(Action.due), col(Action.number))).all()

    def last_drilled(self) -> dict[str, tuple[Drill, DrillService]]:
        """For each service the newest drill of it that was finished, and what it came to."""
        query = (
            select_models(Drill, DrillService)
            .join(DrillService, col(DrillService.drill) == col(Drill.number))
            .where(col(Drill.state) == "finished")
            .order_by(col(Drill.ended_at), col(Drill.number))
        )
        return {row[1].service: (row[0], row[1]) for row in self._session.exec(query)}

    # Steps

    def steps(self, number: int) -> Sequence[DrillStep]:
        """The steps of a drill, in the order of its plan."""
        query = select_models(DrillStep).where(col(DrillStep.drill) == number)
        return self._session.exec(query.order_by(col(DrillStep.place))).all()

    def step(self, number: int, key: str) -> DrillStep | None:
        """One step of a drill."""
        return self._session.get(DrillStep, (number, key))

    def steps_called(self, number: int, keys: Iterable[str]) -> Sequence[DrillStep]:
        """Some steps of a drill, in the order of its plan."""
        query = select_models(DrillStep).where(
            col(DrillStep.drill) == number, col(DrillStep.key).in_(list(keys))
        )
        return self._session.exec(query.order_by(col(DrillStep.place))).all()

    def steps_at_hand(self) -> Sequence[tuple[Drill, DrillStep]]:
        """The steps that can be done or are being done now, of every drill that runs, in the order of their plans."""
        query = (
            select_models(Drill, DrillStep)
            .join(DrillStep, col(DrillStep.drill) == col(Drill.number))
            .where(col(Drill.state) == "running", col(DrillStep.state).in_(("ready", "doing")))
            .order_by(col(Drill.number), col(DrillStep.place))
        )
        return [(drill, step) for drill, step in self._session.exec(query)]

    def open_steps(self, number: int) -> int:
        """How many steps are neither done nor skipped nor failed."""
        query = select(func.count()).select_from(DrillStep)
        query = query.where(
            col(DrillStep.drill) == number, col(DrillStep.state).in_(("pending", "ready", "doing"))
        )
        return int(self._session.scalar(query) or 0)

    # Injects, people, words

    def injects(self, number: int) -> Sequence[DrillInject]:
        """What participants are confronted with, in order of time."""
        query = select_models(DrillInject).where(col(DrillInject.drill) == number)
        return self._session.exec(query.order_by(col(DrillInject.at), col(DrillInject.number))).all()

    def people(self, number: int) -> Sequence[DrillPerson]:
        """Who takes part, in the order in which they joined."""
        query = select_models(DrillPerson).where(col(DrillPerson.drill) == number)
        return self._session.exec(query.order_by(col(DrillPerson.joined_at), col(DrillPerson.person))).all()

    def person(self, number: int, person: str) -> DrillPerson | None:
        """Somebody's part in a drill."""
        return self._session.get(DrillPerson, (number, person))

    def texts(self, number: int) -> dict[str, DrillText]:
        """What was said of a drill, by kind."""
        query = select_models(DrillText).where(col(DrillText.drill) == number)
        return {each.kind: each for each in self._session.exec(query)}

    def put_text(self, number: int, kind: str, author: str, said: str, at: datetime) -> None:
        """Remember what was said."""
        self._session.merge(DrillText(drill=number, kind=kind, author=author, text=said, at=at))
        self._session.flush()

    # Readiness

    def checks(self, service: str) -> dict[str, ReadinessCheck]:
        """What was found last of each thing that a service needs, by item; its owner's word under WHOLE."""
        query = select_models(ReadinessCheck).where(col(ReadinessCheck.service) == service)
        return {each.item: each for each in self._session.exec(query)}

    def put_check(self, check: ReadinessCheck) -> None:
        """Remember what was found."""
        self._session.merge(check)
        self._session.flush()

    def confirmed(self, service: str) -> ReadinessCheck | None:
        """The owner's last word that a service is ready."""
        return self._session.get(ReadinessCheck, (service, WHOLE))

    # People who are joined or erased

    def hand_over(self, person: str, to: str) -> None:
        """Make what one person wrote, leads, did and took part in another one's."""
        for part in self._session.exec(select_models(DrillPerson).where(col(DrillPerson.person) == person)):
            if self._session.get(DrillPerson, (part.drill, to)) is None:
                self._session.add(DrillPerson(**{**part.model_dump(), "person": to}))
            self._session.delete(part)
        self._session.flush()
        for model, column in (
            (ImpactAnalysis, "author"),
            (ImpactAnalysis, "signed_by"),
            (ContinuityPlan, "owner"),
            (ContinuityPlan, "author"),
            (ContinuityPlan, "signed_by"),
            (Drill, "lead"),
            (Drill, "by"),
            (DrillStep, "by"),
            (DrillInject, "by"),
            (DrillText, "author"),
            (ReadinessCheck, "by"),
        ):
            owned = getattr(model, column) == person
            changed = update(model).where(owned).values({column: to})
            self._session.execute(changed.execution_options(synchronize_session=False))

    def erase_words(self, person: str) -> list[int]:
        """Blank what a person wrote about drills and analyses; returns the numbers of the drills that showed it."""
        touched: set[int] = set()
        for number, author in (
            (col(DrillText.drill), col(DrillText.author)),
            (col(DrillStep.drill), col(DrillStep.by)),
            (col(DrillInject.drill), col(DrillInject.by)),
        ):
            touched.update(self._session.scalars(select(number).where(author == person)))
        blanked = (
            update(DrillText).where(col(DrillText.author) == person).values(text=_ERASED),
            update(DrillStep)
            .where(col(DrillStep.by) == person, col(DrillStep.note) != "")
            .values(note=_ERASED),
            update(DrillInject).where(col(DrillInject.by) == person).values(says=_ERASED),
            update(ImpactAnalysis).where(col(ImpactAnalysis.author) == person).values(resources=_ERASED),
            update(ReadinessCheck)
            .where(col(ReadinessCheck.by) == person, col(ReadinessCheck.note) != "")
            .values(note=_ERASED),
        )
        for statement in blanked:
            self._session.execute(statement.execution_options(synchronize_session=False))
        return sorted(touched)
