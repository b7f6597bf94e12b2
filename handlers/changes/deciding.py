"""Deciding: asking stage after stage, and drawing the consequence of the votes.

A vote is cast by a person; what follows from the votes is drawn in one place, `change settle`, which the desk says to
itself after each vote and when the time is over. So two last votes at once have one consequence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from config.policy import ChangeKind, ChangeStage
from handlers import definitions
from handlers.changes.content import (
    content_of,
    difference_table,
    edited_since,
    parts_of,
    place,
    rules_of,
    service_names,
    window_words,
)
from handlers.changes.electorate import (
    MEANS,
    barred,
    current_stage,
    led_by_requester,
    seats_of,
    tally_of,
    terms_of,
)
from handlers.changes.shared import ChangeRef, done, find, planners, record
from handlers.declare import Change as Record
from handlers.declare import Due, Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed
from handlers.messages import Button, Kind, Notice, Part, Reply, Style, Words, facts
from handlers.rules.approval import Verdict
from handlers.rules.workflow import ChangeState
from handlers.telling import in_thread, tell
from handlers.tickets import move
from storage.models.changes import Change

_TEXT = 1200  # characters of the plan, the test and the back-out that a voter is shown at once


@dataclass(frozen=True)
class Settle:
    """For example: change settle CHG-7"""

    change: ChangeRef


@dataclass(frozen=True)
class Remind:
    """For example: change remind CHG-7"""

    change: ChangeRef


@dataclass
class Step:
    """What a step on the way to a decision takes: what is recorded, who is told, when to look again."""

    title: str
    records: list[Record] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    due: list[Due] = field(default_factory=list)


# What follows from the votes ----------------------------------------------------------------------


@command("change settle", params=Settle, evidences=("CM SP 2.2", "DAR SP 1.6"), desk_only=True)
def settle(asked: Settle, desk: Desk) -> Outcome:
    """Look at the votes and the time, and draw the consequence, once."""
    change = find(desk, asked.change, for_change=True)
    if change.state != ChangeState.AWAITING_APPROVAL:
        return _counted_again(desk, change)
    stage = terms_of(desk, change).stage(change.stage)
    told: dict[str, object] = {"ballot": change.ballot, "stage": change.stage, "seal": change.seal}
    if stage is None or led_by_requester(desk, change):
        step = _passed(desk, change, {**told, "by": "policy" if stage is None else "lead of the incident"})
        return _settled(desk, change, step, told)
    votes = tally_of(desk, change, change.stage, stage)
    verdict, by_default = votes.verdict, False
    if verdict is Verdict.UNDECIDED and change.decide_by is not None and desk.now >= change.decide_by:
        verdict = Verdict.APPROVED if stage.on_deadline == "approve" else Verdict.REJECTED
        by_default = True
    if verdict is Verdict.UNDECIDED:
        return Outcome(reply=Reply(title=f"{change.ref} needs {votes.missing} more."))
    told |= {
        "verdict": str(verdict),
        "approve": list(votes.approve),
        "object": list(votes.object),
        "abstain": list(votes.abstain),
        "by_default": by_default,
    }
    why = f"not decided in time, so {MEANS[stage.on_deadline]}" if by_default else ""
    decide = _rejected if verdict is Verdict.REJECTED else _agreed
    return _settled(desk, change, decide(desk, change, told, why), told)


def _settled(desk: Desk, change: Change, step: Step, told: Mapping[str, object]) -> Outcome:
    decision = record(change, "decision.recorded", None, told)
    return done(
        desk,
        change,
        step.title,
        [*step.records, decision],
        notices=step.notices,
        due=step.due,
        undue=[f"{change.ref}/vote", f"{change.ref}/remind"],
    )


def _rejected(desk: Desk, change: Change, told: dict[str, object], why: str) -> Step:
    before = move(change, desk, ChangeState.REJECTED)
    change.decide_by = None
    step = Step(f"{change.ref} is rejected")
    step.records.append(record(change, "rejected", before, told))
    edit = Button(label="Edit", line=f"change edit {change.ref}", style=Style.PRIMARY)
    text = (
        f"{why.capitalize()}."
        if why
        else "Too few can still agree. Edit it and submit it again, if you want."
    )
    step.notices += tell(desk, change, planners(change), step.title, text=text, buttons=(edit,))
    return step


def _agreed(desk: Desk, change: Change, told: dict[str, object], why: str) -> Step:
    """A stage has agreed: on to the next one, or the change may be made."""
    terms = terms_of(desk, change)
    if terms.stage(change.stage + 1) is None:
        return _passed(desk, change, told, why)
    before = move(change, desk)
    change.stage += 1
    step = ask(desk, change)
    step.title = f"{change.ref} goes to the next stage of approval"
    step.records.append(record(change, "stage_approved", before, told))
    return step


def _passed(desk: Desk, change: Change, told: dict[str, object], why: str = "") -> Step:
    """Nobody else is to be asked: the change may be scheduled; an emergency may be started at once."""
    change.decide_by, change.stage = None, 0
    if change.kind == ChangeKind.EMERGENCY:
        return _broken(desk, change, told)
    before = move(change, desk, ChangeState.APPROVED)
    step = Step(f"{change.ref} is approved")
    step.records.append(record(change, "approved", before, told))
    text = f"{why.capitalize()}." if why else "Schedule it to see what else takes place then."
    step.notices += _tell_planners(desk, change, told, step.title, text, "schedule")
    return step


def _broken(desk: Desk, change: Change, told: dict[str, object]) -> Step:
    """The glass is broken: the change may be made now, whatever is frozen, and a review of it is owed."""
    rules, _ = definitions.changes(desk, change.rules_version or "")
    before = move(change, desk, ChangeState.SCHEDULED)
    change.starts_at = desk.now
    change.ends_at = desk.now + timedelta(seconds=rules.break_glass.lasts)
    change.review_by = desk.now + timedelta(seconds=rules.review_within[ChangeKind.EMERGENCY])
    place(desk, change)
    step = Step(f"The glass is broken for {change.ref}")
    until = {"until": change.ends_at.isoformat(), "review_by": change.review_by.isoformat()}
    step.records.append(record(change, "glass_broken", before, {**told, **until}))
    text = (
        "It may be made until ",
        desk.at(change.ends_at) or "",
        "; its review is due ",
        desk.at(change.review_by) or "",
        ".",
    )
    step.notices += _tell_planners(desk, change, told, step.title, text, "start")
    step.notices += in_thread(change, step.title, text=text)
    step.due += [
        Due(f"{change.ref}/window", change.ref, change.ends_at, f"change overrun {change.ref}"),
        Due(f"{change.ref}/review", change.ref, change.review_by, f"change owed {change.ref}"),
    ]
    return step


def _tell_planners(
    desk: Desk, change: Change, told: Mapping[str, object], title: str, text: Iterable[Part] | str, verb: str
) -> list[Notice]:
    """Tell those whose change it is what they may do next; where nobody had to vote, the requester has seen it."""
    people = [person for person in planners(change) if "by" not in told or person != change.requester]
    then = Button(label=verb.capitalize(), line=f"change {verb} {change.ref}", style=Style.PRIMARY)
    return tell(desk, change, people, title, text=text, buttons=(then,), while_in=(change.state,))


# Asking -------------------------------------------------------------------------------------------


def open_ballot(desk: Desk, change: Change) -> Step:
    """Begin a ballot about what a change says now, and ask the first stage, where anybody is to be asked.

    `change settle` must follow. Raises NotAllowed where too few people neither ask for the change nor make it.
    """
    rules_of(desk)
    change.rules_version = definitions.keep(desk, "changes", "changes")
    move(change, desk, ChangeState.AWAITING_APPROVAL)
    change.stage = 1
    terms = terms_of(desk, change)
    if not terms.stages or led_by_requester(desk, change):
        return Step("")
    for number, stage in enumerate(terms.stages, 1):
        _require_quorum(desk, change, number, stage)
    return ask(desk, change)


def standing(change: Change) -> str:
    """How a change stands once it was submitted, in a sentence."""
    match change.state:
        case ChangeState.APPROVED:
            return f"{change.ref} is approved; schedule it"
        case ChangeState.SCHEDULED:
            return f"The glass is broken for {change.ref}; start it"
        case _:
            return f"{change.ref} waits for approval"


def _require_quorum(desk: Desk, change: Change, number: int, stage: ChangeStage) -> None:
    seated = seats_of(desk, change, stage)
    if len(seated) >= stage.need:
        return
    names = ", ".join(desk.directory.name(seat.person) for seat in seated) or "nobody"
    without = "; ".join(f"{desk.directory.name(key)} {why}" for key, why in barred(desk, change).items())
    raise NotAllowed(
        f"{change.ref} needs {stage.need} to agree (stage {number}), and only {names} could.",
        f"These have no vote: {without}. Let somebody else make it, or have an administrator name more people.",
    )


def ask(desk: Desk, change: Change) -> Step:
    """Ask the people of the stage it is in, privately, with what they decide on and what happens if nobody does."""
    terms = terms_of(desk, change)
    stage = terms.stage(change.stage)
    assert stage is not None, "only an existing stage is asked"
    change.decide_by = terms.after(stage, desk.now)
    if change.starts_at is not None:
        change.decide_by = max(desk.now, min(change.decide_by, change.starts_at))
    step = Step(f"{change.ref} waits for approval")
    content = content_of(desk, change)
    edits = edited_since(desk, change, change.ballot - 1) if change.ballot > 1 else []
    moment = desk.at(change.decide_by, relative=True) or ""
    text: Words = ("If nobody decides by ", moment, f", {MEANS[stage.on_deadline]}.")
    if edits:
        text = (f"It was edited ({parts_of(edits)}), so earlier votes are void. ", *text)
    sections = [
        Reply(title=title, text=(content[part][:_TEXT],))
        for part, title in (("because", "Why"), ("plan", "Plan"), ("test", "Test"), ("backout", "Back-out"))
        if content[part]
    ]
    for seat in seats_of(desk, change, stage):
        step.notices += tell(
            desk,
            change,
            [seat.person],
            f"{change.ref} needs your vote: {change.title}",
            text=text,
            details=facts(
                ("Asked for by", desk.who(change.requester)),
                ("Made by", desk.who(change.implementer)),
                ("Kind", change.kind if change.kind != ChangeKind.NORMAL else None),
                ("Risk", f"{change.risk} ({change.points} points)" if change.risk else None),
                ("Services", service_names(desk, content["services"])),
                ("Window", window_words(desk, change.starts_at, change.ends_at)),
                ("Needed", f"{stage.need}" if stage.need > 1 else None),
                ("Standing in for", desk.who(seat.for_)),
            ),
            buttons=vote_buttons(change),
            more=([difference_table(desk, edits)] if edits else []) + sections,
            while_in=(ChangeState.AWAITING_APPROVAL,),
            tag=f"b{change.ballot}.{change.stage}/asked",
        )
    half = terms.after(stage, desk.now, 0.5)
    if half >= change.decide_by:  # a window that opens soon leaves less time
        half = desk.now + (change.decide_by - desk.now) / 2
    step.due += [
        Due(f"{change.ref}/vote", change.ref, change.decide_by, f"change settle {change.ref}"),
        Due(f"{change.ref}/remind", change.ref, half, f"change remind {change.ref}"),
    ]
    return step


def vote_buttons(change: Change) -> tuple[Button, ...]:
    """Votes on the present ballot and on no other."""
    ref, seen = change.ref, f"seen:{change.ballot}"
    shown = (
        (Button(label="Show difference", line=f"change difference {ref} since:{change.ballot - 1}"),)
        if change.ballot > 1
        else ()
    )
    return (
        Button(label="Approve", line=f"change approve {ref} {seen}", style=Style.PRIMARY),
        Button(label="Object", line=f"change object {ref} {seen}", style=Style.DANGER),
        Button(label="Abstain", line=f"change abstain {ref} {seen}"),
        *shown,
    )


@command("change remind", params=Remind, evidences=("CM SP 2.2",), desk_only=True)
def remind(asked: Remind, desk: Desk) -> Outcome:
    """Remind those who have not voted, when half of their time is over."""
    change = find(desk, asked.change)
    stage = current_stage(desk, change)
    if stage is None:
        return Outcome(reply=Reply(title=f"{change.ref} was decided meanwhile."))
    silent = tally_of(desk, change, change.stage, stage).silent
    notices = tell(
        desk,
        change,
        silent,
        f"{change.ref} still waits for your vote: {change.title}",
        text=(
            "By ",
            desk.at(change.decide_by, relative=True) or "",
            f"; otherwise {MEANS[stage.on_deadline]}.",
        ),
        buttons=vote_buttons(change),
        while_in=(ChangeState.AWAITING_APPROVAL,),
        kind=Kind.REMINDER,
        tag=f"b{change.ballot}.{change.stage}/reminded",
    )
    return Outcome(reply=Reply(title=f"{len(silent)} are reminded of {change.ref}."), notices=notices)


# Counting again ------------------------------------------------------------------------------------


def _counted_again(desk: Desk, change: Change) -> Outcome:
    """Two accounts may turn out to be one person's: where too few have agreed then, the stage is asked anew."""
    number = first_that_fails(desk, change)
    if change.state not in (ChangeState.APPROVED, ChangeState.SCHEDULED) or number is None:
        return Outcome(reply=Reply(title=f"{change.ref} was decided meanwhile."))
    before = move(change, desk, ChangeState.AWAITING_APPROVAL)
    change.stage, change.review_by = number, None
    place(desk, change)
    step = ask(desk, change)
    reopened = record(change, "approval_reopened", before, {"ballot": change.ballot, "stage": number})
    title = f"{change.ref} waits for approval again: two of its votes were one person's"
    notices = [
        *step.notices,
        *tell(desk, change, planners(change), title, tag=f"v{change.version}/recounted"),
    ]
    undue = [f"{change.ref}/{each}" for each in ("opens", "window", "review")]
    return done(desk, change, title, [reopened], notices=notices, due=step.due, undue=undue)


def first_that_fails(desk: Desk, change: Change, maker: str | None = None) -> int | None:
    """The first stage that would not have agreed, had the votes been counted as they are now, or if `maker` made it."""
    settled = {
        (record_.after or {}).get("stage")
        for record_ in desk.records.ledger.trail(change.ref)
        if record_.action in ("change.stage_approved", "change.approved", "change.glass_broken")
        and ((record_.after or {}).get("by_default") or (record_.after or {}).get("by"))
        and (record_.after or {}).get("ballot") == change.ballot
    }
    for number, stage in enumerate(terms_of(desk, change).stages, 1):
        tally = tally_of(desk, change, number, stage, maker)
        if number not in settled and tally.verdict is not Verdict.APPROVED:
            return number
    return None
