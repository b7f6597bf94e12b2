"""What the files say becomes a policy, and stays one while they are being changed."""

from __future__ import annotations

import os
from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from config.closed_days import FIRST_YEAR, LAST_YEAR
from config.loading import NAMED, WHOLE, PolicyErrors, PolicyFiles, load
from config.policy import FieldKind, OnDeadline, Policy, Priority, Promise, Role
from config.public_holidays import public_holidays
from handlers.rules.rotation import first_gap
from tests.policy_files.writing import ON_CALL, RIGHT, write

EXAMPLE = Path(str(files("config"))) / "policies"


@pytest.fixture(scope="module")
def example_policy() -> Policy:
    return load(EXAMPLE, first_gap)


# What files say ------------------------------------------------------------------------------------


def test_one_file_is_enough_for_a_policy(tmp_path):
    (tmp_path / "organisation.yaml").write_text(RIGHT["organisation.yaml"])
    (tmp_path / "rooms.yaml").write_text(RIGHT["rooms.yaml"])
    policy = load(tmp_path)
    assert policy.organisation.name == "Small"
    assert policy.offerings == {}
    assert policy.access.unknown_people


def test_a_file_of_comments_says_nothing(tmp_path):
    write(tmp_path, {"access.yaml": "# later\n"})
    assert load(tmp_path).access.grants == {}


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_read_alike(line_end, tmp_path):
    write(tmp_path, {name: text.replace("\n", line_end) for name, text in RIGHT.items()})
    for_comparison = tmp_path / "other"
    for_comparison.mkdir()
    assert load(tmp_path) == load(write(for_comparison, {}))


def test_a_text_is_what_was_written_until_the_schema_says_otherwise(tmp_path):
    write(
        tmp_path,
        {
            "people.yaml": "ann:\n  name: 007\nbob:\n  name: no\n",
            "catalogue.yaml": RIGHT["catalogue.yaml"]
            + "  fields:\n    - {key: a, label: yes, kind: yes-no, required: off}\n"
            + "    - {key: b, label: 1e3, only_if: {a: no}}\n",
        },
    )
    policy = load(tmp_path)
    assert [person.name for person in policy.people.values()] == ["007", "no"]
    first, second = policy.offerings["box"].fields
    assert (first.label, first.required) == ("yes", False)
    assert (second.label, second.only_if) == ("1e3", {"a": "no"})


def test_a_time_needs_no_quotation_marks(tmp_path):
    # YAML 1.1 would read 09:00 as a text and 17:00 as a number of base sixty.
    (opening,) = load(write(tmp_path, {})).calendars["office"].hours
    assert (opening.opens, opening.closes) == ("09:00", "17:00")


def test_an_alias_stands_for_what_it_names(tmp_path):
    text = "desk: &base\n  name: Desk\nhall: *base\n"
    assert load(write(tmp_path, {"rooms.yaml": text})).rooms["hall"].name == "Desk"


def test_one_value_may_stand_for_a_list_of_one(tmp_path):
    text = RIGHT["catalogue.yaml"] + "  may_ask: ann\n  approval: [{of: bob}]\n"
    offering = load(write(tmp_path, {"catalogue.yaml": text})).offerings["box"]
    assert offering.may_ask == ("ann",)
    assert offering.approval[0].of == ("bob",)


def test_the_version_changes_with_what_is_said_and_not_with_how(tmp_path):
    before = load(write(tmp_path, {})).version
    assert load(write(tmp_path, {"rooms.yaml": '# the desk\n"desk": {name: "Desk"}\n'})).version == before
    assert load(write(tmp_path, {"rooms.yaml": "desk:\n  name: Counter\n"})).version != before


@pytest.mark.parametrize("nothing", ["", "~", "null"])
def test_a_value_that_is_left_empty_says_nothing(nothing, tmp_path):
    text = f"ann:\n  name: Ann\nbob:\n  name: Bob\n  manager: {nothing}\n"
    assert load(write(tmp_path, {"people.yaml": text})).people["bob"].manager is None


