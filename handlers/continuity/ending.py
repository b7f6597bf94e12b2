"""Ending a drill: finished or aborted, what was found, how it was rated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from handlers.continuity.card import card, length_words, measured_table
from handlers.continuity.measuring import keep_result
from handlers.continuity.owed import next_drill
from handlers.continuity.shared import (
    REAL,
    DrillRef,
    clocks_to_read,
    find,
    measured,
    outcome,
    plan_of,
    record,
    rules_of,
    service_name,
    to_lead,
    today_of,
)
from handlers.declare import Change as Record
from handlers.declare import Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed, WrongState
from handlers.messages import Button, Reply, Tone, counted
from handlers.parsing import Day, Free, Manner, PersonRef, Text, WholeNumber, quoted
from handlers.rules.drill_clock import Reading
from handlers.rules.workflow import DrillState, require_move
from handlers.telling import in_thread, tell
from handlers.tickets import move, require_works
from storage.models.continuity import Drill, ImpactAnalysis


@dataclass(frozen=True)
class Finish:
    """For example: drill finish DRL-1 the backup is the bottleneck"""

    drill: DrillRef
    summary: Annotated[Text | None, "What it has shown, in a sentence or two"] = None
    because: Annotated[Text | None, Manner.BY_NAME, "Why it ends although not all of it was done"] = None


@dataclass(frozen=True)
class Abort:
    """For example: drill abort DRL-1 half of the team is ill"""

    drill: DrillRef
    because: Annotated[Text, "Why"]


@dataclass(frozen=True)
class Finding:
    """For example: drill finding DRL-1 the vault's key is with one person only owner:@backup due:2026-12-10"""

    drill: DrillRef
    what: Annotated[str, Free(at_most=300), "What was found, as something to be done"]
    owner: Annotated[PersonRef | None, Manner.BY_NAME, "Who does it; the plan's owner, when left out"] = None
    due: Annotated[Day | None, Manner.BY_NAME, "By which day"] = None


@dataclass(frozen=True)
class Rate:
    """For example: drill rate DRL-1 4 the injects were good"""

    drill: DrillRef
    rating: Annotated[int, WholeNumber(1, 5), "1 (of no use) to 5 (I know what to do now)"]
    because: Annotated[Text | None, "If you want to say why"] = None


@command("drill finish", params=Finish, evidences=("SCON SP 3.2", "SCON SP 2.3"))
def finish(asked: Finish, desk: Desk) -> Outcome:
    """Finish a drill: what was measured is compared with what the owners have signed."""
    drill = to_lead(desk, asked.drill, "finish")
    reading = measured(desk, drill)
    left = list(_left(desk, drill, reading))
    if left and not asked.because:
        raise desk.ask({"because": f"{'; '.join(left)}. Why does it end all the same?"})
    before = _end(desk, drill, DrillState.FINISHED)
    drill.within = reading.within
    keep_result(desk, drill, reading)
    if text := " ".join(each for each in (asked.summary, asked.because) if each):
        desk.records.continuity.put_text(drill.number, "why", desk.asker.key, text, desk.now)
    title = f"{drill.ref} is finished: {_result(drill)}"
    completed = list(_completed(desk, drill, before, reading, asked))
    demanded = _demanded(desk, drill)
    drilled = [
        record(each, "impact_analysis.drilled", None, {"drill": drill.ref, **next_drill(desk, each.service)})
        for each in demanded
    ]
    return _ended(
        desk,
        drill,
        title,
        asked.summary or "",
        [*completed, *drilled],
        follow=clocks_to_read(*demanded),
    )


def _demanded(desk: Desk, drill: Drill) -> list[ImpactAnalysis]:
    """The impact analyses that demanded this drill, of services that there are: the others demand no further one."""
    signed = desk.records.continuity.signed_analyses()
    services = desk.records.continuity.services_of(drill.number)
    return [
        signed[each.service]
        for each in services
        if each.service in signed and each.service in desk.policy.services
    ]


def _left(desk: Desk, drill: Drill, reading: Reading) -> Iterator[str]:
    """What a drill that ends now leaves undone."""
    for each in reading.services:
        if each.recovered is None:
            yield f"{service_name(desk, each.service)} is not confirmed as recovered"
    if steps := desk.records.continuity.open_steps(drill.number):
        yield f"{counted(steps, 'step')} {'is' if steps == 1 else 'are'} still open"


def _end(desk: Desk, drill: Drill, state: DrillState) -> dict[str, str]:
    before = move(drill, desk, state)
    drill.ended_at = desk.now
    drill.ends_at = max(drill.starts_at, desk.now)
    drill.paused_at = drill.paused_for = None
    desk.records.continuity.hold(drill, False)
    return before


def _result(drill: Drill) -> str:
    return {True: "within its targets", False: "not within its targets", None: "not everything was measured"}[
        drill.within
    ]


