"""From replies to Slack's blocks; pure.

Nothing is cut off in silence: long texts are split over several sections, long tables over several tables,
a reply over several messages; where only one message will do, it says what is missing and how to see it.
What people wrote is escaped, so that no text of theirs can mention or notify anyone, or hide where a link
leads; instants are shown in the reader's own zone; every message carries a text for notifications and screen
readers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any

from bot.adapters.slack import limits
from handlers.messages import (
    Button,
    Chart,
    Fact,
    Gantt,
    Moment,
    Part,
    Plot,
    Reply,
    RunSheet,
    SheetStep,
    StepState,
    Style,
    Table,
    Tone,
    Who,
    Words,
    in_words,
)

Block = dict[str, Any]

TONES = {Tone.GOOD: ("✅", "Done"), Tone.WAITING: ("⏳", "Waiting"), Tone.BAD: ("⛔", "Problem")}
"""Symbol and word; a plain tone has neither."""

NATIVE = frozenset({"data_table", "data_visualization", "plan"})
"""Blocks that Slack has not rolled out everywhere (docs.slack.dev/changelog, 2026); each has a way without it."""

STATES = {
    StepState.PENDING: ("▫️", "pending"),
    StepState.READY: ("▶️", "pending"),
    StepState.DOING: ("🔧", "in_progress"),
    StepState.DONE: ("✅", "complete"),
    StepState.FAILED: ("⛔", "error"),
    StepState.SKIPPED: ("⏭️", "complete"),
}
"""Symbol of a step's state, and what Slack calls it on a task card, which knows fewer."""

BUTTONS_IN_VIEW = 5
STEPS_IN_VIEW = 20
TABLE_PAGE = 20

_NOBODY: Mapping[str, str] = {}
_ATOMS = re.compile(r"<[^<>]*>|&(?:amp|lt|gt);|\n|[^\S\n]+|[^\s<&]+|.", re.DOTALL)
_ADDRESS = re.compile(r"https?://[^\s<>|\"“”]{1,1000}(?<![.,;:!?)\]'])")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_ACCOUNT = re.compile(r"[A-Z0-9]{2,40}")


@dataclass(frozen=True)
class Message:
    """What one message shows: the text for notifications, and the blocks."""

    text: str
    blocks: tuple[Block, ...]

    @property
    def natives(self) -> frozenset[str]:
        """The blocks in it that Slack has not rolled out everywhere."""
        return NATIVE.intersection(block["type"] for block in self.blocks)


@dataclass(frozen=True)
class Offer:
    """The button that opens a reply's form where no form can open by itself: the line, and the block's id."""

    line: str
    block_id: str | None = None


@dataclass(frozen=True)
class _Manner:
    """How to show: accounts by person where naming them so disturbs nobody, and which of Slack's new blocks."""

    accounts: Mapping[str, str]
    native: Collection[str]
    offer: Offer | None


# Texts


