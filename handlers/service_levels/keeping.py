"""Keeping watch: what a change of a ticket does to its clocks, and who hears when time alone has changed one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from config.policy import Policy
from handlers.declare import Change, Due, Outcome, command
from handlers.desk import Desk
from handlers.messages import (
    DESK,
    Audience,
    Button,
    Kind,
    Notice,
    Part,
    Reply,
    Tone,
    ToPerson,
    ToRoom,
    Words,
    facts,
)
from handlers.parsing import AnyRef, Text
from handlers.rules.ledger import Record
from handlers.rules.moments import show_duration
from handlers.rules.promises import Clock, Course
from handlers.rules.sla_clock import Reading, Standing, State, next_moment
from handlers.service_levels.clocks import (
    OVER,
    Promised,
    agreement_of,
    allowed,
    read_clocks,
    row_of,
    show_button,
    why_button,
)
from storage.models.service_levels import ClockRow

_BREACH = 100


@dataclass(frozen=True)
class Refresh:
    """For example: sla refresh REQ-7"""

    ticket: AnyRef


@dataclass(frozen=True)
class Ring:
    """For example: sla ring REQ-7 resolve"""

    ticket: AnyRef
    promise: Annotated[Text, "The promise whose moment has come"]


# What the desk says to itself ----------------------------------------------------------------------


@command("sla refresh", params=Refresh, evidences=("WMC SP 1.2",), desk_only=True)
def refresh(asked: Refresh, desk: Desk) -> Outcome:
    """Read a ticket's clocks anew after it changed, and set the moments at which they will ring."""
    return refreshed(desk, asked.ticket)


def refreshed(desk: Desk, ref: str) -> Outcome:
    """A ticket's clocks read anew: the projection is put, and what follows from it is returned."""
    now = desk.now
    ticket = read_clocks(desk, ref)
    before = {row.promise: row for row in desk.records.clocks.of(ref)}
    rows = _rows(desk, ticket)
    moved = [clock for clock in ticket.clocks if not _same(rows[clock.name], before.get(clock.name))]
    promised = {
        clock.name: clock.reading.due_at.isoformat()
        for clock in moved
        if clock.reading.due_at and clock.reading.state not in OVER and _is_new(clock, before.get(clock.name))
    }
    # Most changes of a ticket, such as a comment, leave its clocks alone.
    if moved:
        _keep(desk, ref, list(rows.values()))
    changes = [Change("sla.promised", ref, None, promised)] if promised else []
    return Outcome(
        reply=Reply(title=f"{ref}: {len(ticket.clocks)} clocks"),
        changes=changes,
        notices=_announce(desk, ticket, before),
        due=[due for clock in moved if (due := _due(ref, clock, now))],
        undue=[f"sla/{ref}/{clock.name}" for clock in moved if next_moment(clock.reading, now) is None],
    )


def _rows(desk: Desk, ticket: Promised) -> dict[str, ClockRow]:
    agreement = agreement_of(desk, ticket)
    customer = agreement.customer if agreement else None
    # Only what was broken can have been left out, so hardly any ticket is asked about.
    broken = any(clock.reading.breaches for clock in ticket.clocks)
    agreed = {
        (each.kind, each.started_at)
        for each in (desk.records.clocks.exclusions(ticket.ref) if broken else ())
        if each.state == "agreed"
    }
    return {
        clock.name: row_of(
            desk, ticket, clock, customer, (str(clock.promise), clock.reading.started_at) in agreed
        )
        for clock in ticket.clocks
    }


def _keep(desk: Desk, ref: str, rows: Sequence[ClockRow]) -> None:
    # Whoever changes the same tallies waits for the ledger first, or two could wait for each other.
    desk.records.ledger.hold()
    desk.records.clocks.put(ref, rows)


def _same(row: ClockRow, before: ClockRow | None) -> bool:
    return before is not None and row.model_dump() == before.model_dump()


def _is_new(clock: Clock, row: ClockRow | None) -> bool:
    return row is None or row.due_at != clock.reading.due_at


def _due(ref: str, clock: Clock, now: datetime) -> Due | None:
    ahead = next_moment(clock.reading, now)
    if ahead is None:
        return None
    return Due(key=f"sla/{ref}/{clock.name}", subject=ref, at=ahead.at, line=f"sla ring {ref} {clock.name}")


def _announce(desk: Desk, ticket: Promised, before: Mapping[str, ClockRow]) -> list[Notice]:
    """The new promise is announced to whose ticket it is when a change of target moved it."""
    last, asker = ticket.history[-1], ticket.text(ticket.course.asker)
    if not {"priority", "agreement", "agreement_version"} & set(last.before or ()):
        return []
    moved = [
        clock
        for clock in ticket.clocks
        if clock.name in before and _is_moved(clock.reading, before[clock.name])
    ]
    if not moved or asker in (None, DESK.user):
        return []
    return [
        Notice(
            to=ToPerson(person=asker or ""),
            reply=Reply(
                title=f"{ticket.ref} has new promises",
                facts=facts(*((clock.name.capitalize(), _due_words(desk, clock.reading)) for clock in moved)),
                buttons=(why_button(ticket.ref),),
                subject=ticket.ref,
            ),
            key=f"{ticket.ref}/promised/{last.seq}",
            subject=ticket.ref,
        )
    ]


def _is_moved(reading: Reading, before: ClockRow) -> bool:
    if reading.state is State.PAUSED:  # it has no due moment, and allows more or less time all the same
        return allowed(reading) != before.allowed
    return reading.due_at is not None and reading.due_at != before.due_at


def _due_words(desk: Desk, reading: Reading) -> Words:
    moment = desk.at(reading.due_at, relative=True)
    if moment is None and reading.remaining is not None:
        return (f"{show_duration(reading.remaining, days=False)} left, once its clock goes on",)
    return ("by ", moment) if moment else (str(reading.state),)