def _completed(
    desk: Desk, drill: Drill, before: dict[str, str], reading: Reading, asked: Finish
) -> Iterator[Record]:
    services = {
        each.service: {
            "rto": None if each.rto is None else int(each.rto.total_seconds()),
            "rpo": None if each.rpo is None else int(each.rpo.total_seconds()),
            "paused": int(each.paused.total_seconds()),
            "rto_verdict": str(each.rto_verdict),
            "rpo_verdict": str(each.rpo_verdict),
        }
        for each in reading.services
    }
    steps = Counter(each.state for each in desk.records.continuity.steps(drill.number))
    told = {"within": drill.within, "services": services, "steps": dict(sorted(steps.items()))}
    yield record(drill, "completed", before, told, {"summary": asked.summary, "because": asked.because})
    if people := desk.records.continuity.people(drill.number):
        came = {
            "people": [each.person for each in people],
            "plan": f"PLN-{drill.plan}",
            "version": drill.content,
        }
        yield record(drill, "continuity_training.delivered", None, came)


def _ended(
    desk: Desk, drill: Drill, title: str, text: str, records: list[Record], follow: Sequence[str] = ()
) -> Outcome:
    people = [
        drill.lead,
        plan_of(desk, drill).owner,
        *(each.person for each in desk.records.continuity.people(drill.number)),
    ]
    open_injects = [each for each in desk.records.continuity.injects(drill.number) if each.said_at is None]
    rate_ = Button(label="Rate it", line=f"drill rate {drill.ref}")
    report = Button(label="Report", line=f"drill report {drill.ref}")
    told = tell(desk, drill, people, title, text=text, buttons=(report, rate_))
    done = measured_table(desk, measured(desk, drill).services) if drill.started_at else None
    return outcome(
        desk,
        drill,
        lambda: card(desk, drill).model_copy(
            update={
                "title": title,
                "text": (text,) if text else (),
                "tone": Tone.BAD if drill.within is False else Tone.GOOD,
                "private": True,
            }
        ),
        records,
        notices=[
            *(
                each.model_copy(update={"reply": each.reply.model_copy(update={"table": done})})
                for each in told
            ),
            *in_thread(drill, title, text=text),
        ],
        undue=[f"{drill.ref}/inject/{each.number}" for each in open_injects],
        follow=follow,
    )


@command("drill abort", params=Abort, evidences=("SCON SP 3.2",))
def abort(asked: Abort, desk: Desk) -> Outcome:
    """Break a drill off, with the reason; it counts as no drill."""
    drill = to_lead(desk, asked.drill, "abort")
    before = _end(desk, drill, DrillState.ABORTED)
    desk.records.continuity.put_text(drill.number, "why", desk.asker.key, asked.because, desk.now)
    aborted = record(drill, "aborted", before, None, {"because": asked.because})
    lasted = length_words(desk.now - (drill.started_at or desk.now))
    return _ended(desk, drill, f"{drill.ref} is aborted after {lasted}", asked.because, [aborted])


@command("drill finding", params=Finding, evidences=("SCON SP 3.3",))
def finding(asked: Finding, desk: Desk) -> Outcome:
    """Note what a drill has found; it becomes an action with an owner and a day, chased until it is done."""
    drill = find(desk, asked.drill, for_change=True)
    require_move(drill.ref, drill.state, "note a finding of")
    if desk.records.continuity.person(drill.number, desk.asker.key) is None:
        require_works(desk, "Findings are noted")
    due = asked.due or today_of(desk) + timedelta(seconds=rules_of(desk).finding_within)
    if due < desk.today:
        raise desk.ask({"due": "That day is past. Choose one to come."})
    owner = asked.owner or plan_of(desk, drill).owner
    move(drill, desk)
    found = record(
        drill, "findings_recorded", None, {"owner": owner, "due": due.isoformat()}, {"what": asked.what}
    )
    line = f"action add {drill.ref} what:{quoted(asked.what)} owner:@{owner} due:{due.isoformat()}"
    return outcome(
        desk,
        drill,
        lambda: Reply(
            title=f"{drill.ref}: found, and {desk.directory.name(owner)} has it until {due.isoformat()}",
            text=(asked.what,),
            tone=Tone.GOOD,
            buttons=(Button(label=f"Show {drill.ref}", line=drill.ref),),
            subject=drill.ref,
        ),
        [found],
        follow=[line],
    )


@command("drill rate", params=Rate, evidences=("SCON SP 2.3",))
def rate(asked: Rate, desk: Desk) -> Outcome:
    """Say how good a drill was for you, as somebody who took part."""
    drill = find(desk, asked.drill, for_change=True)
    require_move(drill.ref, drill.state, "rate")
    part = desk.records.continuity.person(drill.number, desk.asker.key)
    if part is None:
        raise NotAllowed(f"You did not take part in {drill.ref}.", "Those who did can rate it.")
    if drill.kind == REAL:
        raise WrongState(
            f"{drill.ref} was no drill.", "Say what is to change: drill finding", subject=drill.ref
        )
    before = {"rating": part.rating} if part.rating else None
    part.rating = asked.rating
    move(drill, desk)
    rated = record(
        drill,
        "continuity_training.rated",
        before,
        {"person": desk.asker.key, "rating": asked.rating},
        {"because": asked.because},
    )
    return outcome(
        desk,
        drill,
        Reply(title=f"Thank you: {asked.rating} of 5 for {drill.ref}", tone=Tone.GOOD, subject=drill.ref),
        [rated],
    )
