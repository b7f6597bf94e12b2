"""Where a rehearsal is played: a surface on which people say, click and fill in, and on which one can look.

The stage that ships is a room in memory; tests bring stages that go through Slack and Discord.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Protocol

from bot.adapters.port import Adapter, Delivered, Delivery, Ear, Result
from config.policy import Policy
from handlers.messages import Button, Command, Form, Place, Reply, Sender


@dataclass(frozen=True)
class Seen:
    """A message that can be seen: where (`@person` or `#room`), what it says, and the labels of its buttons.

    `subject` is the ticket it is about, `order` counts up with every message and every edit.
    """

    order: int
    where: str
    text: str
    subject: str | None = None
    labels: tuple[str, ...] = ()


class Stage(Protocol):
    """A surface. Each act returns once the desk has answered; the answer is among what is seen."""

    platform: str

    @property
    def adapter(self) -> Adapter:
        """What the courier delivers through; there once the stage is open."""

    @property
    def policy(self) -> Policy:
        """The organisation's policy with the accounts and rooms of this stage; asked for again and again."""

    async def open(self, ear: Ear) -> None:
        """Take the desk that is spoken to."""

    async def close(self) -> None:
        """Leave nothing running."""

    async def say(self, person: str, line: str, room: str | None, below: str | None) -> None:
        """Somebody types a line."""

    async def click(self, person: str, subject: str, label: str) -> None:
        """Somebody clicks; raises LookupError when they see no such button."""

    async def fill(self, person: str, answers: dict[str, str]) -> None:
        """Somebody answers the form shown to them last; raises LookupError when there is none."""

    def seen(self) -> Sequence[Seen]:
        """Everything that can be seen now, oldest first; an edited message stands where it was edited."""


@dataclass
class _Message:
    seen: Seen
    buttons: tuple[Button, ...] = ()


@dataclass
class RoomInMemory:
    """The stage that ships: rooms and private talks in memory, spoken to in the desk's own words."""

    policy: Policy
    platform: str = "console"
    pace: float = 0.0
    _messages: dict[str, _Message] = field(default_factory=dict)
    _forms: dict[str, Form] = field(default_factory=dict)
    _order: count[int] = field(default_factory=lambda: count(1))
    _ear: Ear | None = None

    @property
    def adapter(self) -> Adapter:
        """Itself: what is delivered is what is seen."""
        return self

    async def open(self, ear: Ear) -> None:
        """Take the desk that is spoken to."""
        self._ear = ear

    async def close(self) -> None:
        """Nothing runs."""

    async def start(self) -> None:
        """Nothing to connect."""

    async def stop(self) -> None:
        """Nothing to close."""

    async def say(self, person: str, line: str, room: str | None, below: str | None) -> None:
        """Somebody types a line."""
        await self._send(person, line, room, below, {})

    async def click(self, person: str, subject: str, label: str) -> None:
        """Somebody clicks on the newest message about a subject that they can see."""
        for message in sorted(self._messages.values(), key=lambda each: -each.seen.order):
            seen = message.seen
            if seen.subject != subject or (seen.where.startswith("@") and seen.where != f"@{person}"):
                continue
            button = next((each for each in message.buttons if each.label == label), None)
            if button is not None:
                room = seen.where[1:] if seen.where.startswith("#") else None
                await self._send(person, button.line, room, None, {})
                return
        raise LookupError(f"@{person} sees no button “{label}” about {subject}")

    async def fill(self, person: str, answers: dict[str, str]) -> None:
        """Somebody answers the form shown to them last."""
        form = self._forms.pop(person, None)
        if form is None:
            raise LookupError(f"@{person} was shown no form")
        kept = {each.key: each.value for each in form.fields if each.value}
        await self._send(person, form.line, None, None, {**kept, **answers})

    async def _send(
        self, person: str, line: str, room: str | None, below: str | None, answers: dict[str, str]
    ) -> None:
        assert self._ear is not None, "the stage is open"
        command = Command(
            line=line,
            sender=Sender(platform=self.platform, user=person),
            place=Place(
                platform=self.platform, channel=room or f"@{person}", thread=below, direct=room is None
            ),
            key=f"rehearsal/{next(self._order)}",
            answers=answers,
        )
        reply = await self._ear.hear(command)
        if reply.form is not None:
            self._forms[person] = reply.form
        where = f"#{room}" if room and not reply.private else f"@{person}"
        self._put(f"answer/{next(self._order)}", where, reply)

    def _put(self, key: str, where: str, reply: Reply) -> None:
        from bot.adapters.console.render import to_text

        seen = Seen(
            next(self._order),
            where,
            to_text(reply),
            reply.subject,
            tuple(each.label for each in _buttons(reply)),
        )
        self._messages[key] = _Message(seen, tuple(_buttons(reply)))

    async def deliver(self, delivery: Delivery) -> Result:
        """Show a message, or show it anew where it stood."""
        person = delivery.place.get("user")
        where = f"@{person}" if person else f"#{delivery.place['channel']}"
        key = str(delivery.edit["key"]) if delivery.edit else delivery.key
        self._put(key, where, delivery.reply)
        return Delivered({"key": key}, thread=delivery.reply.subject)

    async def find(self, delivery: Delivery) -> Delivered | None:
        """Whether it was shown."""
        return Delivered({"key": delivery.key}) if delivery.key in self._messages else None

    def seen(self) -> Sequence[Seen]:
        """Everything that can be seen now."""
        return sorted((replace(each.seen) for each in self._messages.values()), key=lambda each: each.order)


def _buttons(reply: Reply) -> list[Button]:
    return [*reply.buttons, *(button for part in reply.more for button in _buttons(part))]
