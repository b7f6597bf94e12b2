"""Windows: reading when a change is to be made, and everything that stands in its way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from handlers.changes.content import content_of, service_names
from handlers.desk import Desk
from handlers.errors import InTheWay, NeedsForm
from handlers.estates import estate_of
from handlers.messages import Button, Part, Reply, Style, Table, Tone, Words, counted
from handlers.parsing import quoted
from handlers.rules import windows
from handlers.rules.moments import (
    NotADuration,
    NotUnderstood,
    instant_at,
    parse_duration,
    parse_when,
    show_day,
)
from handlers.rules.rotation import gaps
from handlers.rules.windows import AHEAD, LONGEST, Booking, Conflict, Kind, Span, in_common, next_free
from storage.models.changes import Change

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)  # a length to suggest where none can be told

_NAMES = {
    Kind.FREEZE: "freeze",
    Kind.CHANGE: "another change",
    Kind.DRILL: "drill",
    Kind.ON_CALL: "nobody on call",
    Kind.BUSY: "makes another change",
    Kind.AWAY: "away",
}


# Reading ------------------------------------------------------------------------------------------


def read_window(
    desk: Desk,
    start: str | None,
    end: str | None,
    *,
    services: Sequence[str] = (),
    length: timedelta | None = None,
    known: tuple[datetime, datetime] | None = None,
) -> tuple[datetime, datetime] | None:
    """The window that was said, in whole seconds; None where none was.

    `known` is the window it has already, of which one end may be kept, and `length` how long it is where nobody
    says. Asks anew, with the reason and the nearest window that is possible, for one that cannot be.
    """
    if start is None and end is None:
        return None
    if start is None and known is None:
        raise desk.ask({"start": "When does it begin? Write for example sat 22:00."})
    begins = known[0] if start is None and known else _moment(desk, "start", start or "", desk.now)
    ends = _end(desk, begins, end, length, known)
    if begins < desk.now.replace(microsecond=0):
        raise past(desk, services, ends - begins)
    return begins, ends


def _moment(desk: Desk, field: str, text: str, after: datetime) -> datetime:
    try:
        return parse_when(text, after, desk.asker.zone, exactly=True).replace(microsecond=0)
    except NotUnderstood as error:
        raise desk.ask({field: str(error)}) from None


def _end(
    desk: Desk,
    begins: datetime,
    end: str | None,
    length: timedelta | None,
    known: tuple[datetime, datetime] | None,
) -> datetime:
    if end is not None:
        try:
            ends = begins + parse_duration(end)
        except NotADuration:
            ends = _moment(desk, "end", end, begins)
    elif length is not None:
        ends = begins + length
    elif known is not None:
        ends = begins + (known[1] - known[0])
    else:
        raise desk.ask({"end": "How long does it take, or when does it end? Write for example 2h or 23:00."})
    if ends <= begins:
        nearest = at_words(desk, begins + _HOUR)
        raise desk.ask(
            {
                "end": f"That ends before it starts, which is {at_words(desk, begins)}. "
                f"Write how long it takes, as 2h, or a later end, as {nearest}."
            }
        )
    if ends - begins > LONGEST:
        raise desk.ask({"end": f"That is longer than {LONGEST.days} days. Make several changes of it."})
    return ends.replace(microsecond=0)


def past(desk: Desk, services: Sequence[str], length: timedelta) -> NeedsForm:
    """The question for another window than one that has begun, with the nearest that is free."""
    free = free_window(desk, services, desk.asker.key, length, desk.now)
    nearest = (
        f"The nearest window of that length begins {at_words(desk, free)}." if free else "Choose another."
    )
    return desk.ask({"start": f"That is past. {nearest}"})


def at_words(desk: Desk, at: datetime) -> str:
    """An instant on the asker's own clock, where only a plain text can be shown, as it can be typed again."""
    shown = windows.wall_of(at, desk.asker.zone)
    return f"{show_day(shown.date()).partition(' ')[2]} {shown:%H:%M}"


# What stands in the way ---------------------------------------------------------------------------


def in_the_way(
    desk: Desk, ref: str, services: Sequence[str], person: str, start: datetime, end: datetime
) -> list[Conflict]:
    """Everything that stands in the way of changing these services in `[start, end)`, the earliest first."""
    estate = estate_of(desk.policy)
    kin = estate.kin(services)
    return windows.conflicts(
        estate,
        Booking(ref, "", tuple(services), person, start, end),
        [
            *desk.records.changes.bookings(kin, person, start, end),
            *desk.records.continuity.drills_between(kin, start, end),
        ],
        desk.records.changes.freezes(start, end),
        lambda service, first, last: _uncovered(desk, service, first, last),
        list(_away(desk, person)),
    )


