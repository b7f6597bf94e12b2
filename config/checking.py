"""What the schema cannot see: names that lead nowhere, promises that contradict each other, circles.

Each check looks at everything that was filled, even while other lines are wrong, and names the line
to change. A file that could not be read is not held against those that refer to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files as resources
from typing import Any

from config.policy import (
    PAUSES,
    Access,
    Agreement,
    AlertSource,
    Calendar,
    ChangeRules,
    ChangeStage,
    Escalation,
    FieldKind,
    FormField,
    Freeze,
    IncidentRules,
    Offering,
    Opening,
    Organisation,
    Person,
    Priority,
    Promise,
    RiskRules,
    Role,
    Room,
    Rota,
    Service,
    Stage,
    StandardChange,
    Team,
    Weekday,
    shown,
)
from config.reading import Place, Report, Written
from config.recurrence import NotARule, read_rule

_SNOWFLAKE = r"[0-9]{15,20}"
_ROOM_IDS = {"slack": r"[CG][A-Z0-9]{6,20}", "discord": _SNOWFLAKE, "console": r".{1,80}"}
_USER_IDS = {"slack": r"[UW][A-Z0-9]{6,20}", "discord": _SNOWFLAKE, "console": r".{1,80}"}
_WORKSPACE_IDS = {"slack": r"[TE][A-Z0-9]{6,20}", "discord": _SNOWFLAKE, "console": r".{1,80}"}
_GROUP_IDS = {"slack": r"S[A-Z0-9]{6,20}", "discord": _SNOWFLAKE}
_LOOKS = {
    "slack room": "copy the channel ID from the channel's details, as C0123456789",
    "discord room": "copy the channel's ID in developer mode, 15 to 20 digits",
    "slack account": "copy the member ID from the profile, as U0123456789",
    "discord account": "copy the user's ID in developer mode, 15 to 20 digits",
    "slack workspace": "copy it from the workspace's web address, as T0123456789",
    "discord workspace": "copy the server's ID in developer mode, 15 to 20 digits",
    "slack group": "copy the user group's ID, as S0123456789",
    "discord group": "copy the role's ID in developer mode, 15 to 20 digits",
    "console room": "write up to 80 characters",
    "console account": "write up to 80 characters",
    "console workspace": "write up to 80 characters",
}
MOST_CIRCLES = 20  # each takes a walk over everything
_HEARERS = ("assignee", "team", "manager", "requester")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


@dataclass(frozen=True)
class Draft:
    """What was read: `files` by name, and of each kind the values whose bodies were right."""

    files: Mapping[str, Written]
    organisation: Organisation | None
    access: Access | None
    people: Mapping[str, Person]
    teams: Mapping[str, Team]
    rooms: Mapping[str, Room]
    services: Mapping[str, Service]
    offerings: Mapping[str, Offering]
    calendars: Mapping[str, Calendar]
    agreements: Mapping[str, Agreement]
    rotas: Mapping[str, Rota]
    escalations: Mapping[str, Escalation]
    alerts: Mapping[str, AlertSource]
    incidents: IncidentRules | None
    changes: ChangeRules | None
    standard_changes: Mapping[str, StandardChange]
    freezes: Mapping[str, Freeze]


def check(draft: Draft, report: Report) -> None:
    """Add to `report` whatever is wrong between the values of a draft."""
    look = _Look(draft, report)
    if draft.organisation is not None:
        _check_organisation(draft.organisation, look.within("organisation"))
    if draft.access is not None:
        _check_access(draft.access, look.within("access"))
    things: Sequence[tuple[str, Mapping[str, Any], Callable[[Any, _Look], None]]] = (
        ("people", draft.people, _check_person),
        ("teams", draft.teams, _check_team),
        ("rooms", draft.rooms, _check_room),
        ("services", draft.services, _check_service),
        ("calendars", draft.calendars, _check_calendar),
        ("agreements", draft.agreements, _check_agreement),
        ("catalogue", draft.offerings, _check_offering),
        ("standard-changes", draft.standard_changes, _check_standard_change),
        ("freezes", draft.freezes, _check_freeze),
    )
    if draft.changes is not None:
        _check_changes(draft.changes, look.within("changes"))
    for file, values, judge in things:
        for key, value in values.items():
            judge(value, look.within(file, key))
    _check_accounts(draft, look.within("people"))
    managers = {key: [person.manager] for key, person in draft.people.items() if person.manager}
    _check_circles(managers, "manager", look.within("people"))
    rests_on = {key: service.depends_on for key, service in draft.services.items()}
    _check_circles(rests_on, "depends_on", look.within("services"))


class _Look:
    """A place in one file, with the means to judge what stands there."""

    def __init__(self, draft: Draft, report: Report, file: str = "organisation", place: Place = ()) -> None:
        self.draft = draft
        self._report = report
        self._file = file
        self._place = place

    def within(self, file: str, *steps: str | int) -> _Look:
        return _Look(self.draft, self._report, file, steps)

    def at(self, *steps: str | int) -> _Look:
        return _Look(self.draft, self._report, self._file, (*self._place, *steps))

    def wrong(self, message: str) -> None:
        self._report.add(self.draft.files[self._file], self._place, message)

    def near(self, name: str, known: Iterable[str]) -> str | None:
        return self._report.near(name, known)

    def written(self) -> object:
        return self.draft.files[self._file].at(self._place)

    def known(self, file: str, name: str | None) -> bool:
        """Whether a name stands in a file; one that does not is reported, unless the file is unreadable."""
        if name is None or file not in self.draft.files:
            return name is not None
        names = self.draft.files[file].values
        if name in names:
            return True
        near = self.near(name, names)
        advice = f"did you mean {near!r}?" if near else "add it there or correct the name"
        self.wrong(f"{shown(name)} is not in {file}.yaml; {advice}")
        return False

    def one_of(self, name: str, known: Sequence[str]) -> None:
        if name not in known:
            near = self.near(name, known)
            advice = f"did you mean {near!r}?" if near else f"known are {', '.join(known)}"
            self.wrong(f"{shown(name)} is not known here; {advice}")

    def zone(self, name: str | None) -> None:
        """A zone must be in the IANA database, letter for letter."""
        if name is not None and name not in _zones():
            near = self.near(name, _zones())
            advice = f"did you mean {near}?" if near else "write for example Europe/Berlin"
            self.wrong(f"{shown(name)} is no IANA time zone; {advice}")

    def shaped(self, noun: str, platform: str, written: str, shapes: Mapping[str, str]) -> None:
        """An id must have the shape that its platform gives to ids of rooms, accounts and so on."""
        if platform not in shapes:
            self.one_of(platform, tuple(shapes))
        elif not re.fullmatch(shapes[platform], written):
            self.wrong(f"{shown(written)} is no {platform} {noun}; {_LOOKS[f'{platform} {noun}']}")

    def named(self, who: str) -> None:
        """People by key, teams as `@team`, a platform's roles and groups as `discord:ID` and `slack:ID`."""
        if who.startswith("@"):
            self.known("teams", who[1:])
        elif ":" in who:
            platform, _, group = who.partition(":")
            self.shaped("group", platform, group, _GROUP_IDS)
        else:
            self.known("people", who)

    def decides(self, who: str) -> set[str] | None:
        """The people behind a name that decides on changes; None where files alone cannot tell how many they are.

        People and teams as `named`, roles as `role:approver`, and `owner` for the owners of services.
        """
        if who == "owner":
            return None
        if who.startswith("role:"):
            self.one_of(who[5:], [str(role) for role in Role])
            granted = self.draft.access.grants if self.draft.access else {}
            names = [name for role, to in granted.items() if role in (who[5:], Role.ADMIN) for name in to]
            found = [self._people_of(name) for name in names]
            return None if None in found or not names else {key for each in found if each for key in each}
        self.named(who)
        return self._people_of(who)

    def _people_of(self, who: str) -> set[str] | None:
        if who.startswith("@"):
            team = self.draft.teams.get(who[1:])
            return set(team.members) if team else None
        return None if ":" in who else {who}

    def unlike(self, names: Iterable[str]) -> None:
        """The items of a list must differ; each repetition is reported where it stands."""
        seen: set[str] = set()
        for index, name in enumerate(names):
            if name in seen:
                self.at(index).wrong(f"{shown(name)} stands here twice; keep one of them")
            seen.add(name)

    def business_time(self, calendar: str | None) -> None:
        """Refuse days and weeks where a calendar has fewer than 24 hours to a day.

        `1d` under office hours would be 24 hours of opening time, three working days, which nobody
        who writes it means.
        """
        text = self.written()
        counted = self.draft.calendars.get(calendar or "")
        if counted is None or counted.always or not isinstance(text, str):
            return
        if "d" in text or "w" in text:
            self.wrong(
                f"{shown(text)} counts 24 opening hours of {shown(counted.key)} to a day; write hours, as 8h"
            )


