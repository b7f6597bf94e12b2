"""Reports on paper: a drill's report as a PDF.

Typst sets a template of ours from data that it is handed as JSON, so nothing that people wrote is ever read as markup.
It keeps what it has set (some 30 MB a report), so each report is set by a process of its own, which gives all back.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bot import drawing
from bot.words import day_and_time
from handlers.continuity.report import PAUSES_ARE, DrillReport
from handlers.messages import Gantt

_TEMPLATE = Path(__file__).parent / "web" / "templates" / "drill.typ"
_FONT = "Libertinus Serif"

_SETTER = """
import json, sys, typst
template, data = json.load(sys.stdin.buffer)
inputs = {"data": data}
pdf = typst.compile(template.encode(), sys_inputs=inputs, format="pdf", ignore_system_fonts=True)
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
    return _set(_TEMPLATE.read_text(encoding="utf-8"), json.dumps(said))


def _set(template: str, data: str) -> bytes:
    """A PDF, set by another process. Raises CalledProcessError with what Typst says, TimeoutExpired after a minute."""
    ended = subprocess.run(  # noqa: S603 - our own interpreter and program; data goes in by stdin
        [sys.executable, "-I", "-c", _SETTER],
        input=json.dumps([template, data]).encode(),
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
        "zone": f"{zone} ({report.as_of.astimezone(ZoneInfo(zone)):%Z})",
        "as_of": at(report.as_of),
        "gantt": _picture(gantt) if gantt else "",
        "gantt_alt": gantt.alt if gantt else "",
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


def _picture(gantt: Gantt) -> str:
    """The time line in the colours of paper and in the report's own letters."""
    return drawing.svg_on_paper(gantt, _FONT)
