"""Versions of a plan: what it means that a plan is new, or says something else."""

from __future__ import annotations

from dataclasses import replace

from config.policy import Plan
from handlers.continuity.shared import PLAN, for_practice, keep, record
from handlers.declare import Change as Record
from handlers.desk import Desk
from handlers.rules.workflow import PlanState
from storage.models.continuity import ContinuityPlan


def new(desk: Desk, says: Plan, *, in_file: bool) -> ContinuityPlan:
    """A plan that is said for the first time, in a file or in chat; not signed yet."""
    plan = ContinuityPlan(
        number=desk.records.counters.next(PLAN),
        key=says.key,
        name=says.name,
        owner=says.owner,
        in_file=in_file,
        state=str(PlanState.DRAFT),
        content="",
        author=desk.asker.key,
        changed_at=desk.now,
    )
    if not in_file:
        plan.key = f"pln-{plan.number}"
        says = replace(says, key=plan.key)
    desk.records.continuity.add(plan)
    keep(desk, plan, says)
    return plan


def rewritten(desk: Desk, plan: ContinuityPlan, says: Plan) -> bool:
    """Let a plan say something else; False when that is what it says already. What was signed stays signed."""
    before = plan.content
    keep(desk, plan, says)
    if plan.content == before and plan.state != PlanState.WITHDRAWN:
        return False
    plan.edition += 1
    plan.version += 1
    plan.state = str(PlanState.SIGNED if plan.content == plan.signed else PlanState.DRAFT)
    desk.records.continuity.save()
    return True


def told_of(plan: ContinuityPlan, says: Plan) -> dict[str, object]:
    """What evidence tells of a version: which one it is, and how far it reaches. None of its words."""
    return {
        "plan": plan.content,
        "edition": plan.edition,
        "services": sorted(says.recovers),
        "steps": len(says.steps),
        "owner": plan.owner,
    }


def is_on_file(desk: Desk, plan: ContinuityPlan) -> bool:
    """Whether the evidence knows of this plan."""
    trail = desk.records.ledger.trail(plan.ref)
    return any(each.action == "continuity_plan.published" for each in trail)


def published(plan: ContinuityPlan, says: Plan) -> list[Record]:
    """That there is a plan now, with its words."""
    told, words = told_of(plan, says), {"name": plan.name, "scenario": says.scenario}
    return [
        for_practice("SCON SP 2.1", record(plan, "continuity_plan.published", None, told, words)),
        for_practice("RSKM SP 3.1", record(plan, "contingency.planned", None, {"plan": plan.content})),
    ]
