"""Moments and lengths of time as people type them: `1h30m`, `tomorrow 9:00`, `fri 14:00`, `1 dec`.

A wall-clock time that a zone skips means the first instant after the skip; one that it repeats means the
first occurrence. Days and weeks in a duration are 24 and 168 hours. Where the words leave the day open (a
bare time, a weekday, a date without a year), the first one that is not past is meant.

Every text gets a value or a sentence that says what to type instead; nothing is guessed between two meanings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from whenever import Instant, PlainDateTime

from handlers.rules.business_time import FIRST_YEAR, LAST_YEAR

LONGEST = timedelta(days=3660)
_AT_MOST = 100  # characters; nobody types a longer moment, and a short text is read in no time


class NotUnderstood(ValueError):
    """A text that is not a moment, a day or a duration; the sentence says what to type instead."""


class NotADuration(NotUnderstood):
    """Not a length of time, or none that can be meant: nothing, or more than ten years."""


class TooLong(NotADuration):
    """More than ten years."""


class NotAMoment(NotUnderstood):
    """Not a point in time, or none that exists."""


class NotADate(NotUnderstood):
    """Not a day, or one that the calendar does not have."""


# Durations ----------------------------------------------------------------------------------------

_MICROSECONDS = {
    "w": 604_800_000_000,
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
}
_UNITS = {
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), "w"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
}
_NUMBER = r"[0-9]{1,12}(?:[.,][0-9]{1,6})?"
_PART = re.compile(rf"({_NUMBER}|\ban?\b) ?([a-z]+)(?: and |, ?| )?")
_ISO = re.compile(
    rf"p(?:({_NUMBER})w)?(?:({_NUMBER})d)?(?:t(?:({_NUMBER})h)?(?:({_NUMBER})m)?(?:({_NUMBER})s)?)?"
)


def parse_duration(text: str) -> timedelta:
    """`1h30m`, `2 days`, `90s`, `an hour and 5 minutes`, `1.5h`, `PT2H` as a length of time.

    Raises NotADuration; also for nothing at all, a negative length and one over ten years (3660 days).
    """
    written = _tidy(text, NotADuration, "a duration", "30m, 4h, 1h30m or 2 days")
    total = _iso(written) if written.startswith("p") else _spoken(written)
    if total is None:
        raise NotADuration(f"{_quote(text)} is not a duration. Write for example 30m, 4h, 1h30m or 2 days.")
    if total <= 0:
        raise NotADuration("A duration must be longer than nothing. Write for example 30m or 4h.")
    if total > LONGEST // timedelta(microseconds=1):
        raise TooLong(f"{_quote(text)} is longer than ten years. Write a shorter one, such as 30 days.")
    return timedelta(microseconds=total)


def show_duration(length: timedelta, days: bool = True) -> str:
    """A length as `2d`, `1h30m`, `1.5s`: what `parse_duration` reads back exactly. `0s` for nothing.

    Without days for business time, whose days are not 24 hours long.
    """
    sign = "-" if length < timedelta(0) else ""
    left, shown = abs(length) // timedelta(microseconds=1), ""
    for unit in "dhm" if days else "hm":
        whole, left = divmod(left, _MICROSECONDS[unit])
        shown += f"{whole}{unit}" if whole else ""
    seconds, fraction = divmod(left, _MICROSECONDS["s"])
    if left or not shown:
        shown += f"{seconds}.{fraction:06d}".rstrip("0").rstrip(".") + "s" if fraction else f"{seconds}s"
    return sign + shown


def _spoken(written: str) -> int | None:
    total, at, seen = 0, 0, set()
    while at < len(written):
        part = _PART.match(written, at)
        unit = part and _UNITS.get(part[2])
        if not part or not unit or unit in seen:
            return None
        seen.add(unit)
        total += _times("1" if part[1] in ("a", "an") else part[1], unit)
        at = part.end()
    return total


def _iso(written: str) -> int | None:
    """ISO 8601 without years and months, whose length depends on where they lie."""
    whole = _ISO.fullmatch(written)
    if not whole or written.endswith("t"):
        return None
    return sum(_times(number, unit) for number, unit in zip(whole.groups(), "wdhms", strict=True) if number)


def _times(number: str, unit: str) -> int:
    """So many units in microseconds; six digits after the point are exact in every unit."""
    whole, _, fraction = number.replace(",", ".").partition(".")
    return int(whole + fraction.ljust(6, "0")) * _MICROSECONDS[unit] // 1_000_000


# Days ---------------------------------------------------------------------------------------------

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_RELATIVE = {"yesterday": -1, "today": 0, "tomorrow": 1}
_WEEKDAY = re.compile(r"([a-z]{3,9})")
_ISO_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_DOTTED = re.compile(r"([0-9]{1,2})\. ?([0-9]{1,2})\. ?([0-9]{4})?")
_DAY_MONTH = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th|\.)?(?: of)? ?([a-z]{3,9})\.?(?:,? ([0-9]{4}))?")
_MONTH_DAY = re.compile(r"([a-z]{3,9})\.? ?([0-9]{1,2})(?:st|nd|rd|th)?(?:,? ([0-9]{4}))?")
_IN_DAYS = re.compile(r"in ([0-9]{1,4}|an?) ?(days?|d|weeks?|w)")
_SLASHED = re.compile(r"[0-9]{1,4}/[0-9]{1,2}(?:/[0-9]{1,4})?")
_DAY_EXAMPLES = "tomorrow, fri, 1 dec or 2026-12-01"
_LEAP_GAP = 8  # years at most from one 29 February to the next


def parse_date(text: str, now: datetime, zone: str) -> date:
    """`tomorrow`, `fri`, `1 dec`, `Dec 1 2026`, `1.12.`, `2026-12-01`, `in 3 days` as a day in a zone.

    Raises NotADate.
    """
    written = _tidy(text, NotADate, "a date", _DAY_EXAMPLES)
    today = _today(now, zone)
    if ahead := _IN_DAYS.fullmatch(written):
        count = int(ahead[1]) if ahead[1].isdigit() else 1
        return _kept(today + timedelta(days=count * (7 if ahead[2].startswith("w") else 1)))
    days = _days(written, today)
    return next((day for day in days if day >= today), days[-1])


def _days(written: str, today: date) -> Sequence[date]:
    """The days that the words can mean, in the order in which they are to be tried. Raises NotADate."""
    if written in _RELATIVE:
        return [_kept(today + timedelta(days=_RELATIVE[written]))]
    written = written.removeprefix("on ").removeprefix("this ")
    if (match := _WEEKDAY.fullmatch(written)) and (weekday := _place(match[1], _WEEKDAYS)) is not None:
        first = today + timedelta(days=(weekday - today.weekday()) % 7)
        return [_kept(first), _kept(first + timedelta(days=7))]
    year, month, day = _numbers(written)
    years = range(today.year, today.year + _LEAP_GAP + 1) if year is None else [year]
    if days := [date(each, month, day) for each in years if _exists(each, month, day)]:
        return [_kept(each) for each in days]
    raise NotADate(f"There is no such day as {_quote(written)}. Look at the day and the month again.")


def _numbers(written: str) -> tuple[int | None, int, int]:
    """(year if given, month, day) of a written date. Raises NotADate."""
    if match := _ISO_DAY.fullmatch(written):
        return int(match[1]), int(match[2]), int(match[3])
    if match := _DOTTED.fullmatch(written):
        return int(match[3]) if match[3] else None, int(match[2]), int(match[1])
    if match := _DAY_MONTH.fullmatch(written):
        day, name, year = match.groups()
    elif match := _MONTH_DAY.fullmatch(written):
        name, day, year = match.groups()
    else:
        raise _unclear(written)
    month = _place(name, _MONTHS)
    if month is None:
        raise _unclear(written)
    return int(year) if year else None, month + 1, int(day)


def _unclear(written: str) -> NotADate:
    if _SLASHED.fullmatch(written) or written.startswith("next "):
        return NotADate(
            f"{_quote(written)} can mean two days. Write the month by name, as in 1 dec, or 2026-12-01."
        )
    return NotADate(f"{_quote(written)} is not a day. Write for example {_DAY_EXAMPLES}.")


def _place(name: str, names: Sequence[str]) -> int | None:
    """Which of the names begins so; the first three letters are enough."""
    return next((place for place, full in enumerate(names) if full.startswith(name)), None)


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _kept(day: date) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise NotADate(f"The desk keeps days from {FIRST_YEAR} to {LAST_YEAR}. Write a year between them.")
    return day


def show_day(day: date) -> str:
    """A day as `Tue 1 Dec 2026`."""
    return f"{_WEEKDAYS[day.weekday()][:3].title()} {day.day} {_MONTHS[day.month - 1][:3].title()} {day.year}"


# Moments ------------------------------------------------------------------------------------------

_ZONE = r"(?: ?(z|utc|[+-][0-9]{2}:?[0-9]{2}))?"
_TIME = re.compile(
    r"(?:^|[ ,] ?|(?<=[0-9])t)(?:at )?"
    r"(?:([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,6}))?)?(?: ?([ap]m))?"
    r"|([0-9]{1,2}) ?([ap]m)|noon)"
    rf"{_ZONE}$"
)
_BARE_HOUR = re.compile(r"(?:^|.* )at [0-9]{1,2}$")
_MOMENT_EXAMPLES = "14:30, tomorrow 9:00, fri 14:00, in 3h or 2026-12-01 09:00"


def parse_when(text: str, now: datetime, zone: str, exactly: bool = False) -> datetime:
    """`14:30`, `tomorrow 9:00`, `fri 2pm`, `1 dec`, `in 3h`, `2 days ago`, `2026-12-01 09:00` as an instant.

    The wall clock is that of `zone`, unless the text says its own offset (`2026-12-01T09:00+01:00`,
    `14:00 utc`); the answer is in UTC. A day without a time is its first instant. `in` and `ago` count real
    time. Raises NotAMoment; NotADate or NotADuration for a part that is one.
    """
    written = _tidy(text, NotAMoment, "a moment", _MOMENT_EXAMPLES)
    now = now.astimezone(UTC)
    if written == "now":
        return now
    if written.startswith("in "):
        return now + parse_duration(written[3:])
    if written.endswith(" ago"):
        return now - parse_duration(written[:-4])
    match = _TIME.search(written)
    if not match and _BARE_HOUR.match(written):
        raise NotAMoment(f"{_quote(text)} can mean two times. Write 9:00 or 9pm, say.")
    said = written[: match.start()] if match else written
    clock = _clock(match) if match else time()
    offset = _offset(match[8]) if match else None
    if offset is not None:  # a fixed offset is UTC, moved there and back
        now, zone = now + offset, "UTC"
    today = _today(now, zone)
    days = _days(said, today) if said else [today, today + timedelta(days=1)]
    moments = [instant_at(day, clock, zone) for day in days]
    found = next((each for each in moments if each >= now), moments[-1])
    shown = Instant(found).to_tz(zone).to_plain().to_stdlib()
    if exactly and match and shown.time() != clock:
        raise NotAMoment(
            f"{show_day(shown.date())} has no {clock:%H:%M} in {zone}: the clocks go forward over it."
            f" The nearest time is {shown:%H:%M}."
        )
    return found - (offset or timedelta(0))


def instant_at(day: date, clock: time, zone: str) -> datetime:
    """The instant at which a zone's wall clock shows this time on this day, in UTC.

    Skipped: the first instant after the skip. Repeated: the first occurrence. Raises ValueError for a
    zone that nobody knows.
    """
    wall = PlainDateTime(datetime.combine(day, clock.replace(tzinfo=None)))
    found = wall.assume_tz(zone, disambiguation="earlier")
    if found.to_plain() != wall:  # skipped: `found` lies as far before the skip
        found = found.next_transition() or found
    return found.to_instant().to_stdlib()


def _clock(match: re.Match[str]) -> time:
    hours, minutes, seconds, fraction, half, bare_hours, bare_half, _ = match.groups()
    if hours is None and bare_hours is None:
        return time(12)  # noon
    hour, half = int(hours or bare_hours), half or bare_half
    if half and not 1 <= hour <= 12:
        hour = 99
    elif half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    try:
        return time(hour, int(minutes or 0), int(seconds or 0), int((fraction or "").ljust(6, "0")))
    except ValueError:
        raise NotAMoment(
            f"No clock shows {_quote(match[0].strip())}. Write a time from 0:00 to 23:59, or 1am to 12pm."
        ) from None


def _offset(written: str | None) -> timedelta | None:
    if written is None:
        return None
    if not written[-1].isdigit():
        return timedelta(0)
    hours, minutes = int(written[1:3]), int(written[-2:])
    if hours > 14 or minutes > 59:
        raise NotAMoment(f"No place is {written} away from UTC. Write an offset such as +01:00.")
    away = timedelta(hours=hours, minutes=minutes)
    return -away if written[0] == "-" else away


# Both ---------------------------------------------------------------------------------------------


def _today(now: datetime, zone: str) -> date:
    return Instant(now).to_tz(zone).date().to_stdlib()


def _tidy(text: str, problem: type[NotUnderstood], what: str, examples: str) -> str:
    """The text in small letters with single spaces. Raises `problem` for none at all or too much."""
    written = " ".join(text[: 4 * _AT_MOST].casefold().split())
    if not written:
        raise problem(f"Here {what} is needed. Write for example {examples}.")
    if len(text) > 4 * _AT_MOST or len(written) > _AT_MOST:
        raise problem(f"{_quote(text)} is too long for {what}. Write for example {examples}.")
    return written


def _quote(text: str) -> str:
    """The start of what was typed, on one line, for use in a sentence."""
    shown = " ".join(text[:80].split())
    return f"“{shown[:40]}…”" if len(shown) > 40 or len(text) > 80 else f"“{shown}”"
