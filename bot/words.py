"""Words as a page shows them: parts with a kind, and instants in the reader's zone. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from handlers.messages import Moment, Part, Who

_LINK_OR_CODE = re.compile(r"(https?://[^\s<>\"'`]*[^\s<>\"'`.,;:!?)\]])|`([^`\n]{1,200})`")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@dataclass(frozen=True)
class Span:
    """A part of words as a template draws it; `stamp` is the instant for machines, `title` for people."""

    kind: Literal["text", "code", "link", "time", "person"]
    text: str
    title: str = ""
    stamp: str = ""
    relative: str = ""


def spans(words: Iterable[Part], zone: str, now: datetime) -> list[Span]:
    """Words as parts to draw, with instants in the reader's zone."""
    found: list[Span] = []
    for part in words:
        if isinstance(part, Moment):
            found.append(moment_span(part.moment, zone, now, part.relative))
        elif isinstance(part, Who):
            found.append(Span("person", part.name, title=part.person))
        else:
            found.extend(_text_spans(part))
    return found


def _text_spans(text: str) -> Iterator[Span]:
    at = 0
    for match in _LINK_OR_CODE.finditer(text):
        if match.start() > at:
            yield Span("text", text[at : match.start()])
        yield Span("link", match[1]) if match[1] else Span("code", match[2])
        at = match.end()
    if at < len(text):
        yield Span("text", text[at:])


def moment_span(moment: datetime, zone: str, now: datetime, relative: bool = False) -> Span:
    """An instant, short in the reader's zone; its title holds it in full, in UTC too."""
    local = moment.astimezone(ZoneInfo(zone))
    utc = moment.astimezone(UTC)
    full = f"{local:%A} {local.day} {local:%B %Y, %H:%M:%S %Z} ({utc:%Y-%m-%d %H:%M:%S} UTC)"
    year = "" if local.year == now.astimezone(ZoneInfo(zone)).year else f" {local.year}"
    return Span(
        "time",
        f"{local:%a} {local.day} {local:%b}{year} {local:%H:%M}",
        title=full,
        stamp=utc.isoformat(timespec="seconds").replace("+00:00", "Z"),
        relative=distance(moment, now) if relative else "",
    )


def distance(moment: datetime, now: datetime) -> str:
    """How far away an instant is, in its largest unit: `in 3 h`, `20 min ago`. console.js counts alike."""
    seconds = (moment - now).total_seconds()
    size = abs(seconds)
    if size < _MINUTE:
        return "now"
    if size < _HOUR:
        amount = f"{int(size // _MINUTE)} min"
    elif size < 2 * _DAY:
        amount = f"{int(size // _HOUR)} h"
    else:
        amount = f"{int(size // _DAY)} days"
    return f"in {amount}" if seconds > 0 else f"{amount} ago"


def day_and_time(moment: datetime, zone: str, now: datetime) -> str:
    """An instant as plain text in a zone, short: `Mon 23 Nov 09:00`."""
    return moment_span(moment, zone, now).text
