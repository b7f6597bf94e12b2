"""A page: waking people and rooms about an incident with enough to act on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from handlers.desk import Desk
from handlers.incidents.card import named_title
from handlers.messages import (
    Button,
    Kind,
    Notice,
    Reply,
    Style,
    Tone,
    ToPerson,
    ToRoom,
    facts,
)
from handlers.rules.workflow import IncidentState
from handlers.telling import show_button
from storage.models.incidents import Incident


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
            show_button(incident.ref),
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
