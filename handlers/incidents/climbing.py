"""Climbing: an incident that nobody holds wakes one level after the other, until somebody does.

Whom to page now is worked out from the evidence each time somebody asks, so asking twice wakes nobody twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from config.policy import Escalation
from handlers import definitions
from handlers.access import THE_DESK
from handlers.declare import Change, Due, Outcome, command
from handlers.desk import Desk
from handlers.errors import WrongState
from handlers.incidents.paging import page
from handlers.incidents.shared import change, crew, done, find, hold, newcomers, rule_of, work_on
from handlers.messages import Button, Notice, Reply, Style, Tone
from handlers.parsing import IncidentRef, PersonRef, Text, Word
from handlers.rules import escalation
from handlers.rules.ledger import Record
from handlers.rules.promises import course_of
from handlers.rules.rotation import holder
from handlers.rules.sla_clock import Fact
from handlers.rules.workflow import LIVE, OVER, IncidentState
from handlers.telling import in_thread, tell
from handlers.tickets import move
from storage.models.incidents import PAGED, Incident

_BEGINS = frozenset({"declared", "reopened", "acknowledgement_lapsed", "handed_back"})
_HOLDS = frozenset({"acknowledged", "assigned", "handed_over", "reopened"})
_HURRIES = frozenset({"escalation_asked", "unreached"})
_NO_WORK = frozenset({"reported", "followed", "unfollowed"})
_LATE = 60  # seconds after which a page says how late it is


@dataclass(frozen=True)
class Escalate:
    """For example: incident escalate INC-7 the vendor must be called"""

    incident: IncidentRef
    because: Annotated[Text, "Why the next level is needed now"]


@dataclass(frozen=True)
class Page:
    """For example: incident page INC-7 @backup you know the mail store"""

    incident: IncidentRef
    person: Annotated[PersonRef, "Who is to be woken"]
    because: Annotated[Text | None, "What they are needed for"] = None


@dataclass(frozen=True)
class Climb:
    """For example: incident climb INC-7"""

    incident: IncidentRef


@dataclass(frozen=True)
class Unreached:
    """For example: incident unreached INC-7 oncall"""

    incident: IncidentRef
    person: Word


# What the evidence says ---------------------------------------------------------------------------


def facts_of(history: Sequence[Record]) -> Iterator[Fact]:
    """What an incident's evidence means for its climb."""
    waited_for: set[str] = set()
    for record in history:
        if course_of(record.action) is None:
            continue
        verb, after = record.action.partition(".")[2], record.after or {}
        if verb == "escalated":
            waited_for = {name for name in after["notify"] if not name.startswith("#")}
        elif verb == "unreached":
            # Only when nobody of the level was reached is it of no use to wait; after the fallback comes nobody.
            if waited_for != {after["person"]} or after["fallback"]:
                waited_for.discard(after["person"])
                continue
            waited_for = set()
        if fact := _fact(record, verb, after):
            yield fact


def _fact(record: Record, verb: str, after: Mapping[str, Any]) -> Fact | None:
    at, seq, state = record.at, record.seq, after.get("state")
    if state in (*OVER, IncidentState.MERGED):
        return escalation.Ended(at, seq)
    if state == IncidentState.TRIGGERED and (verb in _BEGINS or "escalation" in after):
        return escalation.Triggered(at, seq, verb.replace("_", " "))
    if state == IncidentState.ACKNOWLEDGED and verb in _HOLDS and "assignee" in after:
        return escalation.Acknowledged(at, seq, by=after["assignee"] or record.actor)
    if verb == "escalated":
        return escalation.Paged(at, seq, round=after["round"], level=after["level"])
    if verb in _HURRIES:
        return escalation.Escalated(at, seq)
    works = record.actor != THE_DESK.key and verb not in _NO_WORK
    return escalation.Active(at, seq) if works else None


def terms_of(desk: Desk, incident: Incident) -> Escalation:
    """The escalation that the incident began with."""
    return definitions.escalation(desk, incident.escalation, incident.escalation_version)


