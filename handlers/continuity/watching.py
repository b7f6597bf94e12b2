"""Watching: what is due is told to whoever owes it, drills that repeat are set, managers see the whole at a glance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Annotated
from zoneinfo import ZoneInfo

from config.policy import Role
from handlers.continuity.clocking import to_set_right
from handlers.continuity.heat import COLUMNS, heat
from handlers.continuity.owed import Owed, owed
from handlers.continuity.scheduling import AT_ONCE, joined, set_occurrences
from handlers.continuity.shared import clocks_to_read, rules_of, today_of
from handlers.declare import Due, Outcome, command
from handlers.desk import Desk
from handlers.listing import PAGE, heading, nothing, skipped, turning
from handlers.messages import Button, Kind, Notice, Reply, Style, Table, Tone, ToPerson, Words, counted
from handlers.parsing import Choice, WholeNumber
from handlers.rules.chasing import MORNING, newest_nudge
from handlers.rules.moments import instant_at, show_day, show_duration
from handlers.tickets import require_works

WATCH = "continuity/watch"
TOLD_ON = 2
"""The weekday (Wednesday) on which people hear of what has no day: in the middle of the week there is time for it."""

_LATE = timedelta(days=7)
_SHOWN = 15


@dataclass(frozen=True)
class DueList:
    """For example: continuity due mine"""

    scope: Annotated[str, Choice(("all", "mine")), "Whose"] = "all"
    page: Annotated[int, WholeNumber(1, 10_000)] = 1


@dataclass(frozen=True)
class Watch:
    """For example: continuity watch"""


@dataclass(frozen=True)
class Map:
    """For example: continuity map"""


# What is due --------------------------------------------------------------------------------------


@command("continuity due", params=DueList)
def due(asked: DueList, desk: Desk) -> Reply:
    """See what is due: analyses, signatures, reviews, plans, drills, what is not ready, findings."""
    if asked.scope == "all":
        require_works(desk, "What is due is seen")
    every = [each for each in owed(desk) if asked.scope == "all" or each.owner == desk.asker.key]
    shown = every[skipped(asked.page) :][:PAGE]
    whose = "the things that are due" if asked.scope == "all" else "the things that you owe"
    return Reply(
        title=heading(len(every), whose, None, asked.page),
        tone=Tone.WAITING if every else Tone.GOOD,
        table=Table(
            columns=("What", "Who", "By"),
            rows=tuple(_row(desk, each) for each in shown),
            empty=nothing("Nothing is due.", asked.page, len(every)),
        ),
        buttons=(
            *turning(f"continuity due {asked.scope}", None, asked.page, len(every)),
            *(Button(label=each.what[:40], line=each.line) for each in shown[:3]),
        ),
    )


def _row(desk: Desk, each: Owed) -> tuple[Words, ...]:
    late = each.by is not None and each.by < today_of(desk)
    by = "now" if each.by is None else f"{show_day(each.by)}{' (overdue)' if late else ''}"
    return (each.what,), (desk.directory.who_is(each.owner),), (by,)


@command("continuity watch", params=Watch, evidences=("SCON SP 3.1", "SCON SP 2.2"), desk_only=True)
def watch(asked: Watch, desk: Desk) -> Outcome:
    """Look once a day after what is due and the clocks of what is signed, and set the drills that repeat."""
    if desk.policy.continuity is None:
        return Outcome(reply=Reply(title="There are no rules of continuity."))
    told = [each for each in owed(desk) if not each.chased] if desk.is_spoken_to else []
    notices = [
        *(notice for each in told if each.by for notice in _reminder(desk, each, each.by)),
        *_digests(desk, [each for each in told if each.by is None]),
    ]
    drills = joined(set_occurrences(desk))
    clocked = list(islice(to_set_right(desk), AT_ONCE - len(drills.cards))) if desk.is_spoken_to else []
    again = desk.now if len(drills.cards) + len(clocked) == AT_ONCE else _next_morning(desk)
    return Outcome(
        reply=Reply(title=f"{counted(len(notices), 'reminder')}, {counted(len(drills.cards), 'drill')}"),
        changes=[*drills.changes, *(each.told for each in clocked)],
        notices=[*notices, *drills.notices],
        cards=drills.cards,
        due=[*drills.due, Due(WATCH, "continuity", again, "continuity watch")],
        follow=[*drills.follow, *clocks_to_read(*(each.signed for each in clocked))],
    )


def _next_morning(desk: Desk) -> datetime:
    zone = desk.policy.organisation.zone
    today = today_of(desk)
    morning = instant_at(today, MORNING, zone)
    return morning if morning > desk.now else instant_at(today + timedelta(days=1), MORNING, zone)


def _reminder(desk: Desk, each: Owed, by: date) -> Iterator[Notice]:
    """A word to whoever owes it: before the day, on it and every week after it."""
    nudge = newest_nudge(by, desk.directory.person(each.owner).zone, desk.now)
    if nudge is None or nudge.at < desk.now - _LATE:
        return
    reply = Reply(
        title=each.what[:150],
        text=(f"Due on {show_day(by)}.",),
        tone=Tone.BAD if by < today_of(desk) else Tone.WAITING,
        buttons=(Button(label="Do it", line=each.line, style=Style.PRIMARY), _MINE),
    )
    key = f"continuity/{each.kind}/{each.key}/{by.isoformat()}/{nudge.days}"
    yield Notice(to=ToPerson(person=each.owner), reply=reply, key=key, kind=Kind.REMINDER)


_MINE = Button(label="All that I owe", line="continuity due mine")


def _digests(desk: Desk, undated: Iterable[Owed]) -> Iterator[Notice]:
    """What has no day is told to each person once a week, all of it together."""
    here = desk.now.astimezone(ZoneInfo(desk.policy.organisation.zone))
    if here.weekday() != TOLD_ON or here.time() < MORNING:
        return
    by_person: dict[str, list[Owed]] = {}
    for each in undated:
        by_person.setdefault(each.owner, []).append(each)
    week = here.isocalendar()
    for person, things in by_person.items():
        reply = Reply(
            title=f"{counted(len(things), 'thing')} for continuity would be good to do",
            table=Table(columns=("What",), rows=tuple(((each.what,),) for each in things[:_SHOWN])),
            tone=Tone.WAITING,
            buttons=(*(Button(label=each.what[:40], line=each.line) for each in things[:2]), _MINE),
        )
        key = f"continuity/week/{week.year}-{week.week}/{person}"
        yield Notice(to=ToPerson(person=person), reply=reply, key=key, kind=Kind.REMINDER)


# The map ------------------------------------------------------------------------------------------


@command("continuity map", params=Map, role=Role.MANAGER)
def show_map(asked: Map, desk: Desk) -> Reply:
    """See at a glance which services are analysed, planned, drilled, measured and within their targets."""
    rules_of(desk)
    rows = heat(desk)
    table: list[tuple[Words, ...]] = [
        (
            (row.name,),
            (row.criticality or "—",),
            (show_duration(row.rto) if row.rto else "—",),
            (show_duration(row.rpo) if row.rpo else "—",),
            *((cell.words,) for cell in row.cells),
        )
        for row in rows
    ]
    bad = sum(any(cell.heat == "bad" for cell in row.cells) for row in rows)
    return Reply(
        title=f"Continuity of {counted(len(rows), 'service')}, {bad} with something missing",
        table=Table(columns=("Service", "Criticality", "RTO", "RPO", *COLUMNS), rows=tuple(table)),
        buttons=(
            Button(label="What is due", line="continuity due"),
            Button(label="Plans", line="continuity plans"),
        ),
        as_of=desk.now,
    )
