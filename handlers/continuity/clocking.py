"""Clocks of what is signed: given where signing gave none, and taken back where the service is gone.

What was signed by an earlier version of the desk was told no moment, and a service may leave the policy and come
back. Both are seen by what stands: whether something signed, of a service that there is, has its review promised.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config.policy import Promise
from handlers.continuity.owed import next_drill
from handlers.continuity.shared import for_practice, record, review_by
from handlers.declare import Change as Record
from handlers.desk import Desk
from handlers.rules.workflow import PlanState
from storage.models.continuity import ContinuityPlan, ImpactAnalysis


@dataclass(frozen=True)
class SetRight:
    """Something signed whose clocks are told anew, and what is told of it."""

    signed: ContinuityPlan | ImpactAnalysis
    told: Record


def to_set_right(desk: Desk) -> Iterator[SetRight]:
    """What is signed whose clocks are not as they should be. A review whose day is past is broken as it is promised."""
    plans, _ = desk.records.continuity.plans(states=(PlanState.DRAFT, PlanState.SIGNED))
    analyses = desk.records.continuity.signed_analyses()
    refs = [*(plan.ref for plan in plans), *(each.ref for each in analyses.values())]
    promised = desk.records.clocks.promised_on(refs, Promise.REVIEW)
    for plan in reversed(plans):
        # A plan that was rewritten and not signed again still stands as it was signed.
        if plan.signed and plan.review_on and plan.ref not in promised:
            yield _told(plan, "continuity_plan.review_set", review_by(desk, plan))
    for service, analysis in analyses.items():
        exists = service in desk.policy.services
        if exists and analysis.review_on and analysis.ref not in promised:
            moments = {**review_by(desk, analysis), **next_drill(desk, service)}
            yield _told(analysis, "impact_analysis.review_set", moments)
        elif not exists and analysis.ref in promised:
            yield _told(analysis, "impact_analysis.service_gone", {"review_by": None, "drill_by": None})


def _told(signed: ContinuityPlan | ImpactAnalysis, what: str, moments: dict[str, str | None]) -> SetRight:
    return SetRight(signed, for_practice("SCON SP 3.1", record(signed, what, None, moments)))
