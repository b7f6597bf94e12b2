"""Who is on call: one person at every instant, whatever the clocks do."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.policy import Calendar, Layer, Opening, Rota, Weekday
from handlers.rules.business_time import BadInstant
from handlers.rules.rotation import Cover, Override, covers, first_gap, gaps, holder
from tests.rules import oracle
from tests.rules.worlds import HARD_DAYS, WORKDAYS, at, office, often, openings

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EVERY_DAY = tuple(Weekday)
OFFICE_HOURS = (Opening(WORKDAYS, "09:00", "17:00"),)
NIGHTS = (Opening(WORKDAYS, "00:00", "09:00"), Opening(WORKDAYS, "17:00", "24:00"))
WEEKENDS = (Opening((Weekday.SAT, Weekday.SUN), "00:00", "24:00"),)


def layer(*people: str, starts="2026-01-05 09:00", turn=7, hours=(), closed_days_of=None) -> Layer:
    return Layer(people, datetime.fromisoformat(starts), turn, hours, closed_days_of)


def rota(*layers: Layer, zone="Europe/Berlin") -> Rota:
    return Rota("rota", "Rota", zone, "room", layers)


def utc(text):
    return at(text, "UTC").astimezone(UTC)


def told(found):
    """Covers and gaps as a reader would list them."""
    return [f"{each.start:%m-%d %H:%M} {each.person} {each.by}" for each in found]


WEEKLY = rota(layer("ann", "bob"))
DAILY = rota(layer("ann", "bob", "cyd", starts="2026-01-05 02:30", turn=1))
BUSY = rota(layer("ann"), layer("bob", "cyd", turn=1, hours=OFFICE_HOURS))
HOLIDAYS = {"office": office(closed={date(2026, 4, 3): "Good Friday", date(2026, 4, 6): "Easter Monday"})}
FREE = rota(layer("ann"), layer("bob", hours=OFFICE_HOURS, closed_days_of="office"))

# What the words say ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "when", "person"),
    [
        # a turn begins at its wall time, in winter and in summer, and nobody is on call before the first
        (WEEKLY, utc("2026-01-05 07:59"), None),
        (WEEKLY, utc("2026-01-05 08:00"), "ann"),
        (WEEKLY, utc("2026-01-12 07:59"), "ann"),
        (WEEKLY, utc("2026-01-12 08:00"), "bob"),
        (WEEKLY, utc("2026-03-30 06:59"), "bob"),
        (WEEKLY, utc("2026-03-30 07:00"), "ann"),
        (WEEKLY, utc("2026-10-26 07:59"), "bob"),
        (WEEKLY, utc("2026-10-26 08:00"), "ann"),
        # a wall time that is skipped: the first instant after the skip
        (DAILY, utc("2026-03-28 01:30"), "bob"),
        (DAILY, utc("2026-03-29 00:59"), "bob"),
        (DAILY, utc("2026-03-29 01:00"), "cyd"),
        (DAILY, utc("2026-03-30 00:29"), "cyd"),
        (DAILY, utc("2026-03-30 00:30"), "ann"),
        # one that is repeated: the first occurrence
        (DAILY, utc("2026-10-25 00:29"), "bob"),
        (DAILY, utc("2026-10-25 00:30"), "cyd"),
        (DAILY, utc("2026-10-25 01:15"), "cyd"),
        (DAILY, utc("2026-10-25 01:30"), "cyd"),
        # a later layer lies above an earlier one while it has somebody, half open
        (BUSY, at("2026-01-06 08:59"), "ann"),
        (BUSY, at("2026-01-06 09:00"), "cyd"),
        (BUSY, at("2026-01-06 16:59"), "cyd"),
        (BUSY, at("2026-01-06 17:00"), "ann"),
        (BUSY, at("2026-01-10 12:00"), "ann"),
        # a closed day takes a layer away
        (FREE, at("2026-04-02 12:00"), "bob"),
        (FREE, at("2026-04-03 12:00"), "ann"),
        (FREE, at("2026-04-07 12:00"), "bob"),
    ],
)
def test_the_layers_say_who_is_on_call(table, when, person):
    found = holder(table, HOLIDAYS, (), when)
    assert (found.person if found else None) == person


def test_a_turn_that_falls_into_a_day_that_never_was_begins_with_the_day_after():
    apia = rota(layer("ann", "bob", "cyd", starts="2011-12-28 09:00", turn=1), zone="Pacific/Apia")
    found = covers(apia, {}, (), utc("2011-12-29 00:00"), utc("2012-01-01 00:00"))
    assert told(found) == [
        "12-29 00:00 ann layer 1",
        "12-29 19:00 bob layer 1",
        "12-30 10:00 cyd layer 1",  # the 31st, 00:00
        "12-30 19:00 ann layer 1",  # the 31st, 09:00
        "12-31 19:00 bob layer 1",
    ]


def test_a_turn_of_no_length_passes_to_the_next_person():
    apia = rota(layer("ann", "bob", "cyd", starts="2011-12-28 00:00", turn=1), zone="Pacific/Apia")
    found = covers(apia, {}, (), utc("2011-12-29 12:00"), utc("2012-01-01 00:00"))
    assert told(found) == [
        "12-29 12:00 bob layer 1",
        "12-30 10:00 ann layer 1",  # it was cyd's turn on the 30th only
        "12-31 10:00 bob layer 1",
    ]


def test_a_closed_day_is_a_day_where_the_calendar_is():
    calendars = {"office": office("Asia/Tokyo", closed={date(2026, 1, 7): "Closed"})}
    found = covers(
        rota(layer("ann", closed_days_of="office")),
        calendars,
        (),
        utc("2026-01-06 00:00"),
        utc("2026-01-09 00:00"),
    )
    assert [(each.start, each.end) for each in found] == [
        (utc("2026-01-06 00:00"), utc("2026-01-06 15:00")),
        (utc("2026-01-07 15:00"), utc("2026-01-09 00:00")),
    ]


def test_closed_days_of_a_calendar_that_is_always_open_count_too():
    always = Calendar("always", "Always", "UTC", always=True, closed={date(2026, 1, 7): "Closed"})
    table = rota(layer("ann", closed_days_of="always"), zone="UTC")
    assert holder(table, {"always": always}, (), utc("2026-01-07 12:00")) is None


TUESDAY = (utc("2026-01-06 00:00"), utc("2026-01-07 00:00"))


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], ["01-06 00:00 ann layer 1"]),
        (
            [Override("rota", "bob", utc("2026-01-06 10:00"), utc("2026-01-06 12:00"))],
            ["01-06 00:00 ann layer 1", "01-06 10:00 bob override", "01-06 12:00 ann layer 1"],
        ),
        # the later of two wins, and what was beneath it comes back
        (
            [
                Override("rota", "bob", utc("2026-01-06 10:00"), utc("2026-01-06 14:00")),
                Override("rota", "cyd", utc("2026-01-06 11:00"), utc("2026-01-06 12:00"), "swap"),
            ],
            [
                "01-06 00:00 ann layer 1",
                "01-06 10:00 bob override",
                "01-06 11:00 cyd swap",
                "01-06 12:00 bob override",
                "01-06 14:00 ann layer 1",
            ],
        ),
        # nobody, on purpose
        (
            [Override("rota", None, utc("2026-01-06 10:00"), utc("2026-01-06 12:00"))],
            ["01-06 00:00 ann layer 1", "01-06 12:00 ann layer 1"],
        ),
        (
            [
                Override("rota", None, utc("2026-01-06 10:00"), utc("2026-01-06 12:00")),
                Override("rota", "bob", utc("2026-01-06 11:00"), utc("2026-01-06 12:00")),
            ],
            ["01-06 00:00 ann layer 1", "01-06 11:00 bob override", "01-06 12:00 ann layer 1"],
        ),
        # those of another rota, of no length, and outside the span change nothing
        ([Override("other", "bob", *TUESDAY)], ["01-06 00:00 ann layer 1"]),
        (
            [Override("rota", "bob", utc("2026-01-06 10:00"), utc("2026-01-06 10:00"))],
            ["01-06 00:00 ann layer 1"],
        ),
        (
            [Override("rota", "bob", utc("2026-01-07 00:00"), utc("2026-01-08 00:00"))],
            ["01-06 00:00 ann layer 1"],
        ),
        # one that reaches over the span is cut
        (
            [Override("rota", "bob", utc("2026-01-01 00:00"), utc("2026-02-01 00:00"))],
            ["01-06 00:00 bob override"],
        ),
    ],
)
def test_an_override_lies_above_every_layer(overrides, expected):
    found = covers(WEEKLY, {}, overrides, *TUESDAY)
    assert told(found) == expected
    assert all(TUESDAY[0] <= each.start < each.end <= TUESDAY[1] for each in found)


def test_an_override_covers_the_time_before_the_first_turn():
    early = Override("rota", "bob", utc("2026-01-01 00:00"), utc("2026-01-02 00:00"))
    assert holder(WEEKLY, {}, [early], utc("2026-01-01 12:00")) == Cover(
        "bob", utc("2026-01-01 00:00"), utc("2026-01-02 00:00"), "override"
    )


def test_two_turns_of_the_same_person_are_one_cover():
    found = covers(rota(layer("ann", "ann", "bob")), {}, (), utc("2026-01-05 08:00"), utc("2026-01-26 08:00"))
    assert told(found) == ["01-05 08:00 ann layer 1", "01-19 08:00 bob layer 1"]


def test_nothing_is_covered_in_a_span_that_ends_before_it_starts():
    assert covers(WEEKLY, {}, (), *reversed(TUESDAY)) == []
    assert covers(WEEKLY, {}, (), TUESDAY[0], TUESDAY[0]) == []
    assert gaps(WEEKLY, {}, (), *reversed(TUESDAY)) == []


@pytest.mark.parametrize(
    ("table", "when", "start", "end"),
    [
        (WEEKLY, "2026-01-14 12:00", "2026-01-12 08:00", "2026-01-19 08:00"),
        (WEEKLY, "2026-01-12 08:00", "2026-01-12 08:00", "2026-01-19 08:00"),
        (WEEKLY, "2026-01-05 08:00", "2026-01-05 08:00", "2026-01-12 08:00"),
        (BUSY, "2026-01-10 12:00", "2026-01-09 16:00", "2026-01-12 08:00"),
        (rota(layer("ann", "bob", turn=366)), "2026-06-01 00:00", "2026-01-05 08:00", "2027-01-06 08:00"),
        # one person for ever: cut 400 days away
        (rota(layer("ann")), "2030-01-01 00:00", "2028-11-27 00:00", "2031-02-05 00:00"),
    ],
)
def test_a_holder_is_told_from_when_and_until_when(table, when, start, end):
    found = holder(table, {}, (), utc(when))
    assert found is not None
    assert (found.start, found.end) == (utc(start), utc(end))


def test_gaps_are_what_nobody_covers():
    lent = Override("rota", "bob", at("2026-01-06 20:00"), at("2026-01-06 21:00"))
    found = gaps(
        rota(layer("ann", hours=OFFICE_HOURS)), {}, [lent], at("2026-01-06 12:00"), at("2026-01-07 12:00")
    )
    assert found == [
        (at("2026-01-06 17:00"), at("2026-01-06 20:00")),
        (at("2026-01-06 21:00"), at("2026-01-07 09:00")),
    ]


@pytest.mark.parametrize(
    ("table", "gap"),
    [
        (WEEKLY, None),
        (BUSY, None),
        (FREE, None),
        (rota(layer("ann", hours=(*OFFICE_HOURS, *NIGHTS, *WEEKENDS))), None),
        (
            rota(
                layer("ann", hours=(*OFFICE_HOURS, *NIGHTS)),
                layer("bob", starts="2026-01-03 00:00", hours=WEEKENDS),
            ),
            ("2026-01-05 00:00", "2026-01-05 09:00"),
        ),
        (rota(layer("ann", hours=OFFICE_HOURS)), ("2026-01-05 17:00", "2026-01-06 09:00")),
        # a layer that begins later leaves its part empty until then
        (
            rota(
                layer("ann", hours=(*OFFICE_HOURS, *NIGHTS)),
                layer("bob", starts="2026-01-17 00:00", hours=WEEKENDS),
            ),
            ("2026-01-10 00:00", "2026-01-12 00:00"),
        ),
        # closed days, also long after the first year
        (rota(layer("ann", closed_days_of="office")), ("2026-04-03 00:00", "2026-04-04 00:00")),
        (rota(layer("ann", closed_days_of="later")), ("2031-05-02 00:00", "2031-05-03 00:00")),
        (rota(layer("ann", closed_days_of="never")), None),
        (rota(layer("ann", closed_days_of="past")), None),
    ],
)
def test_the_first_gap_of_the_layers_is_found(table, gap):
    calendars = {
        **HOLIDAYS,
        "later": office(closed={date(2031, 5, 2): "Anniversary"}),
        "never": office(closed={date(9999, 12, 31): "The end"}),
        "past": office(closed={date(2025, 12, 25): "Christmas"}),
    }
    assert first_gap(table, calendars) == (tuple(at(edge) for edge in gap) if gap else None)


@pytest.mark.parametrize("question", [covers, gaps])
def test_an_instant_without_a_zone_is_refused(question):
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - the fault that is meant
    with pytest.raises(BadInstant):
        question(WEEKLY, {}, (), naive, utc("2026-01-01 00:00"))
    with pytest.raises(BadInstant):
        Override("rota", "ann", naive, utc("2026-01-01 00:00"))


# Against the plainest way ----------------------------------------------------------------------------


def wall(zone: str, when: datetime) -> datetime:
    return when.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def reached(zone: str, when: datetime) -> datetime:
    """The latest wall time that a zone's clock has shown so far; everything lies on whole minutes."""
    since = when - 3 * HOUR
    then, now = wall(zone, since), wall(zone, when)
    if now - then >= 3 * HOUR:
        return now
    went_back = bisect_left(
        range(180), True, key=lambda n: wall(zone, since + n * MINUTE) != then + n * MINUTE
    )
    return max(now, then + (went_back - 1) * MINUTE)


