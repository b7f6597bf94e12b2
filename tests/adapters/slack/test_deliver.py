"""One message to Slack: where it goes, what became of it, and that nobody gets it twice."""

from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from bot.adapters.port import Adapter, Delivered, Delivery, GiveUp, TryAgain
from bot.adapters.slack.app import NotConnected, SlackAdapter
from bot.adapters.slack.deliver import EVENT_TYPE, Failed
from handlers.messages import Moment, Reply, Table, Who
from tests.adapters.slack.conftest import ROOM, OnSlack, Opened
from tests.adapters.slack.sayings import NOON
from tests.harness.drawings import TREND, sheet
from tests.harness.troubles import Hang, Lost, RateLimited, Says, ServerError

PERSON = {"workspace": "T0DESKBELL", "user": "U0STAFF", "direct": None, "person": "staff"}


def parcel(key: str = "k/1", place: dict[str, Any] | None = None, **more: Any) -> Delivery:
    """A delivery, to the room unless another place is given."""
    reply = more.pop("reply", Reply(title="The printer works"))
    return Delivery(key, "message", place or {"channel": ROOM}, reply, **more)


async def test_the_adapter_is_what_the_house_expects(desk: OnSlack):
    adapter: Adapter = desk.adapter
    assert (adapter.platform, adapter.pace) == ("slack", 1.0)


async def test_a_message_arrives_in_its_room_and_carries_its_key(desk: OnSlack):
    result = await desk.adapter.deliver(parcel())
    [message] = desk.fake.messages(ROOM)
    assert result == Delivered({"channel": ROOM, "ts": message["ts"]}, thread=message["ts"])
    assert message["metadata"] == {"event_type": EVENT_TYPE, "event_payload": {"key": "k/1"}}
    [call] = desk.fake.called("chat.postMessage")
    assert str(call["unfurl_links"]).lower() in ("false", "0")


async def test_a_message_below_another_stays_in_its_thread(desk: OnSlack):
    first = await desk.adapter.deliver(parcel())
    assert isinstance(first, Delivered)
    second = await desk.adapter.deliver(parcel("k/2", thread=first.thread))
    assert isinstance(second, Delivered)
    assert second.thread == first.thread
    assert desk.fake.messages(ROOM)[-1]["thread_ts"] == first.thread


async def test_a_person_is_told_in_private_and_the_channel_is_asked_for_once(desk: OnSlack):
    reply = Reply(
        title="t", text=(Who(person="staff", name="Sam"), " and ", Who(person="owner", name="Olga"))
    )
    first = await desk.adapter.deliver(parcel(place=PERSON, reply=reply))
    assert isinstance(first, Delivered)
    assert first.direct == "DU0STAFF"
    await desk.adapter.deliver(parcel("k/2", PERSON))
    await desk.adapter.deliver(
        parcel("k/3", {**PERSON, "user": "U0OWNER", "direct": desk.fake.direct("U0OWNER")})
    )
    assert len(desk.fake.called("conversations.open")) == 1
    shown = str(desk.fake.messages("DU0STAFF")[0]["blocks"])
    assert "<@U0STAFF> and Olga" in shown, (
        "in one's own talk one is shown as an account; nobody else is notified"
    )


async def test_a_card_is_edited_in_place_and_hung_up_again_when_somebody_took_it_down(desk: OnSlack):
    first = await desk.adapter.deliver(parcel())
    assert isinstance(first, Delivered)
    edited = await desk.adapter.deliver(parcel("k/2", edit=first.message, reply=Reply(title="Even better")))
    assert isinstance(edited, Delivered)
    assert edited.message == first.message
    assert [each["text"] for each in desk.fake.messages(ROOM)] == ["Even better"]
    gone = {"channel": ROOM, "ts": "1.000001"}
    again = await desk.adapter.deliver(parcel("k/3", edit=gone))
    assert isinstance(again, Delivered)
    assert len(desk.fake.messages(ROOM)) == 2
    assert desk.fake.refused.pop()[:2] == ("chat.update", "message_not_found")


