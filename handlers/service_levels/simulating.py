"""What if: another version, calendar or holiday over the real evidence of open tickets; and making it so.

A simulation reads each open ticket's evidence as if it had been migrated now, so that what it shows is what applying
it gives. It is sealed: `sla migrate` applies exactly what was looked at, or shows what has changed since. A ticket that
is closed keeps what it was promised.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from typing import Annotated

from config.definitions import Definition, agreement_as
from config.policy import Agreement, Calendar, Role
from handlers import definitions
from handlers.declare import Change, Due, Outcome, command
from handlers.desk import Desk
from handlers.errors import BadValue
from handlers.messages import Button, Notice, Reply, Style, Table, Tone, Words, counted, facts
from handlers.parsing import Day, Manner, Named, Text, Word, quoted
from handlers.rules.promises import Clock, clocks_of
from handlers.rules.sla_clock import State
from handlers.service_levels.clocks import Promised, read_clocks
from handlers.service_levels.keeping import refreshed
from handlers.service_levels.scope import Scope, require_figures, scope_of
from handlers.tickets import number_of

AT_ONCE = 500
"""Open tickets that are looked at, and migrated, at once; the others follow when it is asked for again."""

_SHOWN = 15

AgreementKey = Annotated[str, Named("agreements", "agreement")]
CalendarKey = Annotated[str, Named("calendars", "calendar")]


@dataclass(frozen=True)
class Simulate:
    """For example: sla simulate standard closed:2026-12-23"""

    agreement: Annotated[AgreementKey, "Whose open tickets are looked at"]
    version: Annotated[Word | None, Manner.BY_NAME, "A version of it; that in force when left out"] = None
    calendar: Annotated[CalendarKey | None, Manner.BY_NAME, "Count every promise in this calendar"] = None
    closed: Annotated[Day | None, Manner.BY_NAME, "A day that shall be closed as well"] = None
    of: Annotated[Word | None, Manner.BY_NAME, "Only those of a service, a team or a customer"] = None


@dataclass(frozen=True)
class Migrate:
    """For example: sla migrate standard seal:1a2b3c4d5e6f closed:2026-12-23 because:“the works council asked for it”"""

    agreement: Annotated[AgreementKey, "Whose open tickets are migrated"]
    because: Annotated[Text, Manner.BY_NAME, "Why; it stays in the evidence"]
    seal: Annotated[Word, Manner.BY_NAME, Manner.UNASKED, "The seal of the simulation that you looked at"]
    version: Annotated[Word | None, Manner.BY_NAME, Manner.UNASKED, "As in the simulation"] = None
    calendar: Annotated[CalendarKey | None, Manner.BY_NAME, Manner.UNASKED, "As in the simulation"] = None
    closed: Annotated[Day | None, Manner.BY_NAME, Manner.UNASKED, "As in the simulation"] = None
    of: Annotated[Word | None, Manner.BY_NAME, Manner.UNASKED, "As in the simulation"] = None


@dataclass(frozen=True)
class TakeUp:
    """For example: sla take-up standard 1a2b3c4d5e6f7081 REQ-1,REQ-2"""

    agreement: Word
    version: Word
    tickets: Annotated[Text, "The tickets that were migrated"]


@dataclass(frozen=True)
class Move:
    """One moment of one promise, before and after; None where there is none. `what` is `due` or `75 %`."""

    ref: str
    promise: str
    what: str
    before: datetime | None
    after: datetime | None
    was: State | None
    becomes: State | None
    by_notice: bool

    @property
    def said(self) -> str:
        """What the seal covers. What the minimum notice gives is counted from the moment of the migration."""
        after = "notice" if self.by_notice else self.after
        return "|".join(
            map(str, (self.ref, self.promise, self.what, self.before, after, self.was, self.becomes))
        )


@dataclass(frozen=True)
class Preview:
    """What a migration would come to: the version, the tickets it concerns, the moments that move."""

    definition: Definition
    tickets: Sequence[Promised]
    moves: Sequence[Move]
    left: bool

    @property
    def seal(self) -> str:
        """The first 12 hex digits of SHA-256 over all that it shows."""
        said = [
            self.definition.version,
            *(each.ref for each in self.tickets),
            *(each.said for each in self.moves),
        ]
        return sha256("\n".join(said).encode()).hexdigest()[:12]

    @property
    def dues(self) -> list[Move]:
        """The due moments that move, or whose promise becomes another state."""
        return [each for each in self.moves if each.what == "due"]


# Asking -------------------------------------------------------------------------------------------


@command("sla simulate", params=Simulate)
def simulate(asked: Simulate, desk: Desk) -> Reply:
    """See every moment that another version, calendar or holiday would move on open tickets."""
    scope = scope_of(desk, asked.of)
    require_figures(desk, scope)
    return _shown(desk, asked, scope, _preview(desk, asked, scope))


@command("sla migrate", params=Migrate, role=Role.MANAGER, evidences=("SD SP 1.2", "CM SP 2.2"))
def migrate(asked: Migrate, desk: Desk) -> Outcome:
    """Apply to open tickets exactly what a simulation showed; if something changed since, look again."""
    scope = scope_of(desk, asked.of)
    same = Simulate(asked.agreement, asked.version, asked.calendar, asked.closed, asked.of)
    preview = _preview(desk, same, scope)
    if not preview.tickets:
        return Outcome(reply=Reply(title="Nothing was migrated.", text=(_unmoved(desk, same, scope),)))
    if preview.seal != asked.seal:
        shown = _shown(desk, same, scope, preview)
        title = "Something has changed since you looked, so nothing was migrated."
        return Outcome(reply=shown.model_copy(update={"title": title, "tone": Tone.WAITING}))
    key, version = preview.definition.key, preview.definition.version
    definitions.keep_as(desk, preview.definition)
    records = [_migrated(desk, ticket, key, version) for ticket in preview.tickets]
    told = {
        "agreement": key,
        "version": version,
        "tickets": len(records),
        "moments": len(preview.dues),
        "seal": preview.seal,
    }
    refs = ",".join(ticket.ref for ticket in preview.tickets)
    return Outcome(
        reply=lambda: Reply(
            title=f"{counted(len(records), 'open ticket')} migrated; {counted(len(preview.dues), 'due moment')} moved.",
            tone=Tone.GOOD,
            facts=facts(("Agreement", key), ("Version", version)),
            text=("More open tickets are left; simulate again.",) if preview.left else (),
        ),
        changes=[
            *records,
            Change("sla.migrated", f"agreement/{key}", None, told, {"because": asked.because}),
        ],
        follow=[f"sla take-up {key} {version} {refs}"],
    )


def _migrated(desk: Desk, ticket: Promised, key: str, version: str) -> Change:
    """The record on a ticket from which its clocks are read anew, and its row with the same version."""
    number = number_of(ticket.ref)
    records = desk.records
    row = (
        records.requests.get(number, True)
        if ticket.noun == "request"
        else records.incidents.get(number, True)
    )
    assert row is not None, "what has promises has a row"
    before = {"agreement_version": row.agreement_version}
    row.agreement_version = version
    records.requests.save()
    return Change(
        f"{ticket.noun}.migrated", ticket.ref, before, {"agreement": key, "agreement_version": version}
    )


@command("sla take-up", params=TakeUp, evidences=("WMC SP 1.2",), desk_only=True)
def take_up(asked: TakeUp, desk: Desk) -> Outcome:
    """Read the clocks of migrated tickets anew, and announce the promises that moved."""
    changes: list[Change] = []
    notices: list[Notice] = []
    due: list[Due] = []
    undue: list[str] = []
    for ref in asked.tickets.split(","):
        outcome = refreshed(desk, ref)
        changes += outcome.changes
        notices += outcome.notices
        due += outcome.due
        undue += outcome.undue
    return Outcome(
        reply=Reply(title=f"{asked.agreement} {asked.version} taken up"),
        changes=changes,
        notices=notices,
        due=due,
        undue=undue,
    )


# Thinking it out ----------------------------------------------------------------------------------


def _preview(desk: Desk, asked: Simulate, scope: Scope) -> Preview:
    definition, terms = _thought_out(desk, asked)
    refs = desk.records.clocks.tickets_under(asked.agreement, definition.version, scope.whose, AT_ONCE + 1)
    tickets = [read_clocks(desk, ref) for ref in refs[:AT_ONCE]]
    moves = [move for ticket in tickets for move in _moves(desk, ticket, definition, terms)]
    return Preview(definition, tickets, moves, len(refs) > AT_ONCE)


def _thought_out(desk: Desk, asked: Simulate) -> tuple[Definition, tuple[Agreement, Mapping[str, Calendar]]]:
    """The version that is asked about. Raises BadValue for one that was never kept."""
    policy = desk.policy
    in_force, _ = definitions.in_force(policy)["agreement", asked.agreement]
    definitions_kept = [
        version for version, _ in desk.records.definitions.versions("agreement", asked.agreement)
    ]
    agreement, calendars = policy.agreements[asked.agreement], policy.calendars
    if asked.version and asked.version != in_force:
        found = [each for each in definitions_kept if each.startswith(asked.version.lower())]
        if len(found) != 1:
            known = ", ".join(dict.fromkeys([*definitions_kept, in_force])) or "none"
            raise BadValue(f"“{asked.version[:20]}” is no version of it.", f"Known: {known}.", "version")
        then = definitions.terms(desk, asked.agreement, found[0])
        agreement, calendars = then.agreement, then.calendars
    if asked.calendar:
        calendars = {**calendars, asked.calendar: policy.calendars[asked.calendar]}
        agreement = replace(
            agreement, targets=tuple(replace(each, calendar=asked.calendar) for each in agreement.targets)
        )
    if asked.closed:
        closing = {key: _with_closed(calendars[key], asked.closed) for key in _counted_in(agreement)}
        if all(calendars[key] is closed for key, closed in closing.items()):
            why = "; ".join(
                f"{each.name} {'never closes' if each.always else 'is closed then already'}"
                for each in closing.values()
            )
            raise BadValue(
                f"Closing {asked.closed.isoformat()} as well changes nothing: {why}.",
                "Name another day or, with calendar:, another calendar.",
                "closed",
            )
        calendars = {**calendars, **closing}
    definition = agreement_as(agreement, calendars)
    return definition, (agreement, calendars)


def _counted_in(agreement: Agreement) -> list[str]:
    return list(dict.fromkeys(each.calendar for each in agreement.targets))


def _with_closed(calendar: Calendar, day: date) -> Calendar:
    if calendar.always or day in calendar.closed:
        return calendar
    return replace(calendar, closed={**calendar.closed, day: "closed as well"})


def _moves(
    desk: Desk, ticket: Promised, definition: Definition, terms: tuple[Agreement, Mapping[str, Calendar]]
) -> list[Move]:
    """The moments of a ticket's promises that differ once it is migrated now."""

    def as_then(key: str, version: str) -> tuple[Agreement, Mapping[str, Calendar]]:
        if (key, version) == (definition.key, definition.version):
            return terms
        then = definitions.terms(desk, key, version)
        return then.agreement, then.calendars

    last = ticket.history[-1]
    after = {"agreement": definition.key, "agreement_version": definition.version}
    record = replace(
        last, seq=last.seq + 1, at=desk.now, action=f"{ticket.noun}.migrated", before=None, after=after
    )
    then = {clock.name: clock for clock in clocks_of([*ticket.history, record], as_then, desk.now)}
    now = {clock.name: clock for clock in ticket.clocks}
    return [
        move
        for name in dict.fromkeys([*now, *then])
        for move in _differences(ticket.ref, name, now.get(name), then.get(name))
    ]


