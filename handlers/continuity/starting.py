"""Starting a drill: its steps and injects are laid out, the disruption is declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from config.policy import DrillKind, Plan
from handlers.continuity.card import answer
from handlers.continuity.confronting import moment_of
from handlers.continuity.running import handed_out
from handlers.continuity.shared import (
    REAL,
    DrillRef,
    Past,
    attend,
    clocks_to_read,
    members,
    outcome,
    plan_of,
    record,
    said,
    to_lead,
)
from handlers.declare import Change as Record
from handlers.declare import Outcome, command
from handlers.desk import Desk
from handlers.errors import WrongState
from handlers.messages import StepState
from handlers.parsing import Manner, Text
from handlers.readiness import gap_words, gaps_of
from handlers.rules.drill_clock import Aim
from handlers.rules.run_sheet import followers, length, planned, state_of_waiting
from handlers.rules.workflow import UNDER_WAY, DrillState
from handlers.telling import in_thread, tell
from handlers.tickets import move
from storage.models.continuity import Drill, DrillInject, DrillStep

_ASKED_BEFORE = (DrillKind.SIMULATION, DrillKind.FULL)
"""The kinds before which the desk asks whether everything is there: something is really done in them."""


@dataclass(frozen=True)
class Start:
    """For example: drill start DRL-1"""

    drill: DrillRef
    disrupted: Annotated[Past | None, Manner.BY_NAME, "When the disruption was, if not now"] = None
    because: Annotated[Text | None, Manner.BY_NAME, "Why it may begin although something lacks"] = None


@command("drill start", params=Start, evidences=("SCON SP 3.2", "SD SP 2.2"))
def start(asked: Start, desk: Desk) -> Outcome:
    """Begin a drill: the disruption is declared, and the first steps go to their owners."""
    drill = to_lead(desk, asked.drill, "start")
    plan = plan_of(desk, drill)
    says = said(desk, plan, plan.signed)
    require_owners(desk, says)
    lacking = [
        (each.service, gap)
        for each in desk.records.continuity.services_of(drill.number)
        for gap in gaps_of(desk, each.service)
    ]
    if lacking and drill.kind in _ASKED_BEFORE and not asked.because:
        words = "; ".join(gap_words(desk, service, gap) for service, gap in lacking[:8])
        raise desk.ask({"because": f"Not everything is ready: {words}. Why may it begin all the same?"})
    before = move(drill, desk, DrillState.RUNNING)
    drill.content = plan.signed or plan.content
    records = [
        record(
            drill,
            "readiness.checked",
            None,
            {"lacking": [[service, gap.item.key, gap.why] for service, gap in lacking]},
            {"because": asked.because if lacking else None},
        ),
        *begin(desk, drill, says, "started", before, asked.disrupted or desk.now),
    ]
    return begun(desk, drill, says, records, f"{drill.ref} has begun: {drill.title}")


def require_owners(desk: Desk, says: Plan) -> None:
    """Raise WrongState for steps that nobody would do."""
    if not says.steps:
        raise WrongState("This plan has no steps yet.", "Add them first.")
    nobody = [step.key for step in says.steps if not members(desk, step.owner)]
    if nobody:
        raise WrongState(
            f"Nobody would do {', '.join(nobody)}.",
            "Give each step an owner who is there: the plan says who.",
        )


def begin(
    desk: Desk,
    drill: Drill,
    says: Plan,
    action: str,
    before: dict[str, Any] | None,
    disruption: datetime,
    words: dict[str, str | None] | None = None,
) -> list[Record]:
    """Lay out the steps and injects of a drill that begins now, fix its targets, declare the disruption."""
    signed = desk.records.continuity.signed_analyses()
    rows = desk.records.continuity.services_of(drill.number)
    aims = {
        row.service: Aim(signed[row.service].rto, signed[row.service].rpo, signed[row.service].ref)
        if row.service in signed
        else Aim()
        for row in rows
    }
    drill.started_at = desk.now
    drill.starts_at = min(drill.starts_at, desk.now)
    drill.ends_at = max(desk.now + length(says.steps), drill.ends_at)
    desk.records.continuity.hold(drill, True)
    when, before_ = planned(says.steps), followers(says.steps)
    desk.records.continuity.add(
        *(
            DrillStep(
                drill=drill.number,
                key=step.key,
                place=place,
                lane=step.lane,
                title=step.title,
                owners=list(step.owner),
                after=list(dict.fromkeys(step.after)),
                before=before_[step.key],
                lasts=step.lasts,
                proof=step.proof,
                state=state_of_waiting("pending", len(set(step.after))),
                waits=len(set(step.after)),
                planned_at=desk.now + when[step.key][0],
            )
            for place, step in enumerate(says.steps)
        )
    )
    told = {
        "kind": drill.kind,
        "plan": f"PLN-{drill.plan}",
        "version": drill.content,
        "aims": {key: asdict(aim) for key, aim in aims.items()},
        "steps": len(says.steps),
        "incident": drill.incident,
    }
    began = record(drill, action, before, told, words)
    disrupted = record(drill, "disrupted", None, {"disruption": disruption.isoformat()})
    return [began, disrupted]


def begun(desk: Desk, drill: Drill, says: Plan, records: Sequence[Record], title: str) -> Outcome:
    """What a drill that has begun comes to: the first steps go out, injects get their moments."""
    injects = says.injects if drill.kind != REAL else ()
    rows = [
        DrillInject(
            drill=drill.number,
            number=number,
            says=inject.says,
            to=list(inject.to),
            by=plan_of(desk, drill).author,
            at=desk.now + timedelta(seconds=inject.after),
        )
        for number, inject in enumerate(injects, 1)
    ]
    if rows:
        desk.records.continuity.add(*rows)
    ready = [each for each in desk.records.continuity.steps(drill.number) if each.state == StepState.READY]
    people = [drill.lead, *(each.person for each in desk.records.continuity.people(drill.number))]
    came = attend(desk, drill)
    tag = f"v{drill.version}/begun"
    return outcome(
        desk,
        drill,
        lambda: answer(desk, drill, title),
        [*records, *came],
        notices=[
            *tell(desk, drill, people, title, tag=tag, text=says.scenario[:500], while_in=UNDER_WAY),
            *in_thread(drill, title, text=says.scenario[:500]),
            *handed_out(desk, drill, ready),
        ],
        due=[moment_of(drill, row) for row in rows],
        undue=[f"{drill.ref}/{each}" for each in ("soon", "now", "missed")],
        follow=clocks_to_read(drill),
    )