@command("sla ring", params=Ring, evidences=("WMC SP 1.1",), desk_only=True)
def ring(asked: Ring, desk: Desk) -> Outcome:
    """Tell those whom the agreement names that a promise is running out, or was broken; each once."""
    ref = asked.ticket
    ticket = read_clocks(desk, ref)
    clock = ticket.clock(asked.promise)
    if clock is None or clock.reading.state in (*OVER, State.PAUSED, State.NOT_STARTED):
        return Outcome(reply=Reply(title=f"{ref}: nothing to say about {asked.promise}."))
    due = _due(ref, clock, desk.now)
    reached = _reached(clock.reading, desk.now)
    # What time alone has reached since is told once, as the gravest of it: a breach makes its warnings moot.
    if reached is None or _was_told(ticket.history, clock, *reached):
        return Outcome(reply=Reply(title=f"{ref}: nothing new."), due=[due] if due else [])
    percent, moment = reached
    broken = percent == _BREACH
    told = {"promise": clock.name, "percent": percent, "moment": moment.isoformat()}
    now_is = _rows(desk, ticket)[clock.name]
    others = [row for row in desk.records.clocks.of(ref) if row.promise != clock.name]
    _keep(desk, ref, [*others, now_is])
    course = ticket.course
    return Outcome(
        reply=Reply(title=f"{ref}: told"),
        changes=[Change("sla.breached" if broken else "sla.warned", ref, None, told)],
        notices=_reminders(desk, ticket, clock, percent, moment),
        due=[due] if due else [],
        follow=[f"{course.broken[clock.promise]} {ref}"] if broken and clock.promise in course.broken else [],
    )


def _reached(reading: Reading, now: datetime) -> tuple[int, datetime] | None:
    """The gravest thing that time has brought: (100, the breach) or (percent, the warning)."""
    if reading.due_at and reading.due_at <= now:
        return _BREACH, reading.due_at
    passed = [
        (each.percent, each.at) for each in reading.warnings if each.at and each.standing is Standing.PASSED
    ]
    return max(passed, default=None)


def _was_told(history: Sequence[Record], clock: Clock, percent: int, moment: datetime) -> bool:
    return any(
        record.action in ("sla.warned", "sla.breached")
        and record.after is not None
        and record.after["promise"] == clock.name
        and record.after["percent"] >= percent
        and record.after["moment"] >= moment.isoformat()
        for record in history
    )


def _reminders(desk: Desk, ticket: Promised, clock: Clock, percent: int, moment: datetime) -> list[Notice]:
    agreement, ref, course = agreement_of(desk, ticket), ticket.ref, ticket.course
    if agreement is None:
        return []  # whose capability makes the promise reminds of it, too
    broken = percent == _BREACH
    tell = agreement.tell.breach if broken else agreement.tell.warning
    due = desk.at(clock.reading.due_at, relative=True)
    title = f"{ref}: the promise to {clock.name} " + ("was broken" if broken else f"is {percent} % used up")
    late = desk.now - moment
    text: list[Part] = ["It was due " if broken else "It is due ", due or "", "."]
    if late.total_seconds() >= 60:
        text.append(
            f" (This word comes {show_duration(_whole_minutes(late))} late: the desk was away or had too much to do.)"
        )
    summary = desk.commands.looks[ref.partition("-")[0]](ref, desk).card.title
    owing = next((who for key in course.who_owes(clock.promise) if (who := ticket.text(key))), None)
    reply = Reply(
        title=title,
        text=tuple(text),
        tone=Tone.BAD if broken else Tone.WAITING,
        facts=facts(("About", summary), ("Held by", desk.who(ticket.text("assignee")) or "nobody yet")),
        buttons=(*_keep_buttons(ref, course, clock), show_button(desk, ref), why_button(ref)),
        subject=ref,
        private=False,
    )
    return [
        Notice(
            to=audience,
            reply=reply,
            key=f"sla/{ref}/{clock.name}/{percent}/{moment.isoformat()}",
            kind=Kind.REMINDER,
            subject=ref,
            while_in=tuple(str(state) for state in course.states_of(clock.promise)),
        )
        for audience in _audiences(desk.policy, tell, ticket, owing)
    ]


def _keep_buttons(ref: str, course: Course, clock: Clock) -> tuple[Button, ...]:
    """The way to keep the promise at once, where one command does."""
    if clock.promise not in course.keeps:
        return ()
    label, line = course.keeps[clock.promise]
    return (Button(label=label, line=f"{line} {ref}"),)


def _whole_minutes(late: timedelta) -> timedelta:
    return late - late % timedelta(minutes=1)


def _audiences(
    policy: Policy,
    tell: Iterable[str],
    ticket: Promised,
    owing: str | None,
) -> list[Audience]:
    """Those whom an agreement's `tell` names, each once; when nobody owes it (yet), the team hears it."""
    team = policy.teams.get(str(ticket.known.get("team")))
    service = policy.services.get(str(ticket.known.get("service")))
    asker = ticket.text(ticket.course.asker)
    found: dict[Audience, None] = {}
    for name in tell:
        match name:
            case "assignee" if owing:
                found[ToPerson(person=owing)] = None
            case "requester" if asker and asker != DESK.user:
                found[ToPerson(person=asker)] = None
            case "manager":
                manager = (team and team.lead) or (service and service.owner)
                if manager:
                    found[ToPerson(person=manager)] = None
            case "assignee" | "team":
                if team:
                    found[ToRoom(room=team.room)] = None
            case _ if name.startswith("#"):
                found[ToRoom(room=name[1:])] = None
    return list(found)
