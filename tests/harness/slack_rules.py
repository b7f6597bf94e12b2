"""What Slack refuses: its limits and shapes as complaints, from the product's own table of limits."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from bot.adapters.slack import limits
from bot.adapters.slack.render import size, table_size

NEW = ("data_table", "data_visualization", "plan")
ON_SURFACE = {
    "message": {"header", "section", "context", "actions", "divider", *NEW},
    "modal": {"header", "section", "context", "actions", "divider", "input"},
    "home": {"header", "section", "context", "actions", "divider"},
}
MARKUP = re.compile(r"<[^<>]*>|[<>]|&(?!(?:amp|lt|gt);)")
SAFE_MARKUP = re.compile(
    r"<!date\^-?\d+\^[^<>|]+\|[^<>|]+>|<@[A-Z0-9]+>|<https?://[^<>|\s]+>",
)


def unsafe(text: str, markup: bool) -> list[str]:
    """Control sequences in a text that nobody put there on purpose, and characters that should be escaped."""
    found = MARKUP.findall(text)
    return [each for each in found if not (markup and SAFE_MARKUP.fullmatch(each))]


def texts(thing: Any) -> Iterator[Mapping[str, Any]]:
    """Every text object within blocks or a view. Cells of tables are none: Slack parses nothing in them."""
    if isinstance(thing, Mapping):
        if thing.get("type") in ("plain_text", "mrkdwn"):
            yield thing
        elif thing.get("type") not in NEW:
            for part in thing.values():
                yield from texts(part)
    elif isinstance(thing, list | tuple):
        for part in thing:
            yield from texts(part)


def complaints_about_message(text: Any, blocks: Any) -> Iterator[str]:
    """What Slack would say of a message's text and blocks."""
    if not isinstance(text, str) or not text.strip():
        yield "no_text"
    elif len(text) > limits.MESSAGE_TEXT:
        yield "msg_too_long"
    if len(blocks) > limits.MESSAGE_BLOCKS:
        yield f"{len(blocks)} blocks"
    tables = [block for block in blocks if block.get("type") == "data_table"]
    if sum(map(table_size, tables)) > limits.TABLE_SIZE:
        yield "tables too large"
    if sum(block.get("type") == "data_visualization" for block in blocks) > limits.CHARTS:
        yield "too many charts"
    if sum(map(size, blocks)) > limits.MESSAGE_BLOCKS_SIZE:
        yield "msg_blocks_too_long"
    yield from complaints_about_blocks(blocks, "message")


def complaints_about_channel_name(name: str) -> Iterator[str]:
    """What Slack would say of a new channel's name, by its error codes."""
    if not name:
        yield "invalid_name_required"
    elif len(name) > limits.CHANNEL_NAME:
        yield "invalid_name_maxlength"
    elif not re.fullmatch(r"[a-z0-9_-]+", name):
        yield "invalid_name_specials"
    elif not name.strip("-_"):
        yield "invalid_name_punctuation"


def complaints_about_view(view: Mapping[str, Any]) -> Iterator[str]:
    """What Slack would say of a modal or a Home tab."""
    kind = view.get("type", "")
    if kind not in ("modal", "home"):
        yield f"a view of type {kind}"
        return
    blocks = view.get("blocks") or []
    if not 1 <= len(blocks) <= limits.VIEW_BLOCKS:
        yield f"{len(blocks)} blocks in a view"
    if len(view.get("private_metadata", "")) > limits.PRIVATE_METADATA:
        yield "private_metadata too long"
    if kind == "modal":
        yield from _text(view.get("title"), "plain_text", limits.VIEW_TITLE, "title")
        for name in ("submit", "close"):
            if name in view:
                yield from _text(view[name], "plain_text", limits.VIEW_BUTTON, name)
        if "submit" not in view and any(block.get("type") == "input" for block in blocks):
            yield "an input without submit"
    if len(view.get("callback_id", "")) > limits.IDENTIFIER:
        yield "callback_id too long"
    yield from complaints_about_blocks(blocks, kind)


