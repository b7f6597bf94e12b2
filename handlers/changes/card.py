"""The card: a change at a glance, and the buttons that make sense now."""

from __future__ import annotations

from collections.abc import Iterator

from config.policy import ChangeKind
from handlers.changes.content import content_of, is_assessed, missing, service_names, window_words
from handlers.changes.electorate import MEANS, current_stage, tally_of, terms_of
from handlers.desk import Desk
from handlers.messages import Button, Fact, Part, Reply, Style, Tone, Words, facts
from handlers.rules.workflow import AHEAD, ChangeState
from storage.models.changes import Change

_QUOTED = 300
_NO_LONGER = (ChangeState.REJECTED, ChangeState.CANCELLED)


def card(desk: Desk, change: Change) -> Reply:
    """A change as everybody in its room sees it: what, when, how risky, who decides, how it went, what is next."""
    return Reply(
        title=f"{change.ref} · {change.title}",
        tone=_tone(change),
        facts=_facts(desk, change),
        buttons=tuple(buttons(desk, change)),
        subject=change.ref,
        version=change.version,
        as_of=desk.now,
        private=False,
    )


def _tone(change: Change) -> Tone:
    match change.state:
        case ChangeState.CLOSED | ChangeState.COMPLETED:
            return Tone.GOOD if change.result in ("successful", None) else Tone.BAD
        case ChangeState.REJECTED:
            return Tone.BAD
        case ChangeState.AWAITING_APPROVAL | ChangeState.IN_PROGRESS:
            return Tone.WAITING
        case _:
            return Tone.PLAIN


def _facts(desk: Desk, change: Change) -> tuple[Fact, ...]:
    content = content_of(desk, change)
    texts = desk.records.changes.texts(change.number)
    draft = change.state == ChangeState.DRAFT
    lacking = [part.replace("start", "window") for part in missing(content, change.kind)]
    return facts(
        ("State", ChangeState(change.state).shown),
        ("Kind", _kind(desk, change)),
        ("Risk", _risk(desk, change)),
        ("Services", service_names(desk, content["services"])),
        ("Window", window_words(desk, change.starts_at, change.ends_at)),
        ("Asked for by", desk.who(change.requester)),
        ("Made by", desk.who(change.implementer)),
        ("Still to be said", ", ".join(lacking) if draft else None),
        ("Approval", approval_words(desk, change)),
        ("Decision by", _decision(desk, change)),
        ("In its way, and accepted", ", ".join(_accepted(change))),
        ("Being made since", None if change.ended_at else desk.at(change.started_at, relative=True)),
        ("Was made", window_words(desk, change.started_at, change.ended_at)),
        ("Result", change.result.replace("-", " ") if change.result else None),
        ("How it went", texts["how"].text[:_QUOTED] if "how" in texts else None),
        ("Caused", ", ".join(desk.records.changes.links(change.number))),
        ("Review", _review(desk, change)),
        ("Lessons", texts["lessons"].text[:_QUOTED] if "lessons" in texts else None),
    )


def _kind(desk: Desk, change: Change) -> str:
    if change.kind == ChangeKind.STANDARD:
        template = desk.policy.standard_changes.get(change.template or "")
        return f"standard: {template.name if template else change.template}"
    if change.kind == ChangeKind.EMERGENCY:
        return f"emergency for {change.incident}" if change.incident else "emergency"
    return change.kind


def _risk(desk: Desk, change: Change) -> str | None:
    if change.kind != ChangeKind.NORMAL:
        return None
    return f"{change.risk} ({change.points} points)" if change.risk else "not assessed yet"


def _accepted(change: Change) -> list[str]:
    return [key.partition(":")[2] for key in change.accepted or ()]


def _review(desk: Desk, change: Change) -> Words:
    if change.review_by is None or change.state in _NO_LONGER:
        return ()
    if change.reviewed_at is not None:
        return ("done ", desk.at(change.reviewed_at) or "")
    overdue = " (overdue)" if change.review_by < desk.now else ""
    return ("by ", desk.at(change.review_by, relative=True) or "", overdue)


def _decision(desk: Desk, change: Change) -> Words:
    stage = current_stage(desk, change)
    by = desk.at(change.decide_by, relative=True)
    return (by, f", otherwise {MEANS[stage.on_deadline]}") if stage and by else ()


def approval_words(desk: Desk, change: Change) -> Words:
    """How the vote stands: the stage, who agreed, who has not said anything yet."""
    stage = current_stage(desk, change)
    if stage is None:
        return ()
    found = tally_of(desk, change, change.stage, stage)
    stages = len(terms_of(desk, change).stages)
    parts: list[Part] = [f"stage {change.stage} of {stages}: " if stages > 1 else ""]
    parts.append(f"{len(found.approve)} of {stage.need} agree")
    if found.object:
        parts.append(f", {len(found.object)} object")
    if found.abstain:
        parts.append(f", {len(found.abstain)} abstain")
    for number, person in enumerate(found.silent):
        parts += ["; asked: " if number == 0 else ", ", desk.directory.who_is(person)]
    return tuple(part for part in parts if part)


# Buttons ------------------------------------------------------------------------------------------

_ANYBODYS = ("change approvers",)


def own_buttons(desk: Desk, change: Change, plans_it: bool) -> tuple[Button, ...]:
    """The buttons that make sense to the asker."""
    drawn = tuple(buttons(desk, change))
    return drawn if plans_it else tuple(each for each in drawn if each.line.startswith(_ANYBODYS))


def buttons(desk: Desk, change: Change) -> Iterator[Button]:
    """What can be done next; each is a line that could have been typed. Those who vote are asked in private."""
    ref, state = change.ref, ChangeState(change.state)
    if state is ChangeState.DRAFT:
        assessed = is_assessed(desk, content_of(desk, change), change.kind)
        if not assessed:
            yield Button(label="Assess", line=f"change assess {ref}", style=Style.PRIMARY)
        yield Button(
            label="Submit",
            line=f"change submit {ref}",
            style=Style.PRIMARY if assessed else Style.PLAIN,
        )
    if state is ChangeState.AWAITING_APPROVAL:
        yield Button(label="Who decides?", line=f"change approvers {ref}")
    if state is ChangeState.APPROVED:
        yield Button(label="Schedule", line=f"change schedule {ref}", style=Style.PRIMARY)
    if state is ChangeState.SCHEDULED:
        yield Button(label="Start", line=f"change start {ref}", style=Style.PRIMARY)
    if state is ChangeState.IN_PROGRESS:
        yield Button(label="Complete", line=f"change complete {ref}", style=Style.PRIMARY)
        yield Button(label="Roll back", line=f"change rollback {ref}", style=Style.DANGER)
    if state is ChangeState.COMPLETED:
        yield Button(label="Review", line=f"change review {ref}", style=Style.PRIMARY)
    if state in AHEAD or state is ChangeState.REJECTED:
        yield Button(label="Edit", line=f"change edit {ref}")
        yield Button(label="Cancel", line=f"change cancel {ref}", confirm="Take this change back?")
