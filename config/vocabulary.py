"""CMMI for Services V1.3, its crosswalk and its evidence, as frozen values from the packaged files.

Each file is read at most once, when it is first asked for. Codes are the model's own with the process
area in front, as `SD SP 3.1`; generic practices are `GP 2.8`. Sources stand at the end of each file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import yaml


@dataclass(frozen=True)
class Practice:
    """A specific or generic practice; `area` is None for a generic one."""

    code: str
    title: str
    area: str | None
    goal: str


@dataclass(frozen=True)
class Goal:
    """A specific or generic goal with its practices in the model's order."""

    code: str
    title: str
    practices: tuple[Practice, ...]


@dataclass(frozen=True)
class ProcessArea:
    """A process area: `kind` is core, shared or service_specific; an `addition` may be left out whole."""

    code: str
    name: str
    category: str
    maturity_level: int
    kind: str
    addition: bool
    purpose: str
    goals: tuple[Goal, ...]


class EvidenceRole(StrEnum):
    """How an action speaks for a practice: as its own output, as a trace of it, as somebody's word."""

    DIRECT = "direct"
    INDIRECT = "indirect"
    AFFIRMATION = "affirmation"


@dataclass(frozen=True)
class Evidence:
    """An action that counts as evidence for a practice, and what it shows."""

    action: str
    role: EvidenceRole
    shows: str


class Framework(StrEnum):
    """What the crosswalk leads to, by the name of the edition."""

    ITIL4 = "itil4"
    ISO20000 = "iso20000_1_2018"
    COBIT2019 = "cobit2019"
    ITSCMM = "itscmm"


@dataclass(frozen=True)
class Link:
    """A target in another framework: `relation` is primary or supporting, `details` are COBIT's practices."""

    target: str
    relation: str
    details: tuple[str, ...]
    sources: tuple[str, ...]


@lru_cache(maxsize=1)
def process_areas() -> Mapping[str, ProcessArea]:
    """The 24 process areas by acronym, in the file's order."""
    found = {}
    for area in _read("cmmi_svc.yaml")["process_areas"]:
        found[area["id"]] = ProcessArea(
            code=area["id"],
            name=area["name"],
            category=area["category"],
            maturity_level=area["maturity_level"],
            kind=area["kind"],
            addition=area["addition"],
            purpose=area["purpose"],
            goals=tuple(_goals(area["goals"], area["id"])),
        )
    return MappingProxyType(found)


@lru_cache(maxsize=1)
def generic_goals() -> tuple[Goal, ...]:
    """GG 1 to GG 3 with their practices, which apply to every process area."""
    return tuple(_goals(_read("cmmi_svc.yaml")["generic_goals"], None))


@lru_cache(maxsize=1)
def practices() -> Mapping[str, Practice]:
    """All 181 specific and 13 generic practices by code, specific ones first."""
    goals = [goal for area in process_areas().values() for goal in area.goals]
    return MappingProxyType(
        {practice.code: practice for goal in (*goals, *generic_goals()) for practice in goal.practices}
    )


def _goals(goals: list[dict[str, Any]], area: str | None) -> Iterator[Goal]:
    for goal in goals:
        members = tuple(Practice(each["id"], each["title"], area, goal["id"]) for each in goal["practices"])
        yield Goal(goal["id"], goal["title"], members)


def event_practices(action: str) -> tuple[str, ...]:
    """The codes of the practices that an action such as `incident.declared` is evidence for; () if none."""
    return _event_practices().get(action, ())


@lru_cache(maxsize=1)
def _event_practices() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for code, actions in _evidence().items():
        for each in actions:
            found[each.action] = (*found.get(each.action, ()), code)
    return found


def evidence(code: str) -> tuple[Evidence, ...]:
    """The actions that count as evidence for a practice; () for one that the desk gathers nothing for."""
    return _evidence().get(code, ())


@lru_cache(maxsize=1)
def _evidence() -> Mapping[str, tuple[Evidence, ...]]:
    return {
        practice["id"]: tuple(
            Evidence(each["event"], EvidenceRole(each["role"]), each["shows"])
            for each in practice["evidence"]
        )
        for area in _read("evidence.yaml")["process_areas"]
        for practice in area["practices"]
    }


def crosswalk(code: str) -> Mapping[Framework, tuple[Link, ...]]:
    """Where a process area or a practice leads in other frameworks; a practice may inherit its area's links.

    A framework maps to () where nothing there helps. Empty for generic practices; KeyError for a code
    that is neither a process area nor a practice.
    """
    own = _crosswalk()
    if code in own:
        return own[code]
    if code in process_areas():
        return {}
    area = practices()[code].area
    return own.get(area, {}) if area is not None else {}


@lru_cache(maxsize=1)
def _crosswalk() -> Mapping[str, Mapping[Framework, tuple[Link, ...]]]:
    found = {}
    for area in _read("crosswalk.yaml")["process_areas"]:
        for each in (area, *area.get("practices", ())):
            found[each["id"]] = MappingProxyType(
                {Framework(name): tuple(map(_link, links)) for name, links in each["mappings"].items()}
            )
    return found


def _link(written: dict[str, Any]) -> Link:
    details = tuple(written.get("management_practices", ()))
    return Link(written["target"], written["relation"], details, tuple(written["sources"]))


def _read(name: str) -> Any:
    text = (files("config") / name).read_text(encoding="utf-8")
    # libyaml's loader takes a tenth of the time of the one in Python.
    return yaml.load(text, Loader=yaml.CSafeLoader)