def test_one_opening_may_end_where_another_begins(tmp_path):
    text = (
        "office:\n  name: Office\n  zone: UTC\n  hours:\n"
        "    - {days: mon, opens: 12:00, closes: 24:00}\n    - {days: mon, opens: 00:00, closes: 12:00}\n"
    )
    assert len(load(write(tmp_path, {"calendars.yaml": text})).calendars["office"].hours) == 2


def test_an_absence_may_last_one_day(tmp_path):
    text = "ann:\n  name: Ann\n  away: [[2026-02-10, 2026-02-10]]\nbob:\n  name: Bob\n"
    day = date(2026, 2, 10)
    assert load(write(tmp_path, {"people.yaml": text})).people["ann"].away == ((day, day),)


def test_an_agreement_may_make_one_promise_in_two_calendars(tmp_path):
    text = (
        "standard:\n  name: Standard\n  targets:\n"
        "    - {promise: resolve, calendar: always, within: {P1: 1d}}\n"
        "    - {promise: resolve, calendar: office, within: {P2: 16h}}\n"
    )
    targets = load(write(tmp_path, {"agreements.yaml": text})).agreements["standard"].targets
    assert [target.within for target in targets] == [{Priority.P1: 86400}, {Priority.P2: 57600}]


@pytest.mark.parametrize(
    ("name", "added"),
    [
        # nobody on call at night, as declared
        (
            "rotas.yaml",
            (
                "shop:\n  name: Shop\n  zone: UTC\n  room: desk\n  gaps: yes\n  layers:\n"
                "    - {people: ann, starts: 2026-01-05 09:00, hours: [{days: mon, opens: 09:00, closes: 10:00}]}\n"
            ),
        ),
        # a layer beneath one that has hours, closed days, or a later start; somebody with two turns
        (
            "rotas.yaml",
            (
                "shop:\n  name: Shop\n  zone: UTC\n  room: desk\n  layers:\n"
                "    - {people: [ann, bob, ann], starts: 2026-01-05 09:00}\n"
                "    - {people: bob, starts: 2026-01-05 09:00, hours: [{days: mon, opens: 09:00, closes: 10:00}]}\n"
                "    - {people: bob, starts: 2026-01-05 09:00, closed_days_of: closing}\n"
                "    - {people: ann, starts: 2026-06-01 09:00}\n"
            ),
        ),
        # the same people twice one after the other, a room alone, the fallback in a level
        (
            "escalations.yaml",
            'slow:\n  name: Slow\n  levels: [{notify: "#desk"}, {notify: ann}, {notify: ann}]\n  fallback: ann\n',
        ),
        # a matrix that knows one severity only
        (
            "incidents.yaml",
            "severity:\n  high: &row {high: SEV2, medium: SEV2, low: SEV2}\n  medium: *row\n  low: *row\n",
        ),
        # every way to wake a person
        (
            "people.yaml",
            (
                "eve:\n  name: Eve\n  contacts:\n    - {way: chat}\n    - {way: mail, to: eve@example.org}\n"
                "    - {way: sms, to: +4930123456, after: 1m}\n    - {way: sms, to: +4930123456, after: 9m}\n"
                "    - {way: ntfy, to: eve_9-topic}\n    - {way: ntfy, to: 'https://ntfy.example.org/eve'}\n"
                "    - {way: webhook, to: 'https://example.org:8443/page?of=eve'}\n"
            ),
        ),
        # signed by those who can sign, mapped where nobody knows the shape
        (
            "alerts.yaml",
            (
                "logs:\n  name: Logs\n  kind: grafana\n  service: mail\n  signed: yes\n"
                "disk:\n  name: Disk\n  kind: generic\n  service: mail\n  signed: yes\n  mapping: {key: id}\n"
            ),
        ),
    ],
)
def test_what_wakes_people_may_be_said_in_many_ways(name, added, tmp_path):
    right = {**RIGHT, **ON_CALL}
    load(write(tmp_path, {**right, name: right[name] + added}), first_gap)


