"""Services: what this organisation runs for its people, and what can be asked of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from config.policy import Offering, Service
from handlers.access import people_in
from handlers.declare import command
from handlers.desk import Desk
from handlers.estates import retired
from handlers.messages import Button, Part, Reply, Table, Words, counted, facts
from handlers.parsing import ServiceKey, Text
from handlers.rules.moments import show_duration


@dataclass(frozen=True)
class List:
    """For example: service list"""

    about: Annotated[Text | None, "Words to look for"] = None


@dataclass(frozen=True)
class Show:
    """For example: service show laptops"""

    service: ServiceKey


@command("service list", params=List)
def list_services(asked: List, desk: Desk) -> Reply:
    """See what this organisation offers."""
    wanted = (asked.about or "").lower()
    found = [
        each
        for each in desk.policy.services.values()
        if wanted in f"{each.key} {each.name} {each.description}".lower()
    ]
    gone = retired(desk.records)
    return Reply(
        title=counted(len(found), "service"),
        table=Table(
            columns=("Service", "What it is", "You can ask for"),
            rows=tuple(
                (
                    (f"{each.name} (retired)" if each.key in gone else each.name,),
                    (each.description,),
                    (", ".join(one.name for one in _offered(desk, each)) or "—",),
                )
                for each in found
            ),
            empty="No such service. Type `service list` to see all.",
        ),
        buttons=(
            Button(label="Ask for something", line="request new"),
            *(Button(label=each.name[:75], line=f"service show {each.key}") for each in found[:4]),
        ),
    )


def _stands(desk: Desk, service: Service) -> Words:
    """What a change has made of it, and when; nothing, where none has."""
    known = desk.records.changes.service_states().get(service.key)
    return (f"{known.state} by CHG-{known.change}, ", desk.at(known.at) or "") if known else ()


def _offered(desk: Desk, service: Service) -> list[Offering]:
    """What can be asked for of a service; nothing of one that was retired."""
    if service.key in retired(desk.records):
        return []
    return [each for each in desk.policy.offerings.values() if each.service == service.key]


@command("service show", params=Show)
def show(asked: Show, desk: Desk) -> Reply:
    """See a service: its owner, its team, what it rests on, what can be asked for and what is promised."""
    service = desk.policy.services[asked.service]
    team = desk.policy.teams[service.team]
    mine = [
        each
        for each in _offered(desk, service)
        if not each.may_ask or desk.asker.key in people_in(each.may_ask, desk.policy)
    ]
    rests_on = ", ".join(desk.policy.services[key].name for key in service.depends_on)
    return Reply(
        title=service.name,
        text=(service.description,),
        facts=facts(
            ("Owner", desk.who(service.owner)),
            ("Team", team.name),
            ("Rests on", rests_on),
            ("Stands", _stands(desk, service)),
        ),
        table=Table(
            columns=("You can ask for", "Promised"),
            rows=tuple(((each.name,), _promised(desk, each.agreement, str(each.priority))) for each in mine),
            empty="Nothing can be asked for here.",
        ),
        buttons=tuple(
            Button(label=f"Ask: {each.name}"[:75], line=f"request new {each.key}") for each in mine[:5]
        ),
    )


def _promised(desk: Desk, agreement: str, priority: str) -> Words:
    parts: list[Part] = []
    for target in desk.policy.agreements[agreement].targets:
        within = {str(key): value for key, value in target.within.items()}.get(priority)
        if within is not None:
            calendar = desk.policy.calendars[target.calendar].name
            length = show_duration(timedelta(seconds=within), days=False)
            parts.append(f"{'; ' if parts else ''}{target.promise} in {length} ({calendar})")
    return tuple(parts) or ("—",)
