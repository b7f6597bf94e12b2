"""Reads the organisation's YAML files into one `Policy`, or tells everything that is wrong with them.

A folder holds up to twenty-two files; only `organisation.yaml` must be there. In most of them a key names
a thing and its body says the rest; the key becomes the value's `key`. Every bad line of every file
is reported together as `file:line: key: what is wrong; what to do`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config.checking import check
from config.closed_days import UnknownHolidays, closed_days
from config.looking import Draft
from config.policy import (
    Access,
    Agreement,
    AlertSource,
    Calendar,
    ChangeRules,
    ContinuityRules,
    Digest,
    Escalation,
    EvidenceRules,
    Freeze,
    IncidentRules,
    Offering,
    Organisation,
    Person,
    Plan,
    Policy,
    Readiness,
    Retention,
    Room,
    Rota,
    Service,
    StandardChange,
    Team,
    Webhook,
    fingerprint,
    is_length,
    length,
    shown,
)
from config.reading import MOST_BYTES, Place, PolicyErrors, Problem, Report, Written, read
from config.waking import FirstGap

__all__ = ["PolicyErrors", "PolicyFiles", "Problem", "load"]

NAMED: Mapping[str, type] = {
    "people": Person,
    "teams": Team,
    "rooms": Room,
    "services": Service,
    "catalogue": Offering,
    "calendars": Calendar,
    "agreements": Agreement,
    "rotas": Rota,
    "escalations": Escalation,
    "alerts": AlertSource,
    "standard-changes": StandardChange,
    "freezes": Freeze,
    "plans": Plan,
    "readiness": Readiness,
    "webhooks": Webhook,
    "digests": Digest,
}
"""The files in which a key names a thing, and what the body under it fills."""

WHOLE: Mapping[str, type] = {
    "organisation": Organisation,
    "access": Access,
    "incidents": IncidentRules,
    "changes": ChangeRules,
    "continuity": ContinuityRules,
    "evidence": EvidenceRules,
    "retention": Retention,
}
"""The files that fill one value."""

_ALL_OR_NOTHING = frozenset({"organisation", "incidents", "changes", "continuity"})
"""The files that say nothing at all where they are missing; every other one is then as if it were empty."""

_FILLED_HERE: Mapping[type, frozenset[str]] = {Calendar: frozenset({"closed"})}


class PolicyFiles:
    """A folder of policy files, and in `policy` the last good one that was read from it (None at first)."""

    def __init__(self, folder: Path, first_gap: FirstGap | None = None) -> None:
        self.folder = folder
        self._first_gap = first_gap
        self.policy: Policy | None = None
        self._seen: object = None

    def load(self) -> Policy:
        """Read the folder; raises PolicyErrors, and then `policy` stays what it was."""
        # Looked at before reading: a file that is saved meanwhile counts as changed.
        self._seen = self._look()
        self.policy = load(self.folder, self._first_gap)
        return self.policy

    def changed(self) -> bool:
        """Whether a file came, went, or has another size or time than at the last load, good or bad."""
        return self._look() != self._seen

    def reload(self) -> Policy | PolicyErrors:
        """Read the folder again; what is wrong comes back as a value, and the last good policy stays."""
        try:
            return self.load()
        except PolicyErrors as errors:
            return errors

    def _look(self) -> object:
        found = []
        for path in _policy_paths(self.folder):
            try:
                about = path.stat()
            except OSError:
                continue  # it went between the listing and the look, as editors do when they save
            found.append((path.name, about.st_mtime_ns, about.st_size))
        return found


def load(folder: Path, first_gap: FirstGap | None = None) -> Policy:
    """The policy that a folder's YAML files say; its `version` is the fingerprint of everything in it.

    Who is on call is decided elsewhere, so whatever finds the gaps of a rota is handed in; without it none is found.
    Raises PolicyErrors with every problem of every file, and nothing else for whatever files hold.
    """
    report = Report()
    files = _read_folder(folder, report)
    things = {name: _things(shape, files[name], report) for name, shape in NAMED.items() if name in files}
    wholes = {name: _filled(shape, files[name], (), report) for name, shape in WHOLE.items() if name in files}
    draft = Draft(
        files=files,
        organisation=wholes.get("organisation"),
        access=wholes.get("access"),
        people=things.get("people", {}),
        teams=things.get("teams", {}),
        rooms=things.get("rooms", {}),
        services=things.get("services", {}),
        offerings=things.get("catalogue", {}),
        calendars=things.get("calendars", {}),
        agreements=things.get("agreements", {}),
        rotas=things.get("rotas", {}),
        escalations=things.get("escalations", {}),
        alerts=things.get("alerts", {}),
        incidents=wholes.get("incidents"),
        changes=wholes.get("changes"),
        standard_changes=things.get("standard-changes", {}),
        freezes=things.get("freezes", {}),
        continuity=wholes.get("continuity"),
        plans=things.get("plans", {}),
        readiness=things.get("readiness", {}),
        digests=things.get("digests", {}),
        evidence=wholes.get("evidence"),
        retention=wholes.get("retention"),
        webhooks=things.get("webhooks", {}),
    )
    calendars = {
        key: replace(calendar, closed=_closed(calendar, folder, files["calendars"], report))
        for key, calendar in draft.calendars.items()
    }
    draft = replace(draft, calendars=calendars)
    check(draft, report, first_gap)
    if report.problems or draft.organisation is None or draft.access is None:
        raise PolicyErrors(report.problems)
    policy = Policy(
        organisation=draft.organisation,
        people=draft.people,
        teams=draft.teams,
        rooms=draft.rooms,
        services=draft.services,
        offerings=draft.offerings,
        calendars=draft.calendars,
        agreements=draft.agreements,
        access=draft.access,
        rotas=draft.rotas,
        escalations=draft.escalations,
        alerts=draft.alerts,
        incidents=draft.incidents,
        changes=draft.changes,
        standard_changes=draft.standard_changes,
        freezes=draft.freezes,
        continuity=draft.continuity,
        plans=draft.plans,
        readiness=draft.readiness,
        digests=draft.digests,
        evidence=draft.evidence or EvidenceRules(),
        retention=draft.retention or Retention(),
        webhooks=draft.webhooks,
    )
    return replace(policy, version=fingerprint(policy))


# Files ---------------------------------------------------------------------------------------------


def _policy_paths(folder: Path) -> list[Path]:
    """What belongs to a policy in a folder: YAML files and the iCalendar files that calendars name."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in {".yaml", ".yml", ".ics"})
    except OSError:
        return []


