"""Responding: how bad is it, who has it, what is known now, how people can go on meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from config.policy import Priority, Promise
from handlers import definitions
from handlers.access import THE_DESK
from handlers.declare import Outcome, command
from handlers.desk import Desk
from handlers.errors import WrongState
from handlers.incidents.climbing import terms_of
from handlers.incidents.paging import page
from handlers.incidents.roles import ask_for_roles
from handlers.incidents.shared import (
    audience,
    change,
    done,
    find,
    hold,
    newcomers,
    rule_of,
    rules_of,
    severity_of,
    work_on,
)
from handlers.messages import Button, Reply, Style, facts
from handlers.parsing import Choice, Duration, IncidentRef, Manner, ServiceKey, Text
from handlers.rules import sla_clock
from handlers.rules.business_time import hours_of
from handlers.rules.workflow import LIVE, IncidentState
from handlers.telling import in_thread, tell
from handlers.tickets import move
from storage.models.incidents import PAGED, Incident

_LEVELS = Choice(("high", "medium", "low"))
_SOONEST, _LATEST = timedelta(minutes=1), timedelta(days=7)


@dataclass(frozen=True)
class Triage:
    """For example: incident triage INC-7 high medium all offices report it"""

    incident: IncidentRef
    impact: Annotated[str | None, _LEVELS, "How many are hit"] = None
    urgency: Annotated[str | None, _LEVELS, "How soon it hurts"] = None
    because: Annotated[Text | None, "What speaks for it"] = None
    service: Annotated[ServiceKey | None, Manner.BY_NAME, "If another service is affected"] = None


@dataclass(frozen=True)
class Ack:
    """For example: incident ack INC-7"""

    incident: IncidentRef


@dataclass(frozen=True)
class Take:
    """For example: incident take INC-7"""

    incident: IncidentRef


@dataclass(frozen=True)
class Update:
    """For example: incident update INC-7 the disk is replaced, mail is catching up next:30m"""

    incident: IncidentRef
    text: Annotated[Text | None, "What is known now; followers and the reporter read this"] = None
    next: Annotated[Duration | None, Manner.BY_NAME, "When the next update comes, such as 30m"] = None
    nochange: Annotated[Text | None, Manner.BY_NAME, "Instead of an update: why nothing has changed"] = None


@dataclass(frozen=True)
class Workaround:
    """For example: incident workaround INC-7 read your mail in the browser meanwhile"""

    incident: IncidentRef
    text: Annotated[Text, "How people can go on meanwhile; followers and the reporter read this"]


@dataclass(frozen=True)
class Note:
    """For example: incident note INC-7 also fires: the queue grows"""

    incident: IncidentRef
    text: Text


@dataclass(frozen=True)
class Silence:
    """For example: incident silence INC-7"""

    incident: IncidentRef


@command("incident triage", params=Triage, evidences=("IRP SP 2.2",))
def triage(asked: Triage, desk: Desk) -> Outcome:
    """Say how bad it is: impact and urgency give the severity, and with it the promises and who is woken."""
    incident = work_on(desk, asked.incident, "triage")
    if not (asked.impact or asked.urgency or asked.service):
        raise desk.ask({"impact": "Say how many are hit, how soon it hurts, or which service it is."})
    impact, urgency = asked.impact or incident.impact, asked.urgency or incident.urgency
    severity = severity_of(desk, impact, urgency)
    was = incident.severity
    before = move(incident, desk) | _category(incident)
    incident.impact, incident.urgency, incident.severity = impact, urgency, str(severity)
    after = _category(incident)
    if asked.service and asked.service != incident.service:
        before |= {"service": incident.service, "team": incident.team, "escalation": incident.escalation}
        after |= _move_to(desk, incident, asked.service)
    triaged = change(incident, "triaged", before, after, {"because": asked.because})
    title = f"{incident.ref} is {severity}" + (f" now (was {was})" if was != severity else ", as it was")
    notices = in_thread(incident, title, text=asked.because or "")
    if was != severity:
        notices += tell(desk, incident, audience(desk, incident), title, text=asked.because or "")
    due = ask_for_roles(desk, incident) if was != severity else []
    return done(desk, incident, title, [triaged], notices=notices, due=due, climbs=True)


def _category(incident: Incident) -> dict[str, str]:
    return {
        "impact": incident.impact,
        "urgency": incident.urgency,
        "severity": incident.severity,
        "priority": f"P{incident.severity[-1]}",
    }


def _move_to(desk: Desk, incident: Incident, key: str) -> dict[str, str]:
    """Another service is affected: another team runs it, and others are woken."""
    service = desk.policy.services[key]
    incident.service, incident.team = service.key, service.team
    incident.escalation = service.escalation or rules_of(desk).escalation
    incident.escalation_version = definitions.keep(desk, "escalation", incident.escalation)
    incident.level = incident.round = 0
    return {
        "service": incident.service,
        "team": incident.team,
        "escalation": incident.escalation,
        "escalation_version": incident.escalation_version,
    }


@command("incident ack", params=Ack, evidences=("IRP SP 2.2",))
def ack(asked: Ack, desk: Desk) -> Outcome:
    """Say that you have it: nobody else is woken any more."""
    incident = work_on(desk, asked.incident, "acknowledge")
    if incident.assignee is not None:
        name = desk.directory.name(incident.assignee)
        raise WrongState(
            f"You have {incident.ref} already."
            if incident.assignee == desk.asker.key
            else f"{name} has {incident.ref} already.",
            "" if incident.assignee == desk.asker.key else f"To take it over: incident take {incident.ref}",
            subject=incident.ref,
        )
    return _take(desk, incident, "acknowledged")


@command("incident take", params=Take, evidences=("IRP SP 2.2",))
def take(asked: Take, desk: Desk) -> Outcome:
    """Hold an incident yourself, also when somebody else does; they are told."""
    incident = work_on(desk, asked.incident, "take")
    if incident.assignee == desk.asker.key:
        raise WrongState(f"You hold {incident.ref} already.", subject=incident.ref)
    return _take(desk, incident, "assigned")


def _take(desk: Desk, incident: Incident, action: str) -> Outcome:
    woken = (
        [each.person for each in desk.records.incidents.parts(incident.number) if each.part == PAGED]
        if incident.state == IncidentState.TRIGGERED
        else []
    )
    holder = None if desk.asker == THE_DESK else desk.asker.key
    joined = newcomers(desk, incident, [holder])
    before = move(incident, desk, IncidentState.ACKNOWLEDGED) | hold(incident, holder)
    held = change(incident, action, before, {"assignee": holder})
    previous = [before["assignee"]] if before["assignee"] else []
    title = f"{desk.asker.name} has {incident.ref}" if holder else f"{incident.ref} was acknowledged"
    notices = [
        *tell(desk, incident, [*audience(desk, incident), *previous, *woken], title, text=incident.title),
        *in_thread(incident, title),
    ]
    return done(
        desk, incident, f"{incident.ref} is yours", [held], notices=notices, climbs=True, joined=joined
    )


# The next word ------------------------------------------------------------------------------------


@command("incident update", params=Update, evidences=("IRP SP 2.5",))
def update(asked: Update, desk: Desk) -> Outcome:
    """Tell everybody concerned what is known now, and when the next word comes."""
    incident = work_on(desk, asked.incident, "post an update on")
    if bool(asked.text) == bool(asked.nochange):
        only = "only one of the two" if asked.text else "what is known now, or why nothing has changed"
        raise desk.ask({"text": f"Say {only}."})
    if asked.next is not None and not _SOONEST <= asked.next <= _LATEST:
        raise desk.ask(
            {"next": "The next word comes in a minute at the soonest, in seven days at the latest."}
        )
    last = desk.records.incidents.texts(incident.number).get("update")
    if asked.text and last and _plain(asked.text) == _plain(last.text):
        raise desk.ask({"text": "That was said last time. Say what is new, or why nothing has changed."})
    text = asked.text or f"No change: {asked.nochange}"
    before = move(incident, desk)
    after: dict[str, object] = {"changed": asked.text is not None}
    if asked.next is not None:
        after["next_at"] = (desk.now + asked.next).isoformat()
    desk.records.incidents.put_text(incident.number, "update", desk.asker.key, text, desk.now)
    posted = change(incident, "status_posted", before, after, {"update": text})
    title = f"{incident.ref}: {incident.title}"
    coming = facts(("Next update by", desk.at(_next_word(desk, incident, asked.next), relative=True)))
    notices = [
        *tell(desk, incident, audience(desk, incident), title, text=text, details=coming),
        *in_thread(incident, f"Update by {desk.asker.name}", text=text, details=coming),
    ]
    return done(desk, incident, f"Everybody concerned hears it: {incident.ref}", [posted], notices=notices)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _next_word(desk: Desk, incident: Incident, within: timedelta | None) -> datetime | None:
    """When the next update is due: as its author says, else as the agreement does for the severity."""
    if within is not None:
        return desk.now + within
    terms = definitions.terms(desk, incident.agreement, incident.agreement_version)
    priority = Priority(f"P{incident.severity[-1]}")
    target = sla_clock.terms_of(terms.agreement, Promise.UPDATE, priority, terms.calendars)
    return hours_of(target.calendar).after(desk.now, timedelta(seconds=target.within)) if target else None


@command("incident silence", params=Silence, evidences=("IRP SP 2.5",), desk_only=True)
def silence(asked: Silence, desk: Desk) -> Outcome:
    """Wake whoever owes the next word: communications, else the lead, else who holds it, else the fallback."""
    incident = find(desk, asked.incident, for_change=True)
    if incident.state not in LIVE or not rule_of(desk, incident).page:
        return Outcome(reply=Reply(title=f"{incident.ref}: nobody is woken for its next word."))
    parts = {each.part: each.person for each in desk.records.incidents.parts(incident.number)}
    owing = (
        parts.get("communications")
        or parts.get("lead")
        or incident.assignee
        or terms_of(desk, incident).fallback
    )
    joined = newcomers(desk, incident, [owing])
    before = move(incident, desk)
    missed = change(incident, "update_missed", before, {"person": owing})
    button = Button(label="Update", line=f"incident update {incident.ref}", style=Style.PRIMARY)
    why = "the next word on it is overdue, and it is yours to say"
    notices = page(
        desk, incident, [owing], f"silence/v{incident.version}", why, while_in=LIVE, buttons=(button,)
    )
    title = f"{incident.ref} owes a word"
    return done(desk, incident, title, [missed], notices=notices, joined=joined)


# Meanwhile ----------------------------------------------------------------------------------------


@command("incident workaround", params=Workaround, evidences=("IRP SP 2.3",))
def workaround(asked: Workaround, desk: Desk) -> Outcome:
    """Say how people can go on until it is repaired."""
    incident = work_on(desk, asked.incident, "record a workaround for")
    before = move(incident, desk)
    desk.records.incidents.put_text(incident.number, "workaround", desk.asker.key, asked.text, desk.now)
    recorded = change(incident, "workaround_recorded", before, None, {"workaround": asked.text})
    title = f"{incident.ref}: until it is repaired"
    notices = [
        *tell(desk, incident, audience(desk, incident), title, text=asked.text),
        *in_thread(incident, title, text=asked.text),
    ]
    return done(desk, incident, f"The workaround for {incident.ref} is known", [recorded], notices=notices)


@command("incident note", params=Note, evidences=("IRP SP 2.4",), desk_only=True)
def note(asked: Note, desk: Desk) -> Outcome:
    """Note what the desk has noticed; no promise is kept by it."""
    incident = find(desk, asked.incident, for_change=True)
    before = move(incident, desk)
    noted = change(incident, "noted", before, None, {"note": asked.text})
    notices = in_thread(incident, f"Noted on {incident.ref}", text=asked.text)
    return done(desk, incident, f"Noted on {incident.ref}", [noted], notices=notices)