def conflicts_of(desk: Desk, change: Change, start: datetime, end: datetime) -> list[Conflict]:
    """Everything that stands in a change's way between two instants."""
    services = content_of(desk, change)["services"]
    return in_the_way(desk, change.ref, services, change.implementer, start, end)


def free_window(
    desk: Desk, services: Sequence[str], person: str, length: timedelta, earliest: datetime, ref: str = ""
) -> datetime | None:
    """When the next window of this length begins in which nothing is in the way, within 90 days; None for none."""
    first = earliest.replace(microsecond=0) + timedelta(seconds=1 if earliest.microsecond else 0)
    found = in_the_way(desk, ref, services, person, first, first + AHEAD + length)
    return next_free(found, length, first)


def _uncovered(desk: Desk, service: str, start: datetime, end: datetime) -> Iterable[Span]:
    """The spans in which none of the rotas that a service's escalation names has anybody."""
    policy = desk.policy
    known = policy.services.get(service)
    key = (known.escalation if known else None) or (policy.incidents.escalation if policy.incidents else None)
    escalation = policy.escalations.get(key or "")
    if escalation is None:
        return ()
    names = dict.fromkeys(
        name[5:] for level in escalation.levels for name in level.notify if name.startswith("rota:")
    )
    return in_common(
        [
            gaps(
                policy.rotas[rota],
                policy.calendars,
                desk.records.oncall.overrides(rota, start, end),
                start,
                end,
            )
            for rota in names
            if rota in policy.rotas
        ]
    )


def _away(desk: Desk, person: str) -> Iterator[Span]:
    """The days on which somebody is away, on their own clock."""
    known = desk.policy.people.get(person)
    for first, last in known.away if known else ():
        zone = known.zone if known and known.zone else desk.policy.organisation.zone
        midnight = datetime.min.time()
        yield instant_at(first, midnight, zone), instant_at(last + _DAY, midnight, zone)


def digest(found: Iterable[Conflict]) -> str:
    """A short name for a set of conflicts, by which somebody accepts these and no others."""
    return sha256("\n".join(sorted({each.key for each in found})).encode()).hexdigest()[:8]


# For people ---------------------------------------------------------------------------------------


def conflict_table(desk: Desk, found: Sequence[Conflict]) -> Table:
    """Every conflict: what it is, with what, when."""
    return Table(
        columns=("In the way", "What", "Services", "From", "To"),
        rows=tuple(
            (
                (_NAMES[each.kind],),
                _what(desk, each),
                (service_names(desk, each.services) or "—",),
                (desk.at(each.start) or "",),
                (desk.at(each.end) or "",),
            )
            for each in found
        ),
        empty="Nothing is in the way.",
    )


def _what(desk: Desk, conflict: Conflict) -> Words:
    if conflict.kind is Kind.AWAY:
        return (desk.directory.who_is(conflict.with_),)
    if conflict.kind is Kind.ON_CALL:
        return ("—",)
    return (f"{conflict.with_}: {conflict.name}" if conflict.name else conflict.with_,)


def refusal(
    desk: Desk,
    change: Change,
    title: str,
    found: Sequence[Conflict],
    *,
    free: datetime | None,
    length: timedelta,
    text: Iterable[Part] = (),
    anyway: tuple[str, str] | None = None,
) -> InTheWay:
    """All that stands in the way, with the next free window, and a way through where there is one.

    `anyway` is the label and the line of that way.
    """
    buttons = []
    said = [*text]
    if free is not None:
        line = f"change schedule {change.ref} start:{exact(free)} end:{exact(free + length)}"
        buttons.append(Button(label="Take the next free window", line=line, style=Style.PRIMARY))
        said += [" The next free window begins ", desk.at(free, relative=True) or "", "."]
    else:
        said.append(f" No window of that length is free within {AHEAD.days} days.")
    if anyway is not None:
        buttons.append(Button(label=anyway[0], line=anyway[1]))
    shown = Reply(
        title=title,
        text=tuple(said),
        tone=Tone.WAITING,
        table=conflict_table(desk, found),
        buttons=tuple(buttons),
        subject=change.ref,
    )
    return InTheWay(shown, title)


def in_words(found: Sequence[Conflict]) -> str:
    """How much is in the way: `2 conflicts: CHG-4, year-end`."""
    return f"{counted(len(found), 'conflict')}: {', '.join(dict.fromkeys(each.with_ for each in found))}"


def exact(at: datetime) -> str:
    """An instant as one word of a line, the same for everybody who clicks it."""
    return quoted(f"{at:%Y-%m-%dT%H:%M:%SZ}")


def as_content(window: Span | None) -> dict[str, str | None]:
    """A window as a content holds it."""
    start, end = window or (None, None)
    return {"start": start.isoformat() if start else None, "end": end.isoformat() if end else None}


def span_of(content: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    """The window of a content."""
    if not content["start"]:
        return None
    return datetime.fromisoformat(content["start"]), datetime.fromisoformat(content["end"])
