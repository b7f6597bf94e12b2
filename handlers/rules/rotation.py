"""Who is on call: a rota's layers, laid on top of each other, with overrides above them all.

The turns of a layer begin at the wall time of its `starts` and change every `turn` days at that wall time in the
rota's zone: at the first instant whose wall clock shows it or more, so that one that is skipped means the first
instant after the skip and one that is repeated means the first occurrence. Opening hours are those of
`business_time`: half open, counted at every instant whose wall clock shows a time inside. A closed day is a day in
the zone of the calendar that closes it.

At every instant the topmost that has somebody decides: the later of two layers, any override above any layer, the
later of two overrides. An override by nobody decides too: it makes a gap on purpose.

Instants are UTC and intervals half open. All of it is worked out anew from the policy and the overrides each time;
nothing is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from heapq import heappop, heappush
from typing import NamedTuple

from whenever import Instant

from config.policy import Calendar, Layer, Opening, Rota, Weekday
from handlers.rules.business_time import LAST_YEAR, hours_of, utc
from handlers.rules.moments import instant_at

_DAY = timedelta(days=1)
_YEAR = timedelta(days=366)
_LONGEST = 366  # days of a turn
_FAR = timedelta(days=400)  # longer than any turn
_ALL_WEEK = (Opening(tuple(Weekday), "00:00", "24:00"),)


@dataclass(frozen=True)
class Cover:
    """Somebody holds a rota during `[start, end)`; `by` says why: `layer 1`, `override`, or what an override says."""

    person: str
    start: datetime
    end: datetime
    by: str


@dataclass(frozen=True)
class Override:
    """Somebody else holds a rota during `[start, end)`; nobody does where the person is None.

    `by` is what a cover says of it, such as `swap`. Raises BadInstant for an instant without a zone.
    """

    rota: str
    person: str | None
    start: datetime
    end: datetime
    by: str = "override"

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", utc(self.start))
        object.__setattr__(self, "end", utc(self.end))


def covers(
    rota: Rota,
    calendars: Mapping[str, Calendar],
    overrides: Sequence[Override],
    start: datetime,
    end: datetime,
) -> list[Cover]:
    """Who holds a rota between two instants: in order, never overlapping, neighbours that are equal as one.

    Covers are cut at both ends of the span; whatever is not covered has nobody. Overrides of other rotas are
    left out. Raises BadInstant for an instant without a zone, and outside the years 1970 to 2199 where hours or
    closed days are asked for; BadCalendar for hours that cannot be counted; ValueError for an unknown zone.
    """
    start, end = utc(start), utc(end)
    pieces = [
        _Piece(-rank, starts, ends, person, f"layer {rank}")
        for rank, layer in enumerate(rota.layers, start=1)
        for starts, ends, person in _on_duty(rota, layer, calendars, start, end)
    ]
    pieces += [
        _Piece(-rank, max(each.start, start), min(each.end, end), each.person, each.by)
        for rank, each in enumerate(overrides, start=len(rota.layers) + 1)
        if each.rota == rota.key and max(each.start, start) < min(each.end, end)
    ]
    return list(_topmost(pieces))


def holder(
    rota: Rota, calendars: Mapping[str, Calendar], overrides: Sequence[Override], at: datetime
) -> Cover | None:
    """Who holds a rota at an instant, from when and until when; None for nobody.

    Where the cover goes on for more than 400 days either way, it is cut there. Raises what `covers` raises.
    """
    around = _DAY
    while True:
        near = min(around, _FAR)
        found = covers(rota, calendars, overrides, at - near, at + near)
        held = next((each for each in found if each.start <= at < each.end), None)
        if held is None or around > _FAR or (at - near < held.start and held.end < at + near):
            return held
        around *= 8


def gaps(
    rota: Rota,
    calendars: Mapping[str, Calendar],
    overrides: Sequence[Override],
    start: datetime,
    end: datetime,
) -> list[tuple[datetime, datetime]]:
    """The spans between two instants in which nobody holds a rota, wanted or not. Raises what `covers` raises."""
    found = []
    at = utc(start)
    for each in covers(rota, calendars, overrides, start, end):
        if at < each.start:
            found.append((at, each.start))
        at = each.end
    if at < utc(end):
        found.append((at, utc(end)))
    return found


def first_gap(rota: Rota, calendars: Mapping[str, Calendar]) -> tuple[datetime, datetime] | None:
    """The first span in which a rota's layers leave nobody on call, from its first turn on; None for none.

    Hours repeat by the week, so a year after the last layer begins shows all that they leave out; closed days are
    looked at to the last one that is known. No present is asked for: the same rota always has the same gaps.
    Raises what `covers` raises.
    """
    # Whose turn it is makes no gap.
    layers = [replace(layer, people=("somebody",), turn=_LONGEST) for layer in rota.layers]
    begins = [instant_at(layer.starts.date(), layer.starts.time(), rota.zone) for layer in layers]
    closed = [
        day for layer in layers if layer.closed_days_of for day in calendars[layer.closed_days_of].closed
    ]
    ends = max(begins) + _YEAR
    if closed:
        last = datetime.combine(min(max(closed), date(LAST_YEAR, 12, 29)), time(), UTC)
        ends = max(ends, last + 2 * _DAY)  # over in every zone
    found = gaps(replace(rota, layers=tuple(layers)), calendars, (), min(begins), ends)
    return found[0] if found else None


# Layers -------------------------------------------------------------------------------------------

_Turn = tuple[datetime, datetime, str]


def _on_duty(
    rota: Rota, layer: Layer, calendars: Mapping[str, Calendar], start: datetime, end: datetime
) -> Iterable[_Turn]:
    """Who has a turn of this layer from when to when, less the time in which it has nobody."""
    turns: Iterable[_Turn] = _turns(rota.zone, layer, start, end)
    if layer.hours:
        hours = Calendar(rota.key, rota.name, rota.zone, layer.hours)
        turns = _within(turns, hours_of(hours).spans(start, end))
    if layer.closed_days_of:
        closing = calendars[layer.closed_days_of]
        days = Calendar(closing.key, closing.name, closing.zone, _ALL_WEEK, closed=closing.closed)
        turns = _within(turns, hours_of(days).spans(start, end))
    return turns


def _turns(zone: str, layer: Layer, start: datetime, end: datetime) -> Iterator[_Turn]:
    first, clock = layer.starts.date(), layer.starts.time()
    today = Instant(start).to_tz(zone).date().to_stdlib()
    # One earlier: the turn of today's day may not have begun yet.
    number = max(0, (today - first).days // layer.turn - 1)
    begins = instant_at(first + timedelta(days=number * layer.turn), clock, zone)
    while begins < end:
        person = layer.people[number % len(layer.people)]
        number += 1
        ends = instant_at(first + timedelta(days=number * layer.turn), clock, zone)
        if max(begins, start) < min(ends, end):
            yield max(begins, start), min(ends, end), person
        begins = ends


def _within(turns: Iterable[_Turn], spans: Iterable[tuple[datetime, datetime]]) -> Iterator[_Turn]:
    """The parts of turns that lie inside some spans; both come in order and do not overlap."""
    following = iter(spans)
    span = next(following, None)
    for begins, ends, person in turns:
        while span and span[0] < ends:
            if begins < span[1]:
                yield max(begins, span[0]), min(ends, span[1]), person
            if ends <= span[1]:
                break  # it may reach into the next turn
            span = next(following, None)


# Layers on top of each other ----------------------------------------------------------------------


class _Piece(NamedTuple):
    """A part of a layer, or an override; the lowest `order` lies on top."""

    order: int
    start: datetime
    end: datetime
    person: str | None
    by: str


def _topmost(pieces: Iterable[_Piece]) -> Iterator[Cover]:
    """At every instant the piece that lies on top, if it has somebody; neighbours that are equal as one."""
    coming = sorted(pieces, key=lambda piece: piece.start, reverse=True)
    edges = sorted({edge for piece in coming for edge in (piece.start, piece.end)})
    lying: list[_Piece] = []
    since, person, by = edges[0] if edges else None, None, ""
    for at in edges:
        while coming and coming[-1].start == at:
            heappush(lying, coming.pop())
        while lying and lying[0].end <= at:
            heappop(lying)
        top = (lying[0].person, lying[0].by) if lying else (None, "")
        if top != (person, by):
            if person is not None and since is not None:
                yield Cover(person, since, at, by)
            since, (person, by) = at, top
