"""From forms to Slack's modals and back to field errors; pure.

A question keeps its block id as long as it asks the same thing, because Slack keeps what was typed under an
id that stays; a question whose choices changed gets a new one and starts afresh.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from bot.adapters.slack import limits
from bot.adapters.slack.inbound import PLATFORM, About, keep
from bot.adapters.slack.render import (
    Block,
    context,
    escape,
    option,
    plain_text,
    sections,
    shortened,
    view_blocks,
)
from handlers.messages import FieldInput, Form, FormField, Option, Place, Reply

CALLBACK = "form"
YES_NO = (Option(label="Yes", value="yes"), Option(label="No", value="no"))

_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class DoesNotFit(Exception):
    """The form cannot be a modal; the sentence says why."""


def loading(title: str) -> Block:
    """What a modal shows until its form is known: a trigger lives three seconds, so it is spent at once."""
    return {
        "type": "modal",
        "title": plain_text(title, limits.VIEW_TITLE),
        "blocks": sections("One moment, please …"),
    }


def modal(form: Form, place: Place, about: About | None, workspace: str) -> Block:
    """A form as a modal. Raises DoesNotFit when Slack could not carry it."""
    kept = keep(form.line, place, about)
    if len(kept) > limits.PRIVATE_METADATA:
        raise DoesNotFit("That line is too long for a form here.")
    blocks = sections(escape(form.title)) if len(escape(form.title)) > limits.VIEW_TITLE else []
    blocks += sections(escape(form.note))
    for field in form.fields:
        blocks += _field(field, workspace)
    if len(blocks) > limits.VIEW_BLOCKS:
        raise DoesNotFit(f"The form has more questions than Slack can show ({limits.VIEW_BLOCKS}).")
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "title": plain_text(form.title, limits.VIEW_TITLE),
        "submit": plain_text(form.submit, limits.VIEW_BUTTON),
        "close": plain_text("Cancel", limits.VIEW_BUTTON),
        "private_metadata": kept,
        "blocks": blocks,
    }


def result(reply: Reply, place: Place) -> Block:
    """What came of it, in the modal that asked; its buttons act where the form was opened."""
    return {
        "type": "modal",
        "title": plain_text(reply.subject or "Deskbell", limits.VIEW_TITLE),
        "close": plain_text("Close", limits.VIEW_BUTTON),
        "private_metadata": keep("", place, None),
        "blocks": view_blocks(reply) or sections("–"),
    }


def home(reply: Reply) -> Block:
    """The Home tab."""
    return {"type": "home", "blocks": view_blocks(reply) or sections("–")}


def errors(form: Form, shown: Mapping[str, Any], fresh: Mapping[str, Any]) -> dict[str, str]:
    """The form's problems by the shown view's block ids; empty when other questions must be shown first."""
    ids = _block_ids(shown)
    if ids.keys() != _block_ids(fresh).keys():
        return {}
    return {ids[each.key]: each.error for each in form.fields if each.error and each.key in ids}


def _block_ids(view: Mapping[str, Any]) -> dict[str, str]:
    return {
        block["element"]["action_id"]: block["block_id"]
        for block in view.get("blocks", ())
        if block.get("type") == "input"
    }


def _field(field: FormField, workspace: str) -> list[Block]:
    said = context(f"⚠ {escape(field.error)}") if field.error else []
    if len(field.value) > limits.INPUT:
        said += context(
            f"What you wrote here has {len(field.value)} characters; {limits.INPUT} fit into a form."
        )
        field = field.model_copy(update={"value": ""})
    element = _native(field, workspace) or _text_input(field)
    block: Block = {
        "type": "input",
        "block_id": _block_id(field, element),
        "label": plain_text(field.label, limits.LABEL),
        "optional": not field.required,
        "element": {**element, "action_id": field.key},
    }
    if field.help:
        block["hint"] = plain_text(field.help, limits.HINT)
    if field.steers:
        block["dispatch_action"] = True
    return [*said, block]


def _block_id(field: FormField, element: Block) -> str:
    asked = "\n".join([element["type"], *(each["value"] for each in element.get("options", ()))])
    return f"{shortened(field.key, 200)}/{hashlib.sha256(asked.encode()).hexdigest()[:8]}"


def _native(field: FormField, workspace: str) -> Block | None:
    """Slack's own element for a question; None when it could not show the value, so that text must do."""
    match field.input:
        case FieldInput.CHOICE:
            return _select(field, field.options)
        case FieldInput.YES_NO:
            return _select(field, field.options or YES_NO)
        case FieldInput.DATE:
            return _date(field)
        case FieldInput.PERSON:
            return _person(field, workspace)
        case FieldInput.NUMBER:
            return _number(field)
        case _:
            return None


def _select(field: FormField, options: tuple[Option, ...]) -> Block | None:
    if not options or any(not 0 < len(each.value) <= limits.OPTION_VALUE for each in options):
        return None
    chosen = next((each for each in options if each.value.lower() == field.value.strip().lower()), None)
    initial = {"initial_option": option(chosen.label, chosen.value)} if chosen else {}
    if len(options) > limits.OPTIONS:
        return {"type": "external_select", "min_query_length": 0, **initial}
    return {
        "type": "static_select",
        "options": [option(each.label, each.value) for each in options],
        **initial,
    }


def _date(field: FormField) -> Block | None:
    if field.value and not _ISO_DAY.fullmatch(field.value):
        return None
    return {"type": "datepicker", **({"initial_date": field.value} if field.value else {})}


def _person(field: FormField, workspace: str) -> Block | None:
    user = field.value.removeprefix(f"@{PLATFORM}:{workspace}:")
    if not field.value:
        return {"type": "users_select"}
    if user != field.value:
        return {"type": "users_select", "initial_user": user}
    named = field.model_copy(update={"value": field.value.removeprefix("@")})
    chosen = _select(named, field.options)
    return chosen if chosen and "initial_option" in chosen else None


def _number(field: FormField) -> Block | None:
    if field.value and not (field.value.isascii() and field.value.isdigit()):
        return None
    initial = {"initial_value": field.value} if field.value else {}
    return {"type": "number_input", "is_decimal_allowed": False, **initial}


def _text_input(field: FormField) -> Block:
    element: Block = {
        "type": "plain_text_input",
        "multiline": field.input is FieldInput.TEXT,
        "max_length": max(1, min(max(field.at_most, len(field.value)), limits.INPUT)),
    }
    return {**element, "initial_value": field.value} if field.value else element