@pytest.mark.parametrize(
    "person",
    [
        "email: ann@example.org",
        "accounts: [{platform: slack, workspace: T0123456789, user: U0123456789}]",
        "contacts: [{way: sms, to: +4930123456}]",
        "contacts: [{way: chat}, {way: mail, to: ann@example.org}]",
    ],
)
def test_one_way_that_works_is_enough_for_somebody_on_call(person, tmp_path):
    text = f"ann:\n  name: Ann\n  {person}\nbob:\n  name: Bob\n  email: bob@example.org\n"
    load(write(tmp_path, {**ON_CALL, "people.yaml": text}), first_gap)


def test_alerts_need_to_know_what_becomes_of_an_incident(tmp_path):
    write(tmp_path, ON_CALL)
    (tmp_path / "incidents.yaml").unlink()
    with pytest.raises(PolicyErrors) as caught:
        load(tmp_path)
    assert [str(problem) for problem in caught.value.problems] == [
        "alerts.yaml:1: needs incidents.yaml beside it; write that file or take this one out"
    ]


def test_a_rota_among_faults_is_not_searched_for_gaps(tmp_path):
    text = ON_CALL["rotas.yaml"] + (
        "shop:\n  name: Shop\n  zone: Marz\n  room: desk\n  layers: [{people: ann, starts: 2026-01-05 09:00,\n"
        "    hours: [{days: mon, opens: 09:00, closes: 09:00}], closed_days_of: nowhere}]\n"
    )
    with pytest.raises(PolicyErrors) as caught:
        load(write(tmp_path, {**ON_CALL, "rotas.yaml": text}), first_gap)
    assert [problem.key for problem in caught.value.problems] == [
        "shop.zone",
        "shop.layers.1.closed_days_of",
        "shop.layers.1.hours.1",
    ]


def test_a_rota_of_a_calendar_among_faults_is_not_searched_for_gaps(tmp_path):
    rota = "day: {name: Day, zone: UTC, room: desk, layers: [{people: ann, starts: 2026-01-05 09:00, "
    text = ON_CALL["calendars.yaml"].replace("Closing\n  zone: Europe/Berlin", "Closing\n  zone: Nowhere")
    files = {"rotas.yaml": rota + "closed_days_of: closing}]}\n", "calendars.yaml": text}
    with pytest.raises(PolicyErrors) as caught:
        load(write(tmp_path, {**ON_CALL, **files}), first_gap)
    assert [problem.key for problem in caught.value.problems] == ["closing.zone"]


# Closed days ---------------------------------------------------------------------------------------


def calendar(folder: Path, holidays: str, feed: str = "") -> Policy:
    shop = (
        "shop:\n  name: Shop\n  zone: Europe/Berlin\n  hours: [{days: mon, opens: 09:00, closes: 10:00}]\n"
        f"  holidays: {holidays}\n"
    )
    whole = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test\r\n{feed}\r\nEND:VCALENDAR\r\n"
    (folder / "closed.ics").write_bytes(whole.encode() if feed else b"")
    return load(write(folder, {"calendars.yaml": RIGHT["calendars.yaml"] + shop}))


def event(*lines: str) -> str:
    return "\r\n".join(["BEGIN:VEVENT", "UID:1", *lines, "END:VEVENT"])


def test_public_holidays_are_worked_out_for_thirty_years(tmp_path):
    closed = calendar(tmp_path, "{country: DE, region: BE}").calendars["shop"].closed
    assert closed[date(2026, 10, 3)] == "Tag der Deutschen Einheit"
    assert closed[date(2049, 3, 8)] == "Frauentag"  # in Berlin, not in all of Germany
    assert {day.year for day in closed} == set(range(FIRST_YEAR, LAST_YEAR + 1))


def test_the_names_of_holidays_do_not_follow_the_language_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("LANGUAGE", "th")
    public_holidays.cache_clear()
    closed = calendar(tmp_path, "{country: DE}").calendars["shop"].closed
    assert closed[date(2026, 1, 1)] == "Neujahr"


