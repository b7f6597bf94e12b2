"""Recurrence rules (RFC 5545, 3.3.10): read, refused with a reason, and worked out around a moment.

A rule begins with its first occurrence and is counted in wall time: every Friday at 16:00 stays at 16:00 through
summer and winter time. Only the part of it that is asked for is worked out, however long ago it began.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any

from dateutil import rrule
from whenever import Instant

from config.policy import shown

MOST_COUNTED = 1000
"""A rule with a COUNT is worked out from its beginning, so it may not count further."""

_FREQUENCIES = {
    "DAILY": rrule.DAILY,
    "WEEKLY": rrule.WEEKLY,
    "MONTHLY": rrule.MONTHLY,
    "YEARLY": rrule.YEARLY,
}
_DAYS = {
    "MO": rrule.MO,
    "TU": rrule.TU,
    "WE": rrule.WE,
    "TH": rrule.TH,
    "FR": rrule.FR,
    "SA": rrule.SA,
    "SU": rrule.SU,
}
_DAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_NUMBERS = {
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (1, 31),
    "BYYEARDAY": (1, 366),
    "BYWEEKNO": (1, 53),
    "BYSETPOS": (1, 366),
}
_FORWARD_ONLY = frozenset({"BYMONTH"})
_KNOWN = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_NUMBERS)


class NotARule(ValueError):
    """A text that is no recurrence rule the desk can follow; the sentence says what to write instead."""


@dataclass(frozen=True)
class Recurrence:
    """A rule that was read. `start` is the wall time of its first occurrence; `parts` is what the library is given."""

    start: datetime
    frequency: int
    interval: int
    week_starts: int
    count: int | None
    until: datetime | None
    parts: Mapping[str, Sequence[Any]]

    def between(self, first: datetime, last: datetime) -> list[datetime]:
        """The wall times of the occurrences from `first` to `last`, both included."""
        # Without an end the library would look for what never comes up to the year 9999.
        until = last if self.until is None else min(last, self.until)
        first = max(first, self.start)
        if until < first:
            return []
        begins = self.start if self.count else self._period_before(first)
        found = rrule.rrule(
            self.frequency,
            dtstart=begins,
            interval=self.interval,
            wkst=self.week_starts,
            until=until,
            **self.parts,
        )
        return [each for each in islice(found, self.count) if each >= first]

    def _period_before(self, wanted: datetime) -> datetime:
        """The beginning of the last day, week, month or year in this rule's rhythm that is not after a wall time."""
        start, steps = self.start, self.interval
        if self.frequency == rrule.YEARLY:
            year = start.year + (wanted.year - start.year) // steps * steps
            return start.replace(year=year, month=1, day=1)
        if self.frequency == rrule.MONTHLY:
            since = (wanted.year - start.year) * 12 + wanted.month - start.month
            months = start.year * 12 + start.month - 1 + since // steps * steps
            return start.replace(year=months // 12, month=months % 12 + 1, day=1)
        length = timedelta(days=7 if self.frequency == rrule.WEEKLY else 1) * steps
        if self.frequency == rrule.WEEKLY:
            start -= timedelta(days=(start.weekday() - self.week_starts) % 7)
        return start + (wanted.date() - start.date()) // length * length


def read_rule(text: str, start: datetime, zone: str) -> Recurrence:
    """The rule in a text, such as `FREQ=MONTHLY;BYDAY=-1FR`. Raises NotARule.

    `start` is the wall time in `zone` of the first occurrence; it must be one that the rule names itself.
    """
    written = _written(text)
    if "COUNT" in written and "UNTIL" in written:
        raise NotARule("says COUNT and UNTIL; keep one of them")
    frequency = _FREQUENCIES.get(written["FREQ"])
    if frequency is None:
        raise NotARule(f"repeats {shown(written['FREQ'])}; write {', '.join(_FREQUENCIES)}")
    parts = {f"by{name[2:].lower()}": _numbers(name, written[name]) for name in _NUMBERS if name in written}
    if "BYDAY" in written:
        parts["byweekday"] = [_day(day, frequency) for day in written["BYDAY"].split(",")]
    found = Recurrence(
        start=start,
        frequency=frequency,
        interval=_number("INTERVAL", written.get("INTERVAL", "1"), 1, 1000),
        week_starts=_plain_day(written.get("WKST", "MO")).weekday,
        count=_number("COUNT", written["COUNT"], 1, MOST_COUNTED) if "COUNT" in written else None,
        until=_until(written["UNTIL"], zone) if "UNTIL" in written else None,
        parts={**_implied(frequency, parts, start), **parts},
    )
    try:
        first = found.between(start, start)
    except (ValueError, TypeError, OverflowError) as error:
        raise NotARule(f"cannot be followed ({error}); correct it") from None
    if not first:
        raise NotARule("does not name the moment at which it starts; let it begin with its first occurrence")
    return found


def _written(text: str) -> dict[str, str]:
    written: dict[str, str] = {}
    for part in text.upper().removeprefix("RRULE:").rstrip(";").split(";"):
        name, equals, value = part.strip().partition("=")
        if not equals or name not in _KNOWN:
            raise NotARule(
                f"says {shown(part)}; write parts such as FREQ=WEEKLY;BYDAY=FR of {', '.join(_KNOWN)}"
            )
        if name in written:
            raise NotARule(f"says {name} twice; keep one of them")
        written[name] = value.strip()
    if "FREQ" not in written:
        raise NotARule("does not say how often; begin with FREQ=DAILY, WEEKLY, MONTHLY or YEARLY")
    return written


def _number(name: str, text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,6}", text) or not least <= int(text) <= most:
        raise NotARule(f"says {name}={text[:20]}; write a number from {least} to {most}")
    return int(text)


def _numbers(name: str, text: str) -> list[int]:
    least, most = _NUMBERS[name]
    found = []
    for each in text.split(","):
        backwards = each.startswith("-") and name not in _FORWARD_ONLY
        found.append(_number(name, each, -most, -least) if backwards else _number(name, each, least, most))
    return found


def _plain_day(text: str) -> Any:
    if text not in _DAYS:
        raise NotARule(f"names the day {shown(text)}; write {', '.join(_DAYS)}")
    return _DAYS[text]


def _day(text: str, frequency: int) -> Any:
    match = _DAY.fullmatch(text)
    if not match:
        raise NotARule(f"names the day {shown(text)}; write MO to SU, or -1FR for the last Friday")
    if match[1] is None:
        return _DAYS[match[2]]
    if frequency not in (rrule.MONTHLY, rrule.YEARLY) or int(match[1]) == 0:
        raise NotARule(f"counts days ({text}) where there is no month or year to count in; write {match[2]}")
    return _DAYS[match[2]](int(match[1]))


def _until(text: str, zone: str) -> datetime:
    """The last moment as a wall time; a day alone is meant with all its hours."""
    try:
        if len(text) == len("20261231"):
            return datetime.combine(datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).date(), time.max)
        if text.endswith("Z"):
            at = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return Instant(at).to_tz(zone).to_plain().to_stdlib()
        return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC).replace(tzinfo=None)
    except ValueError:
        raise NotARule(
            f"says UNTIL={text[:20]}; write a day as 20261231 or a moment as 20261231T180000"
        ) from None


def _implied(frequency: int, parts: Mapping[str, Any], start: datetime) -> dict[str, list[Any]]:
    """What a rule takes from its start where it says nothing of it (RFC 5545, 3.3.10, the table's note)."""
    if frequency == rrule.DAILY or parts.keys() & {"byweekno", "byyearday", "bymonthday", "byweekday"}:
        return {}
    if frequency == rrule.WEEKLY:
        return {"byweekday": [start.weekday()]}
    month = {} if frequency == rrule.MONTHLY or "bymonth" in parts else {"bymonth": [start.month]}
    return {**month, "bymonthday": [start.day]}
