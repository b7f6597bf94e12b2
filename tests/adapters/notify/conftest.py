"""A page as it is handed to a way, and the hosts at the other end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.adapters.port import Delivery
from bot.clock import VirtualClock
from handlers.messages import Button, Moment, Reply, facts
from tests.harness.certificates import Authority
from tests.harness.house import MONDAY
from tests.harness.web_hosts import Hook, Ntfy, Twilio

PAGE = Reply(
    title="INC-7 · Mail is down",
    text=("Nobody can send since the update.",),
    facts=facts(("Severity", "SEV1"), ("Since", Moment(moment=MONDAY)), ("Why you", "you are on call")),
    buttons=(
        Button(label="Acknowledge", line="incident ack INC-7"),
        Button(label="Show INC-7", line="incident show INC-7"),
    ),
    subject="INC-7",
)
KEY = "INC-7/page/1/bo/2/mail:@bo"


def page(to: str | None, *, key: str = KEY, kind: str = "page", reply: Reply = PAGE, **more: Any) -> Delivery:
    """One way of waking Bo in Lisbon, an hour behind the desk."""
    place = {"person": "bo", "name": "Bo Backup", "zone": "Europe/Lisbon", "to": to, **more}
    return Delivery(key, kind, place, reply)


@pytest.fixture
def clock() -> VirtualClock:
    """Monday morning, until a test moves it."""
    return VirtualClock(MONDAY)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom our clients believe in these tests."""
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def twilio(clock: VirtualClock) -> AsyncIterator[Twilio]:
    """Twilio, over plain HTTP on loopback."""
    host = Twilio(clock.now)
    await host.start()
    yield host
    await host.stop()


@pytest.fixture
async def ntfy(clock: VirtualClock) -> AsyncIterator[Ntfy]:
    """An ntfy server."""
    host = Ntfy(clock.now)
    await host.start()
    yield host
    await host.stop()


@pytest.fixture
async def hook(clock: VirtualClock) -> AsyncIterator[Hook]:
    """Somebody's own webhook."""
    host = Hook(clock.now)
    await host.start()
    yield host
    await host.stop()