def _read_folder(folder: Path, report: Report) -> dict[str, Written]:
    """What each file says, by its name without `.yaml`; a file that cannot be read is left out."""
    if not folder.is_dir():
        problem = Problem(folder.name, 1, "", "is not a folder; name the folder of the policy's YAML files")
        raise PolicyErrors({problem})
    known = [f"{name}.yaml" for name in (*WHOLE, *NAMED)]
    for path in _policy_paths(folder):
        if path.suffix != ".ics" and path.name not in known:
            near = get_close_matches(path.name, known, 1)
            advice = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            report.problems.add(Problem(path.name, 1, "", f"is no file of a policy; {advice}"))
    files = {}
    for name in known:
        path = folder / name
        try:
            with path.open("rb") as file:
                content = file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            if name == "organisation.yaml":
                report.problems.add(
                    Problem(name, 1, "", "is missing; write name, zone and the two rooms in it")
                )
            if path.stem in _ALL_OR_NOTHING:
                continue
            content = b""
        except OSError as error:
            report.problems.add(
                Problem(name, 1, "", f"cannot be read ({error.strerror}); give the desk access")
            )
            continue
        if (written := read(name, content, report)) is not None:
            files[path.stem] = written
    return files


# Values --------------------------------------------------------------------------------------------

Body = TypeVar("Body")


class _Strict(BaseModel, Generic[Body], extra="forbid"):
    """Passes its refusal of unknown keys on to the plain dataclasses inside it."""

    body: Body


@lru_cache(maxsize=32)
def _strict(shape: type) -> type[_Strict[Any]]:
    return _Strict[shape]  # type: ignore[valid-type]


def _things(shape: type, written: Written, report: Report) -> dict[str, Any]:
    found = {key: _filled(shape, written, (key,), report) for key in written.values}
    return {key: value for key, value in found.items() if value is not None}


