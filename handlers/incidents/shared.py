"""What every part of the incident capability needs: finding one, who may work on it, what a move comes to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from config.policy import INCIDENT_ROLES, IncidentRules, Level, Promise, Role, Severity, SeverityRule
from handlers.access import THE_DESK, Person
from handlers.declare import Change, Due, Outcome
from handlers.desk import Desk
from handlers.errors import NotAllowed, NotFound, WrongState
from handlers.incidents.card import card, own_buttons, own_facts
from handlers.incidents.outside import joining
from handlers.messages import Button, Card, Notice, Part, Reply, Tone
from handlers.rules.promises import moves_clocks
from handlers.rules.workflow import require_move
from handlers.tickets import happened, number_of
from storage.models.incidents import FOLLOWER, Incident

PREFIX = "INC"

change = partial(happened, "incident")
"""Something that happened to an incident."""


def rules_of(desk: Desk) -> IncidentRules:
    """How this organisation handles incidents; raises NotFound where it has not said so."""
    if desk.policy.incidents is None:
        raise NotFound(
            "This desk handles no incidents yet.",
            "The desk's administrator can describe how it should, in incidents.yaml.",
        )
    return desk.policy.incidents


def rule_of(desk: Desk, incident: Incident) -> SeverityRule:
    """What its present severity asks for."""
    rules = desk.policy.incidents
    return rules.severities.get(Severity(incident.severity), SeverityRule()) if rules else SeverityRule()


def severity_of(desk: Desk, impact: str, urgency: str) -> Severity:
    """The severity that the policy's matrix gives."""
    return rules_of(desk).severity[Level(impact)][Level(urgency)]


def named(number: int) -> str:
    """The reference of an incident."""
    return f"{PREFIX}-{number}"


def find(desk: Desk, ref: str, *, for_change: bool = False) -> Incident:
    """An incident; `for_change` locks it until the command ends.

    Raises NotFound, and WrongState for a change to one that is part of another by now: the answer shows that one.
    """
    incident = desk.records.incidents.get(number_of(ref), for_change)
    if incident is None:
        raise NotFound(f"There is no {ref}.", "Type `incident list open` to see what is broken.")
    if for_change and incident.merged_into is not None:
        other = named(incident.merged_into)
        raise WrongState(f"{ref} was merged into {other}.", "Here it is.", subject=other)
    return incident


def is_worker(desk: Desk, person: Person, incident: Incident) -> bool:
    """Whether somebody works on it: responders, its team, who holds it, was paged or plays a part."""
    return (
        person == THE_DESK
        or Role.RESPONDER in person.roles
        or incident.team in person.teams
        or person.key == incident.assignee
        or any(
            each.person == person.key and each.part != FOLLOWER
            for each in desk.records.incidents.parts(incident.number)
        )
    )


def work_on(desk: Desk, ref: str, move: str) -> Incident:
    """An incident the asker may work on and that is open to the move; locked until the command ends."""
    incident = find(desk, ref, for_change=True)
    if not is_worker(desk, desk.asker, incident):
        raise NotAllowed(f"You cannot {move} {ref}.", f"{team_name(desk, incident)} can; ask them.")
    require_move(ref, incident.state, move)
    return incident


def team_name(desk: Desk, incident: Incident) -> str:
    """The name of the team that runs the service."""
    team = desk.policy.teams.get(incident.team)
    return team.name if team else incident.team


def hold(incident: Incident, person: str | None) -> dict[str, Any]:
    """Put an incident into somebody's hands, or nobody's; how far it climbed is over. Returns who held it before."""
    before = {"assignee": incident.assignee}
    incident.assignee = person
    incident.level = incident.round = 0
    return before


def done(
    desk: Desk,
    incident: Incident,
    title: str,
    changes: Sequence[Change],
    *,
    text: Iterable[Part] | str = (),
    tone: Tone = Tone.GOOD,
    notices: Sequence[Notice] = (),
    due: Sequence[Due] = (),
    undue: Sequence[str] = (),
    climbs: bool = False,
    buttons: Sequence[Button] = (),
    follow: Sequence[str] = (),
    joined: Sequence[str] = (),
) -> Outcome:
    """The outcome of a move: saved, its card redrawn everywhere, its clocks and its climb read again.

    `joined` are people who have to do with it from now on (`newcomers`, asked for before the move).
    """
    desk.records.incidents.save()
    ref = incident.ref
    said = (text,) if isinstance(text, str) and text else tuple(text)

    def reply() -> Reply:
        drawn = card(desk, incident)
        works = is_worker(desk, desk.asker, incident)
        mine = own_buttons(desk, incident, drawn.buttons, works)
        told = {"title": title, "text": said, "tone": tone, "private": True}
        seen = {"facts": own_facts(drawn, works), "buttons": (*buttons, *mine)}
        return drawn.model_copy(update=told | seen)

    return Outcome(
        reply=reply,
        changes=changes,
        notices=(*notices, *joining(desk, incident, joined)),
        cards=(Card(subject=ref, room=incident.room),),
        due=due,
        undue=undue,
        follow=(
            *_clocks_to_read(desk, ref, changes),
            *((f"incident climb {ref}",) if climbs else ()),
            *follow,
        ),
    )


def _clocks_to_read(desk: Desk, ref: str, changes: Sequence[Change]) -> tuple[str, ...]:
    rows = desk.records.clocks.of(ref)
    unanswered = any(row.open and row.promise == Promise.RESPOND for row in rows)
    mine = [each for each in changes if each.subject == ref]
    moved = any(moves_clocks(each.action, each.before, each.after, unanswered) for each in mine)
    return (f"sla refresh {ref}",) if moved else ()


def newcomers(desk: Desk, incident: Incident, people: Iterable[str | None]) -> list[str]:
    """Those of these people who had nothing to do with it until now."""
    parts = {each.person for each in desk.records.incidents.parts(incident.number)}
    known = {incident.reporter, incident.assignee, *parts}
    return [person for person in dict.fromkeys(people) if person is not None and person not in known]


def audience(desk: Desk, incident: Incident) -> list[str]:
    """Those who want to hear of it: who reported it, and who follows it."""
    following = [
        each.person for each in desk.records.incidents.parts(incident.number) if each.part == FOLLOWER
    ]
    return [person for person in dict.fromkeys((incident.reporter, *following)) if person != THE_DESK.key]


def crew(desk: Desk, incident: Incident) -> list[str]:
    """Those who have it in hand: who holds it and who plays a role, each once."""
    roles = [
        each.person for each in desk.records.incidents.parts(incident.number) if each.part in INCIDENT_ROLES
    ]
    return [person for person in dict.fromkeys((incident.assignee, *roles)) if person]
