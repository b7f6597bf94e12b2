"""Business time: how much of a stretch of real time lies inside a calendar's opening hours.

An instant is counted when the calendar's wall clock shows, at that instant, a time inside `[opens, closes)`
on a day that is not closed. Everything else follows from that sentence: an hour that the wall clock repeats
inside opening hours counts twice and one that it skips counts not at all, an edge inside the repeated hour
is passed twice, and an opening that was skipped begins at the first instant there is (the contract's
"Service agreements and clocks").

The counted intervals of whole years are kept as sorted numbers with running sums, grown when a question
reaches past them, so that a question costs two binary searches however long the span. Numbers are
microseconds of UTC since 1970; what people see are aware datetimes and timedeltas, exact to the microsecond.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate

from whenever import Instant, TimeZoneNotFoundError

from config.policy import Calendar, Opening, Weekday

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_YEAR, LAST_YEAR = 1970, 2199

_MICROSECOND = timedelta(microseconds=1)
_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_THURSDAY = 3  # the weekday of 1970-01-01, counted from Monday
_EPOCH_DAY = date(1970, 1, 1).toordinal()


class BadCalendar(ValueError):
    """A calendar that cannot count: no opening hours, hours that end before they begin, an unknown zone."""


class CalendarNeverOpen(BadCalendar):
    """The calendar does not open for as long as was asked before the year 2200."""


class BadInstant(ValueError):
    """An instant without a zone, or outside the years 1970 to 2199."""


@dataclass(frozen=True)
class Section:
    """A part `[starts, ends)` of a span in UTC: counted or not, and in plain words why."""

    starts: datetime
    ends: datetime
    counted: bool
    why: str


def utc(at: datetime) -> datetime:
    """The same instant in UTC. Raises BadInstant for one without a zone."""
    if at.utcoffset() is None:
        raise BadInstant(f"{at} does not say in which zone it is.")
    return at.astimezone(UTC)


def hours_of(calendar: Calendar) -> Hours:
    """The hours of a calendar, made once for each value; raises BadCalendar for one that cannot count.

    `always` (24x7) counts all time and knows no closed days.
    """
    if calendar.always:
        return _made(calendar.name, calendar.zone, _ALL_WEEK, ())
    return _made(calendar.name, calendar.zone, calendar.hours, tuple(calendar.closed.items()))


@lru_cache(maxsize=256)
def _made(name: str, zone: str, openings: tuple[Opening, ...], closed: tuple[tuple[date, str], ...]) -> Hours:
    return Hours(name, zone, openings, closed)


class Hours:
    """A calendar made ready to count. It may be shared by threads: its table is replaced, never changed."""

    def __init__(
        self, name: str, zone: str, openings: Sequence[Opening], closed: Iterable[tuple[date, str]] = ()
    ) -> None:
        self.name = name
        self.zone = zone
        self._week = _week_of(name, openings)
        self._closed = {day.toordinal() - _EPOCH_DAY: f"closed: {label}" for day, label in closed}
        try:
            Instant.from_timestamp(0).to_tz(zone)
        except TimeZoneNotFoundError:
            raise BadCalendar(
                f"The calendar {name} is in the zone {zone!r}, which nobody knows. "
                "Write an IANA name, such as Europe/Berlin."
            ) from None
        self._table = _Table(0, 0, ())

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Business time from start to end; negative when end is the earlier one.

        Raises BadInstant.
        """
        first, last = _micros(start), _micros(end)
        table = self._covering(first, last)
        return timedelta(microseconds=table.counted(last) - table.counted(first))

    def after(self, start: datetime, amount: timedelta) -> datetime:
        """The earliest instant at which `amount` of business time has been counted since start, in UTC.

        That is start itself for nothing at all, wherever it lies, and for an amount that is used up at
        closing time the closing instant, not the next opening. Raises ValueError for a negative amount,
        BadInstant, and CalendarNeverOpen when the year 2200 comes first.
        """
        if amount < timedelta(0):
            raise ValueError("Business time can only be counted forward: the amount must not be negative.")
        first, wanted = _micros(start), amount // _MICROSECOND
        table = self._covering(first, first)
        if not wanted:
            return _instant(first)
        while (found := table.reached(table.counted(first) + wanted)) is None:
            if table.last == _LIMIT:
                raise CalendarNeverOpen(
                    f"The calendar {self.name} is not open for {amount} more before {LAST_YEAR + 1}."
                )
            table = self._covering(first, min(2 * table.last - table.first, _LIMIT))
        return _instant(found)

    def is_open(self, at: datetime) -> bool:
        """Whether business time is being counted at this instant. Raises BadInstant."""
        first = _micros(at)
        table = self._covering(first, first + 1)
        return table.counted(first + 1) > table.counted(first)

    def opens_next(self, at: datetime) -> datetime:
        """The earliest open instant that is not before `at`: `at` itself when open then. In UTC.

        Raises BadInstant and CalendarNeverOpen.
        """
        return self.after(at, _MICROSECOND) - _MICROSECOND

    def spans(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The counted intervals between two instants, earliest first, those that touch as one."""
        return ((each.starts, each.ends) for each in self.sections(start, end) if each.counted)

    def sections(self, start: datetime, end: datetime) -> Iterator[Section]:
        """The whole span, cut where counting begins, ends, or stands still for another reason.

        Lazy, earliest first, without gaps; nothing when end is not later. Raises BadInstant.
        """
        first, last = _micros(start), _micros(end)
        _check(first, last)
        return (
            Section(_instant(starts), _instant(ends), why is None, why or f"inside hours of {self.name}")
            for starts, ends, why in self._pieces(first, last)
        )

    def _covering(self, first: int, last: int) -> _Table:
        """A table that reaches over both instants, grown by whole years where the present one does not."""
        table = self._table
        if first > last:
            first, last = last, first
        if not (table.first <= first and last <= table.last):
            _check(first, last)
            since = _YEARS[bisect_right(_YEARS, first) - 1]
            until = _YEARS[min(bisect_right(_YEARS, last), len(_YEARS) - 1)]
            if table.first == table.last:
                table = _Table(since, since, ())
            since, until = min(since, table.first), max(until, table.last)
            earlier, later = self._counted(since, table.first), self._counted(table.last, until)
            self._table = table = _Table(since, until, _joined([*earlier, *table.spans, *later]))
        return table

    def _counted(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        return ((starts, ends) for starts, ends, why in self._pieces(first, last) if why is None)

    def _pieces(self, first: int, last: int) -> Iterator[tuple[int, int, str | None]]:
        """(from, to, why it is not counted, or None where it is), neighbours of one kind joined."""
        since, until, reason = first, first, None
        for starts, ends, why in self._cuts(first, last):
            if starts == ends:
                continue
            if why != reason:
                if since < until:
                    yield since, until, reason
                since, reason = starts, why
            until = ends
        if since < until:
            yield since, until, reason

    def _cuts(self, first: int, last: int) -> Iterator[tuple[int, int, str | None]]:
        outside = f"outside hours of {self.name}"
        for day, midnight, at, end in _local_days(self.zone, first, last):
            if day in self._closed:
                yield at, end, self._closed[day]
                continue
            for opens, closes in self._week[(day + _THURSDAY) % 7]:
                starts, ends = max(midnight + opens, at), min(midnight + closes, end)
                if starts < ends:
                    yield at, starts, outside
                    yield starts, ends, None
                    at = ends
            yield at, end, outside


class _Table:
    """Counted intervals of `[first, last)`, with the business time before each."""

    __slots__ = ("before", "first", "last", "spans", "starts")

    def __init__(self, first: int, last: int, spans: Sequence[tuple[int, int]]) -> None:
        self.first, self.last, self.spans = first, last, spans
        self.starts = [starts for starts, _ in spans]
        self.before = list(accumulate((ends - starts for starts, ends in spans), initial=0))

    def counted(self, at: int) -> int:
        """Business time from the table's beginning to an instant."""
        index = bisect_right(self.starts, at) - 1
        if index < 0:
            return 0
        return self.before[index] + min(at, self.spans[index][1]) - self.starts[index]

    def reached(self, amount: int) -> int | None:
        """The earliest instant at which so much (over zero) has been counted; None beyond the table."""
        index = bisect_left(self.before, amount) - 1
        if index >= len(self.starts):
            return None
        return self.starts[index] + amount - self.before[index]


def _week_of(name: str, openings: Sequence[Opening]) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Seven days of (opens, closes) since midnight, Monday first, sorted, overlaps joined."""
    week: dict[Weekday, list[tuple[int, int]]] = {day: [] for day in Weekday}
    for opening in openings:
        opens, closes = _since_midnight(opening.opens), _since_midnight(opening.closes)
        if opens >= closes:
            raise BadCalendar(
                f"The calendar {name} opens at {opening.opens} and closes at {opening.closes}, not later. "
                "For hours over midnight write two openings, up to 24:00 and from 00:00."
            )
        for day in opening.days:
            week[day].append((opens, closes))
    if not any(week.values()):
        raise BadCalendar(
            f"The calendar {name} has no opening hours, so nothing would ever be due. "
            "Give it hours, or say `always: true`."
        )
    return tuple(_joined(sorted(hours)) for hours in week.values())


def _since_midnight(written: str) -> int:
    hour, minute = written.split(":")
    return (int(hour) * 3600 + int(minute) * 60) * _SECOND


def _joined(hours: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    joined: list[tuple[int, int]] = []
    for opens, closes in hours:
        if joined and opens <= joined[-1][1]:
            opens, closes = joined[-1][0], max(closes, joined.pop()[1])
        joined.append((opens, closes))
    return tuple(joined)


def _local_days(zone: str, first: int, last: int) -> Iterator[tuple[int, int, int, int]]:
    """(day since 1970, its midnight by the offset in force, from, to) of the wall clock; all of the span.

    A change of offset cuts a day in two, each part with a midnight of its own, which is what makes wall
    time a matter of adding.
    """
    at = first
    while at < last:
        here = Instant.from_timestamp(at // _SECOND).to_tz(zone)
        offset = int(here.offset.total("seconds")) * _SECOND
        change = here.next_transition()
        until = last if change is None else min(last, change.timestamp() * _SECOND)
        while at < until:
            day = (at + offset) // _DAY
            midnight = day * _DAY - offset
            end = min(midnight + _DAY, until)
            yield day, midnight, at, end
            at = end


def _micros(at: datetime) -> int:
    try:
        since = at - EPOCH
    except TypeError:
        raise BadInstant(f"{at} does not say in which zone it is.") from None
    return (since.days * 86_400 + since.seconds) * _SECOND + since.microseconds


def _instant(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def _check(first: int, last: int) -> None:
    if min(first, last) < 0 or max(first, last) > _LIMIT:
        raise BadInstant(f"Business time is counted in the years {FIRST_YEAR} to {LAST_YEAR} only.")


_YEARS = [_micros(datetime(year, 1, 1, tzinfo=UTC)) for year in range(FIRST_YEAR, LAST_YEAR + 2)]
_LIMIT = _YEARS[-1]
_ALL_WEEK = (Opening(tuple(Weekday), "00:00", "24:00"),)
