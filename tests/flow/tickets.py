"""A small capability of the tests' own: tickets that are opened, told about, reminded of and closed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from handlers.declare import Change, Due, Outcome, Standing, command, subject
from handlers.desk import Desk
from handlers.errors import NotFound, WrongState
from handlers.messages import Audience, Button, Card, Kind, Notice, Reply, ToPerson, ToRoom, ToThread
from handlers.parsing import Free

PRACTICES = ("SD SP 3.1",)
Word = Annotated[str, Free(takes_rest=False)]


@dataclass(frozen=True)
class About:
    """ticket VERB TICKET [ROOM] [WORDS], for example: ticket open TKT-1 room-a"""

    ticket: Word
    room: Word = "room-a"
    words: Annotated[str, Free()] = ""


def _state(ref: str, desk: Desk) -> str:
    state = desk.records.facts.get(ref)
    if state is None:
        raise NotFound(f"There is no {ref}.")
    return str(state)


def _change(ref: str, action: str) -> Change:
    return Change(action=f"ticket.{action}", subject=ref)


def _notice(asked: About, desk: Desk, kind: Kind, to: Audience | None = None) -> Notice:
    title = asked.words or f"{kind} {asked.ticket}"
    reply = Reply(
        title=title,
        subject=asked.ticket,
        buttons=(Button(label="Close", line=f"ticket close {asked.ticket}"),),
    )
    key = f"{asked.ticket}/{kind}/{title}/{int(desk.now.timestamp())}"
    return Notice(
        to=to or ToRoom(room=asked.room),
        reply=reply,
        key=key,
        kind=kind,
        subject=asked.ticket,
        while_in=("open",),
    )


@subject("TKT")
def look(ref: str, desk: Desk) -> Standing:
    """A ticket whose number is 666 cannot be drawn."""
    if ref == "TKT-666":
        raise ZeroDivisionError
    state = _state(ref, desk)
    return Standing(ref=ref, state=state, version=1, drawn=Reply(title=f"{ref} is {state}"), room="room-a")


@command("ticket open", params=About, evidences=PRACTICES)
def opens(asked: About, desk: Desk) -> Outcome:
    """Open a ticket; its card hangs in the room."""
    desk.records.facts.put(asked.ticket, "open")
    card = Card(subject=asked.ticket, room=asked.room)
    return Outcome(reply=Reply(title="opened"), changes=[_change(asked.ticket, "opened")], cards=[card])


@command("ticket close", params=About, evidences=PRACTICES)
def close(asked: About, desk: Desk) -> Outcome:
    """Close a ticket; what was still to be said about it is not worth saying."""
    if _state(asked.ticket, desk) == "closed":
        raise WrongState(f"{asked.ticket} is closed already.")
    desk.records.facts.put(asked.ticket, "closed")
    return Outcome(
        reply=Reply(title="closed"), changes=[_change(asked.ticket, "closed")], undue=[asked.ticket]
    )


@command("ticket redraw", params=About, evidences=PRACTICES)
def redraw(asked: About, desk: Desk) -> Outcome:
    """Draw the card anew."""
    card = Card(subject=asked.ticket, room=asked.room)
    return Outcome(reply=Reply(title="drawn"), changes=[_change(asked.ticket, "drawn")], cards=[card])


@command("ticket tell", params=About, evidences=PRACTICES)
def tell(asked: About, desk: Desk) -> Outcome:
    """Tell a room."""
    notice = _notice(asked, desk, Kind.MESSAGE)
    return Outcome(reply=Reply(title="told"), changes=[_change(asked.ticket, "told")], notices=[notice])


@command("ticket answer", params=About, evidences=PRACTICES)
def answer(asked: About, desk: Desk) -> Outcome:
    """Say something below the card."""
    notice = _notice(asked, desk, Kind.MESSAGE, ToThread(subject=asked.ticket, room=asked.room))
    return Outcome(reply=Reply(title="told"), changes=[_change(asked.ticket, "told")], notices=[notice])


@command("ticket page", params=About, evidences=PRACTICES)
def page(asked: About, desk: Desk) -> Outcome:
    """Wake a room."""
    notice = _notice(asked, desk, Kind.PAGE)
    return Outcome(reply=Reply(title="paged"), changes=[_change(asked.ticket, "paged")], notices=[notice])


@command("ticket wake", params=About, evidences=PRACTICES)
def wake(asked: About, desk: Desk) -> Outcome:
    """Wake one person, whose key stands where the room does; when that is in vain, the ticket climbs."""
    notice = _notice(asked, desk, Kind.PAGE, ToPerson(person=asked.room))
    notice = notice.model_copy(update={"otherwise": f"ticket climb {asked.ticket} {asked.room}"})
    return Outcome(reply=Reply(title="woken"), changes=[_change(asked.ticket, "woken")], notices=[notice])


@command("ticket climb", params=About, evidences=PRACTICES, desk_only=True)
def climb(asked: About, desk: Desk) -> Outcome:
    """Notes that somebody could not be woken."""
    change = Change(action="ticket.climbed", subject=asked.ticket, after={"past": asked.room})
    return Outcome(reply=Reply(title="climbed"), changes=[change])


@command("ticket whisper", params=About, evidences=PRACTICES)
def whisper(asked: About, desk: Desk) -> Outcome:
    """Tell one person, whose key stands where the room does."""
    notice = _notice(asked, desk, Kind.MESSAGE, ToPerson(person=asked.room))
    return Outcome(reply=Reply(title="told"), changes=[_change(asked.ticket, "told")], notices=[notice])


@command("ticket remind", params=About, evidences=PRACTICES)
def remind(asked: About, desk: Desk) -> Outcome:
    """Remind a room, unless the ticket is closed."""
    if _state(asked.ticket, desk) == "closed":
        raise WrongState(f"{asked.ticket} is closed.")
    notice = _notice(asked, desk, Kind.REMINDER)
    return Outcome(
        reply=Reply(title="reminded"), changes=[_change(asked.ticket, "reminded")], notices=[notice]
    )


@command("ticket break", params=About, evidences=PRACTICES)
def breaks(asked: About, desk: Desk) -> Outcome:
    """A command that our own mistake keeps from being carried out."""
    raise ZeroDivisionError


@command("ticket tick", params=About, evidences=PRACTICES)
def tick(asked: About, desk: Desk) -> Outcome:
    """Sets the very moment anew that it is carried out for, a minute later."""
    again = Due(
        f"{asked.ticket}/tick", asked.ticket, desk.now + timedelta(minutes=1), f"ticket tick {asked.ticket}"
    )
    return Outcome(reply=Reply(title="tick"), changes=[_change(asked.ticket, "ticked")], due=[again])


@command("ticket later", params=About, evidences=PRACTICES)
def later(asked: About, desk: Desk) -> Outcome:
    """Say a line about the ticket in ten minutes; what wakes people is urgent."""
    verb = asked.words or "remind"
    line = f"ticket {verb} {asked.ticket} {asked.room}"
    due = Due(
        f"{asked.ticket}/{verb}", asked.ticket, desk.now + timedelta(minutes=10), line, urgent=verb == "page"
    )
    return Outcome(reply=Reply(title="later"), changes=[_change(asked.ticket, "planned")], due=[due])
