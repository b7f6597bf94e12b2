"""The report of a drill: everything that a page, a PDF, a chart and a chat show, as one value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from config.definitions import plan_from
from config.policy import Policy
from handlers.directory import Directory
from handlers.errors import NotFound
from handlers.messages import Bar, Gantt, Mark
from handlers.rules.drill_clock import Measured, Span, facts_of, measure
from handlers.rules.ledger import Record
from handlers.rules.workflow import UNDER_WAY, ActionState
from handlers.tickets import number_of
from storage.models.continuity import ContinuityPlan, Drill, DrillStep
from storage.unit_of_work import Records

PAUSES_ARE = "Time in which the drill was paused is not counted; it is told beside each figure."
"""How the clock treats a pause, as every report says."""


@dataclass(frozen=True)
class StepLine:
    """A step as it was planned and as it was done. `early` are the steps that it did not wait for.

    `note` is what was said of it: what shows it, why it failed, was skipped or came early. A step that ended without a
    word about its beginning has `started_at` where it could begin. People are told by name.
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


# Building it --------------------------------------------------------------------------------------

_CORRECTIONS = {
    "drill.recovery_corrected": "recovery",
    "drill.disruption_corrected": "disruption",
    "drill.step_corrected": "step",
}


def report_of(policy: Policy, records: Records, ref: str, now: datetime) -> DrillReport:
    """The report of a drill as it stands now. Raises NotFound."""
    drill = records.continuity.drill(number_of(ref))
    plan = records.continuity.plan(drill.plan) if drill else None
    if drill is None or plan is None:
        raise NotFound(f"There is no {ref}.", "Type `drill list` to see them.")
    return _Builder(policy, records, drill, plan, now).build()


