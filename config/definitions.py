"""Definitions as they are stored for ever: a self-contained body, and the version that names it.

A ticket keeps the version of the agreement, the offering and the escalation that it began with. So a
stored agreement holds the calendars that its targets count in, closed days and all, and needs no file
and no library to answer again. Definitions never rewrite history: another body is another version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import TypeAdapter

from config.policy import (
    Agreement,
    Calendar,
    ChangeRules,
    Escalation,
    Offering,
    Plan,
    Policy,
    fingerprint,
    plain,
)

Body = Mapping[str, Any]
T = TypeVar("T")

_readers: dict[type[Any], TypeAdapter[Any]] = {}


@dataclass(frozen=True)
class Definition:
    """A version of an `agreement`, `offering`, `escalation` or the rules of `changes` (`kind`).

    `version` is the digest of its body.
    """

    kind: str
    key: str
    version: str
    body: Body


def definitions(policy: Policy) -> tuple[Definition, ...]:
    """Every definition of a policy that tickets live by, ready to be stored under (kind, key, version)."""
    return (
        *(agreement_definition(policy, key) for key in policy.agreements),
        *(offering_definition(policy, key) for key in policy.offerings),
        *(escalation_definition(policy, key) for key in policy.escalations),
        *((changes_definition(policy.changes, policy),) if policy.changes else ()),
    )


def agreement_definition(policy: Policy, key: str) -> Definition:
    """The present version of an agreement, with the calendars its targets count in; KeyError if unknown."""
    agreement = policy.agreements[key]
    return _definition("agreement", key, agreement, policy, (target.calendar for target in agreement.targets))


def agreement_as(agreement: Agreement, calendars: Mapping[str, Calendar]) -> Definition:
    """An agreement as somebody thinks it out, with calendars in which its targets may count."""
    used = {target.calendar: calendars[target.calendar] for target in agreement.targets}
    body = {"agreement": plain(agreement), "calendars": plain(used)}
    return Definition("agreement", agreement.key, fingerprint(body), body)


def offering_definition(policy: Policy, key: str) -> Definition:
    """The present version of an offering, with the calendars its approval counts in; KeyError if unknown."""
    offering = policy.offerings[key]
    return _definition("offering", key, offering, policy, (stage.calendar for stage in offering.approval))


def escalation_definition(policy: Policy, key: str) -> Definition:
    """The present version of an escalation, whose waits count round the clock; KeyError if unknown."""
    return _definition("escalation", key, policy.escalations[key], policy, ())


def changes_definition(rules: ChangeRules, policy: Policy) -> Definition:
    """The present version of the rules of changes, with the calendars in which approvers have time."""
    used = (stage.calendar for stages in rules.approval.values() for stage in stages)
    return _definition("changes", "changes", rules, policy, used)


def plan_definition(plan: Plan, ref: str) -> Definition:
    """A version of a continuity plan; when it is tried is no part of what its owner signs."""
    body = {"plan": plain(replace(plan, drills=()))}
    return Definition("plan", ref, fingerprint(body), body)


def _definition(kind: str, key: str, thing: object, policy: Policy, used: Iterable[str | None]) -> Definition:
    calendars = {each: policy.calendars[each] for each in used if each is not None}
    body = {kind: plain(thing), "calendars": plain(calendars)}
    return Definition(kind, key, fingerprint(body), body)


def agreement_from(body: Body) -> Agreement:
    """The agreement in a stored definition's body; raises pydantic's ValidationError for anything else."""
    return _read(Agreement, body["agreement"])


def offering_from(body: Body) -> Offering:
    """The offering in a stored definition's body; raises pydantic's ValidationError for anything else."""
    return _read(Offering, body["offering"])


def escalation_from(body: Body) -> Escalation:
    """The escalation in a stored definition's body; raises pydantic's ValidationError for anything else."""
    return _read(Escalation, body["escalation"])


def changes_from(body: Body) -> ChangeRules:
    """The rules of changes in a stored definition's body; raises pydantic's ValidationError for anything else."""
    return _read(ChangeRules, body["changes"])


def plan_from(body: Body) -> Plan:
    """The continuity plan in a stored definition's body; raises pydantic's ValidationError for anything else."""
    return _read(Plan, body["plan"])


def calendars_from(body: Body) -> dict[str, Calendar]:
    """The calendars that a stored definition's body brings with it, by key."""
    return {key: calendar_from(calendar) for key, calendar in body["calendars"].items()}


def calendar_from(body: Body) -> Calendar:
    """One calendar from its plain form (`plain(calendar)`)."""
    return _read(Calendar, body)


def _read(kind: type[T], body: Any) -> T:
    """Unlike a file, a stored body may hold a key that a later release has dropped: it is passed over."""
    if (
        kind not in _readers
    ):  # made when it is first needed, for a process that reads no body should not wait for it
        _readers[kind] = TypeAdapter(kind)
    found: T = _readers[kind].validate_python(body)
    return found
