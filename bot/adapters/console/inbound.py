"""From a posted form to what was said: a command line, a form's answers, or an ordinary message. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from handlers.messages import Command, Place, Sender

PLATFORM = "console"
_KEY = re.compile(r"[0-9A-Za-z-]{8,64}")
_NUMBER = re.compile(r"[0-9]{1,15}")
_ANSWER = "answer."


class Unclear(Exception):
    """A form of ours never says this."""


@dataclass(frozen=True)
class Said:
    """What a form of the console said.

    `typed` lines come from the line at the bottom and are shown in the room; `of` is the message whose form
    was sent, `source` the message that a command is made from; a `draft` only asks for the form anew.
    """

    line: str
    room: str
    thread: int | None
    key: str
    answers: Mapping[str, str]
    of: int | None
    source: int | None
    typed: bool
    draft: bool


def said(fields: Mapping[str, str]) -> Said:
    """The fields of a posted form as what was said. Raises Unclear for what no page of ours sends."""
    key = fields.get("key", "")
    if not _KEY.fullmatch(key):
        raise Unclear("The form carries no key of its own.")
    line = fields.get("line", "").strip()
    answers = {
        name.removeprefix(_ANSWER): value for name, value in fields.items() if name.startswith(_ANSWER)
    }
    return Said(
        line=line,
        room=fields.get("room", ""),
        thread=_number(fields, "thread"),
        key=_once(key, line, answers),
        answers=answers,
        of=_number(fields, "of"),
        source=_number(fields, "source"),
        typed="typed" in fields,
        draft="draft" in fields,
    )


def _once(key: str, line: str, answers: Mapping[str, str]) -> str:
    # A browser's Back button brings an old page with its old key; another line from there is no repeat.
    content = json.dumps([line, sorted(answers.items())])
    return f"{key}/{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def _number(fields: Mapping[str, str], name: str) -> int | None:
    text = fields.get(name, "")
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise Unclear(f"{name} is not the number of a message.")
    return int(text)


def is_command(line: str, direct: bool, nouns: Collection[str]) -> bool:
    """Whether a typed line is meant for the desk: all of them in its own room, elsewhere by slash or noun."""
    first = line.split(maxsplit=1)[0].lower() if line.strip() else ""
    return direct or first.startswith("/") or first in nouns


def command(what: Said, sender: Sender, place: Place, source: str | None, message: str | None) -> Command:
    """What was said as a command. Its key holds the person, so that nobody gets another one's answer."""
    return Command(
        line=what.line.lstrip("/ ") or "desk help",
        sender=sender,
        place=place,
        key=f"{PLATFORM}/{sender.user}/{what.key}",
        answers=what.answers,
        source=source,
        message=message,
        draft=what.draft,
    )
