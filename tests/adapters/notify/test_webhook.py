"""Is a webhook signed, repeatable, and taken only by 2xx?"""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.adapters.notify.outbound import Outbound
from bot.adapters.notify.webhook import WebhookAdapter, sign
from bot.adapters.port import Adapter, Delivered, GiveUp, TryAgain
from bot.clock import VirtualClock
from tests.adapters.notify.conftest import KEY, page
from tests.harness.troubles import Hang, Lost, RateLimited, Says, ServerError
from tests.harness.web_hosts import Hook, Said


def adapter(clock: VirtualClock, secret: str = Hook.SECRET) -> WebhookAdapter:
    return WebhookAdapter(Outbound(["127.0.0.1"], total=2.0), secret, clock.now)


async def test_a_webhook_is_signed_and_carries_the_key_and_the_story(hook: Hook, clock: VirtualClock):
    way: Adapter = adapter(clock)
    assert await way.deliver(page(f"{hook.url}/page?of=bo")) == Delivered({"status": 204})
    assert hook.taken == {
        KEY: {
            "key": KEY,
            "kind": "page",
            "person": "bo",
            "subject": "INC-7",
            "title": "INC-7 · Mail is down",
            "text": "Nobody can send since the update.",
            "facts": [
                {"label": "Severity", "value": "SEV1"},
                {"label": "Since", "value": "Mon 23 Nov 2026 08:00 WET"},
                {"label": "Why you", "value": "you are on call"},
            ],
            "answers": [
                {"label": "Acknowledge", "line": "incident ack INC-7"},
                {"label": "Show INC-7", "line": "incident show INC-7"},
            ],
        }
    }
    (asked,) = hook.asked
    assert (asked.path, dict(asked.query)) == ("/page", {"of": "bo"})
    assert asked.headers["content-type"] == "application/json"


async def test_a_repeat_has_the_same_key_and_a_new_time(hook: Hook, clock: VirtualClock):
    way = adapter(clock)
    await way.deliver(page(hook.url))
    clock.move(timedelta(hours=5))
    await way.deliver(page(hook.url))
    assert len(hook.taken) == 1
    first, second = (asked.headers["x-deskbell-timestamp"] for asked in hook.asked)
    assert int(second) - int(first) == 5 * 3600


async def test_whoever_has_another_secret_refuses_it(hook: Hook, clock: VirtualClock):
    assert await adapter(clock, "x" * 24).deliver(page(hook.url)) == TryAgain("answered 401")
    assert not hook.taken


@pytest.mark.parametrize(
    ("trouble", "result"),
    [
        (ServerError(500), TryAgain("answered 500", unknown=True)),
        (Says("302"), TryAgain("answered 302")),
        (Says("307"), TryAgain("answered 307")),
        (Says("304"), TryAgain("answered 304")),
        (Says("400"), TryAgain("answered 400")),
        (Says("404"), TryAgain("answered 404")),
        (Says("410"), GiveUp("answered 410")),
        (RateLimited(30), TryAgain("answered 429", after=30.0)),
        (Hang(), TryAgain("127.0.0.1: no answer in 2 s", unknown=True)),
    ],
    ids=str,
)
async def test_anything_but_2xx_is_tried_again(hook: Hook, clock: VirtualClock, trouble, result):
    hook.troubles.add("POST", trouble)
    assert await adapter(clock).deliver(page(hook.url)) == result


@pytest.mark.parametrize("body", [b"", b"a body that is cut in the middle"])
async def test_a_cut_answer_is_no_success(hook: Hook, clock: VirtualClock, body: bytes, monkeypatch):
    monkeypatch.setattr(hook, "answer", lambda asked: Said(200, body))
    hook.troubles.add("POST", Lost())
    result = await adapter(clock).deliver(page(hook.url))
    assert isinstance(result, TryAgain)
    assert result.unknown


async def test_a_redirect_is_not_followed(hook: Hook, clock: VirtualClock):
    hook.location = f"{hook.url}/elsewhere"
    hook.troubles.add("POST", Says("302"))
    await adapter(clock).deliver(page(hook.url))
    assert hook.connections == 1


async def test_nobody_can_tell_whether_it_arrived(hook: Hook, clock: VirtualClock):
    assert await adapter(clock).find(page(hook.url)) is None
    assert await adapter(clock).deliver(page(None)) == GiveUp("no address for webhook")


def test_a_signature_can_be_made_by_anybody_who_has_the_secret():
    # printf '1795420800.{}' | openssl dgst -sha256 -hmac secret
    assert (
        sign("secret", "1795420800", b"{}")
        == "e04dfa55083dbb5e3f42f6ac32e94b142b21e774c982029a543e4e1e69edeb41"
    )
