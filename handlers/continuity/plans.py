"""Plans: taken up from files, built in chat, in versions that their owners sign."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated

from config.plans import step_faults
from config.policy import Plan, PlanContact, PlanStep, Role
from handlers.access import who_may
from handlers.continuity.impact import broken_by, broken_words, open_analyses
from handlers.continuity.impact import card as analysis_card
from handlers.continuity.shared import (
    PLAN,
    PlanRef,
    find_analysis,
    find_plan,
    keep,
    members,
    owner_words,
    record,
    review_day,
    rules_of,
    said,
    service_name,
    signs_for,
    today_of,
)
from handlers.declare import Change as Record
from handlers.declare import Outcome, Standing, command, decisions, subject, suggestions
from handlers.desk import Desk
from handlers.errors import BadValue, NotAllowed, NotFound, WrongState
from handlers.listing import PAGE, listing, skipped
from handlers.messages import Button, Notice, Option, Reply, Style, Table, Tone, Words, counted, facts
from handlers.parsing import (
    AnyRef,
    Choice,
    Duration,
    Free,
    Line,
    Manner,
    PersonRef,
    ServiceKey,
    Text,
    WholeNumber,
    Word,
)
from handlers.rules.moments import show_duration
from handlers.rules.run_sheet import length, planned
from handlers.rules.workflow import AnalysisState, PlanState, require_move
from handlers.telling import tell
from handlers.tickets import require_works
from handlers.timeline import timeline
from storage.models.continuity import ContinuityPlan, ImpactAnalysis

_SHORT = Free(at_most=300, takes_rest=False)


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
    contact: Annotated[str | None, _SHORT, Manner.BY_NAME, "Whom to call: name, how, what for"] = None
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
class Approve:
    """For example: continuity approve PLN-1"""

    what: Annotated[AnyRef, "A plan or an impact analysis"]
    because: Annotated[Text | None, "If you want to say why"] = None


@dataclass(frozen=True)
class Withdraw:
    """For example: continuity withdraw PLN-2 the room is gone"""

    plan: PlanRef
    because: Annotated[Text, "Why it is not needed any more"]


@dataclass(frozen=True)
class TakeUp:
    """For example: continuity take-up"""


# Taken up from files ------------------------------------------------------------------------------


@command(
    "continuity take-up", params=TakeUp, evidences=("SCON SP 2.1", "RSKM SP 3.1"), desk_only=True, tends=True
)
def take_up(asked: TakeUp, desk: Desk) -> Outcome:
    """Take up the plans that the organisation's files say; another text is another version."""
    if desk.policy.continuity is None:
        return Outcome(reply=Reply(title="There are no rules of continuity."))
    records: list[Record] = []
    notices: list[Notice] = []
    for gone in _gone(desk):
        gone.state = str(PlanState.WITHDRAWN)
        gone.version += 1
        desk.records.continuity.save()
        records.append(record(gone, "continuity_plan.withdrawn", None, {"plan": gone.content}))
    for says in desk.policy.plans.values():
        plan = desk.records.continuity.plan_called(says.key) or _new(desk, says, in_file=True)
        if not desk.is_spoken_to:
            _rewritten(desk, plan, says)
            continue
        if not _is_on_file(desk, plan):
            _rewritten(desk, plan, says)
            records += _published(plan, says)
        elif _rewritten(desk, plan, says):
            records += _revised(plan, says)
        else:
            continue
        notices += _ask_owner(desk, plan)
    return Outcome(
        reply=Reply(title=f"{counted(len(records), 'record')} of plans"),
        changes=records,
        notices=notices,
        follow=["continuity watch"],
    )


def _gone(desk: Desk) -> list[ContinuityPlan]:
    """The plans of files that no file says any more."""
    found, _ = desk.records.continuity.plans(states=(PlanState.DRAFT, PlanState.SIGNED))
    return [plan for plan in found if plan.in_file and plan.key not in desk.policy.plans]


def _new(desk: Desk, says: Plan, *, in_file: bool) -> ContinuityPlan:
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


def _rewritten(desk: Desk, plan: ContinuityPlan, says: Plan) -> bool:
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


def _told(plan: ContinuityPlan, says: Plan) -> dict[str, object]:
    return {
        "plan": plan.content,
        "edition": plan.edition,
        "services": sorted(says.recovers),
        "steps": len(says.steps),
        "owner": plan.owner,
    }


def _is_on_file(desk: Desk, plan: ContinuityPlan) -> bool:
    trail = desk.records.ledger.trail(plan.ref)
    return any(each.action == "continuity_plan.published" for each in trail)


def _published(plan: ContinuityPlan, says: Plan) -> list[Record]:
    told = _told(plan, says)
    return [
        record(plan, "continuity_plan.published", None, told, {"name": plan.name, "scenario": says.scenario}),
        record(plan, "contingency.planned", None, {"plan": plan.content}),
    ]


def _revised(plan: ContinuityPlan, says: Plan) -> list[Record]:
    return [record(plan, "continuity_plan.rewritten", None, _told(plan, says))]


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
        buttons=(_sign_button(plan),),
        while_in=(PlanState.DRAFT,),
    )


# Built in chat ------------------------------------------------------------------------------------


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
    plan = _new(desk, says, in_file=False)
    return Outcome(
        reply=lambda: _answer(desk, plan, f"{plan.ref} is begun: {plan.name}", "Add its steps now."),
        changes=_published(plan, says),
    )


