"""Calendars, zones and days on which business time is hard, as hypothesis strategies."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from config.policy import Calendar, Opening, Weekday

WORKDAYS = tuple(Weekday)[:5]
HARD_DAYS = {  # zones with odd offsets or odd changes, and days on which they change
    "Europe/Berlin": [date(2026, 3, 29), date(2026, 10, 25)],
    "America/New_York": [date(2026, 3, 8), date(2026, 11, 1)],
    "Australia/Lord_Howe": [date(2026, 4, 5), date(2026, 10, 4)],  # by half an hour
    "Asia/Kathmandu": [date(2026, 6, 1), date(1986, 1, 1)],  # +05:45, from +05:30
    "Pacific/Chatham": [date(2026, 4, 5), date(2026, 9, 27)],  # +12:45
    "Pacific/Apia": [date(2011, 12, 30), date(2011, 9, 24)],  # a day that never was
    "Africa/Casablanca": [date(2026, 2, 15), date(2026, 3, 22)],  # Ramadan
    "America/St_Johns": [date(2010, 3, 14), date(2010, 11, 7)],  # a minute after midnight
    "America/Sao_Paulo": [date(2017, 10, 15), date(2018, 2, 17)],  # at midnight
    "Antarctica/Troll": [date(2026, 3, 29), date(2026, 10, 25)],  # by two hours
    "Asia/Pyongyang": [date(2015, 8, 15), date(2018, 5, 4)],
    "America/Caracas": [date(2007, 12, 9), date(2016, 5, 1)],
    "Pacific/Kiritimati": [date(1994, 12, 31), date(2026, 1, 1)],  # +14
    "Pacific/Pago_Pago": [date(2026, 1, 1), date(2024, 2, 29)],  # -11
    "UTC": [date(2026, 12, 31), date(2028, 2, 29)],
}


def often(examples: int) -> settings:
    """So many examples; RULES_EFFORT=50 in the environment makes it fifty times as many, for a night."""
    return settings(
        max_examples=examples * int(os.environ.get("RULES_EFFORT", "1")),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def office(zone: str = "Europe/Berlin", **more: object) -> Calendar:
    """Monday to Friday, 9 to 17."""
    return Calendar("office", "Berlin office hours", zone, (Opening(WORKDAYS, "09:00", "17:00"),), **more)  # type: ignore[arg-type]


def at(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> datetime:
    """`2026-11-23 09:00` on a zone's wall clock."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


def clock_time(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@st.composite
def openings(draw: st.DrawFn) -> Opening:
    """Any opening; its edges like to lie where clocks change, and on the quarter hours."""
    edge = st.sampled_from([0, 1, 60, 90, 120, 150, 180, 540, 720, 780, 1020, 1380, 1440]) | st.integers(
        0, 1440
    )
    opens, closes = sorted(draw(st.lists(edge, min_size=2, max_size=2, unique=True)))
    days = draw(st.sets(st.sampled_from(list(Weekday)), min_size=1))
    return Opening(tuple(sorted(days)), clock_time(opens), clock_time(closes))


@st.composite
def worlds(draw: st.DrawFn, most_days: int = 4) -> tuple[Calendar, datetime, datetime]:
    """A calendar, and a span of whole minutes around one of its zone's hard days, in UTC."""
    zone = draw(st.sampled_from(sorted(HARD_DAYS)))
    day = draw(st.sampled_from(HARD_DAYS[zone]))
    middle = datetime(day.year, day.month, day.day, tzinfo=UTC)
    start = middle + timedelta(minutes=draw(st.integers(-1440 * 2, 1440)))
    end = start + timedelta(minutes=draw(st.integers(0, 1440 * most_days)))
    return draw(calendars(zone, day)), start, end


@st.composite
def calendars(draw: st.DrawFn, zone: str, day: date) -> Calendar:
    """A calendar of this zone, with closed days near this one."""
    if draw(st.integers(0, 9)) == 0:
        return Calendar("always", "Always", zone, always=True)
    near = st.integers(-3, 6).map(lambda days: day + timedelta(days=days))
    return Calendar(
        "some",
        "Some hours",
        zone,
        tuple(draw(st.lists(openings(), min_size=1, max_size=4))),
        closed=dict.fromkeys(draw(st.sets(near, max_size=3)), "Holiday"),
    )