@pytest.mark.parametrize(
    ("trouble", "result"),
    [
        (RateLimited(30), TryAgain("ratelimited", after=30.0)),
        (Says("ratelimited"), TryAgain("ratelimited")),
        (ServerError(500), TryAgain("Slack answered 500", unknown=True)),
        (ServerError(503), TryAgain("Slack answered 503", unknown=True)),
        (Says("internal_error"), TryAgain("internal_error", unknown=True)),
        (Says("service_unavailable"), TryAgain("service_unavailable")),
        (Says("invalid_auth"), TryAgain("invalid_auth")),
        (Says("token_revoked"), TryAgain("token_revoked")),
        (Says("missing_scope"), TryAgain("missing_scope")),
        (Says("channel_not_found"), GiveUp("channel_not_found")),
        (Says("is_archived"), GiveUp("is_archived")),
        (Says("not_in_channel"), GiveUp("not_in_channel")),
        (Says("restricted_action"), GiveUp("restricted_action")),
        (Says("something_new"), GiveUp("something_new")),
    ],
)
async def test_what_became_of_it_is_told_by_slacks_answer(desk: OnSlack, trouble: Any, result: Any):
    desk.fake.trouble("chat.postMessage", trouble)
    assert await desk.adapter.deliver(parcel()) == result
    assert len(desk.fake.called("chat.postMessage")) == 1, "nothing tries again behind the courier's back"


async def test_a_room_that_is_not_there_is_given_up(desk: OnSlack):
    assert await desk.adapter.deliver(parcel(place={"channel": "C0NOWHERE"})) == GiveUp("channel_not_found")
    desk.fake.channel("C0PRIVATE", bot=False)
    assert await desk.adapter.deliver(parcel(place={"channel": "C0PRIVATE"})) == GiveUp("not_in_channel")
    assert await desk.adapter.deliver(parcel(place={**PERSON, "user": "U0GONE"})) == GiveUp("user_not_found")
    desk.fake.refused.clear()


async def test_one_message_a_second_is_slacks_pace(desk: OnSlack):
    desk.fake.paced = True
    assert isinstance(await desk.adapter.deliver(parcel("k/1")), Delivered)
    assert await desk.adapter.deliver(parcel("k/2")) == TryAgain("ratelimited", after=1.0)
    desk.fake.refused.clear()
    desk.clock.move(timedelta(seconds=desk.adapter.pace))
    assert isinstance(await desk.adapter.deliver(parcel("k/2")), Delivered)


@pytest.mark.parametrize("place", [{"channel": ROOM}, PERSON])
@pytest.mark.parametrize("below", [False, True])
async def test_a_message_whose_receipt_was_lost_is_found_and_not_doubled(
    desk: OnSlack, place: dict[str, Any], below: bool
):
    channel = place.get("channel") or desk.fake.direct("U0STAFF")
    thread = desk.fake.say(channel, "U0STAFF", "root")["ts"] if below else None
    for number in range(5):
        desk.fake.say(channel, "U0STAFF", f"talk {number}", thread)
    sent = parcel(place=place, thread=thread)
    desk.fake.trouble("chat.postMessage", Lost())
    lost = await desk.adapter.deliver(sent)
    assert isinstance(lost, TryAgain)
    assert lost.unknown
    found = await desk.adapter.find(sent)
    assert found is not None
    mine = [each for each in desk.fake.messages(channel) if each.get("metadata")]
    assert [each["ts"] for each in mine] == [found.message["ts"]]
    assert found.thread == (thread or found.message["ts"])
    assert await desk.adapter.find(parcel("another key", place, thread=thread)) is None


async def test_when_slack_cannot_be_asked_nobody_says_that_it_did_not_arrive(desk: OnSlack):
    desk.fake.trouble("conversations.history", RateLimited(60), ServerError(500), Says("missing_scope"))
    for _ in range(2):
        with pytest.raises(Failed):
            await desk.adapter.find(parcel())
    assert await desk.adapter.find(parcel()) is None, "without the right to read, nobody can ever tell"


async def test_a_slack_without_tables_gets_lines_from_then_on(opened: Opened):
    table = Table(columns=("Ref", "Due"), rows=((("REQ-1",), (Moment(moment=NOON),)),))
    reply = Reply(title="Requests", table=table)
    async with opened(tables=False) as desk:
        for number in range(2):
            assert isinstance(await desk.adapter.deliver(parcel(f"k/{number}", reply=reply)), Delivered)
        assert [each[1] for each in desk.fake.refused] == ["invalid_blocks"]
        assert "REQ-1 · Due: <!date^" in str(desk.fake.messages(ROOM)[0]["blocks"])
    async with opened() as desk:
        assert isinstance(await desk.adapter.deliver(parcel(reply=reply)), Delivered)
        assert desk.fake.messages(ROOM)[0]["blocks"][1]["type"] == "data_table"


