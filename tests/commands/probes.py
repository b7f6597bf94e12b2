"""Commands that only tests say: one with every kind of parameter, and some that go wrong on purpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from handlers.declare import Change, Due, Outcome, command
from handlers.desk import Desk
from handlers.messages import Card, Notice, Reply, ToPerson, facts
from handlers.parsing import (
    Choice,
    Day,
    Duration,
    PersonRef,
    RequestRef,
    Text,
    When,
    WholeNumber,
    Word,
)


@dataclass(frozen=True)
class Kinds:
    """For example: probe kinds REQ-7 @agent big 3 2h the rest"""

    request: RequestRef
    person: PersonRef
    size: Annotated[str | None, Choice(("big", "small"))] = None
    count: Annotated[int | None, WholeNumber(1, 9)] = None
    length: Duration | None = None
    text: Text | None = None


@dataclass(frozen=True)
class Calendar:
    """For example: probe calendar 2026-12-01 tomorrow 9:00"""

    day: Day
    when: When


@dataclass(frozen=True)
class Trip:
    """For example: probe trip ValueError"""

    over: Word


@dataclass(frozen=True)
class Cross:
    """For example: probe cross A B"""

    first: Word
    second: Word


@command("probe kinds", params=Kinds)
def kinds(asked: Kinds, desk: Desk) -> Reply:
    """Say back what was understood."""
    return Reply(title="kinds", facts=facts(*((name, str(value)) for name, value in vars(asked).items())))


@command("probe calendar", params=Calendar)
def calendar(asked: Calendar, desk: Desk) -> Reply:
    """Say back which day and which instant were understood."""
    return Reply(
        title="calendar", facts=facts(("day", asked.day.isoformat()), ("when", asked.when.isoformat()))
    )


_ERRORS: dict[str, type[Exception]] = {
    each.__name__: each
    for each in (
        ValueError, KeyError, TypeError, AttributeError, RuntimeError, ZeroDivisionError, RecursionError,
        AssertionError, NotImplementedError, MemoryError, OSError, UnicodeError, StopIteration,
    )
}  # fmt: skip


@command("probe trip", params=Trip, evidences=("SD SP 3.1",))
def trip(asked: Trip, desk: Desk) -> Outcome:
    """Write everywhere a command can, then fail over something nobody expected."""

    def fail() -> Reply:
        raise _ERRORS[asked.over]

    desk.records.facts.put("tripped", True)
    return Outcome(
        reply=fail,
        changes=[Change("probe.tripped", "REQ-1", None, {"over": asked.over}, {"because": "of this"})],
        notices=[Notice(to=ToPerson(person="staff"), reply=Reply(title="tripped"), key="trip")],
        cards=[Card(subject="REQ-1", room="requests")],
        due=[Due("trip", "REQ-1", desk.now + timedelta(hours=1), "probe trip again")],
    )


meeting: list[Callable[[], object]] = []
"""Called by each `probe cross` between its two steps, until it is empty."""


@command("probe cross", params=Cross, evidences=("SD SP 3.1",))
def cross(asked: Cross, desk: Desk) -> Outcome:
    """Count two things up in this order; two of these in opposite order lock each other out."""
    desk.records.counters.next(asked.first)
    if meeting:
        meeting.pop()()
    desk.records.counters.next(asked.second)
    crossed = Change("probe.crossed", "REQ-1", None, {"first": asked.first})
    return Outcome(reply=Reply(title="crossed"), changes=[crossed])
