"""A desk with a small capability of its own on a real SQLite store, and a Discord server around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.adapters.port import Ear
from bot.clock import VirtualClock
from bot.courier import Courier
from config.policy import Account, Policy, Room
from handlers import guide, registry
from handlers.declare import Commands
from handlers.dispatch import Dispatcher
from handlers.rules.ledger import Record
from storage.database import Database
from storage.unit_of_work import Records
from tests.adapters.discord import capability
from tests.harness.discord import GUILD, DiscordWorld, Person
from tests.harness.house import MONDAY

COMMANDS = Commands([guide, capability])


class Desk(DiscordWorld):
    """A world whose desk is here too: its policy knows the people, its courier sends when told to."""

    policy: Policy
    dispatcher: Dispatcher
    clock: VirtualClock

    def employ(self, key: str, *roles: str) -> Person:
        """Somebody of the example organisation, with an account on the server."""
        person = self.person(key, *roles)
        account = Account(platform="discord", workspace=str(GUILD), user=person.id)
        known = replace(self.policy.people[key], accounts=(account,))
        self.policy = replace(self.policy, people={**self.policy.people, key: known}, version=f"with {key}")
        return person

    def open_room(self, name: str) -> None:
        """Give one of the policy's rooms a channel on the server."""
        place = {"discord": str(self.room(name).id)}
        rooms = {**self.policy.rooms, name: Room(key=name, name=name, places=place)}
        self.policy = replace(self.policy, rooms=rooms, version=f"{self.policy.version}, {name}")

    async def send(self) -> int:
        """Let the courier take out all that waits; messages to one place keep their distance."""
        courier = Courier(self.dispatcher, {"discord": self.adapter}, self.clock, "courier")
        sent = 0
        self.clock.move(timedelta(seconds=1))
        while (next_at := await courier.next_at()) is not None:
            self.clock.set(max(next_at, self.clock.now()))
            done = await courier.drain()
            if not done:
                break
            sent += done
        return sent

    def evidence(self, ref: str) -> list[Record]:
        """What the ledger holds."""
        with self.dispatcher.database.reading() as session:
            return Records(session).ledger.trail(ref)


@asynccontextmanager
async def opened(commands: Commands, database: Database, policy: Policy) -> AsyncIterator[Desk]:
    """A desk with these commands, whose every call is checked at the end."""
    worlds: list[Desk] = []
    clock = VirtualClock(MONDAY)
    dispatcher = Dispatcher(
        commands, lambda: worlds[0].policy if worlds else policy, database, clock.now, ["discord"]
    )
    async with Desk.open(Ear(dispatcher)) as world:
        world.policy, world.dispatcher, world.clock = policy, dispatcher, clock
        worlds.append(world)
        yield world
        world.check_calls()


@pytest.fixture
async def desk(sqlite: Database, policy: Policy) -> AsyncIterator[Desk]:
    """The desk on Discord with a small capability of the tests' own."""
    async with opened(COMMANDS, sqlite, policy) as found:
        yield found


@pytest.fixture
async def whole_desk(sqlite: Database, policy: Policy) -> AsyncIterator[Desk]:
    """The desk on Discord with all that it can do."""
    async with opened(registry.load(), sqlite, policy) as found:
        yield found
