"""From a reply to Discord's components v2: pure, within every limit, and all that people wrote made inert.

A reply becomes one container of texts, tables, pictures, button rows and a file; what does not fit into one message
goes on in the next. Nothing is cut off in silence. Instants are shown by Discord in the reader's own zone.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import discord
from discord import ui

from bot import drawing
from bot.adapters.discord import limits
from handlers.errors import HouseFault
from handlers.messages import (
    Button,
    Chart,
    Gantt,
    Moment,
    Part,
    Reply,
    RunSheet,
    SheetStep,
    StepState,
    Style,
    Table,
    Tone,
    Who,
    flat,
)

LINE_AT_MOST = limits.CUSTOM_ID - len("say99:")
"""The longest command line that a button can carry; the number tells equal buttons of one message apart."""
QUESTION_MARK = "¶"
"""Stands between a button's line and the question that is asked first."""

STEPS_IN_VIEW = 25
"""Steps of a run-sheet in a message."""

_CODE_WIDTH = 60  # characters; wider tables wrap in the window and are clearer as a list
_URL = r"https?://[^\s<>\[\]()|*`~\\\"'“”]+"
_INERT = re.compile(
    rf"(?P<url>{_URL})|(?P<mark>[\\*_~|`\[\]<])|(?P<start>(?m:^)[ \t]*(?=[-#>+]))|(?P<all>@(?=everyone|here))"
)
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What steers a terminal or turns a line around; nothing that is shown holds it."""

_ATOM = re.compile(r"\\.|<t:-?\d+:\w>|\*\*(?:\\.|[^*\\])+\*\*|.", re.DOTALL)
_STARTS = ("-", "#", ">", "+")
_SYMBOLS = {Tone.GOOD: "✅ ", Tone.WAITING: "⏳ ", Tone.BAD: "⚠️ "}
_WORDS = {Tone.GOOD: "all well", Tone.WAITING: "waiting", Tone.BAD: "needs attention"}
_COLOURS = {Tone.GOOD: 0x2E7D32, Tone.WAITING: 0xF9A825, Tone.BAD: 0xC62828}
_STATES = {
    StepState.PENDING: "▫️",
    StepState.READY: "▶️",
    StepState.DOING: "🔧",
    StepState.DONE: "✅",
    StepState.FAILED: "⛔",
    StepState.SKIPPED: "⏭️",
}
_STYLES = {
    Style.PLAIN: discord.ButtonStyle.secondary,
    Style.PRIMARY: discord.ButtonStyle.primary,
    Style.DANGER: discord.ButtonStyle.danger,
}


@dataclass(frozen=True)
class Control:
    """A button as Discord knows it: what it shows and the id that comes back with a click."""

    label: str
    custom_id: str
    style: Style = Style.PLAIN

    def item(self) -> ui.Button[Any]:
        """The button for a view."""
        return ui.Button(
            label=limits.shortened(self.label, limits.BUTTON_LABEL),
            custom_id=self.custom_id,
            style=_STYLES[self.style],
        )


@dataclass(frozen=True)
class Page:
    """What fits into one message."""

    blocks: tuple[_Block, ...]
    colour: int | None

    def view(self, mark: int | None = None) -> ui.LayoutView:
        """The message's layout. `mark` becomes the container's id, by which the message is recognised later.

        The view is stopped: clicks are answered by what their ids say, so the library need not remember it.
        """
        container: ui.Container[Any] = ui.Container(accent_colour=self.colour, id=mark)
        for block in self.blocks:
            container.add_item(block.item())
        view = ui.LayoutView(timeout=None)
        view.add_item(container)
        view.stop()
        return view

    async def files(self) -> list[discord.File]:
        """The files to send with it; fresh ones at every call, because sending uses them up."""
        found = []
        for block in self.blocks:
            if block.file:
                found.append(discord.File(BytesIO(block.file[1].encode()), block.file[0]))
            if block.picture:
                drawn = await drawing.drawn_apart(block.picture)
                found.append(discord.File(BytesIO(drawn), _picture_name(block.picture)))
        return found


@dataclass(frozen=True)
class _Block:
    """One part of a page: a text, a text with a button beside it, a row of buttons, a file, a picture, or a rule."""

    text: str = ""
    row: tuple[Control, ...] = ()
    beside: Control | None = None
    file: tuple[str, str] | None = None
    picture: Chart | Gantt | None = None

    @property
    def components(self) -> int:
        if self.beside:
            return 3
        return 1 + len(self.row)

    def item(self) -> ui.Item[Any]:
        if self.beside:
            return ui.Section(ui.TextDisplay(self.text), accessory=self.beside.item())
        if self.text:
            return ui.TextDisplay(self.text)
        if self.row:
            return ui.ActionRow(*(each.item() for each in self.row))
        if self.file:
            return ui.File(f"attachment://{self.file[0]}")
        if self.picture:
            alt = limits.shortened(STEERING.sub("", self.picture.alt), limits.ALT_TEXT)
            shown = discord.MediaGalleryItem(f"attachment://{_picture_name(self.picture)}", description=alt)
            return ui.MediaGallery(shown)
        return ui.Separator()


def render(reply: Reply, controls: Sequence[Control] = ()) -> list[Page]:
    """A reply as one or more messages; `controls` are further buttons, shown last.

    Raises HouseFault when a button's line or a file is longer than Discord can carry.
    """
    blocks = list(_blocks(reply, top=True))
    blocks.extend(_rows(controls))
    pages: list[list[_Block]] = []
    text = components = 0
    for block in _told_apart(blocks):
        text += len(block.text)
        components += block.components
        if not pages or text > limits.MESSAGE_TEXT or components > limits.MESSAGE_COMPONENTS - 1:
            pages.append([])
            text, components = len(block.text), block.components
        pages[-1].append(block)
    colour = _COLOURS.get(reply.tone)
    return [Page(tuple(page), colour) for page in pages]


def control(button: Button) -> Control:
    """A reply's button; its id carries the line, and the question to ask first where that fits.

    Raises HouseFault when the line is longer than LINE_AT_MOST.
    """
    if len(button.line) > LINE_AT_MOST:
        raise HouseFault(
            f"the button “{button.label}” carries a line of {len(button.line)} characters;"
            f" Discord can carry {LINE_AT_MOST}: {button.line}"
        )
    if button.confirm is None:
        return Control(button.label, f"say:{button.line}", button.style)
    asking = f"ask:{button.line}{QUESTION_MARK}{button.confirm}"
    fits = len(asking) <= limits.CUSTOM_ID - 2 and QUESTION_MARK not in f"{button.line}{button.confirm}"
    return Control(button.label, asking if fits else f"ask:{button.line}", button.style)


def words(parts: Iterable[Part]) -> str:
    """Words in Discord's markdown; what people wrote has no effect in it."""
    return "".join(_part(each) for each in parts)


