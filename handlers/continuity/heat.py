"""The heat map for managers: service by service, whether recovery is analysed, planned, drilled and within target."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from config.policy import Criticality
from handlers.continuity.impact import broken_by
from handlers.continuity.owed import Picture, drill_by, picture
from handlers.continuity.shared import rules_of, today_of
from handlers.desk import Desk
from handlers.messages import counted
from handlers.readiness import gaps_of
from handlers.rules.business_time import utc
from handlers.rules.moments import show_day, show_duration
from handlers.rules.workflow import PlanState
from handlers.tickets import number_of
from storage.models.continuity import Drill, DrillService


class Heat(StrEnum):
    """How a cell stands; always said in words, too."""

    GOOD = "good"
    DUE = "due"
    BAD = "bad"
    NONE = "none"


@dataclass(frozen=True)
class HeatCell:
    """One square: how it stands and the words in it, with the reference that it leads to."""

    heat: Heat
    words: str
    ref: str | None = None


@dataclass(frozen=True)
class HeatRow:
    """One service. `cells` follow `COLUMNS`; criticality, RTO and RPO are those that its owner has signed."""

    service: str
    name: str
    owner: str
    criticality: str | None
    rto: timedelta | None
    rpo: timedelta | None
    cells: tuple[HeatCell, ...]
    drilled_at: datetime | None
    drill_by: date | None
    open_findings: int


COLUMNS = ("Analysis", "Plan", "Drilled", "Measured", "Within target", "Ready", "Findings")
"""What each cell of a row is about, in this order."""


# Building it --------------------------------------------------------------------------------------

_NONE = "—"


def heat(desk: Desk) -> list[HeatRow]:
    """The rows of the map, the most critical service first, then those that nobody has analysed."""
    known = picture(desk)
    findings = Counter(
        each.service
        for action in desk.records.continuity.open_findings()
        for each in desk.records.continuity.services_of(number_of(action.subject))
    )
    faults = {each.path[0] for each in broken_by(desk)}
    rows = [_row(desk, key, known, findings[key], key in faults) for key in desk.policy.services]
    order = [*Criticality, None]
    return sorted(
        rows,
        key=lambda row: (order.index(Criticality(row.criticality) if row.criticality else None), row.name),
    )


def _row(desk: Desk, key: str, known: Picture, findings: int, broken: bool) -> HeatRow:
    service, signed = desk.policy.services[key], known.signed.get(key)
    last = known.drilled.get(key)
    by = drill_by(desk, key, known)
    return HeatRow(
        service=key,
        name=service.name,
        owner=service.owner,
        criticality=signed.criticality if signed else None,
        rto=timedelta(seconds=signed.rto) if signed else None,
        rpo=timedelta(seconds=signed.rpo) if signed and signed.rpo else None,
        cells=(
            _analysis(desk, key, known, broken),
            _plan(desk, key, known),
            _drilled(desk, last, by),
            _measured(last),
            _within(last),
            _ready(desk, key),
            _findings(findings),
        ),
        drilled_at=last[0].ended_at if last else None,
        drill_by=by,
        open_findings=findings,
    )


def _late(desk: Desk, day: str | None) -> bool:
    return day is not None and day < today_of(desk).isoformat()


def _analysis(desk: Desk, key: str, known: Picture, broken: bool) -> HeatCell:
    signed = known.signed.get(key)
    if signed is None:
        draft = next((each for each in known.unsigned if each.service == key), None)
        return HeatCell(Heat.DUE, "not signed", draft.ref) if draft else HeatCell(Heat.BAD, "missing")
    if broken:
        return HeatCell(Heat.BAD, "promises less than what it rests on", signed.ref)
    if _late(desk, signed.review_on):
        return HeatCell(Heat.DUE, "review overdue", signed.ref)
    return HeatCell(Heat.GOOD, "signed", signed.ref)


def _plan(desk: Desk, key: str, known: Picture) -> HeatCell:
    signed, plans = known.signed.get(key), known.plans.get(key, [])
    best = next((each for each in plans if each.state == PlanState.SIGNED), plans[0] if plans else None)
    if best is None:
        needed = signed is not None and Criticality(signed.criticality) in rules_of(desk).plan_for
        return HeatCell(Heat.BAD, "missing") if needed else HeatCell(Heat.NONE, _NONE)
    if best.state != PlanState.SIGNED:
        return HeatCell(Heat.DUE, "not signed", best.ref)
    late = _late(desk, best.review_on)
    return HeatCell(Heat.DUE, "review overdue", best.ref) if late else HeatCell(Heat.GOOD, "signed", best.ref)


def _drilled(desk: Desk, last: tuple[Drill, DrillService] | None, by: date | None) -> HeatCell:
    ref = last[0].ref if last else None
    when = show_day(utc(last[0].ended_at).date()) if last and last[0].ended_at else "never"
    if by is None:
        return HeatCell(Heat.GOOD if last else Heat.NONE, when if last else _NONE, ref)
    if by < today_of(desk):
        return HeatCell(Heat.BAD, f"{when}, overdue", ref)
    return HeatCell(Heat.GOOD if last else Heat.DUE, when if last else f"by {show_day(by)}", ref)


def _measured(last: tuple[Drill, DrillService] | None) -> HeatCell:
    if last is None:
        return HeatCell(Heat.NONE, _NONE)
    drill, row = last
    if row.rto is None:
        return HeatCell(Heat.DUE, "not measured", drill.ref)
    lost = "" if row.rpo is None else f", {show_duration(timedelta(seconds=row.rpo))} of data"
    return HeatCell(Heat.GOOD, f"{show_duration(timedelta(seconds=row.rto))}{lost}", drill.ref)


def _within(last: tuple[Drill, DrillService] | None) -> HeatCell:
    if last is None or last[1].within is None:
        return HeatCell(Heat.NONE, _NONE, last[0].ref if last else None)
    return (
        HeatCell(Heat.GOOD, "yes", last[0].ref) if last[1].within else HeatCell(Heat.BAD, "no", last[0].ref)
    )


def _ready(desk: Desk, key: str) -> HeatCell:
    if key not in desk.policy.readiness:
        return HeatCell(Heat.NONE, _NONE)
    found = gaps_of(desk, key)
    return HeatCell(Heat.DUE, counted(len(found), "gap")) if found else HeatCell(Heat.GOOD, "ready")


def _findings(number: int) -> HeatCell:
    return HeatCell(Heat.DUE, f"{number} open") if number else HeatCell(Heat.GOOD, "none open")