@lru_cache(maxsize=1)
def _zones() -> dict[str, None]:
    # The package's own list, in its order: the machine's may hold other files beside zones.
    return dict.fromkeys((resources("tzdata") / "zones").read_text(encoding="ascii").split())


def _check_organisation(organisation: Organisation, look: _Look) -> None:
    look.at("zone").zone(organisation.zone)
    look.at("requests_room").known("rooms", organisation.requests_room)
    look.at("owner_room").known("rooms", organisation.owner_room)
    look.at("intake_offering").known("catalogue", organisation.intake_offering)


def _check_access(access: Access, look: _Look) -> None:
    for role, grants in access.grants.items():
        for index, who in enumerate(grants):
            look.at("grants", role, index).named(who)
        look.at("grants", role).unlike(grants)
    for index, workspace in enumerate(access.workspaces):
        platform, colon, place = workspace.partition(":")
        if colon:
            look.at("workspaces", index).shaped("workspace", platform, place, _WORKSPACE_IDS)
        else:
            look.at("workspaces", index).wrong(
                f"{shown(workspace)} names no platform; write slack: or discord: before the ID"
            )
    look.at("workspaces").unlike(access.workspaces)


def _check_person(person: Person, look: _Look) -> None:
    look.at("zone").zone(person.zone)
    if person.email is not None and not _ADDRESS.fullmatch(person.email):
        look.at("email").wrong(f"{shown(person.email)} is no e-mail address; write it as name@example.org")
    look.at("manager").known("people", person.manager)
    look.at("delegate").known("people", person.delegate)
    if person.delegate == person.key:
        look.at("delegate").wrong("is the same person; name somebody else")
    for index, (first, last) in enumerate(person.away):
        if last < first:
            look.at("away", index).wrong(f"ends on {last}, before it begins; write the first day first")
    for index, account in enumerate(person.accounts):
        here = look.at("accounts", index)
        here.at("user").shaped("account", account.platform, account.user, _USER_IDS)
        if account.platform in _WORKSPACE_IDS:
            here.at("workspace").shaped("workspace", account.platform, account.workspace, _WORKSPACE_IDS)


