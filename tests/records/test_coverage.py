"""Do the tallies of evidence equal a full recount, wherever they were cut, and whatever period is asked for?"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel

from handlers.rules.ledger import Entry
from storage.database import Database
from storage.repositories.coverage import Coverage, _spans
from storage.repositories.ledger import Ledger
from tests.records.conftest import NOON, TABLES, entry

ZONE = "Europe/Berlin"
CODES = (("SD SP 3.1",), ("IRP SP 2.1", "IRP SP 2.2"), ("CM SP 2.2",), ())
NAMED = ({"service": "mail"}, {"service": "vpn"}, {"services": ["mail", "wiki"]}, {"state": "open"}, None)

steps = st.lists(
    st.tuples(
        st.sampled_from(("REQ-1", "INC-1", "CHG-1")),
        st.sampled_from(CODES),
        st.sampled_from(NAMED),
        st.integers(0, 40 * 24),
    )
    | st.just("fold"),
    max_size=25,
)
days = st.dates(date(2026, 2, 20), date(2026, 7, 10))


def write(database: Database, given: list[object], at_most: int) -> list[Entry]:
    """Append what was drawn, each some hours after the one before; fold where it says so."""
    at, written = NOON - timedelta(days=3), []
    for each in given:
        with database.writing() as session:
            if isinstance(each, tuple):
                subject, codes, after, hours = each
                at += timedelta(hours=hours)
                written.append(entry(1, at=at, subject=subject, practices=codes, after=after, before=None))
                Ledger(session).append(written[-1:])
            else:
                Coverage(session).fold(ZONE, at_most)
    return written


def counted(entries: list[Entry], first: date, end: date, service: str) -> dict[str, tuple[int, datetime]]:
    """What is on file, counted by a reader of the whole ledger."""
    named: dict[str, set[str]] = {}
    numbers: Counter[str] = Counter()
    newest: dict[str, datetime] = {}
    for each in entries:
        if after := each.after:
            one = after.get("services") or ([after["service"]] if "service" in after else None)
            named[each.subject] = set(one) if one else named.get(each.subject, set())
        day = each.at.astimezone(ZoneInfo(ZONE)).date()
        if first <= day < end and (not service or service in named.get(each.subject, ())):
            for code in each.practices:
                numbers[code] += 1
                newest[code] = each.at
    return {code: (number, newest[code]) for code, number in numbers.items()}


@settings(max_examples=25)
@given(steps, days, st.integers(0, 120), st.integers(1, 9))
def test_tallies_and_what_lies_behind_them_equal_a_count_of_everything(
    given: list[object], first: date, length: int, at_most: int
) -> None:
    database = Database("sqlite://")
    SQLModel.metadata.create_all(database.engine, tables=TABLES)
    entries = write(database, given, at_most)
    end = first + timedelta(days=length)
    with database.reading() as session:
        for service in ("", "mail", "wiki"):
            found = Coverage(session).on_file(first, end, ZONE, service)
            told = {code: (each.count, each.newest) for code, each in found.items()}
            assert told == counted(entries, first, end, service)
    database.close()


def test_folded_to_the_end_the_tallies_are_those_of_a_full_recount(store: Database) -> None:
    write(store, [("REQ-1", CODES[n % 4], NAMED[n % 5], 5 * n) for n in range(60)], 7)
    folded = 1
    while folded:
        with store.writing() as session:
            folded = Coverage(session).fold(ZONE, 7)
    with store.reading() as session:
        coverage = Coverage(session)
        assert coverage.tallies() == coverage.recount(ZONE) != {}
        assert {len(span) for _, span, _ in coverage.tallies()} == {7, 10}


def test_samples_are_the_newest_records_and_name_their_subject(store: Database) -> None:
    write(store, [("REQ-1", CODES[0], None, 24), "fold", ("INC-1", CODES[0], None, 24)], 10)
    with store.reading() as session:
        coverage = Coverage(session)
        found = coverage.on_file(date(2026, 1, 1), date(2027, 1, 1), ZONE)["SD SP 3.1"]
        assert found.samples == (2, 1)
        assert coverage.subjects(found.samples) == {1: "REQ-1", 2: "INC-1"}


def test_another_zone_has_other_days_so_the_tallies_begin_anew(store: Database) -> None:
    write(store, [("REQ-1", CODES[0], None, 24), "fold"], 10)
    with store.reading() as session:
        for zone in (ZONE, "Asia/Tokyo"):
            assert Coverage(session).on_file(date(2026, 1, 1), date(2027, 1, 1), zone)["SD SP 3.1"].count == 1
    with store.writing() as session:
        Coverage(session).fold("Asia/Tokyo")
    with store.reading() as session:
        assert Coverage(session).tallies() == Coverage(session).recount("Asia/Tokyo")


@pytest.mark.parametrize(
    ("first", "end", "spans"),
    [
        ("2026-03-01", "2026-04-01", [("2026-03", "2026-03")]),
        ("2026-01-01", "2027-01-01", [("2026-01", "2026-12")]),
        ("2026-03-02", "2026-03-05", [("2026-03-02", "2026-03-04")]),
        ("2026-02-27", "2026-03-03", [("2026-02-27", "2026-03-02")]),
        ("2026-01-30", "2026-04-01", [("2026-02", "2026-03"), ("2026-01-30", "2026-01-31")]),
        ("2026-02-01", "2026-03-03", [("2026-02", "2026-02"), ("2026-03-01", "2026-03-02")]),
    ],
)  # fmt: skip
def test_a_period_is_whole_months_and_the_days_around_them(
    first: str, end: str, spans: list[tuple[str, str]]
) -> None:
    assert _spans(date.fromisoformat(first), date.fromisoformat(end)) == spans
