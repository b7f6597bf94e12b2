"""What the console's tests share: a small desk behind it, and visitors of its pages."""

from __future__ import annotations

import pytest

from bot.adapters.console.app import ConsoleAdapter
from bot.adapters.port import Ear
from bot.clock import VirtualClock
from config.policy import Policy
from handlers.declare import Commands
from storage.database import Database
from tests.adapters.console import small_desk
from tests.harness.console import Visitor, dispatcher_of
from tests.harness.house import MONDAY


@pytest.fixture
def commands() -> Commands:
    """What the small desk can do."""
    return Commands([small_desk])


@pytest.fixture
def clock() -> VirtualClock:
    """Monday morning."""
    return VirtualClock(MONDAY)


@pytest.fixture
def adapter(sqlite: Database, policy: Policy, commands: Commands, clock: VirtualClock) -> ConsoleAdapter:
    """The console in front of the small desk."""
    dispatcher = dispatcher_of(sqlite, policy, commands, clock)
    return ConsoleAdapter(Ear(dispatcher), sqlite, lambda: policy, clock)


@pytest.fixture
def visitor(adapter: ConsoleAdapter) -> Visitor:
    """A browser on this machine."""
    return Visitor(adapter)