@command("continuity edit", params=Edit, evidences=("SCON SP 3.3", "SCON SP 2.1"))
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
        contacts=(*says.contacts, *_contact(asked.contact)),
        owner=asked.owner or says.owner,
    )
    return _edited(desk, plan, now, "edited")


def _items(text: str | None) -> tuple[str, ...]:
    return tuple(each.strip()[:150] for each in (text or "").split(",") if each.strip())


def _contact(text: str | None) -> tuple[PlanContact, ...]:
    if not text:
        return ()
    name, _, rest = text.partition(",")
    reach, _, part = rest.partition(",")
    return (PlanContact(name=name.strip()[:150], reach=reach.strip()[:150] or "—", part=part.strip()[:150]),)


@command("continuity step", params=AddStep, evidences=("SCON SP 3.3", "SCON SP 2.1"))
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


@command("continuity drop", params=DropStep, evidences=("SCON SP 3.3", "SCON SP 2.1"))
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


@command("continuity withdraw", params=Withdraw, evidences=("SCON SP 3.3", "SCON SP 2.1"))
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
    return Outcome(reply=lambda: _answer(desk, plan, f"{plan.ref} is withdrawn"), changes=[withdrawn])


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
    if not _rewritten(desk, plan, says):
        raise WrongState(f"That is what {plan.ref} says already.", subject=plan.ref)
    told = {**_told(plan, says), "what": what, **more}
    text = "Its owner signs the new version." if plan.signed else ""
    return Outcome(
        reply=lambda: _answer(desk, plan, f"{plan.ref} is written anew, version {plan.edition}", text),
        changes=[record(plan, "continuity_plan.rewritten", None, told)],
    )


# Signing ------------------------------------------------------------------------------------------


@command("continuity approve", params=Approve, evidences=("SCON SP 1.1", "SCON SP 2.1", "SCON SP 3.3"))
def approve(asked: Approve, desk: Desk) -> Outcome:
    """Sign a plan that you own, or the impact analysis of a service that you own."""
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
    records = [] if _is_on_file(desk, plan) else _published(plan, says)
    before = {"state": plan.state, "signed": plan.signed}
    again = plan.signed is not None
    plan.state, plan.signed = str(PlanState.SIGNED), plan.content
    plan.signed_by, plan.signed_at, plan.review_on = desk.asker.key, desk.now, review_day(desk)
    plan.version += 1
    desk.records.continuity.save()
    told = {**_told(plan, says), "review_on": plan.review_on}
    records.append(record(plan, "continuity_plan.approved", before, told, {"because": because}))
    if again:
        records.append(record(plan, "continuity_plan.revised", None, told))
    return Outcome(
        reply=lambda: _answer(desk, plan, f"{plan.ref} is signed, version {plan.edition}"), changes=records
    )


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
    records = []
    for other in desk.records.continuity.analyses_of(analysis.service):
        if other.number != analysis.number and other.state == AnalysisState.SIGNED:
            other.state = str(AnalysisState.REPLACED)
            other.version += 1
            records.append(record(other, "impact_analysis.replaced", None, {"by": analysis.ref}))
    before = {"state": analysis.state}
    analysis.state = str(AnalysisState.SIGNED)
    analysis.signed_by, analysis.signed_at = desk.asker.key, desk.now
    analysis.review_on = review_day(desk)
    analysis.version += 1
    desk.records.continuity.save()
    told = {"service": service.key, "rto": analysis.rto, "rpo": analysis.rpo, "review_on": analysis.review_on}
    records.append(record(analysis, "impact_analysis.signed", before, told, {"because": because}))
    signed = desk.records.continuity.signed_analyses()
    order = sorted(signed, key=lambda key: (signed[key].rto, key))
    rank = {"service": service.key, "rank": order.index(service.key) + 1, "of": len(order)}
    records.append(record(analysis, "essential_function.ranked", None, rank))
    title = f"{analysis.ref} is signed: {service.name} is back within {show_duration(timedelta(seconds=analysis.rto))}"
    return Outcome(
        reply=lambda: analysis_card(desk, analysis).model_copy(update={"title": title, "tone": Tone.GOOD}),
        changes=records,
        notices=tell(desk, analysis, [analysis.author], title, tag="signed"),
    )


# Looking ------------------------------------------------------------------------------------------


def _sign_button(plan: ContinuityPlan) -> Button:
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
        yield _sign_button(plan)
    yield Button(label="Schedule a drill", line=f"drill schedule {plan.ref}")
    yield Button(label="Invoke", line=f"continuity invoke {plan.ref}", style=Style.DANGER)
    if not plan.in_file:
        yield Button(label="Add a step", line=f"continuity step {plan.ref}")
        yield Button(label="Edit", line=f"continuity edit {plan.ref}")


def _answer(desk: Desk, plan: ContinuityPlan, title: str, text: str = "") -> Reply:
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


@decisions(PLAN)
def to_sign(desk: Desk) -> Sequence[str]:
    """The plans and analyses that wait for the asker's signature."""
    found, _ = desk.records.continuity.plans(states=(PlanState.DRAFT,), owner=desk.asker.key)
    ready = [each.ref for each in found if each.in_file]
    return [*(each.ref for each in open_analyses(desk)), *reversed(ready)]


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
