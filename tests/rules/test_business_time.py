"""Business time is counted on the calendar's own wall clock, in time that really elapses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from threading import Thread
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from config.policy import Calendar, Opening, Weekday
from handlers.rules.business_time import BadCalendar, BadInstant, CalendarNeverOpen, hours_of
from tests.rules.oracle import Days, is_open
from tests.rules.worlds import HARD_DAYS, WORKDAYS, at, calendars, office, often, worlds

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
NIGHT = Calendar("night", "Nights", "Europe/Berlin", (Opening(tuple(Weekday), "01:00", "04:00"),))
ALWAYS = Calendar("always", "Always", "Europe/Berlin", always=True)
EASTER = office(closed={date(2026, 4, 3): "Good Friday", date(2026, 4, 6): "Easter Monday"})
instants = st.datetimes(datetime(2015, 1, 1), datetime(2031, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
amounts = st.timedeltas(timedelta(0), timedelta(days=60))


def many(zone, opens, closes):
    return Calendar("many", "Many", zone, (Opening(tuple(Weekday), opens, closes),))


APIA = many("Pacific/Apia", "09:00", "17:00")
MONROVIA = many("Africa/Monrovia", "09:00", "17:00")
LORD_HOWE = many("Australia/Lord_Howe", "01:00", "03:00")


@pytest.mark.parametrize(
    ("calendar", "start", "end", "hours"),
    [
        # a working day, its edges, a weekend
        (office(), at("2026-11-23 09:00"), at("2026-11-23 17:00"), 8),
        (office(), at("2026-11-23 08:00"), at("2026-11-23 18:00"), 8),
        (office(), at("2026-11-23 17:00"), at("2026-11-24 09:00"), 0),
        (office(), at("2026-11-27 16:00"), at("2026-11-30 10:00"), 2),
        # closed days
        (EASTER, at("2026-04-02 15:00"), at("2026-04-07 15:00"), 8),
        (office(), at("2026-04-06 00:00"), at("2026-04-13 00:00"), 40),
        # an hour that the clock repeats counts twice, one that it skips not at all
        (NIGHT, at("2026-10-25 00:00"), at("2026-10-25 12:00"), 4),
        (NIGHT, at("2026-03-29 00:00"), at("2026-03-29 12:00"), 2),
        (NIGHT, at("2026-10-24 00:00"), at("2026-10-24 12:00"), 3),
        # an edge inside the repeated hour is passed twice: 2:30 to 3:00, and again 2:30 to 6:00
        (many("Europe/Berlin", "02:30", "06:00"), at("2026-10-25 00:00"), at("2026-10-25 12:00"), 4),
        (many("Europe/Berlin", "00:00", "02:30"), at("2026-10-25 00:00"), at("2026-10-25 12:00"), 3),
        # an opening in the skipped hour begins at the first instant there is
        (many("Europe/Berlin", "02:30", "06:00"), at("2026-03-29 00:00"), at("2026-03-29 12:00"), 3),
        (many("Europe/Berlin", "02:00", "03:00"), at("2026-03-29 00:00"), at("2026-03-29 12:00"), 0),
        # half an hour back on Lord Howe; a whole day that Apia never had
        (LORD_HOWE, at("2026-04-04 13:00", "UTC"), at("2026-04-05 13:00", "UTC"), 2.5),
        (APIA, at("2011-12-29 10:00", "UTC"), at("2011-12-31 10:00", "UTC"), 16),
        # an offset of 44 minutes and 30 seconds
        (MONROVIA, at("1971-06-01 09:00:00", "UTC"), at("1971-06-01 09:45:30", "UTC"), 1 / 60),
        # midnight is no gap, and always is plain time
        (many("Europe/Berlin", "00:00", "24:00"), at("2026-11-01 00:00"), at("2026-12-01 00:00"), 720),
        (ALWAYS, at("2026-10-25 00:00"), at("2026-10-26 00:00"), 25),
        (ALWAYS, at("2026-03-29 00:00"), at("2026-03-30 00:00"), 23),
        # backwards is negative
        (office(), at("2026-11-23 17:00"), at("2026-11-23 09:00"), -8),
    ],
)
def test_time_between_two_instants_is_counted_on_the_calendar(calendar, start, end, hours):
    assert hours_of(calendar).between(start, end) == hours * HOUR


@pytest.mark.parametrize(
    ("start", "amount", "due"),
    [
        # closing time, not the next opening
        (at("2026-11-23 09:00"), 8 * HOUR, at("2026-11-23 17:00")),
        (at("2026-11-23 09:00"), 8 * HOUR + MICROSECOND, at("2026-11-24 09:00") + MICROSECOND),
        # from outside the hours
        (at("2026-11-22 12:00"), HOUR, at("2026-11-23 10:00")),
        (at("2026-11-23 17:00"), HOUR, at("2026-11-24 10:00")),
        # nothing at all is over at once, wherever that is
        (at("2026-11-22 12:00"), 0 * HOUR, at("2026-11-22 12:00")),
        (at("2026-11-23 12:00"), 0 * HOUR, at("2026-11-23 12:00")),
        # the measured example: eight hours over Easter, from Thursday 15:00 to Tuesday 15:00
        (at("2026-04-02 15:00"), 8 * HOUR, at("2026-04-07 15:00")),
    ],
)
def test_an_amount_ends_at_the_earliest_instant_at_which_it_has_been_counted(start, amount, due):
    found = hours_of(EASTER).after(start, amount)
    assert found == due
    assert found.tzinfo is UTC


def test_an_opening_is_half_open():
    hours = hours_of(office())
    assert not hours.is_open(at("2026-11-23 09:00") - MICROSECOND)
    assert hours.is_open(at("2026-11-23 09:00"))
    assert hours.is_open(at("2026-11-23 17:00") - MICROSECOND)
    assert not hours.is_open(at("2026-11-23 17:00"))


def test_it_opens_next_now_if_it_is_open_and_else_at_the_next_opening():
    hours = hours_of(EASTER)
    assert hours.opens_next(at("2026-04-02 12:34")) == at("2026-04-02 12:34")
    assert hours.opens_next(at("2026-04-02 17:00")) == at("2026-04-07 09:00")
    assert hours_of(many("Europe/Berlin", "02:30", "06:00")).opens_next(at("2026-03-29 00:00")) == at(
        "2026-03-29 03:00"
    )


def test_a_span_is_told_in_plain_words():
    sections = list(hours_of(EASTER).sections(at("2026-04-02 12:00"), at("2026-04-07 10:00")))
    told = [(f"{each.starts.astimezone(BERLIN):%a %H:%M}", each.counted, each.why) for each in sections]
    assert told == [
        ("Thu 12:00", True, "inside hours of Berlin office hours"),
        ("Thu 17:00", False, "outside hours of Berlin office hours"),
        ("Fri 00:00", False, "closed: Good Friday"),
        ("Sat 00:00", False, "outside hours of Berlin office hours"),
        ("Mon 00:00", False, "closed: Easter Monday"),
        ("Tue 00:00", False, "outside hours of Berlin office hours"),
        ("Tue 09:00", True, "inside hours of Berlin office hours"),
    ]
    assert sections[-1].ends == at("2026-04-07 10:00")
    assert list(hours_of(EASTER).spans(at("2026-04-02 12:00"), at("2026-04-07 10:00"))) == [
        (at("2026-04-02 12:00"), at("2026-04-02 17:00")),
        (at("2026-04-07 09:00"), at("2026-04-07 10:00")),
    ]


def test_an_hour_that_repeats_shows_both_passes_of_an_edge():
    spans = hours_of(many("Europe/Berlin", "02:30", "06:00")).spans(
        at("2026-10-25 00:00"), at("2026-10-25 12:00")
    )
    assert [(starts.strftime("%H:%M"), ends.strftime("%H:%M")) for starts, ends in spans] == [
        ("00:30", "01:00"),
        ("01:30", "05:00"),
    ]


def test_overlapping_and_touching_openings_count_once():
    doubled = replace(office(), hours=(
        Opening((Weekday.MON,), "09:00", "12:00"), Opening((Weekday.MON,), "11:00", "13:00"),
        Opening((Weekday.MON,), "13:00", "17:00"), Opening((Weekday.MON,), "10:00", "10:30"),
    ))  # fmt: skip
    assert list(hours_of(doubled).spans(at("2026-11-23 00:00"), at("2026-11-24 00:00"))) == [
        (at("2026-11-23 09:00"), at("2026-11-23 17:00"))
    ]


@pytest.mark.parametrize("offset", range(-11, 15))
def test_a_holiday_is_the_calendars_own_date_from_utc_minus_11_to_plus_14(offset):
    zone = f"Etc/GMT{-offset:+d}"
    calendar = replace(many(zone, "00:00", "24:00"), closed={date(2026, 12, 25): "Christmas"})
    midnight = datetime(2026, 12, 25, tzinfo=timezone(offset * HOUR))
    hours = hours_of(calendar)
    assert hours.is_open(midnight - MICROSECOND)
    assert not hours.is_open(midnight)
    assert not hours.is_open(midnight + 24 * HOUR - MICROSECOND)
    assert hours.is_open(midnight + 24 * HOUR)


# What must be refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calendar", "words"),
    [
        (replace(office(), hours=()), "no opening hours"),
        (replace(office(), hours=(Opening((), "09:00", "17:00"),)), "no opening hours"),
        (replace(office(), hours=(Opening(WORKDAYS, "22:00", "06:00"),)), "two openings"),
        (replace(office(), hours=(Opening(WORKDAYS, "09:00", "09:00"),)), "not later"),
        (replace(office(), zone="Europe/Berlim"), "IANA"),
        (replace(office(), zone="../../etc/passwd"), "IANA"),
    ],
)
def test_a_calendar_that_cannot_count_is_refused_with_the_reason(calendar, words):
    with pytest.raises(BadCalendar, match=words):
        hours_of(calendar)


def test_a_calendar_closed_for_years_is_waited_for_and_one_that_stays_closed_is_said():
    start = at("2026-01-01 00:00")
    shut = [date(2026, 1, 1) + timedelta(days=days) for days in range(366 * 20)]
    hours = hours_of(office(closed=dict.fromkeys(shut, "Shut")))
    assert hours.opens_next(start).year == 2046
    with pytest.raises(CalendarNeverOpen, match="before 2200"):
        hours.after(start, timedelta(days=366 * 100))


@pytest.mark.parametrize(
    "bad",
    [
        datetime(2026, 1, 1),  # noqa: DTZ001 - a naive instant is the point
        datetime(1969, 12, 31, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=UTC),
    ],
)
def test_an_instant_without_a_zone_or_out_of_all_reason_is_refused(bad):
    hours = hours_of(office())
    good = at("2026-01-01 00:00")
    for ask in (
        lambda: hours.between(bad, good),
        lambda: hours.between(good, bad),
        lambda: hours.after(bad, HOUR),
        lambda: hours.after(bad, 0 * HOUR),
        lambda: hours.is_open(bad),
        lambda: hours.opens_next(bad),
        lambda: hours.sections(bad, good),
    ):
        with pytest.raises(BadInstant):
            ask()


def test_a_negative_amount_is_refused():
    with pytest.raises(ValueError, match="forward"):
        hours_of(office()).after(at("2026-01-01 00:00"), -MICROSECOND)


def test_the_last_instant_of_all_can_still_be_asked_about():
    hours = hours_of(ALWAYS)
    last = datetime(2200, 1, 1, tzinfo=UTC)
    assert hours.between(last - HOUR, last) == HOUR
    assert hours.after(last - HOUR, HOUR) == last


def test_equal_calendars_share_their_hours_and_a_change_makes_new_ones():
    assert hours_of(office()) is hours_of(office())
    assert hours_of(office()) is not hours_of(EASTER)


def test_threads_may_share_hours_while_their_table_grows():
    hours = hours_of(replace(office(), name="Shared"))
    found = []

    def ask(year):
        found.append(hours.between(datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)))

    threads = [Thread(target=ask, args=(year,)) for year in (2031, 2020, 2026, 2040, 2023) * 4]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 20
    assert all(2080 * HOUR <= each <= 2096 * HOUR for each in found)


# What always holds --------------------------------------------------------------------------------


@st.composite
def some_hours(draw):
    zone = draw(st.sampled_from(sorted(HARD_DAYS)))
    return hours_of(draw(calendars(zone, draw(st.sampled_from(HARD_DAYS[zone])))))


def after(hours, start, amount):
    """When it is due; an hour a month may reach past the year 2200, which is another test's matter."""
    try:
        return hours.after(start, amount)
    except CalendarNeverOpen:
        reject()


