"""The run-sheet: a drill at a glance, step by step, with the buttons that make sense now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from graphlib import TopologicalSorter

from handlers.continuity.shared import REAL, measured, owner_words, plan_of, service_name
from handlers.desk import Desk
from handlers.messages import (
    Button,
    Fact,
    Lane,
    Part,
    Reply,
    RunSheet,
    SheetStep,
    StepState,
    Style,
    Table,
    Tone,
    Words,
    facts,
)
from handlers.rules.drill_clock import Measured, Reading, Verdict
from handlers.rules.moments import show_duration
from handlers.rules.workflow import UNDER_WAY, DrillState
from storage.models.continuity import Drill, DrillStep

KINDS = {
    "walkthrough": "walkthrough",
    "tabletop": "tabletop",
    "simulation": "simulation",
    "full": "full drill",
    REAL: "for real",
}
"""The kinds of a drill, in words."""


def card(desk: Desk, drill: Drill) -> Reply:
    """A drill as everybody in its room sees it: what is tried, how far it is, what was measured, what is next."""
    reading = measured(desk, drill) if drill.started_at else None
    return Reply(
        title=f"{drill.ref} · {drill.title}",
        tone=_tone(drill),
        facts=_facts(desk, drill, reading),
        table=measured_table(desk, reading.services) if reading and reading.services else None,
        sheet=sheet(desk, drill) if drill.started_at else None,
        buttons=tuple(buttons(drill)),
        subject=drill.ref,
        version=drill.version,
        as_of=desk.now,
        private=False,
    )


def answer(desk: Desk, drill: Drill, title: str, text: Iterable[Part] = ()) -> Reply:
    """A drill at a glance, after something was done to it, for whoever did it."""
    return card(desk, drill).model_copy(
        update={"title": title, "text": tuple(text), "tone": Tone.GOOD, "private": True}
    )


def _tone(drill: Drill) -> Tone:
    match drill.state:
        case DrillState.FINISHED:
            return Tone.BAD if drill.within is False else Tone.GOOD
        case DrillState.ABORTED:
            return Tone.BAD
        case DrillState.RUNNING | DrillState.PAUSED:
            return Tone.WAITING
        case _:
            return Tone.PLAIN


def _facts(desk: Desk, drill: Drill, reading: Reading | None) -> tuple[Fact, ...]:
    plan = plan_of(desk, drill)
    texts = desk.records.continuity.texts(drill.number)
    services = [each.service for each in desk.records.continuity.services_of(drill.number)]
    people = desk.records.continuity.people(drill.number)
    waiting = drill.state == DrillState.SCHEDULED
    paused = reading.paused if reading else ()
    return facts(
        ("State", _state(desk, drill)),
        ("Kind", KINDS[drill.kind]),
        (
            "Plan",
            f"{plan.ref} {plan.name}{'' if drill.content == plan.signed else ' (this version is not signed)'}",
        ),
        ("Services", ", ".join(service_name(desk, key) for key in services)),
        ("For", drill.incident),
        ("Led by", desk.who(drill.lead)),
        ("From", desk.at(drill.starts_at, relative=True) if waiting else None),
        ("To", desk.at(drill.ends_at) if waiting else None),
        ("Disruption", desk.at(reading.disruption) if reading and reading.disruption else None),
        (
            "Paused, not counted",
            length_words(sum((end - start for start, end in paused), timedelta())) if paused else None,
        ),
        ("Takes part", _names(desk, [each.person for each in people])),
        ("Ended", desk.at(drill.ended_at)),
        ("Why", texts["why"].text[:300] if "why" in texts and drill.state != DrillState.RUNNING else None),
        ("Found", _findings(desk, drill)),
    )


def _state(desk: Desk, drill: Drill) -> str:
    state = DrillState(drill.state).shown
    if drill.state == DrillState.PAUSED and drill.paused_for:
        return f"paused for {drill.paused_for}"
    if drill.state == DrillState.FINISHED and drill.within is not None:
        return f"finished, {'within' if drill.within else 'not within'} its targets"
    return state


def _names(desk: Desk, people: Sequence[str]) -> Words:
    parts: list[Part] = []
    for person in people[:20]:
        parts += [", "] if parts else []
        parts.append(desk.directory.who_is(person))
    if len(people) > 20:
        parts.append(f" and {len(people) - 20} more")
    return tuple(parts)


def _findings(desk: Desk, drill: Drill) -> str | None:
    found = desk.records.actions.of(drill.ref)
    return "; ".join(f"{each.ref} {each.what}" for each in found[:10]) or None


# Measured -----------------------------------------------------------------------------------------


def length_words(length: timedelta | None) -> str:
    """A length as people read it, to the second; a dash for none."""
    return "—" if length is None else show_duration(timedelta(seconds=round(length.total_seconds())))


def _aim(seconds: int | None) -> str:
    return "—" if seconds is None else show_duration(timedelta(seconds=seconds))


def measured_table(desk: Desk, services: Iterable[Measured]) -> Table:
    """What was measured of each service, against what its owner has signed."""
    return Table(
        columns=("Service", "RTO target", "RTO actual", "RPO target", "RPO actual"),
        rows=tuple(
            (
                (service_name(desk, each.service),),
                (_aim(each.aim.rto),),
                (rto_words(each),),
                (_aim(each.aim.rpo),),
                (rpo_words(each),),
            )
            for each in services
        ),
    )


def rto_words(each: Measured) -> str:
    """The recovery time with its verdict, and what a pause has to do with it."""
    shown = _with_verdict(length_words(each.rto), each.rto_verdict)
    if each.rto is None or not each.paused:
        return shown
    return f"{shown} (by the clock {length_words(each.by_the_clock)}, of which {length_words(each.paused)} paused)"


def rpo_words(each: Measured) -> str:
    """How much data was lost, with its verdict."""
    return _with_verdict(length_words(each.rpo), each.rpo_verdict)


def _with_verdict(shown: str, verdict: Verdict) -> str:
    if verdict is Verdict.NO_TARGET:
        return f"{shown}, {verdict}" if shown != "—" else str(verdict)
    return str(verdict) if shown == "—" else f"{shown}, {verdict}"


# Steps --------------------------------------------------------------------------------------------


def sheet(desk: Desk, drill: Drill) -> RunSheet:
    """The steps in their lanes."""
    lanes: dict[str, list[SheetStep]] = {}
    live = drill.state == DrillState.RUNNING
    for step in in_order(desk.records.continuity.steps(drill.number)):
        lanes.setdefault(step.lane, []).append(_step(desk, drill, step, live=live))
    return RunSheet(
        title=drill.title,
        state=_state(desk, drill),
        lanes=tuple(Lane(name=name, steps=tuple(steps)) for name, steps in lanes.items()),
        tone=_tone(drill),
    )


def in_order(steps: Sequence[DrillStep]) -> list[DrillStep]:
    """Steps in an order in which each comes after what it waits for."""
    by_key = {step.key: step for step in steps}
    order = TopologicalSorter({step.key: step.after for step in steps}).static_order()
    place = {key: number for number, key in enumerate(order)}
    return sorted(by_key.values(), key=lambda step: (step.planned_at, place[step.key]))


def _step(desk: Desk, drill: Drill, step: DrillStep, *, live: bool) -> SheetStep:
    note: list[Part] = []
    if step.by:
        note.append(desk.directory.who_is(step.by))
    if step.early:
        note.append(f"{' ' if note else ''}(before {', '.join(step.early)})")
    if step.note:
        note.append(f"{': ' if note else ''}{step.note[:200]}")
    return SheetStep(
        key=step.key,
        title=step.title,
        state=StepState(step.state),
        owner=owner_words(desk, step.owners),
        planned_at=step.planned_at,
        started_at=step.started_at,
        ended_at=step.ended_at,
        note=tuple(note),
        buttons=step_buttons(drill, step) if live else (),
    )


def step_buttons(drill: Drill, step: DrillStep) -> tuple[Button, ...]:
    """What its owner can say about a step that is open to them."""
    if step.state not in (StepState.READY, StepState.DOING):
        return ()
    line = f"drill step {drill.ref} {step.key}"
    begin = (Button(label="Begin", line=f"{line} doing"),) if step.state == StepState.READY else ()
    return (
        Button(label="Done", line=f"{line} done", style=Style.PRIMARY),
        *begin,
        Button(label="Failed", line=f"{line} failed", style=Style.DANGER),
        Button(label="Skipped", line=f"{line} skipped"),
    )


# Buttons ------------------------------------------------------------------------------------------


def buttons(drill: Drill) -> Iterator[Button]:
    """What can be done next; each is a line that could have been typed."""
    ref, state = drill.ref, DrillState(drill.state)
    if state is DrillState.SCHEDULED:
        yield Button(label="Join", line=f"drill join {ref}", style=Style.PRIMARY)
        yield Button(label="Start", line=f"drill start {ref}")
        yield Button(label="Cancel", line=f"drill cancel {ref}")
    if state in UNDER_WAY:
        yield Button(label="Recovered", line=f"drill recovered {ref}", style=Style.PRIMARY)
        yield Button(label="Join", line=f"drill join {ref}")
        yield Button(label="Finding", line=f"drill finding {ref}")
    if state is DrillState.RUNNING and drill.kind != REAL:
        yield Button(label="Pause", line=f"drill pause {ref}")
    if state is DrillState.PAUSED:
        yield Button(label="Resume", line=f"drill resume {ref}", style=Style.PRIMARY)
    if state in UNDER_WAY:
        yield Button(label="Finish", line=f"drill finish {ref}")
        yield Button(label="Abort", line=f"drill abort {ref}", style=Style.DANGER)
    if state in (DrillState.FINISHED, DrillState.ABORTED):
        yield Button(label="Report", line=f"drill report {ref}", style=Style.PRIMARY)
        yield Button(label="Finding", line=f"drill finding {ref}")
        yield Button(label="Rate it", line=f"drill rate {ref}")
