"""What the schema cannot see: names that lead nowhere, promises that contradict each other, circles.

Each check looks at everything that was filled, even while other lines are wrong, and names the line
to change. A file that could not be read is not held against those that refer to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from config import waking
from config.looking import ROOM_IDS, USER_IDS, WORKSPACE_IDS, Draft, Look
from config.plans import step_faults
from config.policy import (
    PAUSES,
    Access,
    Agreement,
    Calendar,
    ChangeRules,
    ChangeStage,
    ContinuityRules,
    Criticality,
    Digest,
    EvidenceRules,
    FieldKind,
    FormField,
    Freeze,
    Offering,
    Organisation,
    Person,
    Plan,
    Priority,
    Promise,
    Readiness,
    ReadinessKind,
    RiskRules,
    Room,
    Service,
    Stage,
    StandardChange,
    Team,
    shown,
)
from config.reading import Report
from config.recurrence import NotARule, read_rule
from config.vocabulary import process_areas

MOST_CIRCLES = 20  # each takes a walk over everything
_HEARERS = ("assignee", "team", "manager", "requester")


def check(draft: Draft, report: Report, first_gap: waking.FirstGap | None) -> None:
    """Add to `report` whatever is wrong between the values of a draft; `first_gap` finds the gaps of its rotas."""
    look = Look(draft, report)
    if draft.organisation is not None:
        _check_organisation(draft.organisation, look.within("organisation"))
    if draft.access is not None:
        _check_access(draft.access, look.within("access"))
    things: Sequence[tuple[str, Mapping[str, Any], Callable[[Any, Look], None]]] = (
        ("people", draft.people, _check_person),
        ("teams", draft.teams, _check_team),
        ("rooms", draft.rooms, _check_room),
        ("services", draft.services, _check_service),
        ("calendars", draft.calendars, _check_calendar),
        ("agreements", draft.agreements, _check_agreement),
        ("catalogue", draft.offerings, _check_offering),
        ("standard-changes", draft.standard_changes, _check_standard_change),
        ("freezes", draft.freezes, _check_freeze),
        ("plans", draft.plans, _check_plan),
        ("readiness", draft.readiness, _check_readiness),
        ("digests", draft.digests, _check_digest),
    )
    if draft.changes is not None:
        _check_changes(draft.changes, look.within("changes"))
    if draft.continuity is not None:
        _check_continuity(draft.continuity, look.within("continuity"))
    if draft.evidence is not None:
        _check_evidence(draft.evidence, look.within("evidence"))
    for file, values, judge in things:
        for key, value in values.items():
            judge(value, look.within(file, key))
    _check_accounts(draft, look.within("people"))
    managers = {key: [person.manager] for key, person in draft.people.items() if person.manager}
    _check_circles(managers, "manager", look.within("people"))
    rests_on = {key: service.depends_on for key, service in draft.services.items()}
    _check_circles(rests_on, "depends_on", look.within("services"))
    waking.check(look, first_gap)


def _check_organisation(organisation: Organisation, look: Look) -> None:
    look.at("zone").zone(organisation.zone)
    look.at("requests_room").known("rooms", organisation.requests_room)
    look.at("owner_room").known("rooms", organisation.owner_room)
    look.at("intake_offering").known("catalogue", organisation.intake_offering)


def _check_access(access: Access, look: Look) -> None:
    for role, grants in access.grants.items():
        for index, who in enumerate(grants):
            look.at("grants", role, index).named(who)
        look.at("grants", role).unlike(grants)
    for index, workspace in enumerate(access.workspaces):
        platform, colon, place = workspace.partition(":")
        if colon:
            look.at("workspaces", index).shaped("workspace", platform, place, WORKSPACE_IDS)
        else:
            look.at("workspaces", index).wrong(
                f"{shown(workspace)} names no platform; write slack: or discord: before the ID"
            )
    look.at("workspaces").unlike(access.workspaces)


def _check_person(person: Person, look: Look) -> None:
    look.at("zone").zone(person.zone)
    look.at("email").address(person.email)
    look.at("manager").known("people", person.manager)
    look.at("delegate").known("people", person.delegate)
    if person.delegate == person.key:
        look.at("delegate").wrong("is the same person; name somebody else")
    for index, (first, last) in enumerate(person.away):
        if last < first:
            look.at("away", index).wrong(f"ends on {last}, before it begins; write the first day first")
    for index, account in enumerate(person.accounts):
        here = look.at("accounts", index)
        here.at("user").shaped("account", account.platform, account.user, USER_IDS)
        if account.platform in WORKSPACE_IDS:
            here.at("workspace").shaped("workspace", account.platform, account.workspace, WORKSPACE_IDS)


def _check_accounts(draft: Draft, look: Look) -> None:
    owners: dict[tuple[str, str, str], str] = {}
    for person in draft.people.values():
        for index, account in enumerate(person.accounts):
            identity = (account.platform, account.workspace, account.user)
            owner = owners.setdefault(identity, person.key)
            if owner != person.key or person.accounts.index(account) != index:
                look.at(person.key, "accounts", index).wrong(
                    f"is the account of {shown(owner)} already; an account belongs to one person, once"
                )


def _check_circles(leads_to: Mapping[str, Sequence[str]], field: str, look: Look) -> None:
    """Report each of the first circles once, where its first member points on."""
    order = list(leads_to)
    graph = {key: [name for name in names if name in leads_to] for key, names in leads_to.items()}
    for _ in range(MOST_CIRCLES):
        try:
            TopologicalSorter(graph).prepare()
            return
        except CycleError as error:
            circle: list[str] = error.args[1][:0:-1]
            start = circle.index(min(circle, key=order.index))
            circle = [*circle[start:], *circle[:start], circle[start]]
            look.at(circle[0], field).wrong(f"leads back to itself ({' → '.join(circle)}); break the circle")
            graph[circle[0]].remove(circle[1])


def _check_team(team: Team, look: Look) -> None:
    for index, member in enumerate(team.members):
        look.at("members", index).known("people", member)
    look.at("members").unlike(team.members)
    look.at("room").known("rooms", team.room)
    look.at("lead").known("people", team.lead)


def _check_room(room: Room, look: Look) -> None:
    for platform, place in room.places.items():
        look.at("places", platform).shaped("room", platform, place, ROOM_IDS)


def _check_service(service: Service, look: Look) -> None:
    look.at("owner").known("people", service.owner)
    look.at("team").known("teams", service.team)
    for index, name in enumerate(service.depends_on):
        look.at("depends_on", index).known("services", name)
    look.at("depends_on").unlike(service.depends_on)
    look.at("escalation").known("escalations", service.escalation)
    if service.availability is not None:
        look.at("availability", "calendar").known("calendars", service.availability.calendar)


def _check_digest(digest: Digest, look: Look) -> None:
    look.at("zone").zone(digest.zone)
    for index, who in enumerate(digest.to):
        look.at("to", index).named(who)
    look.at("to").unlike(digest.to)
    customers = [each.customer for each in look.draft.agreements.values() if each.customer]
    if digest.of is not None and not look.faulty("services", "teams", "agreements"):
        look.at("of").one_of(digest.of, [*look.draft.services, *look.draft.teams, *customers])


def _check_calendar(calendar: Calendar, look: Look) -> None:
    look.at("zone").zone(calendar.zone)
    if calendar.always:
        for name in ("hours", "holidays"):
            if look.at(name).written():
                look.at(name).wrong(
                    "has no effect in a calendar that is always open; take out one of the two"
                )
    elif not calendar.hours:
        look.wrong("is never open; write hours, or always: yes")
    look.at("hours").openings(calendar.hours)


_WITHOUT_AGREEMENT = (Promise.REVIEW, Promise.DRILL)


def _check_agreement(agreement: Agreement, look: Look) -> None:
    promised: dict[tuple[Promise, Priority], int] = {}
    for index, target in enumerate(agreement.targets):
        here = look.at("targets", index)
        here.at("calendar").known("calendars", target.calendar)
        if target.promise in _WITHOUT_AGREEMENT:
            here.at("promise").wrong(
                f"{target.promise} has no effect here: reviews and drills are promised by the moments that"
                " incidents.yaml, changes.yaml and continuity.yaml set; take it out"
            )
        if list(target.warn_at) != sorted(set(target.warn_at)):
            here.at("warn_at").wrong("does not rise; write each percentage once, the smallest first")
        for priority in target.within:
            there = here.at("within", priority)
            there.business_time(target.calendar)
            if promised.setdefault((target.promise, priority), index) != index:
                there.wrong(f"promises {target.promise} for {priority} a second time; keep one of them")
        look.at("minimum_notice").business_time(target.calendar)
    for index, state in enumerate(agreement.pauses_in):
        look.at("pauses_in", index).one_of(state, PAUSES)
    for name, hearers in (("warning", agreement.tell.warning), ("breach", agreement.tell.breach)):
        for index, hearer in enumerate(hearers):
            here = look.at("tell", name, index)
            if hearer.startswith("#"):
                here.known("rooms", hearer[1:])
            else:
                here.one_of(hearer, _HEARERS)


def _check_offering(offering: Offering, look: Look) -> None:
    look.at("service").known("services", offering.service)
    look.at("agreement").known("agreements", offering.agreement)
    look.at("team").known("teams", offering.team)
    for index, who in enumerate(offering.may_ask):
        look.at("may_ask", index).named(who)
    earlier: dict[str, FormField] = {}
    for index, field in enumerate(offering.fields):
        here = look.at("fields", index)
        if field.key in earlier:
            here.at("key").wrong(f"{shown(field.key)} stands here twice; give each field a key of its own")
        _check_field(field, here)
        for name, answer in field.only_if.items():
            _check_condition(name, answer, earlier, here.at("only_if", name))
        earlier[field.key] = field
    for index, stage in enumerate(offering.approval):
        _check_stage(stage, look.at("approval", index))
    tasks: set[str] = set()
    for index, task in enumerate(offering.tasks):
        here = look.at("tasks", index)
        here.at("team").known("teams", task.team)
        if task.key in tasks:
            here.at("key").wrong(f"{shown(task.key)} stands here twice; give each task a key of its own")
        tasks.add(task.key)


def _check_field(field: FormField, look: Look) -> None:
    if field.kind is FieldKind.CHOICE and not field.options:
        look.wrong("is a choice without options; add options, or another kind")
    if field.kind is not FieldKind.CHOICE and field.options:
        look.at("options").wrong(f"has no effect in a field of kind {field.kind}; write kind: choice")
    look.at("options").unlike(field.options)
    if field.at_most is not None and field.kind not in {FieldKind.TEXT, FieldKind.LONG, FieldKind.NUMBER}:
        look.at("at_most").wrong(f"has no effect in a field of kind {field.kind}; take it out")
    if field.at_least and field.kind is not FieldKind.NUMBER:
        look.at("at_least").wrong(f"has no effect in a field of kind {field.kind}; write kind: number")
    elif field.at_most is not None and field.at_least > field.at_most:
        look.at("at_least").wrong("is more than at_most; no number fits between them")
    if field.ahead and field.kind is not FieldKind.DATE:
        look.at("ahead").wrong(f"has no effect in a field of kind {field.kind}; write kind: date")


def _check_condition(name: str, answer: str, earlier: Mapping[str, FormField], look: Look) -> None:
    if name not in earlier:
        near = look.near(name, earlier)
        advice = f"did you mean {near!r}?" if near else "name a field that stands above this one"
        look.wrong(f"{shown(name)} is no earlier field; {advice}")
    elif earlier[name].kind is FieldKind.CHOICE:
        look.one_of(answer, earlier[name].options)
    elif earlier[name].kind is FieldKind.YES_NO:
        look.one_of(answer, ("yes", "no"))


def _check_stage(stage: Stage, look: Look) -> None:
    look.at("calendar").known("calendars", stage.calendar)
    if stage.calendar is not None and look.at("within").written() is None:
        look.wrong("names a calendar and no time in it; add within, as 8h")
    look.at("within").business_time(stage.calendar)
    if not stage.of:
        look.at("of").wrong("is empty; name manager, people or teams")
        return
    people: set[str] = set()
    for index, who in enumerate(stage.of):
        here = look.at("of", index)
        if who == "manager":
            people.add("the requester's manager")
        elif not who.startswith("@"):
            here.known("people", who)
            people.add(who)
        elif not here.known("teams", who[1:]) or who[1:] not in look.draft.teams:
            return  # how many they are cannot be said
        else:
            people.update(look.draft.teams[who[1:]].members)
    if stage.need > len(people):
        look.at("need").wrong(f"asks for {stage.need} of {len(people)} people; lower it or name more")


# Changes ------------------------------------------------------------------------------------------


def _check_changes(rules: ChangeRules, look: Look) -> None:
    look.at("room").known("rooms", rules.room)
    _check_risk(rules.risk, look.at("risk"))
    for level, stages in rules.approval.items():
        for index, stage in enumerate(stages):
            _check_change_stage(stage, look.at("approval", str(level), index))
    for index, who in enumerate(rules.break_glass.of):
        look.at("break_glass", "of", index).decides(who)


def _check_risk(risk: RiskRules, look: Look) -> None:
    seen: set[str] = set()
    for index, question in enumerate(risk.questions):
        if question.key in seen:
            look.at("questions", index, "key").wrong(
                f"{shown(question.key)} stands here twice; give each question a key of its own"
            )
        seen.add(question.key)
    most = sum(max(question.answers.values()) for question in risk.questions)
    if risk.high <= risk.medium:
        look.at("high").wrong(f"is not more than medium, which is {risk.medium}; write a greater number")
    elif risk.high > most:
        look.at("high").wrong(f"can never be reached: all answers together weigh {most}; lower it")


def _check_change_stage(stage: ChangeStage, look: Look) -> None:
    look.at("calendar").known("calendars", stage.calendar)
    if stage.calendar is not None and look.at("within").written() is None:
        look.wrong("names a calendar and no time in it; add within, as 8h")
    look.at("within").business_time(stage.calendar)
    known = [look.at("of", index).decides(who) for index, who in enumerate(stage.of)]
    people = {person for each in known if each is not None for person in each}
    if None not in known and stage.need > len(people):
        look.at("need").wrong(f"asks for {stage.need} of {len(people)} people; lower it or name more")


def _check_standard_change(change: StandardChange, look: Look) -> None:
    for index, name in enumerate(change.services):
        look.at("services", index).known("services", name)
    look.at("services").unlike(change.services)
    for index, who in enumerate(change.may):
        look.at("may", index).decides(who)


def _check_freeze(freeze: Freeze, look: Look) -> None:
    known = look.at("zone").zone(freeze.zone)
    for index, name in enumerate(freeze.services):
        look.at("services", index).known("services", name)
    look.at("services").unlike(freeze.services)
    if (freeze.ends is None) == (freeze.lasts is None):
        look.wrong("needs either ends or lasts; write one of them")
    elif freeze.ends is not None and freeze.ends <= freeze.start:
        look.at("ends").wrong("is not after start; write a later moment")
    if freeze.repeats is None:
        return
    if freeze.ends is not None:
        look.at("ends").wrong("has no meaning for what repeats; write lasts, as 2d")
    if not known:
        return
    try:
        read_rule(freeze.repeats, freeze.start, freeze.zone)
    except NotARule as error:
        look.at("repeats").wrong(str(error))


# Evidence -----------------------------------------------------------------------------------------


def _check_evidence(rules: EvidenceRules, look: Look) -> None:
    known = process_areas()
    for field, areas in (("fresh_in", rules.fresh_in), ("left_out", rules.left_out)):
        for area in areas:
            if area not in known:
                look.at(field, area).wrong(f"is no process area; known are {', '.join(known)}")


# Continuity ---------------------------------------------------------------------------------------


def _check_continuity(rules: ContinuityRules, look: Look) -> None:
    look.at("room").known("rooms", rules.room)
    _check_grows(rules.outage, look.at("outage"))
    _check_grows(rules.loss, look.at("loss"))
    before = 0
    for word in Criticality:
        length = rules.criticality.get(word)
        if length is None:
            continue
        if length <= before:
            look.at("criticality", str(word)).wrong("is not longer than what is more critical; write more")
        before = length


def _check_grows(bands: Sequence[int], look: Look) -> None:
    for index in range(1, len(bands)):
        if bands[index] <= bands[index - 1]:
            look.at(index).wrong("is not longer than the one before; write the bands in order")


def _check_plan(plan: Plan, look: Look) -> None:
    look.at("owner").known("people", plan.owner)
    for key in plan.recovers:
        look.at("recovers", key).known("services", key)
    if not plan.steps:
        look.at("steps").wrong("is empty; write at least one")
    for index, step in enumerate(plan.steps):
        for place, who in enumerate(step.owner):
            look.at("steps", index, "owner", place).does(who)
    for fault in step_faults(plan.steps):
        look.at("steps", fault.index, fault.field).wrong(fault.message)
    for index, inject in enumerate(plan.injects):
        for place, who in enumerate(inject.to):
            look.at("injects", index, "to", place).does(who)
    _check_drills(plan, look)


def _check_drills(plan: Plan, look: Look) -> None:
    for index, drill in enumerate(plan.drills):
        here = look.at("drills", index)
        if not here.at("zone").zone(drill.zone):
            continue
        try:
            read_rule(drill.repeats, drill.start, drill.zone)
        except NotARule as error:
            here.at("repeats").wrong(str(error))


def _check_readiness(readiness: Readiness, look: Look) -> None:
    look.known("services", readiness.key)
    seen: set[str] = set()
    for index, item in enumerate(readiness.items):
        here = look.at("items", index)
        here.at("owner").known("people", item.owner)
        if item.key in seen:
            here.at("key").wrong(f"{shown(item.key)} stands here twice; give each item a key of its own")
        if item.at_least is not None and item.kind is not ReadinessKind.CONSUMABLE:
            here.at("at_least").wrong(f"has no meaning for {item.kind}; only consumables are counted")
        seen.add(item.key)
