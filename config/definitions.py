"""Definitions as they are stored for ever: a self-contained body, and the version that names it.

A ticket keeps the version of the agreement, the offering and the escalation that it began with. So a
stored agreement holds the calendars that its targets count in, closed days and all, and needs no file
and no library to answer again. Definitions never rewrite history: another body is another version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from config.policy import Agreement, Calendar, Escalation, Offering, Policy, fingerprint, plain

Body = Mapping[str, Any]

# Unlike a file, a stored body may hold a key that a later release has dropped: it is passed over.
_AGREEMENT = TypeAdapter(Agreement)
_OFFERING = TypeAdapter(Offering)
_ESCALATION = TypeAdapter(Escalation)
_CALENDAR = TypeAdapter(Calendar)


@dataclass(frozen=True)
class Definition:
    """A version of an `agreement`, `offering` or `escalation` (`kind`); `version` is the digest of its body."""

    kind: str
    key: str
    version: str
    body: Body


def definitions(policy: Policy) -> tuple[Definition, ...]:
    """Every agreement, offering and escalation of a policy, ready to be stored under (kind, key, version)."""
    return (
        *(agreement_definition(policy, key) for key in policy.agreements),
        *(offering_definition(policy, key) for key in policy.offerings),
        *(escalation_definition(policy, key) for key in policy.escalations),
    )


def agreement_definition(policy: Policy, key: str) -> Definition:
    """The present version of an agreement, with the calendars its targets count in; KeyError if unknown."""
    agreement = policy.agreements[key]
    return _definition("agreement", agreement, policy, (target.calendar for target in agreement.targets))


def offering_definition(policy: Policy, key: str) -> Definition:
    """The present version of an offering, with the calendars its approval counts in; KeyError if unknown."""
    offering = policy.offerings[key]
    return _definition("offering", offering, policy, (stage.calendar for stage in offering.approval))


def escalation_definition(policy: Policy, key: str) -> Definition:
    """The present version of an escalation, whose waits count round the clock; KeyError if unknown."""
    return _definition("escalation", policy.escalations[key], policy, ())


def _definition(
    kind: str, thing: Agreement | Offering | Escalation, policy: Policy, used: Iterable[str | None]
) -> Definition:
    calendars = {key: policy.calendars[key] for key in used if key is not None}
    body = {kind: plain(thing), "calendars": plain(calendars)}
    return Definition(kind, thing.key, fingerprint(body), body)


def agreement_from(body: Body) -> Agreement:
    """The agreement in a stored definition's body; raises pydantic's ValidationError for anything else."""
    return _AGREEMENT.validate_python(body["agreement"])


def offering_from(body: Body) -> Offering:
    """The offering in a stored definition's body; raises pydantic's ValidationError for anything else."""
    return _OFFERING.validate_python(body["offering"])


def escalation_from(body: Body) -> Escalation:
    """The escalation in a stored definition's body; raises pydantic's ValidationError for anything else."""
    return _ESCALATION.validate_python(body["escalation"])


def calendars_from(body: Body) -> dict[str, Calendar]:
    """The calendars that a stored definition's body brings with it, by key."""
    return {key: calendar_from(calendar) for key, calendar in body["calendars"].items()}


def calendar_from(body: Body) -> Calendar:
    """One calendar from its plain form (`plain(calendar)`)."""
    return _CALENDAR.validate_python(body)
