"""Does the desk tell somebody outside that it works, and fall silent when it does not?"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.notify.outbound import Outbound
from bot.clock import VirtualClock
from bot.watchdog import LATE, standing_still, tell
from bot.wiring import House
from config.settings import Settings
from handlers.delivery import LEASE
from storage.repositories.flow import HELD
from storage.unit_of_work import Records
from tests.harness.house import MONDAY
from tests.harness.web_hosts import WebHost


@pytest.fixture
async def outside() -> AsyncIterator[WebHost]:
    """Who listens."""
    host = WebHost(lambda: MONDAY)
    await host.start()
    yield host
    await host.stop()


@pytest.fixture
def clock() -> VirtualClock:
    """Monday morning, until a test moves it."""
    return VirtualClock(MONDAY)


@pytest.fixture
def house(tmp_path: Path, sqlite_template: bytes, clock: VirtualClock) -> House:
    """A desk, of which nobody has started the worker."""
    (tmp_path / "desk.db").write_bytes(sqlite_template)
    given: dict[str, Any] = {"DESKBELL_HOME": tmp_path, "DATABASE_URL": f"sqlite:///{tmp_path / 'desk.db'}"}
    return House(Settings(**given, _env_file=None), clock)


def set_due(house: House, after: timedelta) -> None:
    with house.database.writing() as session:
        Records(session).dues.set("a", "desk", house.clock.now() + after, "desk help")


async def heard(house: House, outside: WebHost) -> bool:
    before = len(outside.asked)
    said = await tell(house, f"{outside.url}/ping", Outbound(["127.0.0.1"]))
    assert len(outside.asked) - before == said
    return said


async def test_it_speaks_while_nothing_waits_for_long(
    house: House, outside: WebHost, clock: VirtualClock
) -> None:
    assert await heard(house, outside)
    set_due(house, timedelta(minutes=1))
    clock.set(MONDAY + timedelta(minutes=1) + LATE)
    assert await heard(house, outside)


async def test_it_falls_silent_when_the_bell_has_stopped_and_speaks_again_when_it_rings(
    house: House, outside: WebHost, clock: VirtualClock
) -> None:
    set_due(house, timedelta(minutes=1))
    clock.set(MONDAY + timedelta(minutes=2) + LATE)
    assert standing_still(house) == ["what is due is not said"]
    assert not await heard(house, outside)
    while house.bell.ring():
        pass
    assert await heard(house, outside)


async def test_it_falls_silent_when_nobody_takes_what_waits_to_be_sent(
    house: House, outside: WebHost, clock: VirtualClock
) -> None:
    house.dispatcher.run(_asks())
    clock.set(MONDAY + 2 * LATE)
    assert "what may leave is not taken" in standing_still(house)
    assert not await heard(house, outside)
    house.courier._deliveries.claim(house.clock.now(), "somebody", {"console": 16})
    clock.set(house.clock.now() + LEASE / 2)
    assert "what may leave is not taken" not in standing_still(house)


async def test_a_copy_that_is_held_says_nothing(house: House, outside: WebHost) -> None:
    house.remember(HELD, True)
    assert not await heard(house, outside)


async def test_who_does_not_listen_is_no_trouble_for_the_desk(house: House, outside: WebHost) -> None:
    address = f"{outside.url}/ping"
    await outside.stop()
    assert not await tell(house, address, Outbound(["127.0.0.1"]))


def _asks() -> Any:
    from handlers.messages import Command, Place, Sender

    sender, place = Sender(platform="console", user="staff"), Place(platform="console", channel="requests")
    return Command(line="request new question why?", sender=sender, place=place, key="k")
