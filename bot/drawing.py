"""Charts and time lines as pictures: from the vocabulary to Vega-Lite, from there to SVG or PNG.

The specification is data alone: what people wrote stands in it as values and as quoted literals, and the renderer may
load nothing. Colours come from a palette that colour-blind people can tell apart (after Okabe and Ito, darkened to a
contrast of 3:1 and more), and none of them says anything alone: series differ in shape or filling too, states are
words.

An SVG takes its colours from the page (`--ink`, `--series-1` …), so that it is readable in dark and in light; a PNG has
a ground of its own. The renderer costs 100 MB and its first picture a second, so it is loaded with the first picture.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from html import escape
from threading import Lock
from typing import Any

import anyio.to_thread

from handlers.messages import Bar, Chart, Gantt, Plot, amount

Spec = dict[str, Any]

SERIES = ("#0072b2", "#c04f00", "#007a5a", "#a8437f", "#7d5c00", "#5a5fc7")
"""Colours of series on a light ground; further series begin anew with another shape."""
INK, QUIET, FAINT, GROUND = "#1d2126", "#59616b", "#d3d8de", "#ffffff"
PLANNED, BAD, PAUSED = "#8d97a3", "#b3261e", "#eceff2"

DARK: Mapping[str, str] = {
    "--series-1": "#58b0ea",
    "--series-2": "#f2935c",
    "--series-3": "#46c79b",
    "--series-4": "#e08fc0",
    "--series-5": "#d9b45a",
    "--series-6": "#a5a9f5",
    "--ink": "#e8e6e1",
    "--quiet": "#a8b0b7",
    "--faint": "#343b42",
    "--planned": "#8a949e",
    "--bad": "#ff8a7a",
    "--paused": "#2a3036",
}
"""The same on a dark ground."""

ROWS_AT_MOST = 40
"""Steps that have a row of their own in a time line; more share the row of their lane."""

_VARIABLES: Mapping[str, str] = {
    **{colour: f"--series-{n}" for n, colour in enumerate(SERIES, 1)},
    INK: "--ink",
    QUIET: "--quiet",
    FAINT: "--faint",
    PLANNED: "--planned",
    BAD: "--bad",
    PAUSED: "--paused",
}
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down") * 2
_FILLING = (0.95, 0.45, 0.15, 0.7) * 3
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2]) * 3
_WIDTH = 620
_FONT = "Open Sans, DejaVu Sans, sans-serif"

_COLOUR = re.compile(r'"(#[0-9a-f]{6})"')
_ROLES = re.compile(r' (?:aria-[a-z]+|role)="[^"]*"')
_EDGES = re.compile(r"<svg [^>]*?width=\"([\d.]+)\" height=\"([\d.]+)\"[^>]*>")
_DECIMALS = re.compile(r"(\d\.\d\d)\d+")

_one_at_a_time = Lock()


@lru_cache(maxsize=128)
def svg(drawing: Chart | Gantt) -> str:
    """A picture for a page, with its alternative text; colours are variables of the page."""
    drawn = _COLOUR.sub(
        lambda found: f'"var({_VARIABLES[found[1]]})"' if found[1] in _VARIABLES else found[0],
        _plain(drawing),
    )
    size = _EDGES.match(drawn)
    assert size is not None, "the renderer begins with the picture's size"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" viewBox="0 0 {size[1]} {size[2]}"'
        f' aria-label="{escape(drawing.alt)}">'
    )
    return head + drawn[size.end() :]


def _plain(drawing: Chart | Gantt) -> str:
    import vl_convert

    with _one_at_a_time:
        drawn: str = vl_convert.vegalite_to_svg(spec(drawing), allowed_base_urls=[])
    return _DECIMALS.sub(r"\1", _ROLES.sub("", drawn))


def svg_on_paper(drawing: Chart | Gantt, font: str) -> str:
    """A picture in the colours of a light ground, its words in a font of the paper's."""
    return _plain(drawing).replace(f'font-family="{escape(_FONT)}"', f'font-family="{escape(font)}"')