def _part(part: Part) -> str:
    if isinstance(part, Moment):
        unix = int(part.moment.timestamp())
        return f"<t:{unix}:f> (<t:{unix}:R>)" if part.relative else f"<t:{unix}:f>"
    return inert(part.name if isinstance(part, Who) else part)


def inert(text: str) -> str:
    """Text that shows as it was written: no markup, no masked link, no mention; addresses stay links.

    Control characters and those that turn a line around are taken out.
    """
    return _INERT.sub(_defused, STEERING.sub("", text))


def _defused(found: re.Match[str]) -> str:
    if found["url"]:
        return found["url"]
    if found["all"]:
        return "@\u200b"  # no list of allowed mentions is needed for this to reach nobody
    if found["mark"]:
        return f"\\{found['mark']}"
    return f"{found['start']}\\"


def heading(reply: Reply) -> str:
    """The first line of a message."""
    return f"## {_SYMBOLS.get(reply.tone, '')}{inert(' '.join(STEERING.sub('', reply.title).split()))}"


def title_of(text: str) -> str:
    """The title that a message's text begins with, as it was before `heading` drew it."""
    line = text.partition("\n")[0].removeprefix("## ")
    for symbol in _SYMBOLS.values():
        line = line.removeprefix(symbol)
    return re.sub(r"\\([\W_])", r"\1", line).replace("\u200b", "")


