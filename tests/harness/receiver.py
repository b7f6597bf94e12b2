"""The receiving end, written by hand: an adapter that keeps a journal of what arrived and of every call.

The journal is the truth about what was sent. `follow` says how the platform behaves: it arrives, it is
asked to wait, it fails, it times out before or after the message arrived, it refuses, it breaks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from bot.adapters.port import Delivered, Delivery, GiveUp, Result, TryAgain
from bot.clock import Clock


@dataclass(frozen=True)
class Received:
    """What people see: `to` is a channel, a user or an address, `changed` the number of the message that was edited."""

    number: int
    at: datetime
    key: str
    kind: str
    to: str
    title: str
    text: str
    thread: str | None = None
    changed: int | None = None
    direct: str | None = None


@dataclass(frozen=True)
class Call:
    """One request to the platform, whatever came of it."""

    at: datetime
    to: str
    key: str
    title: str


Behaviour = Callable[["Receiver", Delivery], Awaitable[Result]]


async def arrives(receiver: Receiver, delivery: Delivery) -> Result:
    """It arrives."""
    return receiver.write(delivery)


async def fails(receiver: Receiver, delivery: Delivery) -> Result:
    """The platform is down and says so."""
    return TryAgain("503")


async def is_lost(receiver: Receiver, delivery: Delivery) -> Result:
    """No answer, and it did not arrive."""
    return TryAgain("timeout", unknown=True)


async def slips_through(receiver: Receiver, delivery: Delivery) -> Result:
    """It arrives, and then the answer is lost."""
    receiver.write(delivery)
    return TryAgain("timeout", unknown=True)


async def refuses(receiver: Receiver, delivery: Delivery) -> Result:
    """It can never arrive."""
    return GiveUp("no such channel")


async def breaks(receiver: Receiver, delivery: Delivery) -> Result:
    """The adapter itself is faulty."""
    raise RuntimeError("a block of a kind that nobody knows")


async def hangs(receiver: Receiver, delivery: Delivery) -> Result:
    """No answer until the caller has had enough; it did not arrive."""
    await asyncio.Event().wait()
    raise AssertionError("never")


def is_busy(seconds: float) -> Behaviour:
    """Too many requests: come back after so many seconds."""

    async def busy(receiver: Receiver, delivery: Delivery) -> Result:
        return TryAgain("429", after=seconds)

    return busy


class Receiver:
    """One platform. `can_find` is whether it can tell by key what arrived."""

    def __init__(self, platform: str, clock: Clock, pace: float = 0.0, *, can_find: bool = True) -> None:
        self.platform = platform
        self.pace = pace
        self.can_find = can_find
        self.journal: list[Received] = []
        self.calls: list[Call] = []
        self.asked: list[str] = []
        self.rule: Callable[[Delivery], Behaviour] = lambda delivery: arrives
        self._clock = clock
        self._next: deque[Behaviour] = deque()

    def follow(self, *behaviours: Behaviour) -> None:
        """Behave like this in the next calls, one after the other; then by the rule again."""
        self._next.extend(behaviours)

    def heard(self, to: str | None = None) -> list[str]:
        """The titles that arrived, in order; in one place, if it is named."""
        return [each.title for each in self.journal if to in (None, each.to)]

    async def start(self) -> None:
        """Nothing to connect."""

    async def stop(self) -> None:
        """Nothing to close."""

    async def deliver(self, delivery: Delivery) -> Result:
        """What the platform does with it."""
        self.calls.append(Call(self._clock.now(), _to(delivery), delivery.key, delivery.reply.title))
        behaviour = self._next.popleft() if self._next else self.rule(delivery)
        return await behaviour(self, delivery)

    async def find(self, delivery: Delivery) -> Delivered | None:
        """The message with this key, if the platform can tell."""
        self.asked.append(delivery.key)
        if not self.can_find:
            return None
        return next((_receipt(each) for each in self.journal if each.key == delivery.key), None)

    def write(self, delivery: Delivery) -> Delivered:
        """Show it to the people there."""
        received = Received(
            number=len(self.journal) + 1,
            at=self._clock.now(),
            key=delivery.key,
            kind=delivery.kind,
            to=_to(delivery),
            title=delivery.reply.title,
            text="".join(part for part in delivery.reply.text if isinstance(part, str)),
            thread=delivery.thread,
            changed=delivery.edit["number"] if delivery.edit else None,
            direct=f"D-{delivery.place['user']}" if "user" in delivery.place else None,
        )
        self.journal.append(received)
        return _receipt(received)


def duplicates(journal: Iterable[Received]) -> int:
    """How many messages arrived more than once."""
    keys = [each.key for each in journal]
    return len(keys) - len(set(keys))


def _to(delivery: Delivery) -> str:
    place = delivery.place
    return str(place.get("user") or place.get("channel") or place.get("to"))


def _receipt(received: Received) -> Delivered:
    number = received.changed or received.number
    is_card = received.kind == "card"
    return Delivered({"number": number}, thread=f"T{number}" if is_card else None, direct=received.direct)
