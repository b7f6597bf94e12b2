"""Evidence on file: the matrix of process areas and practices, what is missing or stale, and other frameworks' views.

What is shown is evidence on file, never a rating: only people judge whether it is adequate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from config.policy import Role
from config.vocabulary import Framework, ProcessArea, crosswalk, practices, process_areas
from handlers.access import who_may
from handlers.declare import command
from handlers.desk import Desk
from handlers.errors import BadValue, NotAllowed
from handlers.listing import skipped, turning
from handlers.messages import Button, Reply, Table, Words
from handlers.parsing import Choice, Manner, ServiceKey, WholeNumber, Word
from handlers.rules.coverage import (
    AreaFile,
    CoverageReport,
    FileState,
    Found,
    PracticeFile,
    coverage_report,
    gaps,
    mapped,
)
from handlers.rules.periods import Period, period

VIEWS = {
    "itil4": (Framework.ITIL4, "ITIL 4"),
    "iso20000": (Framework.ISO20000, "ISO/IEC 20000-1:2018"),
    "cobit": (Framework.COBIT2019, "COBIT 2019"),
    "itscmm": (Framework.ITSCMM, "the IT Service CMM"),
}
"""What each view is asked for by, and how it is called."""

_SEES = frozenset({Role.MANAGER, Role.OWNER})
_BEGINNING = date(2000, 1, 1)
_NOT_A_RATING = "This is what the work left behind, not a rating: whether it is adequate, people judge."
_PAGE = 20
_STANDS = {
    FileState.ON_FILE: "on file, and fresh",
    FileState.NO_OCCASION: "without occasion yet",
    FileState.ELSEWHERE: "not gathered here",
}
"""How a practice stands that is no gap."""


@dataclass(frozen=True)
class Coverage:
    """For example: evidence coverage IRP within:quarter"""

    area: Annotated[Word | None, "A process area, such as SD or IRP"] = None
    service: Annotated[ServiceKey | None, Manner.BY_NAME, "What was done for one service"] = None
    within: Annotated[Word, "A period, such as month, quarter or 2026-10"] = "year"
    view: Annotated[str | None, Choice(tuple(VIEWS)), Manner.BY_NAME, "As another framework sees it"] = None


@dataclass(frozen=True)
class Gaps:
    """For example: evidence gaps SCON"""

    area: Annotated[Word | None, "A process area, such as SD or IRP"] = None
    service: Annotated[ServiceKey | None, Manner.BY_NAME, "What was done for one service"] = None
    page: Annotated[int, WholeNumber(1, 1000)] = 1


@command("evidence coverage", params=Coverage)
def coverage(asked: Coverage, desk: Desk) -> Reply:
    """See the evidence on file for each practice of CMMI for Services: how much, how fresh, and samples."""
    area = _area(asked.area)
    report = report_on(desk, asked.within, asked.service)
    of = f" of {report.service}" if report.service else ""
    if asked.view:
        return _as_seen_by(desk, report, asked.view, of)
    if area is not None:
        return _of_area(desk, next(each for each in report.areas if each.code == area.code), report, of)
    scope = f" service:{asked.service}" if asked.service else ""
    return Reply(
        title=f"Evidence on file{of}, {report.period}",
        text=(f"{_NOT_A_RATING} A goal is as strong as its weakest practice; nothing is averaged.",),
        table=Table(
            columns=("Area", "Name", "On file", "Weakest", "Newest"),
            rows=tuple(_area_row(desk, each) for each in report.areas),
            empty="Nothing is on file for this period.",
        ),
        buttons=(
            Button(label="What is missing", line=f"evidence gaps{scope}"),
            Button(label="Verify the ledger", line="evidence verify"),
        ),
        as_of=desk.now,
    )


@command("evidence gaps", params=Gaps)
def list_gaps(asked: Gaps, desk: Desk) -> Reply:
    """See which practices have no evidence despite occasion, or only old one, and what would fill each."""
    area = _area(asked.area)
    report = report_on(desk, "year", asked.service)
    areas = [each for each in report.areas if area is None or each.code == area.code]
    if area is not None and (left_out := _left_out(areas[0])):
        return Reply(title=f"No gaps are looked for in {area.code}", text=(left_out,), as_of=desk.now)
    found = [each for each in gaps(report) if area is None or each.code.startswith(f"{area.code} ")]
    begin = skipped(asked.page) * _PAGE // 10
    shown = found[begin : begin + _PAGE]
    fills = _fills(desk)
    of = f" of {report.service}" if report.service else ""
    line = " ".join(
        [
            "evidence gaps",
            *([area.code] if area else []),
            *([f"service:{asked.service}"] if asked.service else []),
        ]
    )
    return Reply(
        title=f"{len(found)} gaps in the evidence on file{of}"
        if found
        else f"No gaps in the evidence on file{of}",
        text=(_NOT_A_RATING,),
        table=Table(
            columns=("Practice", "Title", "State", "Newest", "What would fill it"),
            rows=tuple(
                (
                    (each.code,),
                    (each.title,),
                    (str(each.state),),
                    (desk.at(each.found.newest) or "",),
                    (", ".join(fills.get(each.code, ())[:3]) or "done by other means",),
                )
                for each in shown
            ),
            empty="There are no more." if found else _without_gaps(areas),
        ),
        buttons=turning(line, None, asked.page, -(-len(found) * 10 // _PAGE)),
        as_of=desk.now,
    )


def report_on(desk: Desk, within: str, service: str | None) -> CoverageReport:
    """The matrix of a period, of a service or the whole desk; raises BadValue for a period and NotAllowed."""
    _require(desk, service)
    zone = desk.policy.organisation.zone
    span = _span(within, desk, zone)
    records, key = desk.records.coverage, service or ""
    inside = records.on_file(span.first, span.end, zone, key)
    ever = records.on_file(_BEGINNING, span.end, zone, key)
    found = {
        code: Found(inside[code].count, each.newest, inside[code].samples)
        if code in inside
        else Found(0, each.newest, each.samples)
        for code, each in ever.items()
    }
    gathered = {code for declared in desk.commands for code in declared.evidences}
    name = desk.policy.services[service].name if service else None
    at = min(desk.now, span.until)
    return coverage_report(process_areas(), found, gathered, desk.policy.evidence, name, span.name, at)


def _require(desk: Desk, service: str | None) -> None:
    owned = desk.policy.services[service].owner == desk.asker.key if service else False
    if not owned and not _SEES & desk.asker.roles:
        raise NotAllowed(
            "What is on file is for managers, and for owners of services.",
            f"{who_may(Role.MANAGER, desk.policy)} can tell you. `evidence trail REF` tells the story of a ticket.",
        )


def _span(within: str, desk: Desk, zone: str) -> Period:
    try:
        return period(within, desk.now, zone)
    except ValueError as error:
        raise BadValue(str(error), field="within") from None


def _area(word: str | None) -> ProcessArea | None:
    if word is None:
        return None
    found = process_areas().get(word.upper())
    if found is None:
        raise BadValue(
            f"“{word[:20]}” is no process area.", f"Known: {', '.join(process_areas())}.", field="area"
        )
    return found


def _left_out(area: AreaFile) -> str | None:
    """That an area is out of scope, and why; None where it is not."""
    return None if area.left_out is None else f"{area.name} is out of scope: {area.left_out}"


def _without_gaps(areas: Sequence[AreaFile]) -> str:
    """How practices stand of which none is a gap: what had no occasion, or is gathered elsewhere, is not on file."""
    how = Counter(practice.state for each in areas for practice in each.practices)
    return f"Practices: {', '.join(f'{how[state]} {said}' for state, said in _STANDS.items() if how[state])}."


def _fills(desk: Desk) -> dict[str, list[str]]:
    """What people can say, by the practices that it is evidence for."""
    found: dict[str, list[str]] = {}
    for declared in desk.commands.spoken:
        for code in declared.evidences:
            found.setdefault(code, []).append(declared.name)
    return found


def _area_row(desk: Desk, area: AreaFile) -> tuple[Words, ...]:
    if area.left_out is not None:
        return ((area.code,), (area.name,), ("out of scope",), (area.left_out,), ("",))
    bounds = [goal.weakest for goal in area.goals if goal.weakest]
    order = list(FileState)
    weakest = min(bounds, key=lambda each: order.index(each.state), default=None)
    return (
        (area.code,),
        (area.name,),
        (f"{area.on_file} of {len(area.practices)} practices",),
        (f"{weakest.code}: {weakest.state}",) if weakest else ("",),
        (desk.at(area.newest) or "",),
    )


def _of_area(desk: Desk, area: AreaFile, report: CoverageReport, of: str) -> Reply:
    title = f"Evidence on file for {area.code}{of}, {report.period}"
    if left_out := _left_out(area):
        return Reply(title=title, text=(left_out,), as_of=desk.now)
    subjects = desk.records.coverage.subjects([seq for each in area.practices for seq in each.found.samples])
    bounds = [
        f"{goal.code} {goal.title}: {goal.weakest.code} is {goal.weakest.state}."
        for goal in area.goals
        if goal.weakest
    ]
    return Reply(
        title=title,
        text=(" ".join([_NOT_A_RATING, *bounds]),),
        table=Table(
            columns=("Practice", "Title", "State", "Records", "Newest", "Samples"),
            rows=tuple(
                (
                    (each.code,),
                    (each.title,),
                    (str(each.state),),
                    (str(each.found.count),),
                    (desk.at(each.found.newest) or "",),
                    (", ".join(f"#{seq} {subjects.get(seq, '')}".strip() for seq in each.found.samples),),
                )
                for each in area.practices
            ),
        ),
        buttons=(Button(label="What is missing", line=f"evidence gaps {area.code}"),),
        as_of=desk.now,
    )


def _as_seen_by(desk: Desk, report: CoverageReport, view: str, of: str) -> Reply:
    framework, name = VIEWS[view]
    links = {code: crosswalk(code) for code in practices()}
    parts = mapped(report, links, framework)
    return Reply(
        title=f"Evidence on file{of} as {name} sees it, {report.period}",
        text=(f"{_NOT_A_RATING} Which practice leads where is our own reading of the two.",),
        table=Table(
            columns=("Part", "State", "Practices that lead there", "Newest"),
            rows=tuple(
                (
                    (part.target,),
                    (str(part.state),),
                    (_led_by(part.practices),),
                    (
                        desk.at(max((p.found.newest for p in part.practices if p.found.newest), default=None))
                        or "",
                    ),
                )
                for part in parts
            ),
            empty="Nothing is on file for this period.",
        ),
        as_of=desk.now,
    )


def _led_by(files: Sequence[PracticeFile]) -> str:
    files = sorted(files, key=lambda each: (-each.found.count, each.code))
    counted = [f"{each.code} ({each.found.count})" for each in files]
    more = f" and {len(counted) - 6} more" if len(counted) > 6 else ""
    return ", ".join(counted[:6]) + more