def expected(table: Rota, calendars, overrides, when: datetime) -> tuple[str, str] | None:
    """Who is on call at an instant, asked from the top downwards; a turn is found by counting."""
    for each in reversed(overrides):
        if each.rota == table.key and each.start <= when < each.end:
            return (each.person, each.by) if each.person else None
    shown = reached(table.zone, when)
    for number in range(len(table.layers), 0, -1):
        here = table.layers[number - 1]
        if shown < here.starts:
            continue
        if here.hours and not oracle.is_open(Calendar("", "", table.zone, here.hours), when):
            continue
        if here.closed_days_of:
            closing = calendars[here.closed_days_of]
            if when.astimezone(ZoneInfo(closing.zone)).date() in closing.closed:
                continue
        turns = (shown - here.starts) // timedelta(days=here.turn)
        return here.people[turns % len(here.people)], f"layer {number}"
    return None


def check_partition(
    found: list[Cover], free: list[tuple[datetime, datetime]], start: datetime, end: datetime
):
    """Covers and gaps together are the whole span, each instant once."""
    parts = sorted([(each.start, each.end) for each in found] + free)
    assert parts[0][0] == start
    assert parts[-1][1] == end
    assert all(starts < ends for starts, ends in parts)
    assert all(ends == starts for (_, ends), (starts, _) in pairwise(parts))
    assert all(
        (one.person, one.by, one.end) != (other.person, other.by, other.start)
        for one, other in pairwise(found)
    )