def svg_file(drawing: Chart | Gantt) -> str:
    """The same picture as a file of its own, which knows its colours in light and in dark."""
    light = ";".join(f"{name}:{colour}" for colour, name in _VARIABLES.items())
    dark = ";".join(f"{name}:{colour}" for name, colour in DARK.items())
    style = f"<style>:root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    head, end, rest = svg(drawing).partition(">")
    return head + end + style + rest


def png(drawing: Chart | Gantt) -> bytes:
    """A picture for a chat, on a light ground, twice as fine as it is shown."""
    import vl_convert

    whole = spec(drawing)
    whole["background"] = GROUND
    with _one_at_a_time:
        drawn: bytes = vl_convert.vegalite_to_png(whole, scale=2, allowed_base_urls=[])
    return drawn


async def drawn_apart(drawing: Chart | Gantt) -> bytes:
    """A PNG, drawn in a thread, so that nobody else waits for it."""
    return await anyio.to_thread.run_sync(png, drawing)


async def file_drawn_apart(drawing: Chart | Gantt) -> str:
    """An SVG file, drawn likewise."""
    return await anyio.to_thread.run_sync(svg_file, drawing)


def spec(drawing: Chart | Gantt) -> Spec:
    """The picture as Vega-Lite."""
    time_line = isinstance(drawing, Gantt)
    body = _gantt(drawing) if isinstance(drawing, Gantt) else _chart(drawing)
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": None,
        "padding": 12,
        # A time line has words beside its ends, which would eat its width if all of it had to fit.
        "autosize": {"type": "pad"} if time_line else {"type": "fit-x", "contains": "padding"},
        "width": _WIDTH - 180 if time_line else _WIDTH,
        "title": {
            "text": drawing.title,
            "anchor": "start",
            "color": INK,
            "fontSize": 16,
            "font": _FONT,
            "offset": 12,
            "limit": _WIDTH,
            **(
                {"subtitle": _reading(drawing), "subtitleColor": QUIET, "subtitleFontSize": 12}
                if isinstance(drawing, Gantt)
                else {}
            ),
        },
        "config": _CONFIG,
        **body,
    }


def _reading(gantt: Gantt) -> str:
    """How a time line is read."""
    if gantt.from_start:
        return "A step begins when all that it waits for is done, and takes as long as it should."
    return "Outlined: planned. Filled: actual; red and named: failed. Shaded: paused."


_CONFIG: Spec = {
    "aria": False,
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": QUIET,
        "titleColor": QUIET,
        "labelFontSize": 13,
        "titleFontSize": 13,
        "titleFontWeight": "normal",
        "gridColor": FAINT,
        "domainColor": QUIET,
        "tickColor": QUIET,
        "labelLimit": 190,
        "labelPadding": 5,
    },
    "legend": {
        "labelColor": INK,
        "labelFontSize": 13,
        "symbolSize": 130,
        "symbolStrokeWidth": 2,
        "orient": "bottom",
        "columns": 3,
        "labelLimit": 190,
        "title": None,
    },
    "text": {"color": INK, "fontSize": 13, "font": _FONT},
}


# Charts -------------------------------------------------------------------------------------------


def _chart(chart: Chart) -> Spec:
    return _pie(chart) if chart.plot is Plot.PIE else _plotted(chart)


