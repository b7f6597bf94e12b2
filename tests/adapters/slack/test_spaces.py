"""A channel of its own for an incident: opened once, found again, lived in, and left when people archive it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.adapters.port import Delivered, Delivery, GiveUp, TryAgain
from bot.adapters.slack import limits
from bot.adapters.slack.deliver import Failed
from bot.courier import Courier
from config.policy import Policy
from handlers.messages import Command, Place, Reply, Sender, Tone
from storage.database import Database
from storage.models.flow import OutboxRow
from storage.unit_of_work import Records
from tests.adapters.slack.conftest import INCIDENT_ROOM, OnSlack, Opened
from tests.harness.slack import BOT, TEAM
from tests.harness.troubles import Lost, RateLimited, Says, ServerError

NAME = "inc-7-mail-is-down"
DECLARE = "incident declare mail is down & <gone> service:mail impact:high urgency:high"


def wish(name: str = NAME, invite: tuple[str, ...] = ("U0STAFF", "U0ONCALL")) -> Delivery:
    """A channel that is to be opened."""
    return Delivery("INC-7/space", "space", {"space": name, "invite": invite}, Reply(title="INC-7 · a < b"))


# The adapter


async def test_a_channel_is_opened_with_its_topic_and_those_involved(desk: OnSlack):
    result = await desk.adapter.deliver(wish())
    assert isinstance(result, Delivered)
    channel = str(result.thread)
    assert result == Delivered({"channel": channel, "name": NAME}, thread=channel)
    assert desk.fake.channels[channel] == {
        "id": channel,
        "name": NAME,
        "creator": BOT,
        "topic": "INC-7 · a < b",
    }
    assert desk.fake.members[channel] == {BOT, "U0STAFF", "U0ONCALL"}


async def test_a_channel_that_an_earlier_attempt_opened_is_found_again_on_any_page(desk: OnSlack):
    desk.fake.page = 2
    for number in range(5):
        desk.fake.channel(f"C0OTHER{number}", name=f"other-{number}", creator="U0STAFF")
    desk.fake.trouble("conversations.create", Lost())
    lost = await desk.adapter.deliver(wish())
    assert isinstance(lost, TryAgain)
    assert lost.unknown
    found = await desk.adapter.find(wish())
    assert isinstance(found, Delivered)
    assert desk.fake.members[str(found.thread)] == {BOT, "U0STAFF", "U0ONCALL"}, "it is furnished as well"
    assert await desk.adapter.deliver(wish()) == found
    assert desk.fake.refused.pop(0)[:2] == ("conversations.create", "name_taken")
    desk.fake.refused.clear()  # who is in it already cannot be invited again
    assert [each["name"] for each in desk.fake.channels.values()].count(NAME) == 1


async def test_nothing_is_found_where_nothing_was_opened(desk: OnSlack):
    assert await desk.adapter.find(wish()) is None
    desk.fake.channel("C0THEIRS", name=NAME, creator="U0STAFF")
    assert await desk.adapter.find(wish()) is None


async def test_a_name_that_somebody_else_has_taken_is_given_up(desk: OnSlack):
    desk.fake.channel("C0THEIRS", name=NAME, creator="U0STAFF")
    assert await desk.adapter.deliver(wish()) == GiveUp("name_taken")
    desk.fake.refused.clear()


@pytest.mark.parametrize(
    ("trouble", "result"),
    [
        (RateLimited(30), TryAgain("ratelimited", after=30.0)),
        (ServerError(503), TryAgain("Slack answered 503", unknown=True)),
        (Says("invalid_auth"), TryAgain("invalid_auth")),
        (Says("missing_scope"), GiveUp("missing_scope: install the app anew from its manifest")),
        (Says("restricted_action"), GiveUp("restricted_action")),
    ],
)
async def test_what_became_of_it_is_told_by_slacks_answer(desk: OnSlack, trouble: Any, result: Any):
    desk.fake.trouble("conversations.create", trouble)
    assert await desk.adapter.deliver(wish()) == result


async def test_a_search_that_fails_opens_nothing_until_it_succeeds(desk: OnSlack):
    desk.fake.trouble("conversations.list", RateLimited(20))
    with pytest.raises(Failed):
        await desk.adapter.find(wish())
    desk.fake.scopes.remove("channels:read")
    assert await desk.adapter.find(wish()) is None, "opening tells whether the name is taken"
    desk.fake.refused.clear()


@pytest.mark.parametrize("method", ["conversations.invite", "conversations.setTopic"])
async def test_a_channel_stands_although_it_could_not_be_furnished(desk: OnSlack, method: str):
    desk.fake.trouble(method, RateLimited(5))
    assert isinstance(await desk.adapter.deliver(wish()), Delivered)


async def test_an_account_that_is_gone_keeps_nobody_else_out(desk: OnSlack):
    result = await desk.adapter.deliver(wish(invite=("U0GONE", "U0STAFF")))
    assert isinstance(result, Delivered)
    assert desk.fake.members[str(result.thread)] == {BOT, "U0STAFF"}


# The desk


@pytest.fixture
def in_channels(policy: Policy) -> Policy:
    """The example organisation, whose incidents have channels of their own."""
    assert policy.incidents
    return replace(policy, incidents=replace(policy.incidents, space="channel"))


def say(
    desk: OnSlack, person: str, line: str, channel: str = INCIDENT_ROOM, thread: str | None = None
) -> Reply:
    """A line said on Slack, without the wire."""
    sender = Sender(platform="slack", workspace=TEAM, user=f"U0{person.upper()}")
    place = Place(platform="slack", channel=channel, thread=thread)
    key = f"test/{line}/{desk.clock.now().isoformat()}"
    return desk.dispatcher.run(Command(line=line, sender=sender, place=place, key=key))


async def courier(desk: OnSlack, **length: float) -> None:
    """Send what waits; then, with a length of time, what waits after it."""
    worker = Courier(desk.dispatcher, {"slack": desk.adapter}, desk.clock, "first")
    for _ in range(20):  # a lane rests a second after each message
        await worker.drain()
        desk.clock.move(timedelta(seconds=1))
    if length:
        desk.clock.move(timedelta(**length))
        await courier(desk)


def own_channel(desk: OnSlack) -> str:
    """The channel of INC-1."""
    return next(key for key, each in desk.fake.channels.items() if each["name"].startswith("inc-1-"))


def texts(desk: OnSlack, channel: str) -> list[str]:
    """The first lines of what hangs in a channel, `>` before what is said in a thread."""
    return [
        ("> " if each.get("thread_ts") else "") + each["text"].split("\n")[0]
        for each in desk.fake.messages(channel)
    ]


def rows(desk: OnSlack, kind: str) -> list[OutboxRow]:
    """Messages about INC-1 of a kind."""
    with desk.dispatcher.database.reading() as session:
        return [each for each in Records(session).outbox.of("INC-1") if each.kind == kind]


async def test_an_incident_is_worked_on_in_its_channel_and_commands_there_know_it(
    opened: Opened, in_channels: Policy, database: Database
):
    async with opened(database=database, ruled=in_channels) as desk:
        assert say(desk, "staff", DECLARE).title.startswith("INC-1 is declared")
        say(desk, "oncall", "incident ack INC-1")
        await courier(desk)
        channel = own_channel(desk)
        assert desk.fake.channels[channel]["name"] == "inc-1-mail-is-down-gone"
        assert desk.fake.members[channel] >= {BOT, "U0STAFF", "U0ONCALL"}, "who declared it and who was woken"
        assert "INC-1 · SEV1" in texts(desk, INCIDENT_ROOM)[0]
        [card] = desk.fake.messages(channel)
        assert "INC-1 · SEV1" in card["text"]
        assert "Worked on in: #inc-1-mail-is-down-gone on slack" in card["text"]

        before = texts(desk, INCIDENT_ROOM)
        assert say(desk, "oncall", "incident update the disk is full", channel).title.endswith("INC-1")
        assert (
            say(desk, "oncall", "incident workaround use the web", channel, thread="1.000001").subject
            == "INC-1"
        )
        await courier(desk)
        assert texts(desk, INCIDENT_ROOM) == before, "the words are in the channel"
        hung, *words = desk.fake.messages(channel)
        assert hung["ts"] == card["ts"]
        assert "the disk is full" in hung["text"], "the card there is edited in place as well"
        assert "the disk is full" in "\n".join(each["text"] for each in words)
        assert not any(each.get("thread_ts") for each in words)
        await courier(desk, hours=1)
        assert len(desk.fake.called("conversations.create")) == 1


async def test_who_joins_later_is_let_into_its_channel(
    opened: Opened, in_channels: Policy, database: Database
):
    async with opened(database=database, ruled=in_channels) as desk:
        say(desk, "staff", DECLARE)
        await courier(desk)
        channel, furnished = own_channel(desk), len(desk.fake.called("conversations.setTopic"))
        assert desk.fake.members[channel] == {BOT, "U0STAFF", "U0ONCALL"}
        for person, line in (
            ("manager", "incident follow INC-1"),
            ("oncall", "incident communications INC-1 @backup"),
            ("backup", "incident page INC-1 @agent"),
            ("oncall", "incident ack INC-1"),
        ):
            assert say(desk, person, line).tone is not Tone.BAD
        desk.fake.trouble("conversations.invite", RateLimited(3), Lost())
        await courier(desk, minutes=1)
        joined = {"U0MANAGER", "U0BACKUP", "U0AGENT"}
        assert desk.fake.members[channel] == {BOT, "U0STAFF", "U0ONCALL"} | joined
        assert len(desk.fake.called("conversations.setTopic")) == furnished
        assert len(desk.fake.called("conversations.create")) == 1
        assert {row.state for row in rows(desk, "space")} == {"sent"}


async def test_nobody_is_let_into_a_channel_that_was_left(opened: Opened, in_channels: Policy):
    async with opened(ruled=in_channels) as desk:
        desk.fake.trouble("conversations.create", Says("restricted_action"))
        say(desk, "staff", DECLARE)
        say(desk, "manager", "incident follow INC-1")
        await courier(desk)
        states = [(row.state, row.reason) for row in rows(desk, "space")]
        assert states[0] == ("given up", "restricted_action")
        assert set(states[1:]) == {("skipped", "INC-1 has no channel of its own")}
        assert desk.fake.called("conversations.invite") == []


async def test_nothing_waits_for_a_channel_that_cannot_be_opened_yet(opened: Opened, in_channels: Policy):
    async with opened(ruled=in_channels) as desk:
        desk.fake.trouble("conversations.create", RateLimited(120))
        say(desk, "staff", DECLARE)
        say(desk, "oncall", "incident ack INC-1")
        say(desk, "oncall", "incident update INC-1 the disk is full")
        await courier(desk)
        assert desk.fake.channels == {}
        said = texts(desk, INCIDENT_ROOM)
        assert any(each.startswith("> ") for each in said), "it is said below the card"
        await courier(desk, seconds=120)
        assert desk.fake.channels[own_channel(desk)]["topic"] == "INC-1 · SEV1 · mail is down & <gone>"
        assert texts(desk, INCIDENT_ROOM) == said


async def test_a_channel_whose_opening_nobody_heard_of_is_opened_once(opened: Opened, in_channels: Policy):
    async with opened(ruled=in_channels) as desk:
        desk.fake.trouble("conversations.create", Lost())
        say(desk, "staff", DECLARE)
        await courier(desk)
        assert len(desk.fake.called("conversations.create")) == 1
        assert {row.state for row in rows(desk, "space")} == {"sent"}
        assert len(desk.fake.messages(own_channel(desk))) == 1, "the card hangs there"


async def test_a_channel_without_its_scope_shows_as_missing_and_is_repaired(
    opened: Opened, in_channels: Policy
):
    async with opened(ruled=in_channels) as desk:
        desk.fake.scopes.remove("channels:manage")
        say(desk, "staff", DECLARE)
        say(desk, "oncall", "incident ack INC-1")
        await courier(desk)
        shown = desk.dispatcher.look("INC-1").card
        missing = next(each for each in shown.facts if each.label == "No channel on slack")
        assert "missing_scope" in str(missing.value)
        assert "Repair" in [each.label for each in shown.buttons]
        desk.fake.scopes.add("channels:manage")
        assert say(desk, "oncall", "incident repair INC-1").title == "1 message of INC-1 on the way again"
        await courier(desk)
        assert desk.fake.members[own_channel(desk)] >= {BOT, "U0STAFF"}
        assert "Repair" not in [each.label for each in desk.dispatcher.look("INC-1").card.buttons]


async def test_a_channel_that_people_archived_is_left_and_no_word_is_lost(
    opened: Opened, in_channels: Policy, database: Database
):
    async with opened(database=database, ruled=in_channels) as desk:
        say(desk, "staff", DECLARE)
        say(desk, "oncall", "incident ack INC-1")
        await courier(desk)
        channel = own_channel(desk)
        desk.fake.archived.add(channel)
        say(desk, "oncall", "incident update INC-1 the disk is full")
        await courier(desk)
        below = [each["text"] for each in desk.fake.messages(INCIDENT_ROOM) if each.get("thread_ts")]
        assert any("the disk is full" in each for each in below)
        assert "Worked on in" not in str(desk.dispatcher.look("INC-1").card)
        tries = len(desk.fake.refused)
        say(desk, "oncall", "incident resolve INC-1 made room")
        await courier(desk)
        assert len(desk.fake.refused) == tries, "nothing is tried there any more"
        assert "made room" in desk.fake.messages(INCIDENT_ROOM)[0]["text"]
        with desk.dispatcher.database.reading() as session:
            assert Records(session).outbox.listed(["given up"]) == [], "nobody is bothered with it"
        assert say(desk, "oncall", "incident reopen it is back", channel).subject != "INC-1", (
            "nobody's channel now"
        )


async def test_an_incident_that_is_over_asks_for_no_channel_any_more(opened: Opened, in_channels: Policy):
    async with opened(ruled=in_channels) as desk:
        say(desk, "staff", DECLARE)
        say(desk, "oncall", "incident ack INC-1")
        say(desk, "oncall", "incident resolve INC-1 made room")
        await courier(desk)
        assert {row.state for row in rows(desk, "space")} == {"skipped"}
        assert desk.fake.channels == {}


async def test_incidents_that_are_worked_on_in_threads_ask_for_no_channel(opened: Opened, policy: Policy):
    async with opened() as desk:
        say(desk, "staff", DECLARE)
        assert rows(desk, "space") == []


async def test_a_long_title_makes_a_name_that_slack_takes(opened: Opened, in_channels: Policy):
    async with opened(ruled=in_channels) as desk:
        say(desk, "staff", f"incident declare {'Größe ' * 30}service:mail impact:low urgency:low")
        [row] = rows(desk, "space")
        assert len(row.place["space"]) <= limits.CHANNEL_NAME
        assert row.place["space"].startswith("inc-1-gro")
        await courier(desk)
        assert own_channel(desk)


async def test_erasing_a_person_forgets_the_name_that_their_words_gave_a_channel(
    opened: Opened, in_channels: Policy
):
    async with opened(ruled=in_channels) as desk:
        say(desk, "staff", DECLARE)
        await courier(desk)
        assert "mail-is-down" in rows(desk, "space")[0].place["space"]
        say(desk, "owner", "privacy erase @staff")
        assert rows(desk, "space")[0].place["space"] == "inc-1"
        worked = next(
            each for each in desk.dispatcher.look("INC-1").card.facts if each.label == "Worked on in"
        )
        assert "mail" not in str(worked.value)
