"""Looking: one change in full, lists, the calendar of changes and freezes, and what managers ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from statistics import median
from typing import Annotated

from config.policy import ChangeKind, Role
from handlers.changes.card import card, own_buttons
from handlers.changes.content import PARTS, TEXTS, content_of, service_names
from handlers.changes.electorate import current_stage, tally_of
from handlers.changes.shared import PREFIX, ChangeRef, Services, find, plans
from handlers.declare import Standing, command, decisions, subject, suggestions
from handlers.desk import Desk
from handlers.errors import BadValue
from handlers.estates import estate_of, frozen_between
from handlers.listing import PAGE, listing, skipped
from handlers.messages import Button, Option, Reply, Table, Tone, Words, counted, facts
from handlers.parsing import Choice, Day, Manner, Text, WholeNumber, Word
from handlers.rules.moments import instant_at, show_day, show_duration
from handlers.rules.periods import NotAPeriod, period
from handlers.rules.windows import Frozen
from handlers.rules.workflow import AHEAD, MADE, TAKES_PLACE, ChangeState
from handlers.tickets import require_works, works
from handlers.timeline import timeline
from storage.models.changes import Change
from storage.repositories.changes import Planned

SHOWN = (ChangeState.AWAITING_APPROVAL, ChangeState.APPROVED, *TAKES_PLACE, *MADE)
"""The states in which a change with a window stands in the calendar."""

_OPEN = (*AHEAD, ChangeState.IN_PROGRESS, ChangeState.COMPLETED)
_ROWS = 25  # of a calendar in chat
_SAID = ("because", "how", "lessons")
_OWED = ("Owed by", "For", "Review by")
_WHOSE = {
    "mine": "your changes",
    "team": "your team's open changes",
    "open": "open changes",
    "unpaid": "emergencies whose review is owed",
    "all": "changes",
}


@dataclass(frozen=True)
class Show:
    """For example: change show CHG-7"""

    change: ChangeRef


@dataclass(frozen=True)
class List:
    """For example: change list open"""

    scope: Annotated[str, Choice(tuple(_WHOSE)), "Whose changes"] = "open"
    about: Annotated[Text | None, "Words to look for"] = None
    page: Annotated[int, WholeNumber(1, 10_000)] = 1


@dataclass(frozen=True)
class Calendar:
    """For example: change calendar 2026-12-01 days:7"""

    start: Annotated[Day | None, "From which day; today, when left out"] = None
    days: Annotated[int, WholeNumber(1, 92), Manner.BY_NAME, "How many days"] = 14
    service: Annotated[Services | None, Manner.BY_NAME, "Which services, with what they touch"] = None


@dataclass(frozen=True)
class Figures:
    """For example: change figures month"""

    span: Annotated[Word, "today, week, month, quarter, year, last-month, 30d or 2026-10"] = "month"


@subject(PREFIX)
def look(ref: str, desk: Desk) -> Standing:
    """How a change stands now."""
    change = find(desk, ref)
    return Standing(change.ref, change.state, change.version, card(desk, change), change.room)


@suggestions(PREFIX)
def suggest(desk: Desk) -> Sequence[Option]:
    """The changes that the asker is likely to mean: their own, then whatever is open."""
    records = desk.records.changes
    found = {each.number: each for each in records.listed(states=_OPEN, person=desk.asker.key, at_most=25)[0]}
    if works(desk.asker):
        found |= {each.number: each for each in records.listed(states=_OPEN, at_most=25)[0]}
    return [Option(label=f"{each.ref} {each.title}"[:100], value=each.ref) for each in found.values()]


@decisions(PREFIX)
def waiting_for(desk: Desk) -> Sequence[str]:
    """The changes that wait for the asker's vote, the oldest first."""
    found, _ = desk.records.changes.listed(states=(ChangeState.AWAITING_APPROVAL,), at_most=1000)
    return [each.ref for each in reversed(found) if _waits_for_asker(desk, each)]


def _waits_for_asker(desk: Desk, change: Change) -> bool:
    stage = current_stage(desk, change)
    return stage is not None and desk.asker.key in tally_of(desk, change, change.stage, stage).silent


