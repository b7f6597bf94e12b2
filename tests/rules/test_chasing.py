"""Is somebody who owes something reminded on the right mornings, wherever they are?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.rules.chasing import AHEAD, MORNING, newest_nudge, next_nudge, nudges

days = st.dates(date(2020, 1, 1), date(2040, 1, 1))
zones = st.sampled_from(sorted(available_timezones()))
instants = st.integers(0, 20 * 366 * 1440).map(
    lambda minutes: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@pytest.mark.parametrize(
    ("after", "number", "at"),
    [
        ("2026-11-20 00:00", -3, "2026-11-28 08:00"),
        ("2026-11-28 07:59", -3, "2026-11-28 08:00"),
        ("2026-11-28 08:00", 0, "2026-12-01 08:00"),
        ("2026-12-01 08:00", 7, "2026-12-08 08:00"),
        ("2027-03-23 08:00", 119, "2027-03-30 07:00"),  # nine in the morning, in summer time
    ],
)
def test_the_next_word_comes_on_its_morning(after: str, number: int, at: str) -> None:
    nudge = next_nudge(date(2026, 12, 1), "Europe/Berlin", datetime.fromisoformat(f"{after}+00:00"))
    assert (nudge.days, f"{nudge.at:%Y-%m-%d %H:%M}") == (number, at)


def test_before_the_first_word_there_is_none() -> None:
    first = next(nudges(date(2026, 12, 1), "UTC"))
    assert newest_nudge(date(2026, 12, 1), "UTC", first.at - timedelta(microseconds=1)) is None
    assert newest_nudge(date(2026, 12, 1), "UTC", first.at) == first


@given(due=days, zone=zones)
def test_every_word_comes_in_the_morning_of_the_place_or_when_that_hour_is_skipped_just_after(
    due: date, zone: str
) -> None:
    told = [*islice(nudges(due, zone), 60)]
    assert [each.days for each in told] == [-AHEAD, 0, *range(7, 7 * 59, 7)]
    for each in told:
        local = each.at.astimezone(ZoneInfo(zone))
        assert local.date() >= due + timedelta(days=each.days)
        if local.date() == due + timedelta(days=each.days):
            assert local.time() >= MORNING
            assert local.replace(tzinfo=None) - datetime.combine(local.date(), MORNING) < timedelta(hours=3)
    assert [each.at for each in told] == sorted({each.at for each in told})


@given(due=days, zone=zones, now=instants)
def test_what_is_newest_and_what_is_next_lie_side_by_side(due: date, zone: str, now: datetime) -> None:
    newest, ahead = newest_nudge(due, zone, now), next_nudge(due, zone, now)
    assert newest is None or newest.at <= now
    assert ahead.at > now
    both = [each for each in islice(nudges(due, zone), 2000) if each in (newest, ahead)]
    assert both == [each for each in (newest, ahead) if each]
    gap = {None: -AHEAD, -AHEAD: 0}.get(newest.days if newest else None, (newest.days if newest else 0) + 7)
    assert ahead.days == gap
