"""Ten minutes without Slack: is anything lost or doubled, is Slack left in peace, and is the rest soon said?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from bot.adapters.slack.limits import MESSAGES_A_SECOND
from handlers.delivery import RESTS, SOONEST
from handlers.outgoing import AT_REST
from storage.models.flow import OutboxRow
from tests.harness.discord_wire import texts
from tests.harness.slack import Call
from tests.harness.troubles import Hang, Lost, RateLimited, ServerError, Trouble
from tests.survival import program
from tests.survival.audit import every, reckon
from tests.survival.conftest import in_full, on, sized
from tests.survival.world import World, slack_direct

AWAY = timedelta(minutes=10)
EVERY = timedelta(seconds=sized(100, 10))  # how often something is said meanwhile
PATIENCE = {program.CALL_TIMEOUT: "0.1"}
"""How long a call may hang, in seconds: time stands meanwhile. A busy machine takes as long now and then, so what
is answered at once is given the usual time."""
SECOND_WAY_WITHIN = timedelta(seconds=60)
POSTS = ("chat.postMessage", "chat.update")
SEARCHES = ("conversations.history", "conversations.replies")


def fails_with(trouble: Trouble) -> Callable[[str], Trouble | None]:
    """What is lost is lost when something is said; else Slack does not answer at all."""
    return lambda method: trouble if method in POSTS or not isinstance(trouble, Lost) else None


def posts_by_channel(world: World, since: datetime) -> dict[str, list[Call]]:
    """What was sent where."""
    found: dict[str, list[Call]] = defaultdict(list)
    for call in world.slack.calls:
        if call.method in POSTS and call.at >= since:
            found[call.args["channel"]].append(call)
    return found


@pytest.fixture
def busy(world: World) -> World:
    """A world with two requests in two rooms, of which everybody was told."""
    world.say("staff", 'request new question "Which one?"')
    world.say("staff", "request new vpn-access abroad:no")
    world.say("manager", "request approve REQ-2")
    world.say("agent", "request take REQ-1")
    world.say("oncall", "request take REQ-2")
    desk = world.start()
    desk.wait_ready()
    world.settle()
    desk.kill()
    return world


def talk_on(world: World, number: int) -> None:
    """What people say in the meantime: a word in either room's thread, and one to the requester."""
    world.say("staff", f"request comment REQ-1 Word {number}")
    world.say("agent", f"request comment REQ-1 Answer {number}")
    world.say("staff", f"request comment REQ-2 Word {number}")


@on("sqlite")
@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(RateLimited(30), id="429"),
        pytest.param(ServerError(503), id="503", marks=in_full),  # as below, where the desk starts meanwhile
        pytest.param(Hang(), id="hangs"),
        pytest.param(Lost(), id="answers get lost"),
    ],
)
def test_ten_minutes_without_slack_lose_and_double_nothing(
    busy: World, trouble: Trouble, say: Callable[[str], None]
):
    world, number = busy, 0
    world.start(settings=PATIENCE if isinstance(trouble, Hang | Lost) else {}).wait_ready()
    with world.clock.held():  # else what the machine needs would count as Slack's time
        began = world.clock.now()
        world.slack.troubles.always = fails_with(trouble)
        world.say("staff", "incident declare The network is down service:network impact:high urgency:high")
        world.say("staff", "incident declare Mail is lost service:mail impact:high urgency:high")
        while world.clock.now() - began < AWAY:
            number += 1
            talk_on(world, number)
            world.spend(EVERY, dues=True)
            if number == 1:
                world.say("oncall", "incident ack INC-1", "discord")
        back_at = world.clock.now()
        on_discord = waits(world, "discord", back_at - AT_REST)
        world.slack.troubles.always = lambda method: None
        world.settle()

    found = reckon(world, ())
    sent = posts_by_channel(world, began)
    waited = {row.said_as for row in every(world, OutboxRow) if row.created_at <= back_at}
    after = {
        channel: [call.at for call in calls if call.done and call.at >= back_at and key_of(call) in waited]
        for channel, calls in sent.items()
    }
    lanes = {channel: moments for channel, moments in after.items() if moments}
    noticed = max((min(moments) - back_at for moments in lanes.values()), default=timedelta())
    drained = max((max(moments) - min(moments) for moments in lanes.values()), default=timedelta())
    probes = most_in_a_minute(sent, began + timedelta(minutes=1), back_at)
    say(
        f"{trouble}: {number * 3} things said in {AWAY}; {found}; at most {probes} calls a minute to a channel; "
        f"its return noticed after {noticed.total_seconds():.0f} s, drained in {drained.total_seconds():.0f} s more"
    )
    assert found.lost == []
    assert not found.shown_twice
    assert on_discord == [], "what goes elsewhere does not wait"
    assert too_early(sent) == []
    for ref in ("INC-1", "INC-2"):
        assert first_page_elsewhere(world, ref) - began <= SECOND_WAY_WITHIN
    held = [each for each in sent[slack_direct("oncall")] if each.done and each.at >= back_at]
    assert not [each for each in held if key_of(each).startswith("INC-1/page")], "it is acknowledged"
    if isinstance(trouble, Lost):
        return
    assert not [call for calls in sent.values() for call in calls if call.done and call.at < back_at]
    assert probes <= 2
    assert max(len(moments) for moments in lanes.values()) >= number
    for channel, moments in lanes.items():
        physical = timedelta(seconds=(len(moments) - 1) / MESSAGES_A_SECOND)
        assert max(moments) - min(moments) <= 1.1 * physical + doubted(world, channel, back_at), channel
    assert noticed <= RESTS


