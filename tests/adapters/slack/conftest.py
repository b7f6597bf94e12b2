"""A desk of the example organisation that is reached through a stand-in Slack alone."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from starlette.applications import Starlette

from bot.adapters.port import Ear
from bot.adapters.slack.app import SlackAdapter
from bot.clock import VirtualClock
from config.policy import Account, Policy
from handlers import registry
from handlers.declare import Commands
from handlers.dispatch import Dispatcher
from storage.database import Database
from tests.adapters.slack import sayings
from tests.harness.house import MONDAY
from tests.harness.slack import APP_TOKEN, BOT_TOKEN, SECRET, TEAM, FakeSlack

ROOM, INCIDENT_ROOM = "C0REQUESTS", "C0ONCALL"


@dataclass
class OnSlack:
    """A desk, its adapter, and the workspace around it."""

    fake: FakeSlack
    adapter: SlackAdapter
    dispatcher: Dispatcher
    clock: VirtualClock


def on_slack(policy: Policy) -> Policy:
    """The policy with an account for everyone (`staff` is `U0STAFF`) and the request room as a channel."""
    people = {
        key: replace(each, accounts=(Account("slack", TEAM, f"U0{key.upper()}"),))
        for key, each in policy.people.items()
    }
    places = {"requests": ROOM, "on-call": INCIDENT_ROOM}
    rooms = {
        **policy.rooms,
        **{key: replace(policy.rooms[key], places={"slack": places[key]}) for key in places},
    }
    return replace(policy, people=people, rooms=rooms, version="on-slack")


Opened = Callable[..., Any]


@pytest.fixture
def opened(sqlite: Database, policy: Policy) -> Opened:
    """Open a desk: `async with opened(socket=True, tables=False) as desk`."""

    @asynccontextmanager
    async def open_(
        socket: bool = False,
        tables: bool = True,
        database: Database = sqlite,
        prefix: str = "",
        ruled: Policy = policy,
    ) -> AsyncIterator[OnSlack]:
        clock = VirtualClock(MONDAY)
        commands = Commands([*registry.CAPABILITIES, sayings])
        theirs = on_slack(ruled)
        dispatcher = Dispatcher(commands, lambda: theirs, database, clock.now, ["slack"])
        fake = await FakeSlack(clock.now, tables=tables).start()
        for key in theirs.people:
            fake.person(f"U0{key.upper()}", theirs.people[key].name)
        fake.channel(ROOM, *fake.users)
        fake.channel(INCIDENT_ROOM, *fake.users)
        adapter = SlackAdapter(
            Ear(dispatcher),
            clock.now,
            bot_token=BOT_TOKEN,
            signing_secret=SECRET,
            app_token=APP_TOKEN if socket else None,
            api_url=fake.api_url,
            prefix=prefix,
        )
        try:
            await adapter.start()
            if not socket:
                fake.reach(Starlette(routes=adapter.routes()))
            yield OnSlack(fake, adapter, dispatcher, clock)
        finally:
            await adapter.stop()
            await fake.stop()

    return open_


@pytest.fixture
async def desk(opened: Opened) -> AsyncIterator[OnSlack]:
    """A desk over HTTPS. Whatever Slack refused of it fails the test."""
    async with opened() as found:
        yield found
        assert found.fake.refused == []
