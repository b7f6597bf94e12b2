"""Strict stand-ins for what is called over HTTP to wake people: Twilio, ntfy, somebody's webhook.

Each keeps a journal of what it was asked and of what it took. `troubles` go by the HTTP method:
`RateLimited(7)`, `ServerError(500)` (any status), `Says("21610")` (an error code of the interface's own),
`Lost` (it did its work, and the answer was cut), `Hang`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

from tests.harness.troubles import Hang, Lost, RateLimited, Says, ServerError, Troubles

_TWILIO_STATUS = {"20003": 401, "20404": 404, "20429": 429}
_NTFY_STATUS = {"40101": 401, "40301": 403, "41301": 413, "42901": 429, "50701": 507}
_TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")


@dataclass(frozen=True)
class Asked:
    """One request, and the status that it was answered with; 0 where it got no whole answer."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    at: datetime
    status: int = 0


@dataclass(frozen=True)
class Said:
    """An answer: its status, its body, and further headers."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def wire(self) -> bytes:
        """As bytes."""
        headers = {"Content-Length": str(len(self.body)), "Connection": "close", **self.headers}
        lines = [f"HTTP/1.1 {self.status} So", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


class WebHost:
    """A host that answers by hand, so that nothing between it and the wire is polite. `answer` may be replaced."""

    def __init__(self, now: Callable[[], datetime], tls: ssl.SSLContext | None = None) -> None:
        self.now = now
        self.tls = tls
        self.troubles = Troubles()
        self.asked: list[Asked] = []
        self.connections = 0
        self.names: list[str | None] = []

    async def start(self, address: str = "127.0.0.1") -> WebHost:
        """Listen on a free port."""
        if self.tls is not None:
            self.tls.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self._server = await asyncio.start_server(self._serve, address, 0, ssl=self.tls)
        return self

    async def stop(self) -> None:
        """Listen no longer."""
        self._server.close()
        for task in asyncio.all_tasks():
            if task.get_name() == "a caller of the host":
                task.cancel()
        await asyncio.sleep(0)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    def answer(self, asked: Asked) -> Said:
        """What it answers when nothing is wrong."""
        return Said(200)

    def error(self, code: str) -> Said:
        """How it words an error of its own."""
        return Said(400, code.encode())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            task.set_name("a caller of the host")
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            asked = await _read(reader, self.now())
            said, whole = await self._respond(asked, reader)
            self.asked.append(
                Asked(**{**vars(asked), "status": said.status if said is not None and whole else 0})
            )
            if said is not None:
                wire = said.wire()
                writer.write(wire if whole else wire[: len(wire) - max(1, len(said.body) // 2)])
                await writer.drain()
        writer.close()
        with suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
            await writer.wait_closed()

    async def _respond(self, asked: Asked, reader: asyncio.StreamReader) -> tuple[Said | None, bool]:
        match self.troubles.take(asked.method):
            case RateLimited(after=after):
                return Said(429, b"{}", {"Retry-After": str(after)}), True
            case ServerError(status=status):
                return Said(status, b"{}"), True
            case Says(error=error):
                return self.error(error), True
            case Lost():
                said = self.answer(asked)
                return (said, False) if said.body else (None, False)
            case Hang():
                self.asked.append(asked)
                await reader.read()
                raise ConnectionAbortedError
            case _:
                return self.answer(asked), True


async def _read(reader: asyncio.StreamReader, at: datetime) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    method, target, version = first.split(" ")
    assert version == "HTTP/1.1"
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert len(headers) == len(lines), "a header stands twice"
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    path, _, query = target.partition("?")
    return Asked(method, path, dict(parse_qsl(query)), headers, body, at)


def _json(status: int, body: Mapping[str, Any]) -> Said:
    return Said(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


class Twilio(WebHost):
    """The Messages resource of one account. `sent` is what went out to phones: numbers and texts."""

    ACCOUNT, TOKEN, SENDER = "AC" + "0" * 32, "a token of Twilio's", "+15005550006"
    _FIELDS = frozenset({"To", "From", "MessagingServiceSid", "Body", "SmartEncoded"})

    def __init__(self, now: Callable[[], datetime], tls: ssl.SSLContext | None = None) -> None:
        super().__init__(now, tls)
        self.messages: list[dict[str, Any]] = []

    @property
    def sent(self) -> list[tuple[str, str]]:
        return [(message["to"], message["body"]) for message in self.messages]

    def error(self, code: str) -> Said:
        status = _TWILIO_STATUS.get(code, 400)
        said = {"code": int(code), "message": f"No to {self.SENDER}", "more_info": "…", "status": status}
        return _json(status, said)

    def answer(self, asked: Asked) -> Said:
        user = base64.b64encode(f"{self.ACCOUNT}:{self.TOKEN}".encode()).decode()
        if asked.headers.get("authorization") != f"Basic {user}":
            return self.error("20003")
        if asked.path != f"/2010-04-01/Accounts/{self.ACCOUNT}/Messages.json":
            return self.error("20404")
        if asked.method == "GET":
            newest = [each for each in reversed(self.messages) if each["to"] == asked.query.get("To")]
            return _json(200, {"messages": newest[: int(asked.query.get("PageSize", "50"))], "page": 0})
        form = dict(parse_qsl(asked.body.decode(), strict_parsing=True))
        if code := self._wrong(form):
            return self.error(code)
        message = {
            "sid": f"SM{len(self.messages):032x}",
            "to": form["To"],
            "body": form["Body"],
            "status": "queued",
            "error_code": None,
        }
        self.messages.append(message)
        return _json(201, message)

    def _wrong(self, form: Mapping[str, str]) -> str | None:
        if not form.keys() <= self._FIELDS:
            return "20001"
        if not re.fullmatch(r"\+[1-9]\d{6,14}", form.get("To", "")):
            return "21211"
        if bool(form.get("From")) == bool(form.get("MessagingServiceSid")):
            return "21603"
        if not form.get("Body"):
            return "21602"
        return "21617" if len(form["Body"]) > 1600 else None


class Ntfy(WebHost):
    """A server with one token. `pushed` is what phones show: a repeat of a sequence shows once.

    With `knows_sequences` off it is an older release, which drops what it does not know.
    """

    TOKEN = "tk_stand_in"
    _FIELDS = frozenset({"topic", "title", "message", "priority", "tags", "sequence_id"})

    def __init__(self, now: Callable[[], datetime], tls: ssl.SSLContext | None = None) -> None:
        super().__init__(now, tls)
        self.messages: list[dict[str, Any]] = []
        self.reads = True
        self.knows_sequences = True
        self._ids = count(1)

    @property
    def pushed(self) -> list[dict[str, Any]]:
        shown = {each.get("sequence_id") or each["id"]: each for each in self.messages}
        return list(shown.values())

    def error(self, code: str) -> Said:
        status = _NTFY_STATUS.get(code, 400)
        return _json(status, {"code": int(code), "http": status, "error": "no"})

    def answer(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != f"Bearer {self.TOKEN}":
            return self.error("40301")
        if asked.method == "GET":
            return self._polled(asked)
        if asked.path != "/":
            return self.error("40009")
        message = json.loads(asked.body)
        if not message.keys() <= self._FIELDS:
            return self.error("40017")
        if not _TOPIC.fullmatch(message["topic"]) or not _TOPIC.fullmatch(message["sequence_id"]):
            return self.error("40009")
        if message["priority"] not in range(1, 6):
            return self.error("40007")
        if len(message["message"].encode()) > 4096:
            return self.error("41301")
        if not self.knows_sequences:
            del message["sequence_id"]
        kept = {
            "id": f"id{next(self._ids)}",
            "time": int(self.now().timestamp()),
            "event": "message",
            **message,
        }
        self.messages.append(kept)
        return _json(200, kept)

    def _polled(self, asked: Asked) -> Said:
        topic = asked.path.removeprefix("/").removesuffix("/json")
        if not self.reads:
            return self.error("40301")
        assert asked.query["poll"] == "1"
        assert re.fullmatch(r"\d+[hms]", asked.query["since"])
        found = [
            each
            for each in self.messages
            if each["topic"] == topic and each["title"] == asked.query.get("title", each["title"])
        ]
        return Said(200, b"".join(json.dumps(each).encode() + b"\n" for each in found))


class Hook(WebHost):
    """Somebody's own webhook: it wants a good signature that is not old. `taken` is what it took, by its keys."""

    SECRET = "a secret of twenty-four characters or more"

    def __init__(self, now: Callable[[], datetime], tls: ssl.SSLContext | None = None) -> None:
        super().__init__(now, tls)
        self.taken: dict[str, Mapping[str, Any]] = {}
        self.location = "/elsewhere"

    def error(self, code: str) -> Said:
        return Said(int(code), b"", {"Location": self.location} if code.startswith("3") else {})

    def answer(self, asked: Asked) -> Said:
        stamp = asked.headers["x-deskbell-timestamp"]
        signed = hmac.new(
            self.SECRET.encode(), stamp.encode() + b"." + asked.body, hashlib.sha256
        ).hexdigest()
        if not hmac.compare_digest(asked.headers["x-deskbell-signature"], f"v1={signed}"):
            return Said(401)
        if abs(self.now().timestamp() - int(stamp)) > 300:
            return Said(401)
        self.taken[asked.headers["idempotency-key"]] = json.loads(asked.body)
        return Said(204)
