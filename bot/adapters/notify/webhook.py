"""A message as a signed POST to an address of somebody's own.

`X-Deskbell-Signature: v1=…` is the HMAC-SHA256, in hexadecimal, of `{timestamp}.{body}` under the shared
secret, and `X-Deskbell-Timestamp` that timestamp, in seconds since 1970. Whoever takes it should compare in
constant time and refuse what is older than five minutes. `Idempotency-Key` is the same whenever a message
is sent again. Only 2xx says that it was taken; anything else is tried again for a day.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from bot.adapters.notify.outbound import Outbound
from bot.adapters.notify.ways import Caller, refusal
from bot.adapters.notify.words import plain, title, zone_of
from bot.adapters.port import Delivered, Delivery, GiveUp, Result, TryAgain

GONE = 410
"""The one refusal that is final: the other side says that the address is given up."""


class WebhookAdapter(Caller):
    """One secret for all webhooks; `now` reads the clock."""

    platform = "webhook"
    pace = 0.0

    def __init__(self, outbound: Outbound, secret: str, now: Callable[[], datetime]) -> None:
        super().__init__(outbound)
        self._secret = secret
        self._now = now

    async def _send(self, delivery: Delivery) -> Result:
        content = json.dumps(shown(delivery), ensure_ascii=False).encode()
        timestamp = str(int(self._now().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": delivery.key.encode("ascii", "backslashreplace").decode(),
            "X-Deskbell-Timestamp": timestamp,
            "X-Deskbell-Signature": f"v1={sign(self._secret, timestamp, content)}",
        }
        answer = await self._outbound.call("POST", str(delivery.place["to"]), content, headers)
        if answer.good:
            return Delivered({"status": answer.status})
        result = refusal(answer, "")
        return TryAgain(result.reason) if isinstance(result, GiveUp) and answer.status != GONE else result


def sign(secret: str, timestamp: str, content: bytes) -> str:
    """The signature of a body, in hexadecimal."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + content, hashlib.sha256).hexdigest()


def shown(delivery: Delivery) -> Mapping[str, Any]:
    """The body, ready for JSON: what a reader needs to show it, and what may be said to the desk in answer.

    To a program that hears of events it is the event itself, as the ledger holds it.
    """
    if event := delivery.place.get("event"):
        return {"key": delivery.key, "kind": "event", **event}
    reply, zone = delivery.reply, zone_of(delivery.place)
    return {
        "key": delivery.key,
        "kind": delivery.kind,
        "person": delivery.place.get("person"),
        "subject": reply.subject,
        "title": title(reply),
        "text": plain(reply.text, zone),
        "facts": [{"label": each.label, "value": plain(each.value, zone)} for each in reply.facts],
        "answers": [{"label": button.label, "line": button.line} for button in reply.buttons],
    }