@command("change show", params=Show)
def show(asked: Show, desk: Desk) -> Reply:
    """See a change in full: what it says, who decides, how it went, what happened."""
    change = find(desk, asked.change)
    content = content_of(desk, change)
    texts = [(PARTS[part], content[part]) for part in TEXTS if part != "title"]
    return card(desk, change).model_copy(
        update={
            "buttons": own_buttons(desk, change, plans(desk, change)),
            "private": True,
            "more": (
                *(Reply(title=title, text=(text,)) for title, text in texts if text),
                timeline(desk, change.ref, _SAID),
            ),
        }
    )


@command("change list", params=List)
def list_changes(asked: List, desk: Desk) -> Reply:
    """See changes: yours, your team's, all that are open, emergencies whose review is owed, or every one."""
    if asked.scope != "mine":
        require_works(desk, "Changes are seen")
    if asked.scope == "unpaid":
        every = desk.records.changes.unpaid()
        found, total = every[skipped(asked.page) :][:PAGE], len(every)
    else:
        teams = desk.asker.teams if asked.scope == "team" else None
        found, total = desk.records.changes.listed(
            states=() if asked.scope in ("mine", "all") else _OPEN,
            person=desk.asker.key if asked.scope == "mine" else None,
            services=None
            if teams is None
            else [key for key, each in desk.policy.services.items() if each.team in teams],
            text=asked.about,
            skip=skipped(asked.page),
            at_most=PAGE,
        )
    return listing(
        asked,
        "change list",
        _WHOSE[asked.scope],
        (
            "Change",
            "What",
            "State",
            "Made by",
            *(_OWED if asked.scope == "unpaid" else ("Window",)),
        ),
        tuple(
            (
                *_row(desk, each),
                *(_owed_row(desk, each) if asked.scope == "unpaid" else (_begins(desk, each),)),
            )
            for each in found
        ),
        total,
        "No such changes. Type `change propose` to write one down.",
    )


def _row(desk: Desk, change: Change) -> tuple[Words, ...]:
    return (
        (change.ref,),
        (change.title,),
        (ChangeState(change.state).shown,),
        (desk.directory.who_is(change.implementer),),
    )


def _begins(desk: Desk, change: Change) -> Words:
    return (desk.at(change.starts_at) or "—",)


def _owed_row(desk: Desk, change: Change) -> tuple[Words, ...]:
    overdue = " (overdue)" if change.review_by and change.review_by < desk.now else ""
    return (
        (desk.directory.who_is(change.requester),),
        (_age(desk, change),),
        (desk.at(change.review_by) or "", overdue),
    )


