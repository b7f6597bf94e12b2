"""Belonging: what an incident has to do with, and two that turn out to be one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated

from handlers.declare import Change, Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed, WrongState
from handlers.incidents.shared import (
    PREFIX,
    audience,
    change,
    crew,
    done,
    find,
    is_worker,
    newcomers,
    team_name,
    work_on,
)
from handlers.messages import Card
from handlers.parsing import AnyRef, IncidentRef
from handlers.rules.workflow import IncidentState, require_move
from handlers.telling import in_thread, tell
from handlers.tickets import move
from storage.models.incidents import FOLLOWER, Incident


@dataclass(frozen=True)
class Link:
    """For example: incident link INC-7 REQ-3"""

    incident: IncidentRef
    other: Annotated[AnyRef, "The request, change, problem or incident it has to do with"]


@dataclass(frozen=True)
class Unlink:
    """For example: incident unlink INC-7 REQ-3"""

    incident: IncidentRef
    other: Annotated[AnyRef, "The ticket it has nothing to do with after all"]


@dataclass(frozen=True)
class Merge:
    """For example: incident merge INC-8 INC-7"""

    incident: IncidentRef
    into: Annotated[IncidentRef, "The incident that goes on"]


@command("incident link", params=Link, evidences=("IRP SP 2.2",))
def link(asked: Link, desk: Desk) -> Outcome:
    """Note that an incident has to do with another ticket."""
    links = desk.records.incidents

    def put(number: int, ref: str) -> bool:
        return links.put_link(number, ref, desk.asker.key, desk.now)

    return _relate(desk, asked.incident, asked.other, "linked", put)


@command("incident unlink", params=Unlink, evidences=("IRP SP 2.2",))
def unlink(asked: Unlink, desk: Desk) -> Outcome:
    """Note that an incident has nothing to do with another ticket after all."""
    return _relate(desk, asked.incident, asked.other, "unlinked", desk.records.incidents.drop_link)


def _relate(desk: Desk, ref: str, other: str, action: str, put: Callable[[int, str], bool]) -> Outcome:
    """Relate two tickets or part them; between incidents that is said on both."""
    linked = action == "linked"
    incident = work_on(desk, ref, "link")
    if other == ref:
        raise WrongState("An incident belongs to itself.", "Name another ticket.", subject=ref)
    room = desk.look(other).room
    if not put(incident.number, other):
        raise WrongState(f"{ref} and {other} are {action} already.", subject=ref)
    changes = [change(incident, action, move(incident, desk), {"ref": other})]
    cards: list[Card] = []
    if other.startswith(f"{PREFIX}-"):
        second = find(desk, other, for_change=True)
        put(second.number, ref)
        changes.append(change(second, action, move(second, desk), {"ref": ref}))
    if other.startswith((f"{PREFIX}-", "PRB-")):
        cards.append(Card(subject=other, room=room))  # which names this one
    title = f"{ref} has to do with {other}" if linked else f"{ref} has nothing to do with {other}"
    outcome = done(desk, incident, title, changes, notices=in_thread(incident, title))
    return replace(outcome, cards=(*outcome.cards, *cards))


@command("incident merge", params=Merge, evidences=("IRP SP 2.4",))
def merge(asked: Merge, desk: Desk) -> Outcome:
    """Make an incident part of another one that is the same.

    Both histories stay, and one set of promises goes on.
    """
    if asked.incident == asked.into:
        find(desk, asked.into)
        raise WrongState("An incident is part of itself.", "Name the one that goes on.", subject=asked.into)
    for ref in sorted((asked.incident, asked.into)):  # always in this order, so that two merges cannot cross
        find(desk, ref, for_change=True)
    incident, into = work_on(desk, asked.incident, "merge"), find(desk, asked.into, for_change=True)
    require_move(into.ref, into.state, "merge")
    if not is_worker(desk, desk.asker, into):
        raise NotAllowed(f"You cannot merge into {into.ref}.", f"{team_name(desk, into)} can; ask them.")
    if incident.practice != into.practice:
        raise WrongState("A practice and a real incident stay apart.", subject=incident.ref)
    following, working = audience(desk, incident), crew(desk, incident)
    title = f"{incident.ref} is part of {into.ref} now"
    told = tell(desk, into, [*following, *working], title, text=into.title)
    before = move(incident, desk, IncidentState.MERGED)
    incident.merged_into = into.number
    merged = change(incident, "merged", before, {"into": into.ref})
    absorbed = change(into, "absorbed", move(into, desk), {"from": incident.ref})
    joined = newcomers(desk, into, [*following, *working])
    for person in following:
        if person != into.reporter:
            desk.records.incidents.put_part(into.number, FOLLOWER, person, desk.now)
    desk.records.incidents.put_link(into.number, incident.ref, desk.asker.key, desk.now)
    changes: list[Change] = [absorbed, merged]
    outcome = done(
        desk,
        into,
        title,
        changes,
        text=_worse(incident, into),
        notices=[*told, *in_thread(into, title, text=incident.title), *in_thread(incident, title)],
        undue=list(_moments(incident)),
        follow=[f"sla refresh {incident.ref}"],
        joined=joined,
    )
    return replace(outcome, cards=(*outcome.cards, Card(subject=incident.ref, room=incident.room)))


def _moments(incident: Incident) -> Iterator[str]:
    """What the desk no longer has to think of."""
    for name in ("climb", "roles", "settle"):
        yield f"{incident.ref}/{name}"


def _worse(incident: Incident, into: Incident) -> str:
    if incident.severity >= into.severity:
        return ""
    return f"{incident.ref} was {incident.severity}. If that holds: incident triage {into.ref}"
