"""Can a calendar program subscribe to one's turns, and nobody else see them?"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from icalendar import Calendar
from prometheus_client import CollectorRegistry

from bot.logs import configure
from bot.tokens import Tokens
from bot.web.app import create
from bot.web.feeds import Feeds
from bot.wiring import build
from config.settings import read_settings
from handlers.messages import flat
from storage.database import Database
from tests.harness.house import MONDAY, Talk

URL = "https://desk.example.org"
TOKENS = Tokens(b"a made-up secret of forty characters ...")
PLATFORM, PERSON = "rota/platform", "person/oncall"

Turn = tuple[str, datetime, datetime]


def address(name: str) -> str:
    """Where a feed is, with the token that opens it."""
    return f"/feeds/{name}.ics?token={TOKENS.of(f'feed/{name}')}"


def client(talk: Talk) -> httpx.AsyncClient:
    """The desk's web application, without a wire."""
    feeds = Feeds(lambda: talk.policy, talk.database, TOKENS, talk.clock.now, URL)
    app = create(talk.database, feeds.routes(), CollectorRegistry(), lambda: ())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=URL)


@pytest.fixture
async def web(quick_talk: Talk) -> AsyncIterator[httpx.AsyncClient]:
    """The same on SQLite, in a desk that has looked at its rotas."""
    quick_talk.tend()
    async with client(quick_talk) as found:
        yield found


async def turns(web: httpx.AsyncClient, name: str) -> list[Turn]:
    """The turns in a feed, in order."""
    answer = await web.get(address(name))
    assert answer.status_code == 200, answer.text
    return turns_in(answer.text)


def events(text: str) -> list[Any]:
    """The events of a calendar."""
    return list(Calendar.from_ical(text).walk("VEVENT"))


def turns_in(text: str) -> list[Turn]:
    """Whose turn it is from when to when, in order."""
    return sorted((str(each["SUMMARY"]), each["DTSTART"].dt, each["DTEND"].dt) for each in events(text))


def at(turns: Sequence[Turn], moment: datetime) -> list[str]:
    """Whose turn a calendar shows at a moment."""
    return [who for who, start, end in turns if start <= moment < end]


# What it holds ------------------------------------------------------------------------------------------


async def test_a_rota_is_a_calendar_from_a_month_ago_to_a_year_ahead(web: httpx.AsyncClient) -> None:
    answer = await web.get(address(PLATFORM))
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.text.startswith("BEGIN:VCALENDAR\r\n")
    assert "\r\nREFRESH-INTERVAL;VALUE=DURATION:PT30M\r\nX-PUBLISHED-TTL:PT30M\r\n" in answer.text
    found = turns_in(answer.text)
    assert at(found, MONDAY) == ["Oli Oncall: Platform on call"]
    assert at(found, MONDAY + timedelta(days=7)) == ["Bo Backup: Platform on call"]
    first, last = min(start for _, start, _ in found), max(end for _, _, end in found)
    assert MONDAY - timedelta(days=37) <= first <= MONDAY - timedelta(days=30)
    assert MONDAY + timedelta(days=365) <= last <= MONDAY + timedelta(days=374)
    hours = [moment for moment in (first + timedelta(hours=n) for n in range(9000)) if moment < last]
    assert all(len(at(found, moment)) == 1 for moment in hours), "one person at every hour"


async def test_turns_change_at_nine_in_berlin_whatever_the_season(web: httpx.AsyncClient) -> None:
    starts = {start for _, start, _ in await turns(web, PLATFORM)}
    assert datetime(2027, 3, 22, 8, tzinfo=UTC) in starts
    assert datetime(2027, 3, 29, 7, tzinfo=UTC) in starts
    assert datetime(2027, 11, 1, 8, tzinfo=UTC) in starts


async def test_a_person_sees_their_own_turns_of_every_rota(web: httpx.AsyncClient) -> None:
    mine = await turns(web, "person/backup")
    assert {who for who, _, _ in mine} == {"On call: Platform on call", "On call: Service desk"}
    assert at(mine, MONDAY) == [], "this week is somebody else's"
    assert at(mine, MONDAY + timedelta(days=8)) == ["On call: Platform on call"]
    assert at(mine, MONDAY + timedelta(days=1, hours=1)) == ["On call: Service desk"]
    assert await turns(web, "person/staff") == []