def _read(desk: Desk, incident: Incident) -> escalation.Reading:
    history = desk.records.ledger.trail(incident.ref)
    rule = rule_of(desk, incident)
    return escalation.read(terms_of(desk, incident), rule, facts_of(history), _roster(desk), desk.now)


def _roster(desk: Desk) -> escalation.Roster:
    policy = desk.policy

    def on_call(key: str, at: datetime) -> str | None:
        rota = policy.rotas.get(key)
        if rota is None:
            return None
        cover = holder(rota, policy.calendars, desk.records.oncall.overrides(key, at, at), at)
        return cover.person if cover else None

    return escalation.Roster(
        on_call=on_call,
        teams={key: team.members for key, team in policy.teams.items()},
        known=lambda person: person in policy.people,
        rooms=policy.rooms,
    )


# What the desk says to itself ---------------------------------------------------------------------


@command("incident climb", params=Climb, evidences=("IRP SP 2.4",), desk_only=True)
def climb(asked: Climb, desk: Desk) -> Outcome:
    """Wake the level whose turn it is, let an acknowledgement lapse, and say when to look again."""
    incident = find(desk, asked.incident, for_change=True)
    key = f"{incident.ref}/climb"
    if incident.state not in LIVE:
        return Outcome(reply=Reply(title=f"{incident.ref} wakes nobody any more."), undue=[key])
    reading = _read(desk, incident)
    changes: list[Change] = []
    notices: list[Notice] = []
    joined: list[str] = []
    if reading.lapsed is not None:
        changes.append(_lapse(desk, incident, reading.lapsed, notices))
    if reading.page is not None:
        people = (name for name in reading.page.notify if not name.startswith("#"))
        joined = newcomers(desk, incident, people)
        changes.append(_wake(desk, incident, reading, reading.page, notices))
    again = reading.next_at
    due = [Due(key, incident.ref, again, f"incident climb {incident.ref}", urgent=True)] if again else []
    undue = [] if again else [key]
    if not changes:
        return Outcome(reply=Reply(title=f"{incident.ref}: nobody is to be woken now."), due=due, undue=undue)
    title = f"{incident.ref} climbs"
    return done(desk, incident, title, changes, notices=notices, due=due, undue=undue, joined=joined)


def _lapse(desk: Desk, incident: Incident, at: datetime, notices: list[Notice]) -> Change:
    """Nobody has shown a sign of work for so long that somebody must be found anew."""
    people = crew(desk, incident)
    before = move(incident, desk, IncidentState.TRIGGERED) | hold(incident, None)
    title = f"{incident.ref}: nobody seems to work on it any more"
    text = "Its acknowledgement has lapsed, so it wakes people again."
    notices += tell(desk, incident, people, title, text=text, buttons=(_ack(incident),))
    notices += in_thread(incident, title, text=text)
    return change(incident, "acknowledgement_lapsed", before, {"assignee": None, "lapsed_at": at.isoformat()})


def _wake(
    desk: Desk,
    incident: Incident,
    reading: escalation.Reading,
    step: escalation.Step,
    notices: list[Notice],
) -> Change:
    """Page a step of the climb, and write down whom, which levels were passed over and why."""
    terms = terms_of(desk, incident)
    before = move(incident, desk) | {"level": incident.level, "round": incident.round}
    incident.level, incident.round = step.level, step.round
    for name in step.notify:
        if not name.startswith("#"):
            desk.records.incidents.put_part(incident.number, PAGED, name, desk.now)
    where = "everybody before you was missed" if step.fallback else f"level {step.level} of {terms.name}"
    if terms.rounds > 1 and not step.fallback:
        where += f", round {step.round} of {terms.rounds}"
    tag = f"{reading.climb}.{step.round}.{step.level}"
    notices += page(desk, incident, step.notify, tag, where, climbs=True)
    names = [name if name.startswith("#") else desk.directory.name(name) for name in step.notify]
    left_out = [f"Level {each.level} was passed over: {each.why}." for each in reading.passed]
    late = int((desk.now - step.at).total_seconds())
    if late >= _LATE:
        left_out.append(f"This comes {late // 60} min late: the desk was away or had too much to do.")
    said = " ".join([*left_out, *(f"Missing: {why}." for why in step.missing)])
    notices += in_thread(incident, f"{incident.ref} wakes {', '.join(names)} ({where})", text=said)
    after = {
        "climb": reading.climb,
        "round": step.round,
        "level": step.level,
        "notify": list(step.notify),
        "fallback": step.fallback,
        "passed": [{"level": each.level, "round": each.round, "why": each.why} for each in reading.passed],
        "missing": list(step.missing),
        "turn": step.at.isoformat(),
    }
    return change(incident, "escalated", before, after)


