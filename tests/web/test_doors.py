"""Does a link from chat let its owner in, once, and nobody else, and does nothing happen that another site asks for?"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import SQLModel
from structlog.testing import capture_logs

from bot.web.doors import SESSION_LIVES
from tests.harness.house import Talk
from tests.harness.pages import TOKENS, URL, client, link


@pytest.fixture
async def web(quick_talk: Talk) -> AsyncIterator[httpx.AsyncClient]:
    async with client(quick_talk) as found:
        yield found


async def test_a_link_lets_in_once_and_is_not_used_up_by_looking(
    quick_talk: Talk, web: httpx.AsyncClient
) -> None:
    path = link(quick_talk, "staff")
    for _ in range(2):  # chat programs look at links by themselves
        looked = await web.get(path)
        assert (looked.status_code, "Sign in" in looked.text) == (200, True)
        assert "set-cookie" not in looked.headers
    entered = await web.post(path)
    assert (entered.status_code, entered.headers["location"]) == (303, "/desk")
    cookie = entered.headers["set-cookie"].lower()
    assert all(
        word in cookie for word in ("__host-desk=", "httponly", "secure", "samesite=lax", "max-age=3600")
    )
    assert "Hello, Sam Staff" in (await web.get("/desk")).text
    with capture_logs() as logs:
        again = await web.post(path)
    assert (again.status_code, "was used before" in again.text) == (410, True)
    assert logs[0] == {
        "event": "sign-in refused", "why": "used", "platform": "console", "user": "staff", "log_level": "warning",
    }  # fmt: skip


async def test_a_link_pressed_twice_at_once_opens_one_session(talk: Talk) -> None:
    async with client(talk) as web:
        path = link(talk, "staff")
        answers = [await web.post(path), await web.post(path)]
        assert [each.status_code for each in answers] == [303, 410]


async def test_a_link_expires_and_so_does_a_session(quick_talk: Talk, web: httpx.AsyncClient) -> None:
    path, late = link(quick_talk, "staff"), link(quick_talk, "staff")
    await web.post(path)
    quick_talk.clock.set(quick_talk.clock.now() + timedelta(minutes=10))
    for answer in (await web.get(late), await web.post(late)):
        assert (answer.status_code, "has expired" in answer.text) == (410, True)
    quick_talk.clock.set(quick_talk.clock.now() + SESSION_LIVES)
    over = await web.get("/desk")
    assert (over.status_code, "desk web" in over.text) == (401, True)


@pytest.mark.parametrize("forge", [lambda path: path[:-1] + ("a" if path[-1] != "a" else "b"), lambda path: path + "x",
    lambda path: path.rpartition(".")[0], lambda path: "/desk/enter/" + "A" * 5000, lambda path: "/desk/enter/x.",
    lambda path: f"/desk/enter/e30.{TOKENS.of('enter/e30')}"])  # fmt: skip
async def test_a_forged_link_opens_nothing(quick_talk: Talk, web: httpx.AsyncClient, forge) -> None:
    path = forge(link(quick_talk, "staff"))
    for answer in (await web.get(path), await web.post(path)):
        assert (answer.status_code, "no link of this desk" in answer.text) == (404, True)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://other.example.org"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Sec-Fetch-Site": "none", "Origin": URL},
    ],
)
async def test_what_another_site_sends_is_refused_and_logged(
    quick_talk: Talk, web: httpx.AsyncClient, headers
) -> None:
    path = link(quick_talk, "staff")
    with capture_logs() as logs:
        refused = await web.post(path, headers=headers)
    assert (refused.status_code, "another site" in refused.text) == (403, True)
    assert [each["why"] for each in logs] == ["from another site"]
    await web.post(path)
    await web.post("/desk/leave", headers=headers)
    assert (await web.get("/desk")).status_code == 200, "nobody signs another out"


async def test_signing_out_needs_the_forms_own_token(quick_talk: Talk, web: httpx.AsyncClient) -> None:
    await web.post(link(quick_talk, "staff"))
    page = (await web.get("/desk")).text
    token = page.partition('name="token" value="')[2].partition('"')[0]
    for wrong in ("", "x" * 32, "x" * 5000):
        assert (await web.post("/desk/leave", data={"token": wrong})).status_code == 403
    kept = dict(web.cookies)
    assert "signed out" in (await web.post("/desk/leave", data={"token": token})).text
    web.cookies.update(kept)
    assert (await web.get("/desk")).status_code == 401, "the session itself is over"


async def test_nothing_in_the_store_opens_anything(quick_talk: Talk, web: httpx.AsyncClient) -> None:
    path = link(quick_talk, "staff")
    await web.post(path)
    session = next(iter(web.cookies.values()))
    with quick_talk.database.reading() as store:
        tables = SQLModel.metadata.sorted_tables
        everything = str([store.execute(select(table)).all() for table in tables])
    assert path.rpartition("/")[2] not in everything
    assert session not in everything


async def test_roles_are_read_when_a_page_is(quick_talk: Talk, web: httpx.AsyncClient) -> None:
    await web.post(link(quick_talk, "manager"))
    assert "Promises for everything" in (await web.get("/desk/promises")).text
    quick_talk.policy = replace(quick_talk.policy, access=replace(quick_talk.policy.access, grants={}))
    page = await web.get("/desk/promises")
    assert (page.status_code, "Promises for everything" in page.text) == (200, False)


async def test_a_plain_http_desk_has_a_plain_cookie(quick_talk: Talk) -> None:
    async with client(quick_talk, "http://127.0.0.1:8080") as web:
        web.headers["Origin"] = "http://127.0.0.1:8080"
        cookie = (await web.post(link(quick_talk, "staff"))).headers["set-cookie"]
        assert cookie.startswith("desk=")
        assert "Secure" not in cookie


async def test_pages_run_no_script_and_are_kept_by_nobody(quick_talk: Talk) -> None:
    async with client(quick_talk) as web:
        for path in ("/desk", link(quick_talk, "staff"), "/desk/enter/x"):
            headers = (await web.get(path)).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "script" not in headers["content-security-policy"]
            assert headers["cache-control"] == "private, no-store"
        style = await web.get((await web.get("/desk")).text.partition('href="')[2].partition('"')[0])
        assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")


def test_a_desk_without_pages_says_so(quick_talk: Talk) -> None:
    assert "no pages here" in quick_talk.say("staff", "desk web").title
