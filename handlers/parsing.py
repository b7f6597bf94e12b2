"""From a typed line to values: words, quotes, `key:value`, references, people, durations, dates.

A parameter's kind says how its text is read, how it is asked for in a form and what may complete
it. Kinds stand in the parameter's annotation, so a command's dataclass is its whole declaration.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Annotated, Any, Protocol

from config.policy import Policy, Priority
from handlers.errors import BadValue, TooLarge
from handlers.messages import FieldInput, Option
from handlers.rules import moments

LINE_AT_MOST = 8000

_QUOTES = {'"': '"', "“": "”", "„": "“"}  # as typed, and as English and German keyboards make them
_BEGIN = re.compile(r"\s*(?:([A-Za-z][A-Za-z0-9_-]{0,31}):)?(?=\S)")
_BARE = re.compile(r"\S+")
_REF = re.compile(r"([A-Za-z]{3})-?(\d{1,9})")


@dataclass(frozen=True)
class Token:
    """A word of a line: its text without quotes, its key if it was `key:value`, and where it stood."""

    text: str
    key: str | None
    start: int
    end: int
    whole: str


def tokens(line: str) -> list[Token]:
    """The words of a line in order; quotes keep words together, `key:value` is one word."""
    found: list[Token] = []
    # Looked up once: who opens many quotes and closes none must not make every one search the whole line.
    last = {closes: line.rfind(closes) for closes in _QUOTES.values()}
    at = 0
    while (begins := _BEGIN.match(line, at)) is not None:
        key, value_at = begins[1], begins.end()
        closes = _QUOTES.get(line[value_at], "")
        if closes and last[closes] > value_at:
            at = line.index(closes, value_at + 1) + 1
        else:
            bare = _BARE.match(line, value_at)
            at = bare.end() if bare else len(line)
        value = line[value_at:at]
        inside = len(value) > 1 and value[0] in _QUOTES and value[-1] in _QUOTES.values()
        start = value_at - len(key) - 1 if key else value_at
        text = value[1:-1] if inside else value
        found.append(Token(text, key.lower() if key else None, start, at, line[start:at]))
    return found


def quoted(text: str) -> str:
    """A text as one word of a line, as `tokens` reads it back; where it holds every kind of quote, `"` becomes `'`."""
    if re.fullmatch(r'[^\s"“”„:]+', text):
        return text
    for opens, closes in _QUOTES.items():
        if closes not in text:
            return f"{opens}{text}{closes}"
    return f'"{text.replace(chr(34), chr(39))}"'


def storable(text: str) -> str:
    """The same text without what no store can hold: PostgreSQL knows no zero character, UTF-8 no half pairs."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def plain(word: str) -> str:
    """A word as it is compared with known ones: small letters, without the invisible marks that keyboards add."""
    return "".join(letter for letter in word if unicodedata.category(letter) != "Cf").lower()


def reference(text: str) -> str | None:
    """`inc-7`, `INC7`, `Inc-7` as `INC-7`; None when it is no reference."""
    match = _REF.fullmatch(plain(text.strip()))
    return f"{match[1].upper()}-{int(match[2])}" if match else None


def near(word: str, known: Iterable[str], at_most: int = 3) -> list[str]:
    """The known words closest to a mistyped one, best first."""
    return difflib.get_close_matches(word.lower(), list(known), n=at_most, cutoff=0.6)


def named(known: Mapping[str, Any], noun: str, text: str, field: str = "") -> str:
    """The key of what a text calls by key, name or keyword. Raises BadValue with the nearest, or with what there is."""
    wanted = text.strip().lower()
    for key, each in known.items():
        if wanted in (key.lower(), each.name.lower()):
            return key
    for key, each in known.items():
        if wanted in getattr(each, "keywords", ()):
            return key
    close = near(wanted, known)
    raise BadValue(
        f"There is no {noun} called “{text[:60]}”.",
        f"Did you mean {' or '.join(close)}?" if close else f"Known: {', '.join(list(known)[:12])}.",
        field,
    )


@dataclass(frozen=True)
class Reading:
    """What a kind may know while it reads: the instant, the asker's zone, the policy, and how to find people."""

    now: datetime
    zone: str
    asker: str
    policy: Policy
    find_person: Callable[[str], str | None]
    people: Callable[[], Sequence[tuple[str, str]]]


