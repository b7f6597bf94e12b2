"""On paper: the report of a drill, and a continuity plan, as PDF.

Typst sets a template of ours from data that it is handed as JSON, so nothing that people wrote is ever read as markup.
It keeps what it has set (some 30 MB a paper), so each paper is set by a process of its own, which gives all back.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bot import drawing
from bot.words import day_and_time, spans
from handlers.continuity.plan_sheet import PlanSheet, StepAhead
from handlers.continuity.report import PAUSES_ARE, DrillReport
from handlers.messages import Gantt, Part

_TEMPLATES = Path(__file__).parent / "web" / "templates"
_STYLE = "paper.typ"
_FONT = "Libertinus Serif"

_SETTER = """
import json, sys, typst
files, data = json.load(sys.stdin.buffer)
files = {name: text.encode() for name, text in files.items()}
pdf = typst.compile(files, sys_inputs={"data": data}, format="pdf", ignore_system_fonts=True)
sys.stdout.buffer.write(pdf)
"""

Length = Callable[[timedelta | None], str]


def drill_pdf(
    report: DrillReport,
    organisation: str,
    zone: str,
    facts: Iterable[tuple[str, str]],
    kind: str,
    state: str,
    length: Length,
) -> bytes:
    """The report of a drill as a tagged PDF, with instants in a zone (an IANA name)."""
    said = _said(report, organisation, zone, length) | {
        "facts": [list(pair) for pair in facts],
        "kind": kind,
        "state": state,
    }
    return _set("drill.typ", said)


def plan_pdf(
    sheet: PlanSheet, organisation: str, zone: str, facts: Iterable[tuple[str, str]], length: Length
) -> bytes:
    """A version of a plan as a tagged PDF, with instants in a zone (an IANA name)."""
    return _set(
        "plan.typ", _planned(sheet, organisation, zone, length) | {"facts": [list(pair) for pair in facts]}
    )


def _set(template: str, data: Mapping[str, Any]) -> bytes:
    """A PDF, set by another process. Raises CalledProcessError with what Typst says, TimeoutExpired after a minute."""
    files = {
        "main.typ": (_TEMPLATES / template).read_text(encoding="utf-8"),
        _STYLE: (_TEMPLATES / _STYLE).read_text(encoding="utf-8"),
    }
    ended = subprocess.run(  # noqa: S603 - our own interpreter and program; data goes in by stdin
        [sys.executable, "-I", "-c", _SETTER],
        input=json.dumps([files, json.dumps(data)]).encode(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    return ended.stdout


def _said(report: DrillReport, organisation: str, zone: str, length: Length) -> dict[str, Any]:
    def at(moment: datetime | None) -> str:
        return day_and_time(moment, zone, report.as_of) if moment else ""

    def clock(moment: datetime | None) -> str:
        return f"{moment.astimezone(ZoneInfo(zone)):%H:%M}" if moment else ""

    def seconds(value: int | None) -> str:
        return length(None if value is None else timedelta(seconds=value))

    gantt = report.gantt
    return {
        "organisation": organisation,
        "ref": report.ref,
        "title": report.title,
        "result": {True: "good", False: "bad", None: "open"}[report.within],
        "scenario": report.scenario,
        "why_ended": report.why_ended,
        "pauses": PAUSES_ARE if report.paused else "",
        **_framed(report.as_of, zone, gantt),
        "services": [
            [
                each.name,
                each.criterion,
                at(each.measured.recovered) or "not yet",
                length(each.measured.rto),
                seconds(each.measured.aim.rto),
                str(each.measured.rto_verdict),
                length(each.measured.rpo),
                seconds(each.measured.aim.rpo),
                str(each.measured.rpo_verdict),
                each.shows,
            ]
            for each in report.services
        ],
        "steps": [
            [
                each.key,
                each.lane,
                each.title,
                each.by or ", ".join(each.owners),
                clock(each.planned[0]) if each.planned else "",
                clock(each.started_at),
                clock(each.ended_at),
                each.state + (f", before {', '.join(each.early)}" if each.early else ""),
                each.note,
            ]
            for each in report.steps
        ],
        "findings": [
            [
                each.what,
                each.action or "",
                each.owner,
                each.due.isoformat() if each.due else "",
                each.state,
            ]
            for each in report.findings
        ],
        "injects": [
            [each.text, ", ".join(each.to), at(each.said_at) or "not said"] for each in report.injects
        ],
        "corrections": [
            [at(each.at), each.by, each.what, each.was, each.now, each.because, f"#{each.seq}"]
            for each in report.corrections
        ],
        "lacking": [[each.service, each.what, each.why] for each in report.lacking],
        "attendance": [
            [each.name, at(each.joined_at), f"{each.rating} of 5" if each.rating else ""]
            for each in report.attendance
        ],
    }


def _planned(sheet: PlanSheet, organisation: str, zone: str, length: Length) -> dict[str, Any]:
    def at(moment: datetime | None) -> str:
        return day_and_time(moment, zone, sheet.as_of) if moment else ""

    def said(words: Iterable[Part]) -> str:
        return "".join(each.text for each in spans(words, zone, sheet.as_of))

    def step(each: StepAhead) -> list[str]:
        after = ", ".join(each.after)
        return [each.key, each.title, said(each.owners), after, each.when, length(each.lasts), each.proof]

    happened = sheet.happened.table.rows if sheet.happened.table else ()
    return {
        "organisation": organisation,
        "ref": sheet.ref,
        "title": sheet.name,
        "version": version_words(sheet),
        "result": "good" if sheet.is_signed else "open",
        "scenario": sheet.scenario,
        "triggers": sheet.triggers,
        **_framed(sheet.as_of, zone, sheet.gantt),
        "services": [
            [each.name, each.criterion, length(each.rto), length(each.rpo), each.analysis or "nobody yet"]
            for each in sheet.services
        ],
        "contacts": [[each.name, each.reach, each.part] for each in sheet.contacts],
        "resources": list(sheet.resources),
        "lanes": [[name, [step(each) for each in steps]] for name, steps in sheet.lanes.items()],
        "injects": [
            [f"+{length(each.after)}", each.says, said(each.to) or "everybody"]
            for each in sheet.injects or ()
        ],
        "editions": [
            [
                str(each.number),
                at(each.since),
                each.signed_by.name if each.signed_by else "nobody yet",
                at(each.signed_at),
            ]
            for each in sheet.editions
        ],
        "happened": [[said(cell) for cell in row] for row in happened],
    }


def version_words(sheet: PlanSheet) -> str:
    """Which version it is, and whether it counts."""
    signed = "signed" if sheet.is_signed else "not signed"
    later = "" if sheet.is_newest else f"; today: {sheet.state}"
    return f"version {sheet.edition.number}, {signed}{later}"


def _framed(as_of: datetime, zone: str, gantt: Gantt | None) -> dict[str, str]:
    """What stands on the edges of every paper, and its time line in the colours and the letters of paper."""
    return {
        "zone": f"{zone} ({as_of.astimezone(ZoneInfo(zone)):%Z})",
        "as_of": day_and_time(as_of, zone, as_of),
        "gantt": drawing.svg_on_paper(gantt, _FONT) if gantt else "",
        "gantt_alt": gantt.alt if gantt else "",
    }
