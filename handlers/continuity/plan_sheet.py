"""The sheet of a plan: everything that a page, a PDF and a chat show of one version, as one value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from config.policy import Plan, PlanContact, Role
from handlers.continuity.shared import owner_words, said, service_name, signs_for, today_of
from handlers.desk import Desk
from handlers.errors import NotFound
from handlers.messages import Bar, Gantt, Reply, Who, Words, counted
from handlers.rules.moments import show_duration
from handlers.rules.run_sheet import length, planned
from handlers.rules.workflow import PlanState
from handlers.timeline import timeline
from storage.models.continuity import ContinuityPlan

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Edition:
    """A version of a plan: since when it is written, and who has signed it when (UTC); nobody yet: None."""

    number: int
    content: str
    since: datetime
    signed_by: Who | None = None
    signed_at: datetime | None = None


@dataclass(frozen=True)
class ServiceAim:
    """A service that the plan recovers: how one sees it, and what its owner has signed in `analysis` (a reference)."""

    key: str
    name: str
    criterion: str
    rto: timedelta | None
    rpo: timedelta | None
    analysis: str | None


@dataclass(frozen=True)
class StepAhead:
    """A step as it is planned; `begins` counts from the start of the whole, in elapsed time."""

    key: str
    title: str
    lane: str
    owners: Words
    after: tuple[str, ...]
    begins: timedelta
    lasts: timedelta
    proof: str

    @property
    def when(self) -> str:
        """When it begins, in words."""
        return f"+{show_duration(self.begins)}" if self.begins else "at once"


@dataclass(frozen=True)
class InjectAhead:
    """What participants of a drill will be confronted with, so long after its start; nobody named: everybody."""

    after: timedelta
    says: str
    to: Words


@dataclass(frozen=True)
class PlanSheet:
    """One version of a plan, as somebody may see it: `injects` are None for those who do not lead its drills.

    `state` is how the plan stands today, in words; `is_newest` whether this version is the one that it stands by.
    `services` carry the targets that are signed today. `steps` stand in the order in which they begin. `editions` are
    all versions, newest first; `happened` is the newest of the evidence.
    """

    ref: str
    name: str
    state: str
    edition: Edition
    is_newest: bool
    editions: tuple[Edition, ...]
    owner: Who
    review_on: date | None
    overdue: bool
    scenario: str
    triggers: str
    services: tuple[ServiceAim, ...]
    steps: tuple[StepAhead, ...]
    lasts: timedelta
    contacts: tuple[PlanContact, ...]
    resources: tuple[str, ...]
    injects: tuple[InjectAhead, ...] | None
    happened: Reply
    as_of: datetime

    @property
    def is_signed(self) -> bool:
        """Whether somebody stands behind this version."""
        return self.edition.signed_at is not None

    @property
    def lanes(self) -> Mapping[str, Sequence[StepAhead]]:
        """The steps by lane, in the order in which the lanes begin."""
        found: dict[str, list[StepAhead]] = {}
        for each in self.steps:
            found.setdefault(each.lane, []).append(each)
        return found

    @property
    def gantt(self) -> Gantt | None:
        """The lanes as planned, counted from the start; None without steps."""
        if not self.steps:
            return None
        return Gantt(
            title=f"{self.ref}: planned, from the start on",
            bars=tuple(
                Bar(
                    lane=lane,
                    label=each.key,
                    planned=(_BEGINNING + each.begins, _BEGINNING + each.begins + each.lasts),
                )
                for lane, steps in self.lanes.items()
                for each in steps
            ),
            from_start=True,
        )


def state_words(plan: ContinuityPlan) -> str:
    """How a plan stands, with the number of its newest version."""
    if plan.state == PlanState.DRAFT:
        return f"version {plan.edition} not signed yet" + (", an earlier one is" if plan.signed else "")
    return f"version {plan.edition} {plan.state}"


def sheet_of(desk: Desk, plan: ContinuityPlan, version: int | None = None) -> PlanSheet:
    """The sheet of a plan in its newest version, or in another one. Raises NotFound for one that there never was."""
    editions = {each.number: each for each in _editions(desk, plan)}
    edition = editions.get(plan.edition if version is None else version)
    if edition is None:
        known = f"It has {counted(len(editions), 'version')}: {', '.join(map(str, sorted(editions)))}."
        raise NotFound(f"{plan.ref} has no version {version}.", known)
    says = said(desk, plan, edition.content)
    today = today_of(desk)
    review_on = date.fromisoformat(plan.review_on) if plan.review_on else None
    return PlanSheet(
        ref=plan.ref,
        name=says.name,
        state=state_words(plan),
        edition=edition,
        is_newest=edition.number == plan.edition,
        editions=tuple(sorted(editions.values(), key=lambda each: -each.number)),
        owner=desk.directory.who_is(says.owner),
        review_on=review_on,
        overdue=review_on is not None and review_on < today,
        scenario=says.scenario,
        triggers=says.triggers,
        services=tuple(_services(desk, says)),
        steps=tuple(_steps(desk, says)),
        lasts=length(says.steps),
        contacts=says.contacts,
        resources=says.resources,
        injects=tuple(_injects(desk, says)) if _leads(desk, plan) else None,
        happened=timeline(desk, plan.ref, ("because",)),
        as_of=desk.now,
    )


def _leads(desk: Desk, plan: ContinuityPlan) -> bool:
    """Whether the asker may know what participants are to be surprised by."""
    return signs_for(desk, plan.owner) or Role.MANAGER in desk.asker.roles


def _editions(desk: Desk, plan: ContinuityPlan) -> Iterator[Edition]:
    """All versions, as the evidence tells them; the newest as the plan itself does."""
    written: dict[int, tuple[str, datetime]] = {}
    signed: dict[str, tuple[str, datetime]] = {}
    for each in desk.records.ledger.trail(plan.ref):
        told = each.after or {}
        if "edition" in told:
            written.setdefault(int(told["edition"]), (str(told["plan"]), each.at))
        if each.action == "continuity_plan.approved":
            signed[str(told["plan"])] = each.actor, each.at
    written.setdefault(plan.edition, (plan.content, plan.changed_at))
    if plan.signed and plan.signed_by and plan.signed_at:
        signed[plan.signed] = plan.signed_by, plan.signed_at
    for number, (content, since) in written.items():
        by, at = signed.get(content, (None, None))
        yield Edition(number, content, since, desk.who(by), at)


def _services(desk: Desk, says: Plan) -> Iterator[ServiceAim]:
    signed = desk.records.continuity.signed_analyses()
    for key, criterion in says.recovers.items():
        found = signed.get(key)
        yield ServiceAim(
            key=key,
            name=service_name(desk, key),
            criterion=criterion,
            rto=timedelta(seconds=found.rto) if found else None,
            rpo=timedelta(seconds=found.rpo) if found and found.rpo is not None else None,
            analysis=found.ref if found else None,
        )


def _steps(desk: Desk, says: Plan) -> Iterator[StepAhead]:
    when = planned(says.steps)
    for step in sorted(says.steps, key=lambda each: when[each.key][0]):
        yield StepAhead(
            key=step.key,
            title=step.title,
            lane=step.lane,
            owners=owner_words(desk, step.owner),
            after=tuple(dict.fromkeys(step.after)),
            begins=when[step.key][0],
            lasts=timedelta(seconds=step.lasts),
            proof=step.proof,
        )


def _injects(desk: Desk, says: Plan) -> Iterator[InjectAhead]:
    for each in sorted(says.injects, key=lambda inject: inject.after):
        yield InjectAhead(timedelta(seconds=each.after), each.says, owner_words(desk, each.to))
