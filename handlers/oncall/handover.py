"""Handing over: what changes when a turn ends, what the next person gets, and what nobody took.

`oncall turn` looks at one rota and says what has changed since it looked last; it is said at every change of turns, and
after whatever may have moved one. Said twice, or late, it tells the same once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from config.policy import Rota, fingerprint
from handlers.declare import Change, Due, Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed
from handlers.messages import Button, Kind, Notice, Reply, Style, Tone, Words, facts
from handlers.oncall.shared import (
    Present,
    RotaKey,
    held_by,
    left_behind,
    open_for,
    present,
    refs,
    require_named,
    rota_button,
    tell_person,
    tell_room,
)
from handlers.parsing import Manner, PersonRef, Text, Word
from storage.models.incidents import Incident
from storage.models.oncall import RotaTurn

GRACE = timedelta(minutes=15)
"""How long after their turn somebody may still hand over what they hold; then it goes back to triggered."""

_AT_ONCE = 5
"""So many incidents move with the command itself; each of the others right after it, by a command of its own."""


@dataclass(frozen=True)
class Rotas:
    """For example: oncall turns"""


@dataclass(frozen=True)
class Turn:
    """For example: oncall turn platform"""

    rota: Word


@dataclass(frozen=True)
class HandOff:
    """For example: oncall handoff db-2 fills up, look at it before noon"""

    notes: Annotated[Text, "What whoever comes next must know"]
    rota: Annotated[RotaKey | None, Manner.BY_NAME, "The rota; yours without it"] = None
    to: Annotated[PersonRef | None, Manner.BY_NAME, "Who takes over; whoever comes next without it"] = None


@dataclass(frozen=True)
class Release:
    """For example: oncall release platform oncall"""

    rota: Word
    person: Word


# Turns --------------------------------------------------------------------------------------------


@command("oncall turns", params=Rotas, evidences=("SD SP 2.1",), desk_only=True, tends=True)
def look_at_rotas(asked: Rotas, desk: Desk) -> Outcome:
    """Take up the rotas as the policy says them now, and see to it that each change of theirs is noticed."""
    records = desk.records.oncall
    changes: list[Change] = []
    due: list[Due] = []
    rotas = desk.policy.rotas
    gone = [row.rota for row in records.turns() if row.rota not in rotas]
    for key in gone:
        records.forget(key)
    is_spoken_to = desk.is_spoken_to
    for rota in rotas.values():
        found = present(desk.policy, desk.records, rota.key, desk.now)
        row, version = _row(desk, rota, found), _version(desk, rota)
        due.append(_next_look(rota.key, found.changes_at if row.person == found.person else desk.now))
        if is_spoken_to and row.version != version:
            row.version, row.revised_at = version, desk.now
            layers = [list(layer.people) for layer in rota.layers]
            told = {"version": version, "layers": layers, "person": found.person}
            changes.append(Change("oncall.scheduled", _subject(rota), None, told))
    records.save()
    return Outcome(
        reply=Reply(title="The rotas are taken up."),
        changes=changes,
        due=due,
        undue=[prefix for key in gone for prefix in (f"oncall/turn/{key}", f"oncall/release/{key}")],
    )


def _next_look(rota: str, at: datetime) -> Due:
    return Due(f"oncall/turn/{rota}", "oncall", at, f"oncall turn {rota}")


def _version(desk: Desk, rota: Rota) -> str:
    closing = [desk.policy.calendars[each.closed_days_of] for each in rota.layers if each.closed_days_of]
    return fingerprint([rota, [each.closed for each in closing]])


def _subject(rota: Rota) -> str:
    """Under which name the ledger tells of a rota."""
    return f"rota:{rota.key}"


def _row(desk: Desk, rota: Rota, found: Present) -> RotaTurn:
    """What was last said of a rota, locked; who holds it the first time one looks has taken over from nobody."""
    row = desk.records.oncall.turn(rota.key, for_change=True)
    if row is None:
        row = RotaTurn(rota=rota.key, person=found.person, since=desk.now, version="", revised_at=desk.now)
        desk.records.oncall.add(row)
    return row


@command("oncall turn", params=Turn, evidences=("SD SP 3.2",), desk_only=True)
def look_at_rota(asked: Turn, desk: Desk) -> Outcome:
    """Say that a rota has changed hands, if it has, and see to it that its next change is noticed."""
    rota = desk.policy.rotas.get(asked.rota)
    if rota is None:
        return Outcome(reply=Reply(title=f"There is no rota {asked.rota} any more."))
    found = present(desk.policy, desk.records, rota.key, desk.now)
    row = _row(desk, rota, found)
    due = [_next_look(rota.key, found.changes_at)]
    if row.person == found.person:
        return Outcome(reply=Reply(title=f"{rota.name} has not changed hands."), due=due)
    return _change_hands(desk, rota, row, found, due)


def _change_hands(desk: Desk, rota: Rota, row: RotaTurn, found: Present, due: list[Due]) -> Outcome:
    row.before, row.person, row.since, row.number = row.person, found.person, desk.now, row.number + 1
    desk.records.oncall.save()
    held = left_behind(desk, rota.key, row.before) if row.before else ()
    changed = Change(
        "oncall.turn_changed",
        _subject(rota),
        {"person": row.before},
        {"person": row.person, "held": [each.ref for each in held]},
    )
    if held and row.before:
        line = f"oncall release {rota.key} {row.before}"
        due = [*due, Due(_release_key(rota.key, row.before), "oncall", desk.now + GRACE, line)]
    return Outcome(
        reply=Reply(title=f"{rota.name} has changed hands."),
        changes=[changed],
        notices=_told_of_change(desk, rota, row, found, held),
        due=due,
        # Whoever is on call again keeps what they hold.
        undue=[_release_key(rota.key, row.person)] if row.person else (),
        follow=["oncall turns"] if row.version == "" else (),
    )


def _release_key(rota: str, person: str) -> str:
    return f"oncall/release/{rota}/{person}"


def _told_of_change(
    desk: Desk, rota: Rota, row: RotaTurn, found: Present, held: Sequence[Incident]
) -> list[Notice]:
    """To the room, to whoever begins, and to whoever is done."""
    key = f"oncall/{rota.key}/{row.number}"
    opened = open_for(desk, rota.key)
    until = desk.at(found.now.end) if found.now else None
    open_ones = facts(
        ("Until", until),
        ("Nobody holds", refs(each for each in opened if each.assignee is None)),
        (f"{desk.directory.name(row.before)} holds", refs(held)),
    )
    begins = desk.directory.name(row.person)
    title = f"{rota.name}: {begins} is on call now" if row.person else f"{rota.name}: nobody is on call now"
    room = Reply(
        title=title,
        text=_whose(desk, rota, row, found),
        facts=open_ones,
        buttons=(Button(label="Who is on call?", line=f"oncall who {rota.key}"),),
    )
    notices = [tell_room(rota, room, key, Kind.REMINDER)]
    if row.person:
        you = Reply(
            title=f"{rota.name}: you are on call now",
            text=() if opened else ("Nothing is open.",),
            facts=open_ones,
            buttons=(*_shown(opened), rota_button(rota.key)),
        )
        notices += tell_person(desk, row.person, you, f"{key}/begins")
    # Where nothing is open, there is nothing to say about it, and nobody is asked.
    if row.before and opened:
        notices += tell_person(desk, row.before, _done(desk, rota, row, held), f"{key}/ends")
    return notices


def _whose(desk: Desk, rota: Rota, row: RotaTurn, found: Present) -> Words:
    if row.person and row.before:
        return (
            desk.directory.who_is(row.person),
            " takes over from ",
            desk.directory.who_is(row.before),
            ".",
        )
    if row.person:
        return (desk.directory.who_is(row.person), " begins.")
    if found.later is None:
        return ("Nobody comes next.",)
    comes, at = desk.directory.who_is(found.later.person), desk.at(found.later.start) or ""
    return (comes, " comes next, from ", at, ", as planned." if rota.gaps else ".")


def _shown(incidents: Sequence[Incident]) -> tuple[Button, ...]:
    return tuple(Button(label=f"Show {each.ref}", line=each.ref) for each in incidents[:3])


def _done(desk: Desk, rota: Rota, row: RotaTurn, held: Sequence[Incident]) -> Reply:
    """The word to whoever is done: what they hold is theirs to hand over."""
    to = f" to:{row.person}" if row.person else ""
    line = f"oncall handoff rota:{rota.key}{to}"
    if not held:
        return Reply(
            title=f"{rota.name}: your turn is over",
            text=("You hold nothing of what is open. Is there anything that whoever comes next must know?",),
            buttons=(Button(label="Hand over", line=line),),
        )
    lapses = desk.at(desk.now + GRACE) or ""
    keep = f"oncall handoff rota:{rota.key} to:{row.before} notes:“I finish what I hold.”"
    return Reply(
        title=f"{rota.name}: your turn is over, and you hold {refs(held)}",
        text=("What you have not handed to somebody by ", lapses, " wakes whoever is on call then."),
        tone=Tone.WAITING,
        buttons=(
            Button(label="Hand over", line=line, style=Style.PRIMARY),
            Button(label="I finish it", line=keep),
            *_shown(held),
        ),
        subject=held[0].ref,
    )


# Handing over -------------------------------------------------------------------------------------


@command("oncall handoff", params=HandOff, evidences=("SD SP 3.2",))
def hand_off(asked: HandOff, desk: Desk) -> Outcome:
    """Hand over what you hold, with notes, to whoever comes next or somebody you name."""
    rota = desk.policy.rotas[asked.rota] if asked.rota else _own_rota(desk)
    found = present(desk.policy, desk.records, rota.key, desk.now)
    row, held = _row(desk, rota, found), held_by(desk, rota.key, desk.asker.key)
    if desk.asker.key not in (row.person, row.before) and not held:
        raise NotAllowed(
            f"{rota.name}: you are not on call, nor were you last.",
            f"{desk.directory.name(row.person)} is.",
        )
    to = asked.to or _next_person(desk, rota, found)
    require_named(desk, to, "to")
    passed = () if to == desk.asker.key else held
    handed = Change(
        "oncall.handed_over",
        _subject(rota),
        {"person": desk.asker.key},
        {"person": to, "incidents": [each.ref for each in held]},
        {"notes": asked.notes},
    )
    told = Reply(
        title=f"{rota.name}: {desk.asker.name} hands over to {desk.directory.name(to)}",
        text=(asked.notes,),
        facts=facts(
            ("From", desk.who(desk.asker.key)),
            ("To", desk.who(to)),
            ("Incidents", refs(held) or "none"),
        ),
        buttons=_shown(held),
    )
    key = f"oncall/{rota.key}/handoff/{desk.reference}"
    return Outcome(
        reply=told.model_copy(update={"tone": Tone.GOOD, "text": _after(desk, found, to)}),
        changes=[handed],
        notices=[*tell_person(desk, to, told, key), tell_room(rota, told, key)],
        undue=[_release_key(rota.key, desk.asker.key)],
        follow=[_handing(desk, each, to) for each in passed[:_AT_ONCE]],
        due=[_soon(desk, each, _handing(desk, each, to)) for each in passed[_AT_ONCE:]],
    )


def _handing(desk: Desk, incident: Incident, to: str) -> str:
    return f"incident handoff {incident.ref} to:{to} of:{desk.asker.key}"


def _soon(desk: Desk, incident: Incident, line: str) -> Due:
    return Due(f"{incident.ref}/handoff", incident.ref, desk.now, line, urgent=True)


def _after(desk: Desk, found: Present, to: str) -> Words:
    if to == desk.asker.key:
        return ("You keep what you hold.",)
    if found.now and found.now.person == desk.asker.key:
        return (
            "You stay on call until ",
            desk.at(found.now.end) or "",
            "; an override or a swap changes that.",
        )
    return ("Thank you!",)


def _own_rota(desk: Desk) -> Rota:
    """The one rota that the asker holds, or held last, or of which they hold incidents."""
    me = desk.asker.key
    rows = [row for row in desk.records.oncall.turns() if row.rota in desk.policy.rotas]
    mine = (
        [row.rota for row in rows if row.person == me]
        or [row.rota for row in rows if row.before == me]
        or [key for key in desk.policy.rotas if held_by(desk, key, me)]
    )
    if not mine:
        raise NotAllowed("You are not on call, nor were you last.", "`oncall who` shows who is.")
    if len(mine) > 1:
        raise desk.ask({"rota": "It could be more than one rota; say which."})
    return desk.policy.rotas[mine[0]]


def _next_person(desk: Desk, rota: Rota, found: Present) -> str:
    """Who takes over from the asker: whoever is on call now, or comes next."""
    for each in (found.now, found.later):
        if each is not None and each.person != desk.asker.key:
            return each.person
    raise desk.ask({"to": "Nobody else comes next; say who takes over."})


@command("oncall release", params=Release, evidences=("SD SP 3.2",), desk_only=True)
def release(asked: Release, desk: Desk) -> Outcome:
    """Give back what somebody still holds after their turn, so that whoever is on call now is woken for it."""
    rota = desk.policy.rotas.get(asked.rota)
    if rota is None or present(desk.policy, desk.records, rota.key, desk.now).person == asked.person:
        return Outcome(reply=Reply(title=f"Nothing is to be given back by {asked.person}."))
    held = left_behind(desk, rota.key, asked.person)
    if not held:
        return Outcome(reply=Reply(title=f"{asked.person} holds nothing any more."))
    lapsed = Change(
        "oncall.released",
        _subject(rota),
        {"person": asked.person},
        {"incidents": [each.ref for each in held]},
    )
    return Outcome(
        reply=Reply(title=f"{asked.person} gave back {refs(held)}."),
        changes=[lapsed],
        follow=[f"incident untake {each.ref}" for each in held[:_AT_ONCE]],
        due=[_soon(desk, each, f"incident untake {each.ref}") for each in held[_AT_ONCE:]],
    )
