"""Roles: who decides, who tells the others, who repairs; and what is held goes on at the end of a turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from config.policy import INCIDENT_ROLES
from handlers.declare import Due, Outcome, command
from handlers.desk import Desk
from handlers.errors import WrongState
from handlers.incidents.card import named_title
from handlers.incidents.shared import change, crew, done, find, hold, newcomers, rule_of, work_on
from handlers.messages import Button, Kind, Notice, Reply, Style, Tone, ToPerson, ToThread, facts
from handlers.parsing import IncidentRef, PersonRef
from handlers.rules.workflow import LIVE, IncidentState
from handlers.telling import in_thread, tell
from handlers.tickets import move
from storage.models.incidents import Incident

_ASKED_LATEST = 6  # doublings of the time between two questions


@dataclass(frozen=True)
class Lead:
    """For example: incident lead INC-7 @backup"""

    incident: IncidentRef
    person: Annotated[PersonRef | None, "Who decides from now on; you, when left out"] = None


@dataclass(frozen=True)
class Communications:
    """For example: incident communications INC-7 @backup"""

    incident: IncidentRef
    person: Annotated[PersonRef | None, "Who tells the others from now on; you, when left out"] = None


@dataclass(frozen=True)
class Operations:
    """For example: incident operations INC-7 @backup"""

    incident: IncidentRef
    person: Annotated[PersonRef | None, "Who repairs from now on; you, when left out"] = None


@dataclass(frozen=True)
class Nudge:
    """For example: incident nudge INC-7"""

    incident: IncidentRef


@dataclass(frozen=True)
class Handoff:
    """For example: incident handoff INC-7 to:backup of:oncall"""

    incident: IncidentRef
    to: Annotated[PersonRef, "Who has it from now on"]
    of: Annotated[PersonRef | None, "Whose part is handed over; that of who holds it, when left out"] = None


@dataclass(frozen=True)
class Untake:
    """For example: incident untake INC-7"""

    incident: IncidentRef


@command("incident lead", params=Lead, evidences=("IRP SP 2.2",))
def lead(asked: Lead, desk: Desk) -> Outcome:
    """Lead an incident, or hand the lead over: whoever leads decides."""
    return _give(desk, asked.incident, "lead", asked.person)


@command("incident communications", params=Communications, evidences=("IRP SP 2.2",))
def communications(asked: Communications, desk: Desk) -> Outcome:
    """Take on communications, or hand them over: whoever has them owes the next word."""
    return _give(desk, asked.incident, "communications", asked.person)


@command("incident operations", params=Operations, evidences=("IRP SP 2.2",))
def operations(asked: Operations, desk: Desk) -> Outcome:
    """Take on operations, or hand them over: whoever has them repairs."""
    return _give(desk, asked.incident, "operations", asked.person)


def _give(desk: Desk, ref: str, role: str, person: str | None) -> Outcome:
    incident = work_on(desk, ref, "give a part in")
    person = person or desk.asker.key
    now = roles_of(desk, incident).get(role)
    name = desk.directory.name(person)
    if now == person:
        has = "You have" if person == desk.asker.key else f"{name} has"
        raise WrongState(f"{has} {role} of {ref} already.", subject=ref)
    joined = newcomers(desk, incident, [person])
    before = move(incident, desk) | {role: now}
    _put(desk, incident, role, person)
    given = change(incident, "role_given", before, {"role": role, role: person})
    title = f"{name} has {role} of {ref}"
    notices = [
        *tell(desk, incident, [each for each in (person, now) if each], title, text=incident.title),
        *in_thread(incident, title),
    ]
    return done(desk, incident, title, [given], notices=notices, joined=joined)


def roles_of(desk: Desk, incident: Incident) -> dict[str, str]:
    """Who plays which role."""
    parts = desk.records.incidents.parts(incident.number)
    return {each.part: each.person for each in parts if each.part in INCIDENT_ROLES}


def _put(desk: Desk, incident: Incident, role: str, person: str) -> None:
    desk.records.incidents.drop_parts(incident.number, [role])
    desk.records.incidents.put_part(incident.number, role, person, desk.now)


# Roles that nobody fills --------------------------------------------------------------------------


def ask_for_roles(desk: Desk, incident: Incident, times: int = 0) -> list[Due]:
    """The moment at which the desk asks who fills the roles that the severity calls for; each time it waits longer."""
    rule = rule_of(desk, incident)
    if not rule.roles:
        return []
    at = desk.now + timedelta(seconds=rule.role_wait) * (1 << min(times, _ASKED_LATEST))
    return [Due(f"{incident.ref}/roles", incident.ref, at, f"incident nudge {incident.ref}")]


@command("incident nudge", params=Nudge, evidences=("IRP SP 2.2",), desk_only=True)
def nudge(asked: Nudge, desk: Desk) -> Outcome:
    """Ask who fills the roles that nobody fills."""
    incident = find(desk, asked.incident, for_change=True)
    filled = roles_of(desk, incident)
    empty = [role for role in rule_of(desk, incident).roles if role not in filled]
    if incident.state not in LIVE or not empty:
        return Outcome(reply=Reply(title=f"{incident.ref} misses nobody."))
    history = desk.records.ledger.trail(incident.ref)
    times = sum(1 for record in history if record.action == "incident.roles_asked")
    before = move(incident, desk)
    asked_for = change(incident, "roles_asked", before, {"roles": empty})
    to = incident.assignee or filled.get("lead")
    notice = Notice(
        to=ToPerson(person=to) if to else ToThread(subject=incident.ref, room=incident.room),
        reply=Reply(
            title=f"{incident.ref} has nobody for {_listed(empty)}",
            tone=Tone.WAITING,
            facts=facts(("About", named_title(incident))),
            buttons=tuple(
                Button(
                    label=f"{role.capitalize()}: me",
                    line=f"incident {role} {incident.ref}",
                    style=Style.PRIMARY,
                )
                for role in empty
            ),
            subject=incident.ref,
            private=to is not None,
        ),
        key=f"{incident.ref}/roles/{times}",
        kind=Kind.REMINDER,
        subject=incident.ref,
        while_in=LIVE,
    )
    due = ask_for_roles(desk, incident, times + 1)
    return done(desk, incident, f"{incident.ref} misses somebody", [asked_for], notices=[notice], due=due)


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


# At the end of a turn -----------------------------------------------------------------------------


@command("incident handoff", params=Handoff, evidences=("SD SP 3.2", "IRP SP 2.2"), desk_only=True)
def handoff(asked: Handoff, desk: Desk) -> Outcome:
    """Hand what somebody holds and plays in an incident to another person."""
    incident = find(desk, asked.incident, for_change=True)
    person = asked.of or incident.assignee
    if incident.state not in LIVE or person is None or person not in crew(desk, incident):
        return Outcome(reply=Reply(title=f"{incident.ref} is in nobody's hands."))
    roles = _roles_played(desk, incident, person)
    holds, joined = incident.assignee == person, newcomers(desk, incident, [asked.to])
    before = move(incident, desk) | ({"assignee": person} if holds else {}) | dict.fromkeys(roles, person)
    if holds:
        hold(incident, asked.to)
    for role in roles:
        _put(desk, incident, role, asked.to)
    after = ({"assignee": asked.to} if holds else {}) | dict.fromkeys(roles, asked.to)
    handed = change(incident, "handed_over", before, {"from": person, "to": asked.to, **after})
    title = f"{desk.directory.name(asked.to)} has {incident.ref} from {desk.directory.name(person)}"
    notices = [
        *tell(desk, incident, [asked.to, person], title, text=incident.title),
        *in_thread(incident, title),
    ]
    return done(desk, incident, title, [handed], notices=notices, climbs=True, joined=joined)


@command("incident untake", params=Untake, evidences=("SD SP 3.2", "IRP SP 2.2"), desk_only=True)
def untake(asked: Untake, desk: Desk) -> Outcome:
    """Take an incident from who holds it, because their turn is over: it wakes people again."""
    incident = find(desk, asked.incident, for_change=True)
    person = incident.assignee
    if incident.state != IncidentState.ACKNOWLEDGED or person is None:
        return Outcome(reply=Reply(title=f"{incident.ref} is in nobody's hands."))
    roles = _roles_played(desk, incident, person)
    before = (
        move(incident, desk, IncidentState.TRIGGERED) | hold(incident, None) | dict.fromkeys(roles, person)
    )
    desk.records.incidents.drop_parts(incident.number, roles, person)
    after = {"assignee": None} | dict.fromkeys(roles)
    handed = change(incident, "handed_back", before, {"from": person, **after})
    title = f"{incident.ref} is in nobody's hands any more"
    notices = [*tell(desk, incident, [person], title, text="Your turn is over."), *in_thread(incident, title)]
    return done(desk, incident, title, [handed], notices=notices, climbs=True)


def _roles_played(desk: Desk, incident: Incident, person: str) -> Sequence[str]:
    return [role for role, each in roles_of(desk, incident).items() if each == person]
