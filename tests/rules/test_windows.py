"""What stands in a window's way, all of it, and when is the next one free?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from config.policy import Freeze, Service
from handlers.rules.windows import (
    AHEAD,
    Booking,
    Conflict,
    Estate,
    Frozen,
    Kind,
    conflicts,
    in_common,
    instant,
    next_free,
)

SERVICES = {
    key: Service(key=key, name=key.title(), owner="ann", team="ops", depends_on=rests_on)
    for key, rests_on in {
        "network": (),
        "accounts": ("network",),
        "mail": ("accounts", "network"),
        "vpn": ("network",),
        "printers": (),
    }.items()
}
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def freeze(key: str = "end", **said: object) -> Freeze:
    known = {"name": key.title(), "zone": "Europe/Berlin", "lasts": 3600}
    return Freeze(key=key, **{**known, **said})  # type: ignore[arg-type]


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def booking(
    ref: str, services: str, start: datetime, hours: float = 1, person: str = "bob", *, drill: bool = False
) -> Booking:
    return Booking(ref, f"About {ref}", tuple(services.split()), person, start, start + hours * HOUR, drill)


def estate(*freezes: Freeze) -> Estate:
    return Estate(SERVICES, {each.key: each for each in freezes})


# What rests on what ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "kin"),
    [
        ("network", {"network", "accounts", "mail", "vpn"}),
        ("mail", {"mail", "accounts", "network"}),
        ("vpn", {"vpn", "network"}),
        ("printers", {"printers"}),
        ("gone", {"gone"}),  # the policy has dropped it since
    ],
)
def test_a_change_disturbs_what_rests_on_it_and_what_it_rests_on(service, kin):
    assert estate().kin([service]) == kin


@pytest.mark.parametrize(
    ("frozen", "dependants", "service", "holds"),
    [
        ((), True, "printers", True),
        (("network",), True, "network", True),
        (("network",), True, "mail", True),
        (("network",), False, "mail", False),
        (("mail",), True, "network", False),  # what it rests on is not frozen with it
        (("network",), True, "printers", False),
    ],
)
def test_a_freeze_holds_for_the_services_it_names_and_for_their_dependants(
    frozen, dependants, service, holds
):
    start = wall("2026-12-01 12:00")
    found = estate(freeze(start=start, services=frozen, dependants=dependants))
    inside = at("2026-12-01 11:30"), at("2026-12-01 11:31")
    assert bool(list(found.frozen([service], *inside))) == holds
    declared = Frozen("FRZ-1", "stop", *inside, frozen, dependants)
    assert estate().touches(declared, [service]) == holds


# Freezes in time ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "around", "expected"),
    [
        # Once, with an end or a length; a span of wall time over the end of summer is an hour longer.
        (
            {"start": "2026-10-24 18:00", "ends": "2026-10-25 18:00", "lasts": None},
            "2026-10-25",
            "10-24 16:00 10-25 17:00",
        ),
        ({"start": "2026-10-24 18:00", "lasts": 86400}, "2026-10-25", "10-24 16:00 10-25 17:00"),
        ({"start": "2026-10-24 18:00", "lasts": 86400 - 1}, "2026-10-25", "10-24 16:00 10-25 15:59"),
        # Weekly at the same wall time, in summer and in winter.
        ({"start": "2026-01-02 16:00", "repeats": "FREQ=WEEKLY"}, "2026-07-03 14:30", "07-03 14:00 07-03 15:00"),
        ({"start": "2026-01-02 16:00", "repeats": "FREQ=WEEKLY"}, "2026-12-04 15:30", "12-04 15:00 12-04 16:00"),
        # A skipped time is read with the offset before the skip, a repeated one is the first.
        ({"start": "2026-01-02 02:30", "repeats": "FREQ=DAILY"}, "2026-03-29 01:45", "03-29 01:30 03-29 02:30"),
        ({"start": "2026-01-02 02:30", "repeats": "FREQ=DAILY"}, "2026-10-25 00:45", "10-25 00:30 10-25 01:30"),
        # It began in another month, and another year.
        (
            {"start": "2025-12-18 18:00", "lasts": 17 * 86400, "repeats": "FREQ=YEARLY"},
            "2027-01-03 12:00",
            "12-18 17:00 01-04 17:00",
        ),
        # The zone's day is another one than that of UTC.
        (
            {"start": "2026-01-01 00:00", "zone": "Pacific/Kiritimati", "repeats": "FREQ=MONTHLY"},
            "2026-05-31 10:30",
            "05-31 10:00 05-31 11:00",
        ),
    ],
)  # fmt: skip
def test_a_freeze_takes_place_at_the_wall_times_it_says(said, around, expected):
    said = {key: wall(value) if key in ("start", "ends") and value else value for key, value in said.items()}
    found = list(estate(freeze(**said)).frozen(["mail"], at(around), at(around) + timedelta(seconds=1)))
    assert [f"{each.start:%m-%d %H:%M} {each.end:%m-%d %H:%M}" for each in found] == [expected]


def test_a_freeze_holds_from_its_start_to_just_before_its_end():
    known = estate(freeze(start=wall("2026-12-01 12:00")))
    starts, ends = at("2026-12-01 11:00"), at("2026-12-01 12:00")
    tick = timedelta(microseconds=1)
    held = [
        list(known.frozen(["mail"], each, each + tick)) for each in (starts - tick, starts, ends - tick, ends)
    ]
    assert [bool(each) for each in held] == [False, True, True, False]


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC")
RULES = (
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3",
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;INTERVAL=2",
    "FREQ=MONTHLY",
    "FREQ=YEARLY",
)


@settings(max_examples=300)
@given(
    zone=st.sampled_from(ZONES),
    rule=st.sampled_from(RULES),
    start=st.datetimes(wall("2024-01-01"), wall("2026-01-01")).map(
        lambda each: each.replace(second=0, microsecond=0)
    ),
    lasts=st.integers(1, 40 * 24).map(lambda hours: hours * 3600),
    first=st.datetimes(wall("2024-01-01"), wall("2028-01-01")).map(lambda each: each.replace(tzinfo=UTC)),
    hours=st.integers(1, 2000),
)
def test_the_spans_around_a_window_are_those_of_the_whole_rule(zone, rule, start, lasts, first, hours):
    last = first + hours * HOUR
    known = estate(freeze(start=start, zone=zone, lasts=lasts, repeats=rule))
    found = sorted((each.start, each.end) for each in known.frozen(["mail"], first, last))
    days, rest = divmod(lasts, 86400)
    spans = []
    for begins in rrulestr(rule, dtstart=start).between(
        start, last.replace(tzinfo=None) + timedelta(days=2), inc=True
    ):
        ends = instant(begins + timedelta(days=days), zone) + timedelta(seconds=rest)
        spans.append((instant(begins, zone), ends))
    assert found == sorted(each for each in spans if each[0] < last and each[1] > first)


# Conflicts ------------------------------------------------------------------------------------------

WANTED = booking("CHG-1", "mail", at("2026-12-01 20:00"), 2)


@pytest.mark.parametrize(
    ("other", "kinds"),
    [
        (booking("CHG-2", "mail", at("2026-12-01 21:00"), person="eve"), [Kind.CHANGE]),
        (booking("CHG-2", "network", at("2026-12-01 21:00"), person="eve"), [Kind.CHANGE]),
        (booking("CHG-2", "printers", at("2026-12-01 21:00"), person="eve"), []),
        (
            booking("CHG-2", "vpn", at("2026-12-01 21:00"), person="eve"),
            [],
        ),  # both rest on the network, no more
        (booking("CHG-2", "printers", at("2026-12-01 21:00")), [Kind.BUSY]),
        (booking("CHG-2", "mail", at("2026-12-01 21:00")), [Kind.BUSY, Kind.CHANGE]),
        (booking("DRL-1", "accounts", at("2026-12-01 19:00"), 5, "eve", drill=True), [Kind.DRILL]),
        (booking("CHG-2", "mail", at("2026-12-01 19:00"), 1), []),  # over when it begins
        (booking("CHG-2", "mail", at("2026-12-01 22:00"), 1), []),  # begins when it is over
        (booking("CHG-1", "mail", at("2026-12-01 21:00")), []),  # itself
    ],
)
def test_another_change_conflicts_when_it_overlaps_and_concerns_the_same(other, kinds):
    assert [each.kind for each in conflicts(estate(), WANTED, [other])] == kinds


def test_every_conflict_is_listed_and_not_the_first_alone():
    weekly = freeze("weekly", start=wall("2026-11-24 21:30"), repeats="FREQ=WEEKLY")
    found = conflicts(
        estate(freeze(start=wall("2026-12-01 21:00")), weekly),
        WANTED,
        [booking(f"CHG-{number}", "network", at("2026-12-01 20:30")) for number in range(2, 102)],
        declared=[Frozen("FRZ-1", "the fair", at("2026-12-01 00:00"), at("2026-12-02 00:00"))],
        uncovered=lambda service, start, end: [(start, start + HOUR)],
        away=[(at("2026-12-01 00:00"), at("2026-12-02 00:00"))],
    )
    told = {kind: [each.with_ for each in found if each.kind is kind] for kind in Kind}
    assert told[Kind.FREEZE] == ["FRZ-1", "end", "weekly"]
    assert len(told[Kind.CHANGE]) == len(told[Kind.BUSY]) == 100
    assert told[Kind.ON_CALL] == ["mail"]
    assert told[Kind.AWAY] == ["bob"]
    assert found == sorted(found, key=lambda each: each.start)


def test_a_conflict_stays_the_same_one_when_it_moves():
    (before,) = conflicts(estate(), WANTED, [booking("CHG-2", "mail", at("2026-12-01 21:00"), person="eve")])
    (after,) = conflicts(estate(), WANTED, [booking("CHG-2", "mail", at("2026-12-01 20:10"), person="eve")])
    assert before.key == after.key
    assert before != after


BOOKINGS = st.builds(
    lambda number, services, start, length, person: booking(
        f"CHG-{number}", " ".join(sorted(services)), NOW + start * HOUR / 4, length / 4, person
    ),
    st.integers(2, 99),
    st.sets(st.sampled_from(sorted(SERVICES)), min_size=1, max_size=2),
    st.integers(0, 200),
    st.integers(1, 30),
    st.sampled_from(["bob", "eve"]),
)


@given(
    st.lists(BOOKINGS, max_size=12),
    st.sampled_from(sorted(SERVICES)),
    st.integers(1, 40),
    st.integers(0, 40),
)
def test_the_next_free_window_is_the_first_in_which_nothing_is_in_the_way(
    others: Sequence[Booking], service: str, length: int, earliest: int
) -> None:
    known = estate(freeze(start=wall("2026-11-23 18:00"), lasts=5 * 3600, repeats="FREQ=DAILY"))
    step = HOUR / 4
    begins = NOW + earliest * step
    horizon = begins + timedelta(days=4)
    wanted = replace(WANTED, services=(service,))
    whole = replace(wanted, start=begins, end=horizon + length * step)
    found = next_free(conflicts(known, whole, others), length * step, begins, timedelta(days=4))

    def is_free(start: datetime) -> bool:
        return not conflicts(known, replace(wanted, start=start, end=start + length * step), others)

    tries = [begins + number * step for number in range((horizon - begins) // step + 1)]
    assert found == next((each for each in tries if is_free(each)), None)


def test_no_window_is_looked_for_further_than_ninety_days():
    def blocked(days: float) -> list[Conflict]:
        return [Conflict(Kind.FREEZE, "end", "End", NOW, NOW + timedelta(days=days))]

    assert next_free(blocked(90), HOUR, NOW) == NOW + AHEAD
    assert next_free(blocked(90.01), HOUR, NOW) is None


def test_nobody_is_on_call_where_every_rota_has_a_gap():
    def spans(*hours: tuple[int, int]) -> list[tuple[datetime, datetime]]:
        return [(NOW + first * HOUR, NOW + last * HOUR) for first, last in hours]

    assert in_common([]) == []
    assert in_common([spans((0, 5), (7, 9))]) == spans((0, 5), (7, 9))
    assert in_common([spans((0, 5), (7, 9)), spans((3, 8))]) == spans((3, 5), (7, 8))
    assert in_common([spans((0, 5)), spans((5, 8))]) == []
    assert in_common([spans((0, 5)), []]) == []
