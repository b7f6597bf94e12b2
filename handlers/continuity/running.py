"""Running a drill: started once, worked step by step by whoever owns each, confronted, paused, resumed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from config.policy import DrillKind, Plan
from handlers.continuity.card import KINDS, card, step_buttons
from handlers.continuity.shared import (
    REAL,
    DrillRef,
    Past,
    attend,
    find,
    leads,
    members,
    outcome,
    owner_name,
    owner_words,
    plan_of,
    record,
    said,
    to_lead,
)
from handlers.declare import Change as Record
from handlers.declare import Due, Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed, NotFound, WrongState
from handlers.messages import Button, Notice, Part, Reply, StepState, Style, Tone, facts
from handlers.parsing import Choice, Duration, Free, IncidentRef, Manner, Text, WholeNumber, Word, near
from handlers.readiness import gap_words, gaps_of
from handlers.rules.drill_clock import Aim
from handlers.rules.moments import show_duration
from handlers.rules.run_sheet import ENDED, FREES, followers, length, planned, state_of_waiting
from handlers.rules.workflow import UNDER_WAY, DrillState, require_move
from handlers.telling import in_thread, tell
from handlers.tickets import move
from storage.models.continuity import Drill, DrillInject, DrillStep

_ASKED_BEFORE = (DrillKind.SIMULATION, DrillKind.FULL)
"""The kinds before which the desk asks whether everything is there: something is really done in them."""


@dataclass(frozen=True)
class Start:
    """For example: drill start DRL-1"""

    drill: DrillRef
    disrupted: Annotated[Past | None, Manner.BY_NAME, "When the disruption was, if not now"] = None
    because: Annotated[Text | None, Manner.BY_NAME, "Why it may begin although something lacks"] = None


@dataclass(frozen=True)
class Work:
    """For example: drill step DRL-1 restore done 412 mailboxes, none failed"""

    drill: DrillRef
    step: Annotated[Word, "Which step"]
    state: Annotated[str, Choice(("doing", "done", "failed", "skipped")), "How it stands"]
    note: Annotated[Text | None, "What shows it; or why it failed, is skipped, or comes early"] = None


@dataclass(frozen=True)
class Confront:
    """For example: drill inject DRL-1 the backup cannot be read to:@backup in:10m"""

    drill: DrillRef
    says: Annotated[Text, "What happens now"]
    to: Annotated[
        str | None, Free(at_most=200, takes_rest=False), Manner.BY_NAME, "Whom; all, when left out"
    ] = None
    after: Annotated[Duration | None, Manner.BY_NAME, "How long from now"] = None


@dataclass(frozen=True)
class Present:
    """For example: drill present DRL-1 2"""

    drill: DrillRef
    number: Annotated[int, WholeNumber(1, 100_000)]


@dataclass(frozen=True)
class Pause:
    """For example: drill pause DRL-1 the fire alarm rings"""

    drill: DrillRef
    because: Annotated[Text, "Why nobody works on it for now"]


@dataclass(frozen=True)
class Resume:
    """For example: drill resume DRL-1"""

    drill: DrillRef


@dataclass(frozen=True)
class GiveWay:
    """For example: drill give-way DRL-1 INC-3"""

    drill: DrillRef
    incident: IncidentRef


@dataclass(frozen=True)
class AllClear:
    """For example: drill all-clear DRL-1 INC-3"""

    drill: DrillRef
    incident: IncidentRef


# Starting -----------------------------------------------------------------------------------------


@command("drill start", params=Start, evidences=("SCON SP 3.2", "SD SP 2.2"))
def start(asked: Start, desk: Desk) -> Outcome:
    """Begin a drill: the disruption is declared, and the first steps go to their owners."""
    drill = to_lead(desk, asked.drill, "start")
    plan = plan_of(desk, drill)
    says = said(desk, plan, plan.signed)
    require_owners(desk, says)
    lacking = [
        (each.service, gap)
        for each in desk.records.continuity.services_of(drill.number)
        for gap in gaps_of(desk, each.service)
    ]
    if lacking and drill.kind in _ASKED_BEFORE and not asked.because:
        words = "; ".join(gap_words(desk, service, gap) for service, gap in lacking[:8])
        raise desk.ask({"because": f"Not everything is ready: {words}. Why may it begin all the same?"})
    before = move(drill, desk, DrillState.RUNNING)
    drill.content = plan.signed or plan.content
    records = [
        record(
            drill,
            "readiness.checked",
            None,
            {"lacking": [[service, gap.item.key, gap.why] for service, gap in lacking]},
            {"because": asked.because if lacking else None},
        ),
        *begin(desk, drill, says, "started", before, asked.disrupted or desk.now),
    ]
    return begun(desk, drill, says, records, f"{drill.ref} has begun: {drill.title}")


def require_owners(desk: Desk, says: Plan) -> None:
    """Raise WrongState for steps that nobody would do."""
    if not says.steps:
        raise WrongState("This plan has no steps yet.", "Add them first.")
    nobody = [step.key for step in says.steps if not members(desk, step.owner)]
    if nobody:
        raise WrongState(
            f"Nobody would do {', '.join(nobody)}.",
            "Give each step an owner who is there: the plan says who.",
        )


def begin(
    desk: Desk,
    drill: Drill,
    says: Plan,
    action: str,
    before: dict[str, Any] | None,
    disruption: datetime,
    words: dict[str, str | None] | None = None,
) -> list[Record]:
    """Lay out the steps and injects of a drill that begins now, fix its targets, declare the disruption."""
    signed = desk.records.continuity.signed_analyses()
    rows = desk.records.continuity.services_of(drill.number)
    aims = {
        row.service: Aim(signed[row.service].rto, signed[row.service].rpo, signed[row.service].ref)
        if row.service in signed
        else Aim()
        for row in rows
    }
    drill.started_at = desk.now
    drill.starts_at = min(drill.starts_at, desk.now)
    drill.ends_at = max(desk.now + length(says.steps), drill.ends_at)
    desk.records.continuity.hold(drill, True)
    when, before_ = planned(says.steps), followers(says.steps)
    desk.records.continuity.add(
        *(
            DrillStep(
                drill=drill.number,
                key=step.key,
                place=place,
                lane=step.lane,
                title=step.title,
                owners=list(step.owner),
                after=list(dict.fromkeys(step.after)),
                before=before_[step.key],
                lasts=step.lasts,
                proof=step.proof,
                state=state_of_waiting("pending", len(set(step.after))),
                waits=len(set(step.after)),
                planned_at=desk.now + when[step.key][0],
            )
            for place, step in enumerate(says.steps)
        )
    )
    told = {
        "kind": drill.kind,
        "plan": f"PLN-{drill.plan}",
        "version": drill.content,
        "aims": {key: asdict(aim) for key, aim in aims.items()},
        "steps": len(says.steps),
        "incident": drill.incident,
    }
    began = record(drill, action, before, told, words)
    disrupted = record(drill, "disrupted", None, {"disruption": disruption.isoformat()})
    return [began, disrupted]


def begun(desk: Desk, drill: Drill, says: Plan, records: Sequence[Record], title: str) -> Outcome:
    """What a drill that has begun comes to: the first steps go out, injects get their moments."""
    injects = says.injects if drill.kind != REAL else ()
    rows = [
        DrillInject(
            drill=drill.number,
            number=number,
            says=inject.says,
            to=list(inject.to),
            by=plan_of(desk, drill).author,
            at=desk.now + timedelta(seconds=inject.after),
        )
        for number, inject in enumerate(injects, 1)
    ]
    if rows:
        desk.records.continuity.add(*rows)
    ready = [each for each in desk.records.continuity.steps(drill.number) if each.state == StepState.READY]
    people = [drill.lead, *(each.person for each in desk.records.continuity.people(drill.number))]
    came = attend(desk, drill)
    tag = f"v{drill.version}/begun"
    return outcome(
        desk,
        drill,
        lambda: _answer(desk, drill, title),
        [*records, *came],
        notices=[
            *tell(desk, drill, people, title, tag=tag, text=says.scenario[:500], while_in=UNDER_WAY),
            *in_thread(drill, title, text=says.scenario[:500]),
            *handed_out(desk, drill, ready),
        ],
        due=[_moment(drill, row) for row in rows],
        undue=[f"{drill.ref}/{each}" for each in ("soon", "now", "missed")],
    )


def _answer(desk: Desk, drill: Drill, title: str, text: Iterable[Part] = ()) -> Reply:
    return card(desk, drill).model_copy(
        update={"title": title, "text": tuple(text), "tone": Tone.GOOD, "private": True}
    )


def _moment(drill: Drill, inject: DrillInject) -> Due:
    return Due(
        f"{drill.ref}/inject/{inject.number}",
        drill.ref,
        inject.at,
        f"drill present {drill.ref} {inject.number}",
    )


def handed_out(desk: Desk, drill: Drill, steps: Iterable[DrillStep]) -> list[Notice]:
    """A word to the owners of steps that can be done now."""
    notices: list[Notice] = []
    practice = "" if drill.kind == REAL else "Practice. "
    for step in steps:
        people = [person for person in members(desk, step.owners) if person != desk.asker.key]
        notices += tell(
            desk,
            drill,
            people,
            f"{practice}{step.title}",
            tag=f"v{drill.version}/{step.key}",
            text=f"Your step in {drill.ref}, {drill.title}.",
            details=facts(
                ("Step", step.key),
                ("Should take", show_duration(timedelta(seconds=step.lasts))),
                ("Must be shown", step.proof),
            ),
            buttons=step_buttons(drill, step),
            while_in=UNDER_WAY,
        )
    return notices


# Steps --------------------------------------------------------------------------------------------


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


# Injects ------------------------------------------------------------------------------------------


@command("drill inject", params=Confront, evidences=("SCON SP 3.2",))
def confront(asked: Confront, desk: Desk) -> Outcome:
    """Confront those who take part with something that happens, now or in a while."""
    drill = to_lead(desk, asked.drill, "confront")
    if drill.kind == REAL:
        raise WrongState(
            f"{drill.ref} is no drill.", "Nobody is confronted with inventions now.", subject=drill.ref
        )
    to = [name.strip().removeprefix("@") for name in (asked.to or "").split(",") if name.strip()]
    unknown = [name for name in to if desk.directory.find(name) is None and name not in desk.policy.teams]
    if unknown:
        raise desk.ask({"to": f"I do not know {', '.join(unknown)[:80]}."})
    people = [f"@{name}" if name in desk.policy.teams else desk.directory.find(name) or name for name in to]
    row = DrillInject(
        drill=drill.number,
        number=len(desk.records.continuity.injects(drill.number)) + 1,
        says=asked.says,
        to=people,
        by=desk.asker.key,
        at=desk.now + (asked.after or timedelta()),
    )
    desk.records.continuity.add(row)
    move(drill, desk)
    prepared = record(
        drill, "inject_prepared", None, {"inject": row.number, "at": row.at.isoformat()}, {"says": asked.says}
    )
    later = asked.after is not None
    follow = [] if later or drill.state == DrillState.PAUSED else [f"drill present {drill.ref} {row.number}"]
    title = f"{drill.ref}: that comes {'later' if later else 'now'}"
    return outcome(
        desk,
        drill,
        Reply(title=title, text=(asked.says,), tone=Tone.GOOD, subject=drill.ref),
        [prepared],
        due=[_moment(drill, row)] if later and drill.state == DrillState.RUNNING else [],
        follow=follow,
    )


@command("drill present", params=Present, evidences=("SCON SP 3.2",), desk_only=True)
def present(asked: Present, desk: Desk) -> Outcome:
    """Confront those who take part with what was prepared."""
    drill = find(desk, asked.drill, for_change=True)
    rows = {each.number: each for each in desk.records.continuity.injects(drill.number)}
    inject = rows.get(asked.number)
    if drill.state != DrillState.RUNNING or inject is None or inject.said_at is not None:
        return Outcome(reply=Reply(title=f"{drill.ref}: nothing to say."))
    inject.said_at = desk.now
    move(drill, desk)
    everybody = [drill.lead, *(each.person for each in desk.records.continuity.people(drill.number))]
    people = members(desk, inject.to) or everybody
    title = f"Practice. {inject.says[:120]}"
    details = facts(("Drill", f"{drill.ref} {drill.title}"))
    finding = Button(label="Note a finding", line=f"drill finding {drill.ref}")
    presented = record(drill, "inject_presented", None, {"inject": inject.number, "to": people})
    return outcome(
        desk,
        drill,
        Reply(title=title),
        [presented],
        notices=[
            *tell(
                desk,
                drill,
                people,
                title,
                tag=f"inject/{inject.number}",
                text=inject.says if len(inject.says) > 120 else "",
                details=details,
                buttons=(finding,),
                while_in=UNDER_WAY,
            ),
            *(
                in_thread(drill, title, tag=f"inject/{inject.number}", text=inject.says)
                if not inject.to
                else ()
            ),
        ],
    )


# Pausing and resuming -----------------------------------------------------------------------------


@command("drill pause", params=Pause, evidences=("SCON SP 3.2",))
def pause(asked: Pause, desk: Desk) -> Outcome:
    """Pause a drill, with the reason; the time is told in the report and not counted."""
    drill = to_lead(desk, asked.drill, "pause")
    if drill.kind == REAL:
        raise WrongState(
            f"{drill.ref} is no drill: the clock of a real disruption does not stop.", subject=drill.ref
        )
    return _paused(desk, drill, asked.because, None)


@command("drill give-way", params=GiveWay, evidences=("SCON SP 3.2",), desk_only=True)
def give_way(asked: GiveWay, desk: Desk) -> Outcome:
    """Pause a drill because its people have a real incident."""
    drill = find(desk, asked.drill, for_change=True)
    if drill.state != DrillState.RUNNING or drill.kind == REAL:
        return Outcome(reply=Reply(title=f"{drill.ref} does not run."))
    return _paused(desk, drill, f"{asked.incident} is real", asked.incident)


def _paused(desk: Desk, drill: Drill, because: str, incident: str | None) -> Outcome:
    before = move(drill, desk, DrillState.PAUSED)
    drill.paused_at, drill.paused_for = desk.now, incident
    desk.records.continuity.put_text(drill.number, "why", desk.asker.key, because, desk.now)
    paused = record(drill, "paused", before, {"incident": incident}, {"because": because})
    title = f"{drill.ref} is paused: {because}"[:150]
    text = "Nobody works on it until it is resumed; this time is not counted, and is told in the report."
    waiting = [each for each in desk.records.continuity.injects(drill.number) if each.said_at is None]
    resume_ = Button(label="Resume", line=f"drill resume {drill.ref}", style=Style.PRIMARY)
    return outcome(
        desk,
        drill,
        lambda: _answer(desk, drill, title, (text,)),
        [paused],
        notices=[
            *_everybody(desk, drill, title, text, buttons=()),
            *tell(
                desk, drill, [drill.lead], title, tag=f"v{drill.version}/lead", text=text, buttons=(resume_,)
            ),
            *in_thread(drill, title, text=text),
        ],
        undue=[f"{drill.ref}/inject/{each.number}" for each in waiting],
    )


def _everybody(
    desk: Desk, drill: Drill, title: str, text: str, buttons: Sequence[Button] = ()
) -> list[Notice]:
    people = [
        each.person for each in desk.records.continuity.people(drill.number) if each.person != drill.lead
    ]
    return tell(desk, drill, people, title, text=text, buttons=buttons)


@command("drill resume", params=Resume, evidences=("SCON SP 3.2",))
def resume(asked: Resume, desk: Desk) -> Outcome:
    """Go on with a drill that was paused; what was to come, comes so much later."""
    drill = to_lead(desk, asked.drill, "resume")
    lasted = desk.now - (drill.paused_at or desk.now)
    before = move(drill, desk, DrillState.RUNNING)
    drill.paused_at = drill.paused_for = None
    drill.ends_at += lasted
    desk.records.continuity.hold(drill, True)
    waiting = [each for each in desk.records.continuity.injects(drill.number) if each.said_at is None]
    for inject in waiting:
        inject.at = max(desk.now, inject.at + lasted)
    resumed = record(drill, "resumed", before, {"paused_seconds": int(lasted.total_seconds())})
    title = f"{drill.ref} goes on: {drill.title}"
    text = f"It was paused for {show_duration(timedelta(seconds=int(lasted.total_seconds())))}."
    return outcome(
        desk,
        drill,
        lambda: _answer(desk, drill, title, (text,)),
        [resumed],
        notices=[
            *_everybody(desk, drill, title, text),
            *tell(desk, drill, [drill.lead], title, tag=f"v{drill.version}/lead", text=text),
            *in_thread(drill, title, text=text),
        ],
        due=[_moment(drill, each) for each in waiting],
    )


@command("drill all-clear", params=AllClear, evidences=("SCON SP 3.2",), desk_only=True)
def all_clear(asked: AllClear, desk: Desk) -> Outcome:
    """Tell whoever leads a drill that the incident which held it up is over."""
    drill = find(desk, asked.drill)
    title = f"{asked.incident} is over; {drill.ref} can go on"
    notices = tell(
        desk,
        drill,
        [drill.lead],
        title,
        tag=f"v{drill.version}/clear",
        text=f"It is paused, {KINDS[drill.kind]}: {drill.title}.",
        buttons=(Button(label="Resume", line=f"drill resume {drill.ref}", style=Style.PRIMARY),),
        while_in=(DrillState.PAUSED,),
    )
    return Outcome(reply=Reply(title=title), notices=notices)
