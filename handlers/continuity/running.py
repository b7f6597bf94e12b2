"""The steps of a drill under way: worked by whoever owns each, in order or with the reason why not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from handlers.continuity.card import step_buttons
from handlers.continuity.shared import (
    DRILL,
    REAL,
    DrillRef,
    attend,
    find,
    leads,
    members,
    outcome,
    owner_name,
    owner_words,
    plan_of,
    record,
)
from handlers.declare import Outcome, command, tasks
from handlers.desk import Desk
from handlers.errors import NotAllowed, NotFound, WrongState
from handlers.messages import Button, Fact, Notice, Part, Reply, StepState, Tone, counted, facts
from handlers.parsing import Choice, Text, Word, near
from handlers.rules.moments import show_duration
from handlers.rules.run_sheet import ENDED, FREES, state_of_waiting
from handlers.rules.workflow import UNDER_WAY, require_move
from handlers.telling import in_thread, show_button, tell
from handlers.tickets import move
from storage.models.continuity import Drill, DrillStep

_AT_HOME = 5
"""So many steps of a drill stand at somebody's home; the run-sheet shows them all."""


@dataclass(frozen=True)
class Work:
    """For example: drill step DRL-1 restore done 412 mailboxes, none failed"""

    drill: DrillRef
    step: Annotated[Word, "Which step"]
    state: Annotated[str, Choice(("doing", "done", "failed", "skipped")), "How it stands"]
    note: Annotated[Text | None, "What shows it; or why it failed, is skipped, or comes early"] = None


@command("drill step", params=Work, evidences=("SCON SP 3.2",))
def work(asked: Work, desk: Desk) -> Outcome:
    """Say how a step stands; one that comes before its time, fails or is skipped needs the reason."""
    drill = find(desk, asked.drill, for_change=True)
    require_move(drill.ref, drill.state, "work on")
    step = _step(desk, drill, asked.step)
    _require_owner(desk, drill, step)
    waits_for = _unmet(desk, drill, step) if asked.state in ("doing", "done") else []
    _ask_why(desk, step, asked, waits_for)
    before = {"step_state": step.state}
    corrected = step.state in ENDED
    freed, step_before = step.state in FREES, step.state
    move(drill, desk)
    step.state, step.by, step.note = asked.state, desk.asker.key, asked.note or ""
    step.early = list(dict.fromkeys([*(step.early or ()), *waits_for])) or None
    if asked.state == StepState.DOING:
        step.started_at, step.ended_at = step.started_at or desk.now, None
    else:
        step.ended_at = desk.now
    ready = _free(desk, drill, step, freed)
    told = {"step": step.key, "step_state": step.state, "early": waits_for or None}
    action = "step_corrected" if corrected else f"step_{_PAST[asked.state]}"
    records = [*attend(desk, drill), record(drill, action, before, told, {"note": asked.note})]
    notices = handed_out(desk, drill, ready)
    if asked.state == StepState.FAILED:
        notices += _failed(desk, drill, step)
    if corrected:
        title = f"{step.key} was {step_before} and is {step.state}"
        notices += in_thread(drill, f"{drill.ref}: {title}", text=asked.note or "")
    return outcome(desk, drill, _step_reply(desk, drill, step, ready), records, notices=notices)


_PAST = {"doing": "begun", "done": "done", "failed": "failed", "skipped": "skipped"}


def _step(desk: Desk, drill: Drill, key: str) -> DrillStep:
    step = desk.records.continuity.step(drill.number, key.lower())
    if step is None:
        keys = [each.key for each in desk.records.continuity.steps(drill.number)]
        close = near(key, keys)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"It has {', '.join(keys[:15])}."
        raise NotFound(f"{drill.ref} has no step {key[:48]}.", hint)
    return step


def _require_owner(desk: Desk, drill: Drill, step: DrillStep) -> None:
    if desk.asker.key in members(desk, step.owners) or leads(desk, drill, plan_of(desk, drill)):
        return
    names = [*(owner_name(desk, each) for each in step.owners), desk.directory.name(drill.lead)]
    raise NotAllowed(
        f"{step.key} in {drill.ref} is not yours.",
        f"{' or '.join(dict.fromkeys(names))} can say how it stands.",
    )


def _unmet(desk: Desk, drill: Drill, step: DrillStep) -> list[str]:
    """The steps that this one would not wait for."""
    if not step.waits:
        return []
    before = desk.records.continuity.steps_called(drill.number, step.after)
    return [each.key for each in before if each.state not in FREES]


