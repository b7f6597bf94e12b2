"""Declaring: somebody says, or an alert says, that something is broken.

Anyone may declare an incident. What looks the same and is open already is offered first, to be followed instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from handlers import definitions
from handlers.access import THE_DESK
from handlers.declare import FromMessage, Outcome, command
from handlers.desk import Desk
from handlers.errors import NeedsForm, NotAllowed, WrongState
from handlers.incidents.card import card, named_title, own_buttons
from handlers.incidents.outside import space
from handlers.incidents.roles import ask_for_roles
from handlers.incidents.shared import PREFIX, change, done, find, is_worker, newcomers, rules_of, severity_of
from handlers.messages import Card, FieldInput, Form, FormField, Option, Reply, Tone, facts
from handlers.parsing import Choice, Free, IncidentRef, Line, Manner, ServiceKey, Word
from handlers.rules.likeness import ALIKE, likeness
from handlers.rules.workflow import LIVE, IncidentState, require_move
from handlers.tickets import move
from storage.models.incidents import FOLLOWER, PAGED, Incident

_LEVELS = Choice(("high", "medium", "low"))
_SHOWN = 3
_LOOKED_AT = 50  # open incidents of one service that are compared


@dataclass(frozen=True)
class Declare:
    """For example: incident declare mail is down service:mail impact:high urgency:high"""

    title: Annotated[Line, Manner.FROM_MESSAGE]
    service: Annotated[ServiceKey, Manner.BY_NAME, "What is affected"]
    impact: Annotated[str, _LEVELS, Manner.BY_NAME, "How many are hit"]
    urgency: Annotated[str, _LEVELS, Manner.BY_NAME, "How soon it hurts"]
    detail: Annotated[str | None, Free(), Manner.BY_NAME, Manner.FROM_MESSAGE, "What you see"] = None
    practice: Annotated[
        str, Choice(("no", "yes")), Manner.BY_NAME, Manner.UNASKED, "Only to rehearse; it is in no figure"
    ] = "no"
    same: Annotated[IncidentRef | None, Manner.BY_NAME, Manner.UNASKED, "It is this one, which is open"] = (
        None
    )
    anyway: Annotated[str, Choice(("yes", "no")), Manner.BY_NAME, Manner.UNASKED, "Whatever looks alike"] = (
        "no"
    )
    alert: Annotated[Word | None, Manner.BY_NAME, Manner.UNASKED, "For the desk: the alert it came from"] = (
        None
    )


@dataclass(frozen=True)
class Follow:
    """For example: incident follow INC-7"""

    incident: IncidentRef


@dataclass(frozen=True)
class Unfollow:
    """For example: incident unfollow INC-7"""

    incident: IncidentRef


@command(
    "incident declare",
    params=Declare,
    evidences=("IRP SP 2.1",),
    own_form=True,
    from_message=FromMessage(
        "Make this an incident", lambda policy: policy.incidents.emoji if policy.incidents else None
    ),
)
def declare(asked: Declare, desk: Desk) -> Outcome:
    """Say that something is broken; the right people are woken, and you hear the next word by when."""
    rules_of(desk)
    if asked.alert is not None and desk.asker != THE_DESK:
        raise NotAllowed("Only the desk itself says what an alert said.", "Leave `alert:` out.")
    if desk.command.draft:
        raise NeedsForm(_offering(desk, _alike(desk, asked)))
    if asked.same is not None:
        return _join(desk, asked.same, "reported", asked.title)
    if desk.asker != THE_DESK and asked.anyway == "no" and (alike := _alike(desk, asked)):
        raise NeedsForm(_offering(desk, alike), {"same": _known(alike)})
    return _open(asked, desk)


def _alike(desk: Desk, asked: Declare) -> Sequence[Incident]:
    found, _ = desk.records.incidents.listed(
        states=LIVE, service=asked.service, practice=asked.practice == "yes", at_most=_LOOKED_AT
    )
    ranked = sorted(found, key=lambda each: -likeness(each.title, asked.title))
    return [each for each in ranked if likeness(each.title, asked.title) >= ALIKE][:_SHOWN]


def _known(alike: Sequence[Incident]) -> str:
    shown = ", ".join(f"{each.ref} ({IncidentState(each.state).shown})" for each in alike)
    return f"Something like this is open already: {shown}."


def _offering(desk: Desk, alike: Sequence[Incident]) -> Form:
    """The form, with what is open already to choose from."""
    form = desk.ask({}).form
    assert isinstance(form, Form)
    if not alike:
        return form
    same = FormField(
        key="same",
        label="Is it one of these?",
        input=FieldInput.CHOICE,
        required=False,
        options=tuple(Option(label=f"{each.ref} {each.title}"[:75], value=each.ref) for each in alike),
        help="Then you hear of that one. Leave it empty to declare another one.",
        error="" if desk.command.draft else _known(alike),
    )
    return form.model_copy(
        update={
            "line": form.line if "anyway:yes" in form.line else f"{form.line} anyway:yes",
            "fields": (same, *form.fields),
            "note": _known(alike),
            "submit": "Go on",
        }
    )


def _open(asked: Declare, desk: Desk) -> Outcome:
    rules = rules_of(desk)
    service = desk.policy.services[asked.service]
    escalation = service.escalation or rules.escalation
    severity = severity_of(desk, asked.impact, asked.urgency)
    agreement_version = definitions.keep(desk, "agreement", rules.agreement)
    escalation_version = definitions.keep(desk, "escalation", escalation)
    incident = Incident(
        number=desk.records.counters.next(PREFIX),
        title=asked.title,
        detail=asked.detail if asked.detail != asked.title else None,
        service=service.key,
        team=service.team,
        room=rules.room,
        impact=asked.impact,
        urgency=asked.urgency,
        severity=str(severity),
        agreement=rules.agreement,
        agreement_version=agreement_version,
        escalation=escalation,
        escalation_version=escalation_version,
        state=str(IncidentState.TRIGGERED),
        reporter=desk.asker.key,
        alert=asked.alert,
        practice=asked.practice == "yes",
        source=(desk.command.source or "")[:500] or None,
        platform=desk.command.sender.platform,
        opened_at=desk.now,
        changed_at=desk.now,
    )
    desk.records.incidents.add(incident)
    reported = change(
        incident,
        "reported",
        after={"reporter": incident.reporter, "alert": incident.alert},
        words={"title": incident.title, "detail": incident.detail},
    )
    declared = change(
        incident,
        "declared",
        after={
            "service": incident.service,
            "team": incident.team,
            "agreement": incident.agreement,
            "agreement_version": agreement_version,
            "escalation": incident.escalation,
            "escalation_version": escalation_version,
            "practice": incident.practice,
        },
    )
    return Outcome(
        reply=lambda: _declared(desk, incident),
        changes=(reported, declared, change(incident, "categorized", after=_category(incident))),
        notices=(space(incident, named_title(incident)),) if rules.space == "channel" else (),
        cards=(Card(subject=incident.ref, room=incident.room),),
        due=ask_for_roles(desk, incident),
        follow=(
            f"sla refresh {incident.ref}",
            f"incident climb {incident.ref}",
            *_drills_give_way(desk, incident),
        ),
    )


def _drills_give_way(desk: Desk, incident: Incident) -> list[str]:
    """What is said to the drills of the same service or team, whose people are needed now."""
    if incident.practice:
        return []
    running = desk.records.continuity.running_for(incident.service, incident.team)
    return [f"drill give-way {drill} {incident.ref}" for drill in running]


def _category(incident: Incident) -> dict[str, str]:
    return {
        "impact": incident.impact,
        "urgency": incident.urgency,
        "severity": incident.severity,
        "priority": f"P{incident.severity[-1]}",
    }


def _declared(desk: Desk, incident: Incident) -> Reply:
    """What whoever declared it is told: how bad it is, who was woken, when the next word comes."""
    drawn = card(desk, incident)
    shown = ("Severity", "Woken", "Answer by", "Next update by", "May be known", "Practice")
    woken = [each.person for each in desk.records.incidents.parts(incident.number) if each.part == PAGED]
    names = ", ".join(desk.directory.name(person) for person in woken)
    return drawn.model_copy(
        update={
            "title": f"{incident.ref} is declared: {incident.title}",
            "tone": Tone.GOOD,
            "facts": (
                *facts(("Woken", names or "nobody: it does not call for that")),
                *(each for each in drawn.facts if each.label in shown and each.label != "Woken"),
            ),
            "buttons": own_buttons(desk, incident, drawn.buttons, is_worker(desk, desk.asker, incident)),
            "private": True,
        }
    )


# Following one that is open already ---------------------------------------------------------------


def _join(desk: Desk, ref: str, action: str, words: str | None = None) -> Outcome:
    """Let somebody hear of an incident that is open, perhaps because they have just reported the same."""
    incident = find(desk, ref, for_change=True)
    require_move(ref, incident.state, "follow")
    if desk.asker.key == incident.reporter or _follows(desk, incident):
        raise WrongState(f"You hear of {ref} already.", subject=ref)
    joined = newcomers(desk, incident, [desk.asker.key])
    before = move(incident, desk)
    desk.records.incidents.put_part(incident.number, FOLLOWER, desk.asker.key, desk.now)
    told = change(incident, action, before, {"person": desk.asker.key}, {"title": words})
    return done(desk, incident, f"You hear of {ref} from now on", [told], joined=joined)


def _follows(desk: Desk, incident: Incident) -> bool:
    return any(
        each.part == FOLLOWER and each.person == desk.asker.key
        for each in desk.records.incidents.parts(incident.number)
    )


@command("incident follow", params=Follow, evidences=("IRP SP 2.5",))
def follow(asked: Follow, desk: Desk) -> Outcome:
    """Hear of an incident: every update, and when service is back."""
    return _join(desk, asked.incident, "followed")


@command("incident unfollow", params=Unfollow, evidences=("IRP SP 2.5",))
def unfollow(asked: Unfollow, desk: Desk) -> Outcome:
    """Hear of an incident no more."""
    incident = find(desk, asked.incident, for_change=True)
    if not _follows(desk, incident):
        raise WrongState(f"You do not follow {incident.ref}.", subject=incident.ref)
    before = move(incident, desk)
    desk.records.incidents.drop_parts(incident.number, [FOLLOWER], desk.asker.key)
    told = change(incident, "unfollowed", before, {"person": desk.asker.key})
    return done(desk, incident, f"You do not hear of {incident.ref} any more", [told])
