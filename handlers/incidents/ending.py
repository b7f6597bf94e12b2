"""Ending: service is back, whoever reported it agrees, the cause is known, and what can be learned is learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from handlers.access import THE_DESK
from handlers.declare import Due, Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed, WrongState
from handlers.incidents.roles import ask_for_roles
from handlers.incidents.shared import audience, change, crew, done, find, hold, is_worker, rule_of, work_on
from handlers.messages import Button, Kind, Notice, Reply, Style
from handlers.parsing import IncidentRef, Text
from handlers.rules.workflow import IncidentState, require_move
from handlers.telling import in_thread, tell
from handlers.tickets import move
from storage.models.incidents import Incident

SETTLES_AFTER = timedelta(days=2)
"""How long a resolved incident waits for somebody to say that it is not over."""


@dataclass(frozen=True)
class Resolve:
    """For example: incident resolve INC-7 restarted the queue"""

    incident: IncidentRef
    how: Annotated[Text, "What brought service back; everybody concerned reads this"]


@dataclass(frozen=True)
class Confirm:
    """For example: incident confirm INC-7"""

    incident: IncidentRef


@dataclass(frozen=True)
class Settle:
    """For example: incident settle INC-7"""

    incident: IncidentRef


@dataclass(frozen=True)
class Reopen:
    """For example: incident reopen INC-7 it is slow again"""

    incident: IncidentRef
    because: Annotated[Text, "What is broken still, or again"]


@dataclass(frozen=True)
class Close:
    """For example: incident close INC-7 a full disk on the mail store"""

    incident: IncidentRef
    cause: Annotated[Text, "What caused it, as far as it is known"]


@dataclass(frozen=True)
class Review:
    """For example: incident review INC-7 the alert came too late, and nobody knew the vendor's number"""

    incident: IncidentRef
    lessons: Annotated[Text, "What went well, what did not, what is to change"]


@command("incident resolve", params=Resolve, evidences=("IRP SP 2.3",))
def resolve(asked: Resolve, desk: Desk) -> Outcome:
    """Say that service is back, and how; whoever reported it is asked whether that is so."""
    incident = work_on(desk, asked.incident, "resolve")
    rule = rule_of(desk, incident)
    before = move(incident, desk, IncidentState.RESOLVED)
    incident.resolved_at = desk.now
    incident.assignee = incident.assignee or (None if desk.asker == THE_DESK else desk.asker.key)
    after: dict[str, object] = {"assignee": incident.assignee}
    if rule.review_within is not None:
        after["review_by"] = (desk.now + timedelta(seconds=rule.review_within)).isoformat()
    desk.records.incidents.put_text(incident.number, "how", desk.asker.key, asked.how, desk.now)
    resolved = change(incident, "resolved", before, after, {"how": asked.how})
    title = f"{incident.ref} is resolved: {incident.title}"
    others = [person for person in audience(desk, incident) if person != incident.reporter]
    notices = [
        *_ask_reporter(desk, incident, title, asked.how),
        *tell(desk, incident, [*others, *crew(desk, incident)], title, text=asked.how),
        *in_thread(incident, title, text=asked.how),
    ]
    due = [
        Due(
            f"{incident.ref}/settle",
            incident.ref,
            desk.now + SETTLES_AFTER,
            f"incident settle {incident.ref}",
        )
    ]
    undue = [f"{incident.ref}/climb", f"{incident.ref}/roles"]
    held_up = desk.records.continuity.paused_for(incident.ref)
    return done(
        desk,
        incident,
        f"{incident.ref} is resolved",
        [resolved],
        notices=notices,
        due=due,
        undue=undue,
        follow=[f"drill all-clear {drill} {incident.ref}" for drill in held_up],
    )


def _ask_reporter(desk: Desk, incident: Incident, title: str, how: str) -> list[Notice]:
    if incident.reporter == THE_DESK.key:
        return []
    buttons = (
        Button(label="It works again", line=f"incident confirm {incident.ref}", style=Style.PRIMARY),
        Button(label="Still broken", line=f"incident reopen {incident.ref}"),
    )
    in_time = desk.at(desk.now + SETTLES_AFTER, relative=True) or ""
    text = (f"{how} ", "If you say nothing, it counts as over ", in_time, ".")
    resolved = (IncidentState.RESOLVED,)
    return tell(desk, incident, [incident.reporter], title, text=text, buttons=buttons, while_in=resolved)


@command("incident confirm", params=Confirm, evidences=("IRP SP 2.4",))
def confirm(asked: Confirm, desk: Desk) -> Outcome:
    """Say that it works again for you."""
    incident = find(desk, asked.incident, for_change=True)
    if incident.reporter != desk.asker.key:
        name = desk.directory.name(incident.reporter)
        raise NotAllowed(f"You cannot confirm {incident.ref}.", f"{name}, who reported it, can.")
    require_move(incident.ref, incident.state, "confirm")
    if incident.confirmed_at is not None:
        raise WrongState(f"You have confirmed {incident.ref} already. Thank you!", subject=incident.ref)
    before = move(incident, desk)
    incident.confirmed_at = desk.now
    confirmed = change(incident, "resolution_confirmed", before)
    title = f"{desk.asker.name} confirms that {incident.ref} is over"
    notices = [
        *tell(desk, incident, crew(desk, incident), title, buttons=(_close_button(incident),)),
        *in_thread(incident, title),
    ]
    undue = [f"{incident.ref}/settle"]
    return done(desk, incident, "Thank you for telling us.", [confirmed], notices=notices, undue=undue)


