"""Making it: starting inside the window and outside every freeze, completing or rolling back, against the plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from config.policy import ChangeKind
from handlers.changes.content import place, rules_of, window_of
from handlers.changes.deciding import first_that_fails
from handlers.changes.scheduling import accepted_with, require_free
from handlers.changes.shared import (
    Accepting,
    Anyway,
    ChangeRef,
    done,
    find,
    hold_gate,
    planners,
    record,
    to_make,
)
from handlers.changes.windowing import conflicts_of
from handlers.declare import Due, Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed, WrongState
from handlers.messages import Button, Kind, Reply, Style, Tone, Words, facts
from handlers.parsing import Choice, Text
from handlers.rules import windows
from handlers.rules.moments import show_duration
from handlers.rules.workflow import ChangeState
from handlers.telling import in_thread, tell
from handlers.tickets import move
from storage.models.changes import Change

AGAIN = timedelta(hours=1)
"""So often a change that takes longer than its window is asked after."""

_RESULTS = ("successful", "with-issues", "failed")


@dataclass(frozen=True)
class Start:
    """For example: change start CHG-7"""

    change: ChangeRef
    anyway: Anyway = None
    because: Accepting = None


@dataclass(frozen=True)
class Complete:
    """For example: change complete CHG-7 successful every mailbox answers"""

    change: ChangeRef
    result: Annotated[str, Choice(_RESULTS), "How it went"]
    how: Annotated[Text, "What was done and what the test showed"]


@dataclass(frozen=True)
class RollBack:
    """For example: change rollback CHG-7 the new store is too slow"""

    change: ChangeRef
    because: Annotated[Text, "Why, and how it stands now"]


@dataclass(frozen=True)
class Overrun:
    """For example: change overrun CHG-7"""

    change: ChangeRef


@command("change start", params=Start, evidences=("CM SP 2.2",))
def start(asked: Start, desk: Desk) -> Outcome:
    """Begin to make a change; a freeze or a window that is not open refuses it, however you ask."""
    hold_gate(desk)
    change = to_make(desk, asked.change, "start")
    _require_agreed_by_others(desk, change)
    opens, closes = window_of(change)
    if not opens <= desk.now < closes:
        is_early = desk.now < opens
        raise WrongState(
            f"{change.ref} cannot be started now: its window {'is not open yet' if is_early else 'is over'}.",
            "Wait for it, or schedule it anew." if is_early else "Schedule it anew.",
            subject=change.ref,
        )
    found = conflicts_of(desk, change, desk.now, closes)
    emergency = change.kind == ChangeKind.EMERGENCY
    if not emergency:
        window = (desk.now, desk.now + (closes - opens))
        require_free(desk, change, found, window, asked.anyway, asked.because, "start")
    before = move(change, desk, ChangeState.IN_PROGRESS)
    change.started_at = desk.now
    change.accepted = accepted_with(change, found)
    place(desk, change)
    told = {
        "implementer": desk.asker.key,
        "ballot": change.ballot,
        "seal": change.seal,
        "in_the_way": sorted({each.key for each in found}),
    }
    started = record(change, "started", before, told, {"because": asked.because})
    title = f"{change.ref} is being made: {change.title}"
    text: Words = ("Until ", desk.at(closes) or "")
    frozen = ", ".join(each.name for each in found if each.kind is windows.Kind.FREEZE)
    notices = [
        *tell(desk, change, planners(change), title, text=text),
        *in_thread(
            change, title, text=text, details=facts(("Through the freeze", frozen if emergency else None))
        ),
    ]
    return done(
        desk,
        change,
        title,
        [started],
        notices=notices,
        due=[Due(f"{change.ref}/window", change.ref, closes, f"change overrun {change.ref}")],
        undue=[f"{change.ref}/opens"],
    )


def _require_agreed_by_others(desk: Desk, change: Change) -> None:
    """Raise NotAllowed where it was agreed to only with the vote of whoever starts it, or of their stand-in."""
    maker = desk.asker.key
    if maker != change.implementer and first_that_fails(desk, change, maker) is not None:
        raise NotAllowed(
            f"You cannot start {change.ref}: who makes a change does not decide on it, and you or whoever stands in"
            " for you agreed to it.",
            f"{desk.directory.name(change.implementer)} can start it.",
        )


@command("change complete", params=Complete, evidences=("CM SP 2.2",))
def complete(asked: Complete, desk: Desk) -> Outcome:
    """Say that a change is made, how it went, and what the test showed."""
    change = to_make(desk, asked.change, "complete")
    said = f"is made: {asked.result.replace('-', ' ')}"
    return _end(desk, change, asked.result, asked.how, "implemented", said)


@command("change rollback", params=RollBack, evidences=("CM SP 2.2",))
def rollback(asked: RollBack, desk: Desk) -> Outcome:
    """Say that a change was undone, and why."""
    change = to_make(desk, asked.change, "roll back")
    return _end(desk, change, "rolled-back", asked.because, "rolled_back", "was rolled back")


def _end(desk: Desk, change: Change, result: str, how: str, action: str, said: str) -> Outcome:
    change.result, change.ended_at = result, desk.now
    opens, closes = window_of(change)
    _owe_review(desk, change)
    before = move(change, desk, ChangeState.COMPLETED if change.review_by else ChangeState.CLOSED)
    desk.records.changes.save()
    place(desk, change)
    desk.records.changes.put_text(change.number, "how", desk.asker.key, how, desk.now)
    planned, actual = closes - opens, desk.now - (change.started_at or desk.now)
    late = max(timedelta(), desk.now - closes)
    told = {
        "result": result,
        "planned": int(planned.total_seconds()),
        "actual": int(actual.total_seconds()),
        "overrun": int(late.total_seconds()),
        "review_by": change.review_by.isoformat() if change.review_by else None,
    }
    ended = record(change, action, before, told, {"how": how})
    title = f"{change.ref} {said}"
    details = facts(
        ("Took", f"{_length(actual)} of {_length(planned)}"),
        ("Over its window", _length(late) if late else None),
        ("Review by", desk.at(change.review_by, relative=True)),
    )
    went_wrong = result in ("failed", "rolled-back")
    cause = Button(label="It caused an incident", line=f"change cause {change.ref}", style=Style.DANGER)
    notices = [
        *tell(desk, change, planners(change), title, text=how, details=details),
        *in_thread(change, title, text=how, details=details),
    ]
    return done(
        desk,
        change,
        title,
        [ended],
        text=how,
        tone=Tone.WAITING if went_wrong else Tone.GOOD,
        notices=notices,
        due=_review_dues(desk, change),
        undue=[f"{change.ref}/window"],
        buttons=(cause,) if went_wrong else (),
        follow=(f"service hand-over {change.ref}",) if change.transition and not went_wrong else (),
    )


def _owe_review(desk: Desk, change: Change) -> None:
    """By when it must be looked back upon. What went wrong is reviewed, whatever its kind."""
    if change.review_by is not None:
        return  # owed since the glass was broken
    within = rules_of(desk).review_within
    seconds = within.get(ChangeKind(change.kind))
    if seconds is None and change.result in ("failed", "rolled-back"):
        seconds = within.get(ChangeKind.NORMAL)
    if seconds is not None:
        change.review_by = desk.now + timedelta(seconds=seconds)


def _review_dues(desk: Desk, change: Change) -> list[Due]:
    if change.review_by is None or change.kind == ChangeKind.EMERGENCY:
        return []
    first = desk.now + (change.review_by - desk.now) * 3 / 4
    return [Due(f"{change.ref}/review", change.ref, first, f"change owed {change.ref}")]


def _length(length: timedelta) -> str:
    return show_duration(timedelta(seconds=round(length.total_seconds())))


@command("change overrun", params=Overrun, evidences=("CM SP 2.2",), desk_only=True)
def overrun(asked: Overrun, desk: Desk) -> Outcome:
    """When a window ends: ask after a change that is still being made, and give back the time of one never begun."""
    change = find(desk, asked.change, for_change=True)
    if change.state == ChangeState.SCHEDULED:
        return _missed(desk, change)
    if change.state != ChangeState.IN_PROGRESS:
        return Outcome(reply=Reply(title=f"{change.ref} is not being made any more."))
    again = desk.now + AGAIN
    desk.records.changes.hold_until(change, again)
    late = desk.now - window_of(change)[1]
    title = f"{change.ref} should be done: {change.title}"
    text = f"Its window ended {_length(late)} ago." if late else "Its window ends now."
    buttons = (
        Button(label="Complete", line=f"change complete {change.ref}", style=Style.PRIMARY),
        Button(label="Roll back", line=f"change rollback {change.ref}", style=Style.DANGER),
    )
    notices = tell(
        desk,
        change,
        planners(change),
        title,
        text=text,
        buttons=buttons,
        while_in=(ChangeState.IN_PROGRESS,),
        kind=Kind.REMINDER,
        tag=f"overrun/{desk.now.isoformat()}",
    )
    due = [Due(f"{change.ref}/window", change.ref, again, f"change overrun {change.ref}")]
    return Outcome(reply=Reply(title=title), notices=notices, due=due)


def _missed(desk: Desk, change: Change) -> Outcome:
    """Nobody has begun in time: it stays approved, and holds nothing any more. Broken glass does not stay broken."""
    emergency = change.kind == ChangeKind.EMERGENCY
    before = move(change, desk, ChangeState.CANCELLED if emergency else ChangeState.APPROVED)
    change.review_by = None
    place(desk, change)
    missed = record(change, "missed", before)
    title = f"{change.ref} was not begun in its window"
    schedule = Button(label="Schedule anew", line=f"change schedule {change.ref}", style=Style.PRIMARY)
    notices = tell(
        desk,
        change,
        planners(change),
        title,
        text="The glass is whole again." if emergency else "It stays approved.",
        buttons=() if emergency else (schedule,),
    )
    undue = [f"{change.ref}/opens", f"{change.ref}/review"]
    return done(desk, change, title, [missed], notices=notices, undue=undue)
