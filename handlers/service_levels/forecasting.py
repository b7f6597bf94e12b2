"""The forecast: who will likely break which promise by when, with what it was concluded from and how good that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from config.policy import Calendar, Priority, Promise
from handlers import definitions
from handlers.declare import command
from handlers.desk import Desk
from handlers.errors import BadValue
from handlers.messages import Reply, Table, Tone, Words, counted, facts
from handlers.parsing import Manner, When, Word
from handlers.rules.business_time import hours_of
from handlers.rules.forecast import Calibration, Chance, Forecast, Past, calibrate
from handlers.rules.moments import show_duration
from handlers.rules.promises import ROUND_THE_CLOCK
from handlers.rules.sla_clock import terms_of
from handlers.service_levels.clocks import show_button
from handlers.service_levels.scope import Scope, require_figures, scope_of
from storage.models.service_levels import ClockRow

_AHEAD = timedelta(days=7)
_LOOKED_AT = 500  # open promises that are forecast at once, the next due first
_PAST = 300  # past promises of one offering and severity, the newest
_SHOWN = 15
_GROUP = tuple[str, ...]


@dataclass(frozen=True)
class Ask:
    """For example: sla forecast until:“friday 17:00” of:service-desk"""

    until: Annotated[When | None, "Up to when; a week from now when left out"] = None
    of: Annotated[Word | None, Manner.BY_NAME, "A service, a team or a customer"] = None


@dataclass(frozen=True)
class Likely:
    """An open promise and the chance that it will be broken; None where the past says nothing about its like."""

    row: ClockRow
    spent: int
    chance: Chance | None


@command("sla forecast", params=Ask)
def forecast(asked: Ask, desk: Desk) -> Reply:
    """See which promises will likely be broken by a moment, from what is left and what the like took."""
    scope = scope_of(desk, asked.of)
    require_figures(desk, scope)
    until = asked.until or desk.now + _AHEAD
    if until <= desk.now:
        raise BadValue(
            "That moment is past, so there is nothing to forecast.", "`sla breaches` tells what was.", "until"
        )
    open_, left = looked_at(desk, scope, until)
    if not open_:
        return Reply(
            title=f"No promise for {scope.name} is due by then.",
            text=("Due by: ", desk.at(until, relative=True) or "", ". What is paused has no due moment."),
            tone=Tone.GOOD,
        )
    past = past_of(desk, open_)
    likely = likely_breaches(desk, open_, past)
    known = [each for each in likely if each.chance is not None]
    expected = sum(each.chance.chance for each in known if each.chance is not None)
    title = f"About {expected:.1f} of {counted(len(known), 'promise')} for {scope.name} will likely be broken"
    return Reply(
        title=title if known else f"Nothing can be said yet of what is promised for {scope.name}",
        facts=facts(
            ("Due by", desk.at(until, relative=True)),
            ("Without a forecast", _without(len(likely) - len(known))),
            ("Accuracy so far", accuracy(calibrate(past))),
        ),
        text=(f"Only the {_LOOKED_AT} that are due first are looked at.",) if left else (),
        table=Table(
            columns=("Ticket", "Promise", "Due", "Chance of a breach", "Because"),
            rows=tuple(_row(desk, each) for each in likely[:_SHOWN]),
        ),
        buttons=tuple(
            show_button(desk, ref) for ref in dict.fromkeys(each.row.subject for each in known[:3])
        ),
    )


def looked_at(desk: Desk, scope: Scope, until: datetime) -> tuple[list[ClockRow], bool]:
    """The open promises that fall due by a moment, and whether there are more than are looked at."""
    rows = desk.records.clocks.next_due(desk.now, scope.whose, _LOOKED_AT + 1)
    due = [row for row in rows if row.due_at is not None and row.due_at <= until]
    return due[:_LOOKED_AT], len(due) > _LOOKED_AT


def likely_breaches(desk: Desk, rows: Sequence[ClockRow], past: Sequence[Past]) -> list[Likely]:
    """Each open promise with its chance of a breach, the likeliest first; what is open was seen for so long, too."""
    seen = [
        Past(_groups(row), spent_by_now(desk, row), row.allowed, False)
        for row in rows
        if row.allowed is not None
    ]
    model = Forecast([*past, *seen])
    found = []
    for row in rows:
        spent = spent_by_now(desk, row)
        chance = None if row.allowed is None else model.of(_groups(row), spent, row.allowed)
        found.append(Likely(row, spent, chance))
    return sorted(
        found, key=lambda each: (-(each.chance.chance if each.chance else -1), each.row.due_at or desk.now)
    )


def past_of(desk: Desk, open_: Sequence[ClockRow]) -> Sequence[Past]:
    """The newest past promises like these, in the order in which they ended."""
    kinds = sorted({(row.kind, row.topic, row.priority) for row in open_})
    ended = [row for kind in kinds for row in desk.records.clocks.past(*kind, at_most=_PAST)]
    ended.sort(key=lambda row: (row.stopped_at or desk.now, row.subject, row.promise))
    return [
        Past(_groups(row), row.spent, row.allowed, row.state != "cancelled")
        for row in ended
        if row.spent is not None and row.allowed is not None
    ]


def _groups(row: ClockRow) -> tuple[_GROUP, ...]:
    """What a promise is like: the same offering (or service) and priority; the same priority; the same promise."""
    return (row.kind, row.topic, row.priority), (row.kind, row.priority), (row.kind,)


def spent_by_now(desk: Desk, row: ClockRow) -> int:
    """Business seconds that a running promise has used up: all that is allowed, less what is left."""
    assert row.allowed is not None
    assert row.due_at is not None
    left = hours_of(_calendar(desk, row)).between(desk.now, row.due_at)
    return max(0, row.allowed - int(left.total_seconds()))


def _calendar(desk: Desk, row: ClockRow) -> Calendar:
    if row.kind == Promise.REVIEW or not row.agreement:
        return ROUND_THE_CLOCK
    terms = definitions.terms(desk, row.agreement, row.agreement_version)
    known = terms_of(terms.agreement, Promise(row.kind), Priority(row.priority), terms.calendars)
    return known.calendar if known else ROUND_THE_CLOCK


# In words -----------------------------------------------------------------------------------------


def _row(desk: Desk, each: Likely) -> tuple[Words, ...]:
    chance = "no forecast" if each.chance is None else f"{each.chance.chance:.0%}"
    due = (desk.at(each.row.due_at, relative=True) or "",)
    return (each.row.subject,), (each.row.promise,), due, (chance,), (_because(each),)


def _because(each: Likely) -> str:
    if each.chance is None or each.row.allowed is None:
        return "too few like it were ever open as long"
    what = (
        " ".join(str(part) for part in each.chance.group[1:]) if isinstance(each.chance.group, tuple) else ""
    )
    like = f"{counted(each.chance.like, 'promise')} to {each.row.kind}" + (f" ({what})" if what else "")
    like += f" that were open after {_length(each.spent)}" if each.spent >= 60 else ""
    return f"of {like}, so many took longer than {_length(each.row.allowed)}"


def _length(seconds: int) -> str:
    return show_duration(timedelta(seconds=seconds - seconds % 60), days=False)


def _without(number: int) -> str:
    return f"{counted(number, 'promise')}: too few like them have ended" if number else ""


def accuracy(calibration: Calibration | None) -> str:
    """The method's own past accuracy, in a sentence."""
    if calibration is None:
        return "not known yet: too few promises have ended"
    better = "better" if calibration.brier < calibration.naive else "not better"
    return (
        f"Brier score {calibration.brier:.3f} over {calibration.number} past promises as they stood half way, {better}"
        f" than {calibration.naive:.3f} for always saying the usual share (0 is perfect)"
    )
