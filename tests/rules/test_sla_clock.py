"""A promise's clock: a test for each sentence of the contract's "so that two readers compute the same"."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.policy import Agreement, Calendar, Opening, Priority, Promise, Target, Weekday
from handlers.rules.business_time import BadInstant
from handlers.rules.sla_clock import (
    Ahead,
    Cancelled,
    Fact,
    Paused,
    Reading,
    Resumed,
    Retargeted,
    Standing,
    Started,
    State,
    Stopped,
    Terms,
    explain,
    next_moment,
    read,
    terms_of,
)
from tests.rules import oracle
from tests.rules.worlds import HARD_DAYS, at, calendars, office, often

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
MICROSECOND = timedelta(microseconds=1)
EIGHT_HOURS = Terms(8 * 3600, office())
FOUR_HOURS = Terms(4 * 3600, office())
ONE_HOUR = Terms(3600, office())


def mon(clock):
    return at(f"2026-11-23 {clock}")


def tue(clock):
    return at(f"2026-11-24 {clock}")


def wed(clock):
    return at(f"2026-11-25 {clock}")


OPENED = Started(mon("09:00"), 1)
WAITS = Paused(mon("11:00"), 2, "waiting on requester")
ANSWERED = Resumed(mon("13:00"), 3)
RAISED = Retargeted(mon("14:00"), 4, "raised to P1", terms=FOUR_HOURS)


def standings(reading):
    return [(each.percent, each.standing) for each in reading.warnings]


def moments(reading):
    return [each.at for each in reading.warnings]


# The worked example -------------------------------------------------------------------------------


def test_raised_to_p1_on_monday_at_14_after_two_hours_of_waiting_it_is_due_on_monday_at_15():
    reading = read([OPENED, WAITS, ANSWERED, RAISED], EIGHT_HOURS, mon("14:00"))
    assert reading.due_at == mon("15:00")
    assert reading.elapsed == 3 * HOUR
    assert reading.remaining == HOUR
    assert reading.state == State.RUNNING


def test_why_prints_every_interval_with_its_reason_and_its_evidence():
    reading = read([OPENED, WAITS, ANSWERED, RAISED], EIGHT_HOURS, tue("10:00"))
    raised = "raised to P1: due within 4h of Berlin office hours, counted from the start"
    assert [
        (f"{row.starts:%a %H:%M}", f"{row.ends:%a %H:%M}", row.counted, row.amount, row.why, row.seq)
        for row in explain(reading)
    ] == [
        ("Mon 08:00", "Mon 08:00", False, 0 * HOUR, "started: due within 8h of Berlin office hours", 1),
        ("Mon 08:00", "Mon 10:00", True, 2 * HOUR, "inside hours of Berlin office hours", 1),
        ("Mon 10:00", "Mon 12:00", False, 0 * HOUR, "waiting on requester", 2),
        ("Mon 12:00", "Mon 16:00", True, 4 * HOUR, "inside hours of Berlin office hours", 3),
        ("Mon 13:00", "Mon 13:00", False, 0 * HOUR, raised, 4),
        ("Mon 14:00", "Mon 14:00", False, 0 * HOUR, "breached: not stopped by the due moment", None),
        ("Mon 16:00", "Tue 08:00", False, 0 * HOUR, "outside hours of Berlin office hours", 3),
        ("Tue 08:00", "Tue 09:00", True, HOUR, "inside hours of Berlin office hours", 3),
    ]  # fmt: skip
    assert reading.breached_at == mon("15:00")


# Change of priority, service or agreement ---------------------------------------------------------


def test_the_new_target_counts_from_the_original_start_with_pauses_kept_in_its_own_calendar():
    plain = Calendar("always", "Always", "UTC", always=True)
    raised = Retargeted(mon("14:00"), 4, terms=Terms(4 * 3600, plain))
    reading = read([OPENED, WAITS, ANSWERED, raised], EIGHT_HOURS, mon("14:00"))
    assert reading.due_at == mon("15:00")
    early = replace(OPENED, at=mon("06:00"))  # before the office opens, which the new calendar counts
    assert read([early, WAITS, ANSWERED, raised], EIGHT_HOURS, mon("14:00")).elapsed == 6 * HOUR


def test_a_breach_is_never_dated_before_the_target_existed():
    late = replace(RAISED, at=mon("16:00"))
    reading = read([OPENED, WAITS, ANSWERED, late], EIGHT_HOURS, mon("16:10"))
    assert reading.state == State.DUE_SOON
    assert reading.breaches == ()
    assert reading.due_at == mon("16:15")  # the minimum notice, 15 minutes
    assert reading.remaining == 5 * MINUTE
    assert "so the promise is the minimum notice, 15m after the change" in reading.marks[-1].why


def test_a_recomputed_moment_that_is_the_change_itself_has_passed():
    raised = replace(RAISED, at=mon("15:00"))
    assert read([OPENED, WAITS, ANSWERED, raised], EIGHT_HOURS, mon("15:00")).due_at == mon("15:15")
    just = replace(RAISED, at=mon("15:00") - MICROSECOND)
    assert read([OPENED, WAITS, ANSWERED, just], EIGHT_HOURS, mon("14:59")).due_at == tue("11:00")
    assert read([OPENED, WAITS, ANSWERED, just], EIGHT_HOURS, mon("15:00")).breached_at == mon("15:00")


def test_the_minimum_notice_is_business_time_too():
    raised = Retargeted(mon("16:50"), 4, terms=FOUR_HOURS)
    assert read([OPENED, raised], EIGHT_HOURS, mon("16:50")).due_at == tue("09:05")


def test_the_minimum_notice_stops_in_a_pause():
    raised = Retargeted(mon("14:00"), 2, terms=FOUR_HOURS)
    waits, answered = Paused(mon("14:10"), 3), Resumed(mon("15:00"), 4)
    assert read([OPENED, raised, waits], EIGHT_HOURS, mon("14:30")).due_at is None
    assert read([OPENED, raised, waits], EIGHT_HOURS, mon("14:30")).remaining == 5 * MINUTE
    assert read([OPENED, raised, waits, answered], EIGHT_HOURS, mon("15:00")).due_at == mon("15:05")


def test_the_minimum_notice_of_a_change_in_a_pause_begins_when_the_clock_goes_on():
    raised = Retargeted(mon("12:00"), 4, terms=ONE_HOUR)
    reading = read([OPENED, WAITS, raised], EIGHT_HOURS, mon("12:30"))
    assert (reading.state, reading.due_at, reading.breaches) == (State.PAUSED, None, ())
    assert read([OPENED, WAITS, raised, ANSWERED], EIGHT_HOURS, mon("13:00")).due_at == mon("13:15")


def test_with_no_minimum_notice_it_is_due_at_the_change_and_broken_then():
    raised = Retargeted(mon("14:00"), 4, terms=replace(FOUR_HOURS, minimum_notice=0))
    reading = read([OPENED, raised], EIGHT_HOURS, mon("14:00"))
    assert (reading.state, reading.due_at, reading.breached_at) == (
        State.BREACHED,
        mon("14:00"),
        mon("14:00"),
    )
    closed = replace(raised, at=mon("20:00"))
    assert read([OPENED, closed], replace(EIGHT_HOURS, within=9 * 3600), mon("20:00")).breached_at == mon(
        "20:00"
    )


def test_a_breach_before_a_change_stays_with_its_own_moment_beside_the_new_due_moment_and_warnings():
    lowered = Retargeted(mon("15:00"), 2, terms=Terms(16 * 3600, office()))
    reading = read([OPENED, lowered], FOUR_HOURS, mon("16:00"))
    assert reading.state == State.BREACHED
    assert reading.breached_at == mon("13:00")
    assert reading.due_at == tue("17:00")
    assert standings(reading) == [(50, Standing.TO_COME), (75, Standing.TO_COME), (90, Standing.TO_COME)]
    assert moments(reading) == [mon("17:00"), tue("13:00"), tue("15:24")]
    assert next_moment(reading, mon("16:00")) == Ahead(mon("17:00"), 50)
    assert read([OPENED, lowered, Stopped(tue("10:00"), 3)], FOUR_HOURS, tue("11:00")).state == State.MET_LATE


def test_a_second_target_that_is_broken_too_is_a_second_breach_and_the_first_keeps_its_moment():
    lowered = Retargeted(mon("15:00"), 2, terms=Terms(16 * 3600, office()))
    reading = read([OPENED, lowered], FOUR_HOURS, wed("09:00"))
    assert reading.breached_at == mon("13:00")
    assert reading.breaches == (mon("13:00"), tue("17:00"))


def test_after_a_breach_too_a_change_that_comes_too_late_gets_the_minimum_notice():
    reading = read([OPENED, Retargeted(mon("15:00"), 2, terms=ONE_HOUR)], FOUR_HOURS, mon("15:05"))
    assert (reading.breached_at, reading.due_at) == (mon("13:00"), mon("15:15"))


def test_a_change_before_the_start_is_simply_the_target():
    reading = read(
        [Retargeted(mon("08:00"), 1, terms=FOUR_HOURS), replace(OPENED, seq=2)], EIGHT_HOURS, mon("09:30")
    )
    assert reading.due_at == mon("13:00")
    assert standings(reading)[0] == (50, Standing.TO_COME)


# The due moment -----------------------------------------------------------------------------------


def test_stopped_exactly_at_the_due_moment_is_met():
    reading = read([OPENED, Stopped(mon("13:00"), 2)], FOUR_HOURS, tue("09:00"))
    assert (reading.state, reading.breached_at, reading.remaining) == (State.MET, None, 0 * HOUR)
    late = read([OPENED, Stopped(mon("13:00") + MICROSECOND, 2)], FOUR_HOURS, tue("09:00"))
    assert (late.state, late.breached_at) == (State.MET_LATE, mon("13:00"))


def test_at_the_due_moment_with_no_stop_it_is_breached():
    assert read([OPENED], FOUR_HOURS, mon("13:00") - MICROSECOND).state == State.DUE_SOON
    reading = read([OPENED], FOUR_HOURS, mon("13:00"))
    assert (reading.state, reading.breached_at) == (State.BREACHED, mon("13:00"))


def test_a_pause_at_the_due_moment_is_too_late():
    waits = Paused(mon("13:00"), 2)
    for now in (mon("13:00"), mon("15:00")):
        reading = read([OPENED, waits], FOUR_HOURS, now)
        assert (reading.state, reading.breached_at, reading.due_at) == (
            State.BREACHED,
            mon("13:00"),
            mon("13:00"),
        )
    in_time = replace(waits, at=mon("13:00") - MICROSECOND)
    assert read([OPENED, in_time], FOUR_HOURS, mon("15:00")).state == State.PAUSED


def test_a_change_of_target_at_the_due_moment_comes_in_time():
    lowered = Retargeted(mon("13:00"), 2, terms=EIGHT_HOURS)
    reading = read([OPENED, lowered], FOUR_HOURS, mon("13:00"))
    assert (reading.state, reading.breaches, reading.due_at) == (State.RUNNING, (), mon("17:00"))


def test_it_is_due_at_closing_time_and_not_at_the_next_opening():
    assert read([OPENED], EIGHT_HOURS, mon("10:00")).due_at == mon("17:00")
    assert read([OPENED], EIGHT_HOURS, mon("17:00")).state == State.BREACHED


def test_paused_it_has_no_due_moment():
    reading = read([OPENED, WAITS], FOUR_HOURS, mon("12:00"))
    assert (reading.state, reading.due_at, reading.remaining) == (State.PAUSED, None, 2 * HOUR)
    assert next_moment(reading, mon("12:00")) is None


def test_breached_and_then_paused_it_is_breached_and_its_due_moment_stays():
    reading = read([OPENED, Paused(mon("14:00"), 2)], FOUR_HOURS, tue("14:00"))
    assert (reading.state, reading.due_at, reading.breached_at) == (
        State.BREACHED,
        mon("13:00"),
        mon("13:00"),
    )
    assert reading.remaining == -HOUR
    resumed = read([OPENED, Paused(mon("14:00"), 2), Resumed(mon("15:00"), 3)], FOUR_HOURS, mon("16:00"))
    assert (resumed.due_at, resumed.remaining) == (mon("13:00"), -2 * HOUR)


def test_a_target_that_is_not_broken_yet_has_no_due_moment_in_a_pause_whatever_an_earlier_one_did():
    lowered = Retargeted(mon("15:00"), 2, terms=Terms(16 * 3600, office()))
    facts = [OPENED, lowered, Paused(mon("16:00"), 3)]
    paused = read(facts, FOUR_HOURS, tue("09:00"))
    assert (paused.state, paused.breached_at, paused.due_at) == (State.BREACHED, mon("13:00"), None)
    assert read([*facts, Resumed(tue("16:00"), 4)], FOUR_HOURS, tue("16:00")).due_at == wed("17:00")


def test_stopped_while_paused_it_has_no_due_moment():
    reading = read([OPENED, WAITS, Stopped(mon("12:00"), 3)], FOUR_HOURS, tue("09:00"))
    assert (reading.state, reading.due_at, reading.elapsed) == (State.MET, None, 2 * HOUR)


def test_otherwise_a_stop_leaves_the_due_moment_as_it_stood():
    reading = read([OPENED, Stopped(mon("10:00"), 2)], FOUR_HOURS, tue("09:00"))
    assert (reading.state, reading.due_at, reading.stopped_at) == (State.MET, mon("13:00"), mon("10:00"))
    assert (reading.elapsed, reading.remaining) == (HOUR, 3 * HOUR)
    late = read([OPENED, Paused(mon("14:00"), 2), Stopped(mon("15:00"), 3)], FOUR_HOURS, tue("09:00"))
    assert (late.state, late.due_at) == (State.MET_LATE, mon("13:00"))


def test_nothing_started_means_elapsed_nothing_and_the_rest_empty():
    ends = [Stopped(mon("10:00"), 1)], [Cancelled(mon("10:00"), 1)]
    for facts in ([], [WAITS], [WAITS, ANSWERED, RAISED], *ends):
        reading = read(facts, EIGHT_HOURS, tue("09:00"))
        assert reading == Reading(tue("09:00"), State.NOT_STARTED, reading.terms)
        assert reading.elapsed == 0 * HOUR
        assert explain(reading) == ()
        assert next_moment(reading, tue("09:00")) is None


# Warnings -----------------------------------------------------------------------------------------


def test_warnings_are_fractions_of_the_targets_business_seconds():
    reading = read([OPENED, WAITS, ANSWERED], FOUR_HOURS, mon("14:00"))
    assert moments(reading) == [mon("11:00"), mon("14:00"), mon("14:36")]
    assert standings(reading) == [(50, Standing.PASSED), (75, Standing.PASSED), (90, Standing.TO_COME)]


def test_a_warning_is_exact_to_the_microsecond():
    terms = Terms(1, Calendar("always", "Always", "UTC", always=True), warn_at=(33,))
    assert moments(read([OPENED], terms, mon("09:00"))) == [mon("09:00") + timedelta(milliseconds=330)]


def test_a_warning_before_a_change_is_shown_as_passed_and_not_sent_late():
    reading = read([OPENED, WAITS, ANSWERED, RAISED], EIGHT_HOURS, mon("14:00"))
    assert standings(reading) == [
        (50, Standing.PASSED_BEFORE),  # at 11:00
        (75, Standing.PASSED),  # at 14:00, the change itself: told now
        (90, Standing.TO_COME),
    ]
    assert next_moment(reading, mon("14:00")) == Ahead(mon("14:36"), 90)


def test_warnings_from_the_stop_on_are_void():
    reading = read([OPENED, Stopped(mon("12:00"), 2)], FOUR_HOURS, tue("09:00"))
    assert standings(reading) == [(50, Standing.PASSED), (75, Standing.VOID), (90, Standing.VOID)]
    assert moments(reading)[1:] == [mon("12:00"), mon("12:36")]
    assert next_moment(reading, mon("12:00")) is None


def test_a_warning_has_no_moment_while_a_pause_keeps_it_away():
    reading = read([OPENED, WAITS], FOUR_HOURS, mon("12:00"))
    assert moments(reading) == [mon("11:00"), None, None]
    assert standings(reading) == [(50, Standing.PASSED), (75, Standing.TO_COME), (90, Standing.TO_COME)]
    stopped = read([OPENED, WAITS, Stopped(mon("12:00"), 3)], FOUR_HOURS, mon("12:00"))
    assert standings(stopped)[1:] == [(75, Standing.VOID), (90, Standing.VOID)]


def test_it_is_due_soon_from_the_last_warning_on():
    assert read([OPENED], FOUR_HOURS, mon("12:36") - MICROSECOND).state == State.RUNNING
    assert read([OPENED], FOUR_HOURS, mon("12:36")).state == State.DUE_SOON
    assert read([OPENED], replace(FOUR_HOURS, warn_at=()), mon("12:59")).state == State.RUNNING


def test_what_comes_next_are_the_warnings_and_then_the_breach():
    now, found = mon("09:00"), []
    for _ in range(4):
        if ahead := next_moment(read([OPENED], FOUR_HOURS, now), now):
            found.append((ahead.at, ahead.percent))
            now = ahead.at
    assert found == [(mon("11:00"), 50), (mon("12:00"), 75), (mon("12:36"), 90), (mon("13:00"), None)]
    assert next_moment(read([OPENED], FOUR_HOURS, now), now) is None


# Facts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "state", "due"),
    [
        ([Paused(mon("13:00"), 2), Stopped(mon("13:00"), 3)], State.MET, mon("13:00")),
        ([Stopped(mon("13:00"), 2), Paused(mon("13:00"), 3)], State.MET, mon("13:00")),
        ([Stopped(mon("13:00"), 2), Retargeted(mon("13:00"), 3, terms=EIGHT_HOURS)], State.MET, mon("13:00")),
        ([Retargeted(mon("13:00"), 2, terms=EIGHT_HOURS), Stopped(mon("13:00"), 3)], State.MET, mon("17:00")),
        ([Paused(mon("13:00"), 2), Retargeted(mon("13:00"), 3, terms=EIGHT_HOURS)], State.PAUSED, None),
        ([Retargeted(mon("13:00"), 2, terms=EIGHT_HOURS), Paused(mon("13:00"), 3)], State.PAUSED, None),
        ([Paused(mon("13:00"), 2), Resumed(mon("13:00"), 3)], State.BREACHED, mon("13:00")),
        ([Paused(mon("12:00"), 2), Resumed(mon("12:00"), 3)], State.BREACHED, mon("13:00")),
        ([Resumed(mon("12:00"), 2), Paused(mon("12:00"), 3)], State.PAUSED, None),
        ([Cancelled(mon("13:00"), 2)], State.CANCELLED, mon("13:00")),
    ],
)
def test_facts_of_one_instant_are_taken_in_the_order_of_their_evidence(facts, state, due):
    for given_in in (facts, facts[::-1]):
        reading = read([OPENED, *given_in], FOUR_HOURS, mon("16:00"))
        assert (reading.state, reading.due_at) == (state, due)


def test_a_cancelled_promise_is_owed_to_nobody_but_a_breach_before_it_stays():
    assert read([OPENED, Cancelled(mon("12:00"), 2)], FOUR_HOURS, tue("09:00")).breaches == ()
    reading = read([OPENED, Cancelled(mon("14:00"), 2, "no longer wanted")], FOUR_HOURS, tue("09:00"))
    assert (reading.state, reading.breached_at) == (State.CANCELLED, mon("13:00"))
    assert reading.marks[-1].why == "cancelled: no longer wanted"


def test_a_stop_and_a_cancellation_are_final():
    for end in (Stopped(mon("10:00"), 2), Cancelled(mon("10:00"), 2)):
        for later in (Started, Paused, Resumed, Stopped, Cancelled):
            facts = [OPENED, end, later(mon("11:00"), 3)]
            assert read(facts, FOUR_HOURS, tue("09:00")) == read(facts[:2], FOUR_HOURS, tue("09:00"))


def test_of_several_starts_the_first_holds():
    assert read([OPENED, Started(mon("12:00"), 2)], FOUR_HOURS, mon("12:30")).started_at == mon("09:00")


def test_a_clock_that_starts_in_a_pause_starts_paused():
    facts = [
        Paused(mon("08:00"), 1, "waiting on supplier"),
        Started(mon("09:00"), 2),
        Resumed(mon("11:00"), 3),
    ]
    reading = read(facts, FOUR_HOURS, mon("10:00"))
    assert (reading.state, reading.started_at, reading.due_at) == (State.PAUSED, mon("09:00"), None)
    assert [(row.why, row.seq) for row in reading.intervals] == [("waiting on supplier", 1)]
    assert read(facts, FOUR_HOURS, mon("12:00")).due_at == mon("15:00")


def test_a_pause_may_change_its_reason():
    facts = [OPENED, WAITS, Paused(mon("12:00"), 3, "waiting on supplier"), Resumed(mon("13:00"), 4)]
    rows = read(facts, FOUR_HOURS, mon("14:00")).intervals
    assert [row.why for row in rows[1:3]] == ["waiting on requester", "waiting on supplier"]
    assert read(facts, FOUR_HOURS, mon("14:00")).elapsed == 3 * HOUR


def test_a_fact_without_a_zone_is_refused():
    with pytest.raises(BadInstant, match="zone"):
        Started(datetime(2026, 1, 1), 1)  # noqa: DTZ001 - a naive instant is the point


def test_the_terms_of_an_agreement_are_those_of_the_priority_or_none():
    target = Target(Promise.RESOLVE, "office", {Priority.P1: 14400}, warn_at=(80,))
    agreement = Agreement("gold", "Gold", (target,), minimum_notice=600)
    calendars_by_key = {"office": office()}
    assert terms_of(agreement, Promise.RESOLVE, Priority.P1, calendars_by_key) == Terms(
        14400, office(), (80,), 600
    )
    assert terms_of(agreement, Promise.RESOLVE, Priority.P2, calendars_by_key) is None
    assert terms_of(agreement, Promise.RESPOND, Priority.P1, calendars_by_key) is None


# What always holds --------------------------------------------------------------------------------


@st.composite
def histories(draw):
    """Terms, facts and a reading's instant on whole minutes, around a day on which a zone's clock changes."""
    zone = draw(st.sampled_from(sorted(HARD_DAYS)))
    day = draw(st.sampled_from(HARD_DAYS[zone]))
    known = [draw(calendars(zone, day)), office(zone)]
    origin = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=2)

    def some_terms():
        return Terms(
            within=draw(st.integers(0, 40)) * 20 * 60,  # so that every warning lies on a whole minute
            calendar=draw(st.sampled_from(known)),
            warn_at=draw(st.sampled_from([(50, 75, 90), (25,), (), (90, 10)])),
            minimum_notice=draw(st.sampled_from([0, 15, 240])) * 60,
        )

    terms = some_terms()
    # few different hours, so that several facts share an instant
    hours = sorted(draw(st.lists(st.integers(0, 48), min_size=1, max_size=8)))
    kinds = [Paused, Resumed, Retargeted, Paused, Resumed, Stopped, Cancelled]
    facts: list[Fact] = [Started(origin + hours[0] * HOUR, 1)]
    for seq, each in enumerate(hours[1:], 2):
        kind = draw(st.sampled_from(kinds))
        when = origin + each * HOUR + draw(st.sampled_from([0, 0, 1, 20])) * MINUTE
        facts.append(Retargeted(when, seq, terms=some_terms()) if kind is Retargeted else kind(when, seq))
    if draw(st.booleans()):  # one fact exactly when something happens
        reading = read(facts[:2], terms, facts[0].at)
        if reading.due_at and reading.due_at < origin + timedelta(days=4):
            kind = draw(st.sampled_from([Paused, Stopped, Cancelled]))
            facts.append(kind(reading.due_at, draw(st.integers(0, 20))))
    return terms, draw(st.permutations(facts)), origin + timedelta(minutes=draw(st.integers(0, 5 * 1440)))


@often(150)
@given(histories())
def test_the_clock_agrees_with_one_that_lives_through_every_minute(history):
    terms, facts, now = history
    horizon = now + timedelta(days=6)
    reading, lived = read(facts, terms, now), oracle.Clock(facts, terms, now, horizon)
    assert reading.state == lived.state(now)
    assert reading.breaches == tuple(lived.breaches)
    assert reading.elapsed == lived.elapsed(now)
    if reading.due_at is None or reading.due_at <= horizon:
        assert reading.due_at == lived.due
    for each in reading.warnings:
        if each.at is None or each.at <= horizon:
            assert each.at == lived.warning(each.percent)
        assert each.standing == lived.standing(each.at, now)


@often(120)
@given(histories())
def test_the_intervals_are_all_of_the_time_and_their_counted_part_is_what_elapsed(history):
    terms, facts, now = history
    reading = read(facts, terms, now)
    if not reading.started_at:
        return
    rows = reading.intervals
    edges = [reading.started_at, *(row.ends for row in rows)]
    assert [row.starts for row in rows] == edges[:-1]
    assert edges[-1] == (reading.stopped_at or now)
    assert sum((row.amount for row in rows), timedelta(0)) == reading.elapsed
    assert all(row.amount == (row.ends - row.starts if row.counted else timedelta(0)) for row in rows)
    assert [row.starts for row in explain(reading)] == sorted(row.starts for row in explain(reading))


@often(120)
@given(histories(), st.integers(0, 5 * 1440))
def test_a_later_reading_never_contradicts_an_earlier_one(history, minutes):
    terms, facts, now = history
    later = now + timedelta(minutes=minutes)
    first, second = read(facts, terms, now), read(facts, terms, later)
    known = [each for each in facts if each.at <= now]
    assert first == read(known, terms, now)  # what is still to come is not known yet
    assert second.breaches[: len(first.breaches)] == first.breaches
    assert first.started_at is None or second.started_at == first.started_at
    assert first.stopped_at is None or replace(second, at=now) == replace(first, at=now)
    assert second.marks[: len(first.marks)] == first.marks
    if len(known) == len([each for each in facts if each.at <= later]):
        assert second.due_at == first.due_at
        assert second.elapsed >= first.elapsed
        happened = first.due_at is not None and not first.stopped_at and now < first.due_at <= later
        assert len(second.breaches) == len(first.breaches) + happened
        for one, other in zip(first.warnings, second.warnings, strict=True):
            assert (one.percent, one.at) == (other.percent, other.at)
            came = one.standing == Standing.TO_COME and one.at is not None and one.at <= later
            assert other.standing == (Standing.PASSED if came else one.standing)


@often(100)
@given(histories())
def test_what_comes_next_is_the_first_thing_that_happens(history):
    terms, facts, now = history
    facts = [each for each in facts if each.at <= now]
    reading = read(facts, terms, now)
    ahead = next_moment(reading, now)
    if ahead is None:
        assert read(facts, terms, now + timedelta(days=400)).breaches == reading.breaches
        return
    before, then = read(facts, terms, ahead.at - MICROSECOND), read(facts, terms, ahead.at)
    assert (before.breaches, standings(before)) == (reading.breaches, standings(reading))
    assert (then.breaches, standings(then)) != (reading.breaches, standings(reading))


@often(100)
@given(histories(), st.integers(0, 60 * 72))
def test_a_pause_of_no_length_changes_nothing(history, minutes):
    terms, facts, now = history
    when = min(each.at for each in facts) + timedelta(minutes=minutes)
    shows = read(facts, terms, when)
    # A clock that was broken before it paused says "breached"; its last stretch tells that it stands still.
    still = bool(shows.stretches) and not shows.stretches[-1].running
    if still or any(each.at >= when for each in facts):
        return
    blink = [Paused(when, 90), Resumed(when, 91)]
    plain, blinked = read(facts, terms, now), read([*facts, *blink], terms, now)
    assert replace(blinked, stretches=plain.stretches) == plain


def test_an_opening_date_in_a_closed_week_still_counts_from_the_next_opening():
    shut = office(closed={date(2026, 11, 23) + timedelta(days=days): "Works holiday" for days in range(5)})
    reading = read([OPENED], Terms(3600, shut), mon("10:00"))
    assert reading.due_at == at("2026-11-30 10:00")
    assert {row.why for row in reading.intervals} == {"closed: Works holiday"}


def test_a_clock_in_an_hour_that_repeats_counts_it_twice():
    nights = Calendar("night", "Nights", "Europe/Berlin", (Opening(tuple(Weekday), "01:00", "05:00"),))
    started = Started(at("2026-10-25 01:00"), 1)
    assert read([started], Terms(3 * 3600, nights), started.at).due_at == at("2026-10-25 03:00")


def test_rows_follow_each_other_without_a_gap():
    rows = read([OPENED, WAITS, ANSWERED], FOUR_HOURS, wed("12:00")).intervals
    assert all(one.ends == other.starts for one, other in pairwise(rows))
