"""Who decides on a change: the stages of its approval, who has a seat in them now, and how the votes stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from config.policy import Calendar, ChangeKind, ChangeStage, Level, Role
from handlers import definitions
from handlers.access import is_away, people_in, roles_of
from handlers.changes.content import content_of
from handlers.desk import Desk
from handlers.estates import estate_of
from handlers.rules import votes
from handlers.rules.approval import Seat
from handlers.rules.business_time import hours_of
from handlers.rules.votes import Says, Tally, Vote
from handlers.rules.workflow import LIVE, ChangeState
from storage.models.changes import Change

MEANS = {"reject": "it is rejected", "approve": "it counts as approved"}
"""What a deadline that passes comes to."""


@dataclass(frozen=True)
class Terms:
    """The stages by which a change is decided on, with the calendars in which approvers have time."""

    stages: Sequence[ChangeStage]
    calendars: Mapping[str, Calendar]

    def stage(self, number: int) -> ChangeStage | None:
        """The stage of this number, counted from 1; None when all are passed."""
        return self.stages[number - 1] if 0 < number <= len(self.stages) else None

    def after(self, stage: ChangeStage, now: datetime, part: float = 1) -> datetime:
        """When a stage that begins now has had its time, or a part of it, in its calendar."""
        within = timedelta(seconds=stage.within * part)
        calendar = self.calendars.get(stage.calendar or "")
        return hours_of(calendar).after(now, within) if calendar else now + within


def terms_of(desk: Desk, change: Change) -> Terms:
    """The terms that were in force when the change was submitted; none before that."""
    if change.rules_version is None:
        return Terms((), {})
    rules, calendars = definitions.changes(desk, change.rules_version)
    match change.kind:
        case ChangeKind.STANDARD:
            return Terms((), {})
        case ChangeKind.EMERGENCY:
            glass = rules.break_glass
            return Terms((ChangeStage(of=glass.of, within=glass.within),), {})
        case _:
            return Terms(rules.approval.get(Level(change.risk or Level.HIGH), ()), calendars)


def current_stage(desk: Desk, change: Change) -> ChangeStage | None:
    """The stage that it waits in, or None."""
    if change.state != ChangeState.AWAITING_APPROVAL:
        return None
    return terms_of(desk, change).stage(change.stage)


def delegate_of(desk: Desk, person: str) -> str | None:
    """Who stands in for somebody, by the policy."""
    known = desk.policy.people.get(person)
    return known.delegate if known else None


def barred(desk: Desk, change: Change, maker: str | None = None) -> Mapping[str, str]:
    """Who has no vote on it, and why, in words; `maker` is who makes it, if not whom it names."""
    implementer = maker or change.implementer
    why = votes.barred(change.requester, implementer, lambda person: delegate_of(desk, person))
    return {
        person: f"stands in for {desk.directory.name(reason.removeprefix('stands in for '))}"
        if reason.startswith("stands in for ")
        else reason
        for person, reason in why.items()
    }


def seats_of(desk: Desk, change: Change, stage: ChangeStage) -> tuple[Seat, ...]:
    """Who may decide in a stage as things are now; of the asker, what the account that they use now may do."""
    return votes.seats(
        _named(desk, change, stage),
        barred(desk, change),
        lambda person: delegate_of(desk, person),
        lambda person: is_away(person, desk.policy, desk.today),
    )


def _named(desk: Desk, change: Change, stage: ChangeStage) -> Iterable[str]:
    services = content_of(desk, change)["services"]
    for name in stage.of:
        if name == "owner":
            yield from (desk.policy.services[key].owner for key in services if key in desk.policy.services)
        elif name.startswith("role:"):
            yield from _with_role(desk, Role(name[5:]))
        elif ":" not in name:
            yield from people_in([name], desk.policy)
    if change.incident:
        yield from leads_of(desk, change)


def _with_role(desk: Desk, role: Role) -> Iterable[str]:
    # A guest's account has no roles, and roles may come from a platform's groups, which only the asker's own tell.
    others = (key for key in desk.policy.people if key != desk.asker.key)
    yield from (key for key in others if role in roles_of(key, desk.policy))
    if role in desk.asker.roles and desk.asker.key != "desk":
        yield desk.asker.key


def leads_of(desk: Desk, change: Change) -> list[str]:
    """Who leads the incident that an emergency is for: a real one that is not over and touches its services."""
    number = int((change.incident or "").partition("-")[2] or 0)
    found = desk.records.incidents.get(number)
    if found is None or found.state not in LIVE or found.practice:
        return []
    if found.service not in estate_of(desk.policy).kin(content_of(desk, change)["services"]):
        return []
    return [each.person for each in desk.records.incidents.parts(number) if each.part == "lead"]


def led_by_requester(desk: Desk, change: Change) -> bool:
    """Whether an emergency needs no second pair of eyes, because who asks for it leads the incident it is for."""
    return change.kind == ChangeKind.EMERGENCY and change.requester in leads_of(desk, change)


def tally_of(
    desk: Desk, change: Change, stage_number: int, stage: ChangeStage, maker: str | None = None
) -> Tally:
    """How a stage of the present ballot stands; `maker` is who makes it, if not whom it names."""
    cast = [
        Vote(each.person, Says(each.says))
        for each in desk.records.changes.votes(change.number, change.ballot)
        if each.stage == stage_number and each.seal == change.seal
    ]
    seated = [seat.person for seat in seats_of(desk, change, stage)]
    return votes.tally(stage.need, seated, cast, barred(desk, change, maker))