def complaints_about_blocks(blocks: Any, surface: str) -> Iterator[str]:
    """What Slack would say of blocks on a surface."""
    ids = Counter(block["block_id"] for block in blocks if "block_id" in block)
    yield from (f"block_id {name} is used twice" for name, count in ids.items() if count > 1)
    yield from (
        f"block_id of {len(name)} characters" for name in ids if not 0 < len(name) <= limits.IDENTIFIER
    )
    for block in blocks:
        kind = block.get("type", "")
        if kind not in ON_SURFACE[surface]:
            yield f"a block of type {kind} in a {surface}"
        else:
            yield from _BLOCKS[kind](block)


def _text(thing: Any, kind: str, at_most: int, what: str) -> Iterator[str]:
    if not isinstance(thing, Mapping) or thing.get("type") != kind:
        yield f"{what} is no {kind}"
        return
    text = thing.get("text", "")
    if not 1 <= len(text) <= at_most:
        yield f"{what} has {len(text)} characters"
    if kind == "plain_text" and "verbatim" in thing:
        yield f"{what} is plain and verbatim"


def _header(block: Mapping[str, Any]) -> Iterator[str]:
    yield from _text(block.get("text"), "plain_text", limits.HEADER, "header")


def _section(block: Mapping[str, Any]) -> Iterator[str]:
    if "text" in block:
        yield from _text(block["text"], "mrkdwn", limits.SECTION, "section")
    fields = block.get("fields", [])
    if not fields and "text" not in block:
        yield "an empty section"
    if len(fields) > limits.SECTION_FIELDS:
        yield f"{len(fields)} fields"
    for field in fields:
        yield from _text(field, "mrkdwn", limits.SECTION_FIELD, "field")


def _context(block: Mapping[str, Any]) -> Iterator[str]:
    elements = block.get("elements", [])
    if not 1 <= len(elements) <= limits.CONTEXT_ELEMENTS:
        yield f"{len(elements)} elements in a context"
    for element in elements:
        yield from _text(element, "mrkdwn", limits.CONTEXT, "context")


def _actions(block: Mapping[str, Any]) -> Iterator[str]:
    elements = block.get("elements", [])
    if not 1 <= len(elements) <= limits.ACTIONS:
        yield f"{len(elements)} actions"
    ids = [element.get("action_id") for element in elements]
    if len(set(ids)) != len(ids) or not all(ids):
        yield "action ids are missing or used twice"
    for element in elements:
        yield from _element(element)


def _nothing(block: Mapping[str, Any]) -> Iterator[str]:
    yield from ()


def _table(block: Mapping[str, Any]) -> Iterator[str]:
    rows = block.get("rows", [])
    if not block.get("caption"):
        yield "a table without caption"
    if not 2 <= len(rows) <= limits.TABLE_ROWS + 1:
        yield f"{len(rows)} rows"
    if len({len(row) for row in rows}) != 1 or not 1 <= len(rows[0]) <= limits.TABLE_COLUMNS:
        yield "rows of different or wrong length"
    if not 1 <= block.get("page_size", 5) <= limits.TABLE_PAGE:
        yield "page_size"
    for number, row in enumerate(rows):
        for cell in row:
            kind = cell.get("type")
            if kind not in ("raw_text", "rich_text") or (number == 0 and kind != "raw_text"):
                yield f"a cell of type {kind} in row {number}"
            if kind == "raw_text" and not cell.get("text"):
                yield "an empty cell"


def _named(text: Any, at_most: int, what: str) -> Iterator[str]:
    if not isinstance(text, str) or not 1 <= len(text.strip()) <= len(text) <= at_most:
        yield f"{what} of a chart: {text!r}"


