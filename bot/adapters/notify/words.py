"""A reply as plain text, for the ways that show nothing else: what it is, what is known, how to answer.

Pure functions. Nothing a person wrote steers a mail program, a phone or a terminal: control characters and
those that turn a line around are taken out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from handlers.messages import Moment, Part, Reply, Who, in_words

_STEERING = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_CUT = "…"


def zone_of(place: Mapping[str, Any]) -> ZoneInfo:
    """The zone of the person whom a place belongs to."""
    return ZoneInfo(str(place.get("zone") or "UTC"))


def plain(words: Iterable[Part], zone: ZoneInfo) -> str:
    """Words as text, instants in one zone and with its name."""
    shown = []
    for part in words:
        if isinstance(part, Moment):
            local = part.moment.astimezone(zone)
            shown.append(f"{local:%a} {local.day} {local:%b %Y %H:%M %Z}")
        else:
            shown.append(part.name if isinstance(part, Who) else part)
    return _STEERING.sub("", "".join(shown))


def title(reply: Reply) -> str:
    """The title in one line."""
    return " ".join(_STEERING.sub(" ", reply.title).split())


def facts(reply: Reply, zone: ZoneInfo) -> list[str]:
    """A line for each fact."""
    return [plain((f"{each.label}: ", *each.value), zone) for each in reply.facts]


def answers(reply: Reply) -> list[str]:
    """A line for each button: what it does, and what to say to the desk instead of pressing it."""
    return [_STEERING.sub("", f"{button.label}: {button.line}") for button in reply.buttons]


def body(reply: Reply, zone: ZoneInfo) -> str:
    """All but the title: text, facts, rows, what stands beneath; last, how to answer."""
    parts = [*_paragraphs(reply, zone)]
    if reply.buttons:
        parts.append("\n".join(("To answer, say this to the desk in chat:", *answers(reply))))
    return "\n\n".join(parts)


def _paragraphs(reply: Reply, zone: ZoneInfo) -> Iterable[str]:
    yield from filter(None, (plain(reply.text, zone).strip(), "\n".join(facts(reply, zone))))
    if reply.table is not None:
        rows = [", ".join(plain(cell, zone) for cell in row) for row in reply.table.rows]
        yield "\n".join(rows) or reply.table.empty
    for each in in_words(reply).more:
        yield "\n".join((title(each), *_paragraphs(each, zone)))


def short(reply: Reply, zone: ZoneInfo, at_most: int, mark: str) -> str:
    """Everything in one line of at most so many characters, its end being how to answer and a mark."""
    said = [f"{title(reply)}."]
    said += [f"{each}." for each in facts(reply, zone)]
    told = " ".join(" ".join(each.split()) for each in said)
    answer = f" In chat: {_STEERING.sub('', reply.buttons[0].line)}" if reply.buttons else ""
    end = f"{answer} #{mark}"
    return cut(told, at_most - len(end)) + end


def cut(text: str, at_most: int) -> str:
    """The beginning of a text, in at most so many characters; one that is longer ends in `…`."""
    return text if len(text) <= at_most else text[: max(at_most - len(_CUT), 0)].rstrip() + _CUT


def cut_bytes(text: str, at_most: int) -> str:
    """The beginning of a text, in at most so many bytes of UTF-8."""
    if len(text.encode()) <= at_most:
        return text
    kept = text.encode()[: at_most - len(_CUT.encode())].decode(errors="ignore")
    return kept.rstrip() + _CUT
