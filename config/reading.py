"""One YAML file as plain text values, each with its line; nothing is ever constructed from it.

Every scalar stays the text that was written, so that `NO` is a country, `09:00` a time and `yes` an
answer; the schema says later what a text means (YAML 1.2 names this the failsafe schema, section
10.1). Anything that a policy has no use for and that has hurt readers of YAML is refused: tags,
several documents, deep nests, and aliases in numbers that would let a small file grow large.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NoReturn

import yaml

from config.policy import shown

Place = tuple[str | int, ...]

MOST_BYTES = 256 * 1024
LONGEST_LINE = 2000
DEEPEST = 12
MOST_ALIASES = 50
MOST_NODES = 20_000
MOST_GUESSES = 100

_BREAKS = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_USUAL_BREAKS = frozenset({"\r\n", "\n", "\r"})


@dataclass(frozen=True, order=True)
class Problem:
    """Something wrong in a policy: the file, its line (from 1), the key as a path, what to do."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: "
        return f"{where}{self.key}: {self.message}" if self.key else f"{where}{self.message}"


class PolicyErrors(Exception):
    """Everything that is wrong with a policy, in the order of files and lines."""

    def __init__(self, problems: set[Problem]) -> None:
        self.problems: list[Problem] = sorted(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass
class Report:
    """Gathers problems, so that all of them can be told together."""

    problems: set[Problem] = field(default_factory=set)
    _guesses: int = 0

    def near(self, name: str, known: Iterable[str]) -> str | None:
        """What was probably meant by a name, for the first hundred: all against all takes too long."""
        self._guesses += 1
        return (
            next(iter(get_close_matches(name, list(known), 1)), None)
            if self._guesses <= MOST_GUESSES
            else None
        )

    def add(self, written: Written, place: Place, message: str) -> None:
        self.problems.add(Problem(written.file, written.line(place), written.name(place), message))


@dataclass(frozen=True)
class Written:
    """What one file says: `values` by key, and for every place (a path of keys and indexes) its line."""

    file: str
    values: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[Place, int] = field(default_factory=dict)

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest thing around it that was written."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def at(self, place: Place) -> Any:
        """What stands at a place, or None where nothing does."""
        value: Any = self.values
        for step in place:
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value

    def name(self, place: Place) -> str:
        """A place for a reader: `laptop.fields.model`; what has no key is counted from 1."""
        names = []
        for depth, step in enumerate(place, start=1):
            if isinstance(step, int):
                item = self.at(place[:depth])
                key = item.get("key") if isinstance(item, dict) else None
                step = key if isinstance(key, str) else str(step + 1)
            names.append(step if len(step) <= 60 else step[:57] + "...")
        return ".".join(names)


class _Stop(Exception):
    """The rest of a file cannot be read."""


def read(file: str, content: bytes, report: Report) -> Written | None:
    """What a file says, or None when it cannot be read any further; what is wrong goes to `report`."""
    try:
        return _Reader(file, _text(file, content, report), report).document()
    except _Stop:
        return None


def _text(file: str, content: bytes, report: Report) -> str:
    """The file's text, when it is UTF-8 of a reasonable size that every editor shows in the same lines."""

    def refuse(line: int, message: str) -> NoReturn:
        report.problems.add(Problem(file, line, "", message))
        raise _Stop

    if len(content) > MOST_BYTES:
        refuse(1, f"is larger than {MOST_BYTES // 1024} KiB; split it or take out what is not needed")
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        refuse(1, "begins with a byte order mark; save it as UTF-8 without one")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        refuse(content[: error.start].count(b"\n") + 1, "is not UTF-8 here; save it as UTF-8")
    first = None
    for line, found in enumerate(_BREAKS.finditer(text), start=1):
        first = first or found.group()
        if found.group() != first or first not in _USUAL_BREAKS:
            refuse(line, "ends in another way than the first line; save the file with one kind of line end")
    lines = _BREAKS.split(text)
    for line, written in enumerate(lines, start=1):
        if len(written) > LONGEST_LINE:
            refuse(line, f"is longer than {LONGEST_LINE} characters; break the line")
        if unprintable := _UNPRINTABLE.search(written):
            refuse(line, f"holds the unprintable character U+{ord(unprintable.group()):04X}; take it out")
    return text


class _Reader:
    """Builds plain values out of the parser's events, one pass, bounded in depth and number."""

    def __init__(self, file: str, text: str, report: Report) -> None:
        self._file = file
        self._report = report
        # libyaml parses; a loader without resolvers leaves every scalar a text.
        self._events: Iterator[Any] = yaml.parse(text, Loader=yaml.CBaseLoader)
        self._lines: dict[Place, int] = {}
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0
        self._aliases = 0

    def document(self) -> Written:
        self._next()
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return Written(self._file)
        event = self._next()
        line = _line(event)
        values = self._value(event, ())
        self._next()
        if not isinstance(event := self._next(), yaml.StreamEndEvent):
            self._stop(event, "begins a second document; keep one to a file and take out the line '---'")
        if values is not None and not isinstance(values, dict):
            self._add(line, "", "is not a mapping; write keys at the margin, each with a colon")
            raise _Stop
        return Written(self._file, values or {}, self._lines)

    def _next(self) -> Any:
        try:
            return next(self._events)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            what = ", ".join(part for part in (error.context, error.problem) if part)
            self._add(
                int(getattr(mark, "line", 0)) + 1,
                "",
                f"is not valid YAML here ({what}); check indentation, colons, quotes and brackets",
            )
        except (yaml.YAMLError, ValueError) as error:
            self._add(1, "", f"is not valid YAML ({shown(error)}); write the file anew as plain text")
        raise _Stop

    def _add(self, line: int, key: str, message: str) -> None:
        self._report.problems.add(Problem(self._file, line, key, message))

    def _stop(self, event: Any, message: str) -> NoReturn:
        self._add(_line(event), "", message)
        raise _Stop

    def _name(self, place: Place) -> str:
        return Written(self._file).name(place)

    def _value(self, event: Any, place: Place) -> Any:
        """One value with all that is in it; its place gets a line unless its key has given it one."""
        self._lines.setdefault(place, _line(event))
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self._nodes
        self._count(event, 1)
        if len(place) > DEEPEST:
            self._stop(event, f"nests more than {DEEPEST} levels deep; a policy needs no more")
        if getattr(event, "tag", None) is not None:
            self._add(_line(event), self._name(place), f"has the tag {shown(event.tag)}; take the tag out")
        if isinstance(event, yaml.MappingStartEvent):
            value: Any = self._mapping(place)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(place)
        else:
            value = _scalar(event)
        if anchor := getattr(event, "anchor", None):
            self._anchors[anchor] = (value, self._nodes - before)
        return value

    def _count(self, event: Any, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            self._stop(event, f"holds more than {MOST_NODES} values with its aliases; make it smaller")

    def _alias(self, event: Any) -> Any:
        self._aliases += 1
        if self._aliases > MOST_ALIASES:
            self._stop(event, f"uses more than {MOST_ALIASES} aliases; write the values out")
        if event.anchor not in self._anchors:
            self._stop(event, f"uses *{event.anchor}, which no line above names; write &{event.anchor} first")
        value, nodes = self._anchors[event.anchor]
        self._count(event, nodes)
        return value

    def _sequence(self, place: Place) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._value(event, (*place, len(items))))
        return items

    def _mapping(self, place: Place) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._stop(event, "uses a list, a mapping or an alias as a key; write the key as plain text")
            key, line = event.value, _line(event)
            name = self._name((*place, key))
            if event.tag is not None:
                self._add(line, name, f"has the tag {shown(event.tag)}; take the tag out")
            known = self._lines.get((*place, key)) if key in entries else None
            self._lines[(*place, key)] = line
            value = self._value(self._next(), (*place, key))
            if known is None:
                entries[key] = value
            else:
                self._lines[(*place, key)] = known
                self._add(line, name, f"stands here again, first in line {known}; keep one of them")
        return entries


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _scalar(event: Any) -> str | None:
    value: str = event.value
    return None if not event.style and value in _NOTHING else value
