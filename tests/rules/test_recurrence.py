"""Are the occurrences around a moment those that the whole rule has there?"""

from __future__ import annotations

from datetime import datetime, timedelta
from time import perf_counter

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from config.recurrence import MOST_COUNTED, NotARule, read_rule

FRIDAY = datetime(2026, 1, 2, 16, 0)  # noqa: DTZ001 - a wall time


def days(rule: str, first: str, last: str, start: datetime = FRIDAY) -> list[str]:
    found = read_rule(rule, start, "Europe/Berlin")
    return [
        f"{each:%Y-%m-%d}"
        for each in found.between(datetime.fromisoformat(first), datetime.fromisoformat(last))
    ]


@pytest.mark.parametrize(
    ("rule", "first", "last", "expected"),
    [
        ("FREQ=WEEKLY", "2026-01-01", "2026-01-20", ["2026-01-02", "2026-01-09", "2026-01-16"]),
        (
            "RRULE:FREQ=WEEKLY;BYDAY=FR,MO;",
            "2026-02-01",
            "2026-02-10",
            ["2026-02-02", "2026-02-06", "2026-02-09"],
        ),
        ("freq=weekly;interval=2", "2026-01-03", "2026-02-01", ["2026-01-16", "2026-01-30"]),
        ("FREQ=MONTHLY;BYDAY=1FR", "2026-02-01", "2026-04-10", ["2026-02-06", "2026-03-06", "2026-04-03"]),
        ("FREQ=MONTHLY;INTERVAL=5", "2026-02-01", "2027-01-01", ["2026-06-02", "2026-11-02"]),
        ("FREQ=YEARLY", "2027-01-01", "2029-01-01", ["2027-01-02", "2028-01-02"]),
        ("FREQ=DAILY;COUNT=3", "2026-01-01", "2027-01-01", ["2026-01-02", "2026-01-03", "2026-01-04"]),
        ("FREQ=DAILY;UNTIL=20260103", "2026-01-01", "2027-01-01", ["2026-01-02", "2026-01-03"]),
        ("FREQ=DAILY;UNTIL=20260103T150000Z", "2026-01-01", "2027-01-01", ["2026-01-02", "2026-01-03"]),
        ("FREQ=DAILY;UNTIL=20260103T145959Z", "2026-01-01", "2027-01-01", ["2026-01-02"]),
    ],
)
def test_a_rule_means_these_days(rule, first, last, expected):
    assert days(rule, first, last) == expected


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("every friday", "says 'EVERY FRIDAY'"),
        ("BYDAY=FR", "does not say how often"),
        ("FREQ=HOURLY", "repeats 'HOURLY'"),
        ("FREQ=WEEKLY;FREQ=DAILY", "says FREQ twice"),
        ("FREQ=WEEKLY;BYDAY=XX", "names the day 'XX'"),
        ("FREQ=WEEKLY;BYDAY=1FR", "counts days (1FR)"),
        ("FREQ=MONTHLY;BYDAY=0FR", "counts days (0FR)"),
        ("FREQ=WEEKLY;INTERVAL=0", "says INTERVAL=0"),
        ("FREQ=YEARLY;BYMONTH=13", "says BYMONTH=13"),
        ("FREQ=YEARLY;BYMONTHDAY=-32", "says BYMONTHDAY=-32"),
        ("FREQ=DAILY;UNTIL=tomorrow", "says UNTIL=TOMORROW"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "says COUNT and UNTIL"),
        (f"FREQ=DAILY;COUNT={MOST_COUNTED + 1}", "says COUNT="),
        ("FREQ=WEEKLY;BYDAY=MO", "does not name the moment at which it starts"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "does not name the moment at which it starts"),
        ("FREQ=DAILY;UNTIL=20251231", "does not name the moment at which it starts"),
    ],
)
def test_what_is_no_rule_is_refused_with_the_reason(rule, said):
    with pytest.raises(NotARule, match="^" + said.replace("(", r"\(").replace(")", r"\)")):
        read_rule(rule, FRIDAY, "Europe/Berlin")


_BY = {
    "DAILY": ["", ";BYMONTH=1,3,7", ";BYDAY=MO,WE,FR", ";BYMONTHDAY=1,15,-1"],
    "WEEKLY": ["", ";BYDAY=MO,WE,FR", ";WKST=SU;BYDAY=SU,SA", ";BYMONTH=2,11"],
    "MONTHLY": ["", ";BYDAY=-1FR", ";BYMONTHDAY=1,31", ";BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", ";BYDAY=2TU,4TU"],
    "YEARLY": [
        "",
        ";BYMONTH=3,9",
        ";BYMONTH=12;BYDAY=-1SU",
        ";BYWEEKNO=1,20,53",
        ";BYYEARDAY=1,100,-1",
        ";BYDAY=20MO",
    ],
}
RULES = st.sampled_from(sorted(_BY)).flatmap(
    lambda frequency: st.builds(
        lambda by, interval, end: f"FREQ={frequency};INTERVAL={interval}{by}{end}",
        st.sampled_from(_BY[frequency]),
        st.integers(1, 7),
        st.sampled_from(["", ";COUNT=40", ";UNTIL=20310101T000000"]),
    )
)
MOMENTS = st.datetimes(datetime(2019, 12, 1), datetime(2035, 1, 1)).map(lambda at: at.replace(microsecond=0))  # noqa: DTZ001


@given(RULES, MOMENTS, MOMENTS, st.integers(0, 800))
@example("FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SU,SA", datetime(2024, 1, 6, 9), datetime(2025, 1, 5), 30)  # noqa: DTZ001
@settings(max_examples=500)
def test_the_occurrences_around_a_moment_are_those_of_the_whole_rule(rule, start, first, length):
    whole = rrulestr(rule, dtstart=start)
    begins = next(iter(whole), FRIDAY.replace(year=9999))
    assume(begins.year < 2040)
    # The library counts from where it begins; the desk's rule begins with its first occurrence.
    whole = rrulestr(rule, dtstart=begins)
    last = first + timedelta(days=length)
    assert read_rule(rule, begins, "UTC").between(first, last) == whole.between(first, last, inc=True)


def test_a_rule_that_began_long_ago_costs_no_more_than_one_of_today():
    def cost(start: datetime) -> float:
        found = read_rule("FREQ=DAILY", start, "UTC")
        at = datetime(2150, 6, 1)  # noqa: DTZ001
        began = perf_counter()
        for _ in range(50):
            found.between(at, at + timedelta(days=2))
        return perf_counter() - began

    recent = min(cost(datetime(2150, 1, 1)) for _ in range(3))  # noqa: DTZ001
    assert min(cost(datetime(1971, 1, 1)) for _ in range(3)) < 5 * recent  # noqa: DTZ001
