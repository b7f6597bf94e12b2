"""Looking: who is on call, how the turns of a rota lie, and what is missing in the weeks to come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from config.policy import Contact, Escalation, Person, Rota, Way
from handlers.declare import command
from handlers.desk import Desk
from handlers.errors import BadValue
from handlers.messages import Button, Fact, FieldInput, Option, Reply, Table, Tone, Words, counted, facts
from handlers.oncall.feeds import feed_facts
from handlers.oncall.shared import (
    AHEAD,
    RotaKey,
    covers,
    exact,
    listed,
    people_of,
    present,
    rota_button,
    turns,
)
from handlers.parsing import Day, Named, Reading, When, WholeNumber
from handlers.rules import rotation
from handlers.rules.moments import instant_at
from handlers.rules.rotation import Cover

_ROWS = 30
"""So many turns fit into one answer on every platform."""
_FILLED = 5


@dataclass(frozen=True)
class RotaOrService:
    """The key of a rota or a service."""

    at_most: int = 100
    takes_rest: bool = False
    input: FieldInput = FieldInput.CHOICE

    def fits(self, text: str) -> bool:
        return True

    def read(self, text: str, reading: Reading) -> tuple[str, str]:
        """Its section of the policy and its key; a rota goes before a service of the same name."""
        for kind in (Named("rotas", "rota"), Named("services", "service")):
            try:
                return kind.section, kind.read(text, reading)
            except BadValue:
                continue
        known = ", ".join([*reading.policy.rotas, *reading.policy.services][:12])
        raise BadValue(
            f"There is no rota and no service called “{text[:60]}”.",
            f"Known: {known}. Ask for a moment with `at:`.",
        )

    def options(self, reading: Reading) -> Sequence[Option]:
        return [*Named("rotas", "rota").options(reading), *Named("services", "service").options(reading)]


@dataclass(frozen=True)
class WhoIs:
    """For example: oncall who platform at:"fri 20:00" """

    about: Annotated[tuple[str, str] | None, RotaOrService(), "A rota or a service; all rotas without it"] = (
        None
    )
    at: Annotated[When | None, "A moment, if not now"] = None


@dataclass(frozen=True)
class Turns:
    """For example: oncall rota platform mon 14"""

    rota: RotaKey
    start: Annotated[Day | None, "The first day, if not today"] = None
    days: Annotated[int, WholeNumber(1, 366), "How many days"] = 28


@dataclass(frozen=True)
class Gaps:
    """For example: oncall gaps 30"""

    days: Annotated[int, WholeNumber(1, 366), "How many days ahead"] = 30


# Who ----------------------------------------------------------------------------------------------


@command("oncall who", params=WhoIs)
def who(asked: WhoIs, desk: Desk) -> Reply:
    """See who is on call, until when, and who comes next; for a service, everybody who would be woken."""
    at = asked.at or desk.now
    section, key = asked.about or ("rotas", "")
    if section == "services":
        return _who_for_service(desk, key, at, asked.at)
    shown = [desk.policy.rotas[key]] if key else list(desk.policy.rotas.values())
    rows = tuple(((each.name,), *_holding(desk, each, at)) for each in shown)
    return Reply(
        title=f"On call: {shown[0].name}" if key else "On call",
        facts=(*_moment(desk, asked.at), *feed_facts(desk, key or None)),
        table=Table(
            columns=("Rota", "On call", "Until", "Then"),
            rows=rows,
            empty="This organisation has no rota yet: its administrator writes one into rotas.yaml.",
        ),
        buttons=(*(rota_button(each.key, f"Rota {each.name}"[:75]) for each in shown[:4]), _TEST),
        as_of=desk.now,
    )


_TEST = Button(label="Page me as a test", line="oncall test")


def _moment(desk: Desk, at: datetime | None) -> tuple[Fact, ...]:
    return facts(("At", desk.at(at)))


def _holding(desk: Desk, rota: Rota, at: datetime) -> tuple[Words, Words, Words]:
    """Who holds a rota, until when, and who comes next."""
    found = present(desk.policy, desk.records, rota.key, at)
    then: Words = ("—",)
    if found.later:
        then = (desk.directory.who_is(found.later.person), " from ", desk.at(found.later.start) or "")
    if found.now is None:
        return (("nobody, as planned" if rota.gaps else "nobody",), ("—",), then)
    endless = found.now.end >= at + AHEAD
    until: Words = ("no end in sight",) if endless else (desk.at(found.now.end, relative=True) or "",)
    return ((desk.directory.who_is(found.now.person),), until, then)


def _who_for_service(desk: Desk, key: str, at: datetime, asked_at: datetime | None) -> Reply:
    service = desk.policy.services[key]
    rules = desk.policy.incidents
    escalation = desk.policy.escalations.get(service.escalation or (rules.escalation if rules else ""))
    return Reply(
        title=f"Who is woken for {service.name}",
        facts=(*_moment(desk, asked_at), *feed_facts(desk, None)),
        table=Table(
            columns=("Level", "Who", "Until", "Then"),
            rows=tuple(_levels(desk, escalation, at)) if escalation else (),
            empty=f"Nobody: no escalation is set up for {service.name}.",
        ),
        buttons=(Button(label="All rotas", line="oncall who"), _TEST),
        as_of=desk.now,
    )


def _levels(desk: Desk, escalation: Escalation, at: datetime) -> Iterator[tuple[Words, ...]]:
    for number, level in enumerate(escalation.levels, 1):
        for name in level.notify:
            yield ((str(number),), *_notified(desk, name, at))
    yield (("at last",), (desk.directory.who_is(escalation.fallback),), ("—",), ("—",))


def _notified(desk: Desk, name: str, at: datetime) -> tuple[Words, Words, Words]:
    if name.startswith("rota:"):
        return _holding(desk, desk.policy.rotas[name.removeprefix("rota:")], at)
    if name.startswith("@"):
        team = desk.policy.teams[name[1:]]
        return ((f"{team.name}: ", *listed(desk, team.members)), ("—",), ("—",))
    if name.startswith("#"):
        return ((f"the room {desk.policy.rooms[name[1:]].name}",), ("—",), ("—",))
    return ((desk.directory.who_is(name),), ("—",), ("—",))


# Turns --------------------------------------------------------------------------------------------


@command("oncall rota", params=Turns)
def turns_of(asked: Turns, desk: Desk) -> Reply:
    """See the turns of a rota, with overrides and swaps, and where there is nobody."""
    rota = desk.policy.rotas[asked.rota]
    start = instant_at(asked.start, time(), desk.asker.zone) if asked.start else desk.now
    end = start + timedelta(days=asked.days)
    found = list(_with_gaps(covers(desk.policy, desk.records, rota.key, start, end), start, end))
    shown = found[:_ROWS]
    return Reply(
        title=rota.name,
        text=(f"Turns change on the clock of {rota.zone}.",),
        facts=feed_facts(desk, rota.key),
        table=Table(
            columns=("On call", "From", "To", "Why"),
            rows=tuple(_turn_row(desk, rota, *each) for each in shown),
        ),
        buttons=(
            *_later(rota, shown[-1][1] if shown else end, asked.days, desk.asker.zone),
            Button(label="Swap a turn", line=f"oncall swap {rota.key}"),
            Button(label="Override", line=f"oncall override {rota.key}"),
        ),
        as_of=desk.now,
    )


_Stretch = tuple[datetime, datetime, Cover | None]


def _with_gaps(found: Iterable[Cover], start: datetime, end: datetime) -> Iterator[_Stretch]:
    at = start
    for each in found:
        if at < each.start:
            yield at, each.start, None
        yield each.start, each.end, each
        at = each.end
    if at < end:
        yield at, end, None


def _turn_row(
    desk: Desk, rota: Rota, start: datetime, end: datetime, cover: Cover | None
) -> tuple[Words, ...]:
    on_call: Words = (desk.directory.who_is(cover.person),) if cover else ("nobody",)
    if cover is None:
        why = "as planned" if rota.gaps else "a gap"
    else:
        why = "turn" if len(rota.layers) == 1 and cover.by == "layer 1" else cover.by
    return (on_call, (desk.at(start) or "",), (desk.at(end) or "",), (why,))


def _later(rota: Rota, start: datetime, days: int, zone: str) -> tuple[Button, ...]:
    day = start.astimezone(ZoneInfo(zone)).date()
    return (Button(label="Later", line=f"oncall rota {rota.key} {day} {days}"),)


# Gaps ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Finding:
    """Something that is missing in a rota, from when to when; `instead` are those who could fill it."""

    rota: Rota
    start: datetime
    end: datetime
    what: Words
    instead: tuple[str, ...]


@command("oncall gaps", params=Gaps)
def gaps(asked: Gaps, desk: Desk) -> Reply:
    """See what is missing in the weeks to come: nobody on call, or somebody away or hard to wake."""
    end = desk.now + timedelta(days=asked.days)
    found = sorted(
        (each for rota in desk.policy.rotas.values() for each in _missing(desk, rota, desk.now, end)),
        key=lambda each: each.start,
    )
    return Reply(
        title=f"{counted(len(found), 'gap')} within {counted(asked.days, 'day')}",
        tone=Tone.BAD if found else Tone.GOOD,
        table=Table(
            columns=("Rota", "From", "To", "What", "Ask"),
            rows=tuple(
                (
                    (each.rota.name,),
                    (desk.at(each.start) or "",),
                    (desk.at(each.end) or "",),
                    each.what,
                    listed(desk, each.instead) or ("a manager",),
                )
                for each in found[:_ROWS]
            ),
            empty="Somebody is on call wherever somebody should be, is there, and can be woken.",
        ),
        buttons=tuple(_fill(each) for each in found[:_FILLED]),
        as_of=desk.now,
    )


def _fill(finding: _Finding) -> Button:
    person = f" person:{finding.instead[0]}" if len(finding.instead) == 1 else ""
    line = f"oncall override {finding.rota.key}{person} start:{exact(finding.start)} end:{exact(finding.end)}"
    return Button(label=f"Fill {finding.rota.name}, {finding.start:%d %b}"[:75], line=line)


def _missing(desk: Desk, rota: Rota, start: datetime, end: datetime) -> Iterator[_Finding]:
    if not rota.gaps:
        departures = desk.records.oncall.overrides(rota.key, start, end)
        for since, until in rotation.gaps(rota, desk.policy.calendars, departures, start, end):
            yield _Finding(rota, since, until, ("nobody is on call",), _there(desk, rota, since, until))
    told: set[str] = set()
    for turn in turns(desk.policy, desk.records, rota.key, start, end):
        known = desk.policy.people.get(turn.person)
        trouble = "is not in people.yaml any more" if known is None else _unreachable(desk, known)
        if trouble and turn.person not in told:
            told.add(turn.person)
            there = _there(desk, rota, turn.start, turn.end, but=turn.person)
            yield _Finding(
                rota, turn.start, turn.end, (desk.directory.who_is(turn.person), f" {trouble}"), there
            )
        for since, until in _absences(desk, known, turn.start, turn.end):
            what = (desk.directory.who_is(turn.person), " is away")
            yield _Finding(rota, since, until, what, _there(desk, rota, since, until, but=turn.person))


def _unreachable(desk: Desk, person: Person) -> str | None:
    """Why nothing can wake somebody, or None."""
    contacts = person.contacts or (Contact(Way.CHAT), Contact(Way.MAIL))
    return None if any(_works(desk, person, each) for each in contacts) else "has no contact that works"


def _works(desk: Desk, person: Person, contact: Contact) -> bool:
    if contact.way is Way.CHAT:
        return bool(desk.directory.reach(person.key))
    address = contact.to or (person.email if contact.way is Way.MAIL else None)
    return address is not None and desk.directory.is_set_up(contact.way)


def _absences(
    desk: Desk, person: Person | None, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The parts of a span in which somebody is away, by the days of their own zone."""
    if person is None:
        return
    zone = person.zone or desk.policy.organisation.zone
    for first, last in person.away:
        since = max(start, _midnight(first, zone))
        until = min(end, _midnight(last + timedelta(days=1), zone))
        if since < until:
            yield since, until


def _midnight(day: date, zone: str) -> datetime:
    return instant_at(day, time(), zone)


def _there(desk: Desk, rota: Rota, start: datetime, end: datetime, but: str = "") -> tuple[str, ...]:
    """Who takes turns in a rota and is there in a span; the absent one's delegate goes first."""
    known = desk.policy.people
    delegate = known[but].delegate if but in known else None
    candidates = dict.fromkeys([*([delegate] if delegate else []), *people_of(rota)])
    return tuple(
        each
        for each in candidates
        if each != but and each in known and not any(_absences(desk, known[each], start, end))
    )
