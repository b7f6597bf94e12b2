"""Mentions, private messages, buttons, shortcut, emoji and Home tab: one line, wherever it is said."""

from dataclasses import replace

import pytest

from bot.adapters.port import Delivered, Delivery
from bot.adapters.slack.inbound import plain
from handlers.messages import Reply
from tests.adapters.slack.conftest import ROOM, OnSlack, Opened
from tests.harness.slack import BOT, words
from tests.harness.troubles import Hang, Lost, RateLimited, Says, ServerError


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ("plain", "plain"),
        ("give it to <@U1>", "give it to @slack:T1:U1"),
        ("give it to <@U1|ann>", "give it to @slack:T1:U1"),
        ("in <#C1|general>", "in #general"),
        ("in <#C1>", "in #C1"),
        ("<!channel> look", "@channel look"),
        ("<!here|here>", "here"),
        ("<!subteam^S1|@oncall>", "@oncall"),
        ("<!date^1^{date}|1 Jan>", "1 Jan"),
        ("<https://example.org>", "https://example.org"),
        ("<https://example.org/a?b=1&amp;c=2>", "https://example.org/a?b=1&c=2"),
        ("<http://example.org|example.org>", "example.org"),
        ("<https://evil.example|bank.example>", "bank.example (https://evil.example)"),
        ("<mailto:a@example.org|a@example.org>", "a@example.org"),
        ("<tel:+49301|+49301>", "+49301"),
        ("&lt;b&gt; &amp; &amp;lt;", "<b> & &lt;"),
        ("a < b", "a < b"),
        ("nul\0", "nul"),
        ("", ""),
    ],
)
def test_slacks_markup_is_read_as_people_typed_it(said: str, typed: str):
    assert plain(said, "T1") == typed


async def test_a_mention_is_answered_for_the_asker_alone(desk: OnSlack):
    await desk.fake.mention("U0STAFF", "say back hello", ROOM)
    assert [each["text"] for each in desk.fake.whispers("U0STAFF")] == ["You said\nhello"]
    assert len(desk.fake.messages(ROOM)) == 1, "the room has only the mention itself"


async def test_what_the_room_gains_from_is_said_below_the_mention(desk: OnSlack):
    await desk.fake.mention("U0STAFF", "say aloud the printer works", ROOM)
    asked, answer = desk.fake.messages(ROOM)
    assert answer["text"] == "✅ Done: the printer works"
    assert answer["thread_ts"] == asked["ts"]


async def test_in_the_thread_of_a_card_its_reference_may_be_left_out(desk: OnSlack):
    fake = desk.fake
    await fake.command("U0STAFF", "/request", "new question question:Why?")
    reply = Reply(title="REQ-1", subject="REQ-1")
    result = await desk.adapter.deliver(Delivery("card/1", "card", {"channel": ROOM}, reply))
    assert isinstance(result, Delivered)
    hang_up(desk, "REQ-1", result)
    await fake.mention("U0AGENT", "request take", ROOM, thread=result.thread)
    shown = fake.whispers("U0AGENT") or fake.messages(ROOM)
    assert "REQ-1" in shown[-1]["text"]
    assert "Alex Agent" in shown[-1]["text"]


async def test_a_button_on_a_card_knows_its_thread(desk: OnSlack):
    fake = desk.fake
    await fake.command("U0STAFF", "/request", "new question question:Why?")
    card = desk.dispatcher.look("REQ-1").card
    result = await desk.adapter.deliver(Delivery("card/1", "card", {"channel": ROOM}, card))
    assert isinstance(result, Delivered)
    hang_up(desk, "REQ-1", result)
    message = fake.messages(ROOM)[-1]
    await fake.click(message, "Take", "U0AGENT")
    assert "REQ-1" in fake.whispers("U0AGENT")[-1]["text"]
    assert message == fake.messages(ROOM)[-1], "the courier draws cards, not the click"


def hang_up(desk: OnSlack, subject: str, result: Delivered) -> None:
    """Remember where a card hangs, as the courier does."""
    from storage.models.flow import Post
    from storage.unit_of_work import Records

    with desk.dispatcher.database.writing() as session:
        place = result.message["channel"]
        Records(session).posts.put(
            Post(
                subject=subject,
                platform="slack",
                place=place,
                message=dict(result.message),
                thread=result.thread,
                posted_at=desk.clock.now(),
            )
        )


