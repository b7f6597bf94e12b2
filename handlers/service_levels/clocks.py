"""A ticket's clocks, read from its evidence, and the rows that lists and figures are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from config.policy import Agreement, Calendar
from handlers import definitions
from handlers.desk import Desk
from handlers.errors import NotFound
from handlers.messages import Button
from handlers.rules.ledger import Record
from handlers.rules.promises import Clock, Course, clocks_of, course_of
from handlers.rules.sla_clock import Reading, Standing, State
from storage.models.service_levels import ClockRow

OVER = (State.MET, State.MET_LATE, State.CANCELLED)
"""The states in which a promise is no longer open."""


@dataclass(frozen=True)
class Promised:
    """A ticket as its promises see it: its clocks, its evidence, what that evidence says of it by now, its course.

    `noun` is the first word of what happens to it, as in `request.taken`.
    """

    ref: str
    clocks: Sequence[Clock]
    history: Sequence[Record]
    known: Mapping[str, object]
    course: Course
    noun: str

    def text(self, name: str) -> str | None:
        """What the evidence says under a name, or None."""
        value = self.known.get(name)
        return str(value) if value else None

    def clock(self, name: str) -> Clock | None:
        """The clock of this name."""
        return next((each for each in self.clocks if each.name == name), None)


def read_clocks(desk: Desk, ref: str) -> Promised:
    """A ticket's clocks as its evidence shows them now. Raises NotFound where there is no such ticket."""
    history = desk.records.ledger.trail(ref)
    if not history:
        raise NotFound(f"There is no {ref}.", "Check the number.")
    return promised(desk, ref, history)


def promised(desk: Desk, ref: str, history: Sequence[Record]) -> Promised:
    """What a ticket's clocks show now by this evidence. Raises NotFound where nothing of it moves a clock."""
    known: dict[str, object] = {}
    course, noun = None, ""
    for record in history:
        if found := course_of(record.action):
            course, noun = course or found, noun or record.action.partition(".")[0]
            known.update(record.after or {})
    if course is None:
        raise NotFound(
            f"Nothing is promised on {ref}.",
            "Promises are made on requests, incidents, changes, drills, plans and impact analyses.",
        )

    def as_then(key: str, version: str) -> tuple[Agreement, Mapping[str, Calendar]]:
        terms = definitions.terms(desk, key, version)
        return terms.agreement, terms.calendars

    return Promised(ref, clocks_of(history, as_then, desk.now), history, known, course, noun)


def agreement_of(desk: Desk, ticket: Promised) -> Agreement | None:
    """The agreement that a ticket lives by; None where its promises are made without one."""
    if not ticket.course.by_agreement:
        return None
    key, version = str(ticket.known["agreement"]), str(ticket.known["agreement_version"])
    return definitions.terms(desk, key, version).agreement


def row_of(desk: Desk, ticket: Promised, clock: Clock, customer: str | None, excluded: bool) -> ClockRow:
    """A clock as lists and figures need it."""
    reading, known = clock.reading, ticket.known
    service = ticket.text("service") or next(iter(_listed(known.get("services"))), "")
    runs_it = desk.policy.services.get(service)
    ahead = [each.at for each in reading.warnings if each.at and each.standing is Standing.TO_COME]
    return ClockRow(
        subject=ticket.ref,
        promise=clock.name,
        kind=str(clock.promise),
        agreement=ticket.text("agreement") or "",
        agreement_version=ticket.text("agreement_version") or "",
        service=service,
        topic=ticket.text("offering") or service,
        team=ticket.text("team") or (runs_it.team if runs_it else ""),
        customer=customer,
        priority=ticket.text("priority") or "",
        goal=clock.goal,
        state=str(reading.state),
        open=reading.state not in OVER,
        # A merged ticket's promises are those of the one that it is part of now.
        counted=not known.get("practice") and known.get("state") != "merged",
        excluded=excluded,
        decided_on=_day(desk, reading),
        spent=int(reading.elapsed.total_seconds()) if reading.stopped_at else None,
        allowed=allowed(reading),
        started_at=reading.started_at,
        due_at=reading.due_at,
        soon_at=max(ahead, default=None),
        stopped_at=reading.stopped_at,
        breached_at=reading.breached_at,
    )


def _listed(value: object) -> Sequence[str]:
    return [str(each) for each in value] if isinstance(value, list | tuple | dict) else ()


def _day(desk: Desk, reading: Reading) -> str | None:
    """The day of the organisation on which it was settled whether the promise is kept; it never moves on."""
    decided = reading.breached_at or (reading.stopped_at if reading.state is State.MET else None)
    return None if decided is None else day_of(desk, decided)


def day_of(desk: Desk, moment: datetime) -> str:
    """The day of a moment where the organisation is, as figures name it."""
    return moment.astimezone(ZoneInfo(desk.policy.organisation.zone)).date().isoformat()


def allowed(reading: Reading) -> int | None:
    """Business seconds from the start to the due moment, which a late change of target makes more than was promised."""
    if reading.remaining is None:
        return None
    return int((reading.elapsed + reading.remaining) / timedelta(seconds=1))


def show_button(desk: Desk, ref: str) -> Button:
    """Opens a ticket."""
    return Button(label=f"Show {ref}", line=desk.commands.shows[ref.partition("-")[0]] + f" {ref}")


def why_button(ref: str) -> Button:
    """Tells how its promises were counted."""
    return Button(label="Why?", line=f"sla why {ref}")