def _check_accounts(draft: Draft, look: _Look) -> None:
    owners: dict[tuple[str, str, str], str] = {}
    for person in draft.people.values():
        for index, account in enumerate(person.accounts):
            identity = (account.platform, account.workspace, account.user)
            owner = owners.setdefault(identity, person.key)
            if owner != person.key or person.accounts.index(account) != index:
                look.at(person.key, "accounts", index).wrong(
                    f"is the account of {shown(owner)} already; an account belongs to one person, once"
                )


def _check_circles(leads_to: Mapping[str, Sequence[str]], field: str, look: _Look) -> None:
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


def _check_team(team: Team, look: _Look) -> None:
    for index, member in enumerate(team.members):
        look.at("members", index).known("people", member)
    look.at("members").unlike(team.members)
    look.at("room").known("rooms", team.room)
    look.at("lead").known("people", team.lead)


def _check_room(room: Room, look: _Look) -> None:
    for platform, place in room.places.items():
        look.at("places", platform).shaped("room", platform, place, _ROOM_IDS)


def _check_service(service: Service, look: _Look) -> None:
    look.at("owner").known("people", service.owner)
    look.at("team").known("teams", service.team)
    for index, name in enumerate(service.depends_on):
        look.at("depends_on", index).known("services", name)
    look.at("depends_on").unlike(service.depends_on)


