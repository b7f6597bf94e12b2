"""Can a pipeline ask whether it may change a service, and people see what is changed when?"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from shutil import which
from typing import Any

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, Page
from prometheus_client import CollectorRegistry

from bot.tokens import Tokens
from bot.web.app import create
from bot.web.changes import ALL, PAGE, ChangePages, gate_instructions, gate_purpose
from bot.web.feeds import Feeds
from config.policy import ChangeRules
from handlers.messages import Tone
from storage.database import Database, StoreUnavailable
from tests.harness.house import MONDAY, Talk
from tests.web.test_feeds import Khal, events

TOKENS = Tokens(b"a made-up secret of forty characters ...")
URL = "https://desk.example.org"
LOW = "reach:“nobody at first” tried:often undone:“at once”"
TEXTS = "plan:“swap the disks” test:“send a mail” backout:“swap back”"


def client(talk: Talk) -> httpx.AsyncClient:
    """The desk's web application, without a wire."""
    pages = ChangePages(lambda: talk.policy, talk.database, TOKENS, talk.clock.now)
    feeds = Feeds(lambda: talk.policy, talk.database, TOKENS, talk.clock.now, URL)
    routes = [*pages.routes(), *feeds.routes()]
    app = create(talk.database, routes, CollectorRegistry(), lambda: ())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=URL)


@pytest.fixture
async def web(talk: Talk) -> AsyncIterator[httpx.AsyncClient]:
    async with client(talk) as found:
        yield found


def scheduled(
    talk: Talk, service: str = "mail", when: str = "start:“tue 20:00” end:2h", who: str = "oncall"
) -> str:
    """A change that has its time."""
    ref = talk.say(who, f"change propose a larger store service:{service} {when} {TEXTS}").subject or ""
    talk.say(who, f"change assess {ref} {LOW}")
    talk.say(who, f"change submit {ref}")
    talk.say("approver", f"change approve {ref}")
    assert talk.say(who, f"change schedule {ref}").tone is Tone.GOOD
    return ref


async def ask(
    web: httpx.AsyncClient, service: str = "mail", scope: str | None = None, **query: str
) -> httpx.Response:
    """What a pipeline hears at the gate."""
    token = TOKENS.of(gate_purpose(scope or service))
    headers = {"Authorization": f"Bearer {token}"}
    return await web.get("/api/changes/gate", params={"service": service, **query}, headers=headers)