@command("incident settle", params=Settle, evidences=("IRP SP 2.4",), desk_only=True)
def settle(asked: Settle, desk: Desk) -> Outcome:
    """Take it that an incident is over, because nobody said otherwise; who had it is asked to close it."""
    incident = find(desk, asked.incident, for_change=True)
    if incident.state != IncidentState.RESOLVED or incident.confirmed_at is not None:
        return Outcome(reply=Reply(title=f"{incident.ref} waits for no word."))
    before = move(incident, desk)
    assumed = change(incident, "resolution_assumed", before)
    title = f"Nobody says that {incident.ref} is not over"
    text = "Close it, with what caused it."
    notices = tell(
        desk,
        incident,
        crew(desk, incident),
        title,
        text=text,
        buttons=(_close_button(incident),),
        while_in=(IncidentState.RESOLVED,),
        kind=Kind.REMINDER,
    )
    return done(desk, incident, title, [assumed], notices=[*notices, *in_thread(incident, title, text=text)])


def _close_button(incident: Incident) -> Button:
    return Button(label="Close", line=f"incident close {incident.ref}", style=Style.PRIMARY)


@command("incident reopen", params=Reopen, evidences=("IRP SP 2.4",))
def reopen(asked: Reopen, desk: Desk) -> Outcome:
    """Say that it is broken still, or again.

    Who works on incidents holds it then; when anybody else says it, those who do are woken.
    """
    incident = find(desk, asked.incident, for_change=True)
    works = desk.asker != THE_DESK and is_worker(desk, desk.asker, incident)
    if not works and desk.asker.key not in (*audience(desk, incident), THE_DESK.key):
        raise NotAllowed(
            f"You cannot reopen {incident.ref}.",
            "Those who reported or follow it can. Is something broken for you? incident declare",
        )
    require_move(incident.ref, incident.state, "reopen")
    state = IncidentState.ACKNOWLEDGED if works else IncidentState.TRIGGERED
    before = move(incident, desk, state) | hold(incident, desk.asker.key if works else None)
    incident.resolved_at = incident.confirmed_at = None
    reopened = change(
        incident, "reopened", before, {"assignee": incident.assignee}, {"because": asked.because}
    )
    title = f"{incident.ref} is open again: {incident.title}"
    had_it = [before["assignee"]] if before["assignee"] else []
    notices = [
        *tell(desk, incident, [*audience(desk, incident), *had_it], title, text=asked.because),
        *in_thread(incident, title, text=asked.because),
    ]
    return done(
        desk,
        incident,
        f"{incident.ref} is open again",
        [reopened],
        notices=notices,
        due=ask_for_roles(desk, incident),
        undue=[f"{incident.ref}/settle"],
        climbs=True,
    )


@command("incident close", params=Close, evidences=("IRP SP 2.4",))
def close(asked: Close, desk: Desk) -> Outcome:
    """Be done with an incident, and say what caused it."""
    incident = work_on(desk, asked.incident, "close")
    before = move(incident, desk, IncidentState.CLOSED)
    desk.records.incidents.put_text(incident.number, "cause", desk.asker.key, asked.cause, desk.now)
    closed = change(incident, "closed", before, None, {"cause": asked.cause})
    title = f"{incident.ref} is closed"
    notices = [
        *tell(desk, incident, audience(desk, incident), f"{title}: {incident.title}", text=asked.cause),
        *in_thread(incident, title, text=asked.cause),
    ]
    return done(
        desk,
        incident,
        title,
        [closed],
        text=_review_words(desk, incident),
        notices=notices,
        undue=[f"{incident.ref}/settle"],
    )


def _review_words(desk: Desk, incident: Incident) -> Sequence[str]:
    due = any(row.promise == "review" and row.open for row in desk.records.clocks.of(incident.ref))
    return (f"It must be looked back upon: incident review {incident.ref}",) if due else ()


@command("incident review", params=Review, evidences=("IRP SP 3.1",))
def review(asked: Review, desk: Desk) -> Outcome:
    """Look back on an incident, and write down what was learned; what is to be done becomes actions."""
    incident = work_on(desk, asked.incident, "review")
    before = move(incident, desk)
    desk.records.incidents.put_text(incident.number, "lessons", desk.asker.key, asked.lessons, desk.now)
    reviewed = change(incident, "reviewed", before, None, {"lessons": asked.lessons})
    title = f"{incident.ref} was reviewed"
    notices = [
        *tell(desk, incident, crew(desk, incident), title, text=asked.lessons),
        *in_thread(incident, title, text=asked.lessons),
    ]
    action = Button(label="Add an action", line=f"action add {incident.ref}", style=Style.PRIMARY)
    return done(desk, incident, title, [reviewed], notices=notices, buttons=(action,))