def nonce(key: str, page: int = 0) -> str:
    """The once-only key of one message: the same for the same delivery, however often it is sent."""
    return hashlib.sha256(f"{key}\n{page}".encode()).hexdigest()[: limits.NONCE]


def mark(key: str, page: int = 0) -> int:
    """A number that a message carries as its container's id, because Discord gives no nonce back later."""
    return 1 + int.from_bytes(hashlib.sha256(f"mark\n{key}\n{page}".encode()).digest()[:4]) % (2**31 - 1)


def _blocks(reply: Reply, top: bool) -> Iterator[_Block]:
    head = heading(reply) if top else f"#{heading(reply)}"
    facts = [_fact(inert(fact.label), words(fact.value)) for fact in reply.facts]
    text = "\n".join(each for each in (head, words(reply.text), *facts) if each.strip())
    buttons = [control(each) for each in reply.buttons]
    texts = [_Block(piece) for piece in split(text, limits.MESSAGE_TEXT)]
    if not top and len(texts) == 1 and len(buttons) == 1 and not reply.table:
        texts, buttons = [replace(texts[0], beside=buttons[0])], []
    yield from texts
    if reply.table:
        yield from _table(reply.table)
    if reply.sheet:
        yield from _sheet(reply.sheet)
    if reply.chart:
        yield _Block(picture=reply.chart)
    if reply.file:
        yield _Block(file=_file(*reply.file))
    yield from _rows(buttons)
    for section in reply.more:
        yield _Block()
        yield from _blocks(section, top=False)
    if below := _below(reply):
        yield from (_Block(piece) for piece in split(f"-# {below}", limits.MESSAGE_TEXT))


def _fact(label: str, value: str) -> str:
    bold = len(label) <= limits.BUTTON_LABEL  # a longer one might have to be split, and half a bold is none
    return f"**{label}:** {value}" if bold else f"{label}: {value}"


def _below(reply: Reply) -> str:
    said = [_WORDS.get(reply.tone, "")]
    if reply.subject:
        said.append(inert(reply.subject))
    if reply.version is not None:
        said.append(f"version {reply.version}")
    if reply.as_of is not None:
        said.append(f"as of {_part(Moment(moment=reply.as_of))}")
    return " · ".join(each for each in said if each)


def _file(name: str, text: str) -> tuple[str, str]:
    if len(text.encode()) > limits.FILE_BYTES:
        raise HouseFault(f"the file “{name}” is larger than the {limits.FILE_BYTES} bytes that Discord takes")
    return re.sub(r"[^A-Za-z0-9._-]", "-", name).strip(".-") or "file.txt", text


def _picture_name(picture: Chart | Gantt) -> str:
    return f"chart-{hashlib.sha256(f'{picture.title} {picture.alt}'.encode()).hexdigest()[:8]}.png"


def _sheet(sheet: RunSheet) -> Iterator[_Block]:
    """Steps by lane, each with its state in a sign and a word; below them their buttons."""
    brief, left_out = sheet.brief(STEPS_IN_VIEW)
    said = [f"**{inert(sheet.state)}** · {inert(sheet.progress)}"]
    if left_out:
        said.append(f"-# {left_out} steps that are over or not yet due are left out here.")
    for lane in brief.lanes:
        said += [f"### {inert(' '.join(lane.name.split()))}"] if lane.name.strip() else []
        said += [_step(step) for step in lane.steps]
    yield from (_Block(piece) for piece in split("\n".join(said), limits.MESSAGE_TEXT))
    buttons = [(step.key, button) for step in brief.steps for button in step.buttons]
    yield from _rows([replace(control(each), label=f"{key}: {each.label}") for key, each in buttons])


def _step(step: SheetStep) -> str:
    at = step.ended_at or step.started_at or step.planned_at
    what = "ended" if step.ended_at else "begun" if step.started_at else "planned"
    said = [
        f"{_STATES[step.state]} **{inert(step.key)}** {inert(' '.join(step.title.split()))} ({step.state})"
    ]
    said += [words(step.owner)] if step.owner else []
    said += [f"{what} {_part(Moment(moment=at))}"] if at else []
    said += [" ".join(words(step.note).split())] if step.note else []
    return " · ".join(said)


