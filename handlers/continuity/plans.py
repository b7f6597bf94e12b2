"""Looking at plans: one at a glance, one in full, a list of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from config.policy import Plan, PlanContact
from handlers.continuity.shared import PLAN, PlanRef, find_plan, owner_words, said, service_name, today_of
from handlers.declare import Standing, command, subject, suggestions
from handlers.desk import Desk
from handlers.listing import PAGE, listing, skipped
from handlers.messages import Button, Option, Reply, Style, Table, Tone, Words, counted, facts
from handlers.parsing import Choice, Text, WholeNumber
from handlers.rules.moments import show_duration
from handlers.rules.run_sheet import length, planned
from handlers.rules.workflow import PlanState
from handlers.tickets import require_works
from handlers.timeline import timeline
from storage.models.continuity import ContinuityPlan


@dataclass(frozen=True)
class Plans:
    """For example: continuity plans all mail"""

    scope: Annotated[str, Choice(("all", "mine", "unsigned")), "Which plans"] = "all"
    about: Annotated[Text | None, "Words to look for"] = None
    page: Annotated[int, WholeNumber(1, 10_000)] = 1


@dataclass(frozen=True)
class ShowPlan:
    """For example: continuity plan PLN-1"""

    plan: PlanRef


def sign_button(plan: ContinuityPlan) -> Button:
    """Signs the newest version."""
    return Button(label="Sign", line=f"continuity approve {plan.ref}", style=Style.PRIMARY)


def _state(plan: ContinuityPlan) -> str:
    if plan.state == PlanState.DRAFT:
        return f"version {plan.edition} not signed yet" + (", an earlier one is" if plan.signed else "")
    return f"version {plan.edition} {plan.state}"


def card(desk: Desk, plan: ContinuityPlan) -> Reply:
    """A plan at a glance."""
    says = said(desk, plan)
    late = bool(plan.review_on) and str(plan.review_on) < today_of(desk).isoformat()
    return Reply(
        title=f"{plan.ref} · {plan.name}",
        tone=Tone.GOOD if plan.state == PlanState.SIGNED else Tone.WAITING,
        facts=facts(
            ("State", _state(plan)),
            ("Owner", desk.who(plan.owner)),
            ("Recovers", ", ".join(service_name(desk, key) for key in says.recovers)),
            ("Takes, as planned", show_duration(length(says.steps)) if says.steps else "no steps yet"),
            ("Signed by", desk.who(plan.signed_by)),
            ("Signed", desk.at(plan.signed_at)),
            ("Review by", f"{plan.review_on}{' (overdue)' if late else ''}" if plan.review_on else None),
            ("Invoked when", says.triggers),
            ("Needs", ", ".join(says.resources)),
            ("Call", "; ".join(_reach(each) for each in says.contacts)),
        ),
        buttons=tuple(_buttons(plan)),
        subject=plan.ref,
        version=plan.version,
        as_of=desk.now,
    )


def _reach(contact: PlanContact) -> str:
    return f"{contact.name} ({contact.reach}{f', {contact.part}' if contact.part else ''})"


def _buttons(plan: ContinuityPlan) -> Iterator[Button]:
    if plan.state == PlanState.WITHDRAWN:
        return
    if plan.state == PlanState.DRAFT:
        yield sign_button(plan)
    yield Button(label="Schedule a drill", line=f"drill schedule {plan.ref}")
    yield Button(label="Invoke", line=f"continuity invoke {plan.ref}", style=Style.DANGER)
    if not plan.in_file:
        yield Button(label="Add a step", line=f"continuity step {plan.ref}")
        yield Button(label="Edit", line=f"continuity edit {plan.ref}")


def answer(desk: Desk, plan: ContinuityPlan, title: str, text: str = "") -> Reply:
    """A plan at a glance, after something was done to it."""
    return card(desk, plan).model_copy(
        update={"title": title, "text": (text,) if text else (), "tone": Tone.GOOD}
    )


def steps_table(desk: Desk, says: Plan) -> Table:
    """The steps of a plan, in their order."""
    when = planned(says.steps)
    rows: list[tuple[Words, ...]] = [
        (
            (step.key,),
            (step.title,),
            owner_words(desk, step.owner),
            (step.lane,),
            (", ".join(step.after) or "—",),
            (f"+{show_duration(when[step.key][0])} for {show_duration(timedelta(seconds=step.lasts))}",),
            (step.proof or "—",),
        )
        for step in says.steps
    ]
    return Table(
        columns=("Step", "What", "Who", "Lane", "After", "When", "Proof"),
        rows=tuple(rows),
        empty="No steps yet.",
    )


@subject(PLAN)
def look(ref: str, desk: Desk) -> Standing:
    """How a plan stands now."""
    plan = find_plan(desk, ref)
    room = desk.policy.continuity.room if desk.policy.continuity else desk.policy.organisation.owner_room
    return Standing(plan.ref, plan.state, plan.version, lambda: card(desk, plan), room)


@suggestions(PLAN)
def suggest(desk: Desk) -> Sequence[Option]:
    """The plans that are not withdrawn."""
    found, _ = desk.records.continuity.plans(states=(PlanState.DRAFT, PlanState.SIGNED), at_most=25)
    return [Option(label=f"{each.ref} {each.name}"[:100], value=each.ref) for each in found]


@command("continuity plan", params=ShowPlan, shows=True)
def show_plan(asked: ShowPlan, desk: Desk) -> Reply:
    """See a plan in full: the scenario, the steps, whom to call, what is needed, what happened to it."""
    plan = find_plan(desk, asked.plan)
    says = said(desk, plan)
    criteria = Table(
        columns=("Service", "Recovered when"),
        rows=tuple(((service_name(desk, key),), (text,)) for key, text in says.recovers.items()),
    )
    return card(desk, plan).model_copy(
        update={
            "more": (
                Reply(title="What has happened", text=(says.scenario,)),
                Reply(title="How one sees that it is recovered", table=criteria),
                Reply(title=counted(len(says.steps), "step"), table=steps_table(desk, says)),
                timeline(desk, plan.ref, ("because",)),
            )
        }
    )


@command("continuity plans", params=Plans)
def list_plans(asked: Plans, desk: Desk) -> Reply:
    """See the continuity plans: all of them, yours, or those that nobody has signed yet."""
    require_works(desk, "Plans are seen")
    found, total = desk.records.continuity.plans(
        states=(PlanState.DRAFT,) if asked.scope == "unsigned" else (PlanState.DRAFT, PlanState.SIGNED),
        owner=desk.asker.key if asked.scope == "mine" else None,
        text=asked.about,
        skip=skipped(asked.page),
        at_most=PAGE,
    )
    whose = {"all": "plans", "mine": "your plans", "unsigned": "unsigned plans"}[asked.scope]
    return listing(
        asked,
        "continuity plans",
        whose,
        ("Plan", "Against what", "Recovers", "Owner", "State", "Review by"),
        tuple(_row(desk, each) for each in found),
        total,
        "There are no plans yet: continuity write",
    )


def _row(desk: Desk, plan: ContinuityPlan) -> tuple[Words, ...]:
    services = ", ".join(service_name(desk, key) for key in said(desk, plan).recovers)
    return (
        (plan.ref,),
        (plan.name,),
        (services,),
        (desk.directory.who_is(plan.owner),),
        (_state(plan),),
        (plan.review_on or "—",),
    )
