"""One message out: sent or edited, once, and what became of it.

Once only rests on two things. A message carries a nonce made from the delivery's key, and Discord gives a
repeat within a few minutes the first message back. For longer gaps its container carries a number made from
the same key, which `find` looks for in the place's last messages; Discord itself does not give a nonce back.

A room's card and the thread below it share one id: a thread begun from a message has that message's id. So
the thread of a card is known before there is one, and it is begun when somebody first writes in it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import aiohttp
import discord
import structlog

from bot.adapters.discord import limits
from bot.adapters.discord.render import Page, mark, nonce, render, title_of
from bot.adapters.port import Delivered, Delivery, GiveUp, Result, TryAgain
from handlers.errors import HouseFault

_log = structlog.get_logger()

NOBODY = discord.AllowedMentions.none()
_LOOK_BACK = 50  # messages
_REFUSED_AGAIN = 60.0  # seconds until a refused token is tried again: somebody must put it right first
_TEMPORARY = (408, 429)


Speaker = Callable[[], Awaitable[discord.Client]]
"""Gives a client that has signed in; may raise what signing in raises."""


async def deliver(speaker: Speaker, delivery: Delivery) -> Result:
    """Send or edit one message; what Discord does is told by the result and never raised."""
    try:
        client = await speaker()
        pages = render(delivery.reply)
        if delivery.edit is not None:
            return await _edit(client, delivery, pages)
        return await _post(client, delivery, pages)
    except discord.RateLimited as limited:
        return TryAgain("Discord asks for patience", after=limited.retry_after)
    except discord.LoginFailure:
        return TryAgain("Discord refuses the token", after=_REFUSED_AGAIN)
    except discord.HTTPException as error:
        return _result(error)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return TryAgain(f"Discord could not be reached: {type(error).__name__}", unknown=True)
    except HouseFault as fault:
        _log.exception("a message cannot be shown on Discord", key=delivery.key)
        return GiveUp(str(fault))


async def find(speaker: Speaker, delivery: Delivery) -> Delivered | None:
    """The messages of a delivery whose outcome is unknown, where all of them are among the place's last ones.

    None leads to another try, which is safe: a nonce that Discord still knows gives the first message back,
    and an edit made twice is one edit.
    """
    if delivery.edit is not None:
        return None
    try:
        client = await speaker()
        channel = await _channel(client, delivery)
        marks = [mark(delivery.key, number) for number in range(len(render(delivery.reply)))]
        found = {
            component.id: message.id
            async for message in channel.history(limit=_LOOK_BACK)
            if client.user and message.author.id == client.user.id
            for component in message.components[:1]
        }
    except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError):
        return None
    if not all(each in found for each in marks):
        return None
    return _delivered(delivery, channel.id, [found[each] for each in marks])


async def send(channel: discord.abc.Messageable, pages: Sequence[Page], key: str) -> list[int]:
    """Send pages to a channel, each with its nonce and number; the messages' ids."""
    sent = []
    for number, page in enumerate(pages):
        message = await channel.send(
            view=page.view(mark(key, number)),
            files=await page.files(),
            nonce=nonce(key, number),
            allowed_mentions=NOBODY,
        )
        sent.append(message.id)
    return sent


async def _post(client: discord.Client, delivery: Delivery, pages: Sequence[Page]) -> Result:
    channel = await _channel(client, delivery)
    try:
        return _delivered(delivery, channel.id, await send(channel, pages, delivery.key))
    except discord.NotFound as gone:
        if delivery.thread is None or gone.code != limits.UNKNOWN_CHANNEL:
            raise
    began = await _begin_thread(client, delivery)
    if not began:
        channel = client.get_partial_messageable(int(delivery.place["channel"]))
    return _delivered(delivery, channel.id, await send(channel, pages, delivery.key))


async def _edit(client: discord.Client, delivery: Delivery, pages: Sequence[Page]) -> Result:
    """Change a message in place; one that is gone, or edited too often for Discord, is posted anew."""
    before = dict(delivery.edit or {})
    channel = client.get_partial_messageable(int(before["channel"]))
    ids = [int(each) for each in before["ids"]]
    try:
        for each, page in zip(ids, pages, strict=False):
            await channel.get_partial_message(each).edit(
                view=page.view(), attachments=await page.files(), allowed_mentions=NOBODY
            )
    except discord.HTTPException as error:
        if error.code not in (limits.EDITED_TOO_OFTEN, limits.UNKNOWN_MESSAGE):
            raise
        fresh = await send(channel, pages, delivery.key)
        # One that cannot be edited still holds its thread; what was below a deleted one is left alone.
        kept = delivery.thread if error.code == limits.EDITED_TOO_OFTEN else None
        return _delivered(replace(delivery, thread=kept), channel.id, fresh)
    for each in ids[len(pages) :]:
        await channel.get_partial_message(each).delete()
    ids = ids[: len(pages)] + await send(channel, pages[len(ids) :], delivery.key)
    return _delivered(delivery, channel.id, ids)


def _delivered(delivery: Delivery, channel: int, ids: Sequence[int]) -> Delivered:
    """Where it is now. The thread of a room's message has the message's id, even before there is one."""
    message = {"channel": str(channel), "ids": [str(each) for each in ids]}
    if "user" in delivery.place:
        return Delivered(message, direct=str(channel))
    return Delivered(message, thread=delivery.thread or str(ids[0]))


async def _channel(client: discord.Client, delivery: Delivery) -> Any:
    """Where to write: the thread, the room, or the person's direct talk, opened when it is not known."""
    if delivery.thread is not None and delivery.edit is None:
        return client.get_partial_messageable(int(delivery.thread))
    place = delivery.place
    if "user" not in place:
        return client.get_partial_messageable(int(place["channel"]))
    if place.get("direct"):
        return client.get_partial_messageable(int(place["direct"]))
    return await client.create_dm(discord.Object(int(place["user"])))


async def _begin_thread(client: discord.Client, delivery: Delivery) -> bool:
    """Begin the thread of a card, named as the card is titled; False when the card is gone."""
    room, card = int(delivery.place["channel"]), int(delivery.thread or 0)
    channel: Any = client.get_channel(room) or await client.fetch_channel(room)
    try:
        message = await channel.fetch_message(card)
        name = limits.shortened(
            _titled(message) or str(delivery.place.get("below") or card), limits.THREAD_NAME
        )
        await message.create_thread(name=name, auto_archive_duration=limits.THREAD_ARCHIVE_MINUTES)
    except discord.HTTPException as error:
        if error.code == limits.UNKNOWN_MESSAGE:
            return False
        if error.code != limits.THREAD_EXISTS:
            raise
    return True


def _titled(message: discord.Message) -> str:
    for component in message.components:
        for child in getattr(component, "children", ()):
            if isinstance(child, discord.TextDisplay):
                return title_of(child.content)
    return ""


def _result(error: discord.HTTPException) -> Result:
    said = f"Discord says {error.status} ({error.code}): {error.text or error.response.reason}"[:300]
    if error.status >= 500:
        return TryAgain(said, unknown=True)
    if error.status == 401:
        return TryAgain(said, after=_REFUSED_AGAIN)
    if error.status in _TEMPORARY:
        after = error.response.headers.get("Retry-After")
        return TryAgain(said, after=float(after) if after else None)
    return GiveUp(said)
