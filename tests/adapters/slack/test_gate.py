"""Before anything is parsed: whatever a stranger sends is refused calmly, and what Slack signed is taken."""

import json
import os
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.slack import gate, limits
from storage.database import Database
from tests.adapters.slack.conftest import ROOM, OnSlack, Opened
from tests.harness.house import MONDAY
from tests.harness.slack import SECRET, TEAM

FORM = "application/x-www-form-urlencoded"
NOW = int(MONDAY.timestamp())
MUTATIONS = int(os.environ.get("DESKBELL_MUTATIONS", "0"))
GOOD = "v0=" + "a" * 64


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-slack-request-timestamp": str(NOW)},
        {"x-slack-signature": GOOD},
        {"x-slack-request-timestamp": str(NOW), "x-slack-signature": GOOD},
        {"x-slack-request-timestamp": "xxcxcvx", "x-slack-signature": GOOD},
        {"x-slack-request-timestamp": "", "x-slack-signature": GOOD},
        {"x-slack-request-timestamp": "-1", "x-slack-signature": GOOD},
        {"x-slack-request-timestamp": "1e9", "x-slack-signature": GOOD},
        {"x-slack-request-timestamp": f" {NOW}", "x-slack-signature": GOOD},
        {"x-slack-request-timestamp": f"{NOW}\n", "x-slack-signature": GOOD},
        {"x-slack-request-timestamp": "٣" * 10, "x-slack-signature": GOOD},
        {"x-slack-request-timestamp": "9" * 11, "x-slack-signature": GOOD},
        {"x-slack-request-timestamp": "9" * 12, "x-slack-signature": GOOD},
        {"x-slack-request-timestamp": "9" * 5000, "x-slack-signature": GOOD},
        {"x-slack-request-timestamp": str(NOW), "x-slack-signature": ""},
        {"x-slack-request-timestamp": str(NOW), "x-slack-signature": "v0="},
        {"x-slack-request-timestamp": str(NOW), "x-slack-signature": "v1=" + "a" * 64},
        {"x-slack-request-timestamp": str(NOW), "x-slack-signature": "v0=" + "A" * 64},
        {"x-slack-request-timestamp": str(NOW), "x-slack-signature": "v0=" + "é" * 64},
        {"x-slack-request-timestamp": str(NOW), "x-slack-signature": "☃"},
    ],
)
async def test_a_request_that_slack_did_not_sign_is_refused(desk: OnSlack, headers: dict[str, str]):
    raw = {name: value.encode() for name, value in headers.items()}
    with structlog.testing.capture_logs() as logs:
        answer = await desk.fake.post(b"command=%2Fsay&text=secret-words", raw)  # type: ignore[arg-type]
    assert answer.status == 401
    assert {entry["event"] for entry in logs} == {"slack request refused"}
    assert "secret-words" not in str(logs)
    assert "Traceback" not in answer.text


@given(stamp=st.text(max_size=20), signature=st.text(max_size=80), body=st.binary(max_size=80))
@settings(max_examples=max(2000, MUTATIONS))
def test_no_header_makes_the_gate_stumble(stamp: str, signature: str, body: bytes):
    with pytest.raises(gate.Refused) as refused:
        gate.verify(SECRET, [stamp], [signature], body, MONDAY)
    assert refused.value.status == 401


def test_two_signatures_are_none():
    stamp = str(NOW)
    good = gate.sign(SECRET, stamp, b"x")
    gate.verify(SECRET, [stamp], [good], b"x", MONDAY)
    for stamps, signatures in (([stamp, stamp], [good]), ([stamp], [good, good])):
        with pytest.raises(gate.Refused):
            gate.verify(SECRET, stamps, signatures, b"x", MONDAY)


def test_the_signature_is_slacks_own_example():
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signed = gate.sign("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", body)
    assert signed == "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"


@pytest.mark.parametrize(("age", "status"), [(0, 200), (300, 200), (301, 401), (-300, 200), (-301, 401)])
async def test_a_signature_holds_five_minutes(desk: OnSlack, age: int, status: int):
    body = json.dumps({"type": "url_verification", "challenge": "so"}).encode()
    answer = await desk.fake.post(
        body, {"content-type": "application/json", **desk.fake.signed(body, age=age)}
    )
    assert answer.status == status
    assert answer.body == {"challenge": "so"} or status == 401


@pytest.mark.parametrize(("extra", "status"), [(0, 200), (1, 413)])
async def test_a_body_has_its_limit(desk: OnSlack, extra: int, status: int):
    start = b"ssl_check=1&token=x&filler="
    body = start + b"x" * (limits.BODY_BYTES - len(start) + extra)
    answer = await desk.fake.post(body, {"content-type": FORM, **desk.fake.signed(body)})
    assert answer.status == status


@pytest.mark.parametrize(
    ("depth", "status"), [(limits.NESTING, 200), (limits.NESTING + 1, 400), (100_000, 400)]
)
async def test_nesting_has_its_limit(desk: OnSlack, depth: int, status: int):
    inside = depth - 1
    body = b'{"type":"url_verification","challenge":"so","x":' + b"[" * inside + b"]" * inside + b"}"
    answer = await desk.fake.post(body, {"content-type": "application/json", **desk.fake.signed(body)})
    assert answer.status == status


