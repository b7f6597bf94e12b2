"""Does the connection hold: up, down, up again, and out without a gateway?"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import discord
import pytest

from bot import clock
from bot.adapters.discord import app, limits
from bot.adapters.discord.app import DiscordAdapter
from bot.adapters.port import Delivered, Delivery, Ear, TryAgain
from bot.clock import SystemClock
from config.policy import Policy
from handlers.dispatch import Dispatcher
from handlers.messages import Reply
from storage.database import Database
from tests.adapters.discord.conftest import COMMANDS
from tests.flow.conftest import until
from tests.harness.discord import Drawer, adapter_for
from tests.harness.discord_wire import Wire

Make = Callable[[], DiscordAdapter]
HELLO = Delivery("k/1", "message", {"channel": "7"}, Reply(title="Hello"))


@pytest.fixture
async def wire(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wire]:
    """Discord on loopback; the addresses it takes the place of come back afterwards."""
    monkeypatch.setattr(discord.http.Route, "BASE", discord.http.Route.BASE)
    gateway = discord.gateway.DiscordWebSocket
    monkeypatch.setattr(gateway, "DEFAULT_GATEWAY", gateway.DEFAULT_GATEWAY)
    monkeypatch.setattr(app, "_FIRST_PAUSE", 0.0)
    async with Wire.open() as found:
        yield found


@pytest.fixture
async def adapter(wire: Wire, sqlite: Database, policy: Policy) -> AsyncIterator[DiscordAdapter]:
    """The desk's adapter, not started."""
    ear = Ear(Dispatcher(COMMANDS, lambda: policy, sqlite, SystemClock().now, ["discord"]))
    made = adapter_for(ear, Drawer(), rest=wire.rest, gateway=wire.gateway)
    yield made
    await made.stop()


async def test_it_starts_once_and_stops_cleanly_and_starts_again(wire: Wire, adapter: DiscordAdapter):
    await adapter.stop()  # never started: nothing happens
    await adapter.start()
    await adapter.start()
    assert wire.sign_ins == 1
    assert wire.up.is_set()
    await adapter.stop()
    assert adapter.client.is_closed()
    await adapter.start()
    assert wire.sign_ins == 2
    assert len([path for method, path in wire.asked if method == "PUT"]) == 1  # nothing new to tell


@pytest.mark.parametrize("trouble", ["hang up", "unknown event"])
async def test_a_gateway_that_is_lost_is_taken_up_by_a_new_client(
    wire: Wire, adapter: DiscordAdapter, trouble: str
):
    await adapter.start()
    first = adapter.client
    wire.up.clear()
    if trouble == "hang up":
        await wire.hang_up()
    else:
        await wire.send_event("GUILD_CREATE", {"id": "1", "channels": "not what it was"})
    await asyncio.wait_for(wire.up.wait(), 10)
    assert first.is_closed()
    assert adapter.client is not first


async def test_a_session_that_is_taken_up_again_is_the_same_one_and_a_new_one_is_not(
    wire: Wire, adapter: DiscordAdapter
):
    assert adapter.hears_since is None
    await adapter.start()
    began = adapter.hears_since
    assert began is not None
    wire.up.clear()
    await wire.hang_up(4000)
    await asyncio.wait_for(wire.up.wait(), 10)
    await until(lambda: adapter.hears_since is not None)
    assert (adapter.hears_since, len(wire.identified)) == (began, 1)

    wire.up.clear()
    wire.forgets = True
    await wire.hang_up(4000)
    await asyncio.wait_for(wire.up.wait(), 10)
    await until(lambda: adapter.hears_since is not None)
    assert adapter.hears_since > began
    await adapter.stop()
    assert adapter.hears_since is None


async def test_a_gateway_that_flaps_is_signed_in_to_five_times_in_ten_minutes_at_most(
    wire: Wire, adapter: DiscordAdapter, monkeypatch: pytest.MonkeyPatch
):
    elapsed = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal elapsed
        elapsed += seconds

    monkeypatch.setattr(clock, "monotonic", lambda: elapsed)
    monkeypatch.setattr(app, "sleep", sleep)
    signed_in: list[float] = []
    await adapter.start()
    while elapsed < 2 * limits.IDENTIFIES_WITHIN and len(signed_in) < 30:
        signed_in.append(elapsed)
        wire.up.clear()
        await wire.hang_up()
        await asyncio.wait_for(wire.up.wait(), 10)
    for number, at in enumerate(signed_in[limits.IDENTIFIES_AT_MOST :]):
        assert at - signed_in[number] >= limits.IDENTIFIES_WITHIN
    assert len(signed_in) == 2 * limits.IDENTIFIES_AT_MOST, "it does not give up"
    await adapter.stop()
    await until(lambda: not any(each.name.startswith("keep-alive-handler") for each in threading.enumerate()))


async def test_a_refused_token_is_told_at_once(wire: Wire, adapter: DiscordAdapter):
    wire.token_is_good = False
    with pytest.raises(discord.LoginFailure):
        await adapter.start()


async def test_a_start_that_takes_long_goes_on_by_itself(
    wire: Wire, adapter: DiscordAdapter, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(app, "_START_PATIENCE", 0.0)
    await adapter.start()
    await asyncio.wait_for(wire.up.wait(), 10)


async def test_a_process_without_the_gateway_sends_too(wire: Wire, adapter: DiscordAdapter):
    wire.token_is_good = False
    assert await adapter.deliver(HELLO) == TryAgain("Discord refuses the token", after=60.0)
    wire.token_is_good = True
    assert isinstance(await adapter.deliver(HELLO), Delivered)
    assert ("GET", "/") not in wire.asked
    assert not wire.up.is_set()


async def test_a_message_sent_twice_arrives_once(wire: Wire, adapter: DiscordAdapter):
    assert await adapter.deliver(HELLO) == await adapter.deliver(HELLO)
    assert len(wire.messages) == 1


async def test_a_long_wait_is_the_couriers_to_plan(wire: Wire, adapter: DiscordAdapter):
    wire.busy_for = limits.RATE_LIMIT_PATIENCE + 1
    assert await adapter.deliver(HELLO) == TryAgain(
        "Discord asks for patience", after=limits.RATE_LIMIT_PATIENCE + 1
    )
    assert isinstance(await adapter.deliver(HELLO), Delivered)


async def test_a_discord_that_cannot_be_reached_is_an_unknown_outcome(wire: Wire, adapter: DiscordAdapter):
    assert isinstance(await adapter.deliver(HELLO), Delivered)
    discord.http.Route.BASE = "http://127.0.0.1:9"
    told = await adapter.deliver(HELLO)
    assert isinstance(told, TryAgain)
    assert told.unknown