async def test_a_private_message_is_a_line(desk: OnSlack):
    await desk.fake.message("U0STAFF", "say back hello &amp; goodbye")
    assert desk.fake.messages("DU0STAFF")[-1]["text"] == "You said\nhello &amp; goodbye"
    await desk.fake.message("U0STAFF", "say long")
    heard = " ".join(
        words(each["blocks"]) for each in desk.fake.messages("DU0STAFF")[2:] if each["user"] == BOT
    )
    assert "word-3999" in heard


async def test_a_line_that_lacks_something_offers_its_form(desk: OnSlack):
    fake = desk.fake
    await fake.message("U0STAFF", "request new laptop")
    offer = fake.messages("DU0STAFF")[-1]
    await fake.click(offer, "Fill in the form", "U0STAFF")
    view = fake.view("U0STAFF")
    await fake.submit(view, {"model": "Light 13 inch", "replaces": "no", "needed_by": "2026-12-01"})
    assert "REQ-1" in view.text


@pytest.mark.parametrize(
    "extra",
    [{"bot_id": "B1"}, {"subtype": "message_changed"}, {"edited": {"ts": "1"}}, {"user": BOT}, {"user": ""}],
)
async def test_bots_echoes_and_edits_are_not_lines(desk: OnSlack, extra: dict[str, object]):
    said = desk.fake.say(desk.fake.direct("U0STAFF"), "U0STAFF", "say back hello")
    answer = await desk.fake.event({**said, "channel_type": "im", **extra})
    assert answer.status == 200
    assert len(desk.fake.messages("DU0STAFF")) == 1


async def test_an_event_that_slack_repeats_is_answered_once(desk: OnSlack):
    fake = desk.fake
    said = fake.say(
        "DU0STAFF" if fake.direct("U0STAFF") else "", "U0STAFF", "request new question question:Why?"
    )
    event = {**said, "channel_type": "im"}
    for retry in range(3):
        answer = await fake.event(event, event_id="Ev-same", retry=retry)
        assert answer.status == 200
    assert len([each for each in fake.messages("DU0STAFF") if each["user"] == BOT]) == 1


@pytest.mark.parametrize("trouble", [RateLimited(30), ServerError(502), Says("internal_error")])
async def test_an_answer_that_slack_does_not_take_makes_it_send_the_event_again(
    desk: OnSlack, trouble: object
):
    fake = desk.fake
    said = fake.say(fake.direct("U0STAFF"), "U0STAFF", "request new question question:Why?")
    fake.trouble("chat.postMessage", trouble)  # type: ignore[arg-type]
    event = {**said, "channel_type": "im"}
    assert (await fake.event(event, event_id="Ev-same")).status == 503
    assert (await fake.event(event, event_id="Ev-same", retry=1)).status == 200
    [answer] = [each for each in fake.messages("DU0STAFF") if each["user"] == BOT]
    assert "REQ-1" in answer["text"]


async def test_an_answer_whose_receipt_was_lost_is_not_posted_again(desk: OnSlack):
    fake = desk.fake
    said = fake.say(fake.direct("U0STAFF"), "U0STAFF", "say back hello")
    fake.trouble("chat.postMessage", Lost())
    event = {**said, "channel_type": "im"}
    assert (await fake.event(event, event_id="Ev-same")).status == 503
    assert (await fake.event(event, event_id="Ev-same", retry=1)).status == 200
    assert len([each for each in fake.messages("DU0STAFF") if each["user"] == BOT]) == 1


async def test_more_buttons_than_one_sees_wait_behind_a_menu(desk: OnSlack):
    fake = desk.fake
    await fake.command("U0STAFF", "/say", "buttons", channel=ROOM)
    shown = fake.whispers("U0STAFF")[-1]
    kinds = [
        element["type"]
        for block in shown["blocks"]
        for element in block.get("elements", ())
        if "action_id" in element
    ]
    assert kinds == ["button"] * 6 + ["overflow", "overflow"]
    with pytest.raises(AssertionError, match="confirmation"):
        await fake.click(shown, "Really", "U0STAFF", confirm=False)
    await fake.click(shown, "Say 11", "U0STAFF")
    assert "number 11" in fake.whispers("U0STAFF")[-1]["text"]


async def test_an_answer_to_a_private_message_replaces_it(desk: OnSlack):
    fake = desk.fake
    await fake.command("U0STAFF", "/say", "buttons", channel=ROOM)
    await fake.click(fake.whispers("U0STAFF")[-1], "Say 1", "U0STAFF")
    assert [each["text"] for each in fake.whispers("U0STAFF")] == ["You said\nnumber 1"]


