"""What an adapter offers the house, and what the house offers an adapter.

An adapter translates, and that is all. Its `inbound.py` turns a payload into a `Command`, its
`render.py` turns a `Reply` into the platform's shapes (both pure), its `deliver.py` sends one message
and says what became of it, its `app.py` connects the wire.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

from bot.threads import Threads
from handlers.declare import Commands
from handlers.delivery import Delivered, Delivery
from handlers.dispatch import Dispatcher
from handlers.messages import Command, Form, Option, Reply, Sender

__all__ = ["Adapter", "Delivered", "Delivery", "Ear", "GiveUp", "Result", "TryAgain"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class TryAgain:
    """It did not arrive, or nobody knows (`unknown`). `after` is in seconds, when the platform named a time."""

    reason: str
    after: float | None = None
    unknown: bool = False


@dataclass(frozen=True)
class GiveUp:
    """It can never arrive as it is: no such channel, no right to write there, not a valid message."""

    reason: str


Result = Delivered | TryAgain | GiveUp


class Adapter(Protocol):
    """A platform. `pace` is the least time between two messages to one place, in seconds."""

    platform: str
    pace: float

    async def start(self) -> None:
        """Connect the wire; returns once the adapter hears and can speak."""

    async def stop(self) -> None:
        """Stop hearing, then close; safe to call when never started."""

    async def deliver(self, delivery: Delivery) -> Result:
        """Send or edit one message; never raises for what the platform does."""

    async def find(self, delivery: Delivery) -> Delivered | None:
        """After an unknown outcome: the message, if it did arrive; None when it did not or nobody can tell."""


@dataclass(frozen=True)
class Maker:
    """A command that is made from somebody's message: its line, its label in menus, its emoji (None for none)."""

    line: str
    label: str
    emoji: str | None


class Ear:
    """How adapters hand commands to the desk: the core is synchronous, so it runs in a few threads of its own."""

    def __init__(self, dispatcher: Dispatcher, threads: int = 8) -> None:
        self._dispatcher = dispatcher
        self._threads = Threads(threads)

    @property
    def commands(self) -> Commands:
        """The table of commands, for building menus from it."""
        return self._dispatcher.commands

    def makers(self) -> Sequence[Maker]:
        """What can be made of a message now: by its menu's label, or by the emoji that the policy says."""
        policy = self._dispatcher.policy()
        return [
            Maker(each.name, each.from_message.label, each.from_message.emoji(policy))
            for each in self.commands.of_messages
            if each.from_message
        ]

    def emojis(self) -> Mapping[str, str]:
        """Which emoji on a message makes which command of it, as the policy says now."""
        return {each.emoji: each.line for each in self.makers() if each.emoji}

    async def hear(self, command: Command) -> Reply:
        """Carry out one command. Raises StoreUnavailable when nothing could be committed."""
        return await self._threads.run(self._dispatcher.run, command)

    async def draft(self, command: Command) -> Form | None:
        """The form of a command with the answers so far, without carrying it out; None when it has no form."""
        return await self._threads.run(self._dispatcher.draft, command)

    async def options(self, sender: Sender, name: str, parameter: str, typed: str) -> Sequence[Option]:
        """What may complete a parameter of a command, best first."""
        return await self._threads.run(self._dispatcher.options, sender, name, parameter, typed)
