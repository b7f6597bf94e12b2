"""Plans written in chat: begun, changed, step by step, withdrawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from config.plans import step_faults
from config.policy import Plan, PlanContact, PlanStep, Role
from handlers.access import who_may
from handlers.continuity.editions import new, published, rewritten, told_of
from handlers.continuity.plans import answer
from handlers.continuity.shared import PlanRef, clocks_to_read, find_plan, record, rules_of, said
from handlers.declare import Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed, NotFound, WrongState
from handlers.parsing import Duration, Free, Line, Manner, PersonRef, ServiceKey, Text, Word
from handlers.rules.workflow import PlanState, require_move
from handlers.tickets import require_works
from storage.models.continuity import ContinuityPlan

_SHORT = Free(at_most=300, takes_rest=False)


@dataclass(frozen=True)
class Write:
    """For example: continuity write network gone service:network recovered:“a ping” scenario:“the room burns”"""

    name: Annotated[Line, "What the plan is called: what has happened"]
    service: Annotated[ServiceKey, Manner.BY_NAME, "The service that it recovers"]
    recovered: Annotated[str, _SHORT, Manner.BY_NAME, "How one sees that the service is recovered"]
    scenario: Annotated[Text, Manner.BY_NAME, "What has happened, and what still stands"]
    triggers: Annotated[Text | None, Manner.BY_NAME, "When the plan is invoked"] = None
    owner: Annotated[PersonRef | None, Manner.BY_NAME, "Who signs it; you, when left out"] = None


@dataclass(frozen=True)
class Edit:
    """For example: continuity edit PLN-2 resources:“a spare switch, the map of cables”"""

    plan: PlanRef
    service: Annotated[ServiceKey | None, Manner.BY_NAME, "One more service that it recovers"] = None
    recovered: Annotated[
        str | None, _SHORT, Manner.BY_NAME, "How one sees that this service is recovered"
    ] = None
    scenario: Annotated[Text | None, Manner.BY_NAME, "What has happened"] = None
    triggers: Annotated[Text | None, Manner.BY_NAME, "When the plan is invoked"] = None
    resources: Annotated[Text | None, Manner.BY_NAME, "What is needed, with commas between"] = None
    contact: Annotated[
        str | None, _SHORT, Manner.BY_NAME, "Whom to call: name, how, what for; a name alone is taken out"
    ] = None
    owner: Annotated[PersonRef | None, Manner.BY_NAME, "Who signs it"] = None


@dataclass(frozen=True)
class AddStep:
    """For example: continuity step PLN-2 swap put the spare switch in owner:@platform after:decide lasts:30m"""

    plan: PlanRef
    key: Annotated[Word, "A short name of the step, as swap"]
    title: Annotated[str, Free(at_most=150), "What is done"]
    owner: Annotated[str, _SHORT, Manner.BY_NAME, "Who does it: @oncall, @platform, role:…, rota:…"]
    lane: Annotated[
        str | None, Free(at_most=40, takes_rest=False), Manner.BY_NAME, "With which steps it is shown"
    ] = None
    after: Annotated[str | None, _SHORT, Manner.BY_NAME, "The steps that come before, with commas"] = None
    lasts: Annotated[Duration | None, Manner.BY_NAME, "How long it should take"] = None
    proof: Annotated[
        str | None, Free(at_most=150, takes_rest=False), Manner.BY_NAME, "What must be shown"
    ] = None


@dataclass(frozen=True)
class DropStep:
    """For example: continuity drop PLN-2 swap"""

    plan: PlanRef
    key: Annotated[Word, "The step that is not needed"]


@dataclass(frozen=True)
class Withdraw:
    """For example: continuity withdraw PLN-2 the room is gone"""

    plan: PlanRef
    because: Annotated[Text, "Why it is not needed any more"]


@command("continuity write", params=Write, evidences=("SCON SP 2.1", "RSKM SP 3.1"))
def write(asked: Write, desk: Desk) -> Outcome:
    """Begin a plan in chat: against what, for which service, and how one sees that it is recovered."""
    rules_of(desk)
    require_works(desk, "Plans are written")
    says = Plan(
        key="new",
        name=asked.name[:150],
        owner=asked.owner or desk.asker.key,
        recovers={asked.service: asked.recovered},
        scenario=asked.scenario,
        steps=(),
        triggers=asked.triggers or "",
    )
    plan = new(desk, says, in_file=False)
    return Outcome(
        reply=lambda: answer(desk, plan, f"{plan.ref} is begun: {plan.name}", "Add its steps now."),
        changes=published(plan, says),
    )


@command("continuity edit", params=Edit, evidences=("SCON SP 2.1",))
def edit(asked: Edit, desk: Desk) -> Outcome:
    """Change what a plan of the chat says; its owner signs the new version."""
    plan, says = _to_edit(desk, asked.plan)
    if asked.service and not (asked.recovered or asked.service in says.recovers):
        raise desk.ask({"recovered": "How does one see that this service is recovered?"})
    service = asked.service or (next(iter(says.recovers)) if asked.recovered else None)
    now = replace(
        says,
        recovers={**says.recovers, **({service: asked.recovered} if service and asked.recovered else {})},
        scenario=asked.scenario or says.scenario,
        triggers=asked.triggers or says.triggers,
        resources=_items(asked.resources) or says.resources,
        contacts=_contacts(says.contacts, asked.contact),
        owner=asked.owner or says.owner,
    )
    return _edited(desk, plan, now, "edited")


def _items(text: str | None) -> tuple[str, ...]:
    return tuple(each.strip()[:150] for each in (text or "").split(",") if each.strip())


def _contacts(before: tuple[PlanContact, ...], text: str | None) -> tuple[PlanContact, ...]:
    """Whom to call from now on: one more, another way to reach somebody, or a name alone that is taken out."""
    name, _, rest = (text or "").partition(",")
    reach, _, part = rest.partition(",")
    said = PlanContact(name=name.strip()[:150], reach=reach.strip()[:150] or "—", part=part.strip()[:150])
    if not said.name:
        return before
    others = tuple(each for each in before if each.name.lower() != said.name.lower())
    return others if len(others) < len(before) and not rest.strip() else (*others, said)


@command("continuity step", params=AddStep, evidences=("SCON SP 2.1",))
def add_step(asked: AddStep, desk: Desk) -> Outcome:
    """Add a step to a plan, or write one anew: what, by whom, after what, how long, what shows it."""
    plan, says = _to_edit(desk, asked.plan)
    key = asked.key.lower()
    before = next((each for each in says.steps if each.key == key), None)
    step = PlanStep(
        key=key,
        title=asked.title,
        owner=_owners(desk, asked.owner),
        lane=asked.lane or (before.lane if before else "Recovery"),
        after=tuple(each.lower() for each in _items(asked.after))
        if asked.after
        else before.after
        if before
        else (),
        lasts=int(asked.lasts.total_seconds()) if asked.lasts else before.lasts if before else 900,
        proof=asked.proof or (before.proof if before else ""),
    )
    if not 60 <= step.lasts <= 7 * 86400:
        raise desk.ask({"lasts": "A step takes from a minute to a week."})
    if len(key) > 48 or not key.replace("-", "").isalnum() or not key.isascii():
        raise desk.ask({"key": "Use letters, digits and hyphens, as swap-switch."})
    steps = tuple(step if each.key == key else each for each in says.steps) if before else (*says.steps, step)
    for fault in step_faults(steps):
        raise desk.ask({fault.field: f"Step {steps[fault.index].key} {fault.message}."})
    return _edited(desk, plan, replace(says, steps=steps), "step", step=key)


def _owners(desk: Desk, text: str) -> tuple[str, ...]:
    """The owners of a step as a plan keeps them. Asks anew for somebody whom nobody knows."""
    found: list[str] = []
    for word in text.replace(" and ", ",").split(","):
        name = word.strip()
        if not name:
            continue
        bare = name.removeprefix("@")
        if (name.startswith("rota:") and name[5:] in desk.policy.rotas) or (
            name.startswith("role:") and name[5:] in list(Role)
        ):
            found.append(name)
        elif bare in desk.policy.teams:
            found.append(f"@{bare}")
        elif person := desk.directory.find(bare):
            found.append(person)
        else:
            raise desk.ask(
                {"owner": f"I do not know {name[:60]}. Write @person, @team, role:responder or rota:KEY."}
            )
    if not found:
        raise desk.ask({"owner": "Who does it?"})
    return tuple(dict.fromkeys(found))


@command("continuity drop", params=DropStep, evidences=("SCON SP 2.1",))
def drop_step(asked: DropStep, desk: Desk) -> Outcome:
    """Take a step out of a plan; what waited for it waits for what it waited for."""
    plan, says = _to_edit(desk, asked.plan)
    gone = next((each for each in says.steps if each.key == asked.key.lower()), None)
    if gone is None:
        raise NotFound(
            f"{plan.ref} has no step {asked.key}.", f"It has {', '.join(s.key for s in says.steps)}."
        )
    steps = tuple(
        replace(
            each,
            after=tuple(
                dict.fromkeys(
                    name for key in each.after for name in (gone.after if key == gone.key else (key,))
                )
            ),
        )
        for each in says.steps
        if each.key != gone.key
    )
    return _edited(desk, plan, replace(says, steps=steps), "step-dropped", step=gone.key)


@command("continuity withdraw", params=Withdraw, evidences=("SCON SP 2.1",))
def withdraw(asked: Withdraw, desk: Desk) -> Outcome:
    """Withdraw a plan that nobody needs any more; what was drilled by it stays."""
    plan = find_plan(desk, asked.plan, for_change=True)
    _require_may_edit(desk, plan, "withdraw")
    require_move(plan.ref, plan.state, "withdraw")
    before = {"state": plan.state}
    plan.state = str(PlanState.WITHDRAWN)
    plan.version += 1
    desk.records.continuity.save()
    withdrawn = record(plan, "continuity_plan.withdrawn", before, None, {"because": asked.because})
    return Outcome(
        reply=lambda: answer(desk, plan, f"{plan.ref} is withdrawn"),
        changes=[withdrawn],
        follow=clocks_to_read(plan) if plan.signed else (),
    )


def _to_edit(desk: Desk, ref: str) -> tuple[ContinuityPlan, Plan]:
    plan = find_plan(desk, ref, for_change=True)
    _require_may_edit(desk, plan, "edit")
    require_move(ref, plan.state, "edit")
    if plan.in_file:
        raise WrongState(
            f"{ref} is written in plans.yaml.",
            "Change it there; the desk takes up the new version.",
            subject=ref,
        )
    return plan, said(desk, plan)


def _require_may_edit(desk: Desk, plan: ContinuityPlan, verb: str) -> None:
    asker = desk.asker
    if asker.key in (plan.owner, plan.author) or Role.MANAGER in asker.roles:
        return
    names = dict.fromkeys([desk.directory.name(plan.owner), who_may(Role.MANAGER, desk.policy)])
    raise NotAllowed(f"You cannot {verb} {plan.ref}.", f"{' or '.join(names)} can; ask them.")


def _edited(desk: Desk, plan: ContinuityPlan, says: Plan, what: str, **more: object) -> Outcome:
    if not rewritten(desk, plan, says):
        raise WrongState(f"That is what {plan.ref} says already.", subject=plan.ref)
    told = {**told_of(plan, says), "what": what, **more}
    text = "Its owner signs the new version." if plan.signed else ""
    return Outcome(
        reply=lambda: answer(desk, plan, f"{plan.ref} is written anew, version {plan.edition}", text),
        changes=[record(plan, "continuity_plan.rewritten", None, told)],
    )
