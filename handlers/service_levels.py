"""Service levels: what was promised, by when, why, and whether it was kept.

A clock is computed from the evidence each time it matters. What is stored is a projection for lists, and
one due moment for each clock: the next at which time alone changes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from config.policy import Agreement, Calendar, Policy
from handlers import definitions
from handlers.declare import Change, Due, Outcome, command
from handlers.desk import Desk
from handlers.errors import BadValue, NotFound
from handlers.messages import (
    DESK,
    Audience,
    Button,
    Fact,
    Kind,
    Notice,
    Part,
    Reply,
    Table,
    Tone,
    ToPerson,
    ToRoom,
    Words,
    counted,
    facts,
)
from handlers.parsing import AnyRef, Text, Word, quoted
from handlers.rules.ledger import Record
from handlers.rules.moments import show_duration
from handlers.rules.periods import Period, period
from handlers.rules.promises import Clock, Course, clocks_of, course_of
from handlers.rules.sla_clock import Reading, Row, Standing, State, explain, next_moment
from storage.models.service_levels import ClockRow

_OVER = (State.MET, State.MET_LATE, State.CANCELLED)
_ROWS = 40
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


@dataclass(frozen=True)
class Why:
    """For example: sla why REQ-7"""

    ticket: AnyRef


@dataclass(frozen=True)
class Status:
    """For example: sla status service-desk within:month"""

    of: Annotated[Word | None, "A service, a team or a customer; everything when left out"] = None
    within: Annotated[Word, "A period, such as week, month, 30d or 2026-10"] = "month"


@dataclass(frozen=True)
class Breaches:
    """For example: sla breaches within:week"""

    of: Annotated[Word | None, "A service, a team or a customer; everything when left out"] = None
    within: Annotated[Word, "A period, such as week, month, 30d or 2026-10"] = "month"


# Reading clocks ------------------------------------------------------------------------------------


def read_clocks(desk: Desk, ref: str) -> tuple[list[Clock], list[Record]]:
    """A ticket's clocks as its evidence shows them now, and that evidence."""
    history = desk.records.ledger.trail(ref)
    if not history:
        raise NotFound(f"There is no {ref}.", "Check the number.")

    def as_then(key: str, version: str) -> tuple[Agreement, Mapping[str, Calendar]]:
        terms = definitions.terms(desk, key, version)
        return terms.agreement, terms.calendars

    return clocks_of(history, as_then, desk.now), history


def _facts_of(history: Sequence[Record]) -> dict[str, object]:
    known: dict[str, object] = {}
    for record in history:
        if course_of(record.action):
            known.update(record.after or {})
    return known


def _course_of(history: Sequence[Record]) -> Course:
    return next(course for record in history if (course := course_of(record.action)))


def _row(ref: str, clock: Clock, known: Mapping[str, object], customer: str | None) -> ClockRow:
    reading = clock.reading
    ahead = [each.at for each in reading.warnings if each.at and each.standing is Standing.TO_COME]
    return ClockRow(
        subject=ref,
        promise=clock.name,
        agreement=str(known["agreement"]),
        agreement_version=str(known["agreement_version"]),
        service=str(known["service"]),
        team=str(known["team"]),
        customer=customer,
        priority=str(known["priority"]),
        goal=clock.goal,
        state=str(reading.state),
        open=reading.state not in _OVER,
        counted=not known.get("practice"),
        started_at=reading.started_at,
        due_at=reading.due_at,
        soon_at=max(ahead, default=None),
        stopped_at=reading.stopped_at,
        breached_at=reading.breached_at,
    )


# What the desk says to itself ----------------------------------------------------------------------


