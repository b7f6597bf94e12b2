"""Who is let in, and from where: host, caller, origin, token, size, encoding."""

from __future__ import annotations

import pytest

from bot.adapters.console.app import ConsoleAdapter
from bot.adapters.port import Ear
from tests.harness.console import HOST, Visitor, dispatcher_of


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST:1"])
async def test_a_page_is_served_under_the_names_of_this_machine(visitor, host):
    assert (await visitor.open("/console/staff/requests", Host=host)).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "a b"]
)
async def test_another_name_for_this_machine_is_misdirected(visitor, host):
    for path in (
        "/",
        "/console",
        "/console/staff/requests",
        "/console/staff/-/live",
        "/static/console/console.js",
    ):
        assert (await visitor.open(path, Host=host)).status_code == 421


async def test_a_caller_from_elsewhere_is_refused_even_when_it_names_localhost(adapter):
    for caller in ("192.168.1.20", "8.8.8.8", "2001:db8::1", "testclient"):
        assert (await Visitor(adapter, caller).open("/console/staff/requests")).status_code == 403
    assert (await Visitor(adapter, "::ffff:127.0.0.1").open("/console/staff/requests")).status_code == 200


async def test_a_configured_address_lets_others_in_and_every_address_does_not(
    sqlite, policy, commands, clock
):
    def console(host):
        ear = Ear(dispatcher_of(sqlite, policy, commands, clock))
        return Visitor(ConsoleAdapter(ear, sqlite, lambda: policy, clock, host), "192.168.1.20")

    path = "/console/staff/requests"
    assert (await console("desk.lan").open(path, Host="desk.lan:8080")).status_code == 200
    assert (await console("desk.lan").open(path, Host="evil.example")).status_code == 421
    assert (await console("0.0.0.0").open(path)).status_code == 403
    assert (await console("127.0.0.1").open(path)).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},  # another port of localhost is the same site
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Origin": "http://localhost:3000", "Sec-Fetch-Site": ""},
    ],
)
async def test_a_form_from_another_page_is_refused(visitor, headers):
    await visitor.open("/console/staff/requests")
    answer = await visitor.say("staff", "hello")
    assert answer.status_code == 303
    fields = {"line": "forged", "room": "requests", "key": "key-forged-1", "typed": "1"}
    assert (await visitor.post("/console/staff/-/say", fields, **headers)).status_code == 403
    assert "forged" not in (await visitor.open("/console/staff/requests")).text


async def test_a_form_that_says_nothing_of_its_origin_is_refused(visitor):
    await visitor.open("/console/staff/requests")
    fields = {"line": "forged", "room": "requests", "key": "key-forged-1", "token": visitor.token}
    assert (await visitor.http.post("/console/staff/-/say", data=fields)).status_code == 403


async def test_an_old_browser_that_sends_only_its_origin_is_let_in(visitor):
    await visitor.open("/console/staff/requests")
    fields = {
        "line": "hello",
        "room": "requests",
        "key": "key-origin-1",
        "typed": "1",
        "token": visitor.token,
    }
    sent = await visitor.http.post("/console/staff/-/say", data=fields, headers={"Origin": f"http://{HOST}"})
    assert sent.status_code == 303


async def test_a_form_needs_the_token_of_its_own_session(adapter, visitor):
    await visitor.open("/console/staff/requests")
    other = Visitor(adapter)
    await other.open("/console/staff/requests")
    assert other.token != visitor.token
    for token in ("", "0" * 64, other.token, "ß"):
        assert (await visitor.say("staff", "hello", token=token)).status_code == 403
    visitor.http.cookies.clear()
    assert (await visitor.say("staff", "hello")).status_code == 403


async def test_the_identity_cookies_stay_with_this_site_and_away_from_scripts(visitor):
    page = await visitor.open("/console/staff/requests")
    cookies = [value.lower() for name, value in page.headers.multi_items() if name == "set-cookie"]
    assert len(cookies) == 2
    assert all("samesite=strict" in each and "httponly" in each for each in cookies)


async def test_too_large_a_form_is_refused_with_413(visitor):
    await visitor.open("/console/staff/requests")
    answer = await visitor.say("staff", "x" * (256 * 1024))
    assert answer.status_code == 413
    assert "256 KiB" in answer.text


async def test_too_large_a_form_is_refused_without_a_length_too(visitor):
    await visitor.open("/console/staff/requests")

    async def endless():
        for _ in range(40):
            yield b"x" * 8192

    headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
    answer = await visitor.http.post("/console/staff/-/say", content=endless(), headers=headers)
    assert answer.status_code == 413


async def test_too_long_a_message_is_refused_with_its_limit(visitor):
    answer = await visitor.say("staff", "x" * 8001)
    assert answer.status_code == 413
    assert "8000" in answer.text


@pytest.mark.parametrize("body", [b"line=%ff%fe", b"line=\xff", b"line=%ed%a0%80", b"&".join([b"a=1"] * 500)])
async def test_what_is_not_utf8_or_no_form_is_refused_with_400(visitor, body):
    headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
    assert (await visitor.http.post("/console/staff/-/say", content=body, headers=headers)).status_code == 400


async def test_json_and_files_are_not_taken_for_forms(visitor):
    headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
    answer = await visitor.http.post("/console/staff/-/say", content=b"{}", headers=headers)
    assert answer.status_code == 415


@pytest.mark.parametrize("path", ["/", "/console", "/console/staff/requests", "/console/nobody/requests"])
async def test_every_page_forbids_scripts_but_its_own_and_storing(visitor, path):
    headers = (await visitor.open(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/console/nobody/requests",
        "/console/staff/nowhere",
        "/console/staff/@agent",
        "/console/staff/requests/999",
        "/console/staff/requests/99999999999999999999999",
        "/console/-/message/99999999999999999999999",
        "/console/staff/-/file/1/0",
        "/static/console/..%2fapp.py",
        "/static/console/app.py",
    ],
)
async def test_what_does_not_exist_is_not_found(visitor, path):
    assert (await visitor.open(path)).status_code == 404


@pytest.mark.parametrize("number", ["x", "-1", "1e3", "99999999999999999999", "²"])
async def test_a_number_that_no_page_of_ours_sends_is_refused(visitor, number):
    await visitor.open("/console/staff/requests")
    for field in ("thread", "of", "source"):
        assert (await visitor.say("staff", "hello", **{field: number})).status_code == 400
