"""How the console shows what the desk says: as plain text for a terminal, and as parts for the templates.

Pure functions. Whatever a person wrote stays text: the templates escape it, and what could steer a
terminal or turn a line around is taken out of plain text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from rich.cells import cell_len

from bot.words import distance
from handlers.messages import FieldInput, Form, Moment, Part, Reply, StepState, Table, Tone, Who, in_words

TONES: Mapping[Tone, tuple[str, str]] = {
    Tone.GOOD: ("✓", "Good"),
    Tone.WAITING: ("…", "Waiting"),
    Tone.BAD: ("!", "Problem"),
}
"""Symbol and word of each tone that has any: never colour alone."""

STATES: Mapping[StepState, str] = {
    StepState.PENDING: "·",
    StepState.READY: "▸",
    StepState.DOING: "…",
    StepState.DONE: "✓",
    StepState.FAILED: "!",
    StepState.SKIPPED: "»",
}
"""Symbol of each state of a step; the word stands beside it."""

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def day_of(moment: datetime, zone: str, now: datetime) -> tuple[str, str]:
    """The day of an instant at the reader's place: as a key, and in words for a line between messages."""
    day = moment.astimezone(ZoneInfo(zone)).date()
    today = now.astimezone(ZoneInfo(zone)).date()
    names = {0: "Today", 1: "Yesterday"}
    words = names.get((today - day).days) or f"{day:%A} {day.day} {day:%B}"
    return day.isoformat(), words if day.year == today.year else f"{words} {day.year}"


# Plain text --------------------------------------------------------------------------------------


def inert(text: str) -> str:
    """Text without what could steer a terminal or reverse its line; line breaks and tabs stay."""
    return _STEERING.sub("", text)


def to_text(reply: Reply, zone: str = "UTC") -> str:
    """A reply as plain text for a terminal or a transcript, with instants in `zone` (an IANA name).

    Title with its tone, text, facts and tables in aligned columns, each button as `[Label] line`, a form's
    questions with what is required. Ends without a line break. Raises ZoneInfoNotFoundError for an unknown
    zone.
    """
    return inert("\n".join(line.rstrip() for line in _reply_lines(reply, zone)))


def _reply_lines(reply: Reply, zone: str) -> Iterator[str]:
    mark = TONES.get(reply.tone)
    yield f"{mark[0]} {reply.title} [{mark[1].lower()}]" if mark else reply.title
    if reply.text:
        yield from _plain(reply.text, zone, reply.as_of).splitlines()
    yield from _columns(
        [[f"{fact.label}:", _plain(fact.value, zone, reply.as_of)] for fact in reply.facts], "  "
    )
    if reply.table:
        yield from _table_lines(reply.table, zone, reply.as_of)
    if reply.file:
        yield f"  file: {reply.file[0]} ({len(reply.file[1].encode())} bytes)"
    if reply.form:
        yield from _form_lines(reply.form)
    for button in reply.buttons:
        yield f"  [{button.label}] {button.line}"
    for section in in_words(reply).more:
        yield ""
        yield from _reply_lines(section, zone)


def _plain(words: Iterable[Part], zone: str, as_of: datetime | None) -> str:
    said = []
    for part in words:
        if isinstance(part, Moment):
            local = part.moment.astimezone(ZoneInfo(zone))
            away = f" ({distance(part.moment, as_of)})" if part.relative and as_of else ""
            said.append(f"{local:%a} {local.day} {local:%b %Y %H:%M %Z}{away}")
        else:
            said.append(part.name if isinstance(part, Who) else part)
    return "".join(said)


def _columns(rows: Sequence[Sequence[str]], indent: str) -> Iterator[str]:
    """Cells under each other, padded by what a terminal shows, which for some letters is two columns."""
    cells = [[inert(cell).replace("\n", " ").replace("\t", " ") for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield indent + "  ".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        )


def _table_lines(table: Table, zone: str, as_of: datetime | None) -> Iterator[str]:
    if not table.rows:
        yield f"  {table.empty}"
        return
    rows = [[_plain(cell, zone, as_of) for cell in row] for row in table.rows]
    head, *body = _columns([table.columns, *rows], "  ")
    yield head
    yield "  " + "─" * max(cell_len(line.strip()) for line in (head, *body))
    yield from body


def _form_lines(form: Form) -> Iterator[str]:
    yield f"  {form.title}: answer as {form.line} FIELD:ANSWER …"
    for field in form.fields:
        needed = "required" if field.required else "optional"
        among = f", one of {' | '.join(option.value for option in field.options)}" if field.options else ""
        given = f" = {field.value}" if field.value else ""
        yield f"  {field.key}: {field.label} ({needed}{among}){given}"
        if field.error:
            yield f"    ! {field.error}"
        elif field.help:
            yield f"    {field.help}"


# For the templates -------------------------------------------------------------------------------


def reply_of(stored: Mapping[str, Any]) -> Reply:
    """A stored reply; one that this version cannot read says so instead of taking the page down."""
    try:
        return Reply.model_validate(stored)
    except ValidationError:
        return Reply(title="Another version of the desk wrote this message.", tone=Tone.WAITING)


def sections(reply: Reply) -> list[Reply]:
    """A reply and every section under it, in reading order; a section's place in it names its file."""
    return [reply, *(each for section in reply.more for each in sections(section))]


def initials(name: str) -> str:
    """Up to two letters that stand for a name."""
    words = [word for word in re.split(r"[^\w]+", name) if word]
    return "".join(word[0] for word in (words if len(words) < 3 else [words[0], words[-1]])).upper() or "?"


def hue(key: str) -> int:
    """A colour number from 0 to 7 that a key keeps."""
    return sum(key.encode()) % 8


def emoji(name: str) -> str:
    """The character of an emoji's name (`ticket` is 🎫), or the name between colons."""
    try:
        return unicodedata.lookup(name.replace("_", " ").replace("-", " "))
    except KeyError:
        return f":{name}:"


def excerpt(text: str, at_most: int = 60) -> str:
    """The beginning of a text, on one line."""
    flat = " ".join(text.split())
    return flat if len(flat) <= at_most else f"{flat[: at_most - 1].rstrip()}…"


def widget(kind: FieldInput, has_options: bool) -> str:
    """Which widget asks for a value."""
    if has_options and kind in (FieldInput.CHOICE, FieldInput.PERSON):
        return "select"
    return {
        FieldInput.TEXT: "textarea",
        FieldInput.DATE: "date",
        FieldInput.NUMBER: "number",
        FieldInput.YES_NO: "yes-no",
    }.get(kind, "line")