async def test_a_click_opens_a_form_where_one_is_needed(desk: OnSlack):
    fake = desk.fake
    await fake.command("U0STAFF", "/say", "buttons", channel=ROOM)
    await fake.click(fake.whispers("U0STAFF")[-1], "Form", "U0STAFF")
    view = fake.view("U0STAFF")
    await fake.submit(view, {"words": "from the form"})
    assert "from the form" in view.text


async def test_a_click_that_slack_cannot_answer_in_place_is_answered_in_private(desk: OnSlack):
    fake = desk.fake
    await fake.command("U0STAFF", "/say", "buttons", channel=ROOM)
    fake.trouble("response_url", ServerError(500))
    await fake.click(fake.whispers("U0STAFF")[-1], "Say 1", "U0STAFF")
    assert fake.messages("DU0STAFF")[-1]["text"] == "You said\nnumber 1"


async def test_a_message_becomes_a_request_that_keeps_its_link_and_its_words(desk: OnSlack):
    fake = desk.fake
    message = fake.say(ROOM, "U0OWNER", "Why is the door &lt;locked&gt;?")
    await fake.shortcut("U0STAFF", message)
    assert "REQ-1" in fake.whispers("U0STAFF")[-1]["text"]
    await fake.command("U0STAFF", "/desk", "REQ-1")
    shown = str(fake.whispers("U0STAFF")[-1])
    assert "Why is the door &lt;locked&gt;?" in shown
    assert fake.permalink(ROOM, message["ts"]) in shown


async def test_a_message_becomes_an_incident_by_shortcut_or_emoji(desk: OnSlack):
    fake = desk.fake
    message = fake.say(ROOM, "U0OWNER", "Mail is down everywhere")
    await fake.shortcut("U0STAFF", message, "make-incident")
    view = fake.view("U0STAFF")
    assert view.value("title") == "Mail is down everywhere"
    await fake.submit(view, {"service": "mail", "impact": "high", "urgency": "high"})
    assert "INC-1 is declared" in view.text
    other = fake.say(ROOM, "U0OWNER", "The tunnel is closed")
    await fake.react("U0STAFF", "fire", other)
    [told] = fake.messages("DU0STAFF")
    assert "A few details, please" in told["text"]
    await fake.command("U0STAFF", "/desk", "INC-1")
    assert fake.permalink(ROOM, message["ts"]) in str(fake.whispers("U0STAFF")[-1])


def asks_more(desk: OnSlack) -> dict[str, str]:
    """Let a message become a request that asks more than the message tells; returns answers to that."""
    theirs = desk.dispatcher.policy()
    asking = replace(theirs, organisation=replace(theirs.organisation, intake_offering="mailbox"))
    desk.dispatcher.policy = lambda: asking
    return {"owned_by": "U0OWNER", "outside": "no"}


async def test_a_request_made_in_a_form_keeps_the_message_too(desk: OnSlack):
    fake = desk.fake
    answers = asks_more(desk)
    message = fake.say(ROOM, "U0OWNER", "Why is the door locked?")
    await fake.shortcut("U0STAFF", message)
    view = fake.view("U0STAFF")
    assert "door" not in view.payload["private_metadata"], "a modal carries ids, not what people wrote"
    await fake.submit(view, answers)
    assert "REQ-1" in view.text
    await fake.command("U0STAFF", "/desk", "REQ-1")
    assert fake.permalink(ROOM, message["ts"]) in str(fake.whispers("U0STAFF")[-1])


async def test_a_request_that_was_held_back_keeps_the_message_too(desk: OnSlack):
    fake = desk.fake
    await fake.command("U0STAFF", "/request", "new question question:“Is the door locked?”")
    message = fake.say(ROOM, "U0OWNER", "Why is the door locked?")
    await fake.shortcut("U0STAFF", message)
    await fake.click(fake.whispers("U0STAFF")[-1], "File it anyway", "U0STAFF")
    assert "REQ-2 is filed" in fake.whispers("U0STAFF")[-1]["text"]
    await fake.command("U0STAFF", "/desk", "REQ-2")
    assert fake.permalink(ROOM, message["ts"]) in str(fake.whispers("U0STAFF")[-1])


