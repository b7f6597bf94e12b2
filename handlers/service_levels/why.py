"""The derivation: how each promise on a ticket was counted, line by line, from its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from handlers.declare import command
from handlers.desk import Desk
from handlers.messages import Fact, Reply, Table, Tone, Words, facts
from handlers.parsing import AnyRef
from handlers.rules.moments import show_duration
from handlers.rules.promises import Clock
from handlers.rules.sla_clock import Reading, Row, State, explain
from handlers.service_levels.clocks import read_clocks

_ROWS = 40


@dataclass(frozen=True)
class Why:
    """For example: sla why REQ-7"""

    ticket: AnyRef


@command("sla why", params=Why)
def why(asked: Why, desk: Desk) -> Reply:
    """See how each promise on a ticket was counted: from, to, counted or not, why, by which evidence."""
    desk.look(asked.ticket)
    clocks = read_clocks(desk, asked.ticket).clocks
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