async def told(web: httpx.AsyncClient, service: str = "mail", **query: str) -> dict[str, Any]:
    """The same as what its JSON says."""
    answer = await ask(web, service, **query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


# The gate -----------------------------------------------------------------------------------------------


async def test_a_pipeline_may_change_a_service_while_a_change_of_it_is_being_made(
    talk: Talk, web: httpx.AsyncClient
) -> None:
    ref = scheduled(talk)
    assert await told(web) == {
        "allow": False,
        "reason": "No change of Mail is being made; start one first.",
        "service": "mail",
        "change": None,
        "until": None,
        "frozen_by": [],
        "free_from": None,
    }
    talk.wait(hours=35)
    talk.say("oncall", f"change start {ref}")
    allowed = await told(web)
    assert (allowed["allow"], allowed["reason"]) == (True, f"{ref} is being made: a larger store")
    assert (allowed["change"], allowed["until"]) == (ref, "2026-11-24T21:00:00+00:00")
    assert (await told(web, "vpn"))["allow"] is False, "another service"
    assert (await told(web, change=ref.lower()))["allow"] is True
    assert (await told(web, change="CHG-9"))[
        "reason"
    ] == "CHG-9 is not a change of Mail that is being made; start one first."
    talk.wait(hours=3)
    assert (await told(web))["reason"] == f"The window of {ref} is over."
    talk.say("oncall", f"change complete {ref} successful it works")
    assert (await told(web))["allow"] is False


async def test_nothing_passes_the_gate_in_a_freeze_but_broken_glass(
    talk: Talk, web: httpx.AsyncClient
) -> None:
    ref = scheduled(talk)
    talk.wait(hours=35)
    talk.say("oncall", f"change start {ref}")
    talk.say("manager", "change freeze the fair service:network end:2d")
    denied = await told(web)
    assert (denied["allow"], denied["reason"], denied["frozen_by"]) == (
        False,
        "Mail is frozen: the fair.",
        ["FRZ-1"],
    )
    assert denied["until"] == denied["free_from"] == "2026-11-26T19:00:00+00:00"
    talk.say("oncall", "change emergency restart it service:mail because:broken plan:restart")
    talk.say("manager", "change approve CHG-2")
    assert (await told(web))["allow"] is False, "the glass is broken, but nobody has begun"
    talk.say("oncall", "change start CHG-2")
    allowed = await told(web)
    assert (allowed["allow"], allowed["reason"]) == (True, "CHG-2 is an emergency: restart it")
    assert (await told(web, change=ref))["allow"] is False, "the glass was broken for another one"


async def test_the_freezes_of_the_policy_hold_at_the_gate(talk: Talk, web: httpx.AsyncClient) -> None:
    talk.clock.set(datetime(2026, 12, 24, 12, 0, tzinfo=UTC))
    denied = await told(web)
    assert (denied["reason"], denied["free_from"]) == (
        "Mail is frozen: Year's end.",
        "2027-01-04T17:00:00+00:00",
    )


async def test_where_the_policy_asks_for_no_change_only_freezes_hold(
    talk: Talk, web: httpx.AsyncClient
) -> None:
    rules: ChangeRules | None = talk.policy.changes
    assert rules is not None
    talk.policy = replace(talk.policy, version="freeze", changes=replace(rules, gate="freeze"))
    assert (await told(web))["reason"] == "Nothing of Mail is frozen."
    assert (await told(web, change="CHG-1"))["allow"] is False, "a change that is named must be there"
    talk.say("manager", "change freeze the fair end:2h")
    assert (await told(web))["allow"] is False


async def test_a_token_opens_its_own_service_or_all(talk: Talk, web: httpx.AsyncClient) -> None:
    assert (await ask(web, "mail", scope="mail")).status_code == 200
    assert (await ask(web, "mail", scope=ALL)).status_code == 200
    for answer in (
        await ask(web, "mail", scope="vpn"),
        await ask(web, "nothing", scope="mail"),
        await web.get("/api/changes/gate?service=mail"),
        await web.get(
            "/api/changes/gate?service=mail", headers={"Authorization": f"Basic {TOKENS.of('gate/mail')}"}
        ),
        await web.get(
            "/api/changes/gate?service=mail", headers={"Authorization": f"Bearer {TOKENS.of(PAGE)}"}
        ),
    ):
        assert (answer.status_code, answer.json()["allow"]) == (401, False)
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_what_cannot_be_answered_is_denied_with_the_reason(
    talk: Talk, web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = await ask(web, "mial", scope=ALL)
    assert (unknown.status_code, unknown.json()) == (
        404,
        {"allow": False, "reason": "There is no service “mial”."},
    )
    odd = await ask(web, change="seven")
    assert (odd.status_code, odd.json()["reason"]) == (400, "“seven” is no change; write it as CHG-7.")

    def away(_self: Database) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(Database, "reading", away)
    answer = await ask(web)
    assert (answer.status_code, answer.json()["allow"], answer.headers["cache-control"]) == (
        503,
        False,
        "no-store",
    )


def test_a_pipeline_is_told_what_to_run() -> None:
    said = gate_instructions("mail", URL, TOKENS)
    assert f"{URL}/api/changes/gate?service=mail" in said
    assert TOKENS.of("gate/mail") in said
    assert "jq -e '.allow == true'" in said


GUIDE = (Path(__file__).parents[2] / "docs" / "gate.md").read_text(encoding="utf-8")


@pytest.mark.skipif(not (which("curl") and which("jq")), reason="the step in the guide needs curl and jq")
def test_the_step_in_the_guide_fails_unless_the_desk_says_yes(quick_talk: Talk, served: str) -> None:
    ref = scheduled(quick_talk)
    (step,) = re.findall("```sh\n(.*?)```", GUIDE, re.DOTALL)

    def run(token: str = TOKENS.of(gate_purpose("mail")), url: str = served) -> tuple[bool, str]:
        said = {**os.environ, "DESKBELL_GATE": token, "DESKBELL_URL": url}
        step_ = step.replace("--retry 3 ", "")  # a desk that is down stays down here
        ended = subprocess.run(
            ["sh", "-e", "-c", step_], env=said, capture_output=True, text=True, timeout=30
        )
        return ended.returncode == 0, ended.stdout

    passed, told = run()
    assert (passed, "No change of Mail is being made" in told) == (False, True)
    quick_talk.wait(hours=35)
    quick_talk.say("oncall", f"change start {ref}")
    assert run() == (True, run()[1])
    quick_talk.say("manager", "change freeze the fair end:2h")
    passed, told = run()
    assert (passed, "Mail is frozen: the fair." in told) == (False, True)
    assert [
        run(token="of another desk")[0],
        run(url=f"{served}/elsewhere")[0],
        run(url="http://127.0.0.1:1")[0],
    ] == [False] * 3


async def test_every_field_and_status_of_an_answer_stands_in_the_guide(
    talk: Talk, web: httpx.AsyncClient
) -> None:
    assert set(await told(web)) == set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE))
    answers = [
        await ask(web),
        await ask(web, change="x"),
        await ask(web, scope="vpn"),
        await ask(web, "x", scope=ALL),
    ]
    statuses = {each.status_code for each in answers}
    assert statuses | {503} == {int(each) for each in re.findall(r"^\| (\d{3}) \|", GUIDE, re.MULTILINE)}