class ParameterKind(Protocol):
    """How a parameter is read, asked for and completed."""

    @property
    def input(self) -> FieldInput:
        """How a form asks for it."""

    @property
    def at_most(self) -> int:
        """The longest text, in characters."""

    @property
    def takes_rest(self) -> bool:
        """Whether it takes all that is left of the line when it stands last."""

    def fits(self, text: str) -> bool:
        """Whether a positional word may be meant for this parameter."""

    def read(self, text: str, reading: Reading) -> Any:
        """The value, or BadValue with a sentence that says what to type instead."""

    def options(self, reading: Reading) -> Sequence[Option]:
        """What may be chosen, for menus and completion; empty when anything goes."""


@dataclass(frozen=True)
class Free:
    """Text: one word when quoted or short, all the rest of the line when it stands last."""

    at_most: int = 3000
    takes_rest: bool = True
    input: FieldInput = FieldInput.TEXT

    def fits(self, text: str) -> bool:
        return True

    def read(self, text: str, reading: Reading) -> str:
        text = text.strip()
        if not text:
            raise BadValue("This must not be empty.")
        if len(text) > self.at_most:
            raise TooLarge(
                f"That text has {len(text)} characters; {self.at_most} are allowed.",
                "Shorten it and send it again.",
            )
        return text

    def options(self, reading: Reading) -> Sequence[Option]:
        return ()


@dataclass(frozen=True)
class Reference:
    """A ticket's reference, such as REQ-7; may be left out inside the ticket's own thread."""

    prefix: str
    at_most: int = 20
    takes_rest: bool = False
    input: FieldInput = FieldInput.LINE

    def fits(self, text: str) -> bool:
        found = reference(text)
        return found is not None and (not self.prefix or found.startswith(f"{self.prefix}-"))

    def read(self, text: str, reading: Reading) -> str:
        found = reference(text) or (f"{self.prefix}-{int(text)}" if re.fullmatch(r"\d{1,9}", text) else None)
        wanted = self.prefix or "REQ"
        if found is None:
            raise BadValue(f"“{text[:40]}” is not a reference.", f"Write it like {wanted}-7.")
        if self.prefix and not found.startswith(f"{self.prefix}-"):
            raise BadValue(f"{found} is something else.", f"What is meant here is written like {wanted}-7.")
        return found

    def options(self, reading: Reading) -> Sequence[Option]:
        return ()


@dataclass(frozen=True)
class PersonKind:
    """A person: `@name`, a mention, or `me`."""

    at_most: int = 150
    takes_rest: bool = False
    input: FieldInput = FieldInput.PERSON

    def fits(self, text: str) -> bool:
        return True

    def read(self, text: str, reading: Reading) -> str:
        if plain(text.strip().removeprefix("@")) == "me":
            return reading.asker
        found = reading.find_person(text.removeprefix("@"))
        if found is None and text.count(":") == 2:
            raise BadValue("I have not met the person you mention.", "Ask them to type `desk whoami` once.")
        if found is None:
            close = near(text.removeprefix("@"), [key for key, _ in reading.people()])
            hint = (
                f"Did you mean {', '.join('@' + key for key in close)}?" if close else "Mention them with @."
            )
            raise BadValue(f"I do not know anyone called “{text[:60]}”.", hint)
        return found

    def options(self, reading: Reading) -> Sequence[Option]:
        return [Option(label=name, value=key) for key, name in reading.people()]


@dataclass(frozen=True)
class Choice:
    """One of a fixed set of words."""

    among: tuple[str, ...]
    at_most: int = 100
    takes_rest: bool = False
    input: FieldInput = FieldInput.CHOICE

    def fits(self, text: str) -> bool:
        return text.lower() in {each.lower() for each in self.among}

    def read(self, text: str, reading: Reading) -> str:
        for each in self.among:
            if each.lower() == text.strip().lower():
                return each
        raise BadValue(f"“{text[:40]}” is not one of {', '.join(self.among)}.", "Choose one of these.")

    def options(self, reading: Reading) -> Sequence[Option]:
        return [Option(label=each, value=each) for each in self.among]


