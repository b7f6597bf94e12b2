"""The gate: may a pipeline change a service now? A question from outside, answered by the same freezes and changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from config.policy import ChangeKind, Policy
from handlers.estates import frozen_between
from handlers.rules.windows import AHEAD, Conflict, Kind, next_free
from handlers.rules.workflow import ChangeState
from storage.models.changes import Change
from storage.unit_of_work import Records

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Answer:
    """Whether a pipeline may change a service now, and why.

    `change` is the one under which it may; `until` is when that ends, or when what forbids it ends; `free_from` the
    first moment within 90 days at which nothing is frozen.
    """

    allow: bool
    reason: str
    change: str | None = None
    until: datetime | None = None
    frozen_by: tuple[str, ...] = ()
    free_from: datetime | None = None


def ask_gate(
    policy: Policy, records: Records, service: str, now: datetime, change: str | None = None
) -> Answer:
    """May this service be changed now? Under `change`, where one is named. Raises KeyError for an unknown service."""
    name = policy.services[service].name
    if policy.changes is None:
        return Answer(False, "This desk handles no changes: changes.yaml is missing.")
    made, _ = records.changes.listed(states=(ChangeState.IN_PROGRESS,), service=service, at_most=1000)
    named = [each for each in made if change in (None, each.ref)]
    open_ones = [each for each in named if each.ends_at is not None and now < each.ends_at]
    broken = [each for each in open_ones if each.kind == ChangeKind.EMERGENCY]
    frozen = frozen_between(policy, records, now, now + _MOMENT, [service])
    if broken:
        return _allowed(broken[0], "an emergency")
    if frozen:
        free = _free_from(policy, records, service, now)
        names = ", ".join(dict.fromkeys(each.name for each in frozen))
        until = max(each.end for each in frozen)
        refs = tuple(dict.fromkeys(each.ref for each in frozen))
        return Answer(False, f"{name} is frozen: {names}.", until=until, frozen_by=refs, free_from=free)
    if open_ones:
        return _allowed(open_ones[0], "being made")
    if named:
        return Answer(False, f"The window of {named[0].ref} is over.", named[0].ref, named[0].ends_at)
    if change is None and policy.changes.gate == "freeze":
        return Answer(True, f"Nothing of {name} is frozen.")
    which = (
        f"{change} is not a change of {name} that is being made"
        if change
        else f"No change of {name} is being made"
    )
    return Answer(False, f"{which}; start one first.")


def _allowed(change: Change, how: str) -> Answer:
    return Answer(True, f"{change.ref} is {how}: {change.title}", change.ref, change.ends_at)


def _free_from(policy: Policy, records: Records, service: str, now: datetime) -> datetime | None:
    found = frozen_between(policy, records, now, now + AHEAD + _MOMENT, [service])
    in_the_way = [Conflict(Kind.FREEZE, each.ref, each.name, each.start, each.end) for each in found]
    return next_free(in_the_way, _MOMENT, now)
