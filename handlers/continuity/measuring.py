"""Measuring: the disruption as it was declared, recoveries as they were confirmed, corrections as new entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from handlers.continuity.card import card, length_words, rto_words
from handlers.continuity.shared import (
    DrillRef,
    Past,
    attend,
    find,
    leads,
    measured,
    outcome,
    plan_of,
    record,
    said,
    service_name,
    to_lead,
)
from handlers.declare import Change as Record
from handlers.declare import Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed, NotFound, WrongState
from handlers.messages import Tone, facts, flat
from handlers.parsing import Manner, ServiceKey, Text
from handlers.rules.drill_clock import (
    Disrupted,
    Impossible,
    Measured,
    Reading,
    Recovered,
    facts_of,
    measure,
    require_possible,
)
from handlers.rules.workflow import DRILL_OVER, DrillState, require_move
from handlers.telling import in_thread, tell
from handlers.tickets import move
from storage.models.continuity import Drill


@dataclass(frozen=True)
class Confirm:
    """For example: drill recovered DRL-1 mail data:09:40 shows:“the newest mail in the store”"""

    drill: DrillRef
    service: Annotated[ServiceKey, "Which service is recovered, by its criterion"]
    data: Annotated[Past | None, Manner.BY_NAME, "The newest data that was recovered: from when it is"] = None
    shows: Annotated[Text | None, Manner.BY_NAME, "What shows that: a file, a figure, a log"] = None
    at: Annotated[Past | None, Manner.BY_NAME, "When its criterion was met, if not now"] = None
    because: Annotated[Text | None, Manner.BY_NAME, "Why an earlier entry is corrected"] = None


@dataclass(frozen=True)
class DeclareDisruption:
    """For example: drill disrupted DRL-1 09:55 the switch was pulled at that time"""

    drill: DrillRef
    at: Annotated[Past, "When the disruption was"]
    because: Annotated[Text, "Why it is declared anew"]


@command("drill recovered", params=Confirm, evidences=("SCON SP 3.2", "MA SP 2.1"))
def recovered(asked: Confirm, desk: Desk) -> Outcome:
    """Confirm that a service is recovered by its criterion, and how new its data are; its clock stops."""
    drill = find(desk, asked.drill, for_change=True)
    require_move(drill.ref, drill.state, "confirm a recovery in")
    reading = measured(desk, drill)
    before = next((each for each in reading.services if each.service == asked.service), None)
    if before is None:
        names = ", ".join(each.service for each in reading.services)
        raise NotFound(
            f"{drill.ref} does not recover {service_name(desk, asked.service)}.", f"It recovers {names}."
        )
    _require_may_confirm(desk, drill, asked.service)
    corrects = bool(before.entries)
    at, data = _entered(desk, drill, asked, before)
    assert reading.disruption is not None, "a drill that has begun has its disruption"
    try:
        require_possible(reading.disruption, at, data)
    except Impossible as error:
        field = "data" if data is not None and data > reading.disruption else "at"
        raise desk.ask({field: f"{error} It was disrupted at {_utc(reading.disruption)}."}) from None
    _ask_what_is_missing(desk, drill, asked, corrects=corrects)
    move(drill, desk)
    shows = asked.shows or ""
    if shows:
        desk.records.continuity.put_text(
            drill.number, f"shows:{asked.service}", desk.asker.key, shows, desk.now
        )
    entry = _entry(drill, asked, before, at, data, corrects=corrects)
    after = _with(desk, drill, asked.service, at, data)
    mine = next(each for each in after.services if each.service == asked.service)
    keep_result(desk, drill, after)
    return _confirmed(desk, drill, mine, [*attend(desk, drill), entry], asked, corrects=corrects)


def _require_may_confirm(desk: Desk, drill: Drill, service: str) -> None:
    known = desk.policy.services.get(service)
    asker = desk.asker
    if leads(desk, drill, plan_of(desk, drill)):
        return
    if known and (asker.key == known.owner or known.team in asker.teams):
        return
    names = [desk.directory.name(drill.lead), *([desk.directory.name(known.owner)] if known else [])]
    raise NotAllowed(
        f"You cannot confirm that {service_name(desk, service)} is recovered.",
        f"{' or '.join(dict.fromkeys(names))} can; ask them.",
    )


def _entered(desk: Desk, drill: Drill, asked: Confirm, before: Measured) -> tuple[datetime, datetime | None]:
    """The instants that count from now on: what a correction leaves out stays as it was."""
    at = asked.at or before.recovered or drill.ended_at or desk.now
    return at.replace(microsecond=0) if asked.at else at, asked.data or before.data


def _ask_what_is_missing(desk: Desk, drill: Drill, asked: Confirm, *, corrects: bool) -> None:
    if asked.data is not None and not asked.shows:
        raise desk.ask({"shows": "What shows how new the data are?"})
    if asked.because:
        return
    if corrects:
        raise desk.ask(
            {"because": "It was confirmed before. Why is that corrected? Both entries stay on file."}
        )
    if drill.state in DRILL_OVER:
        raise desk.ask({"because": f"{drill.ref} is over. Why is this entered now?"})


def _entry(
    drill: Drill, asked: Confirm, before: Measured, at: datetime, data: datetime | None, *, corrects: bool
) -> Record:
    was = {"recovered": _iso(before.recovered), "data": _iso(before.data)} if corrects else None
    now = {"service": asked.service, "recovered": at.isoformat(), "data": _iso(data)}
    action = "recovery_corrected" if corrects else "recovered"
    return record(drill, action, was, now, {"shows": asked.shows, "because": asked.because})


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _with(desk: Desk, drill: Drill, service: str, at: datetime, data: datetime | None) -> Reading:
    """What the evidence comes to with an entry that is written when this command ends."""
    known = facts_of(desk.records.ledger.trail(drill.ref))
    last = max((fact.seq for fact in known), default=0)
    return measure(
        [*known, Recovered(desk.now, last + 1, service=service, recovered=at, data=data)], desk.now
    )


def keep_result(desk: Desk, drill: Drill, reading: Reading) -> None:
    """Keep what a drill that is over came to beside it, for lists; the evidence is what counts."""
    if drill.state != DrillState.FINISHED:
        return
    drill.within = reading.within
    by_service = {each.service: each for each in reading.services}
    for row in desk.records.continuity.services_of(drill.number):
        each = by_service.get(row.service)
        if each is not None:
            row.rto = None if each.rto is None else int(each.rto.total_seconds())
            row.rpo = None if each.rpo is None else int(each.rpo.total_seconds())
            row.within = each.within
    desk.records.continuity.save()


def _confirmed(
    desk: Desk,
    drill: Drill,
    mine: Measured,
    records: Sequence[Record],
    asked: Confirm,
    *,
    corrects: bool,
) -> Outcome:
    name = service_name(desk, mine.service)
    verb = "corrected" if corrects else "recovered"
    title = f"{drill.ref}: {name} is {verb}, after {length_words(mine.rto)}"
    criterion = said(desk, plan_of(desk, drill), drill.content).recovers.get(mine.service)
    details = facts(
        ("RTO actual", rto_words(mine)),
        (
            "RPO actual",
            f"{length_words(mine.rpo)}, {mine.rpo_verdict}"
            if mine.rpo is not None
            else str(mine.rpo_verdict),
        ),
        ("Criterion", criterion),
        ("What shows the data", asked.shows),
        ("Why corrected", asked.because if corrects else None),
    )
    owner = desk.policy.services[mine.service].owner
    return outcome(
        desk,
        drill,
        lambda: card(desk, drill).model_copy(
            update={"title": title, "tone": Tone.GOOD, "private": True, "facts": details, "sheet": None}
        ),
        records,
        notices=[
            *tell(desk, drill, [drill.lead, owner], title, details=details),
            *in_thread(drill, title, details=details),
        ],
    )


@command("drill disrupted", params=DeclareDisruption, evidences=("SCON SP 3.2", "MA SP 2.1"))
def disrupted(asked: DeclareDisruption, desk: Desk) -> Outcome:
    """Declare anew when the disruption was, with a reason; what was declared before stays on file."""
    drill = to_lead(desk, asked.drill, "declare the disruption of")
    known = facts_of(desk.records.ledger.trail(drill.ref))
    was = measure(known, desk.now).disruption
    if was == asked.at:
        raise WrongState(f"The disruption of {drill.ref} is declared for that moment.", subject=drill.ref)
    last = max((fact.seq for fact in known), default=0)
    try:
        after = measure([*known, Disrupted(desk.now, last + 1, disruption=asked.at)], desk.now)
    except Impossible as error:
        raise desk.ask({"at": f"{error} Correct what was confirmed first."}) from None
    move(drill, desk)
    keep_result(desk, drill, after)
    before: dict[str, Any] = {"disruption": _iso(was)}
    now = {"disruption": asked.at.isoformat()}
    corrected = record(drill, "disruption_corrected", before, now, {"because": asked.because})
    people = [drill.lead, plan_of(desk, drill).owner]
    title = f"{drill.ref}: the disruption was at {flat((desk.at(asked.at) or '',))}"
    return outcome(
        desk,
        drill,
        lambda: card(desk, drill).model_copy(update={"title": title, "tone": Tone.GOOD, "private": True}),
        [corrected],
        notices=[
            *tell(desk, drill, people, title, text=asked.because),
            *in_thread(drill, title, text=asked.because),
        ],
    )