def _values(points: Any, at_most: int) -> Iterator[str]:
    if not 1 <= len(points) <= at_most:
        yield f"{len(points)} values in a chart"
    for point in points:
        yield from _named(point.get("label"), limits.CHART_LABEL, "label")
        if not isinstance(point.get("value"), int | float):
            yield f"a chart's value {point.get('value')!r}"


def _chart(block: Mapping[str, Any]) -> Iterator[str]:
    yield from _named(block.get("title"), limits.CHART_TITLE, "title")
    chart = block.get("chart", {})
    if chart.get("type") == "pie":
        yield from _values(chart.get("segments", []), limits.CHART_SERIES)
        return
    if chart.get("type") not in ("line", "bar", "area"):
        yield f"a chart of type {chart.get('type')}"
        return
    categories = chart["axis_config"]["categories"]
    if not 1 <= len(categories) <= limits.CHART_CATEGORIES or len(set(categories)) != len(categories):
        yield "categories"
    if len(chart["axis_config"].get("y_label", "")) > limits.CHART_AXIS:
        yield "y_label"
    names = [each["name"] for each in chart["series"]]
    if not 1 <= len(names) <= limits.CHART_SERIES or len(set(names)) != len(names):
        yield "series"
    for each in chart["series"]:
        yield from _named(each["name"], limits.CHART_LABEL, "series")
        yield from _values(each["data"], limits.CHART_CATEGORIES)
        if [point["label"] for point in each["data"]] != categories:
            yield "a series' labels are not the categories"


def _plan(block: Mapping[str, Any]) -> Iterator[str]:
    if not 1 <= len(block.get("title", "")) <= limits.PLAN_TITLE:
        yield "a plan's title"
    tasks = block.get("tasks", [])
    if not 1 <= len(tasks) <= limits.PLAN_TASKS:
        yield f"{len(tasks)} tasks"
    ids = [task.get("task_id") for task in tasks]
    if len(set(ids)) != len(ids) or not all(ids):
        yield "task ids are missing or used twice"
    for task in tasks:
        if task.get("type") != "task_card" or not 1 <= len(task.get("title", "")) <= limits.TASK_TITLE:
            yield "a task"
        if task.get("status") not in ("pending", "in_progress", "complete", "error"):
            yield f"a task's status {task.get('status')}"
        for name in ("details", "output"):
            if name in task and (task[name].get("type") != "rich_text" or not task[name].get("elements")):
                yield f"a task's {name}"


def _input(block: Mapping[str, Any]) -> Iterator[str]:
    yield from _text(block.get("label"), "plain_text", limits.LABEL, "label")
    if "hint" in block:
        yield from _text(block["hint"], "plain_text", limits.HINT, "hint")
    element = block.get("element", {})
    if not element.get("action_id"):
        yield "an input without action_id"
    yield from _element(element)


def _element(element: Mapping[str, Any]) -> Iterator[str]:
    kind = element.get("type", "")
    if len(element.get("action_id", "")) > limits.IDENTIFIER:
        yield "action_id too long"
    check = _ELEMENTS.get(kind)
    if check is None:
        yield f"an element of type {kind}"
    else:
        yield from check(element)


def _button(element: Mapping[str, Any]) -> Iterator[str]:
    yield from _text(element.get("text"), "plain_text", limits.BUTTON, "button")
    if not 0 < len(element.get("value", "")) <= limits.BUTTON_VALUE:
        yield "button value"
    if element.get("style", "primary") not in ("primary", "danger"):
        yield "button style"
    if confirm := element.get("confirm"):
        yield from _text(confirm.get("title"), "plain_text", limits.CONFIRM_TITLE, "confirm title")
        yield from _text(confirm.get("text"), "plain_text", limits.CONFIRM_TEXT, "confirm text")
        yield from _text(confirm.get("confirm"), "plain_text", limits.CONFIRM_BUTTON, "confirm button")
        yield from _text(confirm.get("deny"), "plain_text", limits.CONFIRM_BUTTON, "deny button")


