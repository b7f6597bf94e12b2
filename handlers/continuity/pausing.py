"""Pausing a drill and going on, by somebody's word or because something real has happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from handlers.continuity.card import KINDS, answer
from handlers.continuity.confronting import moment_of
from handlers.continuity.shared import REAL, DrillRef, find, outcome, record, to_lead
from handlers.declare import Outcome, command
from handlers.desk import Desk
from handlers.errors import WrongState
from handlers.messages import Button, Notice, Reply, Style
from handlers.parsing import IncidentRef, Text
from handlers.rules.moments import show_duration
from handlers.rules.workflow import DrillState
from handlers.telling import in_thread, tell
from handlers.tickets import move
from storage.models.continuity import Drill


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
        lambda: answer(desk, drill, title, (text,)),
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
        lambda: answer(desk, drill, title, (text,)),
        [resumed],
        notices=[
            *_everybody(desk, drill, title, text),
            *tell(desk, drill, [drill.lead], title, tag=f"v{drill.version}/lead", text=text),
            *in_thread(drill, title, text=text),
        ],
        due=[moment_of(drill, each) for each in waiting],
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