async def test_overrides_and_swaps_show_and_what_was_taken_back_does_not(
    web: httpx.AsyncClient, quick_talk: Talk
) -> None:
    quick_talk.say("manager", 'oncall override platform @backup start:"wed 18:00" end:4h')
    quick_talk.say("manager", 'oncall override platform @owner start:"thu 18:00" end:4h')
    quick_talk.say("manager", "oncall withdraw OVR-2")
    quick_talk.say("oncall", 'oncall swap platform @backup "7 dec 12:00"')
    offered = await turns(web, PLATFORM)
    assert at(offered, datetime(2026, 12, 8, tzinfo=UTC)) == ["Oli Oncall: Platform on call"]
    quick_talk.say("backup", "oncall accept SWP-1")
    found = await turns(web, PLATFORM)
    assert at(found, datetime(2026, 11, 25, 17, tzinfo=UTC)) == ["Bo Backup: Platform on call"]
    assert at(found, datetime(2026, 11, 25, 21, tzinfo=UTC)) == ["Oli Oncall: Platform on call"]
    assert at(found, datetime(2026, 11, 26, 17, tzinfo=UTC)) == ["Oli Oncall: Platform on call"]
    assert at(found, datetime(2026, 12, 8, tzinfo=UTC)) == ["Bo Backup: Platform on call"]
    said = {str(each.get("DESCRIPTION", "")) for each in events((await web.get(address(PLATFORM))).text)}
    assert said == {"", "By override.", "By swap."}


async def test_a_calendar_reads_what_names_are_made_of(web: httpx.AsyncClient, quick_talk: Talk) -> None:
    name = 'Bo "B," Backup; Lisboa\\Ünïcode ' + "long " * 20
    people = {**quick_talk.policy.people}
    people["backup"] = replace(people["backup"], name=name.strip())
    quick_talk.policy = replace(quick_talk.policy, people=people, version="renamed")
    answer = await web.get(address(PLATFORM))
    assert f"{name.strip()}: Platform on call" in {who for who, _, _ in turns_in(answer.text)}
    assert all(len(line.encode()) <= 75 for line in answer.text.split("\r\n")), "RFC 5545, 3.1"


# The same schedule, the same text -----------------------------------------------------------------------


async def test_who_asks_again_is_told_that_nothing_has_changed(
    web: httpx.AsyncClient, quick_talk: Talk
) -> None:
    first = await web.get(address(PLATFORM))
    quick_talk.clock.move(timedelta(hours=5))
    again = await web.get(address(PLATFORM))
    assert again.text == first.text
    for header, value in (
        ("If-None-Match", first.headers["etag"]),
        ("If-None-Match", f'"other", W/{first.headers["etag"]}'),
        ("If-Modified-Since", first.headers["last-modified"]),
    ):
        unchanged = await web.get(address(PLATFORM), headers={header: value})
        assert (unchanged.status_code, unchanged.content) == (304, b""), header
        assert unchanged.headers["etag"] == first.headers["etag"]
    for header, value in (
        ("If-None-Match", '"other"'),
        ("If-Modified-Since", format_datetime(MONDAY - timedelta(days=3), usegmt=True)),
        ("If-Modified-Since", "yesterday"),
    ):
        assert (await web.get(address(PLATFORM), headers={header: value})).status_code == 200


