"""Telling: a private word to those concerned, a word below the card, a page; nobody hears of their own deeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from handlers.desk import Desk
from handlers.incidents.card import named_title, show_button
from handlers.messages import (
    Button,
    Fact,
    Kind,
    Notice,
    Part,
    Reply,
    Style,
    Tone,
    ToPerson,
    ToRoom,
    ToThread,
    facts,
)
from handlers.rules.workflow import IncidentState
from storage.models.incidents import Incident


def tell(
    desk: Desk,
    incident: Incident,
    people: Iterable[str],
    title: str,
    *,
    text: Iterable[Part] | str = (),
    details: Sequence[Fact] = (),
    buttons: Sequence[Button] = (),
    while_in: Sequence[str] | None = None,
    kind: Kind = Kind.MESSAGE,
) -> list[Notice]:
    """A private word to each of these people but the asker, once for each change of the incident."""
    reply = Reply(
        title=title,
        text=_words(text),
        facts=tuple(details),
        buttons=(*buttons, show_button(incident)),
        subject=incident.ref,
    )
    return [
        Notice(
            to=ToPerson(person=person),
            reply=reply,
            key=f"{incident.ref}/v{incident.version}/{person}",
            kind=kind,
            subject=incident.ref,
            while_in=tuple(while_in) if while_in else None,
        )
        for person in dict.fromkeys(people)
        if person != desk.asker.key
    ]


def in_thread(
    incident: Incident, title: str, *, text: Iterable[Part] | str = (), details: Sequence[Fact] = ()
) -> list[Notice]:
    """A word below the card, where everybody who works on it reads along."""
    return [
        Notice(
            to=ToThread(subject=incident.ref, room=incident.room),
            reply=Reply(
                title=title, text=_words(text), facts=tuple(details), subject=incident.ref, private=False
            ),
            key=f"{incident.ref}/v{incident.version}/thread",
            subject=incident.ref,
        )
    ]


def page(
    desk: Desk,
    incident: Incident,
    notify: Iterable[str],
    tag: str,
    why: str,
    *,
    while_in: Sequence[str] = (IncidentState.TRIGGERED,),
    buttons: Sequence[Button] = (),
    climbs: bool = False,
) -> list[Notice]:
    """Wake people (by key) and rooms (as `#room`) with enough to act on.

    `tag` tells this page from every other one of the incident. What nobody receives climbs on, if it `climbs`.
    """
    service = desk.policy.services.get(incident.service)
    reply = Reply(
        title=named_title(incident),
        text=(incident.detail[:1000],) if incident.detail else (),
        tone=Tone.BAD,
        facts=facts(
            ("Severity", incident.severity),
            ("Service", service.name if service else incident.service),
            ("Since", desk.at(incident.opened_at, relative=True)),
            ("Why you", why),
        ),
        buttons=(
            *(buttons or (_ack_button(incident),)),
            show_button(incident),
        ),
        subject=incident.ref,
        private=False,
    )
    return [
        Notice(
            to=ToRoom(room=name[1:]) if name.startswith("#") else ToPerson(person=name),
            reply=reply,
            key=f"{incident.ref}/page/{tag}/{name}",
            kind=Kind.PAGE,
            subject=incident.ref,
            while_in=tuple(while_in),
            otherwise=f"incident unreached {incident.ref} {name}"
            if climbs and not name.startswith("#")
            else None,
        )
        for name in notify
    ]


def _ack_button(incident: Incident) -> Button:
    return Button(label="Acknowledge", line=f"incident ack {incident.ref}", style=Style.PRIMARY)


def _words(text: Iterable[Part] | str) -> tuple[Part, ...]:
    return (text,) if isinstance(text, str) and text else tuple(text)
