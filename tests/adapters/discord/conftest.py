"""A desk with a small capability of its own on a real SQLite store, and a Discord server around it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from config.policy import Policy
from handlers import guide, registry
from handlers.declare import Commands
from storage.database import Database
from tests.adapters.discord import capability
from tests.harness.discord import DiscordDesk as Desk
from tests.harness.discord import open_desk

COMMANDS = Commands([guide, capability])


@pytest.fixture
async def desk(sqlite: Database, policy: Policy) -> AsyncIterator[Desk]:
    """The desk on Discord with a small capability of the tests' own."""
    async with open_desk(COMMANDS, sqlite, policy) as found:
        yield found


@pytest.fixture
async def whole_desk(sqlite: Database, policy: Policy) -> AsyncIterator[Desk]:
    """The desk on Discord with all that it can do."""
    async with open_desk(registry.load(), sqlite, policy) as found:
        yield found