def _differences(ref: str, name: str, was: Clock | None, becomes: Clock | None) -> list[Move]:
    """The due moment where it or the state differs, and every warning that moves with it."""
    states = was.reading.state if was else None, becomes.reading.state if becomes else None
    notice = becomes is not None and _by_notice(becomes)
    before, after = _moments(was), _moments(becomes)
    found = []
    for what in dict.fromkeys([*before, *after]):
        moments = before.get(what), after.get(what)
        if moments[0] != moments[1] or (what == "due" and states[0] != states[1]):
            found.append(Move(ref, name, what, *moments, *states, notice and what == "due"))
    return found


def _moments(clock: Clock | None) -> dict[str, datetime | None]:
    if clock is None or clock.reading.stopped_at:
        return {}
    warnings = {f"{each.percent} %": each.at for each in clock.reading.warnings}
    return {"due": clock.reading.due_at, **warnings}


def _by_notice(clock: Clock) -> bool:
    """Whether the due moment is what the minimum notice gives: more is allowed than was promised."""
    reading = clock.reading
    if reading.remaining is None or reading.stopped_at:
        return False
    return (reading.elapsed + reading.remaining).total_seconds() > reading.terms.within


# Showing ------------------------------------------------------------------------------------------


def _shown(desk: Desk, asked: Simulate, scope: Scope, preview: Preview) -> Reply:
    what, dues = _what(desk, asked), preview.dues
    if not preview.tickets:
        return Reply(title=_unmoved(desk, asked, scope))
    title = f"{counted(len(dues), 'due moment')} of {counted(len(preview.tickets), 'open ticket')} would move"
    return Reply(
        title=title,
        text=(f"With {what}, as if they were migrated now. Closed tickets never change.",),
        facts=facts(
            ("Version", preview.definition.version),
            ("Seal", preview.seal),
            (
                "Left for later",
                f"more than {AT_ONCE} open tickets: ask again afterwards" if preview.left else "",
            ),
        ),
        table=Table(
            columns=("Ticket", "Promise", "Due before", "Due after", "State"),
            rows=tuple(_row(desk, each) for each in dues[:_SHOWN]),
            empty="No due moment would move; only the version would be another.",
        ),
        file=(f"simulation-{asked.agreement}-{preview.seal}.csv", _as_file(preview.moves))
        if preview.moves
        else None,
        buttons=(Button(label="Migrate", line=_line(asked, preview.seal), style=Style.DANGER),),
    )


