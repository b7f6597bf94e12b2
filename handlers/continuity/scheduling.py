"""Scheduling: a drill gets its time, once or by a rule; those who have a part in it are asked to come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from whenever import Instant

from config.policy import DrillKind, Plan
from config.recurrence import NotARule, read_rule
from handlers.continuity.card import KINDS, card
from handlers.continuity.shared import (
    DRILL,
    DrillRef,
    PlanRef,
    attend,
    clocks_to_read,
    find,
    find_plan,
    members,
    outcome,
    plan_of,
    record,
    rules_of,
    said,
    service_name,
    to_lead,
)
from handlers.declare import Change as Record
from handlers.declare import Due, Outcome, command
from handlers.desk import Desk
from handlers.errors import WrongState
from handlers.messages import Button, Kind, Reply, Style, Tone, Words, facts
from handlers.parsing import Choice, Duration, Free, Manner, PersonRef, Text, Word
from handlers.rules.moments import NotUnderstood, parse_when
from handlers.rules.run_sheet import length
from handlers.rules.workflow import DrillState, require_move
from handlers.telling import in_thread, tell
from handlers.tickets import move
from storage.models.continuity import ContinuityPlan, Drill, DrillService
from storage.repositories.continuity import LONGEST

_KIND = Choice(tuple(str(kind) for kind in DrillKind))
_WHEN = Free(at_most=60, takes_rest=False)
_DAY = timedelta(days=1)
AT_ONCE = 10
"""So many drills that repeat and clocks are set by one command, which few others follow; the next at once after."""


@dataclass(frozen=True)
class Schedule:
    """For example: drill schedule PLN-1 tabletop start:“wed 14:00” lasts:2h"""

    plan: PlanRef
    kind: Annotated[str, _KIND, "How it is tried"]
    start: Annotated[str, _WHEN, Manner.BY_NAME, "When it begins, as wed 14:00"]
    lasts: Annotated[Duration | None, Manner.BY_NAME, "How long it takes; as planned, when left out"] = None
    lead: Annotated[PersonRef | None, Manner.BY_NAME, "Who leads it; you, when left out"] = None
    repeats: Annotated[str | None, Free(at_most=300, takes_rest=False), Manner.BY_NAME, "As FREQ=YEARLY"] = (
        None
    )


@dataclass(frozen=True)
class Move:
    """For example: drill move DRL-1 start:“thu 14:00” because:“the team is away”"""

    drill: DrillRef
    start: Annotated[str, _WHEN, Manner.BY_NAME, "When it begins now"]
    because: Annotated[Text, Manner.BY_NAME, "Why; those who take part read this"]
    lasts: Annotated[Duration | None, Manner.BY_NAME, "How long it takes"] = None


@dataclass(frozen=True)
class Cancel:
    """For example: drill cancel DRL-1 the fair comes in between"""

    drill: DrillRef
    because: Annotated[Text, "Why"]
    stop: Annotated[str, Choice(("no", "yes")), Manner.BY_NAME, "Whether a series ends with it, too"] = "no"


@dataclass(frozen=True)
class Join:
    """For example: drill join DRL-1"""

    drill: DrillRef


@dataclass(frozen=True)
class Remind:
    """For example: drill remind DRL-1 soon"""

    drill: DrillRef
    what: Annotated[Word, "soon, now or missed"]


# Scheduling ---------------------------------------------------------------------------------------


@command("drill schedule", params=Schedule, evidences=("SCON SP 3.1", "SCON SP 2.2"))
def schedule(asked: Schedule, desk: Desk) -> Outcome:
    """Give a drill of a plan its time, once or by a rule; those who have a part in it are asked to come."""
    rules_of(desk)
    plan = find_plan(desk, asked.plan, for_change=True)
    require_move(plan.ref, plan.state, "drill")
    says = said(desk, plan, plan.signed)
    if not says.steps:
        raise WrongState(f"{plan.ref} has no steps yet.", "Add them first.", subject=plan.ref)
    start, end = _window(desk, asked.start, asked.lasts or length(says.steps))
    if asked.repeats:
        _check_rule(desk, asked.repeats, start)
    drill = create(
        desk, plan, says, asked.kind, start, end, asked.lead or desk.asker.key, repeats=asked.repeats
    )
    return announced(desk, drill, says)


def _window(desk: Desk, start: str, lasts: timedelta) -> tuple[datetime, datetime]:
    try:
        begins = parse_when(start, desk.now, desk.asker.zone, exactly=True).replace(microsecond=0)
    except NotUnderstood as error:
        raise desk.ask({"start": str(error)}) from None
    if begins < desk.now.replace(microsecond=0):
        raise desk.ask({"start": "That is past. Choose a moment to come."})
    if lasts > LONGEST:
        raise desk.ask({"lasts": f"A drill lasts at most {LONGEST.days} days."})
    return begins, begins + lasts


def _check_rule(desk: Desk, rule: str, start: datetime) -> None:
    zone = desk.asker.zone
    try:
        read_rule(rule, Instant(start).to_tz(zone).to_plain().to_stdlib(), zone)
    except NotARule as error:
        raise desk.ask({"repeats": f"The rule {error}."}) from None


def create(
    desk: Desk,
    plan: ContinuityPlan,
    says: Plan,
    kind: str,
    start: datetime,
    end: datetime,
    lead: str,
    *,
    repeats: str | None = None,
    series: str | None = None,
    incident: str | None = None,
) -> Drill:
    """A drill of a plan, with the services that it holds."""
    drill = Drill(
        number=desk.records.counters.next(DRILL),
        kind=kind,
        title=plan.name,
        plan=plan.number,
        content=plan.signed or plan.content,
        state=str(DrillState.SCHEDULED),
        room=rules_of(desk).room,
        lead=lead,
        by=desk.asker.key,
        incident=incident,
        series=series,
        repeats=repeats,
        zone=desk.asker.zone if repeats else None,
        starts_at=start,
        ends_at=end,
        platform=desk.command.sender.platform,
        changed_at=desk.now,
    )
    desk.records.continuity.add(drill)
    desk.records.continuity.add(
        *(
            DrillService(drill=drill.number, service=key, team=_team(desk, key), starts_at=start, ends_at=end)
            for key in says.recovers
        )
    )
    return drill


def _team(desk: Desk, service: str) -> str:
    known = desk.policy.services.get(service)
    return known.team if known else ""


def announced(desk: Desk, drill: Drill, says: Plan) -> Outcome:
    """What a drill that was scheduled comes to: evidence, its card, an invitation, moments to come."""
    plan = plan_of(desk, drill)
    title = f"{drill.ref} is scheduled: {drill.title}"
    window = _window_words(desk, drill)
    invited = [person for step in says.steps for person in members(desk, step.owner)]
    notices = tell(
        desk,
        drill,
        [drill.lead, *invited],
        title,
        tag=f"v{drill.version}/invited",
        text=window,
        details=facts(
            ("Kind", KINDS[drill.kind]),
            ("Plan", plan.ref),
            ("Led by", desk.who(drill.lead)),
            ("What has happened", says.scenario[:300]),
        ),
        buttons=(
            Button(label="Join", line=f"drill join {drill.ref}", style=Style.PRIMARY),
            Button(label="Read the plan", line=plan.ref),
        ),
        while_in=(DrillState.SCHEDULED,),
    )
    clashes = desk.records.changes.bookings(
        [each.service for each in desk.records.continuity.services_of(drill.number)],
        drill.lead,
        drill.starts_at,
        drill.ends_at,
    )
    beside = (
        f" At the same time: {', '.join(f'{each.ref} {each.title}' for each in clashes)}." if clashes else ""
    )
    unsigned = (
        ""
        if drill.content == plan.signed
        else " Nobody has signed this plan yet; it is tried as it is written."
    )
    return outcome(
        desk,
        drill,
        lambda: _answer(desk, drill, title, (*window, unsigned, beside)),
        list(_scheduled(drill, plan, says)),
        notices=[*notices, *in_thread(drill, f"{plan.name}: what has happened", text=says.scenario)],
        due=dues(drill),
        follow=clocks_to_read(drill),
    )


def _answer(desk: Desk, drill: Drill, title: str, text: Words = ()) -> Reply:
    said_ = tuple(part for part in text if part)
    return card(desk, drill).model_copy(
        update={"title": title, "text": said_, "tone": Tone.GOOD, "private": True}
    )


def _window_words(desk: Desk, drill: Drill) -> Words:
    return (desk.at(drill.starts_at) or "", " – ", desk.at(drill.ends_at) or "", ".")


def _scheduled(drill: Drill, plan: ContinuityPlan, says: Plan) -> Iterator[Record]:
    told = {
        "kind": drill.kind,
        "plan": plan.ref,
        "version": drill.content,
        "services": sorted(says.recovers),
        "start": drill.starts_at.isoformat(),
        "end": drill.ends_at.isoformat(),
        "lead": drill.lead,
        "series": drill.series,
        "repeats": drill.repeats,
    }
    yield record(drill, "scheduled", None, told)
    yield record(drill, "scenario_set", None, {"version": drill.content}, {"scenario": says.scenario})
    yield record(drill, "continuity_training.prepared", None, {"plan": plan.ref, "version": drill.content})


def dues(drill: Drill) -> list[Due]:
    """The moments of a scheduled drill: a day before, when it begins, and when it should be over."""
    ref = drill.ref
    return [
        Due(f"{ref}/soon", ref, drill.starts_at - _DAY, f"drill remind {ref} soon"),
        Due(f"{ref}/now", ref, drill.starts_at, f"drill remind {ref} now"),
        Due(f"{ref}/missed", ref, drill.ends_at, f"drill remind {ref} missed"),
    ]


@command("drill remind", params=Remind, evidences=("SCON SP 3.1",), desk_only=True)
def remind(asked: Remind, desk: Desk) -> Outcome:
    """Say that a drill is about to begin, begins, or was not held."""
    drill = find(desk, asked.drill)
    if drill.state != DrillState.SCHEDULED or (asked.what == "soon" and desk.now >= drill.starts_at):
        return Outcome(reply=Reply(title=f"{drill.ref}: nothing to say."))
    people = [each.person for each in desk.records.continuity.people(drill.number)]
    titles = {
        "soon": f"{drill.ref} begins soon: {drill.title}",
        "now": f"{drill.ref} begins now: {drill.title}",
        "missed": f"{drill.ref} was not held in its time: {drill.title}",
    }
    tag = f"{asked.what}/{drill.starts_at:%Y%m%d%H%M}"
    start = Button(label="Start", line=f"drill start {drill.ref}", style=Style.PRIMARY)
    again = Button(label="Give it another time", line=f"drill move {drill.ref}")
    to_lead_ = tell(
        desk,
        drill,
        [drill.lead],
        titles[asked.what],
        tag=f"{tag}/lead",
        text=_window_words(desk, drill),
        buttons={"soon": (), "now": (start,), "missed": (start, again)}[asked.what],
        while_in=(DrillState.SCHEDULED,),
        kind=Kind.REMINDER,
    )
    others = tell(
        desk,
        drill,
        [person for person in people if person != drill.lead],
        titles[asked.what],
        tag=tag,
        text=_window_words(desk, drill),
        while_in=(DrillState.SCHEDULED,),
        kind=Kind.REMINDER,
    )
    missed = (
        [record(drill, "missed", None, {"end": drill.ends_at.isoformat()})] if asked.what == "missed" else []
    )
    return Outcome(
        reply=Reply(title=titles[asked.what]),
        changes=missed,
        notices=to_lead_ if asked.what == "missed" else [*to_lead_, *others],
    )


# Moving, cancelling, joining ----------------------------------------------------------------------


@command("drill move", params=Move, evidences=("SCON SP 3.1",))
def move_(asked: Move, desk: Desk) -> Outcome:
    """Give a drill another time, with a reason."""
    drill = to_lead(desk, asked.drill, "move")
    start, end = _window(desk, asked.start, asked.lasts or drill.ends_at - drill.starts_at)
    if drill.repeats:
        _check_rule(desk, drill.repeats, start)
    before = {**move(drill, desk), "start": drill.starts_at.isoformat(), "end": drill.ends_at.isoformat()}
    drill.starts_at, drill.ends_at = start, end
    desk.records.continuity.hold(drill, True)
    moved = record(
        drill,
        "moved",
        before,
        {"start": start.isoformat(), "end": end.isoformat()},
        {"because": asked.because},
    )
    title = f"{drill.ref} takes place at another time: {drill.title}"
    people = [drill.lead, *(each.person for each in desk.records.continuity.people(drill.number))]
    return outcome(
        desk,
        drill,
        lambda: _answer(desk, drill, title, _window_words(desk, drill)),
        [moved],
        notices=[
            *tell(
                desk,
                drill,
                people,
                title,
                text=(*_window_words(desk, drill), f" {asked.because}"),
            ),
            *in_thread(drill, title, text=asked.because),
        ],
        due=dues(drill),
        follow=clocks_to_read(drill),
    )


@command("drill cancel", params=Cancel, evidences=("SCON SP 3.1",))
def cancel(asked: Cancel, desk: Desk) -> Outcome:
    """Cancel a drill before it begins, with a reason; a series goes on unless you stop it."""
    drill = to_lead(desk, asked.drill, "cancel")
    before = move(drill, desk, DrillState.CANCELLED)
    desk.records.continuity.hold(drill, False)
    desk.records.continuity.put_text(drill.number, "why", desk.asker.key, asked.because, desk.now)
    stopped = _stop_series(desk, drill) if asked.stop == "yes" else None
    cancelled = record(drill, "cancelled", before, {"series_stopped": stopped}, {"because": asked.because})
    title = f"{drill.ref} is cancelled: {drill.title}"
    people = [drill.lead, *(each.person for each in desk.records.continuity.people(drill.number))]
    text = f"The series that began with {stopped} has ended." if stopped else ""
    return outcome(
        desk,
        drill,
        lambda: _answer(desk, drill, title, (text,)),
        [cancelled],
        notices=[
            *tell(desk, drill, people, title, text=asked.because),
            *in_thread(drill, title, text=asked.because),
        ],
        undue=[f"{drill.ref}/{each}" for each in ("soon", "now", "missed")],
        follow=clocks_to_read(drill),
    )


def _stop_series(desk: Desk, drill: Drill) -> str | None:
    """End the series that a drill belongs to; one of a file is ended there. Returns the drill that began it."""
    origin = drill
    if drill.series and drill.series.startswith(f"{DRILL}-"):
        number = int(drill.series.partition("/")[0].partition("-")[2])
        origin = desk.records.continuity.drill(number, for_change=True) or drill
    elif drill.series:
        raise desk.ask({"stop": "This series is written in plans.yaml; it ends there."})
    if origin.repeats is None:
        return None
    origin.repeats = None
    return origin.ref


@command("drill join", params=Join, evidences=("SCON SP 3.1", "SCON SP 2.3"))
def join(asked: Join, desk: Desk) -> Outcome:
    """Take part in a drill; who came and when is part of its report."""
    drill = find(desk, asked.drill, for_change=True)
    require_move(drill.ref, drill.state, "join")
    joined = attend(desk, drill)
    if not joined:
        raise WrongState(f"You take part in {drill.ref} already.", subject=drill.ref)
    move(drill, desk)
    return outcome(desk, drill, lambda: _answer(desk, drill, f"You take part in {drill.ref}"), joined)


# Again and again ----------------------------------------------------------------------------------


def occurrences(desk: Desk) -> Iterator[tuple[ContinuityPlan, str, datetime, timedelta, str, str]]:
    """What repeats and is near enough to be set: the plan, the kind, start, length, who leads it, the series."""
    until = desk.now + timedelta(seconds=rules_of(desk).ahead)
    for says in desk.policy.plans.values():
        plan = desk.records.continuity.plan_called(says.key)
        if plan is None or plan.state == "withdrawn":
            continue
        for number, each in enumerate(says.drills):
            for wall, start in _between(each.repeats, each.start, each.zone, desk.now, until):
                series = f"{says.key}/{number}/{wall:%Y-%m-%dT%H:%M}"
                yield plan, str(each.kind), start, timedelta(seconds=each.lasts), plan.owner, series
    for drill in desk.records.continuity.repeating():
        plan = plan_of(desk, drill)
        zone = drill.zone or desk.policy.organisation.zone
        first = Instant(drill.starts_at).to_tz(zone).to_plain().to_stdlib()
        for wall, start in _between(drill.repeats or "", first, zone, desk.now, until):
            if wall != first and plan.state != "withdrawn":
                series = f"{drill.ref}/{wall:%Y-%m-%dT%H:%M}"
                yield plan, drill.kind, start, drill.ends_at - drill.starts_at, drill.lead, series


def _between(
    rule: str, first: datetime, zone: str, now: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The occurrences of a rule after now and up to an instant: wall time and instant."""
    from whenever import PlainDateTime

    since, last = (Instant(each).to_tz(zone).to_plain().to_stdlib() for each in (now, until))
    for wall in read_rule(rule, first, zone).between(since, last):
        start = PlainDateTime(wall).assume_tz(zone, disambiguation="compatible").to_instant().to_stdlib()
        if start > now:
            yield wall, start