@command("incident unreached", params=Unreached, evidences=("IRP SP 2.4",), desk_only=True)
def unreached(asked: Unreached, desk: Desk) -> Outcome:
    """Note that a page reached nobody in any way; when that was all of a level, the next one is woken at once."""
    incident = find(desk, asked.incident, for_change=True)
    if incident.state != IncidentState.TRIGGERED:
        return Outcome(reply=Reply(title=f"{incident.ref} wakes nobody now."))
    before = move(incident, desk)
    fallback = incident.level > len(terms_of(desk, incident).levels)
    missed = change(incident, "unreached", before, {"person": asked.person, "fallback": fallback})
    name = desk.directory.name(asked.person)
    notices = in_thread(incident, f"{name} could not be reached about {incident.ref} in any way")
    return done(desk, incident, f"{name} could not be reached", [missed], notices=notices, climbs=True)


# What people say ----------------------------------------------------------------------------------


@command("incident escalate", params=Escalate, evidences=("IRP SP 2.4",))
def escalate(asked: Escalate, desk: Desk) -> Outcome:
    """Wake the next level at once, with a reason."""
    incident = work_on(desk, asked.incident, "escalate")
    if not rule_of(desk, incident).page:
        raise WrongState(
            f"A {incident.severity} wakes nobody.",
            f"Raise it (incident triage {incident.ref}), or wake somebody (incident page {incident.ref}).",
            subject=incident.ref,
        )
    before = move(incident, desk, IncidentState.TRIGGERED)
    level, round_ = incident.level, incident.round
    before |= hold(incident, None)
    incident.level, incident.round = level, round_
    asked_for = change(incident, "escalation_asked", before, {"assignee": None}, {"because": asked.because})
    title = f"{desk.asker.name} escalates {incident.ref}"
    notices = in_thread(incident, title, text=asked.because)
    return done(
        desk, incident, f"{incident.ref} goes to the next level", [asked_for], notices=notices, climbs=True
    )


@command("incident page", params=Page, evidences=("IRP SP 2.4",))
def page_person(asked: Page, desk: Desk) -> Outcome:
    """Wake somebody by name, whoever holds the incident."""
    incident = work_on(desk, asked.incident, "page anybody for")
    joined = newcomers(desk, incident, [asked.person])
    before = move(incident, desk)
    desk.records.incidents.put_part(incident.number, PAGED, asked.person, desk.now)
    paged = change(incident, "paged", before, {"person": asked.person}, {"because": asked.because})
    name = desk.directory.name(asked.person)
    why = f"{desk.asker.name} asks for you" + (f": {asked.because}" if asked.because else "")
    take = Button(label="Take", line=f"incident take {incident.ref}", style=Style.PRIMARY)
    tag = f"v{incident.version}"
    notices = [
        *page(desk, incident, [asked.person], tag, why, while_in=LIVE, buttons=(take,)),
        *in_thread(incident, f"{desk.asker.name} wakes {name} for {incident.ref}", text=asked.because or ""),
    ]
    title = f"{name} is being woken"
    return done(desk, incident, title, [paged], notices=notices, tone=Tone.WAITING, joined=joined)


def _ack(incident: Incident) -> Button:
    return Button(label="Acknowledge", line=f"incident ack {incident.ref}", style=Style.PRIMARY)