@command("sla refresh", params=Refresh, evidences=("WMC SP 1.2",), desk_only=True)
def refresh(asked: Refresh, desk: Desk) -> Outcome:
    """Read a ticket's clocks anew after it changed, and set the moments at which they will ring."""
    ref = asked.ticket
    clocks, history = read_clocks(desk, ref)
    known = _facts_of(history)
    agreement = definitions.terms(desk, str(known["agreement"]), str(known["agreement_version"])).agreement
    before = {row.promise: row for row in desk.records.clocks.of(ref)}
    rows = {clock.name: _row(ref, clock, known, agreement.customer) for clock in clocks}
    moved = [clock for clock in clocks if not _same(rows[clock.name], before.get(clock.name))]
    promised = {
        clock.name: clock.reading.due_at.isoformat()
        for clock in moved
        if clock.reading.due_at
        and clock.reading.state not in _OVER
        and _is_new(clock, before.get(clock.name))
    }
    # Most changes of a ticket, such as a comment, leave its clocks alone.
    if moved:
        desk.records.clocks.put(ref, list(rows.values()))
    changes = [Change("sla.promised", ref, None, promised)] if promised else []
    return Outcome(
        reply=Reply(title=f"{ref}: {len(clocks)} clocks"),
        changes=changes,
        notices=_announce(desk, ref, clocks, before, known, history),
        due=[due for clock in moved if (due := _due(ref, clock, desk.now))],
        undue=[f"sla/{ref}/{clock.name}" for clock in moved if next_moment(clock.reading, desk.now) is None],
    )


def _same(row: ClockRow, before: ClockRow | None) -> bool:
    return before is not None and row.model_dump() == before.model_dump()


def _is_new(clock: Clock, row: ClockRow | None) -> bool:
    return row is None or row.due_at != clock.reading.due_at


def _due(ref: str, clock: Clock, now: datetime) -> Due | None:
    ahead = next_moment(clock.reading, now)
    if ahead is None:
        return None
    return Due(key=f"sla/{ref}/{clock.name}", subject=ref, at=ahead.at, line=f"sla ring {ref} {clock.name}")


def _announce(
    desk: Desk,
    ref: str,
    clocks: Sequence[Clock],
    before: Mapping[str, ClockRow],
    known: Mapping[str, object],
    history: Sequence[Record],
) -> list[Notice]:
    """The new promise is announced to whose ticket it is when a change of target moved it."""
    last, asker = history[-1], _text(known.get(_course_of(history).asker))
    if "priority" not in (last.before or {}) and "agreement" not in (last.before or {}):
        return []
    moved = [
        clock
        for clock in clocks
        if clock.name in before and clock.reading.due_at and clock.reading.due_at != before[clock.name].due_at
    ]
    if not moved or asker in (None, DESK.user):
        return []
    return [
        Notice(
            to=ToPerson(person=asker or ""),
            reply=Reply(
                title=f"{ref} has new promises",
                facts=facts(*((clock.name.capitalize(), _due_words(desk, clock.reading)) for clock in moved)),
                buttons=(_why_button(ref),),
                subject=ref,
            ),
            key=f"{ref}/promised/{last.seq}",
            subject=ref,
        )
    ]


def _due_words(desk: Desk, reading: Reading) -> Words:
    moment = desk.at(reading.due_at, relative=True)
    return ("by ", moment) if moment else (str(reading.state),)


