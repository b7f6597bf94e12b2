"""SMS through Twilio's interface, or whatever speaks it: one POST for each message.

Twilio has no key for once-only sending, so each message ends in a mark made from its key, and after an
unknown outcome the messages to that number are read back. (twilio.com/docs/messaging/api/message-resource,
looked at in November 2026.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from bot.adapters.notify.outbound import Answer, Outbound
from bot.adapters.notify.ways import Caller, digest, read, refusal
from bot.adapters.notify.words import short, zone_of
from bot.adapters.port import Delivered, Delivery, GiveUp, Result, TryAgain

AT_MOST = 459
"""Characters of a message: three parts of GSM 03.38. Twilio takes 1600; each part costs, and delays the rest."""

LOOKED_THROUGH = 20
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")  # E.164
_SERVICE = re.compile(r"MG[0-9a-f]{32}")
# What is wrong is the sender, the account or its budget, which people put right; not the message.
_OURS_TO_MEND = frozenset({20003, 20005, 21212, 21408, 21603, 21606, 21608, 21611, 21659, 21660, 63038})


class SmsAdapter(Caller):
    """One account. `sender` is a number, a name that the network allows, or a messaging service (`MG…`)."""

    platform = "sms"

    def __init__(self, outbound: Outbound, api: str, account: str, token: str, sender: str) -> None:
        super().__init__(outbound)
        self._messages = f"{api}/2010-04-01/Accounts/{quote(account, safe='')}/Messages.json"
        self._user = account, token
        self._sender = {"MessagingServiceSid" if _SERVICE.fullmatch(sender) else "From": sender}

    async def _send(self, delivery: Delivery) -> Result:
        number = _number(delivery)
        if number is None:
            return GiveUp("that is no number; write it as +49301234567")
        text = short(delivery.reply, zone_of(delivery.place), AT_MOST, _mark(delivery))
        form = {"To": number, **self._sender, "Body": text, "SmartEncoded": "true"}
        answer = await self._outbound.call(
            "POST",
            self._messages,
            urlencode(form).encode(),
            {"Content-Type": "application/x-www-form-urlencoded"},
            self._user,
        )
        said = read(answer.body)
        if not answer.good:
            return _refused(answer, said)
        if not said.get("sid"):
            return TryAgain("answered without the number of a message", unknown=True)
        return Delivered({"sid": str(said["sid"])})

    async def find(self, delivery: Delivery) -> Delivered | None:
        """The message with this delivery's mark among the last ones to the number.

        Raises Failed when Twilio cannot be asked just now.
        """
        number = _number(delivery)
        if number is None:
            return None
        asked = f"{self._messages}?{urlencode({'To': number, 'PageSize': LOOKED_THROUGH})}"
        sent = read(await self._look_up(asked, user=self._user)).get("messages")
        for each in sent if isinstance(sent, list) else ():
            if isinstance(each, Mapping) and _is(each, delivery):
                return Delivered({"sid": str(each.get("sid"))})
        return None


def _is(sent: Mapping[str, Any], delivery: Delivery) -> bool:
    on_its_way = sent.get("status") not in ("failed", "undelivered", "canceled")
    return on_its_way and str(sent.get("body", "")).endswith(f"#{_mark(delivery)}")


def _number(delivery: Delivery) -> str | None:
    number = str(delivery.place.get("to") or "")
    return number if _NUMBER.fullmatch(number) else None


def _mark(delivery: Delivery) -> str:
    return digest(delivery.key, 8)


def _refused(answer: Answer, said: Mapping[str, Any]) -> TryAgain | GiveUp:
    code = said.get("code")
    result = refusal(answer, f"error {code}" if isinstance(code, int) else "")
    return TryAgain(result.reason) if isinstance(result, GiveUp) and code in _OURS_TO_MEND else result
