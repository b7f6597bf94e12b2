"""Do messages arrive on Discord once, where they belong, and is it told truly what became of them?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.adapters.discord import limits
from bot.adapters.discord.render import nonce
from bot.adapters.port import Delivered, Delivery, GiveUp, TryAgain
from handlers.messages import Reply
from tests.harness.discord import DiscordDesk as Desk
from tests.harness.discord import seen_in

SENT = r"/channels/\d+/messages"


def to_room(desk: Desk, key: str = "k/1", title: str = "Hello", **more) -> Delivery:
    """A message to the help room."""
    place = {"channel": str(desk.rooms["help"].id)}
    return Delivery(key=key, kind="message", place=place, reply=Reply(title=title), **more)


async def test_a_card_hangs_in_its_room_and_changes_in_place(desk: Desk):
    staff = desk.employ("staff")
    desk.open_room("requests")
    await staff.say("bug report what:smoke")
    await desk.send()
    [card] = seen_in(desk.rooms["requests"])
    assert card.text.startswith("BUG-1: the printer")
    await staff.click(await staff.click(card, "Drop"), "Yes")
    await desk.send()
    [same] = seen_in(desk.rooms["requests"])
    assert same.message.id == card.message.id
    assert len(desk.calls("PATCH", SENT + r"/\d+")) == 1


async def test_a_person_is_told_in_a_direct_talk_whose_buttons_work_there_and_whose_channel_is_kept(
    desk: Desk,
):
    staff = desk.employ("staff")
    desk.open_room("requests")
    await staff.say("bug report what:smoke")
    await desk.send()
    [told] = staff.dms
    assert told.text.startswith("BUG-1: the printer")
    await desk.restart()
    shown = await staff.click(told, "Show")
    assert "BUG-1: the printer" in shown.text
    assert not shown.private  # it lasts: a direct talk needs no hiding
    noted = await staff.fill(await staff.click(told, "Note"), text="smoke")
    assert "Noted on BUG-1" in noted.text
    assert desk.evidence("BUG-1")[-1].actor == "staff"
    opened = len(desk.calls("POST", "/users/@me/channels"))
    await staff.say("bug report what:fire")
    await desk.send()
    assert len(desk.calls("POST", "/users/@me/channels")) == opened


async def test_a_thread_begins_when_it_is_needed_and_in_it_the_reference_may_be_left_out(desk: Desk):
    staff = desk.employ("staff")
    desk.open_room("requests")
    await staff.say("bug report what:smoke")
    await desk.send()
    assert not desk.rooms["requests"].threads
    await staff.say("bug note BUG-1 text:first")
    await desk.send()
    thread = desk.thread("requests", "BUG-1: the printer")
    assert "first" in desk.read(thread)[-1]
    noted = await staff.say("bug note", room=thread, text="second")
    assert "Noted on BUG-1" in noted.text
    await desk.send()
    assert "second" in desk.read(thread)[-1]
    assert len(desk.rooms["requests"].threads) == 1


async def test_a_thread_is_named_within_its_limit(desk: Desk):
    for length in (limits.THREAD_NAME, limits.THREAD_NAME + 1):
        posted = await desk.adapter.deliver(to_room(desk, f"k/{length}", "n" * length))
        assert isinstance(posted, Delivered)
        below = await desk.adapter.deliver(to_room(desk, f"b/{length}", thread=posted.thread))
        assert isinstance(below, Delivered)
    names = sorted(each.name or "" for each in desk.rooms["help"].threads)
    assert names == ["n" * limits.THREAD_NAME, "n" * (limits.THREAD_NAME - 1) + "…"]


async def test_below_a_card_that_is_gone_a_message_goes_to_the_room(desk: Desk):
    posted = await desk.adapter.deliver(to_room(desk))
    assert isinstance(posted, Delivered)
    desk.env.backend.delete_message(desk.rooms["help"].id, int(posted.message["ids"][0]))
    below = await desk.adapter.deliver(to_room(desk, "k/2", "Below", thread=posted.thread))
    assert isinstance(below, Delivered)
    assert desk.read(desk.rooms["help"])[-1].startswith("Below")


async def test_the_same_delivery_carries_the_same_nonces_in_every_try_and_another_one_others(desk: Desk):
    long = replace(to_room(desk), reply=Reply(title="Hello", text=("x" * 9000,)))
    await desk.adapter.deliver(long)
    await desk.restart()
    await desk.adapter.deliver(long)
    await desk.adapter.deliver(to_room(desk, "k/2"))
    used = [each.json["nonce"] for each in desk.calls("POST", SENT)]
    assert used == [nonce("k/1", n) for n in (0, 1, 2)] * 2 + [nonce("k/2")]


async def test_after_an_unknown_outcome_the_message_is_found_by_its_mark(desk: Desk):
    delivery = to_room(desk)
    assert await desk.adapter.find(delivery) is None
    posted = await desk.adapter.deliver(delivery)
    assert await desk.adapter.find(delivery) == posted
    assert await desk.adapter.find(to_room(desk, "k/2")) is None
    staff = desk.employ("staff")
    private = Delivery("k/3", "page", {"workspace": "1", "user": staff.id}, Reply(title="Wake up"))
    told = await desk.adapter.deliver(private)
    assert isinstance(told, Delivered)
    assert told.direct == told.message["channel"]
    assert await desk.adapter.find(private) == told
    desk.env.inject_error("GET", "/channels/*/messages", status=403, code=50001)
    assert await desk.adapter.find(delivery) is None


async def test_an_edit_grows_and_shrinks_with_its_content(desk: Desk):
    short, long = Reply(title="Hello"), Reply(title="Hello", text=("x" * 9000,))
    posted = await desk.adapter.deliver(to_room(desk))
    for number, reply in enumerate((long, short)):
        assert isinstance(posted, Delivered)
        edit = replace(to_room(desk, f"e/{number}"), reply=reply, edit=posted.message, thread=posted.thread)
        posted = await desk.adapter.deliver(edit)
        assert isinstance(posted, Delivered)
        assert len(seen_in(desk.rooms["help"])) == len(posted.message["ids"]) == (3 if reply is long else 1)
    assert await desk.adapter.find(edit) is None


async def test_a_card_that_discord_lets_nobody_edit_any_more_hangs_anew_and_keeps_its_thread(desk: Desk):
    posted = await desk.adapter.deliver(to_room(desk))
    assert isinstance(posted, Delivered)
    desk.env.inject_error("PATCH", "/channels/*/messages/*", status=429, code=limits.EDITED_TOO_OFTEN)
    anew = await desk.adapter.deliver(to_room(desk, "k/2", edit=posted.message, thread=posted.thread))
    assert isinstance(anew, Delivered)
    assert anew.message != posted.message
    assert anew.thread == posted.thread


async def test_a_card_that_somebody_deleted_hangs_anew(desk: Desk):
    posted = await desk.adapter.deliver(to_room(desk))
    assert isinstance(posted, Delivered)
    desk.env.backend.delete_message(desk.rooms["help"].id, int(posted.message["ids"][0]))
    anew = await desk.adapter.deliver(to_room(desk, "k/2", edit=posted.message, thread=posted.thread))
    assert isinstance(anew, Delivered)
    assert anew.thread == anew.message["ids"][0]


@pytest.mark.parametrize(
    ("status", "code", "result"),
    [
        (500, 0, TryAgain("Discord says 500 (0): injected", unknown=True)),
        (503, 0, TryAgain("Discord says 503 (0): injected", unknown=True)),
        (401, 0, TryAgain("Discord says 401 (0): injected", after=60.0)),
        (429, 0, TryAgain("Discord says 429 (0): injected")),
        (403, 50013, GiveUp("Discord says 403 (50013): injected")),
        (404, 10003, GiveUp("Discord says 404 (10003): injected")),
        (400, 50035, GiveUp("Discord says 400 (50035): injected")),
    ],
)
async def test_what_discord_answers_is_told_as_what_it_means(
    desk: Desk, status: int, code: int, result: object
):
    desk.env.inject_error("POST", "/channels/*/messages", status=status, code=code, message="injected")
    assert await desk.adapter.deliver(to_room(desk)) == result
    assert isinstance(await desk.adapter.deliver(to_room(desk)), Delivered)


async def test_a_rate_limit_that_is_too_long_to_wait_for_names_its_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    import discord

    async def limited(*_: object, **__: object) -> None:
        raise discord.RateLimited(120.0)

    monkeypatch.setattr(desk.adapter.client.http, "send_message", limited)
    told = await desk.adapter.deliver(to_room(desk))
    assert told == TryAgain("Discord asks for patience", after=120.0)
    assert desk.adapter.create_client().http.max_ratelimit_timeout == limits.RATE_LIMIT_PATIENCE


async def test_a_message_that_cannot_be_shown_is_given_up(desk: Desk):
    from handlers.messages import Button

    broken = replace(to_room(desk), reply=Reply(title="T", buttons=(Button(label="B", line="x" * 99),)))
    told = await desk.adapter.deliver(broken)
    assert isinstance(told, GiveUp)
    assert "carries a line" in told.reason