EVENT: dict[str, Any] = {"type": "event_callback", "team_id": TEAM, "event_id": "Ev1"}
PERSON: dict[str, Any] = {"user": {"id": "U0STAFF", "team_id": TEAM}}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{\xff}",
        b'{"type":"event_callback"',
        b'{"type":"event_callback","n":NaN}',
        b'{"type":"event_callback","n":' + b"9" * 5000 + b"}",
        b'{"type":"url_verification","challenge":"\\ud800"}',
        b"payload=",
        b"payload=[]",
        b"payload=%FF",
        b"payload=null",
        b"nothing=of+ours",
        b"&".join(b"a%d=1" % number for number in range(500)),
        json.dumps({**EVENT, "event": []}).encode(),
        json.dumps({**EVENT, "event": {"type": 7}}).encode(),
        json.dumps({**EVENT, "event": {"type": "app_mention", "user": "U1"}}).encode(),
        json.dumps({**EVENT, "event": {"type": "message", "channel_type": "im", "user": "U1"}}).encode(),
        json.dumps({**EVENT, "event": {"type": "app_home_opened", "tab": "home"}}).encode(),
        json.dumps({**EVENT, "event": {"type": "reaction_added", "reaction": "ticket", "item": 3}}).encode(),
        json.dumps({"type": "block_actions", **PERSON, "actions": []}).encode(),
        json.dumps({"type": "block_actions", **PERSON, "actions": [{"value": "say long"}]}).encode(),
        json.dumps({"type": "block_actions", "user": "U1", "actions": [{"value": "say long"}]}).encode(),
        json.dumps({"type": "view_submission", **PERSON, "view": {"callback_id": "form"}}).encode(),
        json.dumps(
            {"type": "view_submission", **PERSON, "view": {"callback_id": "form", "private_metadata": "{"}}
        ).encode(),
        json.dumps({"type": "message_action", **PERSON, "callback_id": "make-request"}).encode(),
    ],
)
async def test_a_signed_body_of_another_shape_is_refused_calmly(desk: OnSlack, body: bytes):
    answer = await desk.fake.post(body, {"content-type": FORM, **desk.fake.signed(body)})
    assert answer.status == 400
    assert "Traceback" not in answer.text


async def test_a_command_without_its_trigger_is_refused(desk: OnSlack):
    """Its key would be everybody's key, and its answer somebody else's."""
    answer = await desk.fake.send_form({"command": "/say", "text": "back hello", "user_id": "U0STAFF"})
    assert answer.status == 400


async def test_what_nobody_listens_to_is_not_logged(desk: OnSlack, caplog: pytest.LogCaptureFixture):
    for body in (
        {"type": "app_rate_limited", "note": "secret-words"},
        {"type": "unheard_of", "note": "secret-words"},
    ):
        content = json.dumps(body).encode()
        with structlog.testing.capture_logs() as logs:
            answer = await desk.fake.post(content, {"content-type": FORM, **desk.fake.signed(content)})
        assert answer.status == 404
        assert "secret-words" not in str(logs) + caplog.text


async def test_what_is_not_for_us_is_acknowledged(desk: OnSlack):
    for event in (
        {"type": "channel_rename", "channel": {}},
        {"type": "reaction_added", "user": "U1", "reaction": "x"},
    ):
        answer = await desk.fake.event(event)
        assert (answer.status, answer.text) == (200, "")
    answer = await desk.fake.send_interaction(
        {"type": "shortcut", "callback_id": "other", **PERSON, "trigger_id": "1"}
    )
    assert answer.status == 200


async def test_the_same_signed_bytes_again_have_one_effect(desk: OnSlack):
    sent: list[tuple[bytes, dict[str, str]]] = []
    post = desk.fake.post

    async def remember(body: bytes, headers: Any) -> Any:
        sent.append((body, dict(headers)))
        return await post(body, headers)

    desk.fake.post = remember  # type: ignore[method-assign]
    await desk.fake.command("U0STAFF", "/request", "new question question:Why?", channel=ROOM)
    body, headers = sent[0]
    for _ in range(3):
        assert (await post(body, headers)).status == 200
    await desk.fake.command("U0STAFF", "/request", "list mine")
    listed = desk.fake.whispers("U0STAFF")[-1]["text"]
    assert "REQ-1" in listed
    assert "REQ-2" not in listed


async def test_a_store_that_is_away_asks_slack_to_come_again(opened: Opened):
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    async with opened(database=away) as desk:
        answer = await desk.fake.command("U0STAFF", "/request", "new question question:Why?")
        assert answer.status == 503
        assert "try again" in answer.text
        answer = await desk.fake.mention("U0STAFF", "request list", ROOM)
        assert answer.status == 503
        assert len(desk.fake.messages(ROOM)) == 1, "only what the person said"
    away.close()


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "type", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
PAYLOADS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["event_callback", "block_actions", "view_submission", "message_action", "x"])
        | ANY
    },
    optional=dict.fromkeys(("event", "actions", "view", "user", "team", "channel", "message"), ANY),
)


@given(PAYLOADS)
@settings(max_examples=max(500, MUTATIONS))
def test_any_json_is_a_payload_or_refused(thing: Any):
    try:
        found = gate.parse(json.dumps(thing).encode())
    except gate.Refused as refused:
        status = refused.status
    else:
        status = 200
        assert found == thing
    assert status in (200, 400)


def test_a_megabyte_of_quotes_is_judged_at_once():
    for hostile in ('{"' + '\\"' * 500_000, '{"' * 500_000, "{" + '"\\' * 500_000):
        with pytest.raises(gate.Refused):
            gate.parse(hostile.encode())
