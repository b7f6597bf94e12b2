"""Looking at plans: one at a glance, one in full, a list of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from config.policy import PlanContact
from handlers.continuity.owed import SOON
from handlers.continuity.plan_sheet import PlanSheet, sheet_of, state_words
from handlers.continuity.shared import PLAN, PlanRef, find_plan, said, service_name, today_of
from handlers.declare import Standing, command, subject, suggestions
from handlers.desk import Desk
from handlers.listing import PAGE, listing, skipped
from handlers.messages import Button, Fact, Option, Reply, Style, Table, Tone, Words, counted, facts
from handlers.parsing import Choice, Manner, Text, WholeNumber
from handlers.rules.moments import show_duration
from handlers.rules.run_sheet import length
from handlers.rules.workflow import PlanState
from handlers.telling import show_button
from handlers.tickets import require_works
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
    version: Annotated[int | None, WholeNumber(1, 100_000), Manner.BY_NAME, "An earlier version"] = None


def sign_button(plan: ContinuityPlan) -> Button:
    """Signs the newest version."""
    return Button(label="Sign", line=f"continuity approve {plan.ref}", style=Style.PRIMARY)


def is_to_review(desk: Desk, plan: ContinuityPlan) -> bool:
    """Whether a signed plan is to be looked at again by now or soon: its owner may then say that it still holds."""
    by = date.fromisoformat(plan.review_on) if plan.review_on else None
    return plan.state == PlanState.SIGNED and by is not None and by <= today_of(desk) + SOON


def card(desk: Desk, plan: ContinuityPlan) -> Reply:
    """A plan at a glance."""
    says = said(desk, plan)
    late = bool(plan.review_on) and str(plan.review_on) < today_of(desk).isoformat()
    return Reply(
        title=f"{plan.ref} · {plan.name}",
        tone=Tone.GOOD if plan.state == PlanState.SIGNED else Tone.WAITING,
        facts=facts(
            ("State", state_words(plan)),
            ("Owner", desk.who(plan.owner)),
            ("Recovers", ", ".join(service_name(desk, key) for key in says.recovers)),
            ("Takes, as planned", show_duration(length(says.steps)) if says.steps else "no steps yet"),
            ("Signed by", desk.who(plan.signed_by)),
            ("Signed", desk.at(plan.signed_at)),
            (
                "Review by",
                _review(date.fromisoformat(plan.review_on), overdue=late) if plan.review_on else None,
            ),
            ("Invoked when", says.triggers),
            ("Needs", ", ".join(says.resources)),
            ("Call", "; ".join(_reach(each) for each in says.contacts)),
        ),
        buttons=tuple(_buttons(desk, plan)),
        subject=plan.ref,
        version=plan.version,
        as_of=desk.now,
    )


def _review(day: date | None, *, overdue: bool) -> str | None:
    return f"{day.isoformat()}{' (overdue)' if overdue else ''}" if day else None


def span_words(span: timedelta | None) -> str:
    """How long something may take; a dash where nobody has signed it."""
    return show_duration(span) if span else "—"


def _reach(contact: PlanContact) -> str:
    return f"{contact.name} ({contact.reach}{f', {contact.part}' if contact.part else ''})"


def _buttons(desk: Desk, plan: ContinuityPlan) -> Iterator[Button]:
    if plan.state == PlanState.WITHDRAWN:
        return
    if plan.state == PlanState.DRAFT:
        yield sign_button(plan)
    if is_to_review(desk, plan):
        yield sign_button(plan).model_copy(update={"label": "It still holds"})
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
    sheet = sheet_of(desk, plan, asked.version)
    return Reply(
        title=f"{sheet.ref} · {sheet.name}",
        text=() if sheet.is_newest else (f"This is version {sheet.edition.number}; {sheet.state}.",),
        tone=Tone.GOOD if sheet.is_signed else Tone.WAITING,
        facts=sheet_facts(desk, sheet),
        buttons=(
            *(_buttons(desk, plan) if sheet.is_newest else [show_button(plan.ref)]),
            *(
                [Button(label="As a page, to print", line=f"desk web {plan.ref}")]
                if desk.feed("enter/")
                else []
            ),
            *_others(sheet),
        ),
        subject=plan.ref,
        version=plan.version,
        as_of=desk.now,
        more=tuple(_sections(sheet)),
    )


def _others(sheet: PlanSheet) -> Iterator[Button]:
    """Leads to the version before the one that is shown."""
    older = [each for each in sheet.editions if each.number < sheet.edition.number]
    if older:
        number = older[0].number
        yield Button(label=f"Version {number}", line=f"continuity plan {sheet.ref} version:{number}")


def sheet_facts(desk: Desk, sheet: PlanSheet) -> tuple[Fact, ...]:
    """What a plan says of itself at its head."""
    return facts(
        ("State", sheet.state),
        ("Owner", sheet.owner),
        ("Takes, as planned", show_duration(sheet.lasts) if sheet.steps else "no steps yet"),
        ("Signed by", sheet.edition.signed_by or "nobody yet"),
        ("Signed", desk.at(sheet.edition.signed_at)),
        ("Review by", _review(sheet.review_on, overdue=sheet.overdue)),
        ("Invoked when", sheet.triggers),
    )


def _sections(sheet: PlanSheet) -> Iterator[Reply]:
    yield Reply(title="The scenario", text=(sheet.scenario,))
    yield _section(
        "Recovered when, and how soon",
        ("Service", "Recovered when", "RTO", "RPO", "Signed in"),
        [
            (
                each.name,
                each.criterion,
                span_words(each.rto),
                span_words(each.rpo),
                each.analysis or "nobody has signed",
            )
            for each in sheet.services
        ],
    )
    yield Reply(
        title=counted(len(sheet.steps), "step"),
        table=Table(
            columns=("Step", "What", "Who", "Lane", "After", "When", "Proof"),
            rows=tuple(
                (
                    (each.key,),
                    (each.title,),
                    each.owners,
                    (each.lane,),
                    (", ".join(each.after) or "—",),
                    (f"{each.when} for {show_duration(each.lasts)}",),
                    (each.proof or "—",),
                )
                for each in sheet.steps
            ),
            empty="No steps yet.",
        ),
    )
    if sheet.contacts:
        yield _section(
            "Whom to call",
            ("Who", "How", "What for"),
            [(each.name, each.reach, each.part or "—") for each in sheet.contacts],
        )
    if sheet.resources:
        rows = [(f"{number}", each) for number, each in enumerate(sheet.resources, 1)]
        yield _section("What is needed, what is missed first in front", ("No.", "What"), rows)
    if sheet.injects:
        yield Reply(
            title="What a drill brings in between, for those who lead it",
            table=Table(
                columns=("After", "What", "To"),
                rows=tuple(
                    ((show_duration(each.after),), (each.says,), each.to or ("everybody",))
                    for each in sheet.injects
                ),
            ),
        )
    yield sheet.happened


def _section(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Reply:
    return Reply(
        title=title, table=Table(columns=columns, rows=tuple(tuple((cell,) for cell in row) for row in rows))
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
        (state_words(plan),),
        (plan.review_on or "—",),
    )