@dataclass(frozen=True)
class Named:
    """The key of something the policy names, such as an offering or a service."""

    section: str
    noun: str
    at_most: int = 100
    takes_rest: bool = False
    input: FieldInput = FieldInput.CHOICE

    def fits(self, text: str) -> bool:
        return True

    def read(self, text: str, reading: Reading) -> str:
        return named(getattr(reading.policy, self.section), self.noun, text)

    def options(self, reading: Reading) -> Sequence[Option]:
        known = getattr(reading.policy, self.section)
        return [Option(label=each.name, value=key) for key, each in known.items()]


@dataclass(frozen=True)
class DurationKind:
    """A length of time, such as 30m, 4h, 2 days."""

    at_most: int = 60
    takes_rest: bool = False
    input: FieldInput = FieldInput.LINE

    def fits(self, text: str) -> bool:
        return text[:1].isdigit() or text[:1].upper() == "P"

    def read(self, text: str, reading: Reading) -> timedelta:
        try:
            return moments.parse_duration(text)
        except ValueError as error:
            raise BadValue(str(error)) from None

    def options(self, reading: Reading) -> Sequence[Option]:
        return ()


@dataclass(frozen=True)
class WhenKind:
    """A moment in the asker's zone, such as `tomorrow 9:00` or `2026-12-01 09:00`."""

    at_most: int = 60
    takes_rest: bool = True
    input: FieldInput = FieldInput.LINE

    def fits(self, text: str) -> bool:
        return True

    def read(self, text: str, reading: Reading) -> datetime:
        try:
            return moments.parse_when(text, reading.now, reading.zone)
        except ValueError as error:
            raise BadValue(str(error)) from None

    def options(self, reading: Reading) -> Sequence[Option]:
        return ()


@dataclass(frozen=True)
class DateKind:
    """A day in the asker's zone; `ahead`: today or later."""

    ahead: bool = False
    at_most: int = 60
    takes_rest: bool = False
    input: FieldInput = FieldInput.DATE

    def fits(self, text: str) -> bool:
        return True

    def read(self, text: str, reading: Reading) -> date:
        try:
            day = moments.parse_date(text, reading.now, reading.zone)
        except ValueError as error:
            raise BadValue(str(error)) from None
        if self.ahead and day < moments.parse_date("today", reading.now, reading.zone):
            raise BadValue(f"{day.isoformat()} is past.", "Name today or a later day.")
        return day

    def options(self, reading: Reading) -> Sequence[Option]:
        return ()


@dataclass(frozen=True)
class WholeNumber:
    """A whole number between two bounds."""

    least: int
    most: int
    at_most: int = 12
    takes_rest: bool = False
    input: FieldInput = FieldInput.NUMBER

    def fits(self, text: str) -> bool:
        return text.isdigit()

    def read(self, text: str, reading: Reading) -> int:
        if re.fullmatch(r"\d{1,9}", text.strip()) and self.least <= int(text) <= self.most:
            return int(text)
        raise BadValue(f"“{text[:20]}” is not a whole number from {self.least} to {self.most}.")

    def options(self, reading: Reading) -> Sequence[Option]:
        return ()


class Manner(Enum):
    """What is special about a parameter, said in its annotation."""

    BY_NAME = "never taken by its place in the line, only as `key:value` or from a form"
    UNASKED = "no form asks for it; what was given stays with the form's line"
    FROM_MESSAGE = "left out, the words of the message that the command was made from stand in for it"


class Answers(dict[str, str]):
    """Answers to questions that only the handler knows: any `key:value` that is no parameter of its own."""


Text = Annotated[str, Free()]
Line = Annotated[str, Free(at_most=200, input=FieldInput.LINE)]
Word = Annotated[str, Free(at_most=100, takes_rest=False, input=FieldInput.LINE)]
AnyRef = Annotated[str, Reference("")]
RequestRef = Annotated[str, Reference("REQ")]
IncidentRef = Annotated[str, Reference("INC")]
PersonRef = Annotated[str, PersonKind()]
Duration = Annotated[timedelta, DurationKind()]
When = Annotated[datetime, WhenKind()]
Day = Annotated[date, DateKind()]
PriorityWord = Annotated[str, Choice(tuple(Priority))]
OfferingKey = Annotated[str, Named("offerings", "offering")]
ServiceKey = Annotated[str, Named("services", "service")]