def waits(world: World, platform: str, since: datetime) -> list[str]:
    """What might have left a platform at that instant, and has not."""
    rows = [each for each in every(world, OutboxRow) if each.open and each.platform == platform]
    return [each.key for each in rows if each.next_at <= since]


def doubted(world: World, channel: str, since: datetime) -> timedelta:
    """What it cost a lane to ask for messages of which nobody knew whether they had arrived; only what hung is such."""
    searches = [each for each in world.slack.calls if each.method in SEARCHES and each.at >= since]
    mine = [each for each in searches if each.args.get("channel") == channel]
    return len(mine) * (SOONEST + timedelta(seconds=1 / MESSAGES_A_SECOND))


def key_of(call: Call) -> str:
    """The key of the message that a call was to send."""
    return str(call.args["metadata"]["event_payload"]["key"])


def first_page_elsewhere(world: World, ref: str) -> datetime:
    """When somebody was woken first by something other than Slack."""
    letters = [each.at for each in world.mail.letters if ref in str(each.message["Subject"])]
    told = [each for hang in world.discord.rooms.values() for each in hang if ref in texts(each)]
    woken = [datetime.fromisoformat(each["timestamp"]) for each in told if "Why you" in texts(each)]
    return min(letters + woken)


def most_in_a_minute(sent: Mapping[str, Sequence[Call]], since: datetime, until: datetime) -> int:
    """How often a channel was tried within a minute, at most."""
    return max(
        sum(call.at <= other.at < call.at + timedelta(minutes=1) for other in calls)
        for calls in sent.values()
        for call in calls
        if since <= call.at < until - timedelta(minutes=1)
    )


def too_early(sent: Mapping[str, Sequence[Call]]) -> list[str]:
    """Calls to a channel before the time that Slack had named."""
    return [
        f"{channel}: {later.at} after {call.at}"
        for channel, calls in sent.items()
        for call, later in pairwise(calls)
        if call.answered == "RateLimited" and later.at - call.at < timedelta(seconds=30)
    ]


@on("sqlite")
def test_a_desk_that_starts_while_slack_is_away_loses_nothing_of_what_waits(
    busy: World, say: Callable[[str], None]
):
    world = busy
    world.slack.troubles.always = fails_with(ServerError(503))
    talk_on(world, 1)
    world.start().wait_ready()
    world.spend(timedelta(minutes=20))
    world.slack.troubles.always = lambda method: None
    world.settle()

    found = reckon(world, ())
    say(f"started without Slack, which came back after 20 minutes: {found}")
    assert found.lost == []
    assert not found.shown_twice
