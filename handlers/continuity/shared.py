"""What every part of continuity needs: finding things, who may do what with them, what a move comes to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Annotated
from zoneinfo import ZoneInfo

from config.definitions import plan_definition, plan_from
from config.policy import ContinuityRules, Plan, Role
from handlers.access import THE_DESK, is_away, people_in
from handlers.declare import Change as Record
from handlers.declare import Due, Outcome
from handlers.desk import Desk
from handlers.errors import BadValue, NotAllowed, NotFound
from handlers.messages import (
    Card,
    FieldInput,
    Notice,
    Option,
    Part,
    Reply,
)
from handlers.parsing import Reading, Reference
from handlers.rules.drill_clock import Reading as Measures
from handlers.rules.drill_clock import facts_of, measure
from handlers.rules.moments import NotUnderstood, instant_at, parse_when
from handlers.rules.rotation import holder
from handlers.rules.workflow import require_move
from handlers.tickets import happened, number_of, require_works
from storage.models.continuity import ContinuityPlan, Drill, DrillPerson, ImpactAnalysis

DRILL, PLAN, ANALYSIS = "DRL", "PLN", "BIA"
REAL = "real"
"""The kind of a drill that is none: the plan is worked in earnest."""


DrillRef = Annotated[str, Reference(DRILL)]
PlanRef = Annotated[str, Reference(PLAN)]
AnalysisRef = Annotated[str, Reference(ANALYSIS)]

record = partial(happened, "drill")
"""Something that happened to a drill; what happens to plans and analyses is told in full."""


def for_practice(code: str, happened: Record) -> Record:
    """The same as evidence for one practice, and for no other of its command's."""
    return replace(happened, practices=(code,))


