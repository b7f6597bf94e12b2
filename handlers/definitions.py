"""The definitions a ticket lives by: kept in the version that was in force when it was opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from config.definitions import (
    Definition,
    agreement_from,
    calendars_from,
    changes_from,
    definitions,
    escalation_from,
    offering_from,
)
from config.policy import Agreement, Calendar, ChangeRules, Escalation, Offering, Policy
from handlers.desk import Desk


@dataclass(frozen=True)
class Terms:
    """An agreement in one version, with its calendars resolved in theirs."""

    agreement: Agreement
    calendars: Mapping[str, Calendar]
    version: str


_in_force: dict[str, Mapping[tuple[str, str], tuple[str, Any]]] = {}


def in_force(policy: Policy) -> Mapping[tuple[str, str], tuple[str, Any]]:
    """(kind, key) → (version, body) of every definition that this policy puts in force."""
    if policy.version not in _in_force:
        _in_force.clear()
        _in_force[policy.version] = {
            (each.kind, each.key): (each.version, each.body) for each in definitions(policy)
        }
    return _in_force[policy.version]


def keep(desk: Desk, kind: str, key: str) -> str:
    """Keep the version of a definition that is in force now, because a ticket will point at it; returns the version."""
    version, body = in_force(desk.policy)[kind, key]
    desk.records.definitions.keep(kind, key, version, body, desk.now)
    return version


def keep_as(desk: Desk, definition: Definition) -> None:
    """Keep a definition that no file says, because tickets will point at it."""
    desk.records.definitions.keep(
        definition.kind, definition.key, definition.version, definition.body, desk.now
    )


def terms(desk: Desk, key: str, version: str) -> Terms:
    """The agreement a ticket lives by; raises LookupError when that version was never kept."""
    return _terms(key, version, _Body(desk, "agreement", key, version))


def offering(desk: Desk, key: str, version: str) -> Offering:
    """The offering a ticket was made from, as it was then."""
    return _offering(key, version, _Body(desk, "offering", key, version))


def escalation(desk: Desk, key: str, version: str) -> Escalation:
    """The escalation that an incident began with, as it was then."""
    return _escalation(key, version, _Body(desk, "escalation", key, version))


def changes(desk: Desk, version: str) -> tuple[ChangeRules, Mapping[str, Calendar]]:
    """The rules by which a change is decided on, with their calendars, as they were when it was submitted."""
    return _changes(version, _Body(desk, "changes", "changes", version))


class _Body:
    """Reads a stored body when the cache needs it; equal to every other, so that it is no part of the cache's key."""

    def __init__(self, desk: Desk, kind: str, key: str, version: str) -> None:
        self._definitions = desk.records.definitions
        self._wanted = (kind, key, version)

    def __call__(self) -> Any:
        return self._definitions.body(*self._wanted)

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Body)


@lru_cache(maxsize=512)
def _terms(key: str, version: str, body: _Body) -> Terms:
    stored = body()
    return Terms(agreement_from(stored), calendars_from(stored), version)


@lru_cache(maxsize=512)
def _escalation(key: str, version: str, body: _Body) -> Escalation:
    return escalation_from(body())


@lru_cache(maxsize=512)
def _offering(key: str, version: str, body: _Body) -> Offering:
    return offering_from(body())


@lru_cache(maxsize=64)
def _changes(version: str, body: _Body) -> tuple[ChangeRules, Mapping[str, Calendar]]:
    stored = body()
    return changes_from(stored), calendars_from(stored)
