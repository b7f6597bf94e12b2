"""Pages that show more than chat does: the calendar, the heat map of continuity, plans, drills, the evidence matrix.

GET /desk/calendar?from=2026-11-23&service=mail      GET /desk/drills/DRL-1             the report
GET /desk/continuity                                 GET /desk/drills/DRL-1/report.pdf  the same to print
GET /desk/evidence?service=mail&within=quarter       GET /desk/drills/DRL-1/gantt.svg   its time line
GET /desk/plans/PLN-1?version=2                      GET /desk/plans/PLN-1/plan.pdf     a plan to print
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from bot import drawing, printing
from bot.web.changes import ChangePages, weeks_of
from bot.web.doors import HEADERS, Visit
from bot.web.pages import Ask, Page, Pages, called, period_ask
from bot.words import day_and_time
from config.policy import Role
from handlers.access import Person, require_role
from handlers.continuity.card import KINDS
from handlers.continuity.heat import COLUMNS, HeatRow, heat
from handlers.continuity.plan_sheet import PlanSheet, sheet_of
from handlers.continuity.report import PAUSES_ARE, DrillReport, report_of
from handlers.continuity.shared import find_plan
from handlers.desk import Desk
from handlers.errors import BadValue, NotFound
from handlers.evidence.coverage import report_on
from handlers.parsing import reference
from handlers.rules.coverage import CoverageReport
from handlers.rules.moments import show_day, show_duration
from handlers.rules.workflow import DrillState

_MARKS = {"done": "✓", "failed": "!", "skipped": "»", "doing": "…", "ready": "▸"}
_RESULTS = {True: "within its targets", False: "not within its targets", None: "cannot be said yet"}


def special(changes: ChangePages) -> tuple[Page, ...]:
    """All of them."""

    def calendar(pages: Pages, visit: Visit, request: Request) -> Response:
        return _calendar(changes, pages, visit, request)

    return (
        Page("/desk/calendar", "Changes", shows=calendar),
        Page("/desk/continuity", "Continuity", shows=_heat_map, needs="continuity map", role=Role.MANAGER),
        Page("/desk/evidence", "Evidence", shows=_matrix, needs="evidence coverage", role=Role.MANAGER),
        Page("/desk/plans/{ref}", "", shows=_plan),
        Page("/desk/plans/{ref}/plan.pdf", "", shows=_plan_pdf),
        Page("/desk/drills/{ref}", "", shows=_drill),
        Page("/desk/drills/{ref}/report.pdf", "", shows=_drill_pdf),
        Page("/desk/drills/{ref}/gantt.svg", "", shows=_drill_gantt),
    )


def length(span: timedelta | None) -> str:
    """How long something took, to the minute; a dash where it was not measured."""
    if span is None:
        return "–"
    return show_duration(timedelta(minutes=round(span.total_seconds() / 60))) if span else "0 min"


# Changes ------------------------------------------------------------------------------------------


def _calendar(changes: ChangePages, pages: Pages, visit: Visit, request: Request) -> Response:
    reader, policy = pages.ask(visit, lambda desk: desk.policy)
    zone = policy.organisation.zone
    today = pages.now().astimezone(ZoneInfo(zone)).date()
    first, days = changes.span(request, today)
    services = [(key, each.name) for key, each in policy.services.items()]
    try:
        service = called(request.query_params, "service", policy.services)
    except BadValue as error:
        asks = (Ask("service", "Service", "", [("", "All"), *services]),)
        return pages.instead(visit, "/desk/calendar", "Changes", error, "", asks)
    planned, frozen = changes.ask(policy, first, days, service)
    return pages.render(
        visit,
        reader,
        "calendar.html",
        "/desk/calendar",
        "Changes",
        weeks=weeks_of(policy, planned, frozen, first, days),
        services=services,
        service=service,
        today=today,
        count=len(planned),
        first=show_day(first),
        last=show_day(first + timedelta(days=days - 1)),
        from_day=first.isoformat(),
        earlier=(first - timedelta(days=days)).isoformat(),
        later=(first + timedelta(days=days)).isoformat(),
    )


# Continuity ---------------------------------------------------------------------------------------


def _heat_map(pages: Pages, visit: Visit, _request: Request) -> Response:
    def rows(desk: Desk) -> list[HeatRow]:
        require_role(desk.asker, Role.MANAGER, desk.policy)
        return heat(desk)

    reader, found = pages.ask(visit, rows)
    replies = pages.replies(visit, ["continuity due"])
    return pages.render(
        visit,
        reader,
        "heat.html",
        "/desk/continuity",
        "Continuity",
        rows=found,
        columns=COLUMNS,
        length=length,
        replies=replies,
    )


def _sheet(pages: Pages, visit: Visit, request: Request) -> tuple[Person, PlanSheet]:
    ref = reference(request.path_params["ref"]) or ""
    if not ref.startswith("PLN-"):
        raise NotFound(
            "There is no such plan.", "A plan is called like PLN-1. `continuity plans` shows them."
        )
    version = request.query_params.get("version", "")
    if version and not re.fullmatch("[1-9][0-9]{0,5}", version):
        raise NotFound(f"{ref} has no version “{version[:20]}”.", "Versions are counted: 1, 2, 3.")
    return pages.ask(
        visit, lambda desk: sheet_of(desk, find_plan(desk, ref), int(version) if version else None)
    )


def _plan(pages: Pages, visit: Visit, request: Request) -> Response:
    reader, sheet = _sheet(pages, visit, request)
    return pages.render(
        visit,
        reader,
        "plan.html",
        "",
        f"{sheet.ref}: {sheet.name}",
        sheet=sheet,
        facts=head_of(sheet, reader.zone),
        gantt=sheet.gantt,
        length=length,
        here_at=f"/desk/plans/{sheet.ref}",
        asked="" if sheet.is_newest else f"?version={sheet.edition.number}",
    )


def head_of(sheet: PlanSheet, zone: str) -> list[tuple[str, str]]:
    """What a plan says at its head, as labels and words; instants in a zone."""
    edition = sheet.edition
    review = f"{show_day(sheet.review_on)}{', overdue' if sheet.overdue else ''}" if sheet.review_on else ""
    pairs = (
        ("State", sheet.state),
        ("Owner", sheet.owner.name),
        ("Signed by", edition.signed_by.name if edition.signed_by else "nobody yet"),
        ("Signed", day_and_time(edition.signed_at, zone, sheet.as_of) if edition.signed_at else ""),
        ("Review by", review),
        ("Takes, as planned", length(sheet.lasts) if sheet.steps else ""),
    )
    return [(label, value) for label, value in pairs if value]


def _plan_pdf(pages: Pages, visit: Visit, request: Request) -> Response:
    _, sheet = _sheet(pages, visit, request)
    organisation = pages.policy.organisation
    zone = organisation.zone
    printed = printing.plan_pdf(sheet, organisation.name, zone, head_of(sheet, zone), length)
    return _paper(printed, sheet.ref)


def _paper(printed: bytes, name: str) -> Response:
    headers = {**HEADERS, "Content-Disposition": f'inline; filename="{name}.pdf"'}
    return Response(printed, headers=headers, media_type="application/pdf")


def _report(pages: Pages, visit: Visit, request: Request) -> tuple[Person, DrillReport]:
    ref = reference(request.path_params["ref"]) or ""
    if not ref.startswith("DRL-"):
        raise NotFound("There is no such drill.", "A drill is called like DRL-1. `drill list` shows them.")

    def report(desk: Desk) -> DrillReport:
        desk.look(ref)
        return report_of(desk.policy, desk.records, ref, desk.now)

    return pages.ask(visit, report)


def _drill(pages: Pages, visit: Visit, request: Request) -> Response:
    reader, report = _report(pages, visit, request)
    zone, now = reader.zone, pages.now()
    states = [each.state for each in report.steps]
    told = {state: states.count(state) for state in dict.fromkeys(states)}

    def clock(at: datetime | None) -> str:
        return f"{at.astimezone(ZoneInfo(zone)):%H:%M}" if at else ""

    return pages.render(
        visit,
        reader,
        "drill.html",
        "",
        f"{report.ref}: {report.title}",
        report=report,
        kind=KINDS[report.kind],
        state=DrillState(report.state).shown,
        facts=facts_of(report, zone, now),
        length=length,
        seconds=lambda value: length(None if value is None else timedelta(seconds=value)),
        clock=clock,
        marks=_MARKS,
        pauses=PAUSES_ARE,
        progress=f"{len(states)} steps: {', '.join(f'{n} {state}' for state, n in told.items())}",
    )


def facts_of(report: DrillReport, zone: str, now: datetime) -> list[tuple[str, str]]:
    """What a report says at its head, as labels and words; instants in a zone."""

    def at(moment: datetime | None) -> str:
        return day_and_time(moment, zone, now) if moment else ""

    paused = sum((end - start for start, end in report.paused), timedelta())
    pairs = (
        ("Result", _RESULTS[report.within]),
        ("Plan", f"{report.plan} {report.plan_name}, version {report.plan_version[:8]}"),
        ("Signed by", report.signed_by or "nobody yet"),
        ("Led by", report.lead),
        ("For", report.incident or ""),
        ("Planned", f"{at(report.scheduled[0])} to {at(report.scheduled[1])}"),
        ("Begun", at(report.started_at)),
        ("Disruption", at(report.disruption)),
        ("Ended", at(report.ended_at)),
        ("Paused", length(paused) if paused else ""),
        ("Took part", str(len(report.attendance))),
    )
    return [(label, value) for label, value in pairs if value]


def _drill_pdf(pages: Pages, visit: Visit, request: Request) -> Response:
    _, report = _report(pages, visit, request)
    organisation = pages.policy.organisation
    printed = printing.drill_pdf(
        report,
        organisation.name,
        organisation.zone,
        facts_of(report, organisation.zone, report.as_of),
        KINDS[report.kind],
        DrillState(report.state).shown,
        length,
    )
    return _paper(printed, report.ref)


def _drill_gantt(pages: Pages, visit: Visit, request: Request) -> Response:
    _, report = _report(pages, visit, request)
    if report.gantt is None:
        raise NotFound(f"{report.ref} has not begun.", "Its time line is drawn from what is done.")
    headers = {**HEADERS, "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
    return Response(drawing.svg_file(report.gantt), headers=headers, media_type="image/svg+xml")


# Evidence -----------------------------------------------------------------------------------------


def _matrix(pages: Pages, visit: Visit, request: Request) -> Response:
    policy, query = pages.policy, request.query_params
    within = " ".join(query.get("within", "year").split())[:40] or "year"
    services = [("", "All"), *((key, each.name) for key, each in policy.services.items())]
    try:
        service = called(query, "service", policy.services)
    except BadValue as error:
        # Whoever may not see the matrix hears that first.
        pages.ask(visit, lambda desk: report_on(desk, within, None))
        asks = (Ask("service", "Service", "", services), period_ask(query, "year"))
        return pages.instead(visit, "/desk/evidence", "Evidence", error, "", asks)

    def report(desk: Desk) -> CoverageReport:
        return report_on(desk, within, service or None)

    reader, found = pages.ask(visit, report)
    asks = (Ask("service", "Service", service, services), period_ask(query, "year"))
    of = f" service:{service}" if service else ""
    return pages.render(
        visit,
        reader,
        "matrix.html",
        "/desk/evidence",
        "Evidence",
        report=found,
        asks=asks,
        replies=pages.replies(visit, [f"evidence gaps{of}", "evidence verify"]),
    )
