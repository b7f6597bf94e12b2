"""Are shares of kept promises, steps of trends and periods what a manager means by them?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.rules.attainment import STEPS_AT_MOST, Attainment, attained, shown, steps
from handlers.rules.periods import NotAPeriod, period

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kept", "broken", "excluded", "share", "of_all", "met"),
    [
        (0, 0, 0, None, None, None),
        (19, 1, 0, 95.0, 95.0, True),
        (18, 2, 0, 90.0, 90.0, False),
        (19, 0, 1, 100.0, 95.0, True),
        (0, 0, 3, None, 0.0, None),
    ],
)
def test_both_figures(
    kept: int, broken: int, excluded: int, share: float | None, of_all: float | None, met: bool | None
) -> None:
    found = attained(95, [("kept", kept), ("broken", broken), ("excluded", excluded)])
    assert (found.share, found.share_of_all, found.is_met) == (share, of_all, met)


@pytest.mark.parametrize(
    ("share", "words"),
    [(None, "no occasion yet"), (100.0, "100 %"), (99.99, "99.9 %"), (95.0, "95 %"), (0.0, "0 %")],
)
def test_a_share_is_never_rounded_up(share: float | None, words: str) -> None:
    assert shown(share) == words


def test_attainments_add_up() -> None:
    assert Attainment(95, 1, 2, 3) + Attainment(90, 1, 0, 0) == Attainment(95, 2, 2, 3)
    assert Attainment() + Attainment(90, 1, 0, 0) == Attainment(90, 1, 0, 0)


@given(st.dates(date(2000, 1, 1), date(2090, 1, 1)), st.integers(1, 3000))
def test_steps_cover_every_day_once_and_are_few(first: date, days: int) -> None:
    end = first + timedelta(days=days)
    found = steps(first, end)
    assert 1 <= len(found) <= STEPS_AT_MOST
    assert found[-1].end == end
    assert len(found) == STEPS_AT_MOST or found[0].first == first
    assert all(each.first < each.end for each in found)
    assert all(each.end == other.first for each, other in pairwise(found))


@pytest.mark.parametrize(
    ("first", "end", "names"),
    [
        ("2026-11-23", "2026-11-25", ["23 Nov", "24 Nov"]),
        ("2026-11-01", "2026-12-01", ["week 44", "week 45", "week 46", "week 47", "week 48", "week 49"]),
        (
            "2026-01-01",
            "2026-07-01",
            ["Jan 2026", "Feb 2026", "Mar 2026", "Apr 2026", "May 2026", "Jun 2026"],
        ),
    ],
)
def test_steps_are_as_fine_as_can_be_read(first: str, end: str, names: list[str]) -> None:
    assert [each.name for each in steps(date.fromisoformat(first), date.fromisoformat(end))] == names


@pytest.mark.parametrize(
    ("word", "first", "end"),
    [
        ("today", "2026-11-23", "2026-11-24"),
        ("this week", "2026-11-23", "2026-11-30"),
        ("last-week", "2026-11-16", "2026-11-23"),
        ("month", "2026-11-01", "2026-12-01"),
        ("last month", "2026-10-01", "2026-11-01"),
        ("quarter", "2026-10-01", "2027-01-01"),
        ("last-quarter", "2026-07-01", "2026-10-01"),
        ("year", "2026-01-01", "2027-01-01"),
        ("last-year", "2025-01-01", "2026-01-01"),
        ("30d", "2026-10-25", "2026-11-24"),
        ("2026-02", "2026-02-01", "2026-03-01"),
        ("2026-Q1", "2026-01-01", "2026-04-01"),
        ("2025", "2025-01-01", "2026-01-01"),
    ],
)
def test_periods_are_days_of_the_zone(word: str, first: str, end: str) -> None:
    found = period(word, NOW, "Europe/Berlin")
    assert (found.first.isoformat(), found.end.isoformat()) == (first, end)
    assert found.since.astimezone(UTC).hour in (22, 23)
    assert found.before().end == found.first


@pytest.mark.parametrize(
    "word", ["2027", "2027-01", "2026-13", "2027-Q1", "2026-Q5", "pigeons", "0", "-1d", ""]
)
def test_what_is_no_period_or_has_not_begun_is_refused(word: str) -> None:
    with pytest.raises(NotAPeriod):
        period(word, NOW, "Europe/Berlin")
