"""A channel of its own for a subject, on Slack: opened once, found again by its name.

Slack has no key for once-only creating, but a name is taken once. So a channel of that name which this app has
created is the one that an earlier attempt has opened. Archiving it is up to people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.adapters.port import Delivered, Delivery, GiveUp, Result, TryAgain
from bot.adapters.slack import limits
from bot.adapters.slack.deliver import Failed, understood
from bot.adapters.slack.render import shortened

_log = structlog.get_logger()


class Spaces:
    """Opens and finds channels through one client."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client

    async def open(self, delivery: Delivery) -> Result:
        """Open the channel, or let people into the one that is open; never raises for what Slack does.

        Without the scope for it, it is given up: the words go below the card meanwhile.
        """
        if "channel" in delivery.place:
            return await self._join(str(delivery.place["channel"]), delivery)
        name = str(delivery.place["space"])
        try:
            try:
                with understood():
                    channel = (await self._client.conversations_create(name=name))["channel"]
            except Failed as failed:
                found = await self._own(name) if failed.code == "name_taken" else None
                if found is None:
                    raise
                channel = found
            return await self._furnished(channel, delivery)
        except Failed as failed:
            if failed.code == "missing_scope":
                return GiveUp("missing_scope: install the app anew from its manifest")
            return failed.result

    async def find(self, delivery: Delivery) -> Delivered | None:
        """After an unknown outcome: the channel, if it was opened. Inviting is simply done again.

        Raises Failed when Slack cannot be asked just now, unless it can never be: then opening tells.
        """
        if delivery.place["space"] is None:
            return None
        try:
            channel = await self._own(str(delivery.place["space"]))
        except Failed as failed:
            if isinstance(failed.result, TryAgain) and failed.code != "missing_scope":
                raise
            return None
        return None if channel is None else await self._furnished(channel, delivery)

    async def _own(self, name: str) -> Mapping[str, Any] | None:
        """The public channel of this name that this app has created, and nobody has archived."""
        with understood():
            me = (await self._client.auth_test())["user_id"]
            async for page in await self._client.conversations_list(
                types="public_channel", exclude_archived=True, limit=limits.CHANNEL_PAGE
            ):
                for channel in page["channels"]:
                    if channel["name"] == name and channel.get("creator") == me:
                        return dict(channel)
        return None

    async def _furnished(self, channel: Mapping[str, Any], delivery: Delivery) -> Delivered:
        """The channel with its topic, and with those who should be in it as far as Slack lets them in."""
        place = str(channel["id"])
        try:
            with understood():
                topic = shortened(delivery.reply.title, limits.CHANNEL_TOPIC)
                await self._client.conversations_setTopic(channel=place, topic=topic)
        except Failed as failed:
            _log.warning("slack took no topic", reason=failed.result.reason)
        try:
            await self._invite(place, delivery)
        except Failed as failed:
            _log.warning("slack invited not everybody", reason=failed.result.reason)
        return Delivered({"channel": place, "name": str(channel["name"])}, thread=place)

    async def _join(self, place: str, delivery: Delivery) -> Result:
        """Let people into a channel that is open. Whom Slack never lets in reads along below the card."""
        try:
            await self._invite(place, delivery)
        except Failed as failed:
            if isinstance(failed.result, TryAgain):
                return failed.result
            _log.warning("slack invited not everybody", reason=failed.result.reason)
        return Delivered({"channel": place}, thread=place)

    async def _invite(self, place: str, delivery: Delivery) -> None:
        users = list(delivery.place.get("invite", ()))
        for start in range(0, len(users), limits.INVITED_AT_ONCE):
            invited = users[start : start + limits.INVITED_AT_ONCE]
            try:
                with understood():
                    await self._client.conversations_invite(channel=place, users=invited, force=True)
            except Failed as failed:
                if failed.code != "already_in_channel":
                    raise
