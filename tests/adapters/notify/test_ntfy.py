"""Does a push message wake, show once, and reach the right server with the right token only?"""

from __future__ import annotations

import json

import pytest

from bot.adapters.notify.ntfy import MESSAGE_BYTES, TITLE, NtfyAdapter
from bot.adapters.notify.outbound import Failed, Outbound
from bot.adapters.port import Adapter, Delivered, GiveUp, TryAgain
from bot.clock import VirtualClock
from tests.adapters.notify.conftest import PAGE, page
from tests.harness.troubles import Hang, Lost, RateLimited, Says, ServerError
from tests.harness.web_hosts import Ntfy

TOPIC = "bo-7Gq2"


def adapter(ntfy: Ntfy, token: str | None = Ntfy.TOKEN) -> NtfyAdapter:
    return NtfyAdapter(Outbound(["127.0.0.1"], total=2.0), ntfy.url, token)


async def test_a_page_is_pushed_with_the_highest_priority(ntfy: Ntfy):
    push: Adapter = adapter(ntfy)
    assert await push.deliver(page(TOPIC)) == Delivered({"id": "id1"})
    (shown,) = ntfy.pushed
    assert shown["title"] == "INC-7 · Mail is down"
    assert (shown["topic"], shown["priority"], shown["tags"]) == (TOPIC, 5, ["rotating_light"])
    assert shown["message"] == (
        "Nobody can send since the update.\n\n"
        "Severity: SEV1\nSince: Mon 23 Nov 2026 08:00 WET\nWhy you: you are on call\n\n"
        "To answer, say this to the desk in chat:\n"
        "Acknowledge: incident ack INC-7\nShow INC-7: incident show INC-7"
    )


async def test_what_is_no_page_disturbs_as_usual(ntfy: Ntfy):
    await adapter(ntfy).deliver(page(TOPIC, kind="message"))
    assert (ntfy.pushed[0]["priority"], ntfy.pushed[0]["tags"]) == (3, [])


async def test_a_long_message_is_cut_so_that_it_stays_a_message(ntfy: Ntfy):
    long = PAGE.model_copy(update={"title": "ü" * 400, "text": ("ü" * 9000,)})
    assert isinstance(await adapter(ntfy).deliver(page(TOPIC, reply=long)), Delivered)
    (shown,) = ntfy.pushed
    assert len(shown["title"]) == TITLE
    assert MESSAGE_BYTES - 4 < len(shown["message"].encode()) <= MESSAGE_BYTES


@pytest.mark.parametrize(
    ("trouble", "result"),
    [
        (RateLimited(5), TryAgain("answered 429", after=5.0)),
        (Says("42901"), TryAgain("answered 429: error 42901")),
        (Says("40301"), TryAgain("answered 403: error 40301")),
        (Says("50701"), TryAgain("answered 507: error 50701", unknown=True)),
        (Says("41301"), GiveUp("answered 413: error 41301")),
        (Says("40009"), GiveUp("answered 400: error 40009")),
        (ServerError(503), TryAgain("answered 503", unknown=True)),
        (Hang(), TryAgain("127.0.0.1: no answer in 2 s", unknown=True)),
    ],
    ids=str,
)
async def test_a_failure_is_tried_again_or_given_up_as_it_deserves(ntfy: Ntfy, trouble, result):
    ntfy.troubles.add("POST", trouble)
    assert await adapter(ntfy).deliver(page(TOPIC)) == result
    assert ntfy.pushed == []


async def test_a_push_whose_answer_was_cut_is_found_and_would_show_once_all_the_same(ntfy: Ntfy):
    push = adapter(ntfy)
    ntfy.troubles.add("POST", Lost())
    result = await push.deliver(page(TOPIC))
    assert isinstance(result, TryAgain)
    assert result.unknown
    assert await push.find(page(TOPIC)) == Delivered({"id": "id1"})
    assert await push.find(page(TOPIC, key="another")) is None
    await push.deliver(page(TOPIC))
    assert len(ntfy.messages) == 2
    assert len(ntfy.pushed) == 1


async def test_where_nobody_can_tell_it_is_sent_again(ntfy: Ntfy):
    await adapter(ntfy).deliver(page(TOPIC))
    ntfy.reads = False
    assert await adapter(ntfy).find(page(TOPIC)) is None
    ntfy.reads, ntfy.knows_sequences = True, False
    ntfy.messages.clear()
    await adapter(ntfy).deliver(page(TOPIC))
    assert await adapter(ntfy).find(page(TOPIC)) is None


async def test_while_the_server_cannot_be_asked_nothing_is_sent_again(ntfy: Ntfy):
    ntfy.troubles.add("GET", ServerError(502))
    with pytest.raises(Failed):
        await adapter(ntfy).find(page(TOPIC))


@pytest.mark.parametrize("to", [None, "", "two words", "bo/", "ü", "x" * 65])
async def test_what_is_no_topic_is_never_asked_for(ntfy: Ntfy, to: str | None):
    assert isinstance(await adapter(ntfy).deliver(page(to)), GiveUp)
    assert await adapter(ntfy).find(page(to)) is None
    assert ntfy.asked == []


async def test_a_topic_elsewhere_gets_the_message_and_not_our_token(ntfy: Ntfy, clock: VirtualClock):
    elsewhere = Ntfy(clock.now)
    await elsewhere.start()
    assert isinstance(await adapter(ntfy).deliver(page(f"{elsewhere.url}/{TOPIC}")), TryAgain)
    await elsewhere.stop()
    (asked,) = elsewhere.asked
    assert "authorization" not in asked.headers
    assert json.loads(asked.body)["topic"] == TOPIC
    assert isinstance(await adapter(ntfy).deliver(page(f"{ntfy.url}/{TOPIC}")), Delivered), (
        "it is ours, in full"
    )
