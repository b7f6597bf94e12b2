"""Scheduling: an approved change gets its time, once everything that takes place then has been looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from config.policy import ChangeKind
from handlers.changes.content import content_of, place, window_words
from handlers.changes.planning import at_once, rewrite
from handlers.changes.shared import (
    Accepting,
    Anyway,
    Begins,
    ChangeRef,
    Ends,
    done,
    find,
    hold_gate,
    planners,
    record,
    to_plan,
)
from handlers.changes.windowing import (
    as_content,
    conflict_table,
    conflicts_of,
    digest,
    free_window,
    in_words,
    past,
    read_window,
    refusal,
)
from handlers.declare import Due, Outcome, command
from handlers.desk import Desk
from handlers.errors import WrongState
from handlers.messages import Button, Kind, Reply, Style, facts
from handlers.rules import windows
from handlers.rules.votes import Content
from handlers.rules.windows import Conflict
from handlers.rules.workflow import ChangeState
from handlers.telling import in_thread, tell
from handlers.tickets import move
from storage.models.changes import Change

SOON = timedelta(minutes=15)
"""So long before a window opens, whoever makes the change hears of it."""


@dataclass(frozen=True)
class Schedule:
    """For example: change schedule CHG-7"""

    change: ChangeRef
    start: Begins = None
    end: Ends = None
    anyway: Anyway = None
    because: Accepting = None


@dataclass(frozen=True)
class Opening:
    """For example: change opening CHG-7"""

    change: ChangeRef


@command("change schedule", params=Schedule, evidences=("CM SP 2.2",))
def schedule(asked: Schedule, desk: Desk) -> Outcome:
    """Give an approved change its time; everything that stands in its way then is listed."""
    hold_gate(desk)
    change = to_plan(desk, asked.change, "schedule")
    if change.kind == ChangeKind.EMERGENCY:
        raise at_once(change)
    content = content_of(desk, change)
    known = (change.starts_at, change.ends_at) if change.starts_at and change.ends_at else None
    template = desk.policy.standard_changes.get(change.template or "")
    window = read_window(
        desk,
        asked.start,
        asked.end,
        services=content["services"],
        length=timedelta(seconds=template.lasts) if template else None,
        known=known,
    )
    window = window or known
    if window is None:
        raise desk.ask({"start": "When does it begin?"})
    if window[1] <= desk.now:  # one that has begun may still be used
        raise past(desk, content["services"], window[1] - window[0])
    said = {**content, **as_content(window)}
    found = conflicts_of(desk, change, *window)
    if change.kind == ChangeKind.NORMAL and said != content and not _frozen(found):
        return _moved(desk, change, said, found)
    require_free(desk, change, found, window, asked.anyway, asked.because, "schedule")
    if (
        change.state == ChangeState.SCHEDULED
        and said == content
        and change.accepted == accepted_with(change, found)
    ):
        raise WrongState(f"{change.ref} is scheduled for then already.", subject=change.ref)
    again = rewrite(desk, change, said) if said != content else None
    before = move(change, desk, ChangeState.SCHEDULED)
    change.accepted = accepted_with(change, found)
    place(desk, change)
    told = {**as_content(window), "accepted": sorted({each.key for each in found})}
    scheduled = record(change, "scheduled", before, told, {"because": asked.because})
    title = f"{change.ref} is scheduled"
    text = window_words(desk, *window)
    start = Button(label="Start", line=f"change start {change.ref}", style=Style.PRIMARY)
    notices = [
        *tell(
            desk,
            change,
            planners(change),
            title,
            text=text,
            buttons=(start,),
            while_in=(ChangeState.SCHEDULED,),
        ),
        *in_thread(
            change, title, text=text, details=facts(("In its way", in_words(found) if found else None))
        ),
    ]
    return done(
        desk,
        change,
        title,
        [*(again.changes if again else ()), scheduled],
        text=text,
        notices=notices,
        due=dues_of(desk, change, window),
        undue=[f"{change.ref}/{each}" for each in ("opens", "window")],
    )


def _moved(desk: Desk, change: Change, said: Content, found: Sequence[Conflict]) -> Outcome:
    """Another window than the one that was approved is voted on anew; what is in its way is shown already."""
    outcome = rewrite(desk, change, said)
    if not found:
        return outcome
    drawn = outcome.reply
    shown = Reply(title=f"In its way then: {in_words(found)}", table=conflict_table(desk, found))

    def reply() -> Reply:
        return (drawn() if callable(drawn) else drawn).model_copy(update={"more": (shown,)})

    return replace(outcome, reply=reply)


def _frozen(found: Sequence[Conflict]) -> list[Conflict]:
    return [each for each in found if each.kind is windows.Kind.FREEZE]


def dues_of(desk: Desk, change: Change, window: tuple[datetime, datetime]) -> list[Due]:
    """The moments of a window: shortly before it opens, and when it ends."""
    soon = max(desk.now, window[0] - SOON)
    return [
        Due(f"{change.ref}/opens", change.ref, soon, f"change opening {change.ref}"),
        Due(f"{change.ref}/window", change.ref, window[1], f"change overrun {change.ref}"),
    ]


def accepted_with(change: Change, found: Sequence[Conflict]) -> list[str] | None:
    """The conflicts that were accepted for a change, with these."""
    return sorted({*(change.accepted or ()), *(each.key for each in found)}) or None


def require_free(
    desk: Desk,
    change: Change,
    found: Sequence[Conflict],
    window: tuple[datetime, datetime],
    anyway: str | None,
    because: str | None,
    verb: str,
) -> None:
    """Raise InTheWay unless the way is free, or somebody accepts exactly what is in it; nobody accepts a freeze."""
    new = [each for each in found if each.key not in (change.accepted or ())]
    frozen = _frozen(found)
    if not frozen and (not new or anyway == digest(new)):
        if new and not because:
            raise desk.ask({"because": "Why may what is in the way be accepted?"})
        return
    length = window[1] - window[0]
    services = content_of(desk, change)["services"]
    free = free_window(desk, services, change.implementer, length, window[0], change.ref)
    if frozen:
        names = ", ".join(dict.fromkeys(each.name or each.with_ for each in frozen))
        title = f"{change.ref} cannot be {_DONE[verb]} then: {names}"
        text = ("Nothing is changed in a freeze.",)
        raise refusal(desk, change, title, found, free=free, length=length, text=text)
    line = f"change {verb} {change.ref} anyway:{digest(new)}"
    if anyway is not None:
        text = ("What is in the way is no longer what you were shown.",)
    else:
        text = ("If it may be accepted, say so and why.",)
    label = f"{verb.capitalize()} it anyway"
    title = f"{change.ref} has {in_words(found)}"
    raise refusal(desk, change, title, found, free=free, length=length, text=text, anyway=(label, line))


_DONE = {"schedule": "scheduled", "start": "started"}


@command("change opening", params=Opening, evidences=("CM SP 2.2",), desk_only=True)
def opening(asked: Opening, desk: Desk) -> Outcome:
    """Say to whoever makes a change that its window opens."""
    change = find(desk, asked.change)
    if change.state != ChangeState.SCHEDULED or change.starts_at is None:
        return Outcome(reply=Reply(title=f"{change.ref} is not scheduled any more."))
    start = Button(label="Start", line=f"change start {change.ref}", style=Style.PRIMARY)
    notices = tell(
        desk,
        change,
        planners(change),
        f"The window of {change.ref} opens: {change.title}",
        text=window_words(desk, change.starts_at, change.ends_at),
        buttons=(start,),
        while_in=(ChangeState.SCHEDULED,),
        kind=Kind.REMINDER,
        tag=f"opens/{change.starts_at.isoformat()}",
    )
    return Outcome(reply=Reply(title=f"The window of {change.ref} opens."), notices=notices)
