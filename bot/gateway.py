"""The gateway of Discord: exactly one process holds it, by a lease, and what nobody heard is put on record.

When the holder dies another takes it within 30 s. Discord tells what is said at the gateway to whoever listens, and
once: a session that is taken up again hears what it missed, a new one does not.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

import structlog

from bot.adapters.port import Adapter
from bot.wiring import House
from handlers.hearing import heard_until
from handlers.messages import DESK, Command, Place
from storage.database import StoreUnavailable
from storage.unit_of_work import Records

NAME = "discord-gateway"
LEASE = timedelta(seconds=15)

_log = structlog.get_logger()


@runtime_checkable
class Hears(Adapter, Protocol):
    """An adapter with a session: the instant at which the present one began, None while there is none."""

    @property
    def hears_since(self) -> datetime | None: ...


async def hold(house: House, adapter: Hears) -> None:
    """Hold the gateway whenever the lease can be had, and listen there.

    While the store is away nobody can take the lease, so whoever has it keeps listening until it runs out.
    """
    holding = _Holding(house, adapter)
    try:
        while True:
            await holding.look()
            await asyncio.sleep(LEASE.total_seconds() / 3)
    finally:
        await holding.end()


class _Holding:
    """One process's hold on the gateway: until when its lease runs, and which session is on record."""

    def __init__(self, house: House, adapter: Hears) -> None:
        self._house = house
        self._adapter = adapter
        self._until: datetime | None = None
        self._noted: datetime | None = None

    async def look(self) -> None:
        """Take or renew the lease, listen or cease to, and note what was not heard."""
        now = self._house.clock.now()
        try:
            mine = await asyncio.to_thread(self._take, now)
        except StoreUnavailable as error:
            _log.warning("the lease of the gateway cannot be renewed", why=str(error))
            mine, until = self._until is not None and now < self._until, self._until
        else:
            until = now + LEASE
        if mine and self._until is None:
            await self._adapter.start()
        if self._until is not None and not mine:
            await self._adapter.stop()
        self._until = until if mine else None
        since = self._adapter.hears_since
        if since is not None and since != self._noted:
            with contextlib.suppress(StoreUnavailable):  # then at the next look
                await asyncio.to_thread(self._note, since)
                self._noted = since

    async def end(self) -> None:
        """Cease to listen, and let another process have the lease at once."""
        heard = self._hears()
        # Without the gateway it may still have signed in, to send.
        await self._adapter.stop()
        if self._until is not None:
            with contextlib.suppress(StoreUnavailable):  # then it runs out by itself
                await asyncio.to_thread(self._release, self._house.clock.now(), heard)

    def _hears(self) -> bool:
        """Whether this process listens in a session whose beginning is on record."""
        since = self._adapter.hears_since
        return since is not None and since == self._noted

    def _take(self, now: datetime) -> bool:
        with self._house.database.writing() as session:
            records = Records(session)
            mine = records.leases.take(NAME, self._house.holder, now, LEASE)
            if mine and self._hears():
                records.facts.put(heard_until(self._adapter.platform), now.isoformat())
            return mine

    def _note(self, since: datetime) -> None:
        line = f"desk unheard {self._adapter.platform} {since.isoformat()}"
        said = Command(line=line, sender=DESK, place=Place(platform=DESK.platform), key=line)
        self._house.dispatcher.obey(said)

    def _release(self, now: datetime, heard: bool) -> None:
        with self._house.database.writing() as session:
            records = Records(session)
            records.leases.release(NAME, self._house.holder)
            if heard:
                records.facts.put(heard_until(self._adapter.platform), now.isoformat())