# The page -----------------------------------------------------------------------------------------------


def page(**query: object) -> str:
    """The address of the page."""
    more = "".join(f"&{key}={value}" for key, value in query.items())
    return f"/changes/calendar?token={TOKENS.of(PAGE)}{more}"


async def test_the_page_shows_changes_and_freezes_by_day(talk: Talk, web: httpx.AsyncClient) -> None:
    ref = scheduled(talk)
    scheduled(talk, "laptops", "start:“wed 23:00” end:2h", "agent")
    shown = (await web.get(page())).text
    assert "Changes from Mon 23 Nov 2026 to Sun 20 Dec 2026" in shown
    assert (
        f"<b>{ref} a larger store</b><span>20:00–22:00 · Mail</span><span>Oli Oncall · scheduled</span>"
        in shown
    )
    assert "23:00–26.11. 01:00" in shown
    assert "25.11. 23:00–01:00" in shown, "on the next day, too"
    assert "Frozen: Closing of the month from 12:00 to 20:00 (Accounts)" in shown
    assert "Frozen: Year&#39;s end from 18:00 (all services)" in shown
    assert shown.count("Frozen: Year&#39;s end") == 3, "each day of it"
    of_laptops = (await web.get(page(service="laptops"))).text
    assert (ref in of_laptops, "Closing of the month" in of_laptops) == (False, False)
    later = (await web.get(page(**{"from": "2027-01-01", "days": 7}))).text
    assert "Changes from Mon 28 Dec 2026 to Sun 3 Jan 2027" in later
    assert "0 changes" in later


async def test_what_people_wrote_is_shown_as_they_wrote_it(talk: Talk, web: httpx.AsyncClient) -> None:
    talk.say(
        "oncall", f"change propose “<script>alert(1)</script>” service:mail start:“tue 20:00” end:1h {TEXTS}"
    )
    talk.say("oncall", f"change assess CHG-1 {LOW}")
    talk.say("oncall", "change submit CHG-1")
    shown = await web.get(page())
    assert "<script" not in shown.text
    assert "&lt;script&gt;alert(1)" in shown.text
    (style,) = re.findall("<style>(.*)</style>", shown.text, re.DOTALL)
    allowed = b64encode(sha256(style.encode()).digest()).decode()
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert f"style-src 'sha256-{allowed}'" in policy


@pytest.mark.parametrize(
    "query", ["from=never", "days=99999999", "days=-1", "service=nothing", "from=%00", "days=0"]
)
async def test_whatever_stands_in_the_address_a_calendar_is_shown(web: httpx.AsyncClient, query: str) -> None:
    assert (await web.get(f"{page()}&{query}")).status_code == 200


async def test_nobody_sees_the_page_without_its_token(web: httpx.AsyncClient) -> None:
    for address in ("/changes/calendar", f"/changes/calendar?token={TOKENS.of('feed/changes/all')}"):
        assert (await web.get(address)).status_code == 404


