"""The connection to Discord: one client on the gateway, watched, and replaced by a new one when it ends.

Hearing needs the gateway, which one process holds; speaking needs only the token, so every process can send.
"""

from __future__ import annotations

import asyncio
from asyncio import sleep
from collections import deque
from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial

import discord
import structlog
import yarl

from bot import clock
from bot.adapters.discord import deliver, inbound, limits
from bot.adapters.discord.client import DeskClient
from bot.adapters.discord.conversation import NOBODY, Shelf
from bot.adapters.port import Adapter, Delivered, Delivery, Ear, Result
from handlers.errors import HouseFault

_log = structlog.get_logger()

ANSWER_WITHIN = limits.INTERACTION_ANSWER - 1.0
"""Seconds after which an answer is promised, a second before Discord forgets who asked."""
_FIRST_PAUSE = 1.0  # seconds before a lost gateway is tried again, doubled at each failure
_LONGEST_PAUSE = 60.0
_START_PATIENCE = 6.0  # seconds; who starts it holds a lease meanwhile, and must be able to renew it


class SignIns:
    """How often the desk signs in at the gateway: Discord resets the token of one who does it 1000 times a day.

    Taking up a session again is no sign-in.
    """

    def __init__(self) -> None:
        self._at: deque[float] = deque(maxlen=limits.IDENTIFIES_AT_MOST)

    def note(self) -> None:
        """The desk signs in now."""
        self._at.append(clock.monotonic())

    def wait(self) -> float:
        """Seconds until it may do so again."""
        if len(self._at) < limits.IDENTIFIES_AT_MOST:
            return 0.0
        return max(0.0, self._at[0] + limits.IDENTIFIES_WITHIN - clock.monotonic())


class DiscordAdapter(Adapter):
    """The desk on Discord. `deliver` and `find` work without `start`.

    `guilds` are the ids of the servers it is connected to; others are not answered. `now` is the clock.
    `synced_hash` and `remember_hash` keep the digest of the commands that were sent to Discord last; `shelf` keeps
    forms that are too long for an id; all these are called in a thread. `rest` and `gateway` are addresses to use
    instead of Discord's; they then hold for the whole process. `answer_within` are the seconds after which an answer
    is promised. `pace` keeps to Discord's limit of five messages in five seconds for a channel.
    """

    platform = inbound.PLATFORM
    pace = 1.0

    def __init__(
        self,
        token: str,
        guilds: Collection[int],
        ear: Ear,
        now: Callable[[], datetime],
        synced_hash: Callable[[], str | None],
        remember_hash: Callable[[str], None],
        shelf: Shelf,
        rest: str | None = None,
        gateway: str | None = None,
        answer_within: float = ANSWER_WITHIN,
    ) -> None:
        if not guilds:
            raise HouseFault("Discord is set up without a server: name at least one server's id")
        self._token = token
        self._watch: asyncio.Task[None] | None = None
        self._now = now
        self._up = asyncio.Event()
        self._since: datetime | None = None
        self._is_down = False
        self._sign_ins = SignIns()
        self._mouth: discord.Client | None = None
        self._sign_in = asyncio.Lock()
        if rest:
            discord.http.Route.BASE = rest
        if gateway:
            discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway)
        self._make = partial(
            DeskClient,
            guilds=guilds,
            ear=ear,
            synced_hash=synced_hash,
            remember_hash=remember_hash,
            shelf=shelf,
            answer_within=answer_within,
            signs_in=self._sign_ins.note,
            began=self._begins,
            lost=self._is_lost,
            resumed=self._goes_on,
        )
        self.client = self._make()

    @property
    def hears_since(self) -> datetime | None:
        """When the session began in which it listens now; None while it hears nothing.

        A session that was taken up again is the same one: Discord says what it missed.
        """
        return None if self._is_down else self._since

    def _begins(self) -> None:
        self._since, self._is_down = self._now(), False
        self._up.set()

    def _is_lost(self) -> None:
        self._is_down = True

    def _goes_on(self) -> None:
        self._is_down = False

    def create_client(self) -> DeskClient:
        """A new client, not connected yet, in place of the one before.

        Raises HouseFault when the commands break one of Discord's limits.
        """
        self.client = self._make()
        return self.client

    async def start(self) -> None:
        """Connect and stay connected; returns when the gateway is up, or after 6 s while it still is tried.

        Raises LoginFailure for a refused token.
        """
        if self._watch is not None:
            return
        self._up.clear()
        if self.client.is_closed():
            self.create_client()
        self._watch = asyncio.create_task(self._stay_connected(), name="discord-gateway")
        up = asyncio.create_task(self._up.wait())
        await asyncio.wait({self._watch, up}, timeout=_START_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if self._watch.done():
            watch, self._watch = self._watch, None
            await watch

    async def stop(self) -> None:
        """Leave the gateway and close; safe to call when never started."""
        watch, self._watch = self._watch, None
        self._since = None
        if watch is not None:
            watch.cancel()
            await asyncio.wait({watch})
        mouth, self._mouth = self._mouth, None
        for each in (self.client, mouth):
            if each is not None and not each.is_closed():
                await each.close()

    async def deliver(self, delivery: Delivery) -> Result:
        """Send or edit one message; never raises for what Discord does."""
        return await deliver.deliver(self._speaker, delivery)

    async def find(self, delivery: Delivery) -> Delivered | None:
        """After an unknown outcome: the message, where it is among the place's last ones."""
        return await deliver.find(self._speaker, delivery)

    async def _speaker(self) -> discord.Client:
        """Who speaks: the client on the gateway while this process holds it, else one that only signs in."""
        if self.client.user is not None and not self.client.is_closed():
            return self.client
        async with self._sign_in:
            if self._mouth is None:
                mouth = discord.Client(
                    intents=discord.Intents(guilds=True),  # asked of a gateway only, which it has not
                    max_messages=None,
                    allowed_mentions=NOBODY,
                    max_ratelimit_timeout=limits.RATE_LIMIT_PATIENCE,
                )
                try:
                    await mouth.login(self._token)
                except BaseException:
                    await mouth.close()
                    raise
                self._mouth = mouth
        return self._mouth

    async def _stay_connected(self) -> None:
        """Run a client; when it ends, for which one unknown kind of event is enough, run a new one.

        A refused token ends this while nothing was ever heard; later it is tried again, since a desk that is
        up must not fall silent for good over one answer of Discord's.
        """
        pause = _FIRST_PAUSE
        while True:
            began = clock.monotonic()
            try:
                await self.client.start(self._token)
                _log.warning("the gateway of Discord was closed")
            except discord.LoginFailure:
                if not self._up.is_set():
                    raise
                _log.exception("Discord refuses the token")
            except Exception:  # noqa: BLE001  # whatever it was, the desk must hear again
                _log.exception("the gateway of Discord was lost")
            self._since = None
            await self.client.close()
            lasted = clock.monotonic() - began
            pause = _FIRST_PAUSE if lasted > _LONGEST_PAUSE else min(2 * pause, _LONGEST_PAUSE)
            await sleep(max(pause, self._sign_ins.wait()))
            self.create_client()
