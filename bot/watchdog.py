"""The watchdog: tells somebody outside, once a minute, that the desk does what it is for, and else falls silent.

Who listens at the other end (a dead man's switch) wakes people when it hears nothing. That this process lives is
not enough: what is due must have been tried, and what may leave must have been taken, by whichever worker.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from bot.adapters.notify.outbound import Failed, Outbound
from bot.wiring import House
from storage.database import StoreUnavailable
from storage.repositories.flow import HELD
from storage.unit_of_work import Records

EVERY = 60.0
"""Seconds between two words."""

LATE = timedelta(minutes=2)
"""What has waited for so long, while nobody tried it, is not only late."""

_log = structlog.get_logger()


async def watch(house: House, url: str, outbound: Outbound) -> None:
    """Say so for ever, whenever it is so."""
    while True:
        await tell(house, url, outbound)
        await asyncio.sleep(EVERY)


async def tell(house: House, url: str, outbound: Outbound) -> bool:
    """Call the address unless something stands still; whether it was called and said that it heard."""
    troubles = await asyncio.to_thread(standing_still, house)
    if troubles:
        _log.error("the watchdog keeps silent", troubles=", ".join(troubles))
        return False
    try:
        answer = await outbound.call("GET", url)
    except Failed as error:
        _log.warning("nobody hears the watchdog", why=str(error))
        return False
    if not answer.good:
        _log.warning("nobody hears the watchdog", status=answer.status)
    return answer.good


def standing_still(house: House) -> list[str]:
    """What does not move although it should; nothing when all is well."""
    before = house.clock.now() - LATE
    try:
        with house.database.reading() as session:
            records = Records(session)
            if records.facts.get(HELD):
                return ["this copy is held"]
            leaves = records.outbox.next_at(list(house.adapters))
            found = {
                "what is due is not said": records.dues.is_behind(before),
                "what may leave is not taken": leaves is not None and leaves < before,
            }
    except StoreUnavailable:
        return ["the store does not answer"]
    return [name for name, so in found.items() if so]