def _plotted(chart: Chart) -> Spec:
    names = [each.name for each in chart.series]
    values = [
        {"at": at, "series": n, "value": value}
        for n, each in enumerate(chart.series)
        for at, value in enumerate(each.values)
    ]
    # Categories and series are numbers in the data and names in the labels, so that equal names stay apart.
    x = {
        "field": "at",
        "type": "ordinal",
        "scale": {"domain": list(range(len(chart.categories)))},
        "axis": {
            "title": None,
            "labelExpr": _named(chart.categories),
            "labelAngle": 0 if sum(map(len, chart.categories)) < 60 else -40,
            "grid": False,
        },
    }
    y = {
        "field": "value",
        "type": "quantitative",
        "scale": _scale(chart),
        "axis": {"title": chart.unit or None, "tickCount": 5},
    }
    legend = {"labelExpr": _named(names)} if len(names) > 1 else None

    def by_series(ranged: list[Any]) -> Spec:
        scale = {"domain": list(range(len(names))), "range": ranged[: len(names)]}
        return {"field": "series", "type": "nominal", "scale": scale, "legend": legend}

    colours = by_series([*SERIES, *SERIES])
    encoding: Spec = {"x": x, "y": y, "color": colours}
    layers: list[Spec] = []
    if chart.plot is Plot.BAR:
        bars = {**encoding, "fillOpacity": by_series(list(_FILLING)), "stroke": colours}
        slim: Spec = {"width": {"expr": "min(90, bandwidth('x') * 0.9)"}}
        if len(names) > 1:
            bars["xOffset"] = {"field": "series", "type": "nominal"}
            slim = {}
        layers.append(
            {
                "mark": {"type": "bar", "strokeWidth": 1.5, "cornerRadiusEnd": 2, **slim},
                "encoding": bars,
            }
        )
    else:
        if chart.plot is Plot.AREA:
            layers.append(
                {
                    "mark": {"type": "area", "opacity": 0.2},
                    "encoding": {**encoding, "y": {**y, "stack": None}},
                }
            )
        line = {**encoding, "strokeDash": by_series(list(_DASHES))}
        broken = {"type": "line", "strokeWidth": 2.5, "invalid": "break-paths-filter-domains"}
        layers.append({"mark": broken, "encoding": line})
        dots = {**encoding, "shape": by_series(list(_SHAPES))}
        layers.append({"mark": {"type": "point", "filled": True, "size": 80, "opacity": 1}, "encoding": dots})
    if len(values) <= len(chart.categories) and len(values) <= 12:  # one series: its values are said, too
        above = {"type": "text", "dy": -12, "fontSize": 12}
        told = [{**each, "said": amount(each["value"])} for each in values if each["value"] is not None]
        said = {"x": x, "y": y, "text": {"field": "said"}}
        layers.append({"data": {"values": told}, "mark": above, "encoding": said})
    if chart.goal is not None:
        layers += _goal(chart, chart.goal, y)
    return {"height": 260, "data": {"values": values}, "layer": layers}


def _goal(chart: Chart, goal: float, y: Spec) -> Iterator[Spec]:
    """A broken line with its name at the right edge."""
    data = {"values": [{"value": goal, "said": f"goal {amount(goal, chart.unit)}"}]}
    rule = {"type": "rule", "strokeDash": [7, 4], "color": INK, "strokeWidth": 1.5}
    yield {"data": data, "mark": rule, "encoding": {"y": y}}
    text = {"type": "text", "align": "right", "baseline": "bottom", "dx": -4, "dy": -4, "fontStyle": "italic"}
    place = {"x": {"value": {"expr": "width"}}, "y": y, "text": {"field": "said"}}
    yield {"data": data, "mark": text, "encoding": place}


def _scale(chart: Chart) -> Spec:
    scale: Spec = {"zero": chart.plot is not Plot.LINE, "nice": True}
    if chart.least is not None:
        scale["domainMin"] = chart.least
    if chart.most is not None:
        scale["domainMax"] = chart.most
    return scale


def _pie(chart: Chart) -> Spec:
    values = [
        {"at": at, "value": value or 0, "said": f"{name}: {amount(value, chart.unit)}"}
        for at, (name, value) in enumerate(zip(chart.categories, chart.series[0].values, strict=True))
    ]
    colours = {
        "domain": list(range(len(values))),
        "range": [SERIES[n % len(SERIES)] for n in range(len(values))],
    }
    shared = {
        "theta": {"field": "value", "type": "quantitative", "stack": True},
        "order": {"field": "at", "type": "ordinal"},
    }
    colour = {"field": "at", "type": "nominal", "scale": colours, "legend": None}
    ring = {"type": "arc", "outerRadius": 105, "innerRadius": 55, "padAngle": 0.02}
    parts = {"mark": ring, "encoding": {**shared, "color": colour}}
    names = {
        "transform": [{"filter": "datum.value > 0"}],
        "mark": {"type": "text", "radius": 125, "align": {"expr": _OUTWARD}},
        "encoding": {**shared, "text": {"field": "said"}},
    }
    return {"height": 290, "data": {"values": values}, "layer": [parts, names]}


