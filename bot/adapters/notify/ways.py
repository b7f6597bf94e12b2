"""What the ways over HTTP have in common: no wire to connect, one call for each message, what an answer means."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bot.adapters.notify.outbound import Answer, Failed, Outbound
from bot.adapters.port import Delivered, Delivery, GiveUp, Result, TryAgain

# Of our settings, not of the message: people put them right within hours, and what waited must not be lost.
OURS_TO_MEND = frozenset({401, 402, 403, 404, 405, 407})
_LATER = frozenset({408, 409, 421, 423, 425, 429})


def digest(key: str, length: int) -> str:
    """The key of a message as so many hexadecimal digits, for places that take no more; the same for ever."""
    return hashlib.sha256(key.encode()).hexdigest()[:length]


def read(text: bytes) -> Mapping[str, Any]:
    """A JSON object; an empty one for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def refusal(answer: Answer, said: str) -> TryAgain | GiveUp:
    """What an answer other than 2xx means for a message; `said` is whatever the host said about it."""
    reason = f"answered {answer.status}" + (f": {said}" if said else "")
    if answer.status >= 500:
        return TryAgain(reason, after=answer.retry_after, unknown=True)
    if answer.status < 400 or answer.status in OURS_TO_MEND | _LATER:
        return TryAgain(reason, after=answer.retry_after)
    return GiveUp(reason)


class Caller:
    """A way that calls somebody's HTTP interface; `_send` says how. Nothing is connected between two calls."""

    platform = ""
    pace = 1.0

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def start(self) -> None:
        """Nothing to connect."""

    async def stop(self) -> None:
        """Nothing to close."""

    async def deliver(self, delivery: Delivery) -> Result:
        """Send one message; never raises for what the other side does."""
        if not delivery.place.get("to"):
            return GiveUp(f"no address for {self.platform}")
        try:
            return await self._send(delivery)
        except Failed as failed:
            return failed.result

    async def _send(self, delivery: Delivery) -> Result:
        raise NotImplementedError

    async def find(self, delivery: Delivery) -> Delivered | None:
        """Nobody can tell, unless the way says so."""
        return None

    async def _look_up(self, url: str, **how: Any) -> bytes:
        """What the other side says that it was sent before; nothing when we may not ask.

        Raises Failed when it cannot be asked just now: to send again then might be to send twice.
        """
        answer = await self._outbound.call("GET", url, **how)
        if answer.good:
            return answer.body
        if answer.status >= 500 or answer.status in _LATER:
            raise Failed(refusal(answer, ""))
        return b""
