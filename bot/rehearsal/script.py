"""The language of rehearsal files: people say lines, click and fill in; time passes; something is expected.

    policy: ../my-policies          which policy (a folder beside the file); the example organisation without it
    start: 2026-11-23 09:00         when it begins, in the organisation's zone

    @staff /request new question how do I print?
    @staff in #service-desk /request list
    @agent in REQ-1 /request take                     in the thread of its card
    @agent click REQ-1 "Take"
    @staff fill model:"Light 13 inch" replaces:no     answers the form they were shown last
    wait 3h
    until Tue 09:00
    down 24h                                          the desk is away meanwhile
    chat away                                         the platform takes nothing from the desk until `chat back`
    expect @staff hears "Alex Agent has REQ-1"        since the last line that was not an expectation
    expect @staff heard "…"                           at any time
    expect #service-desk shows "REQ-1"                what stands there now
    expect REQ-1 is in progress
    expect REQ-1 resolve is running
    expect REQ-1 resolve due Mon 15:00
    expect evidence REQ-1: request.received, request.taken
    expect ledger holds

`expect not …` turns an expectation round. Blank lines and what follows `#` and a space are for people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from config.policy import Policy, Promise
from handlers.errors import BadValue
from handlers.parsing import named, reference, tokens
from handlers.rules.moments import parse_duration, parse_when

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
"""Where a rehearsal begins that names no start: a Monday, so that two runs tell the same story."""


class NotUnderstood(ValueError):
    """A line of a rehearsal file that means nothing; says file, line and what could be meant."""

    def __init__(self, name: str, line: int, words: object) -> None:
        super().__init__(f"{name}:{line}: {words}")


@dataclass(frozen=True)
class Step:
    """One line: its number in the file, its text, and what it means."""

    number: int
    text: str


@dataclass(frozen=True)
class Say(Step):
    """Somebody types a line, privately to the desk, in a room, or below the card of a subject."""

    person: str
    line: str
    room: str | None = None
    below: str | None = None


@dataclass(frozen=True)
class Click(Step):
    """Somebody clicks a button on the newest message about a subject that they can see."""

    person: str
    subject: str
    label: str


@dataclass(frozen=True)
class Fill(Step):
    """Somebody answers the form that they were shown last."""

    person: str
    answers: dict[str, str]


@dataclass(frozen=True)
class Pass(Step):
    """Time passes: for a length, or until a moment; `down` says that the desk is away meanwhile."""

    length: timedelta | None
    until: str | None
    down: bool = False


@dataclass(frozen=True)
class Chat(Step):
    """From now on the platform takes nothing from the desk, although people can speak to it; or takes all again."""

    away: bool


@dataclass(frozen=True)
class Expect(Step):
    """Something must be so; `what` is the kind of expectation."""

    what: str
    about: str
    wanted: str
    negated: bool = False


@dataclass(frozen=True)
class Script:
    """A whole rehearsal file."""

    name: str
    steps: tuple[Step, ...]
    policy: Path | None = None
    start: str | None = None
    notes: tuple[str, ...] = field(default=())


_MEANS = "write @person …, wait, until, down, chat or expect (see docs/rehearsals.md)."
_ACT = re.compile(r"@(?P<person>[\w-]+)\s+(?:in\s+(?P<where>#[\w-]+|[A-Za-z]{3}-\d+)\s+)?(?P<rest>.+)")
_CLICK = re.compile(r'click\s+(?P<subject>\S+)\s+"(?P<label>[^"]+)"')
_EXPECTATIONS = (
    ("hears", re.compile(r'@(?P<about>[\w-]+) hears "(?P<wanted>[^"]+)"')),
    ("heard", re.compile(r'@(?P<about>[\w-]+) heard "(?P<wanted>[^"]+)"')),
    ("shows", re.compile(r'#(?P<about>[\w-]+) shows "(?P<wanted>[^"]+)"')),
    ("evidence", re.compile(r"evidence (?P<about>[A-Za-z]{3}-\d+): (?P<wanted>.+)")),
    ("includes", re.compile(r"evidence (?P<about>[A-Za-z]{3}-\d+) includes (?P<wanted>.+)")),
    ("due", re.compile(r"(?P<about>[A-Za-z]{3}-\d+ [\w-]+(?: [\w-]+)?) due (?P<wanted>.+)")),
    (
        "clock",
        re.compile(
            rf"(?P<about>[A-Za-z]{{3}}-\d+ (?:{'|'.join(Promise)}|fulfil-step \S+)) is (?P<wanted>.+)"
        ),
    ),
    ("is", re.compile(r"(?P<about>[A-Za-z]{3}-\d+) is (?P<wanted>.+)")),
    ("ledger", re.compile(r"(?P<about>ledger) (?P<wanted>holds)")),
)


def read(path: Path) -> Script:
    """The script in a file. Raises NotUnderstood with file and line for the first line that means nothing."""
    written = path.read_bytes()
    try:
        text = written.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = written.count(b"\n", 0, error.start) + 1
        raise NotUnderstood(path.name, line, "this is not UTF-8; save the file as UTF-8.") from None
    return parse(text, path.name, path.parent)


def parse(text: str, name: str, folder: Path) -> Script:
    """The script in a text; `folder` is what a `policy:` line is relative to."""
    steps: list[Step] = []
    policy: Path | None = None
    start: str | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)#(\s.*)?$", "", raw).strip()
        if not line:
            continue
        try:
            if line.startswith("policy:"):
                policy = (folder / line.removeprefix("policy:").strip()).resolve()
            elif line.startswith("start:"):
                start = line.removeprefix("start:").strip()
                parse_when(start, START, "UTC")  # only to see that it is a moment
            elif (step := _step(number, line)) is not None:
                steps.append(step)
            else:
                raise ValueError(f"“{line}” means nothing here; {_MEANS}")
        except ValueError as error:
            raise NotUnderstood(name, number, error) from None
    return Script(name, tuple(steps), policy, start)


def require_known(script: Script, policy: Policy) -> None:
    """Raises NotUnderstood for the first line with a person or a room that the policy does not know.

    Whom nobody knows would hear nothing, and every `expect not …` about them would hold.
    """
    for step in script.steps:
        try:
            match step:
                case Say(person=person, room=room):
                    _require(policy.people, "person", person)
                    if room is not None:
                        _require(policy.rooms, "room", room)
                case Click(person=person) | Fill(person=person):
                    _require(policy.people, "person", person)
                case Expect(what="hears" | "heard", about=person):
                    _require(policy.people, "person", person)
                case Expect(what="shows", about=room):
                    _require(policy.rooms, "room", room)
        except BadValue as error:
            raise NotUnderstood(script.name, step.number, error) from None


def _require(known: Mapping[str, Any], noun: str, key: str) -> None:
    if key not in known:
        raise BadValue(f"There is no {noun} “{key}”.", f"Did you mean {named(known, noun, key)}?")


def _step(number: int, line: str) -> Step | None:
    word, _, rest = line.partition(" ")
    rest = rest.strip()
    if line.startswith("@"):
        return _act(number, line)
    if word in ("wait", "down") and rest:
        return Pass(number, line, parse_duration(rest), None, down=word == "down")
    if word == "until" and rest:
        parse_when(rest, START, "UTC")  # only to see that it is a moment
        return Pass(number, line, None, rest)
    if line in ("chat away", "chat back"):
        return Chat(number, line, line.endswith("away"))
    if word == "expect":
        return _expectation(number, line, rest)
    return None


def _act(number: int, line: str) -> Step | None:
    match = _ACT.fullmatch(line)
    if match is None:
        return None
    person, rest, where = match["person"], match["rest"], match["where"]
    if click := _CLICK.fullmatch(rest):
        return Click(number, line, person, reference(click["subject"]) or click["subject"], click["label"])
    if rest.startswith("fill "):
        answers = {token.key: token.text for token in tokens(rest[5:]) if token.key}
        return Fill(number, line, person, answers) if answers else None
    room = where[1:] if where and where.startswith("#") else None
    below = reference(where) if where and not where.startswith("#") else None
    return Say(number, line, person, rest.removeprefix("/"), room, below)


def _expectation(number: int, line: str, rest: str) -> Expect | None:
    negated = rest.startswith("not ")
    rest = rest.removeprefix("not ")
    for what, pattern in _EXPECTATIONS:
        if match := pattern.fullmatch(rest):
            return Expect(number, line, what, match["about"], match["wanted"].strip(), negated)
    return None