def _unmoved(desk: Desk, asked: Simulate, scope: Scope) -> str:
    """Why there is nothing to migrate: there is no such ticket, or all of them live by it already."""
    tickets = f"open ticket for {scope.name}" if scope.word else "open ticket"
    if desk.records.clocks.tickets_under(asked.agreement, "", scope.whose, 1):
        return f"No {tickets} would change: all live by {_what(desk, asked)} already."
    return f"No {tickets} lives by {desk.policy.agreements[asked.agreement].name}: there is nothing to move."


def _what(desk: Desk, asked: Simulate) -> str:
    parts = [
        f"{desk.policy.agreements[asked.agreement].name} as "
        + (f"in {asked.version}" if asked.version else "it is in force")
    ]
    if asked.calendar:
        parts.append(f"counted in {desk.policy.calendars[asked.calendar].name}")
    if asked.closed:
        parts.append(f"closed on {asked.closed.isoformat()}")
    return ", ".join(parts)


def _line(asked: Simulate, seal: str) -> str:
    given = {"version": asked.version, "calendar": asked.calendar, "closed": asked.closed, "of": asked.of}
    rest = "".join(f" {name}:{quoted(str(value))}" for name, value in given.items() if value)
    return f"sla migrate {asked.agreement} seal:{seal}{rest}"


def _row(desk: Desk, move: Move) -> tuple[Words, ...]:
    notice = " (minimum notice)" if move.by_notice else ""
    after: Words = (desk.at(move.after) or "no moment", notice)
    states = f"{move.was or 'not promised'} → {move.becomes or 'not promised'}"
    state = str(move.was) if move.was == move.becomes else states
    return (move.ref,), (move.promise,), (desk.at(move.before) or "no moment",), after, (state,)


def _as_file(moves: Sequence[Move]) -> str:
    """Every moment as comma-separated values (RFC 4180), in UTC; nothing in it was written by a person."""
    written = io.StringIO()
    sheet = csv.writer(written)
    sheet.writerow(("ticket", "promise", "moment", "before", "after", "state before", "state after"))
    for move in moves:
        moments = (each.isoformat() if each else "" for each in (move.before, move.after))
        sheet.writerow((move.ref, move.promise, move.what, *moments, move.was or "", move.becomes or ""))
    return written.getvalue()