def test_an_own_day_closes_and_its_name_wins(tmp_path):
    holidays = "{country: DE, own: {2026-10-03: Our day, 2026-08-01: Outing}}"
    closed = calendar(tmp_path, holidays).calendars["shop"].closed
    assert closed[date(2026, 10, 3)] == "Our day"
    assert closed[date(2026, 8, 1)] == "Outing"
    assert list(closed) == sorted(closed)


def test_a_feed_closes_whole_days_and_its_end_is_not_among_them(tmp_path):
    feed = event("SUMMARY:Inventory", "DTSTART;VALUE=DATE:20261228", "DTEND;VALUE=DATE:20261230")
    closed = calendar(tmp_path, "{feed: closed.ics}", feed).calendars["shop"].closed
    assert closed == {date(2026, 12, 28): "Inventory", date(2026, 12, 29): "Inventory"}


def test_a_feed_says_nothing_of_days_beyond_the_years_that_are_worked_out(tmp_path):
    feed = event("SUMMARY:Turn", "DTSTART;VALUE=DATE:20491231", "DTEND;VALUE=DATE:20500103")
    closed = calendar(tmp_path, "{feed: closed.ics}", feed).calendars["shop"].closed
    assert list(closed) == [date(2049, 12, 31)]


def test_a_feed_may_repeat_every_year(tmp_path):
    feed = event(
        "SUMMARY:Thanksgiving",
        "DTSTART;VALUE=DATE:20261126",
        "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;UNTIL=20291231",
        "EXDATE;VALUE=DATE:20281123",
    )
    closed = calendar(tmp_path, "{feed: closed.ics}", feed).calendars["shop"].closed
    assert list(closed) == [date(2026, 11, 26), date(2027, 11, 25), date(2029, 11, 22)]


DAY = "DTSTART;VALUE=DATE:20261126"
YEARLY = "RRULE:FREQ=YEARLY"


@pytest.mark.parametrize(
    ("feed", "told"),
    [
        (event("SUMMARY:Noon", "DTSTART:20261126T120000Z"), "'Noon' is not a whole day"),
        (event("SUMMARY:Daily", DAY, "RRULE:FREQ=DAILY"), "'Daily' repeats by more"),
        (event("SUMMARY:Zero", DAY, f"{YEARLY};INTERVAL=0"), "'Zero' has an INTERVAL"),
        (event("SUMMARY:Old", "DTSTART;VALUE=DATE:00010101", YEARLY), "'Old' begins before 1970"),
        (event("SUMMARY:Never", DAY, f"{YEARLY};BYMONTH=2;BYMONTHDAY=30"), "closes no day"),
        (event("SUMMARY:Back", DAY, "DTEND;VALUE=DATE:20261126"), "'Back' ends before"),
        (event("SUMMARY:None"), "'None' has no DTSTART"),
        (event("SUMMARY:Odd", "DTSTART;VALUE=DATE:20269999"), "'Odd' "),
        (event("SUMMARY:Listed", DAY, "RDATE;VALUE=DATE:20261127"), "'Listed' has an RDATE"),
        ("\r\n".join(event(DAY) for _ in range(501)), "more than 500 events"),
        ("nonsense", "is not an iCalendar file"),
        ("", "closes no day"),
    ],
)
def test_a_feed_that_cannot_be_used_is_told_at_the_line_that_names_it(feed, told, tmp_path):
    with pytest.raises(PolicyErrors) as caught:
        calendar(tmp_path, "{feed: closed.ics}", feed)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.key) == ("calendars.yaml", 14, "shop.holidays.feed")
    assert told in problem.message


def test_a_feed_must_not_lead_out_of_the_folder_by_a_link(tmp_path):
    folder = tmp_path / "policy"
    folder.mkdir()
    (tmp_path / "secret.ics").write_text("BEGIN:VCALENDAR")
    (folder / "linked.ics").symlink_to(tmp_path / "secret.ics")
    with pytest.raises(PolicyErrors, match="lies outside the policy's folder"):
        calendar(folder, "{feed: linked.ics}")