def _ask_why(desk: Desk, step: DrillStep, asked: Work, waits_for: Sequence[str]) -> None:
    """Ask for what is missing: a reason, or what shows it."""
    if step.state == asked.state and (step.state in ENDED or step.by == desk.asker.key):
        raise WrongState(f"{step.key} is {step.state} already.", subject=f"DRL-{step.drill}")
    if asked.note:
        return
    if step.state in ENDED:
        raise desk.ask({"note": f"It was said to be {step.state}. Why is that to be corrected?"})
    if asked.state in ("failed", "skipped"):
        raise desk.ask({"note": f"Why is it {asked.state}?"})
    if waits_for:
        raise desk.ask({"note": f"It comes before {', '.join(waits_for)}. Why out of order?"})
    if asked.state == "done" and step.proof:
        raise desk.ask({"note": f"What shows it? Wanted: {step.proof}."})


def _free(desk: Desk, drill: Drill, step: DrillStep, freed: bool) -> list[DrillStep]:
    """Let the steps that wait for this one wait for one less, or more; returns those that can be done now."""
    frees = step.state in FREES
    if frees == freed or not step.before:
        return []
    ready: list[DrillStep] = []
    for each in desk.records.continuity.steps_called(drill.number, step.before):
        each.waits += -1 if frees else 1
        was, each.state = each.state, state_of_waiting(each.state, each.waits)
        if each.state == StepState.READY and was != StepState.READY:
            ready.append(each)
    return ready


def _failed(desk: Desk, drill: Drill, step: DrillStep) -> list[Notice]:
    title = f"{drill.ref}: {step.title} has failed"
    held = f" {', '.join(step.before)} cannot begin." if step.before else ""
    text = f"{step.note}{held}"
    again = Button(label="It is done after all", line=f"drill step {drill.ref} {step.key} done")
    skip = Button(label="Go on without it", line=f"drill step {drill.ref} {step.key} skipped")
    return [
        *tell(
            desk,
            drill,
            [drill.lead],
            title,
            tag=f"v{drill.version}/failed",
            text=text,
            buttons=(again, skip),
            while_in=UNDER_WAY,
        ),
        *in_thread(drill, title, text=text),
    ]


def _step_reply(desk: Desk, drill: Drill, step: DrillStep, ready: Sequence[DrillStep]) -> Reply:
    mine = [each for each in ready if desk.asker.key in members(desk, each.owners)]
    shown = {"doing": "being done"}.get(step.state, step.state)
    text: list[Part] = []
    if step.early:
        text.append(f"It did not wait for {', '.join(step.early)}, and that is on file with your reason. ")
    for each in ready:
        text += [f"{each.key} can begin now: ", *owner_words(desk, each.owners), ". "]
    next_ = [step] if step.state == StepState.DOING else mine[:2]
    return Reply(
        title=f"{step.key} is {shown}: {step.title}",
        text=tuple(text),
        tone=Tone.GOOD,
        buttons=tuple(button for each in next_ for button in step_buttons(drill, each)),
        subject=drill.ref,
        version=drill.version,
    )


def handed_out(desk: Desk, drill: Drill, steps: Iterable[DrillStep]) -> list[Notice]:
    """A word to the owners of steps that can be done now."""
    notices: list[Notice] = []
    for step in steps:
        people = [person for person in members(desk, step.owners) if person != desk.asker.key]
        notices += tell(
            desk,
            drill,
            people,
            _title(drill, step),
            tag=f"v{drill.version}/{step.key}",
            text=_whose(drill),
            details=_details(step),
            buttons=step_buttons(drill, step),
            while_in=UNDER_WAY,
        )
    return notices


def _title(drill: Drill, step: DrillStep) -> str:
    return step.title if drill.kind == REAL else f"Practice. {step.title}"


def _whose(drill: Drill) -> str:
    return f"Your step in {drill.ref}, {drill.title}."


def _details(step: DrillStep) -> tuple[Fact, ...]:
    return facts(
        ("Step", step.key),
        ("Should take", show_duration(timedelta(seconds=step.lasts))),
        ("Must be shown", step.proof),
    )


@tasks(DRILL)
def at_hand(desk: Desk) -> Sequence[Reply]:
    """The steps of running drills that the asker can do now; after a few of a drill, how many more."""
    yours: dict[str, list[Reply]] = {}
    for drill, step in desk.records.continuity.steps_at_hand():
        if desk.asker.key in members(desk, step.owners):
            yours.setdefault(drill.ref, []).append(
                Reply(
                    title=_title(drill, step),
                    text=(_whose(drill),),
                    tone=Tone.WAITING,
                    facts=_details(step),
                    buttons=(*step_buttons(drill, step), show_button(drill.ref)),
                    subject=drill.ref,
                )
            )
    return [section for ref, found in yours.items() for section in _a_few(ref, found)]


def _a_few(ref: str, found: Sequence[Reply]) -> Sequence[Reply]:
    if len(found) <= _AT_HOME:
        return found
    more = counted(len(found) - _AT_HOME, "more step")
    further = Reply(title=f"{more} of yours can be done in {ref}", buttons=(show_button(ref),), subject=ref)
    return [*found[:_AT_HOME], further]
