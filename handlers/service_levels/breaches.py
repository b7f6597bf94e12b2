"""Breaches: which promises were broken, why, and which of them two people agreed to leave out of the figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from config.policy import Promise
from handlers.declare import command
from handlers.desk import Desk
from handlers.listing import PAGE, nothing, pages, skipped, turning
from handlers.messages import Button, Reply, Table, Tone, Words, counted
from handlers.parsing import Choice, Manner, WholeNumber, Word, quoted
from handlers.rules.ledger import Record
from handlers.rules.sla_clock import explain
from handlers.service_levels.clocks import Promised, read_clocks
from handlers.service_levels.scope import period_of, require_figures, scope_of
from storage.models.service_levels import ClockRow


@dataclass(frozen=True)
class Breaches:
    """For example: sla breaches within:week"""

    of: Annotated[Word | None, "A service, a team or a customer; everything when left out"] = None
    within: Annotated[Word, "A period, such as week, month, 30d or 2026-10"] = "month"
    promise: Annotated[str | None, Choice(tuple(Promise)), Manner.BY_NAME, "Only promises of this kind"] = (
        None
    )
    page: Annotated[int, WholeNumber(1, 100_000), Manner.BY_NAME, "Which page"] = 1


@command("sla breaches", params=Breaches)
def breaches(asked: Breaches, desk: Desk) -> Reply:
    """See which promises were broken in a period, why, and what was left out of the figures."""
    scope, span = scope_of(desk, asked.of), period_of(desk, asked.within)
    require_figures(desk, scope)
    rows, total = desk.records.clocks.broken(
        span.since, span.until, desk.now, scope.whose, asked.promise, skipped(asked.page), PAGE
    )
    line = f"sla breaches{scope.given} within:{quoted(asked.within)}"
    line += f" promise:{asked.promise}" if asked.promise else ""
    what = f"{counted(total, 'broken promise')} for {scope.name}, {span.name}"
    return Reply(
        title=what + (f", page {asked.page} of {pages(total)}" if pages(total) > 1 else ""),
        tone=Tone.GOOD if not total else Tone.PLAIN,
        table=Table(
            columns=("Ticket", "Promise", "Broken", "Now", "Why", "In the figures"),
            rows=tuple(_row(desk, row) for row in rows),
            empty=nothing("No promise was broken.", asked.page, total),
        ),
        buttons=(
            *turning(line, None, asked.page, total),
            *(
                Button(label=f"Why {ref}?", line=f"sla why {ref}")
                for ref in dict.fromkeys(r.subject for r in rows[:3])
            ),
        ),
    )


def _row(desk: Desk, row: ClockRow) -> tuple[Words, ...]:
    ticket = read_clocks(desk, row.subject)
    state = {
        each.kind: each.state
        for each in desk.records.clocks.exclusions(row.subject)
        if each.started_at == row.started_at
    }
    figures = {"agreed": "left out", "asked": "counts; asked to be left out", "refused": "counts"}
    return (
        (row.subject,),
        (row.promise,),
        (desk.at(row.breached_at or row.due_at) or "",),
        (row.state_at(desk.now),),
        (reason(desk, ticket, row),),
        (figures.get(state.get(row.kind, ""), "counts"),),
    )


def reason(desk: Desk, ticket: Promised, row: ClockRow) -> str:
    """What the evidence tells of why a promise was broken, in a few words: what had been done by then, and by whom."""
    clock = ticket.clock(row.promise)
    moment = row.breached_at or row.due_at
    if clock is None or moment is None:
        return "its clock is no longer counted"
    changed = [
        each
        for each in explain(clock.reading)
        if "counted from the start" in each.why and each.starts <= moment
    ]
    done = [
        each
        for each in ticket.history
        if each.at <= moment and not each.action.startswith(("sla.", "notice."))
    ]
    held = next((who for each in reversed(done) if (who := (each.after or {}).get("assignee"))), None)
    said = [f"held by {desk.directory.name(str(held))}" if held else "nobody had it"]
    said.append(f"last: {_spoken(done[-1])}" if done else "nothing had happened")
    if changed:
        said.append("the target was changed on the way")
    return "; ".join(said)


def _spoken(record: Record) -> str:
    return record.action.partition(".")[2].replace("_", " ")
