"""Does an SMS say what matters, go out once, and fail in the way that its failure deserves?"""

from __future__ import annotations

import pytest

from bot.adapters.notify.outbound import Failed, Outbound
from bot.adapters.notify.sms import AT_MOST, SmsAdapter
from bot.adapters.port import Adapter, Delivered, GiveUp, TryAgain
from handlers.messages import Reply
from tests.adapters.notify.conftest import PAGE, page
from tests.harness.troubles import Hang, Lost, RateLimited, Says, ServerError
from tests.harness.web_hosts import Said, Twilio

BO = "+351210000000"


def adapter(twilio: Twilio, *, token: str = Twilio.TOKEN, sender: str = Twilio.SENDER) -> SmsAdapter:
    return SmsAdapter(Outbound(["127.0.0.1"], total=2.0), twilio.url, Twilio.ACCOUNT, token, sender)


async def test_an_sms_says_what_it_is_since_when_and_how_to_answer(twilio: Twilio):
    sms: Adapter = adapter(twilio)
    assert await sms.deliver(page(BO)) == Delivered({"sid": "SM" + "0" * 32})
    ((to, text),) = twilio.sent
    assert to == BO
    assert text == (
        "INC-7 · Mail is down. Severity: SEV1. Since: Mon 23 Nov 2026 08:00 WET. Why you: you are on call. "
        "In chat: incident ack INC-7 #0a23a9b7"
    )


async def test_a_long_sms_is_cut_and_keeps_its_reference_and_how_to_answer(twilio: Twilio):
    long = PAGE.model_copy(update={"title": f"INC-7 · {'very ' * 400}bad"})
    await adapter(twilio).deliver(page(BO, reply=long))
    ((_, text),) = twilio.sent
    assert len(text) == AT_MOST
    assert text.startswith("INC-7 · very")
    assert text.endswith("… In chat: incident ack INC-7 #0a23a9b7")


async def test_a_messaging_service_may_be_the_sender(twilio: Twilio):
    service = "MG" + "a" * 32
    assert isinstance(await adapter(twilio, sender=service).deliver(page(BO)), Delivered)
    assert f"MessagingServiceSid={service}".encode() in twilio.asked[0].body


@pytest.mark.parametrize(
    ("trouble", "result"),
    [
        (RateLimited(7), TryAgain("answered 429", after=7.0)),
        (ServerError(500), TryAgain("answered 500", unknown=True)),
        (ServerError(302), TryAgain("answered 302")),
        (Says("20429"), TryAgain("answered 429: error 20429")),
        (Says("20003"), TryAgain("answered 401: error 20003")),
        (Says("21606"), TryAgain("answered 400: error 21606")),
        (Says("63038"), TryAgain("answered 400: error 63038")),
        (Says("21211"), GiveUp("answered 400: error 21211")),
        (Says("21610"), GiveUp("answered 400: error 21610")),
        (Says("99999"), GiveUp("answered 400: error 99999")),
        (Hang(), TryAgain("127.0.0.1: no answer in 2 s", unknown=True)),
    ],
    ids=str,
)
async def test_a_failure_is_tried_again_or_given_up_as_it_deserves(twilio: Twilio, trouble, result):
    twilio.troubles.add("POST", trouble)
    assert await adapter(twilio).deliver(page(BO)) == result
    assert twilio.sent == []


async def test_a_wrong_token_is_ours_to_mend(twilio: Twilio):
    result = await adapter(twilio, token="another").deliver(page(BO))
    assert result == TryAgain("answered 401: error 20003")


@pytest.mark.parametrize("to", [None, "", "0301234567", "bo@example.org", "+49 30", "+49301234567890123"])
async def test_what_is_no_number_is_never_asked_for(twilio: Twilio, to: str | None):
    assert isinstance(await adapter(twilio).deliver(page(to)), GiveUp)
    assert await adapter(twilio).find(page(to)) is None
    assert twilio.asked == []


async def test_an_sms_whose_answer_was_cut_is_found_by_its_mark_and_not_sent_again(twilio: Twilio):
    sms = adapter(twilio)
    twilio.troubles.add("POST", Lost())
    result = await sms.deliver(page(BO))
    assert isinstance(result, TryAgain)
    assert result.unknown
    assert await sms.find(page(BO, reply=Reply(title="the same, but later"))) == Delivered(
        {"sid": "SM" + "0" * 32}
    )
    assert await sms.find(page(BO, key="another key")) is None


async def test_an_sms_that_failed_on_its_way_does_not_count_as_arrived(twilio: Twilio):
    sms = adapter(twilio)
    await sms.deliver(page(BO))
    twilio.messages[0]["status"] = "undelivered"
    assert await sms.find(page(BO)) is None


@pytest.mark.parametrize("trouble", [ServerError(503), RateLimited(3), Hang()], ids=str)
async def test_while_twilio_cannot_be_asked_nothing_is_sent_again(twilio: Twilio, trouble):
    twilio.troubles.add("GET", trouble)
    with pytest.raises(Failed):
        await adapter(twilio).find(page(BO))


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"{", b"{}", b"[" * 5000])
async def test_an_answer_that_makes_no_sense_is_no_delivery(twilio: Twilio, body: bytes, monkeypatch):
    monkeypatch.setattr(twilio, "answer", lambda asked: Said(201, body))
    result = await adapter(twilio).deliver(page(BO))
    assert result == TryAgain("answered without the number of a message", unknown=True)
    assert await adapter(twilio).find(page(BO)) is None


async def test_no_reason_repeats_a_number(twilio: Twilio):
    twilio.troubles.add("POST", Says("21211"))
    result = await adapter(twilio).deliver(page(BO))
    assert isinstance(result, GiveUp)
    assert BO not in result.reason
    assert Twilio.SENDER not in result.reason
