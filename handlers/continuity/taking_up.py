"""Plans that the organisation's files say, taken up: another text is another version, which its owner signs."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.continuity.editions import is_on_file, new, published, rewritten, told_of
from handlers.continuity.plans import sign_button
from handlers.continuity.shared import clocks_to_read, for_practice, record
from handlers.declare import Change as Record
from handlers.declare import Outcome, command
from handlers.desk import Desk
from handlers.messages import Notice, Reply, counted
from handlers.rules.workflow import PlanState
from handlers.telling import tell
from storage.models.continuity import ContinuityPlan

_AT_ONCE = 5
"""More plans than this go at the next round: a command is followed by few others."""


@dataclass(frozen=True)
class TakeUp:
    """For example: continuity take-up"""


@command(
    "continuity take-up", params=TakeUp, evidences=("SCON SP 2.1", "RSKM SP 3.1"), desk_only=True, tends=True
)
def take_up(asked: TakeUp, desk: Desk) -> Outcome:
    """Take up the plans that the organisation's files say; another text is another version."""
    if desk.policy.continuity is None:
        return Outcome(reply=Reply(title="There are no rules of continuity."))
    records: list[Record] = []
    notices: list[Notice] = []
    withdrawn = _gone(desk)[:_AT_ONCE]
    for gone in withdrawn:
        gone.state = str(PlanState.WITHDRAWN)
        gone.version += 1
        desk.records.continuity.save()
        away = record(gone, "continuity_plan.withdrawn", None, {"plan": gone.content})
        records.append(for_practice("SCON SP 2.1", away))
    for says in desk.policy.plans.values():
        plan = desk.records.continuity.plan_called(says.key) or new(desk, says, in_file=True)
        if not desk.is_spoken_to:
            rewritten(desk, plan, says)
            continue
        if not is_on_file(desk, plan):
            rewritten(desk, plan, says)
            records += published(plan, says)
        elif rewritten(desk, plan, says):
            anew = record(plan, "continuity_plan.rewritten", None, told_of(plan, says))
            records.append(for_practice("SCON SP 2.1", anew))
        else:
            continue
        notices += _ask_owner(desk, plan)
    return Outcome(
        reply=Reply(title=f"{counted(len(records), 'record')} of plans"),
        changes=records,
        notices=notices,
        follow=["continuity watch", *clocks_to_read(*(gone for gone in withdrawn if gone.signed))],
    )


def _gone(desk: Desk) -> list[ContinuityPlan]:
    """The plans of files that no file says any more."""
    found, _ = desk.records.continuity.plans(states=(PlanState.DRAFT, PlanState.SIGNED))
    return [plan for plan in found if plan.in_file and plan.key not in desk.policy.plans]


def _ask_owner(desk: Desk, plan: ContinuityPlan) -> list[Notice]:
    if plan.state != PlanState.DRAFT:
        return []
    return tell(
        desk,
        plan,
        [plan.owner],
        f"{plan.ref} needs your signature: {plan.name}",
        tag=f"e{plan.edition}",
        text=f"Version {plan.edition} is written. You answer for this plan.",
        buttons=(sign_button(plan),),
        while_in=(PlanState.DRAFT,),
    )