def _rows(controls: Sequence[Control]) -> Iterator[_Block]:
    for start in range(0, len(controls), limits.ROW_BUTTONS):
        yield _Block(row=tuple(controls[start : start + limits.ROW_BUTTONS]))


def _told_apart(blocks: Iterable[_Block]) -> Iterator[_Block]:
    """Blocks whose buttons have ids of their own, because Discord refuses a message with two equal ones."""
    seen: dict[str, int] = {}

    def apart(each: Control) -> Control:
        again = seen[each.custom_id] = seen.get(each.custom_id, 0) + 1
        verb, _, rest = each.custom_id.partition(":")
        return each if again == 1 else replace(each, custom_id=f"{verb}{again}:{rest}")

    for block in blocks:
        yield replace(
            block,
            row=tuple(apart(each) for each in block.row),
            beside=apart(block.beside) if block.beside else None,
        )


def _table(table: Table) -> Iterator[_Block]:
    if not table.rows:
        yield from (_Block(piece) for piece in split(inert(table.empty), limits.MESSAGE_TEXT))
        return
    lines = _aligned(table)
    if lines is None:
        text = "\n".join(_listed(table.columns, row) for row in table.rows)
        yield from (_Block(piece) for piece in split(text, limits.MESSAGE_TEXT))
        return
    head, *rows = lines
    at_once = (limits.MESSAGE_TEXT - len("```\n\n```")) // (max(map(len, lines)) + 1) - 1
    for start in range(0, len(rows), at_once):
        body = "\n".join([head, *rows[start : start + at_once]])
        yield _Block(f"```\n{body}\n```")


def _aligned(table: Table) -> list[str] | None:
    """The table's lines with its columns aligned; None where that cannot be, or a list is clearer."""
    cells = [table.columns, *(tuple(flat(cell) for cell in row) for row in table.rows)]
    if any(isinstance(part, Moment) for row in table.rows for cell in row for part in cell):
        return None  # instants show in the reader's zone only outside code
    if any("`" in cell or not cell.isprintable() for row in cells for cell in row):
        return None
    columns = max(len(row) for row in cells)
    widths = [max((_width(row[at]) for row in cells if at < len(row)), default=0) for at in range(columns)]
    if sum(widths) + 2 * (columns - 1) > _CODE_WIDTH:
        return None
    return [
        "  ".join(cell + " " * (widths[at] - _width(cell)) for at, cell in enumerate(row)).rstrip()
        for row in cells
    ]


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


def _listed(columns: Sequence[str], row: Sequence[Iterable[Part]]) -> str:
    said = []
    for at, cell in enumerate(row):
        value = " ".join(words(cell).split())
        if value:
            said.append(value if at == 0 or at >= len(columns) else f"{inert(columns[at])}: {value}")
    return "• " + " · ".join(said)


def split(text: str, at_most: int) -> list[str]:
    """Markdown in pieces of at most so many characters, broken at a line's end or a space where there is one.

    An escaped character, an instant and a bold label stay whole, so that no piece means something else.
    """
    pieces: list[str] = []
    atoms = [(found.start(), found.end()) for found in _ATOM.finditer(text)]
    start = 0
    while start < len(text):
        last = _end(text, atoms, start, at_most - 1)
        piece = text[start:last].strip("\n")
        if pieces and piece.startswith(_STARTS):
            piece = f"\\{piece}"  # it was in the middle of a line, where the character meant nothing
        if piece.strip():
            pieces.append(piece)
        start = last
        del atoms[: next((at for at, atom in enumerate(atoms) if atom[0] >= last), len(atoms))]
    return pieces


def _end(text: str, atoms: Sequence[tuple[int, int]], start: int, at_most: int) -> int:
    """Where the piece from `start` ends: after a line, else after a space, else after the last whole atom."""
    if len(text) - start <= at_most:
        return len(text)
    last = start
    for _, end in atoms:
        if end - start > at_most:
            break
        last = end
    if last == start:
        return start + at_most
    for stop in ("\n", " "):
        found = text.rfind(stop, start + at_most // 2, last)
        if found > start:
            return found + 1
    return last
