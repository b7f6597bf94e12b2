"""Deliveries into the console's rooms: a row per message, once per key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.adapters.console.rooms import Rooms
from bot.adapters.port import Delivered, Delivery, GiveUp, Result, TryAgain
from handlers.messages import Reply
from storage.database import StoreUnavailable
from storage.repositories.console import DESK, Console, Message, Writing


async def deliver(rooms: Rooms, delivery: Delivery) -> Result:
    """Write or edit one message. A repeat of its key finds the first one and has no second effect."""
    room = room_of(delivery.place)
    if room is None:
        return GiveUp("the place names no room and no person of the console")

    def write(console: Console, now: datetime) -> Message:
        shown = stored(delivery.reply)
        if delivery.edit is not None:
            edited = _edit(console, int(delivery.edit["id"]), shown, now)
            if edited is not None:
                return edited
        thread = int(delivery.thread) if delivery.thread else None
        return console.write(Writing(room, DESK, thread=thread, key=delivery.key, reply=shown), now)

    try:
        return _arrived(await rooms.change(write))
    except StoreUnavailable as error:
        # Whether it was committed or not, the same key may be tried again.
        return TryAgain(str(error))


def _edit(console: Console, message: int, shown: Mapping[str, Any], now: datetime) -> Message | None:
    standing = console.get(message)
    newest = (standing.reply or {}).get("version") if standing else None
    if newest is not None and newest > (shown.get("version") or newest):
        return standing  # a courier that was held up must not draw an older state over a newer one
    return console.edit(message, shown, now)


async def find(rooms: Rooms, delivery: Delivery) -> Delivered | None:
    """The message that was written with the delivery's key, if any."""
    found = await rooms.ask(lambda console: console.by_key(delivery.key))
    return None if found is None else _arrived(found)


def room_of(place: Mapping[str, Any]) -> str | None:
    """A room's key, or `@person` for a direct message."""
    if place.get("user"):
        return f"@{place['user']}"
    channel = place.get("channel")
    return str(channel) if channel else None


def stored(reply: Reply) -> dict[str, Any]:
    """A reply as the rooms keep it."""
    return reply.model_dump(mode="json", exclude_defaults=True)


def _arrived(message: Message) -> Delivered:
    return Delivered(message={"id": message.id}, thread=str(message.thread or message.id))
