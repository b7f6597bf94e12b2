"""What is due: analyses, signatures, plans, reviews, drills, things that are not ready, findings, broken promises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from config.policy import Criticality, Service
from handlers.continuity.impact import broken_by, broken_words
from handlers.continuity.shared import over, rules_of, today_of
from handlers.desk import Desk
from handlers.readiness import looks
from handlers.rules.business_time import utc
from handlers.rules.readiness import gap_of, look_again_by
from handlers.rules.workflow import PlanState
from storage.models.continuity import ContinuityPlan, Drill, DrillService, ImpactAnalysis

SOON = timedelta(days=14)
"""What is due within this is told."""


@dataclass(frozen=True)
class Owed:
    """Something that somebody owes: about a service or a thing, by a day (None: as soon as can be).

    `kind`: analysis, signature, review, plan, drill, ready, finding, promise. `line` is what one types to do it.
    `chased` says that another part of the desk reminds of it.
    """

    kind: str
    key: str
    what: str
    owner: str
    by: date | None
    line: str
    chased: bool = False


@dataclass(frozen=True)
class Picture:
    """What is on file about every service, read once."""

    signed: dict[str, ImpactAnalysis]
    unsigned: Sequence[ImpactAnalysis]
    plans: dict[str, list[ContinuityPlan]]
    drilled: dict[str, tuple[Drill, DrillService]]


def picture(desk: Desk) -> Picture:
    """What is on file now."""
    records = desk.records.continuity
    return Picture(
        records.signed_analyses(),
        records.unsigned_analyses(),
        records.plans_by_service(),
        records.last_drilled(),
    )


def owed(desk: Desk) -> list[Owed]:
    """Everything that is due or soon will be, what is most urgent first."""
    rules_of(desk)
    known = picture(desk)
    found = [
        *_signatures(desk, known),
        *(each for service in desk.policy.services.values() for each in _of_service(desk, service, known)),
        *_plans(desk, known),
        *_unheld(desk),
        *_readiness(desk),
        *_promises(desk),
        *_findings(desk),
    ]
    return sorted(found, key=lambda each: (each.by is not None, each.by or date.min, each.kind, each.key))


def _signatures(desk: Desk, known: Picture) -> Iterator[Owed]:
    for each in known.unsigned:
        service = desk.policy.services.get(each.service)
        if service is not None:
            line = f"continuity approve {each.ref}"
            yield Owed("signature", each.ref, f"Sign the impact of {service.name}", service.owner, None, line)


def _of_service(desk: Desk, service: Service, known: Picture) -> Iterator[Owed]:
    signed = known.signed.get(service.key)
    if signed is None:
        if not any(each.service == service.key for each in known.unsigned):
            line = f"continuity impact {service.key}"
            yield Owed(
                "analysis", service.key, f"Analyse the impact of {service.name}", service.owner, None, line
            )
        return
    yield from _review(
        desk,
        signed.ref,
        f"the impact of {service.name}",
        service.owner,
        signed.review_on,
        f"continuity impact {service.key}",
    )
    word = Criticality(signed.criticality)
    plans = known.plans.get(service.key, [])
    if word in rules_of(desk).plan_for and not plans:
        line = f"continuity write service:{service.key}"
        yield Owed(
            "plan",
            service.key,
            f"Write a plan for {service.name}, which is {word}",
            service.owner,
            None,
            line,
        )
    by = drill_by(desk, service.key, known)
    if by is not None and plans and by <= today_of(desk) + SOON:
        line = f"drill schedule {plans[0].ref}"
        yield Owed("drill", service.key, f"Drill {service.name}, which is {word}", plans[0].owner, by, line)


def _review(desk: Desk, ref: str, what: str, owner: str, review_on: str | None, line: str) -> Iterator[Owed]:
    by = date.fromisoformat(review_on) if review_on else None
    if by is not None and by <= today_of(desk) + SOON:
        yield Owed("review", ref, f"Look at {what} again", owner, by, line)


def drill_by(desk: Desk, service: str, known: Picture) -> date | None:
    """The day by which a service must be drilled next, by its criticality; None where nobody asks for it."""
    signed = known.signed.get(service)
    if signed is None or signed.signed_at is None:
        return None
    every = rules_of(desk).drill_every.get(Criticality(signed.criticality))
    if every is None:
        return None
    last = known.drilled.get(service)
    since = last[0].ended_at if last and last[0].ended_at else signed.signed_at
    zone = ZoneInfo(desk.policy.organisation.zone)
    return (utc(since) + timedelta(seconds=every)).astimezone(zone).date()


def next_drill(desk: Desk, service: str) -> dict[str, str | None]:
    """By when a service must be drilled next, as the clock of its impact analysis is told."""
    by = drill_by(desk, service, picture(desk))
    return {"drill_by": over(desk, by) if by else None}


def _plans(desk: Desk, known: Picture) -> Iterator[Owed]:
    plans = {plan.number: plan for each in known.plans.values() for plan in each}
    for number in sorted(plans):
        plan = plans[number]
        if plan.state == PlanState.DRAFT:
            line = f"continuity approve {plan.ref}"
            yield Owed("signature", plan.ref, f"Sign the plan “{plan.name}”", plan.owner, None, line)
        else:
            line = f"continuity plan {plan.ref}"
            yield from _review(desk, plan.ref, f"the plan “{plan.name}”", plan.owner, plan.review_on, line)


def _unheld(desk: Desk) -> Iterator[Owed]:
    for drill in desk.records.continuity.unheld(desk.now):
        what = f"Hold {drill.ref} “{drill.title}”, move it, or cancel it"
        by = utc(drill.ends_at).astimezone(ZoneInfo(desk.policy.organisation.zone)).date()
        yield Owed("drill", drill.ref, what, drill.lead, by, f"drill move {drill.ref}", chased=True)


def _readiness(desk: Desk) -> Iterator[Owed]:
    zone = ZoneInfo(desk.policy.organisation.zone)
    for key, readiness in desk.policy.readiness.items():
        found = looks(desk, key)
        for item in readiness.items:
            look = found.get(item.key)
            why = gap_of(item, look, desk.now)
            by = look_again_by(item, look).astimezone(zone).date() if look else None
            if why is not None or (by is not None and by <= today_of(desk) + SOON):
                name = desk.policy.services[key].name
                what = f"{name}: {item.title}{f' ({why})' if why else ''}"
                line = f"service check {key} {item.key}"
                yield Owed(
                    "ready", f"{key}/{item.key}", what, item.owner, by if look and look.ready else None, line
                )


def _promises(desk: Desk) -> Iterator[Owed]:
    for each in broken_by(desk):
        service = desk.policy.services[each.path[0]]
        line = f"continuity impact {service.key}"
        yield Owed(
            "promise",
            f"{service.key}/{each.path[-1]}/{each.what}",
            broken_words(desk, each),
            service.owner,
            None,
            line,
        )


def _findings(desk: Desk) -> Iterator[Owed]:
    for action in desk.records.continuity.open_findings():
        yield Owed(
            "finding",
            action.ref,
            f"{action.what} ({action.subject})",
            action.owner,
            date.fromisoformat(action.due),
            f"action done {action.ref}",
            chased=True,
        )
