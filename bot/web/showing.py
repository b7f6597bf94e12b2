"""From replies to HTML: the same values that chat shows, as parts of a page. Pure; all that people wrote is escaped.

A line that only reads becomes a link to a page; one that changes something stays what is said in chat. References in
words become links, too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from bot import drawing
from bot.words import Span, spans
from handlers.declare import Commands
from handlers.errors import DeskError
from handlers.messages import Button, Chart, Gantt, Moment, Part, Reply, StepState, Tone, flat
from handlers.parsing import reference

TEMPLATES = Path(__file__).parent / "templates"
STYLE = (TEMPLATES / "desk.css").read_text(encoding="utf-8")
STYLE_NAME = f"style-{hashlib.sha256(STYLE.encode()).hexdigest()[:12]}.css"
"""The style sheet's name changes with what is in it, so that a browser may keep it for good."""

TONES = {Tone.GOOD: ("✓", "Good"), Tone.WAITING: ("…", "Waiting"), Tone.BAD: ("!", "Problem")}
STEPS = {
    StepState.PENDING: "·",
    StepState.READY: "▸",
    StepState.DOING: "…",
    StepState.DONE: "✓",
    StepState.FAILED: "!",
    StepState.SKIPPED: "»",
}

_PLACES = {"drill report": "/desk/drills/", "continuity plan": "/desk/plans/"}
"""Commands about a ticket that have a page of their own."""

_REFERENCE = re.compile(r"\b[A-Z]{3}-[1-9][0-9]{0,8}\b")


class Links:
    """Where lines and references lead on the pages."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def to_reference(self, ref: str) -> str | None:
        """The page of a ticket, or None when the desk knows no such kind."""
        prefix = ref.partition("-")[0]
        if prefix not in self._commands.looks:
            return None
        return _PLACES.get(self._commands.shows.get(prefix, ""), "/desk/tickets/") + ref

    def to_line(self, line: str) -> str | None:
        """The page that shows what a line says; None for a line that changes something."""
        ref = reference(line)
        if ref:
            return self.to_reference(ref)
        try:
            declared, rest = self._commands.find(line)
        except DeskError:
            return None
        if declared.changes or declared.desk_only:
            return None
        about = reference(rest.strip())
        if about and declared.name in _PLACES:
            return _PLACES[declared.name] + about
        # On the pages, a link to the page of a ticket is that page.
        if about and (declared.shows or declared.name == "desk web") and (page := self.to_reference(about)):
            return page
        return f"/desk/say?{urlencode({'line': line}, quote_via=quote)}"


class Shown:
    """How one reader sees words: in their zone, at an instant."""

    def __init__(self, links: Links, zone: str, now: datetime) -> None:
        self._links = links
        self._zone = zone
        self._now = now

    def said(self, words: Iterable[Part]) -> Markup:
        """Words as HTML."""
        return Markup("").join(self._span(each) for each in spans(words, self._zone, self._now))

    def at(self, moment: datetime, relative: bool = False) -> Markup:
        """An instant as HTML."""
        return self.said((Moment(moment=moment, relative=relative),))

    def text(self, text: str) -> Markup:
        """A text with its references as links."""
        found, last = [], 0
        for match in _REFERENCE.finditer(text):
            address = self._links.to_reference(match[0])
            if address:
                found += [escape(text[last : match.start()])]
                found += [Markup('<a href="{}">{}</a>').format(address, match[0])]
                last = match.end()
        return Markup("").join([*found, escape(text[last:])])

    def buttons(self, reply: Reply) -> tuple[list[tuple[str, str]], list[Button]]:
        """Those that lead to pages, as label and address, and those that are said in chat.

        One that leads to a ticket which the reply's table links already is left out.
        """
        rows = reply.table.rows if reply.table else ()
        linked = {
            self._links.to_reference(ref)
            for row in rows
            for cell in row
            for ref in _REFERENCE.findall(flat(cell))
        }
        there: list[tuple[str, str]] = []
        in_chat: list[Button] = []
        for each in reply.buttons:
            address = self._links.to_line(each.line)
            if address is None:
                in_chat.append(each)
            elif address not in linked:
                there.append((each.label, address))
        return there, in_chat

    def _span(self, span: Span) -> Markup:
        if span.kind == "time":
            shown = Markup('<time datetime="{}" title="{}">{}</time>').format(
                span.stamp, span.title, span.text
            )
            return (
                shown + Markup(' <span class="quiet">({})</span>').format(span.relative)
                if span.relative
                else shown
            )
        if span.kind == "person":
            return Markup('<span class="person">{}</span>').format(span.text)
        if span.kind == "code":
            address = self._links.to_line(span.text)
            code = Markup("<code>{}</code>").format(span.text)
            return Markup('<a href="{}">{}</a>').format(address, code) if address else code
        if span.kind == "link":
            return Markup('<a href="{0}" rel="noopener noreferrer nofollow">{0}</a>').format(span.text)
        return self.text(span.text)


def _picture(chart: Chart | Gantt) -> Markup:
    return Markup(drawing.svg(chart))  # noqa: S704 - drawn by us, with every word in it escaped


def environment() -> Environment:
    """The templates: everything that is filled in is escaped, and a name that is missing is an error."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.globals |= {"svg": _picture, "tones": TONES, "step_marks": STEPS, "style_name": STYLE_NAME}
    return found