async def test_a_slack_that_takes_no_blocks_gets_the_text(desk: OnSlack):
    desk.fake.trouble("chat.postMessage", Says("invalid_blocks"))
    assert isinstance(await desk.adapter.deliver(parcel()), Delivered)
    [message] = desk.fake.messages(ROOM)
    assert (message["text"], message["blocks"]) == ("The printer works", [])


async def test_a_file_hangs_below_its_message_and_its_loss_is_said(desk: OnSlack):
    reply = Reply(title="Export", file=("export.csv", "a,b\n"))
    result = await desk.adapter.deliver(parcel(reply=reply))
    assert isinstance(result, Delivered)
    assert desk.fake.files == [
        {"name": "export.csv", "length": 4, "text": "a,b\n", "channel": ROOM, "thread_ts": result.thread}
    ]
    desk.fake.trouble("files.getUploadURLExternal", Says("file_uploads_disabled"))
    assert isinstance(await desk.adapter.deliver(parcel("k/2", reply=reply)), Delivered)
    assert "did not take the file" in desk.fake.messages(ROOM)[-1]["text"]


async def test_a_slack_that_hangs_or_is_away_is_tried_again(desk: OnSlack, opened: Opened):
    assert desk.adapter._client.session
    desk.adapter._client.session._timeout = aiohttp.ClientTimeout(total=0.05)
    desk.fake.trouble("chat.postMessage", Hang())
    result = await desk.adapter.deliver(parcel())
    assert isinstance(result, TryAgain)
    assert result.unknown
    await desk.fake.stop()
    result = await desk.adapter.deliver(parcel())
    assert isinstance(result, TryAgain)
    assert not result.unknown, "nothing was sent at all"


async def test_a_wrong_token_is_said_at_the_start(desk: OnSlack):
    wrong = SlackAdapter(desk.adapter._ear, desk.clock.now, bot_token="xoxb-wrong", api_url=desk.fake.api_url)
    with pytest.raises(NotConnected, match="invalid_auth"):
        await wrong.start()
    await wrong.stop()
    assert wrong.routes() == [], "without a signing secret nothing is served"


async def test_a_chart_that_this_slack_refuses_comes_as_words_and_picture(desk: OnSlack):
    reply = Reply(title="Status", chart=TREND)
    assert isinstance(await desk.adapter.deliver(parcel("k/1", reply=reply)), Delivered)
    assert (desk.fake.files, desk.fake.messages(ROOM)[0]["blocks"][1]["type"]) == ([], "data_visualization")
    desk.fake.new.discard("data_visualization")
    assert isinstance(await desk.adapter.deliver(parcel("k/2", reply=reply)), Delivered)
    second = desk.fake.messages(ROOM)[1]
    assert "Jun" in str(second["blocks"])
    [picture] = desk.fake.files
    assert picture["text"].encode(errors="surrogateescape").startswith(b"\x89PNG")
    assert picture["thread_ts"] == second["ts"]
    assert [refused[1:] for refused in desk.fake.refused] == [("invalid_blocks", "data_visualization")]
    desk.fake.refused.clear()
    assert isinstance(await desk.adapter.deliver(parcel("k/3", reply=reply)), Delivered)
    assert desk.fake.refused == [], "it has learned"


async def test_one_new_block_that_slack_lacks_does_not_cost_the_others(desk: OnSlack):
    table = Table(columns=("Ref",), rows=((("REQ-1",),),))
    assert isinstance(
        await desk.adapter.deliver(parcel("k/1", reply=Reply(title="t", table=table))), Delivered
    )
    desk.fake.new.discard("plan")
    both = Reply(title="t", table=table, sheet=sheet(6, 2))
    assert isinstance(await desk.adapter.deliver(parcel("k/2", reply=both)), Delivered)
    kinds = [block["type"] for block in desk.fake.messages(ROOM)[1]["blocks"]]
    assert "data_table" in kinds
    assert "plan" not in kinds
    assert "(failed)" in str(desk.fake.messages(ROOM)[1]["blocks"])
    desk.fake.refused.clear()