@often(150)
@given(some_hours(), instants, instants, instants)
def test_two_parts_add_up_to_the_whole(hours, a, b, c):
    assert hours.between(a, b) + hours.between(b, c) == hours.between(a, c)
    assert abs(hours.between(a, b)) <= abs(b - a)


@often(150)
@given(some_hours(), instants, amounts)
def test_what_was_added_is_measured_again_and_not_a_microsecond_earlier(hours, start, amount):
    due = after(hours, start, amount)
    assert hours.between(start, due) == amount
    assert due >= start
    if amount:
        assert hours.between(start, due - MICROSECOND) < amount


@often(100)
@given(some_hours(), instants, instants, amounts, amounts)
def test_a_later_start_or_a_longer_time_is_never_due_earlier(hours, one, other, short, long):
    one, other = sorted((one, other))
    short, long = sorted((short, long))
    due = after(hours, one, short)
    assert due <= after(hours, one, long)
    assert not short or due <= after(hours, other, short)


@often(150)
@given(st.sampled_from(sorted(HARD_DAYS)), instants, st.timedeltas(timedelta(0), timedelta(days=3653)))
def test_always_is_plain_addition_to_the_microsecond_over_ten_years(zone, start, amount):
    hours = hours_of(replace(ALWAYS, zone=zone))
    assert hours.after(start, amount) == start + amount
    assert hours.between(start, start + amount) == amount