class _Builder:
    """Puts a report together from rows and evidence."""

    def __init__(
        self, policy: Policy, records: Records, drill: Drill, plan: ContinuityPlan, now: datetime
    ) -> None:
        self.policy, self.records, self.drill, self.plan, self.now = policy, records, drill, plan, now
        self.directory = Directory(policy, records, ())
        self.trail = records.ledger.trail(drill.ref)
        self.texts = records.continuity.texts(drill.number)
        self.says = plan_from(records.definitions.body("plan", plan.ref, drill.content))

    def build(self) -> DrillReport:
        drill, name = self.drill, self.directory.name
        reading = measure(facts_of(self.trail), self.now)
        why = self.texts.get("why")
        return DrillReport(
            ref=drill.ref,
            title=drill.title,
            kind=drill.kind,
            state=drill.state,
            plan=self.plan.ref,
            plan_name=self.plan.name,
            plan_version=drill.content,
            signed_by=name(self.plan.signed_by) if self.plan.signed == drill.content else None,
            scenario=self.says.scenario,
            lead=name(drill.lead),
            incident=drill.incident,
            scheduled=(drill.starts_at, drill.ends_at),
            started_at=drill.started_at,
            disruption=reading.disruption,
            ended_at=drill.ended_at,
            why_ended=why.text if why and drill.ended_at else "",
            paused=reading.paused,
            within=reading.within if drill.state == "finished" else None,
            services=tuple(self._service(each) for each in reading.services),
            steps=tuple(self._steps()),
            injects=tuple(self._injects()),
            attendance=tuple(self._attendance()),
            findings=tuple(self._findings()),
            corrections=tuple(self._corrections()),
            lacking=tuple(self._lacking()),
            as_of=self.now,
        )

    def _service(self, measured: Measured) -> ServiceLine:
        known = self.policy.services.get(measured.service)
        shows = self.texts.get(f"shows:{measured.service}")
        return ServiceLine(
            key=measured.service,
            name=known.name if known else measured.service,
            criterion=self.says.recovers.get(measured.service, ""),
            measured=measured,
            shows=shows.text if shows else "",
        )

    def _steps(self) -> Iterator[StepLine]:
        rows = self.records.continuity.steps(self.drill.number)
        notes, ended = self._notes(), {each.key: each.ended_at for each in rows}
        for step in sorted(rows, key=lambda each: (each.planned_at, each.place)):
            lasts = timedelta(seconds=step.lasts)
            yield StepLine(
                key=step.key,
                lane=step.lane,
                title=step.title,
                owners=tuple(self._owner(each) for each in step.owners),
                by=self.directory.name(step.by) if step.by else None,
                state=step.state,
                after=tuple(step.after),
                planned=(step.planned_at, step.planned_at + lasts),
                started_at=step.started_at or self._could_begin(step, ended),
                ended_at=step.ended_at,
                lasts=lasts,
                proof_wanted=step.proof,
                note="; ".join(notes.get(step.key, ())),
                early=tuple(step.early or ()),
            )

    def _could_begin(self, step: DrillStep, ended: Mapping[str, datetime | None]) -> datetime | None:
        """When a step that ended without a word about its beginning could begin: all that it waits for had ended."""
        if step.ended_at is None:
            return None
        before = [at for key in step.after if (at := ended[key]) is not None and at <= step.ended_at]
        return max(before, default=self.drill.started_at)

    def _notes(self) -> dict[str, list[str]]:
        """What was said of each step, in order: nothing that was said later takes the place of it."""
        told = [record for record in self.trail if record.action.startswith("drill.step_")]
        words = self.records.ledger.words_of([record.seq for record in told])
        notes: dict[str, list[str]] = {}
        for record in told:
            if note := words.get(record.seq, {}).get("note"):
                notes.setdefault((record.after or {})["step"], []).append(note)
        return notes

    def _owner(self, name: str) -> str:
        if name.startswith("@") and name[1:] in self.policy.teams:
            return self.policy.teams[name[1:]].name
        return name if ":" in name else self.directory.name(name)

    def _injects(self) -> Iterator[InjectLine]:
        """What came in between; what is still to come would be no surprise if it stood here."""
        for each in self.records.continuity.injects(self.drill.number):
            if each.said_at is None and self.drill.state in UNDER_WAY:
                continue
            yield InjectLine(each.says, tuple(self._owner(name) for name in each.to), each.at, each.said_at)

    def _attendance(self) -> Iterator[Attendee]:
        for each in self.records.continuity.people(self.drill.number):
            yield Attendee(self.directory.name(each.person), each.joined_at, each.rating)

    def _findings(self) -> Iterator[FindingLine]:
        for each in self.records.actions.of(self.drill.ref):
            late = each.state == ActionState.OPEN and each.due < self.now.date().isoformat()
            yield FindingLine(
                what=each.what,
                action=each.ref,
                owner=self.directory.name(each.owner),
                due=date.fromisoformat(each.due),
                state="overdue" if late else each.state,
            )

    def _lacking(self) -> Iterator[Lacking]:
        for record in self.trail:
            if record.action != "readiness.checked":
                continue
            for service, key, why in (record.after or {}).get("lacking", ()):
                known, readiness = self.policy.services.get(service), self.policy.readiness.get(service)
                titles = {item.key: item.title for item in readiness.items} if readiness else {}
                yield Lacking(known.name if known else service, titles.get(key, key), why)

    def _corrections(self) -> Iterator[Correction]:
        found = [record for record in self.trail if record.action in _CORRECTIONS]
        words = self.records.ledger.words_of([record.seq for record in found])
        for record in found:
            said = words.get(record.seq, {})
            what, was, now = _difference(record)
            yield Correction(
                at=record.at,
                by=self.directory.name(record.actor),
                what=what,
                was=was,
                now=now,
                because=said.get("because") or said.get("note", ""),
                seq=record.seq,
            )


def _difference(record: Record) -> tuple[str, str, str]:
    """What a correction is about, what was there before, and what is there now, in words."""
    before: Any = record.before or {}
    after: Any = record.after or {}
    if record.action == "drill.step_corrected":
        return f"step {after['step']}", str(before["step_state"]), str(after["step_state"])
    if record.action == "drill.disruption_corrected":
        return "disruption", _utc(before["disruption"]), _utc(after["disruption"])
    return f"recovery of {after['service']}", _recovery(before), _recovery(after)


def _recovery(told: Any) -> str:
    data = f", data from {_utc(told['data'])}" if told.get("data") else ""
    return f"recovered {_utc(told['recovered'])}{data}"


def _utc(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S} UTC"