# Reading again -------------------------------------------------------------------------------------


def test_a_bad_reload_keeps_the_last_good_policy(tmp_path):
    policies = PolicyFiles(write(tmp_path, {}))
    good = policies.load()
    (tmp_path / "rooms.yaml").write_text("desk: [\n")
    assert policies.changed()
    wrong = policies.reload()
    assert isinstance(wrong, PolicyErrors)
    assert policies.policy is good
    assert not policies.changed(), "a fault is told once, until a file changes again"
    write(tmp_path, {"rooms.yaml": "desk:\n  name: Counter\n"})
    assert policies.changed()
    assert policies.reload() is policies.policy is not good


def test_files_that_come_go_or_are_touched_count_as_changed(tmp_path):
    policies = PolicyFiles(write(tmp_path, {}))
    policies.load()
    (tmp_path / "notes.txt").write_text("not ours")
    assert not policies.changed()
    about = (tmp_path / "rooms.yaml").stat()
    os.utime(tmp_path / "rooms.yaml", ns=(about.st_atime_ns, about.st_mtime_ns + 1))
    assert policies.changed()
    policies.load()
    (tmp_path / "closed.ics").write_text("")
    assert policies.changed()
    policies.load()
    (tmp_path / "closed.ics").unlink()
    assert policies.changed()


def test_a_folder_that_goes_away_keeps_the_last_good_policy(tmp_path):
    folder = tmp_path / "policy"
    folder.mkdir()
    policies = PolicyFiles(write(folder, {}))
    good = policies.load()
    folder.rename(tmp_path / "elsewhere")
    assert policies.changed()
    assert isinstance(policies.reload(), PolicyErrors)
    assert policies.policy is good


# The example ---------------------------------------------------------------------------------------


def test_the_example_organisation_is_right(example_policy):
    assert example_policy.organisation.name == "Example Organisation"
    assert {"staff", "agent", "oncall", "backup", "approver", "owner", "manager"} <= set(
        example_policy.people
    )
    assert example_policy.people["staff"].manager == "manager"


def test_the_example_shows_every_feature_of_a_catalogue(example_policy):
    offerings = example_policy.offerings.values()
    fields = [field for offering in offerings for field in offering.fields]
    stages = [stage for offering in offerings for stage in offering.approval]
    assert {field.kind for field in fields} == set(FieldKind)
    assert any(field.only_if for field in fields)
    assert {stage.on_deadline for stage in stages} == set(OnDeadline)
    assert any(stage.need > 1 for stage in stages)
    assert any(len(offering.approval) > 1 for offering in offerings)
    assert any(len({task.team for task in offering.tasks}) > 1 for offering in offerings)
    assert any(offering.may_ask for offering in offerings)
    assert example_policy.offerings["question"].approval == ()


def test_the_example_promises_something_for_every_priority(example_policy):
    of_requests = (Promise.RESPOND, Promise.RESOLVE, Promise.APPROVE, Promise.FULFIL_STEP)
    of_incidents = (Promise.RESPOND, Promise.UPDATE, Promise.RESOLVE)
    for agreement in example_policy.agreements.values():
        is_for_incidents = agreement.key == example_policy.incidents.agreement
        for promise in of_incidents if is_for_incidents else of_requests:
            promised = [p for target in agreement.targets if target.promise is promise for p in target.within]
            assert sorted(promised) == list(Priority), (agreement.key, promise)


def test_in_the_example_somebody_has_every_role(example_policy):
    assert set(example_policy.access.grants) == set(Role) - {Role.STAFF}


@pytest.mark.parametrize("name", [*WHOLE, *NAMED])
def test_every_file_of_the_example_begins_by_teaching(name):
    first, second, *_ = (EXAMPLE / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    assert first.startswith("# ")
    assert second.startswith("#")