@pytest.fixture
def served(quick_talk: Talk) -> Iterator[str]:
    """The page on a wire, for a browser."""
    pages = ChangePages(lambda: quick_talk.policy, quick_talk.database, TOKENS, quick_talk.clock.now)
    app = create(quick_talk.database, pages.routes(), CollectorRegistry(), lambda: ())
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=20)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_for_everybody_on_any_screen(
    served: str, quick_talk: Talk, browser: Browser, faults_of: Callable[[Page], list[str]], scheme: Any
) -> None:
    scheduled(quick_talk)
    scheduled(quick_talk, "laptops", "start:“wed 20:00” end:2h", "agent")
    quick_talk.say("manager", "change freeze the fair service:vpn end:2d")
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": 1280, "height": 900}, bypass_csp=True
    )
    shown = context.new_page()
    shown.goto(served + page())
    assert faults_of(shown) == []
    assert shown.get_by_role("heading", name="Tue 24 Nov 2026").is_visible()
    shown.set_viewport_size({"width": 360, "height": 800})
    assert shown.evaluate("document.documentElement.scrollWidth") <= 360, "a phone reads it without turning"
    assert not shown.get_by_role("heading", name="Sat 28 Nov 2026").is_visible(), (
        "empty days take no room there"
    )
    shown.get_by_label("Service", exact=True).select_option("laptops")
    shown.get_by_role("button", name="Show").click()
    assert shown.get_by_text("CHG-2 a larger store").is_visible()
    assert not shown.get_by_text("CHG-1 a larger store").is_visible()
    context.close()


# The feed -----------------------------------------------------------------------------------------------


def feed(name: str) -> str:
    """The address of a feed."""
    return f"/feeds/changes/{name}.ics?token={TOKENS.of(f'feed/changes/{name}')}"


async def test_the_feed_holds_changes_and_freezes_of_what_a_service_touches(
    talk: Talk, web: httpx.AsyncClient
) -> None:
    ref = scheduled(talk)
    talk.say("oncall", f"change propose another service:laptops start:“thu 20:00” end:1h {TEXTS}")
    talk.say("oncall", f"change assess CHG-2 {LOW}")
    talk.say("oncall", "change submit CHG-2")
    every = {str(each["SUMMARY"]): each for each in events((await web.get(feed("all"))).text)}
    change = every[f"{ref} a larger store (Mail)"]
    assert (change["DTSTART"].dt, change["DTEND"].dt) == (
        MONDAY + timedelta(hours=35),
        MONDAY + timedelta(hours=37),
    )
    assert (str(change["STATUS"]), str(every["CHG-2 another (Laptops)"]["STATUS"])) == (
        "CONFIRMED",
        "TENTATIVE",
    )
    assert str(change["DESCRIPTION"]) == "Normal, made by Oli Oncall: scheduled."
    assert "Frozen: Year's end (all services)" in every
    of_laptops = [str(each["SUMMARY"]) for each in events((await web.get(feed("laptops"))).text)]
    assert sorted(of_laptops) == ["CHG-2 another (Laptops)", "Frozen: Year's end (all services)"]
    again = await web.get(feed("all"))
    known = {
        "If-None-Match": again.headers["etag"],
        "If-Modified-Since": format_datetime(talk.clock.now(), usegmt=True),
    }
    assert (await web.get(feed("all"), headers=known)).status_code == 304
    talk.say("oncall", "change cancel CHG-2")
    del known["If-None-Match"]
    assert "CHG-2" not in (await web.get(feed("all"), headers=known)).text, (
        "what is gone has no moment of its own"
    )
    assert (await web.get(feed("nothing"))).status_code == 404
    assert (await web.get("/feeds/changes/all.ics?token=x")).status_code == 404


async def test_a_calendar_program_shows_when_it_is_on_its_readers_clock(
    talk: Talk, web: httpx.AsyncClient, tmp_path: Path
) -> None:
    scheduled(talk)
    saved = tmp_path / "changes.ics"
    saved.write_bytes((await web.get(feed("all"))).content)
    khal = Khal(tmp_path / "home", "America/New_York")
    khal.take_in(saved)
    begins = khal.begins("2026-11-23", "2026-12-31")
    assert ("2026-11-24 14:00", "CHG-1 a larger store (Mail)") in begins
    assert ("2026-11-30 06:00", "Frozen: Closing of the month (Accounts)") in begins
    assert any(title == "Frozen: Year's end (all services)" for _, title in begins)
