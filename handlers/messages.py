"""The one vocabulary for speech: what comes in and what goes out, with no platform in it.

A reply carries meaning, not markup: a title, a tone, facts, a table, buttons, a form. Each adapter
shows them in its platform's best way. Words are plain text with two kinds of part that platforms
show natively: an instant (in the reader's own zone) and a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a moment without a zone cannot be shown")
    return at


class Moment(_Said):
    """An instant, shown in the reader's zone; `relative` adds how far away it is."""

    moment: Annotated[datetime, AfterValidator(_aware)]
    relative: bool = False


class Who(_Said):
    """A person, shown as the platform shows people; nobody is notified by being named."""

    person: str
    name: str


Part = str | Moment | Who


def _parts(said: object) -> object:
    if isinstance(said, str):
        return (said,) if said else ()
    if isinstance(said, Moment | Who):
        return (said,)
    return tuple(part for part in said if part != "") if isinstance(said, tuple | list) else said


Words = Annotated[tuple[Part, ...], BeforeValidator(_parts)]


class Tone(StrEnum):
    """How a reply feels; always also said in words, never by colour alone."""

    PLAIN = "plain"
    GOOD = "good"
    WAITING = "waiting"
    BAD = "bad"


class Fact(_Said):
    """A named value, such as `Due` and an instant."""

    label: str
    value: Words


class Table(_Said):
    """Rows of words under column names; `empty` is said when there are none."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Words, ...], ...] = ()
    empty: str = "Nothing here."


class Style(StrEnum):
    """How strongly a button invites."""

    PLAIN = "plain"
    PRIMARY = "primary"
    DANGER = "danger"


class Button(_Said):
    """A command line someone could have typed, behind a label; `confirm` asks first."""

    label: str
    line: str
    style: Style = Style.PLAIN
    confirm: str | None = None


class Option(_Said):
    """One choice: what is shown and what is sent."""

    label: str
    value: str


class FieldInput(StrEnum):
    """How a value is asked for."""

    LINE = "line"
    TEXT = "text"
    CHOICE = "choice"
    DATE = "date"
    PERSON = "person"
    YES_NO = "yes-no"
    NUMBER = "number"


class FormField(_Said):
    """One question. `steers` says that other questions depend on its answer, so the form is asked for anew."""

    key: str
    label: str
    input: FieldInput = FieldInput.LINE
    required: bool = True
    options: tuple[Option, ...] = ()
    value: str = ""
    help: str = ""
    at_most: int = 3000
    error: str = ""
    steers: bool = False


class Form(_Said):
    """Questions whose answers complete a command line; sending it back runs `line` with the answers."""

    title: str
    line: str
    fields: tuple[FormField, ...]
    submit: str = "Send"
    note: str = ""


class Reply(_Said):
    """What the desk says. `subject` and `version` tell which ticket it shows and how fresh it is.

    `private` answers are for the asker alone; the room sees a reply only when it gains from it. `file` is a
    name and a text to hand over; `more` are further sections under this one.
    """

    title: str
    text: Words = ()
    tone: Tone = Tone.PLAIN
    facts: tuple[Fact, ...] = ()
    table: Table | None = None
    buttons: tuple[Button, ...] = ()
    form: Form | None = None
    subject: str | None = None
    version: int | None = None
    as_of: datetime | None = None
    private: bool = True
    file: tuple[str, str] | None = None
    more: tuple[Reply, ...] = ()


def facts(*pairs: tuple[str, Part | Iterable[Part] | None]) -> tuple[Fact, ...]:
    """Facts from (label, value) pairs; a pair without a value is left out."""
    return tuple(
        Fact(label=label, value=(value,) if isinstance(value, str | Moment | Who) else tuple(value))
        for label, value in pairs
        if value not in (None, "", ()) and value is not None
    )


def counted(number: int, noun: str) -> str:
    """A number of things: `1 record`, `2 records`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def flat(words: Iterable[Part], zone_text: str = "%Y-%m-%d %H:%M UTC") -> str:
    """Words as plain text: instants in UTC, people by name. For logs, fallbacks and files."""
    return "".join(
        part
        if isinstance(part, str)
        else part.name
        if isinstance(part, Who)
        else part.moment.strftime(zone_text)
        for part in words
    )


class Sender(_Said):
    """The account a command came from. `groups` are platform roles, `guest` accounts have no rights beyond staff.

    The desk itself, when a moment is due, is `desk`.
    """

    platform: str
    workspace: str = ""
    user: str
    name: str = ""
    zone: str | None = None
    groups: tuple[str, ...] = ()
    guest: bool = False
    direct: str | None = None


class Place(_Said):
    """Where a command was said, in the platform's own ids; `direct` is a private talk with the desk."""

    platform: str
    channel: str = ""
    thread: str | None = None
    direct: bool = False


DESK = Sender(platform="desk", user="desk", name="the desk")


class Command(_Said):
    """One line, said by someone, somewhere. `key` is the sender's own once-only key.

    `answers` are what a form sent back, by field; `source` is a link to the message it was made from, and
    `message` the text of it. A `draft` only asks for the form with the answers so far.
    """

    line: str
    sender: Sender
    place: Place
    key: str
    answers: Mapping[str, str] = Field(default_factory=dict)
    source: str | None = None
    message: str | None = None
    draft: bool = False


class Kind(StrEnum):
    """Delivery classes (how hard the courier tries): a page, a message, a reminder, a card's redraw.

    A space is no message: a channel of its own is opened for a subject.
    """

    PAGE = "page"
    MESSAGE = "message"
    REMINDER = "reminder"
    CARD = "card"
    SPACE = "space"


class ToPerson(_Said):
    """A private message to one person."""

    to: Literal["person"] = "person"
    person: str


class ToRoom(_Said):
    """A message in a room of the organisation."""

    to: Literal["room"] = "room"
    room: str


class ToThread(_Said):
    """A message below the card of a subject, or in the channel of its own, where those who work on it follow it."""

    to: Literal["thread"] = "thread"
    subject: str
    room: str


class ToSpace(_Said):
    """A channel of its own, on those platforms of the subject's room that have such; the reply is its topic.

    Whoever was woken for the subject is invited with `people`.
    """

    to: Literal["space"] = "space"
    room: str
    name: str
    people: tuple[str, ...] = ()


Audience = ToPerson | ToRoom | ToThread | ToSpace


class Notice(_Said):
    """Something others are told. `key` makes it once; `while_in` are the subject's states in which it still holds.

    A page to a person wakes them in every way that they name; when none of them works, the desk says the
    line `otherwise` to itself, once.
    """

    to: Audience
    reply: Reply
    key: str
    kind: Kind = Kind.MESSAGE
    subject: str | None = None
    while_in: tuple[str, ...] | None = None
    otherwise: str | None = None


class Card(_Said):
    """The living picture of a subject in a room: posted once, edited in place, drawn when it is sent."""

    subject: str
    room: str