_BARE_TIME = re.compile(r"\s*(?:at\s+)?\d{1,2}(?::\d\d){0,2}\s*(?:[ap]m)?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class PastKind:
    """A moment that has been: a bare time is the last one that has."""

    at_most: int = 60
    takes_rest: bool = False
    input: FieldInput = FieldInput.LINE

    def fits(self, text: str) -> bool:
        """Whether a positional word may be meant for this parameter."""
        return True

    def read(self, text: str, reading: Reading) -> datetime:
        """The instant; BadValue for one to come."""
        try:
            found = parse_when(text, reading.now, reading.zone)
            if found > reading.now and _BARE_TIME.fullmatch(text):
                found = parse_when(text, reading.now - timedelta(days=1), reading.zone)
        except NotUnderstood as error:
            raise BadValue(str(error)) from None
        if found > reading.now:
            raise BadValue("That is yet to come.", "Write a moment that has been, as 09:55 or 20m ago.")
        return found

    def options(self, reading: Reading) -> Sequence[Option]:
        """Anything goes."""
        return ()


Past = Annotated[datetime, PastKind()]


def rules_of(desk: Desk) -> ContinuityRules:
    """How this organisation prepares for the worst; raises NotFound where it has not said so."""
    if desk.policy.continuity is None:
        raise NotFound(
            "This desk knows no continuity plans yet.",
            "The desk's administrator can describe how it should, in continuity.yaml.",
        )
    return desk.policy.continuity


def today_of(desk: Desk) -> date:
    """The day at the organisation's place, in which reviews are counted."""
    return desk.now.astimezone(ZoneInfo(desk.policy.organisation.zone)).date()


def review_day(desk: Desk) -> str:
    """The day on which what is signed now is to be looked at again."""
    return (today_of(desk) + timedelta(seconds=rules_of(desk).review_every)).isoformat()


def review_by(desk: Desk, signed: ContinuityPlan | ImpactAnalysis) -> dict[str, str | None]:
    """By when what was signed is to be looked at again, as its clock is told."""
    return {"review_by": over(desk, date.fromisoformat(signed.review_on)) if signed.review_on else None}


def over(desk: Desk, day: date) -> str:
    """The last second of a day at the organisation's place: what is due on it is in time until then."""
    end = instant_at(day + timedelta(days=1), time(), desk.policy.organisation.zone)
    return (end - timedelta(seconds=1)).isoformat()


# Who may ------------------------------------------------------------------------------------------


def signs_for(desk: Desk, owner: str) -> bool:
    """Whether the asker signs what this person answers for: the person, or their delegate while they are away."""
    if desk.asker.key == owner:
        return True
    known = desk.policy.people.get(owner)
    return known is not None and known.delegate == desk.asker.key and is_away(owner, desk.policy, desk.today)


def leads(desk: Desk, drill: Drill, plan: ContinuityPlan) -> bool:
    """Whether the asker runs a drill: who leads it, who owns the plan, and managers."""
    asker = desk.asker
    return asker == THE_DESK or asker.key in (drill.lead, plan.owner) or Role.MANAGER in asker.roles


def members(desk: Desk, names: Iterable[str]) -> list[str]:
    """The people behind the owners of a step: people, `@team`, `role:…`, `rota:…` (on call now); each once."""
    found: dict[str, None] = {}
    for name in names:
        for key in _behind(desk, name):
            found[key] = None
    return list(found)


def _behind(desk: Desk, name: str) -> Sequence[str]:
    if name.startswith("rota:"):
        rota = desk.policy.rotas.get(name[5:])
        if rota is None:
            return ()
        overrides = desk.records.oncall.overrides(rota.key, desk.now, desk.now)
        cover = holder(rota, desk.policy.calendars, overrides, desk.now)
        return (cover.person,) if cover else ()
    if name.startswith("role:"):
        granted = desk.policy.access.grants.get(Role(name[5:]), ())
        return people_in((each for each in granted if ":" not in each), desk.policy)
    return people_in([name], desk.policy)


def owner_words(desk: Desk, names: Iterable[str]) -> tuple[Part, ...]:
    """The owners of a step, in words."""
    parts: list[Part] = []
    for name in names:
        parts += [", "] if parts else []
        parts.append(desk.directory.who_is(name) if name in desk.policy.people else owner_name(desk, name))
    return tuple(parts)


def owner_name(desk: Desk, name: str) -> str:
    """One owner of a step by name."""
    if name.startswith("@") and name[1:] in desk.policy.teams:
        return desk.policy.teams[name[1:]].name
    if name.startswith("rota:") and name[5:] in desk.policy.rotas:
        return f"on call: {desk.policy.rotas[name[5:]].name}"
    if name.startswith("role:"):
        return f"{name[5:]}s"
    return desk.directory.name(name)


# Finding ------------------------------------------------------------------------------------------


def find_plan(desk: Desk, ref: str, *, for_change: bool = False) -> ContinuityPlan:
    """A plan; raises NotFound, and NotAllowed for those who do not work on services."""
    plan = desk.records.continuity.plan(number_of(ref), for_change)
    if plan is None:
        raise NotFound(f"There is no {ref}.", "Type `continuity plans` to see them.")
    if plan.owner != desk.asker.key:
        require_works(desk, "Plans are seen")
    return plan


def find_analysis(desk: Desk, ref: str, *, for_change: bool = False) -> ImpactAnalysis:
    """An impact analysis; raises NotFound, and NotAllowed for those who do not work on services."""
    analysis = desk.records.continuity.analysis(number_of(ref), for_change)
    if analysis is None:
        raise NotFound(f"There is no {ref}.", "Type `continuity due` to see what there is.")
    service = desk.policy.services.get(analysis.service)
    if desk.asker.key not in (analysis.author, service and service.owner):
        require_works(desk, "Impact analyses are seen")
    return analysis


def find(desk: Desk, ref: str, *, for_change: bool = False) -> Drill:
    """A drill, which everybody may see; `for_change` locks it until the command ends. Raises NotFound."""
    drill = desk.records.continuity.drill(number_of(ref), for_change)
    if drill is None:
        raise NotFound(f"There is no {ref}.", "Type `drill list` to see them.")
    return drill


def plan_of(desk: Desk, drill: Drill) -> ContinuityPlan:
    """The plan that a drill tries. Raises LookupError when it is not there."""
    plan = desk.records.continuity.plan(drill.plan)
    if plan is None:
        raise LookupError(f"{drill.ref} tries a plan that is not there")
    return plan


def to_lead(desk: Desk, ref: str, move_: str) -> Drill:
    """A drill that the asker runs and that is open to the move; locked until the command ends."""
    drill = find(desk, ref, for_change=True)
    plan = plan_of(desk, drill)
    if not leads(desk, drill, plan):
        names = dict.fromkeys([desk.directory.name(drill.lead), desk.directory.name(plan.owner)])
        raise NotAllowed(f"You cannot {move_} {ref}.", f"{' or '.join(names)} can; ask them.")
    require_move(ref, drill.state, move_)
    return drill


# What plans say -----------------------------------------------------------------------------------


def said(desk: Desk, plan: ContinuityPlan, content: str | None = None) -> Plan:
    """What a plan says, in its newest version or another one."""
    return plan_from(desk.records.definitions.body("plan", plan.ref, content or plan.content))


def keep(desk: Desk, plan: ContinuityPlan, says: Plan) -> None:
    """Let a plan say this from now on, as a new version."""
    definition = plan_definition(says, plan.ref)
    desk.records.definitions.keep("plan", plan.ref, definition.version, definition.body, desk.now)
    plan.content = definition.version
    plan.name, plan.owner = says.name, says.owner
    plan.changed_at = desk.now
    desk.records.continuity.save()
    desk.records.continuity.put_plan_services(plan.number, says.recovers)


def service_name(desk: Desk, key: str) -> str:
    """A service by name."""
    known = desk.policy.services.get(key)
    return known.name if known else key


# Moves --------------------------------------------------------------------------------------------


def attend(desk: Desk, drill: Drill, person: str | None = None) -> list[Record]:
    """Note that somebody takes part; nothing when that is known, or when the desk itself speaks."""
    who = person or desk.asker.key
    if who == THE_DESK.key or desk.records.continuity.person(drill.number, who) is not None:
        return []
    desk.records.continuity.add(DrillPerson(drill=drill.number, person=who, joined_at=desk.now))
    return [record(drill, "joined", None, {"person": who})]


def measured(desk: Desk, drill: Drill) -> Measures:
    """What the evidence of a drill comes to now."""
    return measure(facts_of(desk.records.ledger.trail(drill.ref)), desk.now)


def clocks_to_read(*subjects: Drill | ContinuityPlan | ImpactAnalysis) -> tuple[str, ...]:
    """What the desk says next where a drill or a review was promised, kept or dropped."""
    return tuple(f"sla refresh {each.ref}" for each in subjects)


def outcome(
    desk: Desk,
    drill: Drill,
    reply: Reply | Callable[[], Reply],
    records: Sequence[Record],
    *,
    notices: Sequence[Notice] = (),
    due: Sequence[Due] = (),
    undue: Sequence[str] = (),
    follow: Sequence[str] = (),
) -> Outcome:
    """The outcome of a move: saved, and its card redrawn everywhere."""
    desk.records.continuity.save()
    return Outcome(
        reply=reply,
        changes=records,
        notices=notices,
        cards=(Card(subject=drill.ref, room=drill.room),),
        due=due,
        undue=undue,
        follow=follow,
    )