def _options(options: Any, at_most: int) -> Iterator[str]:
    if not 1 <= len(options) <= at_most:
        yield f"{len(options)} options"
    for option in options:
        yield from _text(option.get("text"), "plain_text", limits.OPTION, "option")
        if not 0 < len(option.get("value", "")) <= limits.OPTION_VALUE:
            yield f"an option's value of {len(option.get('value', ''))}"


def _overflow(element: Mapping[str, Any]) -> Iterator[str]:
    yield from _options(element.get("options", []), limits.OVERFLOW)


def _select(element: Mapping[str, Any]) -> Iterator[str]:
    options = element.get("options", [])
    yield from _options(options, limits.OPTIONS)
    if "initial_option" in element and element["initial_option"] not in options:
        yield "initial_option is not among the options"


def _external(element: Mapping[str, Any]) -> Iterator[str]:
    if "initial_option" in element:
        yield from _options([element["initial_option"]], 1)


def _typed(element: Mapping[str, Any]) -> Iterator[str]:
    most = element.get("max_length", limits.INPUT)
    if not 1 <= most <= limits.INPUT:
        yield f"max_length {most}"
    if len(element.get("initial_value", "")) > most:
        yield "initial_value is longer than max_length"


def _number(element: Mapping[str, Any]) -> Iterator[str]:
    if "is_decimal_allowed" not in element:
        yield "number_input without is_decimal_allowed"
    if not re.fullmatch(r"-?\d*", element.get("initial_value", ""), re.ASCII):
        yield "initial_value is no number"


def _date(element: Mapping[str, Any]) -> Iterator[str]:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", element.get("initial_date", "2026-01-01"), re.ASCII):
        yield "initial_date is no date"


_ELEMENTS = {
    "button": _button,
    "overflow": _overflow,
    "static_select": _select,
    "external_select": _external,
    "users_select": _nothing,
    "plain_text_input": _typed,
    "number_input": _number,
    "datepicker": _date,
}
_BLOCKS = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "divider": _nothing,
    "data_table": _table,
    "data_visualization": _chart,
    "plan": _plan,
    "input": _input,
}


def complaints_about_manifest(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What Slack would say of an app's manifest."""
    shown, features = manifest["display_information"], manifest["features"]
    least, most = limits.APP_LONG_DESCRIPTION
    sizes = {
        "name": (len(shown["name"]), 1, limits.APP_NAME),
        "description": (len(shown["description"]), 1, limits.APP_DESCRIPTION),
        "long_description": (len(shown["long_description"]), least, most),
        "display_name": (len(features["bot_user"]["display_name"]), 1, limits.BOT_NAME),
        "shortcuts": (len(features["shortcuts"]), 0, limits.SHORTCUTS),
        "slash_commands": (len(features["slash_commands"]), 0, limits.COMMANDS),
        "bot_events": (len(manifest["settings"]["event_subscriptions"]["bot_events"]), 0, limits.BOT_EVENTS),
        "scopes": (len(manifest["oauth_config"]["scopes"]["bot"]), 1, limits.SCOPES),
    }
    for shortcut in features["shortcuts"]:
        sizes[f"shortcut {shortcut['name']}"] = (len(shortcut["name"]), 1, limits.SHORTCUT_NAME)
        sizes[f"its description {shortcut['name']}"] = (
            len(shortcut["description"]),
            1,
            limits.SHORTCUT_DESCRIPTION,
        )
    for command in features["slash_commands"]:
        name = command["command"].removeprefix("/")
        if not re.fullmatch(r"[a-z0-9_-]{1,32}", name) or name in limits.RESERVED_COMMANDS:
            yield f"command {name}"
        sizes[f"description of {name}"] = (len(command["description"]), 1, limits.COMMAND_DESCRIPTION)
        sizes[f"hint of {name}"] = (len(command["usage_hint"]), 0, limits.COMMAND_HINT)
    yield from (f"{what}: {size}" for what, (size, low, high) in sizes.items() if not low <= size <= high)