def at_instant(found: list[Cover], when: datetime) -> tuple[str, str] | None:
    index = bisect_right(found, when, key=lambda each: each.start) - 1
    return (found[index].person, found[index].by) if index >= 0 and when < found[index].end else None


people = st.lists(st.sampled_from(["ann", "bob", "cyd", "dee"]), min_size=1, max_size=5)


@st.composite
def worlds(draw):
    """A rota with calendars and overrides, and a span of whole minutes around a hard day of its zone."""
    zone = draw(st.sampled_from(sorted(HARD_DAYS)))
    day = draw(st.sampled_from(HARD_DAYS[zone]))
    near = st.integers(-40, 3).map(lambda days: datetime(day.year, day.month, day.day) + days * DAY)  # noqa: DTZ001 - a wall time
    layers = []
    for _ in range(draw(st.integers(1, 3))):
        hours = draw(st.sampled_from([0, 0, 1, 90, 120, 150, 180, 540, 1410])) * MINUTE
        layers.append(
            Layer(
                tuple(draw(people)),
                draw(near) + hours,
                draw(st.sampled_from([1, 1, 2, 7, 10])),
                tuple(draw(st.lists(openings(), max_size=2))),
                draw(st.sampled_from([None, None, "here", "there"])),
            )
        )
    closed = st.sets(st.integers(-3, 4).map(lambda days: day + days * DAY), max_size=3)
    calendars = {
        "here": office(zone, closed=dict.fromkeys(draw(closed), "Closed")),
        "there": office(
            draw(st.sampled_from(sorted(HARD_DAYS))), closed=dict.fromkeys(draw(closed), "Closed")
        ),
    }
    middle = datetime(day.year, day.month, day.day, tzinfo=UTC)
    minutes = st.integers(-2 * 1440, 3 * 1440).map(lambda number: middle + number * MINUTE)
    overrides = [
        Override(
            draw(st.sampled_from(["rota", "rota", "other"])),
            draw(st.sampled_from(["ann", "eve", None])),
            min(edges),
            max(edges),
            draw(st.sampled_from(["override", "swap"])),
        )
        for edges in draw(st.lists(st.tuples(minutes, minutes), max_size=4))
    ]
    start = draw(minutes)
    end = start + draw(st.integers(1, 5 * 1440)) * MINUTE
    return rota(*layers, zone=zone), calendars, overrides, start, end