async def test_an_emoji_makes_a_request_once_and_tells_the_person(desk: OnSlack):
    fake = desk.fake
    message = fake.say(ROOM, "U0OWNER", "Why is the door locked?")
    await fake.react("U0STAFF", "eyes", message)
    assert fake.called("conversations.replies") == []
    await fake.react("U0STAFF", "ticket::skin-tone-2", message)
    await fake.react("U0STAFF", "ticket", message)
    [told] = fake.messages("DU0STAFF")
    assert "REQ-1" in told["text"]
    assert len(fake.called("conversations.replies")) == 1
    await fake.command("U0STAFF", "/desk", "REQ-1")
    shown = str(fake.whispers("U0STAFF")[-1])
    assert "Why is the door locked?" in shown
    assert fake.permalink(ROOM, message["ts"]) in shown


async def test_an_emoji_that_needs_more_offers_a_form_which_keeps_the_message(desk: OnSlack):
    fake = desk.fake
    answers = asks_more(desk)
    message = fake.say(ROOM, "U0OWNER", "Why is the door locked?")
    await fake.react("U0STAFF", "ticket", message)
    await fake.click(fake.messages("DU0STAFF")[-1], "Fill in the form", "U0STAFF")
    view = fake.view("U0STAFF")
    await fake.submit(view, answers)
    assert "REQ-1" in view.text
    await fake.command("U0STAFF", "/desk", "REQ-1")
    shown = str(fake.whispers("U0STAFF")[-1])
    assert fake.permalink(ROOM, message["ts"]) in shown
    assert "Why is the door locked?" in shown


async def test_a_message_the_desk_may_not_read_still_makes_a_request(
    desk: OnSlack, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bot.adapters.slack.app._READ_PATIENCE", 0.05)
    fake = desk.fake
    message = fake.say(ROOM, "U0OWNER", "Why?")
    for trouble in (Says("not_in_channel"), Hang()):
        fake.trouble("conversations.replies", trouble)
    await fake.react("U0STAFF", "ticket", message)
    await fake.react("U0AGENT", "ticket", message)
    for person in ("STAFF", "AGENT"):
        offer = fake.messages(f"DU0{person}")[-1]
        assert "Fill in the form" in words(offer["blocks"])


async def test_the_home_tab_shows_what_is_mine_and_its_buttons_work(desk: OnSlack):
    fake = desk.fake
    await fake.command("U0STAFF", "/request", "new question question:Why?")
    await fake.open_home("U0STAFF")
    home = fake.homes["U0STAFF"]
    assert "REQ-1" in words(home["blocks"])
    await fake.click(home, "Ask for something", "U0STAFF")
    assert "offering" in fake.view("U0STAFF").inputs
    published = len(fake.called("views.publish"))
    await fake.click(home, "My requests", "U0STAFF")
    assert len(fake.called("views.publish")) == published + 1, "the tab is drawn anew after a click"


async def test_someone_of_a_connected_organisation_is_known_by_their_own_workspace(desk: OnSlack):
    fake = desk.fake
    await fake.message("U0STAFF", "desk whoami", user_team="T0OTHER")
    assert "Sam Staff" not in fake.messages("DU0STAFF")[-1]["text"]


async def test_what_the_desk_does_not_know_is_answered_calmly(desk: OnSlack):
    await desk.fake.mention("U0STAFF", "thanks!", ROOM)
    assert "do not know “thanks!”" in desk.fake.whispers("U0STAFF")[-1]["text"]
    await desk.fake.mention("U0STAFF", "", ROOM)
    assert "What I can do for you" in desk.fake.whispers("U0STAFF")[-1]["text"]


async def test_the_whole_conversation_goes_through_socket_mode(opened: Opened):
    async with opened(socket=True) as desk:
        fake = desk.fake
        answer = await fake.command("U0STAFF", "/say", "back the payload <@U0OWNER>", channel=ROOM)
        assert "@slack:T0DESKBELL:U0OWNER" in answer.body["text"]
        assert (await fake.command("U0STAFF", "/request", "new laptop", channel=ROOM)).text == ""
        view = fake.view("U0STAFF")
        await fake.choose(view, "model", "Strong 16 inch")
        answers = {"why_strong": "builds", "replaces": "no", "needed_by": "2026-12-01"}
        await fake.submit(view, answers)
        assert "REQ-1" in view.text
        await fake.mention("U0STAFF", "say aloud hello", ROOM)
        assert fake.messages(ROOM)[-1]["text"] == "✅ Done: hello"
        assert desk.adapter.routes(), "both ways may be open"
        assert fake.refused == []


async def test_when_slack_asks_for_it_the_desk_connects_anew(opened: Opened):
    async with opened(socket=True) as desk:
        await desk.fake.connected()
        await desk.fake.disconnect()
        await desk.fake.connected()
        answer = await desk.fake.command("U0STAFF", "/say", "back hello")
        assert "hello" in answer.body["text"]