async def test_a_change_of_the_schedule_shows_at_once_with_its_moment(
    web: httpx.AsyncClient, quick_talk: Talk
) -> None:
    first = await web.get(address(PLATFORM))
    elsewhere = await web.get(address("rota/service-desk"))
    quick_talk.clock.move(timedelta(hours=1))
    quick_talk.say("manager", 'oncall override platform @owner start:"wed 18:00" end:4h')
    changed = await web.get(address(PLATFORM), headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.headers["last-modified"] == format_datetime(MONDAY + timedelta(hours=1), usegmt=True)
    stamps = {each["DTSTAMP"].dt for each in events(changed.text)}
    assert stamps == {MONDAY + timedelta(hours=1)}, "when it was revised, not when somebody asked"
    assert (await web.get(address("rota/service-desk"))).text == elsewhere.text, "nothing happened there"


async def test_a_turn_keeps_its_name_from_day_to_day_and_from_feed_to_feed(
    web: httpx.AsyncClient, quick_talk: Talk
) -> None:
    def names(text: str) -> dict[datetime, str]:
        return {each["DTSTART"].dt: str(each["UID"]) for each in events(text)}

    today, mine = names((await web.get(address(PLATFORM))).text), names((await web.get(address(PERSON))).text)
    quick_talk.clock.move(timedelta(days=20))
    later = names((await web.get(address(PLATFORM))).text)
    assert len(set(today.values())) == len(today)
    assert len(today.keys() & later.keys()) > 40
    assert all(today[start] == later[start] for start in today.keys() & later.keys())
    assert mine.items() <= today.items()


# Who may see it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/feeds/rota/platform.ics",
        "/feeds/rota/platform.ics?token=",
        f"/feeds/rota/platform.ics?token={TOKENS.of('feed/rota/platform')[:-1]}",
        f"/feeds/rota/platform.ics?token={TOKENS.of('feed/person/oncall')}",
        f"/feeds/rota/platform.ics?token={TOKENS.of('feed/rota/service-desk')}",
        f"/feeds/person/platform.ics?token={TOKENS.of('feed/rota/platform')}",
        "/feeds/rota/platform.ics?token=%F0%9F%94%94%00",
        f"/feeds/rota/nowhere.ics?token={TOKENS.of('feed/rota/nowhere')}",
        f"/feeds/person/nobody.ics?token={TOKENS.of('feed/person/nobody')}",
        f"/feeds/team/platform.ics?token={TOKENS.of('feed/team/platform')}",
        f"/feeds/rota/%C3%BC%00.ics?token={TOKENS.of('feed/rota/platform')}",
    ],
)
async def test_a_wrong_token_and_a_feed_that_is_not_there_are_one_answer(
    web: httpx.AsyncClient, path: str
) -> None:
    answer = await web.get(path)
    assert (answer.status_code, answer.text) == (404, "There is no such calendar.\n")


async def test_who_has_left_has_no_calendar_any_more(web: httpx.AsyncClient, quick_talk: Talk) -> None:
    assert (await web.get(address(PERSON))).status_code == 200
    people = {key: each for key, each in quick_talk.policy.people.items() if key != "oncall"}
    quick_talk.policy = replace(quick_talk.policy, people=people, version="one left")
    assert (await web.get(address(PERSON))).status_code == 404


async def test_a_feed_that_is_renewed_has_one_address_and_the_others_keep_theirs(
    quick_talk: Talk,
) -> None:
    house = build(read_settings(), quick_talk.clock)
    house.__dict__["tokens"] = TOKENS
    quick_talk.dispatcher._feed = house.feed

    def told(line: str, person: str = "oncall") -> dict[str, str]:
        reply = quick_talk.say(person, line)
        assert reply.private
        return {each.label: flat(each.value) for each in reply.facts if "calendar" in each.label}

    own, rota = "Your turns as a calendar", "This rota as a calendar"
    first = told("oncall rota platform")
    async with client(quick_talk) as web:

        async def opens(*addresses: str) -> list[int]:
            return [(await web.get(each)).status_code for each in addresses]

        once = told("oncall renew-feed")
        twice = told("oncall renew-feed")
        assert len({first[own], once[own], twice[own]}) == 3
        assert await opens(first[own], once[own], twice[own], first[rota]) == [404, 404, 200, 200]
        assert told("oncall rota platform") == {own: twice[own], rota: first[rota]}
        assert quick_talk.say("staff", "oncall renew-feed platform").title.startswith("You cannot change")
        newer = told("oncall renew-feed platform")
        assert await opens(first[rota], newer[rota], twice[own]) == [404, 200, 200]
        assert told("oncall rota platform", "manager")[rota] == newer[rota], "others are told the new one"
    assert [each.action for each in quick_talk.evidence("person:oncall")] == ["oncall.feed_renewed"] * 2


