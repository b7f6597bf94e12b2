"""A strict mail server on a loopback port: it keeps to RFC 5321, refuses what does not, and keeps what arrived.

`troubles` go by the verb of a command (`mail`, `rcpt`, `auth`, `data`), `connect` for the greeting, and `.`
for the message itself: `Says("451 4.3.0 later")` is its answer, `ServerError(421)` an answer and the end,
`Hang` none at all, and `Lost` means that it did what was asked, and went.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

from tests.harness.troubles import Hang, Lost, Says, ServerError, Trouble, Troubles

LINE = 1000  # octets of a line with its end (RFC 5321, 4.5.3.1.6)
_PATH = re.compile(r"<([^<>\s@]+@[^<>\s@]+)>( (SIZE=\d+|BODY=8BITMIME))*", re.IGNORECASE)


@dataclass(frozen=True)
class Letter:
    """A message that the server took: the envelope, when, by which connection, and whether that was encrypted."""

    sender: str
    to: str
    at: datetime
    encrypted: bool
    user: str | None
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        """The message as a mail program reads it."""
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def text(self) -> str:
        """What stands in it."""
        return str(self.message.get_content()).replace("\r\n", "\n")


class _Ended(Exception):
    """The connection is over."""


class MailServer:
    """One server. With `tls` it offers STARTTLS, or encrypts from the start; with `users` it wants a password."""

    def __init__(
        self,
        now: Callable[[], datetime],
        tls: ssl.SSLContext | None = None,
        *,
        from_the_start: bool = False,
        users: dict[str, str] | None = None,
    ) -> None:
        self.now = now
        self.tls = tls
        self.users = users
        self.from_the_start = from_the_start
        self.troubles = Troubles()
        self.letters: list[Letter] = []
        self.refused: list[str] = []
        self.connections = 0
        self.open = 0
        self.hanging = 0

    async def start(self) -> MailServer:
        """Listen on a free port."""
        tls = self.tls if self.from_the_start else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls, limit=2**20)
        return self

    async def stop(self) -> None:
        """Listen no longer."""
        self._server.close()
        for task in asyncio.all_tasks():
            if task.get_name() == "a caller of the mail server":
                task.cancel()
        await asyncio.sleep(0)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            task.set_name("a caller of the mail server")
        self.connections += 1
        self.open += 1
        with suppress(_Ended, ConnectionError, asyncio.CancelledError, ssl.SSLError):
            await _Session(self, reader, writer).talk()
        self.open -= 1
        writer.close()
        with suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
            await writer.wait_closed()


class _Session:
    def __init__(
        self, server: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._encrypted = server.from_the_start
        self._greeted = False
        self._user: str | None = None
        self._from: str | None = None
        self._to: str | None = None

    async def talk(self) -> None:
        if not await self._answer("connect", "220 the tests' mail server"):
            return
        while line := await self._reader.readline():
            if not line.endswith(b"\r\n") or len(line) > LINE or not line.isascii():
                await self._refuse(f"500 not a line: {line[:80]!r}")
                continue
            verb, _, rest = line[:-2].decode("ascii").partition(" ")
            method = getattr(self, f"_on_{verb.lower()}", None)
            if method is None:
                await self._refuse(f"500 unknown: {verb}")
            else:
                await method(rest)

    async def _on_ehlo(self, name: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f.:]+\]", name):
            await self._refuse(f"501 not a name: {name}")
            return
        self._greeted = True
        offers = ["hello", "PIPELINING", "ENHANCEDSTATUSCODES"]
        if self._server.tls and not self._encrypted:
            offers.append("STARTTLS")
        if self._server.users and self._encrypted:
            offers.append("AUTH PLAIN")
        await self._say(*(f"250-{offer}" for offer in offers[:-1]), f"250 {offers[-1]}")

    async def _on_starttls(self, _: str) -> None:
        if self._server.tls is None or self._encrypted:
            await self._refuse("502 5.5.1 not here")
            return
        await self._answer("starttls", "220 2.0.0 go ahead")
        await self._writer.start_tls(self._server.tls)
        self._encrypted, self._greeted = True, False

    async def _on_auth(self, rest: str) -> None:
        if not self._encrypted:
            await self._refuse("530 5.7.0 encrypt first")
            return
        _, user, password = base64.b64decode(rest.removeprefix("PLAIN ")).decode().split("\0")
        if (self._server.users or {}).get(user) != password:
            await self._refuse("535 5.7.8 wrong user or password")
            return
        self._user = user
        await self._answer("auth", "235 2.7.0 welcome")

    async def _on_mail(self, rest: str) -> None:
        path = _PATH.fullmatch(rest.removeprefix("FROM:").removeprefix("from:"))
        if not self._greeted or path is None:
            await self._refuse(f"501 5.5.4 not a sender: {rest}")
        elif self._server.users and self._user is None:
            await self._refuse("530 5.7.0 sign in first")
        elif await self._answer("mail", "250 2.1.0 ok"):
            self._from, self._to = path[1], None

    async def _on_rcpt(self, rest: str) -> None:
        path = _PATH.fullmatch(rest.removeprefix("TO:").removeprefix("to:"))
        if self._from is None or path is None or self._to is not None:
            await self._refuse(f"501 5.5.4 not one recipient: {rest}")
        elif await self._answer("rcpt", "250 2.1.5 ok"):
            self._to = path[1]

    async def _on_data(self, _: str) -> None:
        if self._to is None or self._from is None:
            await self._refuse("503 5.5.1 to whom?")
            return
        if not await self._answer("data", "354 end with a dot"):
            return
        lines = []
        while (line := await self._reader.readline()) != b".\r\n":
            if not line.endswith(b"\r\n") or len(line) > LINE or b"\0" in line or b"\r" in line[:-2]:
                await self._refuse(f"554 5.6.0 not a line of a message: {line[:80]!r}")
                raise _Ended
            lines.append(line.removeprefix(b"."))
        trouble = self._server.troubles.take(".")
        if not isinstance(trouble, Hang | Says | ServerError):
            raw = b"".join(lines)
            self._server.letters.append(
                Letter(self._from, self._to, self._server.now(), self._encrypted, self._user, raw)
            )
        self._from = self._to = None
        await self._do(trouble, "250 2.0.0 taken")

    async def _on_rset(self, _: str) -> None:
        self._from = self._to = None
        await self._say("250 2.0.0 ok")

    async def _on_quit(self, _: str) -> None:
        await self._say("221 2.0.0 bye")
        raise _Ended

    async def _answer(self, verb: str, line: str) -> bool:
        """Answer, unless it goes wrong; whether it went well."""
        return await self._do(self._server.troubles.take(verb), line)

    async def _do(self, trouble: Trouble | None, line: str) -> bool:
        match trouble:
            case None:
                await self._say(line)
                return True
            case Says(error=error):
                await self._say(error)
                return False
            case ServerError(status=status):
                await self._say(f"{status} 4.3.2 closing")
                raise _Ended
            case Lost():
                raise _Ended
            case _:
                self._server.hanging += 1
                await self._reader.read()  # until the other side has had enough
                raise _Ended

    async def _refuse(self, line: str) -> None:
        self._server.refused.append(line)
        await self._say(line)

    async def _say(self, *lines: str) -> None:
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode("ascii", "replace"))
        await self._writer.drain()
