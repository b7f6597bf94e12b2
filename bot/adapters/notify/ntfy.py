"""Push messages through an ntfy server, ours or the public one: one POST of JSON for each message.

The key of a message goes along as its sequence: phones show a repeat in place of the first one, and after an
unknown outcome the topic is read back for it. (docs.ntfy.sh/publish, looked at in November 2026.)
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import urlencode

from bot.adapters.notify.outbound import Outbound
from bot.adapters.notify.ways import Caller, digest, read, refusal
from bot.adapters.notify.words import body, cut, cut_bytes, title, zone_of
from bot.adapters.port import Delivered, Delivery, GiveUp, Result, TryAgain
from handlers.messages import Kind

MESSAGE_BYTES = 4096
"""A longer message becomes a file that has to be opened."""

TITLE = 250
LOOKED_BACK = "12h"
"""How long a server keeps messages, unless it is set up otherwise."""

_TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")
_URGENT, _USUAL = 5, 3


@dataclass(frozen=True)
class _Topic:
    server: str
    name: str
    headers: dict[str, str]


class NtfyAdapter(Caller):
    """One server; `to` of a contact is a topic on it, or the address of a topic elsewhere.

    The token is for this server and goes to no other.
    """

    platform = "ntfy"

    def __init__(self, outbound: Outbound, server: str, token: str | None = None) -> None:
        super().__init__(outbound)
        self._server = server
        self._token = token

    def _topic(self, delivery: Delivery) -> _Topic | None:
        server, _, name = str(delivery.place.get("to") or "").rpartition("/")
        server = server or self._server
        if not _TOPIC.fullmatch(name):
            return None
        ours = self._token is not None and server == self._server
        return _Topic(server, name, {"Authorization": f"Bearer {self._token}"} if ours else {})

    async def _send(self, delivery: Delivery) -> Result:
        topic = self._topic(delivery)
        if topic is None:
            return GiveUp("that is no topic; write up to 64 letters, digits, - and _")
        is_page = delivery.kind == Kind.PAGE
        message = {
            "topic": topic.name,
            "title": cut(title(delivery.reply), TITLE),
            "message": cut_bytes(body(delivery.reply, zone_of(delivery.place)), MESSAGE_BYTES),
            "priority": _URGENT if is_page else _USUAL,
            "tags": ["rotating_light"] if is_page else [],
            "sequence_id": _sequence(delivery),
        }
        headers = {"Content-Type": "application/json", **topic.headers}
        answer = await self._outbound.call("POST", f"{topic.server}/", json.dumps(message).encode(), headers)
        said = read(answer.body)
        if not answer.good:
            code = said.get("code")
            return refusal(answer, f"error {code}" if isinstance(code, int) else "")
        if not said.get("id"):
            return TryAgain("answered without the message", unknown=True)
        return Delivered({"id": str(said["id"])})

    async def find(self, delivery: Delivery) -> Delivered | None:
        """The message with this delivery's sequence in the topic; None where the token may only write.

        Raises Failed when the server cannot be asked just now.
        """
        topic = self._topic(delivery)
        if topic is None:
            return None
        asked = urlencode({"poll": "1", "since": LOOKED_BACK, "title": cut(title(delivery.reply), TITLE)})
        found = await self._look_up(f"{topic.server}/{topic.name}/json?{asked}", headers=topic.headers)
        for line in found.splitlines():
            if (said := read(line)).get("sequence_id") == _sequence(delivery):
                return Delivered({"id": str(said.get("id"))})
        return None


def _sequence(delivery: Delivery) -> str:
    return digest(delivery.key, 32)
