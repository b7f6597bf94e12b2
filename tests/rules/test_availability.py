"""Is availability the share of agreed time, with outages that overlap counted once? When is a digest due?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.policy import Calendar, Digest, Opening, Weekday
from handlers.rules.availability import available
from handlers.rules.digests import next_digest

ALWAYS = Calendar(key="always", name="always", zone="UTC", always=True)
OFFICE = Calendar(
    key="office",
    name="office",
    zone="UTC",
    hours=(Opening(days=(Weekday.MON, Weekday.TUE), opens="09:00", closes="17:00"),),
)
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def at(hours: float) -> datetime:
    return MONDAY + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("calendar", "outages", "agreed", "down", "share"),
    [
        (ALWAYS, [], 48, 0, 100.0),
        (ALWAYS, [(0, 12)], 48, 12, 75.0),
        (ALWAYS, [(0, 12), (6, 12), (11, 24)], 48, 24, 50.0),
        (ALWAYS, [(-5, 12), (36, None)], 48, 24, 50.0),
        (ALWAYS, [(-9, -5), (60, 70)], 48, 0, 100.0),
        (OFFICE, [(0, 8.5)], 16, 0, 100.0),
        (OFFICE, [(16, 34)], 16, 2, 87.5),
    ],
)
def test_availability(calendar, outages, agreed, down, share):
    found = available(
        calendar,
        99.5,
        [(at(began), None if over is None else at(over)) for began, over in outages],
        at(0),
        at(48),
        at(48),
    )
    assert (found.agreed, found.down) == (timedelta(hours=agreed), timedelta(hours=down))
    assert found.share == pytest.approx(share)
    assert found.is_met == (share >= 99.5)


def test_what_has_not_come_yet_is_not_counted():
    assert available(ALWAYS, 99.5, [], at(0), at(48), at(12)).agreed == timedelta(hours=12)
    assert available(ALWAYS, 99.5, [], at(24), at(48), at(12)).share is None


@given(st.lists(st.tuples(st.integers(-10, 60), st.integers(0, 40)), max_size=8))
def test_downtime_is_never_more_than_the_outages_nor_than_the_time(outages):
    spans = [(at(began), at(began + length)) for began, length in outages]
    found = available(ALWAYS, 99.5, spans, at(0), at(48), at(48))
    hours = {hour for began, length in outages for hour in range(began, began + length) if 0 <= hour < 48}
    assert found.down == timedelta(hours=len(hours))


@pytest.mark.parametrize(
    ("days", "time", "zone", "after", "due"),
    [
        ("mon", "08:30", "Europe/Berlin", "2026-11-23T07:29:59", "2026-11-23T07:30:00"),
        ("mon", "08:30", "Europe/Berlin", "2026-11-23T07:30:00", "2026-11-30T07:30:00"),
        ("fri", "24:00", "UTC", "2026-11-27T12:00:00", "2026-11-28T00:00:00"),
        (
            "sun",
            "02:30",
            "Europe/Berlin",
            "2026-03-28T12:00:00",
            "2026-03-29T01:00:00",
        ),  # skipped: right after it
        ("mon", "09:00", "Pacific/Auckland", "2026-11-22T12:00:00", "2026-11-22T20:00:00"),
    ],
)
def test_a_digest_is_due_by_the_clock_of_its_zone(days, time, zone, after, due):
    digest = Digest(key="d", name="d", to=("a",), days=(Weekday(days),), at=time, zone=zone)
    found = next_digest(digest, datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(due).replace(tzinfo=UTC)
