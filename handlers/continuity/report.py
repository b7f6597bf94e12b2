"""The report of a drill: everything that a page, a PDF, a chart and a chat show, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from handlers.messages import Bar, Gantt, Mark
from handlers.rules.drill_clock import Measured, Span

PAUSES_ARE = "Time in which the drill was paused is not counted; it is told beside each figure."
"""How the clock treats a pause, as every report says."""


@dataclass(frozen=True)
class StepLine:
    """A step as it was planned and as it was done. `early` are the steps that it did not wait for.

    `note` is what shows it, or why it failed, was skipped or came early. People are told by name.
    """

    key: str
    lane: str
    title: str
    owners: tuple[str, ...]
    by: str | None
    state: str
    after: tuple[str, ...]
    planned: Span | None
    started_at: datetime | None
    ended_at: datetime | None
    lasts: timedelta
    proof_wanted: str
    note: str
    early: tuple[str, ...] = ()


@dataclass(frozen=True)
class ServiceLine:
    """What was measured of a service, by which criterion, and what shows the newest data."""

    key: str
    name: str
    criterion: str
    measured: Measured
    shows: str


@dataclass(frozen=True)
class Correction:
    """Something measured that was entered anew: what it was, what it is, and why. `seq` is its row of the evidence."""

    at: datetime
    by: str
    what: str
    was: str
    now: str
    because: str
    seq: int


@dataclass(frozen=True)
class InjectLine:
    """What participants were confronted with, and when."""

    text: str
    to: tuple[str, ...]
    planned_at: datetime | None
    said_at: datetime | None


@dataclass(frozen=True)
class Attendee:
    """Somebody who took part, since when, and how they rated it (1 to 5)."""

    name: str
    joined_at: datetime
    rating: int | None = None


@dataclass(frozen=True)
class FindingLine:
    """A gap that was found, and the action that follows from it."""

    what: str
    action: str | None
    owner: str
    due: date | None
    state: str


@dataclass(frozen=True)
class Lacking:
    """Something that was not ready when it began."""

    service: str
    what: str
    why: str


@dataclass(frozen=True)
class DrillReport:
    """A drill, or a real disruption that was worked by a plan (`kind` is then `real`).

    `kind`: walkthrough, tabletop, simulation, full, real. `state`: scheduled, running, paused, finished, aborted,
    cancelled. `paused` are spans in which nobody worked on it. `within` is whether all signed targets were met, None
    where that cannot be said. Instants are in UTC.
    """

    ref: str
    title: str
    kind: str
    state: str
    plan: str
    plan_name: str
    plan_version: str
    signed_by: str | None
    scenario: str
    lead: str
    incident: str | None
    scheduled: Span
    started_at: datetime | None
    disruption: datetime | None
    ended_at: datetime | None
    why_ended: str
    paused: tuple[Span, ...]
    within: bool | None
    services: tuple[ServiceLine, ...]
    steps: tuple[StepLine, ...]
    injects: tuple[InjectLine, ...]
    attendance: tuple[Attendee, ...]
    findings: tuple[FindingLine, ...]
    corrections: tuple[Correction, ...]
    lacking: tuple[Lacking, ...]
    as_of: datetime

    @property
    def gantt(self) -> Gantt | None:
        """Planned against actual, lane by lane, with the disruption and the recoveries; None before it began."""
        if self.started_at is None or not self.steps:
            return None
        marks = [Mark(label="Disruption", at=self.disruption)] if self.disruption else []
        marks += [
            Mark(label=f"{each.name} recovered", at=each.measured.recovered)
            for each in self.services
            if each.measured.recovered
        ]
        return Gantt(
            title=f"{self.ref}: planned and actual",
            bars=tuple(
                Bar(
                    lane=each.lane,
                    label=each.title,
                    planned=each.planned,
                    actual=_actual(each, self.as_of),
                    state=each.state,
                )
                for each in self.steps
            ),
            marks=tuple(marks),
            paused=self.paused,
        )


def _actual(step: StepLine, as_of: datetime) -> Span | None:
    start = step.started_at or step.ended_at
    return (start, max(start, step.ended_at or as_of)) if start else None
