"""The days on which a calendar is closed, as dates: public holidays, own days, an iCalendar file.

They are worked out once, when the policy is read, and kept with the calendar's version, so that a
later release of the holiday library cannot move a promise that was already made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from config import public_holidays as library
from config.policy import Holidays, shown
from config.public_holidays import known_regions

FIRST_YEAR, LAST_YEAR = 2020, 2049
"""Public holidays and repeats are worked out for these years."""
MOST_FEED_BYTES = 512 * 1024
MOST_FEED_EVENTS = 500
LONGEST_EVENT = timedelta(days=366)
_YEARLY = frozenset({"FREQ", "INTERVAL", "UNTIL", "BYMONTH", "BYMONTHDAY", "BYDAY", "WKST"})
_FIRST, _LAST = date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31)


class UnknownHolidays(Exception):
    """A field of `holidays` that leads to no days: which one, what is wrong and what to do."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        self.message = message
        super().__init__(message)


def public_holidays(country: str, region: str | None) -> Mapping[date, str]:
    """The public holidays of a country (ISO 3166-1) and region for 2020 to 2049, by name in its own language.

    Raises UnknownHolidays for a country or region that the holiday library does not know.
    """
    regions = known_regions()
    if country not in regions:
        raise UnknownHolidays("country", f"no holidays are known for {shown(country)}; list them under own")
    if region is not None and region not in regions[country]:
        near = get_close_matches(region, regions[country], 1)
        known = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(regions[country]) or 'none'}"
        raise UnknownHolidays("region", f"{shown(region)} is no region of {country}; {known}")
    found = library.public_holidays(country, region, FIRST_YEAR, LAST_YEAR)
    # Observance may move a day over the edge of the years that were asked for.
    return {day: name[:150] for day, name in found.items() if _FIRST <= day <= _LAST}


def feed_days(folder: Path, name: str) -> Mapping[date, str]:
    """The whole-day events of an iCalendar file (RFC 5545) in the folder, yearly repeats up to 2049.

    Raises UnknownHolidays when the file is not in the folder, is no iCalendar file, or holds an
    event that does not simply close whole days.
    """
    path = folder / name
    if Path(name).name != name or not path.resolve().is_relative_to(folder.resolve()):
        raise UnknownHolidays(
            "feed", f"{shown(name)} lies outside the policy's folder; put it beside this file"
        )
    if not path.is_file():
        raise UnknownHolidays("feed", f"there is no file {shown(name)} in the policy's folder; put it there")
    if path.stat().st_size > MOST_FEED_BYTES:
        raise UnknownHolidays("feed", f"{name} is over {MOST_FEED_BYTES // 1024} KiB; keep only closed days")
    days: dict[date, str] = {}
    for event in _events(name, path.read_bytes()):
        title = str(event.get("SUMMARY", "closed")).strip()[:150] or "closed"
        try:
            for day in _days(event):
                days.setdefault(day, title)
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            raise UnknownHolidays("feed", f"{name}: {shown(title)} {error}") from error
    if not days:
        raise UnknownHolidays("feed", f"{name} closes no day; export it once more")
    return dict(sorted(days.items()))


def _events(name: str, content: bytes) -> list[Any]:
    from icalendar import Calendar

    try:
        calendars = Calendar.from_ical(content, multiple=True)
        events = [event for calendar in calendars for event in calendar.walk("VEVENT")]
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise UnknownHolidays(
            "feed", f"{name} is not an iCalendar file ({shown(error)}); export it once more"
        ) from error
    if len(events) > MOST_FEED_EVENTS:
        raise UnknownHolidays(
            "feed", f"{name} has more than {MOST_FEED_EVENTS} events; keep only closed days"
        )
    return events


def _days(event: Any) -> Iterator[date]:
    """Every day that an event closes; a ValueError ends the sentence that its title begins."""
    start = _whole_day(event, "DTSTART")
    if start is None:
        raise ValueError("has no DTSTART; give it a day")
    end = _whole_day(event, "DTEND")
    if end is None:
        duration = event.get("DURATION")
        end = start + (duration.dt if duration is not None else timedelta(days=1))
    length = end - start
    if not timedelta(0) < length <= LONGEST_EVENT:
        raise ValueError("ends before it begins or lasts more than a year; correct its DTEND")
    for first in _starts(event, start):
        for offset in range(length.days):
            day = first + timedelta(days=offset)
            if _FIRST <= day <= _LAST:
                yield day


def _whole_day(event: Any, key: str) -> date | None:
    value = event.get(key)
    if value is None:
        return None
    if isinstance(value, list):
        raise ValueError(f"has {key} more than once; keep one")  # noqa: TRY004 - the value is wrong, not the caller
    day: Any = value.dt
    if isinstance(day, datetime):
        raise ValueError("is not a whole day; only whole days close a calendar (VALUE=DATE)")  # noqa: TRY004
    return date(day.year, day.month, day.day)


def _starts(event: Any, start: date) -> Iterator[date]:
    if event.get("RDATE") is not None:
        raise ValueError("has an RDATE; write the days as events of their own")
    rule = event.get("RRULE")
    if rule is None:
        yield start
        return
    if isinstance(rule, list) or set(rule) - _YEARLY or rule.get("FREQ") != ["YEARLY"]:
        raise ValueError("repeats by more than a yearly rule; write the days as events of their own")
    if start.year < 1970:
        raise ValueError("begins before 1970; give it a later first year")
    if any(every < 1 for every in rule.get("INTERVAL", [1])):
        raise ValueError("has an INTERVAL below 1; write 1 for every year")
    from dateutil.rrule import rrulestr

    left_out = {each.dt for exdate in _listed(event.get("EXDATE")) for each in exdate.dts}
    midnight = datetime(start.year, start.month, start.day)  # noqa: DTZ001 - dateutil counts whole days so
    # Every rule gets a last day: one that never comes true, as 30 February, would be tried up to 9999.
    last = min([_LAST, *(date(each.year, each.month, each.day) for each in rule.pop("UNTIL", []))])
    text = f"{rule.to_ical().decode()};UNTIL={last:%Y%m%d}"
    for occurrence in rrulestr(text, dtstart=midnight, ignoretz=True):
        if occurrence.date() not in left_out:
            yield occurrence.date()


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def closed_days(holidays: Holidays, folder: Path, problems: list[UnknownHolidays]) -> Mapping[date, str]:
    """All closed days by date with their names; an own name wins. What is wrong is added to `problems`."""
    days: dict[date, str] = {}
    try:
        if holidays.country is not None:
            days |= public_holidays(holidays.country, holidays.region)
        elif holidays.region is not None:
            problems.append(UnknownHolidays("region", "has no country beside it; add country"))
    except UnknownHolidays as unknown:
        problems.append(unknown)
    try:
        if holidays.feed is not None:
            days |= feed_days(folder, holidays.feed)
    except UnknownHolidays as unknown:
        problems.append(unknown)
    return dict(sorted((days | dict(holidays.own)).items()))
