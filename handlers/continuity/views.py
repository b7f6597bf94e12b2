"""Looking: a drill in full, lists, and its report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from handlers.continuity.card import KINDS, card, length_words, measured_table
from handlers.continuity.report import PAUSES_ARE, DrillReport, report_of
from handlers.continuity.shared import DRILL, DrillRef, find, plan_of, service_name
from handlers.declare import Standing, command, subject, suggestions
from handlers.desk import Desk
from handlers.listing import PAGE, listing, skipped
from handlers.messages import Button, Option, Part, Reply, Table, Tone, Words, counted, facts
from handlers.parsing import Choice, Text, WholeNumber
from handlers.rules.moments import show_day
from handlers.rules.workflow import UNDER_WAY, DrillState
from handlers.timeline import timeline
from storage.models.continuity import Drill

_AHEAD = (DrillState.SCHEDULED, *UNDER_WAY)
_SAID = ("because", "note", "summary", "what", "shows", "says")
_WHOSE = {
    "mine": "your drills",
    "open": "drills to come or under way",
    "over": "drills that are over",
    "all": "drills",
}
_STATES: dict[str, tuple[DrillState, ...]] = {
    "open": _AHEAD,
    "over": (DrillState.FINISHED, DrillState.ABORTED),
    "mine": (),
    "all": (),
}


@dataclass(frozen=True)
class Show:
    """For example: drill show DRL-1"""

    drill: DrillRef


@dataclass(frozen=True)
class List:
    """For example: drill list open"""

    scope: Annotated[str, Choice(tuple(_WHOSE)), "Which drills"] = "open"
    about: Annotated[Text | None, "Words to look for"] = None
    page: Annotated[int, WholeNumber(1, 10_000)] = 1


@dataclass(frozen=True)
class Report:
    """For example: drill report DRL-1"""

    drill: DrillRef


@subject(DRILL)
def look(ref: str, desk: Desk) -> Standing:
    """How a drill stands now."""
    drill = find(desk, ref)
    return Standing(drill.ref, drill.state, drill.version, lambda: card(desk, drill), drill.room)


@suggestions(DRILL)
def suggest(desk: Desk) -> Sequence[Option]:
    """The drills to come and under way, the newest first, then those that are over."""
    found, _ = desk.records.continuity.drills(states=_AHEAD, at_most=25)
    over, _ = desk.records.continuity.drills(states=_STATES["over"], at_most=10)
    return [Option(label=f"{each.ref} {each.title}"[:100], value=each.ref) for each in (*found, *over)]


@command("drill show", params=Show)
def show(asked: Show, desk: Desk) -> Reply:
    """See a drill: its run-sheet, what was measured, what happened."""
    drill = find(desk, asked.drill)
    plan = plan_of(desk, drill)
    return card(desk, drill).model_copy(
        update={
            "private": True,
            "buttons": (*card(desk, drill).buttons, Button(label="Read the plan", line=plan.ref)),
            "more": (timeline(desk, drill.ref, _SAID),),
        }
    )


@command("drill list", params=List)
def list_drills(asked: List, desk: Desk) -> Reply:
    """See drills: yours, those to come or under way, those that are over, or all."""
    found, total = desk.records.continuity.drills(
        states=_STATES[asked.scope],
        person=desk.asker.key if asked.scope == "mine" else None,
        text=asked.about,
        skip=skipped(asked.page),
        at_most=PAGE,
    )
    return listing(
        asked,
        "drill list",
        _WHOSE[asked.scope],
        ("Drill", "What", "Kind", "Services", "When", "State"),
        tuple(_row(desk, each) for each in found),
        total,
        "No such drills.",
    )


def _row(desk: Desk, drill: Drill) -> tuple[Words, ...]:
    services = desk.records.continuity.services_of(drill.number)
    result = "" if drill.within is None else ", within targets" if drill.within else ", not within targets"
    return (
        (drill.ref,),
        (drill.title,),
        (KINDS[drill.kind],),
        (", ".join(service_name(desk, each.service) for each in services),),
        (desk.at(drill.started_at or drill.starts_at) or "",),
        (f"{DrillState(drill.state).shown}{result}",),
    )


# The report ---------------------------------------------------------------------------------------


@command("drill report", params=Report)
def report(asked: Report, desk: Desk) -> Reply:
    """See what a drill has shown: recovery against targets, planned against actual, findings, who came."""
    drill = find(desk, asked.drill)
    found = report_of(desk.policy, desk.records, drill.ref, desk.now)
    return Reply(
        title=f"Report of {found.ref}: {found.title}",
        text=(PAUSES_ARE,) if found.paused else (),
        tone={True: Tone.GOOD, False: Tone.BAD, None: Tone.PLAIN}[found.within],
        facts=facts(
            ("Kind", KINDS[found.kind]),
            ("State", DrillState(found.state).shown),
            (
                "Result",
                {True: "within its targets", False: "not within its targets", None: None}[found.within],
            ),
            ("Plan", f"{found.plan} {found.plan_name}, version {found.plan_version[:8]}"),
            ("Signed by", found.signed_by or "nobody yet"),
            ("For", found.incident),
            ("Led by", found.lead),
            ("Disruption", desk.at(found.disruption)),
            ("Ended", desk.at(found.ended_at)),
            ("Paused", _paused(found)),
            ("In short", found.why_ended),
        ),
        table=measured_table(desk, [each.measured for each in found.services]),
        chart=found.gantt,
        buttons=(
            Button(label=f"Show {found.ref}", line=found.ref),
            Button(label="Read the plan", line=found.plan),
        ),
        subject=found.ref,
        version=drill.version,
        as_of=desk.now,
        more=tuple(_sections(desk, found)),
    )


def _paused(found: DrillReport) -> str | None:
    lasted = sum((end - start for start, end in found.paused), timedelta())
    return length_words(lasted) if found.paused else None


def _sections(desk: Desk, found: DrillReport) -> Iterator[Reply]:
    """The parts of a report that have something to say."""
    yield _section(
        "What shows it",
        ("Service", "Criterion", "Data shown by"),
        [(each.name, each.criterion, each.shows or "—") for each in found.services],
    )
    otherwise = [
        (each.key, each.state, f"before {', '.join(each.early)}" if each.early else "—", each.note or "—")
        for each in found.steps
        if each.early or each.state in ("failed", "skipped")
    ]
    if otherwise:
        yield _section("Steps that went otherwise", ("Step", "State", "Out of order", "Why"), otherwise)
    if found.corrections:
        yield _section(
            "Corrections, each an entry of its own",
            ("When", "Who", "What", "Was → is", "Why"),
            [
                (desk.at(each.at) or "", each.by, each.what, f"{each.was} → {each.now}", each.because)
                for each in found.corrections
            ],
        )
    if found.injects:
        yield _section(
            "What came in between",
            ("What", "To", "When"),
            [
                (each.text[:200], ", ".join(each.to) or "everybody", desk.at(each.said_at) or "not presented")
                for each in found.injects
            ],
        )
    if found.lacking:
        lacking = [(each.service, each.what, each.why) for each in found.lacking]
        yield _section("Not ready when it began", ("Service", "What", "Why"), lacking)
    yield _section(
        counted(len(found.findings), "finding"),
        ("Action", "What", "Owner", "By", "State"),
        [
            (each.action or "—", each.what, each.owner, show_day(each.due) if each.due else "—", each.state)
            for each in found.findings
        ],
        "Nothing was found.",
    )
    yield _section(
        f"{len(found.attendance)} took part",
        ("Who", "Since", "Rated it"),
        [
            (each.name, desk.at(each.joined_at) or "", f"{each.rating} of 5" if each.rating else "—")
            for each in found.attendance
        ],
        "Nobody said so.",
    )


def _section(
    title: str, columns: tuple[str, ...], rows: Sequence[tuple[Part, ...]], empty: str = "Nothing here."
) -> Reply:
    shown = tuple(tuple((cell,) if cell != "" else () for cell in row) for row in rows)
    return Reply(title=title, table=Table(columns=columns, rows=shown, empty=empty))