@often(300)
@given(worlds())
def test_covers_are_what_asking_from_the_top_downwards_says(world):
    table, calendars, overrides, start, end = world
    found = covers(*world)
    check_partition(found, gaps(*world), start, end)
    edges = {edge for each in found for edge in (each.start, each.end, each.end - MINUTE)}
    asked = {start + n * 53 * MINUTE for n in range((end - start) // (53 * MINUTE) + 1)} | edges
    for when in asked:
        if start <= when < end:
            assert at_instant(found, when) == expected(table, calendars, overrides, when), when


@often(150)
@given(worlds(), st.data())
def test_a_part_of_a_span_is_covered_as_in_the_whole(world, data):
    table, calendars, overrides, start, end = world
    middle = start + data.draw(st.integers(0, (end - start) // MINUTE - 1)) * MINUTE
    whole = covers(*world)
    one, two = (
        covers(table, calendars, overrides, start, middle),
        covers(table, calendars, overrides, middle, end),
    )
    for when in {each.start for each in (*one, *two, *whole)} | {middle}:
        part = one if when < middle else two
        assert at_instant(part, when) == at_instant(whole, when)
    held = holder(table, calendars, overrides, middle)
    assert (held and (held.person, held.by)) == at_instant(whole, middle)
    assert held is None or held.start <= middle < held.end
    around = [each for each in whole if held and each.start <= middle < each.end]
    assert [(max(held.start, start), min(held.end, end)) for held in [held] if held] == [
        (each.start, each.end) for each in around
    ]


# Ten years in every zone -----------------------------------------------------------------------------

TEN_YEARS = (utc("2026-01-01 00:00"), utc("2036-01-01 00:00"))
ZONES = (files("tzdata") / "zones").read_text(encoding="ascii").split()


def generated(zone: str) -> Rota:
    """A rota of a zone, always the same: a layer round the clock, often one above it, changing at hard times."""
    dice = Random(zone)

    def turns(*hours: Opening, days: tuple[int, ...], month: int = 12) -> Layer:
        hour = dice.choice(["00:00", "01:30", "02:00", "02:30", "03:00", "09:00", "23:30"])
        people = tuple(dice.choices("abcdefg", k=dice.randint(1, 7)))
        day = f"2025-{month}-{dice.randint(1, 30):02}"
        return layer(*people, starts=f"{day} {hour}", turn=dice.choice(days), hours=hours)

    layers = [turns(days=(1, 7, 7, 14, 28), month=11)]
    if dice.random() < 0.15:
        layers.append(turns(Opening(WORKDAYS, "02:30", "17:00"), days=(1, 7)))
    elif dice.random() < 0.5:
        layers.append(turns(days=(3, 30)))
    return rota(*layers, zone=zone)


def changes(zone: str, start: datetime, end: datetime) -> list[datetime]:
    """The instants at which a zone's offset changes, found by looking; those of the map's zones are whole minutes."""
    info, found = ZoneInfo(zone), []
    weeks = [start + n * 7 * DAY for n in range((end - start) // DAY // 7 + 1)]
    for early, late in pairwise(weeks):
        if early.astimezone(info).utcoffset() == late.astimezone(info).utcoffset():
            continue
        first, last = early, late
        while last - first > MINUTE:
            middle = first + (last - first) // MINUTE // 2 * MINUTE
            same = middle.astimezone(info).utcoffset() == early.astimezone(info).utcoffset()
            first, last = (middle, last) if same else (first, middle)
        found.append(last)
    return found


@pytest.mark.parametrize("letter", sorted({zone[0] for zone in ZONES}))
def test_one_person_is_on_call_at_every_instant_of_ten_years_in_every_zone(letter):
    for zone in (each for each in ZONES if each[0] == letter):
        table = generated(zone)
        found = covers(table, {}, (), *TEN_YEARS)
        check_partition(found, [], *TEN_YEARS)
        assert first_gap(table, {}) is None
        for change in changes(zone, *TEN_YEARS):
            for minutes in range(-150, 240, 30):
                when = change + minutes * MINUTE
                assert at_instant(found, when) == expected(table, {}, (), when), (zone, when)


@pytest.mark.parametrize("zone", sorted(HARD_DAYS))
def test_declared_gaps_and_covers_share_ten_years_without_a_rest(zone):
    table = replace(
        rota(layer("ann", "bob", turn=1, hours=OFFICE_HOURS), layer("cyd", hours=WEEKENDS), zone=zone),
        gaps=True,
    )
    span = (utc("2025-06-01 00:00"), utc("2035-06-01 00:00"))
    found, free = covers(table, {}, (), *span), gaps(table, {}, (), *span)
    check_partition(found, free, *span)
    assert free[0] == (span[0], at("2026-01-05 09:00", zone).astimezone(UTC))
    assert first_gap(table, {}) == free[1]
