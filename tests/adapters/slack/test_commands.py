"""Slash commands: what is typed arrives, and the acknowledgement carries the answer."""

import pytest

from bot.adapters.slack import limits
from tests.adapters.slack.conftest import ROOM, OnSlack, Opened
from tests.harness.slack import words
from tests.harness.slack_rules import texts, unsafe
from tests.harness.troubles import ServerError


async def test_the_acknowledgement_carries_the_answer(desk: OnSlack):
    answer = await desk.fake.command("U0STAFF", "/say", "back hello", channel=ROOM)
    assert answer.status == 200
    assert answer.body["response_type"] == "ephemeral"
    assert "hello" in words(answer.body["blocks"])
    assert answer.body["text"] == "You said\nhello"


async def test_a_room_sees_an_answer_only_when_it_gains_from_it(desk: OnSlack):
    await desk.fake.command("U0STAFF", "/say", "back hello", channel=ROOM)
    await desk.fake.command("U0STAFF", "/say", "aloud the printer works", channel=ROOM)
    assert [each["text"] for each in desk.fake.messages(ROOM)] == ["✅ Done: the printer works"]


async def test_a_command_alone_explains_its_noun(desk: OnSlack):
    await desk.fake.command("U0STAFF", "/request")
    assert "request list" in desk.fake.whispers("U0STAFF")[-1]["text"]


async def test_a_reference_alone_shows_the_ticket_or_says_that_there_is_none(desk: OnSlack):
    answer = await desk.fake.command("U0STAFF", "/desk", "req-99")
    assert "REQ-99" in answer.body["text"]


async def test_the_prefix_stands_before_every_command(opened: Opened):
    async with opened(prefix="acme-") as desk:
        answer = await desk.fake.command("U0STAFF", "/acme-say", "back hello")
        assert "hello" in answer.body["text"]


async def test_a_text_that_says_payload_is_still_a_command(desk: OnSlack):
    answer = await desk.fake.command("U0STAFF", "/say", "back the payload is broken")
    assert "payload is broken" in answer.body["text"]


async def test_what_people_write_comes_back_harmless(desk: OnSlack):
    hostile = "&lt;!channel&gt; <@U0OWNER|olga> &amp;lt;!here&amp;gt; <https://evil.example|bank.example>"
    answer = await desk.fake.command("U0STAFF", "/say", f"back {hostile}")
    found = [bad for text in texts(answer.body) for bad in unsafe(text["text"], text["type"] == "mrkdwn")]
    assert found == []
    assert unsafe(answer.body["text"], markup=False) == []
    shown = words(answer.body["blocks"])
    assert "<!channel> @slack:T0DESKBELL:U0OWNER &lt;!here&gt; bank.example" in shown
    assert "https://evil.example" in shown


async def test_the_same_command_sent_again_has_one_effect(desk: OnSlack):
    fake = desk.fake
    text = "new question question:Why?"
    first = await fake.command("U0STAFF", "/request", text, trigger_id="1.same")
    again = await fake.command("U0STAFF", "/request", text, trigger_id="1.same")
    assert first.body == again.body
    await fake.command("U0STAFF", "/request", "list mine")
    listed = fake.whispers("U0STAFF")[-1]["text"]
    assert "REQ-1" in listed
    assert "REQ-2" not in listed


async def test_a_long_answer_comes_in_several_messages(desk: OnSlack):
    await desk.fake.command("U0STAFF", "/say", "long", channel=ROOM)
    await desk.adapter.stop()
    shown = desk.fake.whispers("U0STAFF")
    assert len(shown) > 1
    heard = " ".join(words(each["blocks"]) for each in shown).split()
    assert [f"word-{number}" for number in range(4000)] == [
        word for word in heard if word.startswith("word-")
    ]


async def test_a_table_is_native_where_slack_has_it_and_lines_where_not(opened: Opened):
    async with opened() as desk:
        await desk.fake.command("U0STAFF", "/say", "table")
        await desk.fake.command("U0STAFF", "/say", "table")
        first, second = desk.fake.whispers("U0STAFF")
        assert "data_table" in [block["type"] for block in first["blocks"]]
        assert first["blocks"] == second["blocks"]
        assert len(desk.fake.called("response_url")) == 1, "once it is known, the acknowledgement carries it"
    async with opened(tables=False) as desk:
        await desk.fake.command("U0STAFF", "/say", "table")
        await desk.fake.command("U0STAFF", "/say", "table")
        shown = desk.fake.whispers("U0STAFF")
        assert ["data_table" in str(each["blocks"]) for each in shown] == [False, False]
        assert "REQ-2 · What: new <!channel> laptop · Due: <!date^" in words(shown[0]["blocks"])
        assert [refused[0] for refused in desk.fake.refused] == ["response_url"], "it is tried once"


async def test_an_answer_that_cannot_be_tried_is_acknowledged_in_lines(desk: OnSlack):
    desk.fake.trouble("response_url", ServerError(503))
    answer = await desk.fake.command("U0STAFF", "/say", "table")
    assert "REQ-2" in words(answer.body["blocks"])


async def test_a_file_is_handed_over_in_private_once(desk: OnSlack):
    for _ in range(2):
        await desk.fake.command("U0STAFF", "/say", "file", channel=ROOM, trigger_id="1.file")
    await desk.adapter.stop()
    [file] = desk.fake.files
    assert file == {
        "name": "export.csv",
        "length": 8,
        "text": "a,b\n1,2\n",
        "channel": "DU0STAFF",
        "thread_ts": None,
    }


@pytest.mark.parametrize(("extra", "refused"), [(0, False), (1, True)])
async def test_a_line_has_its_limit(desk: OnSlack, extra: int, refused: bool):
    words_ = "x" * 3000 + "y" * extra
    answer = await desk.fake.command("U0STAFF", "/say", f"back {words_}")
    assert ("3000 are allowed" in answer.body["text"]) is refused
    assert len(answer.body["text"]) <= limits.MESSAGE_TEXT_GOOD


async def test_a_stranger_is_met_and_a_guest_is_not(desk: OnSlack):
    met = await desk.fake.command(desk.fake.person("U0NEW", "Nia New"), "/desk", "whoami")
    assert "Nia New" in str(met.body)
    guest = {"real_name": "Gus", "is_restricted": True}
    await desk.fake.message(desk.fake.person("U0GUEST"), "desk whoami", user_profile=guest)
    assert "do not know this account" in desk.fake.messages("DU0GUEST")[-1]["text"]
