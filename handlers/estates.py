"""The estate: which service rests on which, when they are frozen, and which are gone; made once for each policy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from config.policy import Policy
from handlers.rules.windows import Estate, Frozen
from storage.unit_of_work import Records

_estates: dict[str, Estate] = {}


def estate_of(policy: Policy) -> Estate:
    """The services and freezes of a policy."""
    found = _estates.get(policy.version)
    if found is None:
        _estates.clear()
        found = _estates[policy.version] = Estate(policy.services, policy.freezes)
    return found


def frozen_between(
    policy: Policy, records: Records, start: datetime, end: datetime, services: Iterable[str] | None = None
) -> list[Frozen]:
    """The freezes that touch `[start, end)`, of some services or all: the policy's own and those that were declared."""
    estate = estate_of(policy)
    declared = records.changes.freezes(start, end)
    if services is None:
        return [*estate.all_frozen(start, end), *declared]
    wanted = list(services)
    return [*estate.frozen(wanted, start, end), *(each for each in declared if estate.touches(each, wanted))]


def retired(records: Records) -> Mapping[str, str]:
    """The services that were retired, each with the change that did it, by reference."""
    found = records.changes.service_states().items()
    return {key: f"CHG-{each.change}" for key, each in found if each.state == "retired"}
