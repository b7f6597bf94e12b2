"""Forms in pages of five questions, and what is kept between the pages. Pure.

Discord shows a form only as the first answer to a click or command, never after another form. So a form that
goes on, or comes back with problems, is a message with a button, and the button's id says how to go on: the
line, the answers so far, and which questions come next. What is too long for an id is put aside in the
store under a key that stands in the id instead. Ids come back from people's own machines, so nothing in
them is believed: the command is run like any other and judges for itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import discord
from discord import ui

from bot.adapters.discord import inbound, limits
from bot.adapters.discord.render import inert
from handlers.messages import FieldInput, Form, FormField, Option

_ROOM = limits.CUSTOM_ID - len("form99:")
_KEY = 40
_YES_NO = (Option(label="Yes", value="yes"), Option(label="No", value="no"))


@dataclass(frozen=True)
class Draft:
    """A command that is being filled in: its line, the answers so far, and the questions to ask next.

    With no questions named, those still unasked are next. `source` and `message` are those of the message
    it is made from.
    """

    line: str
    answers: Mapping[str, str] = field(default_factory=dict)
    ask: tuple[str, ...] = ()
    source: str | None = None
    message: str | None = None

    def written(self) -> str:
        """The draft as text, without empty parts at its end."""
        parts: list[Any] = [self.line, dict(self.answers), list(self.ask), self.source, self.message]
        while len(parts) > 1 and not parts[-1]:
            parts.pop()
        return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def read(cls, written: str) -> Draft:
        """A draft from its text; raises ValueError for any other text."""
        parts = json.loads(written)
        if not isinstance(parts, list) or not 1 <= len(parts) <= 5:
            raise ValueError("not a draft")
        parts += [None] * (5 - len(parts))
        line, answers, ask, source, message = parts
        texts = [line, *dict(answers or {}).values(), *(ask or ()), source or "", message or ""]
        if not all(isinstance(each, str) for each in texts):
            raise ValueError("not a draft")
        return cls(line, dict(answers or {}), tuple(ask or ()), source, message)


def pack(draft: Draft, user: int) -> tuple[str, str | None]:
    """A draft as what stands in an id, and the text to put aside under it when it is too long to stand there.

    The key is a digest of owner and text, so it cannot be guessed, and the same draft is put aside once.
    """
    written = draft.written()
    if len(written) <= _ROOM:
        return written, None
    kept = f"{user}\n{written}"
    return hashlib.sha256(kept.encode()).hexdigest()[:_KEY], kept


def unpack(state: str, kept: str | None, user: int) -> Draft | None:
    """The draft behind what stood in an id; None when it is gone, somebody else's, or no draft at all."""
    if not state.startswith("["):
        owner, _, state = (kept or "").partition("\n")
        if owner != str(user):
            return None
    try:
        return Draft.read(state)
    except (ValueError, TypeError, RecursionError):
        return None


def next_questions(form: Form, draft: Draft) -> list[FormField]:
    """The questions of the next page: those wanted, else the unasked ones, else all; as many as fit."""
    wanted = [each for each in form.fields if each.key in draft.ask]
    open_ones = [each for each in form.fields if each.key not in draft.answers]
    fields = (wanted or open_ones or list(form.fields))[: limits.MODAL_PARTS]
    return fields[:-1] if form.note and _note_needs_room(form.note, fields) else fields


def _note_needs_room(note: str, fields: Sequence[FormField]) -> bool:
    beside = len(note) <= limits.LABEL_DESCRIPTION and not (fields[0].help or fields[0].error)
    return len(fields) == limits.MODAL_PARTS and not beside


def first_questions(form: Form, answers: Mapping[str, str]) -> tuple[str, ...]:
    """The keys to begin with: all where they fit; else those that are wrong, or have no answer yet."""
    if len(form.fields) <= limits.MODAL_PARTS:
        return tuple(each.key for each in form.fields)
    return tuple(
        each.key
        for each in form.fields
        if each.error or (not each.value and (each.required or each.key not in answers))
    )


def carried(form: Form, draft: Draft, shown: Iterable[FormField]) -> dict[str, str]:
    """The answers that a page's id must carry: all that are known but those the page sends back itself."""
    known = {each.key: each.value for each in form.fields if each.value} | dict(draft.answers)
    asked = {each.key for each in shown}
    return {key: value for key, value in known.items() if key not in asked}


def missing(form: Form, answers: Mapping[str, str]) -> bool:
    """Whether something that must be said was not, or was said wrongly."""
    return any(
        each.error or (each.required and not answers.get(each.key, each.value).strip())
        for each in form.fields
    )


def modal(form: Form, fields: Sequence[FormField], custom_id: str) -> ui.Modal:
    """One page of a form. It is stopped, because what comes back is understood from its id alone."""
    page = ui.Modal(title=limits.shortened(form.title, limits.MODAL_TITLE), timeout=None, custom_id=custom_id)
    note = form.note
    shown = inert(note)  # may be empty when nothing but control characters was written
    if shown and len(fields) < limits.MODAL_PARTS:
        page.add_item(ui.TextDisplay(shown))
        note = ""
    for each in fields:
        help_text = each.error or each.help or note
        note = ""
        page.add_item(
            ui.Label(
                text=limits.shortened(each.label, limits.LABEL),
                description=limits.shortened(help_text, limits.LABEL_DESCRIPTION) or None,
                component=_input(each),
            )
        )
    page.stop()
    return page


def _input(each: FormField) -> ui.Item[Any]:
    if each.input is FieldInput.PERSON:
        chosen = re.findall(rf"@{inbound.PLATFORM}:\d+:(\d+)", each.value)
        person = discord.SelectDefaultValueType.user
        return ui.UserSelect(
            custom_id=each.key,
            required=each.required,
            min_values=int(each.required),
            default_values=[discord.SelectDefaultValue(id=int(user), type=person) for user in chosen[:1]],
        )
    options = each.options or (_YES_NO if each.input is FieldInput.YES_NO else ())
    if each.input in (FieldInput.CHOICE, FieldInput.YES_NO) and _selectable(options):
        return _select(each, options)
    number = each.input is FieldInput.NUMBER  # its `at_most` is the greatest number, not a length
    at_most = limits.OPTION_VALUE if number else min(each.at_most, limits.TEXT_INPUT)
    return ui.TextInput(
        custom_id=each.key,
        style=discord.TextStyle.paragraph if each.input is FieldInput.TEXT else discord.TextStyle.short,
        required=each.required,
        max_length=at_most,
        default=each.value[:at_most] or None,  # one that was too long comes with the sentence that says so
    )


def _select(each: FormField, options: Sequence[Option]) -> ui.Select[Any]:
    return ui.Select(
        custom_id=each.key,
        required=each.required,
        min_values=int(each.required),
        options=[
            discord.SelectOption(
                label=limits.shortened(option.label, limits.OPTION_LABEL) or option.value,
                value=option.value,
                default=option.value == each.value,
            )
            for option in options
        ],
    )


def _selectable(options: Sequence[Option]) -> bool:
    values = {each.value for each in options}
    short = all(0 < len(each.value) <= limits.OPTION_VALUE for each in options)
    return 0 < len(options) <= limits.SELECT_OPTIONS and short and len(values) == len(options)