def _age(desk: Desk, change: Change) -> str:
    """How long ago it was asked for, in whole minutes."""
    return show_duration(timedelta(minutes=(desk.now - change.opened_at) // timedelta(minutes=1)))


# The calendar -------------------------------------------------------------------------------------


@command("change calendar", params=Calendar)
def calendar(asked: Calendar, desk: Desk) -> Reply:
    """See what is changed when, and what is frozen; also as a calendar feed to subscribe to."""
    first = asked.start or desk.today
    start = instant_at(first, time(), desk.asker.zone)
    last = first + timedelta(days=asked.days)
    end = instant_at(last, time(), desk.asker.zone)
    concerned = estate_of(desk.policy).kin(asked.service) if asked.service else None
    planned = desk.records.changes.calendar(SHOWN, start, end, concerned)
    rows = sorted(
        [
            *((each.starts_at, _planned_row(desk, each)) for each in planned),
            *(
                (each.start, _frozen_row(desk, each))
                for each in frozen_between(desk.policy, desk.records, start, end, concerned)
            ),
        ],
        key=lambda row: row[0],
    )
    named = f" of {service_names(desk, asked.service)}" if asked.service else ""
    shown = rows[:_ROWS]
    more = f"{len(rows) - len(shown)} more: ask for fewer days. " if len(rows) > len(shown) else ""
    feed, page = desk.feed("changes/all"), desk.feed("page/changes")
    known = works(desk.asker) and feed and page
    where = (f"As a page: {page} . To subscribe: {feed}",) if known else ()
    service = f" service:{','.join(asked.service)}" if asked.service else ""
    before = first - timedelta(days=asked.days)
    turn = f"days:{asked.days}{service}"
    return Reply(
        title=f"Changes{named} from {show_day(first)} to {show_day(last - timedelta(days=1))}",
        text=(more, *where),
        table=Table(
            columns=("From", "To", "What", "Services", "Made by", "State"),
            rows=tuple(row for _, row in shown),
            empty="Nothing is changed, and nothing is frozen.",
        ),
        buttons=(
            Button(label="Earlier", line=f"change calendar {before.isoformat()} {turn}"),
            Button(label="Later", line=f"change calendar {last.isoformat()} {turn}"),
        ),
    )


def _planned_row(desk: Desk, planned: Planned) -> tuple[Words, ...]:
    return (
        (desk.at(planned.starts_at) or "",),
        (desk.at(planned.ends_at) or "",),
        (f"{planned.ref} {planned.title}",),
        (service_names(desk, planned.services),),
        (desk.directory.who_is(planned.implementer),),
        ((planned.result or planned.state).replace("-", " "),),
    )


def _frozen_row(desk: Desk, frozen: Frozen) -> tuple[Words, ...]:
    named = service_names(desk, frozen.services) or "all"
    return (
        (desk.at(frozen.start) or "",),
        (desk.at(frozen.end) or "",),
        (frozen.name,),
        (named,),
        ("—",),
        ("frozen",),
    )


# What managers ask --------------------------------------------------------------------------------


@command("change figures", params=Figures, role=Role.MANAGER)
def figures(asked: Figures, desk: Desk) -> Reply:
    """See how changes went: how many succeeded, how long they took, and which reviews are owed."""
    try:
        span = period(asked.span, desk.now, desk.asker.zone)
    except NotAPeriod as error:
        raise BadValue(str(error)) from None
    made = desk.records.changes.ended(span.since, span.until)
    before = desk.records.changes.ended(span.before().since, span.since)
    unpaid = desk.records.changes.unpaid()
    overdue = [each for each in unpaid if each.review_by is not None and each.review_by < desk.now]
    oldest = min(unpaid, key=lambda each: each.opened_at, default=None)
    kinds = [(str(kind), [each for each in made if each.kind == kind]) for kind in ChangeKind]
    templates = [
        (f"standard: {template.name}", [each for each in made if each.template == key])
        for key, template in desk.policy.standard_changes.items()
    ]
    rows = [("all", list(made)), *kinds, *((name, found) for name, found in templates if found)]
    return Reply(
        title=f"Changes {span.name}: {counted(len(made), 'change')} made, {_rate(made)} successful",
        tone=Tone.BAD if overdue else Tone.PLAIN,
        facts=facts(
            ("Successful", f"{_rate(made)} (the period before: {_rate(before)})"),
            ("From the first word to the end", _lead(made)),
            ("Emergencies whose review is owed", _owed(len(unpaid), len(overdue))),
            ("The oldest of these", f"{oldest.ref}, {_age(desk, oldest)} old" if oldest else None),
        ),
        table=Table(
            columns=("Kind", "Made", "Successful", "With issues", "Failed", "Rolled back", "Lead time"),
            rows=tuple(_figures_row(name, found) for name, found in rows),
        ),
        buttons=(Button(label="What is owed", line="change list unpaid"),) if unpaid else (),
    )


def _figures_row(name: str, found: Sequence[Change]) -> tuple[Words, ...]:
    def count(result: str) -> str:
        return str(sum(each.result == result for each in found))

    results = (count(each) for each in ("successful", "with-issues", "failed", "rolled-back"))
    return ((name,), (str(len(found)),), *((each,) for each in results), (_lead(found),))


def _rate(found: Sequence[Change]) -> str:
    if not found:
        return "—"
    return f"{100 * sum(each.result == 'successful' for each in found) / len(found):.0f} %"


def _lead(found: Sequence[Change]) -> str:
    """The median of the time from the first word to the end."""
    took = [(each.ended_at - each.opened_at).total_seconds() for each in found if each.ended_at is not None]
    return show_duration(timedelta(minutes=round(median(took) / 60))) if took else "—"


def _owed(unpaid: int, overdue: int) -> str:
    return f"{unpaid}, {overdue} of them overdue" if overdue else str(unpaid)
