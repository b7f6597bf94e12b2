"""What every part of the on-call capability needs: whose turn it is, who may change that, how it is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated

from config.policy import INCIDENT_ROLES, Policy, Role, Rota
from handlers.desk import Desk
from handlers.errors import NotAllowed
from handlers.messages import Button, Kind, Notice, Part, Reply, ToPerson, ToRoom, Words
from handlers.parsing import Named, quoted
from handlers.rules import rotation
from handlers.rules.moments import NotADuration, TooLong, parse_duration, parse_when
from handlers.rules.rotation import Cover
from handlers.rules.workflow import LIVE, IncidentState
from storage.models.incidents import Incident
from storage.unit_of_work import Records

AHEAD = timedelta(days=400)
"""No further is looked for a change of turns."""

RotaKey = Annotated[str, Named("rotas", "rota")]


@dataclass(frozen=True)
class Present:
    """Who holds a rota at an instant, and who comes next. `changes_at` is when to look again."""

    now: Cover | None
    later: Cover | None
    changes_at: datetime

    @property
    def person(self) -> str | None:
        """The key of whoever holds it."""
        return self.now.person if self.now else None


def covers(policy: Policy, records: Records, rota: str, start: datetime, end: datetime) -> list[Cover]:
    """Who holds a rota between two instants, with overrides and swaps."""
    departures = records.oncall.overrides(rota, start, end)
    return rotation.covers(policy.rotas[rota], policy.calendars, departures, start, end)


def turns(policy: Policy, records: Records, rota: str, start: datetime, end: datetime) -> list[Cover]:
    """The same, told by the person: why somebody holds it makes no new turn."""
    found: list[Cover] = []
    for each in covers(policy, records, rota, start, end):
        if found and (found[-1].person, found[-1].end) == (each.person, each.start):
            found[-1] = replace(found[-1], end=each.end)
        else:
            found.append(each)
    return found


def present(policy: Policy, records: Records, rota: str, at: datetime) -> Present:
    """Who holds a rota at an instant, until when, and who comes next."""
    ahead = timedelta(days=15)
    while True:
        limit = at + min(ahead, AHEAD)
        found = turns(policy, records, rota, at, limit)
        now = found[0] if found and found[0].start <= at else None
        later = next((each for each in found if each.start > at), None)
        if later or ahead > AHEAD:
            return Present(now, later, now.end if now else later.start if later else limit)
        ahead *= 4


def people_of(rota: Rota) -> list[str]:
    """Everybody who takes turns in a rota, once, in order."""
    return list(dict.fromkeys(person for layer in rota.layers for person in layer.people))


def escalations_of(policy: Policy, *rotas: str) -> set[str]:
    """The escalations that page whoever holds one of these rotas."""
    wanted = {f"rota:{each}" for each in rotas}
    return {
        key
        for key, each in policy.escalations.items()
        if any(wanted.intersection(level.notify) for level in each.levels)
    }


def held_by(desk: Desk, rota: str, person: str) -> Sequence[Incident]:
    """The open incidents that page a rota and that somebody holds, or plays a role in, oldest first."""
    keys = escalations_of(desk.policy, rota)
    held = desk.records.incidents.held_by(person, LIVE, INCIDENT_ROLES)
    return [each for each in held if each.escalation in keys]


def left_behind(desk: Desk, rota: str, person: str) -> Sequence[Incident]:
    """What somebody holds who holds a rota no more, and for which they are on call in no other way."""
    others = [
        key
        for key in desk.policy.rotas
        if key != rota and present(desk.policy, desk.records, key, desk.now).person == person
    ]
    still = escalations_of(desk.policy, *others)
    mine = (each for each in held_by(desk, rota, person) if each.assignee == person)
    return [
        each for each in mine if each.state == IncidentState.ACKNOWLEDGED and each.escalation not in still
    ]


def open_for(desk: Desk, rota: str) -> Sequence[Incident]:
    """The open incidents that page a rota, newest first."""
    keys = escalations_of(desk.policy, rota)
    found, _ = desk.records.incidents.listed(states=LIVE, at_most=1000)
    return [each for each in found if each.escalation in keys]


def refs(incidents: Iterable[Incident]) -> str:
    """References of incidents, for people."""
    return ", ".join(each.ref for each in incidents)


def fact_of_feed(name: str) -> str:
    """Where the store keeps how often the address of a feed, such as `person/oncall`, was renewed."""
    return f"feed/{name}"


def feed_name(records: Records, name: str) -> str:
    """The name from which a feed's token is derived: with how often it was renewed, as in `person/oncall#2`."""
    renewed = records.facts.get(fact_of_feed(name))
    return f"{name}#{renewed}" if renewed else name


def require_scheduler(desk: Desk, rota: Rota) -> None:
    """Raise NotAllowed unless the asker may say who is on call: who takes turns there, responders, managers, owners."""
    people = people_of(rota)
    may = {Role.RESPONDER, Role.MANAGER, Role.OWNER, Role.ADMIN}
    if desk.asker.key not in people and not may & desk.asker.roles:
        names = ", ".join(desk.directory.name(each) for each in people)
        raise NotAllowed(f"You cannot change the rota {rota.name}.", f"Ask {names} or a manager.")


def require_named(desk: Desk, person: str, field: str = "person") -> None:
    """Ask anew for somebody whom the policy does not name: nobody would know how to wake them."""
    if person not in desk.policy.people:
        name = desk.directory.name(person)
        raise desk.ask({field: f"{name} cannot be woken: people.yaml does not name them."})


def ending(text: str, start: datetime, now: datetime, zone: str) -> datetime:
    """When something that begins at an instant ends, from a length or a moment. Raises ValueError for neither.

    What is not after the beginning is read once more as from there: `20:00` is that evening's.
    """
    try:
        return start + parse_duration(text)
    except TooLong:
        raise
    except NotADuration:
        end = parse_when(text, now, zone)
        return end if end > start else parse_when(text, start, zone)


def span(desk: Desk, start: datetime, end: datetime) -> Words:
    """From one instant to another."""
    return (desk.at(start) or "", " – ", desk.at(end) or "")


def said(text: str | None) -> Words:
    """What somebody wrote, if they did."""
    return (text,) if text else ()


def listed(desk: Desk, people: Iterable[str]) -> Words:
    """People with commas between them."""
    parts: list[Part] = []
    for person in people:
        parts += [", ", desk.directory.who_is(person)] if parts else [desk.directory.who_is(person)]
    return tuple(parts)


def exact(at: datetime) -> str:
    """An instant as one word of a line, the same for everybody who clicks it."""
    return quoted(f"{at:%Y-%m-%dT%H:%M:%SZ}")


def tell_person(desk: Desk, person: str, reply: Reply, key: str) -> list[Notice]:
    """A private word to somebody, unless they did it themselves."""
    if person == desk.asker.key:
        return []
    return [Notice(to=ToPerson(person=person), reply=reply, key=f"{key}/{person}", subject=reply.subject)]


def tell_room(rota: Rota, reply: Reply, key: str, kind: Kind = Kind.MESSAGE) -> Notice:
    """A word in the room where a rota's hand-overs show."""
    shown = reply.model_copy(update={"private": False})
    return Notice(to=ToRoom(room=rota.room), reply=shown, key=f"{key}/room", kind=kind, subject=reply.subject)


def rota_button(rota: str, label: str = "Rota") -> Button:
    """Opens a rota."""
    return Button(label=label, line=f"oncall rota {rota}")