def _filled(shape: type, written: Written, place: Place, report: Report) -> Any:
    """The value of `shape` that stands at a place, named by its key; None, with a report, if it is wrong."""
    body = written.at(place) if place else written.values
    if body is None:
        body = {}
    if not isinstance(body, dict):
        report.add(written, place, "is not a mapping; write its keys below it, each with a colon")
        return None
    ours = _FILLED_HERE.get(shape, frozenset()) | (frozenset({"key"}) if place else frozenset())
    for key in sorted(ours & set(body)):
        report.add(written, (*place, key), _unknown(key, shape, ours))
    asked = {key: value for key, value in body.items() if key not in ours}
    if place:
        asked["key"] = place[0]
    try:
        return _strict(shape).model_validate({"body": asked}).body
    except ValidationError as error:
        errors = error.errors(include_url=False)
        for each in errors:
            if each["type"] == "too_short" and any(_inside(other, each) for other in errors):
                continue  # the schema counts only the items that are right
            steps = tuple(step for step in each["loc"][1:] if step != "[key]")
            if place and steps == ("key",):
                steps = ()
            report.add(written, (*place, *steps), _message(each, shape, steps, ours))
        return None


def _inside(error: ErrorDetails, other: ErrorDetails) -> bool:
    depth = len(other["loc"])
    return len(error["loc"]) > depth and error["loc"][:depth] == other["loc"]


def _closed(calendar: Calendar, folder: Path, written: Written, report: Report) -> Mapping[Any, str]:
    problems: list[UnknownHolidays] = []
    days = closed_days(calendar.holidays, folder, problems)
    for problem in problems:
        report.add(written, (calendar.key, "holidays", problem.field), problem.message)
    return days


# Messages ------------------------------------------------------------------------------------------

_SAID: Mapping[str, str] = {
    "missing": "is missing; add it",
    "string_type": "is not a single text; write one value",
    "string_too_short": "is empty; write a value or take the line out",
    "string_too_long": "has more than {max_length} characters; shorten it",
    "tuple_type": "is not a list; write its items below it, each after a hyphen",
    "too_short": "is empty; write at least one",
    "too_long": "has more than {max_length} items; take some out",
    "dict_type": "is not a mapping; write its keys below it, each with a colon",
    "mapping_type": "is not a mapping; write its keys below it, each with a colon",
    "dataclass_type": "is not a mapping; write its keys below it, each with a colon",
    "int_type": "is not a single number; write one value",
    "int_parsing": "{input} is not a whole number; write digits only",
    "int_parsing_size": "{input} is not a whole number that anybody needs; write a smaller one",
    "int_from_float": "{input} is not a whole number; write digits only",
    "float_type": "is not a single number; write one value",
    "float_parsing": "{input} is not a number; write for example 95 or 99.5",
    "bool_type": "is neither yes nor no; write one of them",
    "bool_parsing": "{input} is neither yes nor no; write one of them",
    "greater_than": "{input} is not more than {gt}; write a greater value",
    "greater_than_equal": "{input} is less than {ge}; write {ge} or more",
    "less_than": "{input} is not less than {lt}; write a smaller value",
    "less_than_equal": "{input} is more than {le}; write {le} or less",
}


def _message(error: ErrorDetails, shape: type, steps: Place, ours: frozenset[str]) -> str:
    """What the schema found, in the words of somebody who edits a file."""
    kind, written, about = error["type"], error["input"], error.get("ctx", {})
    if kind == "unexpected_keyword_argument":
        return _unknown(
            str(steps[-1]), _shape_at(shape, steps[:-1]), ours if len(steps) == 1 else frozenset()
        )
    if kind != "missing" and written is None:
        return "is empty; write a value or take the line out"
    if kind == "value_error":
        return str(about["error"])
    if kind == "enum":
        options = [option.strip("'") for option in about["expected"].replace(" or ", ", ").split(", ")]
        return f"{shown(written)} is not known here; {_advice(written, options)}"
    if is_length(written):  # its bounds are told as it is written
        about = {name: length(each) if isinstance(each, int) else each for name, each in about.items()}
    if kind in _SAID:
        return _SAID[kind].format(**{**about, "input": shown(written)})
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}; correct it"


def _unknown(key: str, shape: type, ours: frozenset[str]) -> str:
    return (
        f"is not known here; {_advice(key, [each.name for each in fields(shape) if each.name not in ours])}"
    )


def _advice(written: object, known: list[str]) -> str:
    near = get_close_matches(str(written), known, 1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"


def _shape_at(shape: type, steps: Place) -> type:
    """The dataclass that a path of fields, keys and indexes leads to inside another."""
    found: Any = shape
    for step in steps:
        if is_dataclass(found):
            found = get_type_hints(found)[str(step)]
        else:
            found = get_args(found)[-1 if isinstance(step, str) else 0]
        while not is_dataclass(found) and type(None) in get_args(found):
            found = get_args(found)[0]
    return found  # type: ignore[no-any-return]