def set_occurrences(desk: Desk) -> list[Outcome]:
    """Set the occurrences that are near and not set yet, `AT_ONCE` of them at most."""
    found: list[Outcome] = []
    for plan, kind, start, lasts, lead, series in occurrences(desk):
        if len(found) == AT_ONCE or desk.records.continuity.in_series(series):
            continue
        says = said(desk, plan, plan.signed)
        if says.steps:
            drill = create(desk, plan, says, kind, start, start + lasts, lead, series=series)
            found.append(announced(desk, drill, says))
    return found


def joined(outcomes: list[Outcome]) -> Outcome:
    """Several outcomes as one, with the reply of the last."""
    return Outcome(
        reply=outcomes[-1].reply if outcomes else Reply(title="Nothing."),
        changes=[each for one in outcomes for each in one.changes],
        notices=[each for one in outcomes for each in one.notices],
        cards=[each for one in outcomes for each in one.cards],
        due=[each for one in outcomes for each in one.due],
        undue=[each for one in outcomes for each in one.undue],
        follow=[each for one in outcomes for each in one.follow],
    )


def recovers(desk: Desk, drill: Drill) -> str:
    """The services that a drill recovers, by name."""
    return ", ".join(
        service_name(desk, each.service) for each in desk.records.continuity.services_of(drill.number)
    )
