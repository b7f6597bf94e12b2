"""Invoking a plan in earnest: the same run-sheet, the same measuring, linked to the incident."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from config.policy import Role
from handlers.access import who_may
from handlers.continuity.scheduling import create
from handlers.continuity.shared import REAL, Past, PlanRef, find_plan, record, rules_of, said
from handlers.continuity.starting import begin, begun, require_owners
from handlers.declare import Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed, NotFound, WrongState
from handlers.parsing import IncidentRef, Manner, Text
from handlers.rules.run_sheet import length
from handlers.rules.workflow import LIVE, UNDER_WAY, DrillState, require_move
from handlers.tickets import move, number_of
from storage.models.continuity import ContinuityPlan
from storage.models.incidents import Incident

_MAY = frozenset({Role.RESPONDER, Role.OWNER, Role.MANAGER})


@dataclass(frozen=True)
class Invoke:
    """For example: continuity invoke PLN-1 incident:INC-3 because:“both disks are gone”"""

    plan: PlanRef
    incident: Annotated[IncidentRef, Manner.BY_NAME, "The incident that calls for it"]
    because: Annotated[Text, Manner.BY_NAME, "Why this plan"]
    disrupted: Annotated[
        Past | None, Manner.BY_NAME, "When the disruption was; as the incident, when left out"
    ] = None


@command("continuity invoke", params=Invoke, evidences=("SCON SP 2.1", "SCON SP 3.2"))
def invoke(asked: Invoke, desk: Desk) -> Outcome:
    """Work a plan in earnest: its steps go to their owners, and recovery is measured as in a drill."""
    rules_of(desk)
    plan = find_plan(desk, asked.plan, for_change=True)
    _require_may(desk, plan)
    require_move(plan.ref, plan.state, "invoke")
    incident = _incident(desk, asked.incident)
    says = said(desk, plan, plan.signed)
    require_owners(desk, says)
    _require_once(desk, plan, incident.ref)
    drill = create(
        desk,
        plan,
        says,
        REAL,
        desk.now,
        desk.now + length(says.steps),
        desk.asker.key,
        incident=incident.ref,
    )
    before = move(drill, desk, DrillState.RUNNING)
    told = {"incident": incident.ref, "run_sheet": drill.ref, "version": drill.content}
    records = [
        record(plan, "continuity_plan.called_for", None, told, {"because": asked.because}),
        *begin(
            desk,
            drill,
            says,
            "continuity_plan.invoked",
            before,
            asked.disrupted or incident.opened_at,
            {"because": asked.because},
        ),
    ]
    outcome = begun(desk, drill, says, records, f"{plan.ref} is invoked for {incident.ref}: {drill.title}")
    return Outcome(
        reply=outcome.reply,
        changes=outcome.changes,
        notices=outcome.notices,
        cards=outcome.cards,
        due=outcome.due,
        undue=outcome.undue,
        follow=(f"incident link {incident.ref} {drill.ref}",),
    )


def _require_may(desk: Desk, plan: ContinuityPlan) -> None:
    if desk.asker.key != plan.owner and not _MAY & desk.asker.roles:
        names = dict.fromkeys(
            [desk.directory.name(plan.owner), *(who_may(role, desk.policy) for role in sorted(_MAY))]
        )
        raise NotAllowed(f"You cannot invoke {plan.ref}.", f"{' or '.join(names)} can; ask them.")


def _incident(desk: Desk, ref: str) -> Incident:
    incident = desk.records.incidents.get(number_of(ref))
    if incident is None:
        raise NotFound(f"There is no {ref}.", "Declare it first: incident declare")
    if incident.practice:
        raise WrongState(f"{ref} is a practice.", "Practise with a drill: drill schedule", subject=ref)
    if incident.state not in LIVE:
        raise WrongState(
            f"{ref} is {incident.state}.", "A plan is invoked for an incident that is open.", subject=ref
        )
    return incident


def _require_once(desk: Desk, plan: ContinuityPlan, incident: str) -> None:
    found, _ = desk.records.continuity.drills(states=UNDER_WAY, plan=plan.number, at_most=50)
    for each in found:
        if each.kind == REAL and each.incident == incident:
            raise WrongState(f"{plan.ref} is worked for {incident} already.", "Here it is.", subject=each.ref)