_OUTWARD = "scale('theta', (datum.value_start + datum.value_end) / 2) < PI ? 'left' : 'right'"


def _named(names: Any) -> str:
    """An expression that gives a label for its number. Only here do people's words meet one: as literals in JSON."""
    return f"{_literal(list(names))}[datum.value]"


def _literal(names: list[str]) -> str:
    return "[" + ",".join("'" + "".join(_spelled(each) for each in name) + "'" for name in names) + "]"


def _spelled(letter: str) -> str:
    """A character of a string in Vega's expression language; all but plain ones as an escape (ECMA-262, 12.9.4)."""
    if letter.isascii() and (letter.isalnum() or letter in " .,:;/()%+-–"):
        return letter
    units = letter.encode("utf-16-be", "replace")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


# Time lines ---------------------------------------------------------------------------------------


def _gantt(gantt: Gantt) -> Spec:
    alone = len(gantt.bars) <= ROWS_AT_MOST
    lanes = list(dict.fromkeys(each.lane for each in gantt.bars))
    rows = [f"{each.lane} · {each.label}" if len(lanes) > 1 else each.label for each in gantt.bars]
    rows = rows if alone else lanes
    planned: list[dict[str, Any]] = []
    actual: list[dict[str, Any]] = []
    for number, each in enumerate(gantt.bars):
        row = number if alone else lanes.index(each.lane)
        if each.planned:
            planned.append({"row": row, **_ends(each.planned)})
        if each.actual:
            actual.append(
                {"row": row, **_ends(each.actual), "state": _kind(each), "said": _said(each, alone)}
            )
    span = gantt.span
    begin, whole = (_ms(span[0]), max(_ms(span[1]) - _ms(span[0]), 1)) if span else (0, 1)

    def side(each: Mapping[str, Any]) -> str:
        """Where a bar has room for its state."""
        if not late(each["end"]):
            return "behind"
        return "before" if (each["start"] - begin) / whole > 0.2 else "on"

    def late(at: int) -> bool:
        """Whether what is said beside an instant must stand before it, to stay in the picture."""
        return (at - begin) / whole > 0.8

    height = 26 if alone else 38
    # Instants are told to Vega as numbers (milliseconds), so that it reads none of them in the machine's zone.
    x = {
        "field": "start",
        "type": "temporal",
        "scale": {"type": "utc", **({"domain": [_ms(at) for at in span]} if span else {})},
        "axis": {
            **(
                {"title": "from the start", "labelExpr": _elapsed(begin)}
                if gantt.from_start
                else _of_the_day(span)
            ),
            "grid": True,
            "tickCount": 7,
            "labelOverlap": True,
            "orient": "top",
        },
    }
    y = {
        "field": "row",
        "type": "ordinal",
        "scale": {"domain": list(range(len(rows))), "paddingInner": 0.25},
        "axis": {
            "title": None,
            "labelExpr": _named(rows),
            "ticks": False,
            "domain": False,
            "labelColor": INK,
            "labelLimit": 230,
        },
    }
    x2 = {"field": "end"}
    spanned = {"x": x, "x2": x2, "y": y}
    kinds = {"domain": ["ran", "failed", "skipped"], "range": [SERIES[0], BAD, PLANNED]}
    colour = {"field": "state", "type": "nominal", "scale": kinds, "legend": None}
    tall = {"expr": "bandwidth('y') * 0.42"}
    layers: list[Spec] = []
    if gantt.paused:
        layers.append(
            {
                "data": {"values": [_ends(each) for each in gantt.paused]},
                "mark": {"type": "rect", "color": PAUSED, "opacity": 0.8},
                "encoding": {"x": x, "x2": x2},
            }
        )
    outlined = {
        "filled": False,
        "color": PLANNED,
        "strokeWidth": 1.5,
        "height": tall,
        "yOffset": {"expr": "-bandwidth('y') * 0.25"},
    }
    # Where nothing is beside it, what is planned is filled; the edges keep steps apart that follow each other at once.
    alone_there = {"color": SERIES[0], "fillOpacity": 0.4, "stroke": SERIES[0], "strokeWidth": 1.5}
    upper = {"type": "bar", **(alone_there if gantt.from_start else outlined)}
    lower = {"type": "bar", "height": tall, "yOffset": {"expr": "bandwidth('y') * 0.25"}, "minBandSize": 2}
    layers.append({"data": {"values": planned}, "mark": upper, "encoding": spanned})
    layers.append({"data": {"values": actual}, "mark": lower, "encoding": {**spanned, "color": colour}})
    # What was done in an instant has no length, and is a dot.
    dots = [each for each in actual if each["start"] == each["end"]]
    dot = {"type": "point", "filled": True, "size": 70, "opacity": 1, "yOffset": lower["yOffset"]}
    layers.append({"data": {"values": dots}, "mark": dot, "encoding": {"x": x, "y": y, "color": colour}})
    # A bar's colour is said, too: behind it, before it where there is no room behind, on it where there is none at all.
    for where, style in _SAID.items():
        told = [each for each in actual if each["said"] and (side(each) if alone else "on") == where]
        text = {"type": "text", "fontSize": 11, **style, "yOffset": lower["yOffset"]}
        at = {**x, "field": "end" if where == "behind" else "start"}
        said = {"x": at, "y": y, "text": {"field": "said"}}
        layers.append({"data": {"values": told}, "mark": text, "encoding": said})
    for n, mark in enumerate(gantt.marks):
        data = {"values": [{"start": _ms(mark.at), "said": mark.label}]}
        rule = {"type": "rule", "color": INK, "strokeDash": [4, 3]}
        layers.append({"data": data, "mark": rule, "encoding": {"x": x}})
        beside = {"align": "right", "dx": -3} if late(_ms(mark.at)) else {"align": "left", "dx": 3}
        name = {"type": "text", **beside, "fontSize": 12, "fontWeight": "bold"}
        below = {"value": {"expr": f"height + {14 + 16 * (n % 3)}"}}
        layers.append(
            {"data": data, "mark": name, "encoding": {"x": x, "y": below, "text": {"field": "said"}}}
        )
    return {"height": height * len(rows), "layer": layers}