def _check_calendar(calendar: Calendar, look: _Look) -> None:
    look.at("zone").zone(calendar.zone)
    if calendar.always:
        for name in ("hours", "holidays"):
            if look.at(name).written():
                look.at(name).wrong(
                    "has no effect in a calendar that is always open; take out one of the two"
                )
    elif not calendar.hours:
        look.wrong("is never open; write hours, or always: yes")
    backwards = [index for index, opening in enumerate(calendar.hours) if opening.closes <= opening.opens]
    for index in backwards:
        opening = calendar.hours[index]
        look.at("hours", index).wrong(
            f"closes at {opening.closes}, not after it opens at {opening.opens};"
            " part a night into one opening up to 24:00 and one from 00:00"
        )
    for index, opening in enumerate(calendar.hours):
        look.at("hours", index, "days").unlike(opening.days)
    _check_overlaps([pair for pair in enumerate(calendar.hours) if pair[0] not in backwards], look)


def _check_overlaps(openings: Sequence[tuple[int, Opening]], look: _Look) -> None:
    for day in Weekday:
        busy: list[Opening] = []
        for index, opening in openings:
            if day not in opening.days:
                continue
            for other in busy:
                if opening.opens < other.closes and other.opens < opening.closes:
                    look.at("hours", index).wrong(
                        f"overlaps {other.opens} to {other.closes} on {day}; part them or make them one"
                    )
                    break
            busy.append(opening)


def _check_agreement(agreement: Agreement, look: _Look) -> None:
    promised: dict[tuple[Promise, Priority], int] = {}
    for index, target in enumerate(agreement.targets):
        here = look.at("targets", index)
        here.at("calendar").known("calendars", target.calendar)
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


def _check_offering(offering: Offering, look: _Look) -> None:
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


def _check_field(field: FormField, look: _Look) -> None:
    if field.kind is FieldKind.CHOICE and not field.options:
        look.wrong("is a choice without options; add options, or another kind")
    if field.kind is not FieldKind.CHOICE and field.options:
        look.at("options").wrong(f"has no effect in a field of kind {field.kind}; write kind: choice")
    look.at("options").unlike(field.options)
    if field.at_most is not None and field.kind not in {FieldKind.TEXT, FieldKind.LONG, FieldKind.NUMBER}:
        look.at("at_most").wrong(f"has no effect in a field of kind {field.kind}; take it out")


def _check_condition(name: str, answer: str, earlier: Mapping[str, FormField], look: _Look) -> None:
    if name not in earlier:
        near = look.near(name, earlier)
        advice = f"did you mean {near!r}?" if near else "name a field that stands above this one"
        look.wrong(f"{shown(name)} is no earlier field; {advice}")
    elif earlier[name].kind is FieldKind.CHOICE:
        look.one_of(answer, earlier[name].options)
    elif earlier[name].kind is FieldKind.YES_NO:
        look.one_of(answer, ("yes", "no"))


def _check_stage(stage: Stage, look: _Look) -> None:
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


def _check_changes(rules: ChangeRules, look: _Look) -> None:
    look.at("room").known("rooms", rules.room)
    _check_risk(rules.risk, look.at("risk"))
    for level, stages in rules.approval.items():
        for index, stage in enumerate(stages):
            _check_change_stage(stage, look.at("approval", str(level), index))
    for index, who in enumerate(rules.break_glass.of):
        look.at("break_glass", "of", index).decides(who)


def _check_risk(risk: RiskRules, look: _Look) -> None:
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


def _check_change_stage(stage: ChangeStage, look: _Look) -> None:
    look.at("calendar").known("calendars", stage.calendar)
    if stage.calendar is not None and look.at("within").written() is None:
        look.wrong("names a calendar and no time in it; add within, as 8h")
    look.at("within").business_time(stage.calendar)
    known = [look.at("of", index).decides(who) for index, who in enumerate(stage.of)]
    people = {person for each in known if each is not None for person in each}
    if None not in known and stage.need > len(people):
        look.at("need").wrong(f"asks for {stage.need} of {len(people)} people; lower it or name more")


def _check_standard_change(change: StandardChange, look: _Look) -> None:
    for index, name in enumerate(change.services):
        look.at("services", index).known("services", name)
    look.at("services").unlike(change.services)
    for index, who in enumerate(change.may):
        look.at("may", index).decides(who)


def _check_freeze(freeze: Freeze, look: _Look) -> None:
    look.at("zone").zone(freeze.zone)
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
    if freeze.zone not in _zones():
        return
    try:
        read_rule(freeze.repeats, freeze.start, freeze.zone)
    except NotARule as error:
        look.at("repeats").wrong(str(error))