@often(100)
@given(some_hours(), instants, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_the_sections_are_the_span_and_their_counted_part_is_the_business_time(hours, start, length):
    sections = list(hours.sections(start, start + length))
    edges = [start, *(each.ends for each in sections)]
    assert [each.starts for each in sections] == edges[:-1]
    assert edges[-1] == start + length
    assert all(each.starts < each.ends for each in sections)
    assert all(one.why != other.why for one, other in pairwise(sections))
    counted = sum((each.ends - each.starts for each in sections if each.counted), timedelta(0))
    assert counted == hours.between(start, start + length)


@often(100)
@given(some_hours(), instants)
def test_it_is_open_when_it_opens_and_not_before(hours, start):
    opening = hours.opens_next(start)
    assert hours.is_open(opening)
    assert (opening == start) == hours.is_open(start)
    assert hours.between(start, opening) == timedelta(0)


@often(120)
@given(worlds())
def test_every_minute_agrees_with_the_oracle(world):
    calendar, start, end = world
    hours, oracle = hours_of(calendar), Days(calendar)
    assert hours.between(start, end) == oracle.between(start, end)
    minute, length = start, timedelta(minutes=1)
    while minute < end:
        assert hours.is_open(minute) == oracle.open(minute), minute
        minute += 7 * length


@often(60)
@given(worlds(), st.integers(0, 2 * 1440))
def test_every_due_moment_agrees_with_the_oracle(world, minutes):
    calendar, start, end = world
    amount = timedelta(minutes=minutes)
    expected = Days(calendar).after(start, amount, end)
    if expected:
        assert hours_of(calendar).after(start, amount) == expected
    else:
        assert hours_of(calendar).between(start, end) < amount


def test_the_oracle_itself_counts_the_days_that_people_counted_by_hand():
    assert is_open(office(), at("2026-11-23 09:00"))
    assert not is_open(office(), at("2026-11-23 17:00"))
    assert not is_open(EASTER, at("2026-04-06 12:00"))
    assert (
        Days(NIGHT).between(at("2026-10-25 00:00").astimezone(UTC), at("2026-10-25 12:00").astimezone(UTC))
        == 4 * HOUR
    )