@command("sla ring", params=Ring, evidences=("WMC SP 1.1",), desk_only=True)
def ring(asked: Ring, desk: Desk) -> Outcome:
    """Tell those whom the agreement names that a promise is running out, or was broken; each once."""
    ref = asked.ticket
    clocks, history = read_clocks(desk, ref)
    clock = next((each for each in clocks if each.name == asked.promise), None)
    if clock is None or clock.reading.state in (*_OVER, State.PAUSED, State.NOT_STARTED):
        return Outcome(reply=Reply(title=f"{ref}: nothing to say about {asked.promise}."))
    known, course = _facts_of(history), _course_of(history)
    due = _due(ref, clock, desk.now)
    reached = _reached(clock.reading, desk.now)
    # What time alone has reached since is told once, as the gravest of it: a breach makes its warnings moot.
    if reached is None or _was_told(history, clock, *reached):
        return Outcome(reply=Reply(title=f"{ref}: nothing new."), due=[due] if due else [])
    percent, moment = reached
    broken = percent == _BREACH
    told = {"promise": clock.name, "percent": percent, "moment": moment.isoformat()}
    rows = desk.records.clocks.of(ref)
    for row in rows:
        if row.promise == clock.name:
            row.state, row.breached_at = str(clock.reading.state), clock.reading.breached_at
    desk.records.clocks.put(ref, rows)
    return Outcome(
        reply=Reply(title=f"{ref}: told"),
        changes=[Change("sla.breached" if broken else "sla.warned", ref, None, told)],
        notices=_reminders(desk, ref, clock, course, known, percent, moment),
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


def _reminders(
    desk: Desk,
    ref: str,
    clock: Clock,
    course: Course,
    known: Mapping[str, object],
    percent: int,
    moment: datetime,
) -> list[Notice]:
    agreement = definitions.terms(desk, str(known["agreement"]), str(known["agreement_version"])).agreement
    broken = percent == _BREACH
    tell = agreement.tell.breach if broken else agreement.tell.warning
    due = desk.at(clock.reading.due_at, relative=True)
    title = f"{ref}: the promise to {clock.name} " + ("was broken" if broken else f"is {percent} % used up")
    late = desk.now - moment
    text: list[Part] = ["It was due " if broken else "It is due ", due or "", "."]
    if late.total_seconds() >= 60:
        text.append(f" (This word comes {show_duration(_whole_minutes(late))} late: the desk was away.)")
    summary = desk.commands.looks[ref.partition("-")[0]](ref, desk).card.title
    owing = next((who for key in course.who_owes(clock.promise) if (who := _text(known.get(key)))), None)
    reply = Reply(
        title=title,
        text=tuple(text),
        tone=Tone.BAD if broken else Tone.WAITING,
        facts=facts(("About", summary), ("Held by", desk.who(_text(known.get("assignee"))) or "nobody yet")),
        buttons=(
            *_keep_buttons(ref, course, clock),
            Button(label=f"Show {ref}", line=f"{_noun(desk, ref)} show {ref}"),
            _why_button(ref),
        ),
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
        for audience in _audiences(desk.policy, tell, known, owing, _text(known.get(course.asker)))
    ]


def _keep_buttons(ref: str, course: Course, clock: Clock) -> tuple[Button, ...]:
    """The way to keep the promise at once, where one command does."""
    if clock.promise not in course.keeps:
        return ()
    label, line = course.keeps[clock.promise]
    return (Button(label=label, line=f"{line} {ref}"),)


def _whole_minutes(late: timedelta) -> timedelta:
    return late - late % timedelta(minutes=1)


def _text(value: object) -> str | None:
    return str(value) if value else None


def _noun(desk: Desk, ref: str) -> str:
    return desk.commands.shows[ref.partition("-")[0]].partition(" ")[0]


def _audiences(
    policy: Policy,
    tell: Iterable[str],
    known: Mapping[str, object],
    owing: str | None,
    asker: str | None,
) -> list[Audience]:
    """Those whom an agreement's `tell` names, each once; when nobody owes it (yet), the team hears it."""
    team = policy.teams.get(str(known.get("team")))
    service = policy.services.get(str(known.get("service")))
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


# What people ask -----------------------------------------------------------------------------------


@command("sla why", params=Why)
def why(asked: Why, desk: Desk) -> Reply:
    """See how each promise on a ticket was counted: from, to, counted or not, why, by which evidence."""
    desk.look(asked.ticket)
    clocks, _ = read_clocks(desk, asked.ticket)
    if not clocks:
        return Reply(title=f"Nothing was promised on {asked.ticket}.", subject=asked.ticket)
    sections = (
        *(_derivation(desk, clock) for clock in clocks if not clock.is_earlier),
        *_earlier(desk, [clock for clock in clocks if clock.is_earlier]),
    )
    return Reply(
        title=f"How the promises on {asked.ticket} were counted", subject=asked.ticket, more=sections
    )


def _derivation(desk: Desk, clock: Clock) -> Reply:
    reading = clock.reading
    rows = explain(reading)
    shown = rows[-_ROWS:]
    return Reply(
        title=f"{clock.name.capitalize()}: {reading.state}",
        tone=_tone(reading.state),
        facts=_sum(desk, reading),
        table=Table(
            columns=("From", "To", "Counted", "Why", "Evidence"),
            rows=tuple(_shown(desk, row) for row in shown),
        ),
        text=(f"The first {len(rows) - len(shown)} lines are left out.",) if len(rows) > len(shown) else (),
    )


def _earlier(desk: Desk, clocks: Sequence[Clock]) -> tuple[Reply, ...]:
    """Promises that were made anew since, a line for each: there may be many updates."""
    if not clocks:
        return ()
    shown = clocks[-_ROWS:]
    rows = tuple(
        (
            (clock.name,),
            (desk.at(clock.reading.started_at) or "",),
            (desk.at(clock.reading.due_at) or "",),
            (desk.at(clock.reading.stopped_at) or "",),
            (str(clock.reading.state),),
        )
        for clock in shown
    )
    table = Table(columns=("Promise", "Made", "Due", "Stopped", "State"), rows=rows)
    left_out = (f"The first {len(clocks) - len(shown)} are left out.",) if len(clocks) > len(shown) else ()
    return (Reply(title="Promises that came before", table=table, text=left_out),)


def _sum(desk: Desk, reading: Reading) -> tuple[Fact, ...]:
    calendar = reading.terms.calendar
    return facts(
        ("Promised", f"{_business(reading.terms.within)} in {calendar.name} ({calendar.zone})"),
        ("Counted so far", show_duration(_whole_seconds(reading.elapsed), days=False) or "nothing"),
        ("Due", desk.at(reading.due_at, relative=reading.stopped_at is None)),
        ("Stopped", desk.at(reading.stopped_at)),
        ("Broken", desk.at(reading.breached_at)),
    )


def _shown(desk: Desk, row: Row) -> tuple[Words, ...]:
    return (
        (desk.at(row.starts) or "",),
        (desk.at(row.ends) or "",) if row.ends != row.starts else ("",),
        (show_duration(_whole_seconds(row.amount), days=False) if row.counted else "—",),
        (row.why,),
        (f"#{row.seq}" if row.seq else "",),
    )


def _business(seconds: int) -> str:
    return show_duration(timedelta(seconds=seconds), days=False)


def _whole_seconds(length: timedelta) -> timedelta:
    return length - length % timedelta(seconds=1)


def _tone(state: State) -> Tone:
    return {State.MET: Tone.GOOD, State.BREACHED: Tone.BAD, State.MET_LATE: Tone.BAD}.get(state, Tone.PLAIN)


def _why_button(ref: str) -> Button:
    return Button(label="Why?", line=f"sla why {ref}")


@dataclass(frozen=True)
class _Scope:
    """What a manager asks about: one of service, team, customer, or everything."""

    name: str
    service: str | None = None
    team: str | None = None
    customer: str | None = None

    @property
    def where(self) -> dict[str, str | None]:
        return {"service": self.service, "team": self.team, "customer": self.customer}


def _scope(desk: Desk, of: str | None) -> _Scope:
    policy = desk.policy
    if of is None:
        return _Scope("everything")
    wanted = of.lower()
    if wanted in policy.services:
        return _Scope(f"the service {policy.services[wanted].name}", service=wanted)
    if wanted in policy.teams:
        return _Scope(f"the team {policy.teams[wanted].name}", team=wanted)
    customers = {each.customer for each in policy.agreements.values() if each.customer}
    for customer in customers:
        if customer.lower() == wanted:
            return _Scope(f"the customer {customer}", customer=customer)
    known = [*policy.services, *policy.teams, *sorted(customers)]
    raise NotFound(f"“{of[:60]}” is no service, team or customer.", f"Known: {', '.join(known[:20])}.")


def _period(desk: Desk, text: str) -> Period:
    try:
        return period(text, desk.now, desk.asker.zone)
    except ValueError as error:
        raise BadValue(str(error), field="within") from None


@command("sla status", params=Status)
def status(asked: Status, desk: Desk) -> Reply:
    """See whether promises are kept: by promise against its goal, what is running, what breaches next."""
    scope, span = _scope(desk, asked.of), _period(desk, asked.within)
    ended = desk.records.clocks.ended(span.since, span.until, **scope.where)
    earlier = span.before()
    ended_before = desk.records.clocks.ended(earlier.since, earlier.until, **scope.where)
    running = desk.records.clocks.running(**scope.where)
    promises = sorted({_kind(row) for row in (*ended, *running)})
    states = Counter(row.state_at(desk.now) for row in running)
    next_due = [row for row in running if row.due_at and row.due_at > desk.now][:5]
    table = Table(
        columns=("Promise", "Kept", "Broken", "Attainment", "Goal", "Period before"),
        rows=tuple(_attained(each, ended, ended_before, running) for each in promises),
        empty="Nothing was promised yet. When somebody asks for something, it shows here.",
    )
    upcoming = Reply(
        title="Next to break, if nobody acts",
        table=Table(
            columns=("Ticket", "Promise", "Due"),
            rows=tuple(
                ((row.subject,), (row.promise,), (desk.at(row.due_at, relative=True) or "",))
                for row in next_due
            ),
        ),
        buttons=tuple(Button(label=f"Show {row.subject}", line=row.subject) for row in next_due[:3]),
    )
    return Reply(
        title=f"Promises for {scope.name}, {span.name}",
        facts=facts(
            (
                "Clocks now",
                ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none open",
            )
        ),
        table=table,
        more=(upcoming,) if next_due else (),
        buttons=(
            Button(
                label="Breaches",
                line=f"sla breaches {f'of:{quoted(asked.of)} ' if asked.of else ''}within:{quoted(asked.within)}",
            ),
        ),
    )


def _kind(row: ClockRow) -> str:
    return row.promise.partition(" ")[0]


def _attained(
    promise: str, ended: Sequence[ClockRow], before: Sequence[ClockRow], running: Sequence[ClockRow]
) -> tuple[Words, ...]:
    kept, broken = _counts(promise, ended)
    kept_before, broken_before = _counts(promise, before)
    goals = {row.goal for row in (*ended, *running) if _kind(row) == promise}
    goal = max(goals, default=100.0)
    share = _share(kept, broken)
    verdict = "" if share is None else (" ✓" if share >= goal else " ✗ below goal")
    share_before = _share(kept_before, broken_before)
    return (
        (promise,),
        (str(kept),),
        (str(broken),),
        ("no occasion yet" if share is None else f"{share:.1f} %{verdict}",),
        (f"{goal:g} %",),
        ("—" if share_before is None else f"{share_before:.1f} %",),
    )


def _counts(promise: str, rows: Sequence[ClockRow]) -> tuple[int, int]:
    mine = [row for row in rows if _kind(row) == promise and row.state != State.CANCELLED]
    broken = sum(1 for row in mine if row.breached_at is not None)
    return len(mine) - broken, broken


def _share(kept: int, broken: int) -> float | None:
    return 100 * kept / (kept + broken) if kept + broken else None


@command("sla breaches", params=Breaches)
def breaches(asked: Breaches, desk: Desk) -> Reply:
    """See which promises were broken in a period."""
    scope, span = _scope(desk, asked.of), _period(desk, asked.within)
    rows = desk.records.clocks.broken(span.since, span.until, desk.now, **scope.where)
    shown = rows[:20]
    return Reply(
        title=f"{counted(len(rows), 'broken promise')} for {scope.name}, {span.name}",
        tone=Tone.GOOD if not rows else Tone.PLAIN,
        table=Table(
            columns=("Ticket", "Promise", "Broken", "Now"),
            rows=tuple(
                (
                    (row.subject,),
                    (row.promise,),
                    (desk.at(row.breached_at or row.due_at) or "",),
                    (row.state_at(desk.now),),
                )
                for row in shown
            ),
            empty="No promise was broken.",
        ),
        text=(f"The first {len(shown)} of {len(rows)}; ask for a shorter period to see the rest.",)
        if len(rows) > len(shown)
        else (),
        buttons=tuple(
            Button(label=f"Why {row.subject}?", line=f"sla why {row.subject}") for row in shown[:3]
        ),
    )