_SAID: Mapping[str, Spec] = {
    "behind": {"align": "left", "dx": 7},
    "before": {"align": "right", "dx": -7},
    "on": {"align": "left", "dx": 2, "fontWeight": "bold", "color": GROUND},
}


def _kind(bar: Bar) -> str:
    return bar.state if bar.state in ("failed", "skipped") else "ran"


def _said(bar: Bar, alone: bool) -> str:
    """What a bar's colour says is said beside it too, or by a sign on it where there is no room."""
    kind = _kind(bar)
    return "" if kind == "ran" else kind if alone else {"failed": "×", "skipped": "–"}[kind]


def _ends(span: tuple[datetime, datetime]) -> dict[str, int]:
    return {"start": _ms(span[0]), "end": _ms(span[1])}


def _ms(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp() * 1000)


def _of_the_day(span: tuple[datetime, datetime] | None) -> Spec:
    """How an axis tells instants."""
    by_the_hour = span is None or (span[1] - span[0]).days < 1
    return {"title": "UTC", "format": "%H:%M" if by_the_hour else "%d %b %H:%M"}


def _elapsed(begin: int) -> str:
    """An expression that gives how long after an instant (in milliseconds) another one is: `45m`, `2h`, `2h30m`."""
    minutes = f"round((datum.value - {begin}) / 60000)"
    rest = f"({minutes} % 60 ? {minutes} % 60 + 'm' : '')"
    return f"{minutes} < 60 ? {minutes} + 'm' : floor({minutes} / 60) + 'h' + {rest}"
