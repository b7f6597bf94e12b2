"""Signing: a plan by who owns it, an impact analysis by who owns the service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from handlers.continuity.editions import is_on_file, published, told_of
from handlers.continuity.impact import broken_by, broken_words, open_analyses
from handlers.continuity.impact import card as analysis_card
from handlers.continuity.owed import next_drill
from handlers.continuity.plans import answer, is_to_review
from handlers.continuity.shared import (
    PLAN,
    clocks_to_read,
    find_analysis,
    find_plan,
    for_practice,
    members,
    record,
    review_by,
    review_day,
    rules_of,
    said,
    signs_for,
)
from handlers.declare import Outcome, command, decisions
from handlers.desk import Desk
from handlers.errors import BadValue, NotAllowed, NotFound, WrongState
from handlers.messages import Tone
from handlers.parsing import AnyRef, Text
from handlers.rules.moments import show_duration
from handlers.rules.workflow import AnalysisState, DrillState, PlanState, require_move
from handlers.telling import tell
from storage.models.continuity import ContinuityPlan, ImpactAnalysis


@dataclass(frozen=True)
class Approve:
    """For example: continuity approve PLN-1"""

    what: Annotated[AnyRef, "A plan or an impact analysis"]
    because: Annotated[Text | None, "If you want to say why"] = None


@command(
    "continuity approve",
    params=Approve,
    evidences=("SCON SP 1.1", "SCON SP 2.1", "RSKM SP 3.1", "SCON SP 3.3"),
)
def approve(asked: Approve, desk: Desk) -> Outcome:
    """Sign a plan that you own, anew or again, or the impact analysis of a service that you own."""
    rules_of(desk)
    if asked.what.startswith(f"{PLAN}-"):
        return _sign_plan(desk, find_plan(desk, asked.what, for_change=True), asked.because)
    if asked.what.startswith("BIA-"):
        return _sign_analysis(desk, find_analysis(desk, asked.what, for_change=True), asked.because)
    raise BadValue("Only plans and impact analyses are signed here.", "Name one as PLN-1 or BIA-1.")


def _sign_plan(desk: Desk, plan: ContinuityPlan, because: str | None) -> Outcome:
    if not signs_for(desk, plan.owner):
        raise NotAllowed(
            f"You cannot sign {plan.ref}.", f"{desk.directory.name(plan.owner)}, who owns it, can."
        )
    if not is_to_review(desk, plan):
        require_move(plan.ref, plan.state, "sign")
    says = said(desk, plan)
    if not says.steps:
        raise WrongState(
            f"{plan.ref} has no steps yet.", f"Add them: continuity step {plan.ref}", subject=plan.ref
        )
    if nobody := [step.key for step in says.steps if not members(desk, step.owner)]:
        raise WrongState(
            f"Nobody would do {', '.join(nobody)}.", "Give each step an owner who is there.", subject=plan.ref
        )
    records = [] if is_on_file(desk, plan) else published(plan, says)
    before = {"state": plan.state, "signed": plan.signed}
    learned = plan.content != plan.signed and _drilled_since(desk, plan)
    plan.state, plan.signed = str(PlanState.SIGNED), plan.content
    plan.signed_by, plan.signed_at, plan.review_on = desk.asker.key, desk.now, review_day(desk)
    plan.version += 1
    desk.records.continuity.save()
    told = {**told_of(plan, says), "review_on": plan.review_on, **review_by(desk, plan)}
    approved = record(plan, "continuity_plan.approved", before, told, {"because": because})
    records.append(for_practice("SCON SP 2.1", approved))
    if learned:
        records.append(for_practice("SCON SP 3.3", record(plan, "continuity_plan.revised", None, told)))
    return Outcome(
        reply=lambda: answer(desk, plan, f"{plan.ref} is signed, version {plan.edition}"),
        changes=records,
        follow=clocks_to_read(plan),
    )


def _drilled_since(desk: Desk, plan: ContinuityPlan) -> bool:
    """Whether the version that was signed before has been tried to the end: then a new one has learned from that."""
    tried, _ = desk.records.continuity.drills(states=(DrillState.FINISHED,), plan=plan.number, at_most=100)
    return any(each.ended_at >= plan.signed_at for each in tried if each.ended_at and plan.signed_at)


def _sign_analysis(desk: Desk, analysis: ImpactAnalysis, because: str | None) -> Outcome:
    service = desk.policy.services.get(analysis.service)
    if service is None:
        raise NotFound(f"There is no service {analysis.service} any more.", "Nothing is to be signed.")
    if not signs_for(desk, service.owner):
        raise NotAllowed(
            f"You cannot sign for {service.name}.", f"{desk.directory.name(service.owner)}, who owns it, can."
        )
    require_move(analysis.ref, analysis.state, "sign")
    if faults := broken_by(desk, analysis):
        raise WrongState(
            " ".join(broken_words(desk, each) for each in faults),
            "Analyse one of them anew: no service can be back before what it rests on.",
            subject=analysis.ref,
        )
    records, replaced = [], []
    for other in desk.records.continuity.analyses_of(analysis.service):
        if other.number != analysis.number and other.state == AnalysisState.SIGNED:
            other.state = str(AnalysisState.REPLACED)
            other.version += 1
            replaced.append(other)
            by = record(other, "impact_analysis.replaced", None, {"by": analysis.ref})
            records.append(for_practice("SCON SP 1.1", by))
    before = {"state": analysis.state}
    analysis.state = str(AnalysisState.SIGNED)
    analysis.signed_by, analysis.signed_at = desk.asker.key, desk.now
    analysis.review_on = review_day(desk)
    analysis.version += 1
    desk.records.continuity.save()
    told = {
        "service": service.key,
        "owner": service.owner,
        "rto": analysis.rto,
        "rpo": analysis.rpo,
        "review_on": analysis.review_on,
        **review_by(desk, analysis),
        **next_drill(desk, service.key),
    }
    by_owner = record(analysis, "impact_analysis.signed", before, told, {"because": because})
    records.append(for_practice("SCON SP 1.1", by_owner))
    signed = desk.records.continuity.signed_analyses()
    order = sorted(signed, key=lambda key: (signed[key].rto, key))
    rank = {"service": service.key, "rank": order.index(service.key) + 1, "of": len(order)}
    records.append(for_practice("SCON SP 1.1", record(analysis, "essential_function.ranked", None, rank)))
    title = f"{analysis.ref} is signed: {service.name} is back within {show_duration(timedelta(seconds=analysis.rto))}"
    return Outcome(
        reply=lambda: analysis_card(desk, analysis).model_copy(update={"title": title, "tone": Tone.GOOD}),
        changes=records,
        notices=tell(desk, analysis, [analysis.author], title, tag="signed"),
        follow=clocks_to_read(*replaced, analysis),
    )


@decisions(PLAN)
def to_sign(desk: Desk) -> Sequence[str]:
    """The plans and analyses that wait for the asker's signature."""
    found, _ = desk.records.continuity.plans(states=(PlanState.DRAFT,), owner=desk.asker.key)
    ready = [each.ref for each in found if each.in_file]
    return [*(each.ref for each in open_analyses(desk)), *reversed(ready)]