def escape(text: str) -> str:
    """Text in which Slack finds no mention, link or command (docs.slack.dev, "Escaping text")."""
    return _seen(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _seen(text: str) -> str:
    """Text without control characters and without the ones that turn the direction of what follows."""
    return _UNSEEN.sub("", text)


def mrkdwn(words: Iterable[Part], accounts: Mapping[str, str] = _NOBODY) -> str:
    """Words in Slack's markup. Addresses become links that show where they lead."""
    return "".join(_part(part, accounts) for part in words)


def _part(part: Part, accounts: Mapping[str, str]) -> str:
    if isinstance(part, Moment):
        return f"<!date^{int(part.moment.timestamp())}^{_date_format(part)}|{_in_utc(part)}>"
    if isinstance(part, Who):
        account = accounts.get(part.person, "")
        return f"<@{account}>" if _ACCOUNT.fullmatch(account) else escape(part.name)
    found, last = [], 0
    for match in _ADDRESS.finditer(part):
        found += [escape(part[last : match.start()]), f"<{escape(match[0])}>"]
        last = match.end()
    return "".join([*found, escape(part[last:])])


def _date_format(part: Moment) -> str:
    return "{date_short_pretty} {time} ({ago})" if part.relative else "{date_short_pretty} {time}"


def _in_utc(part: Moment) -> str:
    return f"{part.moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def flat(words: Iterable[Part]) -> str:
    """Words as escaped text without markup, for notifications and labels."""
    return "".join(
        escape(part if isinstance(part, str) else part.name if isinstance(part, Who) else _in_utc(part))
        for part in words
    )


def pieces(text: str, at_most: int) -> list[str]:
    """Escaped text in pieces of at most so many characters, cut between words and never inside markup."""
    found: list[list[str]] = [[]]
    used = 0
    for atom in [text] if len(text) <= at_most else _atoms(text, at_most):
        if used + len(atom) > at_most:
            found.append([])
            used = 0
        found[-1].append(atom)
        used += len(atom)
    return [piece for parts in found if (piece := "".join(parts).strip())]


def _atoms(text: str, at_most: int) -> Iterator[str]:
    for match in _ATOMS.finditer(text):
        for start in range(0, len(match[0]), at_most):
            yield match[0][start : start + at_most]


def shortened(text: str, at_most: int) -> str:
    """Escaped text that fits a label; what is left out shows as an ellipsis."""
    text = escape(" ".join(text.split()))
    if len(text) <= at_most:
        return text
    kept = pieces(text, at_most - 2)
    return f"{kept[0] if kept else ''} …"


def plain_text(text: str, at_most: int) -> Block:
    """A text object without markup; Slack decodes the three entities here too."""
    return {"type": "plain_text", "text": shortened(text, at_most) or "–"}


def marked(text: str) -> Block:
    """A text object with markup, in which Slack must not look for names and addresses by itself."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def sections(text: str) -> list[Block]:
    """Escaped text as one section or several."""
    return [{"type": "section", "text": marked(piece)} for piece in pieces(text, limits.SECTION)]


def context(text: str) -> list[Block]:
    """Small print."""
    return [{"type": "context", "elements": [marked(piece)]} for piece in pieces(text, limits.CONTEXT)]


# Replies


def messages(
    reply: Reply,
    accounts: Mapping[str, str] = _NOBODY,
    native: Collection[str] = NATIVE,
    offer: Offer | None = None,
) -> list[Message]:
    """A reply as as many messages as it needs."""
    packs = list(_pack(_blocks(reply, _Manner(accounts, native, offer)), limits.MESSAGE_BLOCKS))
    text = fallback(reply)
    said = [text, *(f"{shortened(reply.title, 200)} ({n} of {len(packs)})" for n in range(2, len(packs) + 1))]
    return [Message(words, tuple(pack)) for words, pack in zip(said, packs, strict=True)]


def message(
    reply: Reply,
    accounts: Mapping[str, str] = _NOBODY,
    native: Collection[str] = NATIVE,
    offer: Offer | None = None,
) -> Message:
    """A reply as one message; one that is too long says so and how to see the rest."""
    found = messages(reply, accounts, native, offer)
    if len(found) == 1:
        return found[0]
    kept = next(
        _pack(_blocks(reply, _Manner(accounts, native, offer)), limits.MESSAGE_BLOCKS, spare=_rest(reply))
    )
    return Message(fallback(reply), (*kept, *_rest(reply)))


def text_only(reply: Reply) -> Message:
    """A reply without blocks, for a Slack that takes none of ours."""
    return Message(fallback(reply), ())


def view_blocks(reply: Reply, accounts: Mapping[str, str] = _NOBODY) -> list[Block]:
    """A reply as the content of a modal or a Home tab, where tables are lines."""
    blocks = list(_blocks(reply, _Manner(accounts, native=(), offer=None)))
    if len(blocks) <= limits.VIEW_BLOCKS:
        return blocks
    rest = _rest(reply)
    return [*blocks[: limits.VIEW_BLOCKS - len(rest)], *rest]


def fallback(reply: Reply) -> str:
    """All of a reply as text, for notifications, screen readers and clients without blocks."""
    lines = list(_lines(reply))
    text = "\n".join(line for line in lines if line).strip()
    if len(text) <= limits.MESSAGE_TEXT_GOOD:
        return text or "–"
    more = "\n… the rest is in the message itself."
    return pieces(text, limits.MESSAGE_TEXT_GOOD - len(more))[0] + more


def _lines(reply: Reply) -> Iterator[str]:
    yield escape(_titled(reply))
    yield flat(reply.text)
    yield from (f"{escape(fact.label)}: {flat(fact.value)}" for fact in reply.facts)
    if reply.table:
        yield from (_row_line(reply.table, row, _flat_cell) for row in reply.table.rows)
        yield "" if reply.table.rows else escape(reply.table.empty)
    for part in in_words(reply).more:
        yield from _lines(part)


def _titled(reply: Reply) -> str:
    symbol, word = TONES.get(reply.tone, ("", ""))
    return f"{symbol} {word}: {reply.title}" if symbol else reply.title


def _blocks(reply: Reply, manner: _Manner) -> Iterator[Block]:
    yield from _title(_titled(reply))
    yield from sections(mrkdwn(reply.text, manner.accounts))
    yield from _facts(reply.facts, manner)
    if reply.table:
        yield from _table(reply.table, reply.title, manner)
    if reply.sheet:
        yield from _sheet(reply.sheet, manner)
    if reply.chart:
        yield from _chart(reply.chart, manner)
    for part in reply.more:
        yield {"type": "divider"}
        yield from _blocks(part, replace(manner, offer=None))
    yield from _buttons(reply.buttons)
    if reply.form and manner.offer:
        yield from _offered(manner.offer)
    yield from _footer(reply)


def _title(title: str) -> list[Block]:
    words = escape(" ".join(title.split()))
    if not words or len(words) > limits.HEADER:
        return sections(words)
    return [{"type": "header", "text": {"type": "plain_text", "text": words}}]


def _facts(facts: Sequence[Fact], manner: _Manner) -> Iterator[Block]:
    row: list[Block] = []
    for fact in facts:
        shown = f"*{escape(fact.label)}*\n{mrkdwn(fact.value, manner.accounts).strip() or '–'}"
        if len(shown) <= limits.SECTION_FIELD:
            row.append(marked(shown))
            continue
        yield from _field_rows(row)
        row = []
        yield from sections(shown)
    yield from _field_rows(row)


def _field_rows(fields: Sequence[Block]) -> Iterator[Block]:
    yield from ({"type": "section", "fields": few} for few in _runs(fields, limits.SECTION_FIELDS))


def _runs(items: Iterable[Block], at_most: int) -> Iterator[list[Block]]:
    """Items in runs that fit one block: not too many, nor so much that no message could hold the block."""
    run: list[Block] = []
    used = 0
    for item in items:
        took = size(item)
        if len(run) == at_most or used + took > limits.MESSAGE_BLOCKS_SIZE // 2:
            yield run
            run, used = [], 0
        run.append(item)
        used += took
    if run:
        yield run


def _footer(reply: Reply) -> list[Block]:
    said = [reply.subject or "", f"version {reply.version}" if reply.version is not None else ""]
    parts = [escape(part) for part in said if part]
    if reply.as_of:
        parts.append(f"as of {mrkdwn((Moment(moment=reply.as_of),))}")
    return context(" · ".join(parts))


def _rest(reply: Reply) -> list[Block]:
    blocks = context("This is too long for one Slack message, so a part of it is left out here.")
    how = [Button(label="Show all of it", line=reply.subject)] if reply.subject else []
    return [
        *blocks,
        *_buttons(how),
        *([] if how else context("Ask the desk for it yourself to see all of it.")),
    ]


# Tables


def _flat_cell(cell: Words) -> str:
    return " ".join(flat(cell).split())


def _row_line(table: Table, row: Sequence[Words], shown: Any) -> str:
    cells = [
        (column, text)
        for column, cell in zip(table.columns, row, strict=False)
        if (text := shown(cell).strip())
    ]
    if not cells:
        return "–"
    first, *others = cells
    return " · ".join([first[1], *(f"{escape(column)}: {text}" for column, text in others)])


def _table(table: Table, caption: str, manner: _Manner) -> Iterator[Block]:
    if not table.rows:
        yield from sections(escape(table.empty))
        return
    if "data_table" in manner.native and (native := _native_tables(table, caption, manner)):
        yield from native
        return
    lines = [f"• {_row_line(table, row, lambda cell: mrkdwn(cell, manner.accounts))}" for row in table.rows]
    yield from sections("\n".join(lines))


def _native_tables(table: Table, caption: str, manner: _Manner) -> list[Block]:
    """The table as `data_table` blocks (docs.slack.dev, May 2026); empty when it cannot be one."""
    width = len(table.columns)
    if not 1 <= width <= limits.TABLE_COLUMNS or any(len(row) != width for row in table.rows):
        return []
    head = [_raw(column) for column in table.columns]
    found: list[Block] = []
    for row in table.rows:
        cells = [_cell(cell, manner) for cell in row]
        if cell_size(head) + cell_size(cells) > limits.TABLE_SIZE:
            return []
        last = found[-1]["rows"] if found else []
        if (
            not found
            or len(last) > limits.TABLE_ROWS
            or table_size(found[-1]) + cell_size(cells) > limits.TABLE_SIZE
        ):
            last = [head]
            name = " ".join(_seen(caption).split()) or "Table"
            found.append({"type": "data_table", "caption": name, "rows": last, "page_size": TABLE_PAGE})
        last.append(cells)
    return found


def _cell(cell: Words, manner: _Manner) -> Block:
    """A cell; Slack parses nothing in its text, so nothing is escaped."""
    elements = [element for part in cell if (element := _cell_part(part, manner))]
    if all(element["type"] == "text" for element in elements):
        return _raw("".join(element["text"] for element in elements))
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}


def _raw(text: str) -> Block:
    return {"type": "raw_text", "text": _seen(text).strip() or "–"}


def _cell_part(part: Part, manner: _Manner) -> Block | None:
    if isinstance(part, Moment):
        stamp = int(part.moment.timestamp())
        return {"type": "date", "timestamp": stamp, "format": _date_format(part), "fallback": _in_utc(part)}
    if isinstance(part, Who):
        account = manner.accounts.get(part.person, "")
        if _ACCOUNT.fullmatch(account):
            return {"type": "user", "user_id": account}
    text = _seen(part if isinstance(part, str) else part.name)
    return {"type": "text", "text": text} if text else None


def cell_size(cells: Sequence[Block]) -> int:
    """The characters of a row's cells, dates by the longest way they may be shown."""
    return sum(
        len(cell.get("text", ""))
        + sum(
            len(part.get("text", "")) or 40
            for section in cell.get("elements", ())
            for part in section.get("elements", ())
        )
        for cell in cells
    )


def table_size(block: Block) -> int:
    """The characters in all cells of a `data_table`."""
    return sum(cell_size(row) for row in block["rows"])


# Charts


def _chart(chart: Chart | Gantt, manner: _Manner) -> Iterator[Block]:
    """A `data_visualization` (docs.slack.dev, June 2026) where the chart can be one; else what it shows, in words.

    Its words stand below it, too: a native chart has no text for screen readers, and knows no goal.
    """
    if "data_visualization" in manner.native and isinstance(chart, Chart) and fits_natively(chart):
        yield {"type": "data_visualization", "title": _seen(chart.title).strip(), "chart": _drawn(chart)}
        yield from context(escape(chart.alt))
        return
    yield from sections(f"*{escape(chart.title)}*\n{escape(chart.alt)}")
    yield from _table(chart.table, chart.title, manner)


def fits_natively(chart: Chart) -> bool:
    """Whether Slack can draw a chart whole: every label short and told apart, every value there."""
    names = [_seen(each.name).strip() for each in chart.series]
    categories = [_seen(each).strip() for each in chart.categories]
    short = all(0 < len(each) <= limits.CHART_LABEL for each in [*names, *categories])
    apart = len(set(names)) == len(names) and len(set(categories)) == len(categories)
    whole = len(chart.numbers) == len(names) * len(categories)
    few = chart.plot is not Plot.PIE or len(categories) <= limits.CHART_SERIES
    return short and apart and whole and few and 0 < len(_seen(chart.title).strip()) <= limits.CHART_TITLE


def _drawn(chart: Chart) -> Block:
    named = [
        [
            {"label": _seen(name).strip(), "value": value}
            for name, value in zip(chart.categories, each.values, strict=True)
        ]
        for each in chart.series
    ]
    if chart.plot is Plot.PIE:
        return {"type": "pie", "segments": named[0]}
    axes: Block = {"categories": [_seen(name).strip() for name in chart.categories]}
    if chart.unit:
        axes["y_label"] = shortened(chart.unit, limits.CHART_AXIS)
    series = [
        {"name": _seen(each.name).strip(), "data": data}
        for each, data in zip(chart.series, named, strict=True)
    ]
    return {"type": str(chart.plot), "series": series, "axis_config": axes}


# Run-sheets


def _sheet(sheet: RunSheet, manner: _Manner) -> Iterator[Block]:
    """A `plan` with a task for each step, or a list of them by lane; below it the buttons of the steps."""
    yield from sections(f"*{escape(sheet.state)}* · {escape(sheet.progress)}")
    sheet, left_out = sheet.brief(STEPS_IN_VIEW)
    yield from context(
        f"{left_out} of its steps that are over or not yet due are left out here." if left_out else ""
    )
    for lane in sheet.lanes:
        if "plan" in manner.native:
            title = shortened(lane.name or sheet.title, limits.PLAN_TITLE) or "Plan"
            for tasks in _runs((_task(step, manner) for step in lane.steps), limits.PLAN_TASKS):
                yield {"type": "plan", "title": title, "tasks": tasks}
        else:
            lines = [_step_line(step, manner) for step in lane.steps]
            yield from sections("\n".join([f"*{escape(lane.name)}*", *lines] if lane.name else lines))
    yield from _buttons(
        [
            button.model_copy(update={"label": f"{step.key}: {button.label}"})
            for step in sheet.steps
            for button in step.buttons
        ]
    )


def _task(step: SheetStep, manner: _Manner) -> Block:
    _, status = STATES[step.state]
    said = f"{step.key} {step.title} ({step.state})"
    block: Block = {
        "type": "task_card",
        "task_id": shortened(step.key, limits.IDENTIFIER),
        "title": shortened(said, limits.TASK_TITLE),
        "status": status,
    }
    for name, words in (("details", _who_and_when(step)), ("output", step.note)):
        elements = [element for part in words if (element := _cell_part(part, manner))]
        if elements:
            section = {"type": "rich_text_section", "elements": elements}
            block[name] = {"type": "rich_text", "elements": [section]}
    return block


def _step_line(step: SheetStep, manner: _Manner) -> str:
    symbol, _ = STATES[step.state]
    told = [f"{symbol} *{escape(step.key)}* {escape(step.title)} ({step.state})"]
    told += [mrkdwn(words, manner.accounts) for words in (_who_and_when(step), step.note) if words]
    return " · ".join(told)


def _who_and_when(step: SheetStep) -> tuple[Part, ...]:
    at = step.ended_at or step.started_at or step.planned_at
    what = "ended" if step.ended_at else "begun" if step.started_at else "planned"
    when: tuple[Part, ...] = (f"{what} ", Moment(moment=at)) if at else ()
    return (*step.owner, " · ", *when) if step.owner and when else (*step.owner, *when)


# Buttons


def _buttons(buttons: Sequence[Button]) -> Iterator[Block]:
    """The first few as buttons, the others behind a menu; one that must be confirmed is always a button."""
    shown: list[Block] = []
    behind: list[Button] = []
    for button in buttons:
        if len(button.line) > limits.BUTTON_VALUE:
            yield from context(f"“{escape(button.label)}” is too long for a button here: type it instead.")
        elif len(shown) >= BUTTONS_IN_VIEW and _fits_menu(button):
            behind.append(button)
        else:
            shown.append(_button(button))
    menus = [behind[start : start + limits.OVERFLOW] for start in range(0, len(behind), limits.OVERFLOW)]
    elements = [
        {**element, "action_id": f"say-{n}"} for n, element in enumerate([*shown, *map(_menu, menus)])
    ]
    yield from ({"type": "actions", "elements": few} for few in _runs(elements, limits.ACTIONS))


def _fits_menu(button: Button) -> bool:
    return (
        not button.confirm
        and len(button.line) <= limits.OPTION_VALUE
        and len(escape(button.label)) <= limits.OPTION
    )


def _button(button: Button) -> Block:
    block: Block = {"type": "button", "text": plain_text(button.label, limits.BUTTON), "value": button.line}
    if button.style is not Style.PLAIN:
        block["style"] = str(button.style)
    if button.confirm:
        block["confirm"] = {
            "title": plain_text("Are you sure?", limits.CONFIRM_TITLE),
            "text": plain_text(button.confirm, limits.CONFIRM_TEXT),
            "confirm": plain_text(button.label, limits.CONFIRM_BUTTON),
            "deny": plain_text("No, go back", limits.CONFIRM_BUTTON),
        }
    return block


def _menu(buttons: Sequence[Button]) -> Block:
    return {"type": "overflow", "options": [option(button.label, button.line) for button in buttons]}


def option(label: str, value: str) -> Block:
    """One choice of a menu."""
    return {"text": plain_text(label, limits.OPTION), "value": value}


def _offered(offer: Offer) -> Iterator[Block]:
    if len(offer.line) > limits.BUTTON_VALUE:
        yield from context("The line is too long to be kept behind a button: send a shorter one.")
        return
    element = {
        **_button(Button(label="Fill in the form", line=offer.line, style=Style.PRIMARY)),
        "action_id": "open",
    }
    yield {
        "type": "actions",
        "elements": [element],
        **({"block_id": offer.block_id} if offer.block_id else {}),
    }


# Packing


def size(block: Block) -> int:
    """What a block counts for in a message; tables have a limit of their own."""
    return (
        0
        if block.get("type") == "data_table"
        else len(json.dumps(block, ensure_ascii=False, separators=(",", ":"))) + 1
    )


def _pack(blocks: Iterable[Block], at_most: int, spare: Sequence[Block] = ()) -> Iterator[list[Block]]:
    """Blocks in order, as many messages as they need; each has room left for the spare ones."""
    most, room = at_most - len(spare), limits.MESSAGE_BLOCKS_SIZE - sum(size(block) for block in spare) - 2
    pack: list[Block] = []
    used = cells = charts = 0
    for block in blocks:
        table = table_size(block) if block["type"] == "data_table" else 0
        chart = int(block["type"] == "data_visualization")
        full = len(pack) == most or used + size(block) > room or cells + table > limits.TABLE_SIZE
        if pack and (full or charts + chart > limits.CHARTS):
            yield pack
            pack, used, cells, charts = [], 0, 0, 0
        pack.append(block)
        used += size(block)
        cells += table
        charts += chart
    yield pack
