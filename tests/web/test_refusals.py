"""Is what must not come in kept out, said why, and kept for people to look at where that helps?"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from structlog.testing import capture_logs

from bot.web.alerts import SIGNATURE, TIMESTAMP
from bot.web.bodies import BODY_BYTES, MEMBERS, NESTING
from storage.unit_of_work import Records
from tests.web.conftest import SOURCES, Monitored
from tests.web.senders import alert, alertmanager, pagerduty

MUTATIONS = int(os.environ.get("DESKBELL_MUTATIONS", "80"))
"""How many hostile requests of each kind; `make survive` asks for thousands."""

# Who is it? ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer wrong",
        "Bearer " + "A" * 32,
        "Basic !!!",
        "Basic " + base64.b64encode(b"\xff\xff").decode(),
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Digest username=x",
        "Bearer \u00fc",
        "Bearer " + "A" * 20_000,
    ],
)
async def test_an_unknown_token_leaves_no_trace(quick: Monitored, authorization: str):
    before = quick.everything()
    headers: Any = [(b"authorization", authorization.encode())]
    answer = await quick.http.post("/alerts/alertmanager", json=alertmanager(alert()), headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert quick.everything() == before


async def test_an_unknown_routing_key_leaves_no_trace(quick: Monitored):
    before = quick.everything()
    answer = await quick.http.post("/v2/enqueue", json=pagerduty() | {"routing_key": "R" * 32})
    assert (answer.status_code, answer.json()["message"]) == (401, "The token is unknown.")
    assert quick.everything() == before


async def test_two_tokens_are_no_token(quick: Monitored):
    headers = [("authorization", f"Bearer {quick.token('scripts')}"), ("authorization", "Bearer other")]
    answer = await quick.http.post("/alerts/generic/scripts", json={"title": "x"}, headers=headers)
    assert answer.status_code == 401


async def test_a_new_number_voids_the_old_token(quick: Monitored):
    from dataclasses import replace

    old = quick.token("scripts")
    alerts = {**quick.talk.policy.alerts, "scripts": replace(quick.source("scripts"), token=2)}
    quick.talk.policy = replace(quick.talk.policy, alerts=alerts)
    assert (await quick.send("scripts", {"title": "x"}, authorization=f"Bearer {old}")).status_code == 401
    await quick.accept("scripts", {"title": "x"})


async def test_a_token_opens_the_address_of_its_source_alone(quick: Monitored):
    bearer = {"authorization": f"Bearer {quick.token('scripts')}"}
    before = quick.everything()
    for path in ("/alerts/alertmanager", "/alerts/generic/careful", "/alerts/grafana"):
        answer = await quick.http.post(path, json={"title": "x"}, headers=bearer)
        assert answer.status_code == 403
        assert answer.json()["error"] == "This token is for /alerts/generic/scripts."
    assert quick.everything() == before


async def test_a_token_in_the_address_opens_nothing(quick: Monitored):
    answer = await quick.http.post(
        f"/alerts/generic/scripts?token={quick.token('scripts')}", json={"title": "x"}
    )
    assert answer.status_code == 401


async def test_only_what_is_posted_is_heard(quick: Monitored):
    for path in ("/alerts/alertmanager", "/v2/enqueue"):
        assert (await quick.http.get(path)).status_code == 405


# Is it signed? -------------------------------------------------------------------------------------------


async def test_a_source_that_signs_must_sign(quick: Monitored):
    body = json.dumps({"title": "It is me"}).encode()
    good = quick.signed("signing", body)
    before = quick.everything()
    for wrong in (
        {TIMESTAMP: "", SIGNATURE: ""},
        good | {SIGNATURE: good[SIGNATURE][:-1] + "g"},
        good | {SIGNATURE: "0" * 64},
        good | {SIGNATURE: good[SIGNATURE].upper()},
        good | {TIMESTAMP: "soon"},
        good | {TIMESTAMP: "9" * 12},
        good | {TIMESTAMP: str(int(good[TIMESTAMP]) + 1)},
        quick.signed("grafana", body),
        quick.signed("signing", body + b" "),
        quick.signed("signing", body, ago=301),
        quick.signed("signing", body, ago=-301),
    ):
        assert (await quick.send("signing", body, **wrong)).status_code == 401, wrong
    assert quick.everything() == before
    for good in (quick.signed("signing", body, ago=300), quick.signed("signing", body, ago=-300)):
        assert (await quick.send("signing", body, **good)).status_code == 200


async def test_a_signed_request_that_is_played_again_has_no_effect(monitored: Monitored):
    body = json.dumps({"title": "Smoke"}).encode()
    signed = monitored.signed("signing", body)
    first = await monitored.send("signing", body, **signed)
    await monitored.accept("signing", {"title": "Smoke", "state": "ok"})
    before = monitored.everything()
    for answer in await asyncio.gather(*(monitored.send("signing", body, **signed) for _ in range(4))):
        assert (answer.status_code, answer.json()) == (200, first.json())
    assert monitored.changed(before) == set()
    assert monitored.incident().state == "resolved"


# How much? -----------------------------------------------------------------------------------------------


async def test_a_body_may_be_so_long_and_no_longer(quick: Monitored):
    padding = BODY_BYTES - len(json.dumps({"title": "Long", "padding": ""}))
    await quick.accept("scripts", {"title": "Long", "padding": "x" * padding})
    answer = await quick.send("scripts", {"title": "Long", "padding": "x" * (padding + 1)})
    assert (answer.status_code, answer.json()["error"]) == (413, "A body may have 262144 bytes.")


async def test_a_body_that_does_not_say_its_length_is_read_no_further_than_that(quick: Monitored):
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 65536

    headers = {"authorization": f"Bearer {quick.token('scripts')}"}
    answer = await quick.http.post("/alerts/generic/scripts", content=endless(), headers=headers)
    assert answer.status_code == 413
    assert sent <= 6


def nested(levels: int) -> bytes:
    return b'{"title": "Deep", "more": ' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize(
    ("good", "bad", "field"),
    [
        (nested(NESTING), nested(NESTING + 1), "more" + "[0]" * (NESTING - 1)),
        (nested(NESTING), nested(100_000), ""),
        (
            json.dumps({"title": "Many", "more": [1] * MEMBERS}).encode(),
            json.dumps({"title": "Many", "more": [1] * (MEMBERS + 1)}).encode(),
            "more",
        ),
        (
            json.dumps({"title": "Many", **{f"n{each}": 1 for each in range(MEMBERS - 1)}}).encode(),
            json.dumps({"title": "Many", **{f"n{each}": 1 for each in range(MEMBERS)}}).encode(),
            "",
        ),
        (
            json.dumps({"title": "Key", "key": "k" * 255}).encode(),
            json.dumps({"title": "Key", "key": "k" * 256}).encode(),
            "key",
        ),
    ],
)
async def test_json_may_be_so_deep_and_so_wide_and_no_more(
    quick: Monitored, good: bytes, bad: bytes, field: str
):
    assert (await quick.send("scripts", good)).status_code == 200
    answer = await quick.send("scripts", bad)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


@pytest.mark.parametrize(
    ("good", "bad", "problem"),
    [
        (
            pagerduty(key="k" * 255),
            pagerduty(key="k" * 256),
            "'dedup_key' has more than 255 characters",
        ),
        (
            pagerduty(summary="s" * 1024),
            pagerduty(summary="s" * 1025),
            "'payload.summary' has more than 1024 characters",
        ),
    ],
)
async def test_the_limits_of_the_events_api_are_its_own(
    quick: Monitored, good: dict[str, Any], bad: dict[str, Any], problem: str
):
    await quick.accept("pager", good)
    answer = await quick.send("pager", bad)
    assert answer.status_code == 400
    assert answer.json() == {
        "status": "invalid event",
        "message": "Event object is invalid",
        "errors": [problem],
    }


async def test_a_long_title_is_cut_and_nothing_is_lost(quick: Monitored):
    await quick.accept("pager", pagerduty(summary="s" * 1024))
    assert quick.incident().title == "s" * 199 + "…"


async def test_as_many_alerts_come_in_at_once_as_a_body_can_hold(quick: Monitored):
    count = 300
    said = alertmanager(*(alert(f"{number:x}", job='"\\' * 100) for number in range(count)))
    await quick.accept("prometheus", said)
    assert quick.incident().state == "triggered"
    assert len(quick.alerts()) == count
    assert {each.incident for each in quick.alerts().values()} == {1}
    await quick.accept(
        "prometheus", alertmanager(*(alert(f"{number:x}", over=True) for number in range(count)))
    )
    assert quick.incident().state == "resolved"


async def test_alerts_of_many_incidents_may_end_in_one_request(quick: Monitored):
    for number in range(10):
        await quick.accept("prometheus", alertmanager(alert(f"{number}"), group=f"group {number}"))
    await quick.accept("prometheus", alertmanager(*(alert(f"{number}", over=True) for number in range(10))))
    assert {each.state for each in quick.incidents()} == {"resolved"}


async def test_a_source_may_ask_so_often_a_minute_and_no_more(quick: Monitored):
    for _ in range(3):
        await quick.accept("rare", {"title": "Again"})
    answer = await quick.send("rare", {"title": "Again"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "20")
    assert answer.json()["error"] == "At most 3 requests a minute."
    await quick.accept("scripts", {"title": "Another source"})
    quick.talk.wait(seconds=19)
    assert (await quick.send("rare", {"title": "Again"})).headers["retry-after"] == "1"
    quick.talk.wait(seconds=1)
    await quick.accept("rare", {"title": "Again"})
    assert (await quick.send("rare", {"title": "Again"})).status_code == 429


async def test_a_clock_that_is_set_back_does_not_shut_a_source_out(quick: Monitored):
    await quick.accept("rare", {"title": "Again"})
    quick.talk.clock.set(quick.talk.clock.now().replace(hour=1))
    await quick.accept("rare", {"title": "Again"})


async def test_a_source_that_is_held_up_holds_up_no_other(monitored: Monitored):
    """Everything of one source waits for a lock that somebody else holds."""
    if monitored.talk.database.is_sqlite:
        return  # one writer at a time is what SQLite is
    await monitored.accept("scripts", {"title": "First"})
    with monitored.talk.database.writing() as session:
        session.execute(text("SELECT * FROM alert_source WHERE key = 'scripts' FOR UPDATE"))
        held = [
            asyncio.create_task(monitored.send("scripts", {"title": f"No {each}"})) for each in range(150)
        ]
        async with asyncio.timeout(10):
            await monitored.accept("careful", {"title": "Smoke"})
            await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
        assert {each.result().status_code for each in held if each.done()} == {429}
    answers = [answer.status_code for answer in await asyncio.gather(*held)]
    assert (answers.count(200), answers.count(429)) == (100, 50)


# Can it be read? -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "body", "error", "field"),
    [
        ("scripts", b"", "The body is not JSON: Expecting value, line 1, column 1.", ""),
        ("scripts", b'{"title": "\xff"}', "The body is not UTF-8: byte 11 cannot stand there.", ""),
        ("scripts", b'\xef\xbb\xbf{"title": "x"}', "The body is not JSON: Unexpected UTF-8 BOM", ""),
        ("scripts", b'{"title": NaN}', "NaN is not a number in JSON.", ""),
        ("scripts", b'{"title": 1e999}', "1e999 is too large a number.", ""),
        ("scripts", b'{"title": ' + b"1" * 5000 + b"}", "The body holds a number that is too long.", ""),
        ("scripts", b'{"title": 1, "title": 2}', "“title” stands twice in one object.", "title"),
        ("scripts", b"[]", "The body is not a JSON object.", ""),
        ("scripts", b'{"title": "\\u0000 \\u202e"}', "title is missing.", "title"),
        ("scripts", b'{"title": ["x"]}', "title is not a text.", "title"),
        ("prometheus", b"{}", "alerts is missing.", "alerts"),
        ("prometheus", b'"x"', "The body is not an object.", ""),
        ("prometheus", b'{"alerts": {}}', "alerts is not a list.", "alerts"),
        ("prometheus", b'{"alerts": [1]}', "alerts[0] is not an object.", "alerts[0]"),
        (
            "prometheus",
            b'{"alerts": [{"status": "firing", "labels": {"severity": 3}}]}',
            "alerts[0].labels.severity is not a text.",
            "alerts[0].labels.severity",
        ),
        (
            "prometheus",
            b'{"alerts": [{"status": "pending", "labels": {}}]}',
            "alerts[0].status must be 'firing' or 'resolved'.",
            "alerts[0].status",
        ),
    ],
)
async def test_what_cannot_be_read_is_refused_by_the_name_of_the_field(
    quick: Monitored, source: str, body: bytes, error: str, field: str
):
    answer = await quick.send(source, body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)
    assert answer.json()["field"] == field
    assert quick.incidents() == []


@pytest.mark.parametrize(
    ("event", "problems"),
    [
        ({"event_action": "poke"}, ["'event_action' must be 'trigger', 'acknowledge' or 'resolve'"]),
        ({"event_action": "resolve"}, ["'dedup_key' is missing"]),
        ({"event_action": "trigger"}, ["'payload' is missing"]),
        ({"event_action": "trigger", "payload": 7}, ["'payload' is not an object"]),
        (
            pagerduty(summary="", source=None, severity="bad"),
            [
                "'payload.summary' is blank",
                "'payload.source' is not a text",
                "'payload.severity' must be 'critical', 'error', 'warning' or 'info'",
            ],
        ),
        (pagerduty(summary=" \t"), ["'payload.summary' is blank"]),
        (pagerduty(key=7), ["'dedup_key' is not a text"]),  # type: ignore[arg-type]
    ],
)
async def test_an_event_of_another_shape_gets_the_answer_of_the_events_api(
    quick: Monitored, event: dict[str, Any], problems: list[str]
):
    answer = await quick.send("pager", event)
    assert answer.status_code == 400
    assert answer.json() == {
        "status": "invalid event",
        "message": "Event object is invalid",
        "errors": problems,
    }


async def test_what_cannot_be_read_is_kept_without_its_secrets(monitored: Monitored):
    token = monitored.token("scripts")
    body = {
        "label": "the tiger",
        "note": f"sent with {token}",
        "api_key": "tiger-1",
        "nested": {"Password": 'tig"er-2', "sessionToken": 31415926},
        "text": "Authorization: Bearer tiger-3 and https://user:tiger-4@example.org",
    }
    assert (await monitored.send("scripts", body)).status_code == 400
    with monitored.talk.database.reading() as session:
        [kept] = Records(session).alerts.rejected(10)
    assert kept.why == "title is missing."
    assert "the tiger" in kept.body
    for secret in (token, "tiger-1", "tig\\", "er-2", "31415926", "tiger-3", "tiger-4"):
        assert secret not in kept.body, kept.body
    listed = monitored.talk.say("oncall", "alert rejected")
    assert listed.table is not None
    assert [row[1:3] for row in listed.table.rows] == [(("Scripts",), ("title is missing.",))]


async def test_a_body_that_is_too_long_is_known_of_too(quick: Monitored):
    await quick.send("scripts", b"x" * (BODY_BYTES + 1))
    with quick.talk.database.reading() as session:
        [kept] = Records(session).alerts.rejected(10)
    assert (kept.why, kept.body) == ("A body may have 262144 bytes.", "")


async def test_the_owner_hears_once_an_hour_of_what_cannot_be_read(monitored: Monitored):
    for _ in range(3):
        await monitored.send("scripts", {"label": "?"})
    await monitored.send("careful", {"label": "?"})
    room = monitored.talk.policy.organisation.owner_room
    said = "Scripts sent an alert that the desk cannot read."
    assert monitored.talk.told(room).count(said) == 1
    monitored.talk.wait(hours=1)
    await monitored.send("scripts", {"label": "?"})
    assert monitored.talk.told(room).count(said) == 2


async def test_no_more_than_a_hundred_unreadable_alerts_of_a_source_are_kept(quick: Monitored):
    await quick.send("careful", {"label": "?"})
    for number in range(105):
        await quick.send("scripts", {"number": number})
    with quick.talk.database.reading() as session:
        kept = Records(session).alerts.rejected(1000)
    assert [each.source for each in kept].count("scripts") == 100
    assert [each.source for each in kept].count("careful") == 1
    assert kept[0].body == '{"number": 104}'


async def test_refused_bodies_are_not_logged(quick: Monitored):
    with capture_logs() as lines:
        await quick.send("scripts", {"tiger": "tiger"})
        await quick.http.post("/v2/enqueue", content=b'{"tiger": 1, "tiger": 2}')
    assert len(lines) >= 2
    assert "tiger" not in str(lines)


async def test_a_store_that_is_away_asks_every_sender_to_come_again(unreachable: Monitored):
    for source, payload in (
        ("prometheus", alertmanager(alert())),
        ("pager", pagerduty()),
        ("scripts", {"title": "x"}),
        ("scripts", {"no": "title"}),
    ):
        answer = await unreachable.send(source, payload)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


async def test_every_answer_is_counted(quick: Monitored):
    await quick.accept("scripts", {"title": "x"})
    await quick.send("scripts", {})
    await quick.http.post("/alerts/grafana")
    assert quick.counted == [("scripts", 200), ("scripts", 400), ("", 401)]


# Anything at all -----------------------------------------------------------------------------------------

ANSWERS = {200, 202, 400, 401, 403, 404, 413, 429, 503}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)
GOOD: dict[str, Any] = {
    "prometheus": alertmanager(alert(), alert("b2", over=True)),
    "grafana": alertmanager(alert()),
    "pager": pagerduty(),
    "scripts": {"title": "x", "key": "y", "state": "ok", "detail": "z", "severity": "info", "service": "s"},
    "nested": {"event": {"id": 1, "title": "x", "lines": ["y"], "status": "open"}},
}


@st.composite
def mutated(draw: Any) -> tuple[str, Any]:
    """A good payload in which something stands where something else should."""
    source = draw(st.sampled_from(sorted(GOOD)))
    payload = json.loads(json.dumps(GOOD[source]))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = payload
        parent, step = place, None
        while isinstance(place, dict | list) and place and (step is None or draw(st.booleans())):
            parent = place
            step = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            place = place[step]
        parent[step] = draw(JSON)
    return source, payload


async def answered(desk: Monitored, source: str, body: bytes) -> httpx.Response:
    desk.talk.wait(minutes=2)
    with capture_logs() as lines:
        answer = await desk.send(source, body)
    assert answer.status_code in ANSWERS - {401, 403, 404, 429, 503}, (answer.text, lines)
    return answer


# One desk hears all of it: that is how it is in life, and what came before must not matter.
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=mutated())
async def test_a_payload_with_anything_anywhere_is_taken_in_or_refused(
    quick: Monitored, said: tuple[str, Any]
):
    source, payload = said
    if isinstance(payload, dict) and source == "pager":
        payload["routing_key"] = quick.token("pager")
    elif source == "pager":
        return
    await answered(quick, source, json.dumps(payload).encode())


@settings(max_examples=MUTATIONS, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    source=st.sampled_from(sorted({each.key for each in SOURCES} - {"rare", "pager"})),
    body=st.binary(max_size=300) | JSON.map(lambda each: json.dumps(each).encode()),
)
async def test_any_bytes_at_all_are_taken_in_or_refused(quick: Monitored, source: str, body: bytes):
    await answered(quick, source, body)


@settings(max_examples=MUTATIONS, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(
        ["/alerts/alertmanager", "/alerts/grafana", "/alerts/generic/scripts", "/v2/enqueue"]
    ),
    headers=st.dictionaries(
        st.sampled_from(["authorization", TIMESTAMP.lower(), SIGNATURE.lower(), "content-type"]),
        st.binary(max_size=80).map(lambda each: each.replace(b"\r", b"").replace(b"\n", b"")),
    ),
    body=st.binary(max_size=100) | JSON.map(lambda each: json.dumps(each).encode()),
)
async def test_no_stranger_gets_in_or_leaves_a_trace(
    quick: Monitored, path: str, headers: dict[str, bytes], body: bytes
):
    before = quick.everything()
    given: Any = [(name.encode(), value) for name, value in headers.items()]
    answer = await quick.http.post(path, content=body, headers=given)
    assert answer.status_code in (400, 401, 413)
    assert quick.everything() == before