async def test_no_log_line_holds_a_token(
    web: httpx.AsyncClient,
    quick_talk: Talk,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = logging.getLogger().handlers[:], logging.getLogger().level, structlog.get_config()
    configure(as_json=True, level="debug")
    try:
        await web.get(address(PLATFORM))
        await web.get(address(PLATFORM)[:-1])
        logging.getLogger("uvicorn.error").warning("Exception at %s%s", URL, address(PLATFORM))
    finally:
        logging.getLogger().handlers[:], level, config = before
        logging.getLogger().setLevel(level)
        structlog.configure(**config)
    written = "".join(capsys.readouterr())
    assert "[redacted]" in written, "what could hold one was looked through"
    assert TOKENS.of(f"feed/{PLATFORM}")[:-1] not in written


async def test_the_address_is_told_to_nobody_but_whose_it_is(quick_talk: Talk) -> None:
    dispatcher = quick_talk.dispatcher
    dispatcher._feed = lambda name: f"{URL}{address(name)}"
    for line, names in (("oncall who", [PERSON]), ("oncall rota platform", [PERSON, PLATFORM])):
        reply = quick_talk.say("oncall", line)
        assert reply.private
        told = [flat(each.value) for each in reply.facts if "calendar" in each.label]
        assert told == [f"{URL}{address(name)}" for name in names]
    async with client(quick_talk) as web:
        assert (await web.get(told[0])).status_code == 200


async def test_a_store_that_is_away_is_said_and_nothing_is_made_up(quick_talk: Talk) -> None:
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    feeds = Feeds(lambda: quick_talk.policy, away, TOKENS, quick_talk.clock.now, URL)
    app = create(away, feeds.routes(), CollectorRegistry(), lambda: ())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=URL) as web:
        answer = await web.get(address(PLATFORM))
    away.close()
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "60"


async def test_a_feed_is_the_same_on_both_stores(talk: Talk) -> None:
    talk.tend()
    talk.say("manager", 'oncall override platform @owner start:"wed 18:00" end:4h')
    async with client(talk) as web:
        found = await turns(web, PLATFORM)
    assert at(found, datetime(2026, 11, 25, 18, tzinfo=UTC)) == ["Olga Owner: Platform on call"]


# A real calendar program --------------------------------------------------------------------------------


class Khal:
    """The terminal calendar khal, in a home of its own, on a clock that hangs in some zone."""

    def __init__(self, home: Path, zone: str) -> None:
        self._home = home
        self._config = home / "khal.conf"
        (home / "rota").mkdir(parents=True)
        self._config.write_text(
            f"[calendars]\n[[rota]]\npath = {home / 'rota'}\n"
            "[locale]\ntimeformat = %H:%M\ndateformat = %Y-%m-%d\nlongdateformat = %Y-%m-%d\n"
            "datetimeformat = %Y-%m-%d %H:%M\nlongdatetimeformat = %Y-%m-%d %H:%M\n"
            f"default_timezone = {zone}\nlocal_timezone = {zone}\n"
            f"[sqlite]\npath = {home / 'khal.db'}\n"
            "[default]\ndefault_calendar = rota\n"
        )

    def _run(self, *arguments: str) -> str:
        khal = Path(sys.executable).with_name("khal")
        home = {
            each: str(self._home) for each in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")
        }
        done = subprocess.run(
            [str(khal), "-c", str(self._config), *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, **home, "LC_ALL": "C.UTF-8"},
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def take_in(self, feed: Path) -> None:
        """Import a calendar file."""
        self._run("import", "--batch", "-a", "rota", str(feed))

    def begins(self, since: str, until: str) -> set[tuple[str, str]]:
        """What begins when, on its own clock, between two days."""
        shape = "{start-long-full}|{title}"
        lines = self._run("list", "--day-format", "", "--format", shape, since, until).splitlines()
        return {(start, title) for start, _, title in (line.partition("|") for line in lines if "|" in line)}


@pytest.mark.parametrize(
    ("zone", "winter", "summer"),
    [
        ("Europe/Berlin", "09:00", "09:00"),
        ("Europe/Lisbon", "08:00", "08:00"),
        ("America/New_York", "04:00", "03:00"),
    ],
)
async def test_a_calendar_program_shows_the_turns_on_its_readers_clock_in_winter_and_in_summer(
    web: httpx.AsyncClient, quick_talk: Talk, tmp_path: Path, zone: str, winter: str, summer: str
) -> None:
    quick_talk.say("manager", 'oncall override platform @owner start:"2027-03-28 20:00" end:2h')
    feed = tmp_path / "platform.ics"
    feed.write_bytes((await web.get(address(PLATFORM))).content)
    khal = Khal(tmp_path / "home", zone)
    khal.take_in(feed)
    begins = khal.begins("2027-03-22", "2027-04-05")
    assert (f"2027-03-22 {winter}", "Bo Backup: Platform on call") in begins
    assert (f"2027-03-29 {summer}", "Oli Oncall: Platform on call") in begins
    assert any(title == "Olga Owner: Platform on call" for _, title in begins)
