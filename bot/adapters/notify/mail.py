"""Mail by SMTP (RFC 5321): one connection for each message, encrypted unless the address says otherwise.

Nobody can ask a mail server whether a message arrived. So each has a Message-ID made from its key, by which
mailboxes know a repeat, and one whose outcome is unknown is sent again.

The standard library's client blocks, so it runs in a thread. A call that is given up cuts its connection, so
that the thread does not outlive it for long.
"""

from __future__ import annotations

import asyncio
import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import partial
from urllib.parse import unquote, urlsplit

import anyio.to_thread
from anyio import CapacityLimiter

from bot.adapters.notify.outbound import CONNECT, TOTAL, trust
from bot.adapters.notify.ways import digest
from bot.adapters.notify.words import body, title, zone_of
from bot.adapters.port import Delivered, Delivery, GiveUp, Result, TryAgain
from handlers.messages import Kind

AT_ONCE = 8
"""How many connections to the server are open at a time."""

SUBJECT = 200
PORTS = {"smtps": 465, "smtp": 587, "smtp+plain": 25}


@dataclass(frozen=True)
class Server:
    """Where mail is handed in. `smtps` encrypts from the start, `smtp` before anything is said, `smtp+plain` never."""

    scheme: str
    host: str
    port: int
    user: str | None = None
    password: str | None = None

    @classmethod
    def at(cls, url: str) -> Server:
        """From `smtp://user:password@host:port`; what is special in user and password is percent-encoded."""
        parts = urlsplit(url)
        return cls(
            scheme=parts.scheme,
            host=parts.hostname or "",
            port=parts.port or PORTS[parts.scheme],
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )


class MailAdapter:
    """One server, and the address that mail comes from, as `name <box@host>` or the address alone."""

    platform = "mail"
    pace = 1.0

    def __init__(
        self,
        server: Server,
        sender: str,
        now: Callable[[], datetime],
        *,
        tls: ssl.SSLContext | None = None,
        connect: float = CONNECT,
        total: float = TOTAL,
    ) -> None:
        self._server = server
        self._sender = address_of(sender)
        self._now = now
        self._tls = tls
        self._connect = connect
        self._total = total
        self._limiter: CapacityLimiter | None = None

    async def start(self) -> None:
        """Nothing to connect."""

    async def stop(self) -> None:
        """Nothing to close."""

    async def deliver(self, delivery: Delivery) -> Result:
        """Hand in one message; never raises for what the server does."""
        try:
            to = address_of(str(delivery.place.get("to") or ""), str(delivery.place.get("name") or ""))
        except ValueError:
            return GiveUp("that is no address for mail")
        letter = written(delivery, self._sender, to, self._now())
        call = _Call(self._server, self._tls or trust(), self._connect, self._total)
        if self._limiter is None:
            self._limiter = CapacityLimiter(AT_ONCE)
        work = partial(call.hand_in, self._sender, to, letter)
        try:
            async with asyncio.timeout(self._total):
                return await anyio.to_thread.run_sync(work, limiter=self._limiter, abandon_on_cancel=True)
        except TimeoutError:
            return TryAgain(f"no answer in {self._total:g} s", unknown=call.may_have_arrived)
        finally:
            call.cut()

    async def find(self, delivery: Delivery) -> Delivered | None:
        """Nobody can tell."""
        return None


def address_of(text: str, name: str = "") -> Address:
    """An address with the name beside it. Raises ValueError for anything else, such as two of them."""
    spec = text.strip()
    if spec.endswith(">"):
        name, _, spec = spec[:-1].rpartition("<")
    name = " ".join("".join(each if each.isprintable() else " " for each in name).replace('"', " ").split())
    try:
        made = Address(addr_spec=spec.strip())
        domain = made.domain.encode("idna").decode("ascii")
    except (MessageError, IndexError, UnicodeError) as error:
        raise ValueError("that is no address") from error
    if not made.username.isascii() or "." not in f"{domain}.":
        raise ValueError("that is no address")
    return Address(_unworded(name), made.username, domain)


def written(delivery: Delivery, sender: Address, to: Address, now: datetime) -> EmailMessage:
    """A message as mail: plain text, with the headers that keep machines from answering it (RFC 3834)."""
    reply = delivery.reply
    letter = EmailMessage(policy=SMTP)
    letter["From"] = sender
    letter["To"] = to
    letter["Subject"] = _unworded(title(reply))[:SUBJECT]
    letter["Date"] = now
    letter["Message-ID"] = f"<{digest(delivery.key, 32)}@{sender.domain}>"
    if reply.subject:  # so that all about one ticket is one conversation
        letter["References"] = f"<{digest(reply.subject, 32)}.ticket@{sender.domain}>"
    letter["List-Id"] = f"<deskbell.{sender.domain}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter["X-Auto-Response-Suppress"] = "All"
    if delivery.kind == Kind.PAGE:
        letter["Importance"] = "high"
        letter["X-Priority"] = "1"
    letter.set_content(body(reply, zone_of(delivery.place)) or title(reply), cte="quoted-printable")
    return letter


def _unworded(text: str) -> str:
    """Text in which nothing reads as an encoded word (RFC 2047): the library would decode it, line ends and all."""
    return text.replace("=?", "= ?")


class _Call:
    """One connection that hands in one message. `may_have_arrived` once the server was given any of it."""

    def __init__(self, server: Server, tls: ssl.SSLContext, connect: float, total: float) -> None:
        self._server = server
        self._tls = tls
        self._connect = connect
        self._total = total
        self._wire: socket.socket | None = None
        self._is_cut = False
        self.may_have_arrived = False

    def cut(self) -> None:
        """End the connection, whoever waits for it."""
        self._is_cut = True
        if self._wire is not None:
            with suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)
            self._wire.close()

    def hand_in(self, sender: Address, to: Address, letter: EmailMessage) -> Result:
        """Connect, encrypt, sign in, hand in."""
        client = _Client(sender.domain, self._opened)
        try:
            code, said = client.connect(self._server.host, self._server.port)
            if not _good(code):
                return TryAgain(f"the mail server refuses us: {_code(code, said)}")
            self._enter(client)
            result = self._hand_over(client, sender.addr_spec, to.addr_spec, letter)
            client.putcmd("QUIT")  # nobody waits for the answer: the message is handed in, or is not
        except smtplib.SMTPResponseException as error:
            not_an_answer = self.may_have_arrived and not isinstance(error, smtplib.SMTPDataError)
            reason = f"the mail server refuses us: {_code(error.smtp_code, error.smtp_error)}"
            return TryAgain(reason, unknown=not_an_answer)
        except (smtplib.SMTPException, OSError) as error:
            why = str(error) or type(error).__name__
            return TryAgain(f"{self._server.host}: {why}", unknown=self.may_have_arrived)
        finally:
            client.close()
        return result

    def _opened(self, host: str, port: int) -> socket.socket:
        made = socket.create_connection((host, port), self._connect)
        made.settimeout(self._total)
        self._wire = made.dup()  # so that it can be cut whatever is built on it
        if self._is_cut:
            raise OSError("given up")
        return self._tls.wrap_socket(made, server_hostname=host) if self._server.scheme == "smtps" else made

    def _enter(self, client: smtplib.SMTP) -> None:
        if self._server.scheme == "smtp":
            client.starttls(context=self._tls)  # raises where the server offers none
        if self._server.user is not None:
            client.login(self._server.user, self._server.password or "")

    def _hand_over(self, client: smtplib.SMTP, sender: str, to: str, letter: EmailMessage) -> Result:
        client.ehlo_or_helo_if_needed()
        code, said = client.mail(sender)
        if not _good(code):
            return TryAgain(f"the mail server refuses our address: {_code(code, said)}")
        code, said = client.rcpt(to)
        if _good(code):
            self.may_have_arrived = True
            code, said = client.data(letter.as_bytes())
        if _good(code):
            return Delivered({"id": str(letter["Message-ID"])})
        reason = f"the mail server refuses the message: {_code(code, said)}"
        if 500 <= code < 600:
            return GiveUp(reason)
        return TryAgain(reason, unknown=self.may_have_arrived and code < 400)


class _Client(smtplib.SMTP):
    """The standard library's client, over a connection that somebody else opens."""

    def __init__(self, name: str, opened: Callable[[str, int], socket.socket]) -> None:
        super().__init__(local_hostname=name)
        self._opened = opened

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        self._host = host  # whose certificate STARTTLS will look at
        return self._opened(host, port)


def _good(code: int) -> bool:
    return 200 <= code < 300


def _code(code: int, said: bytes | str) -> str:
    """A reply without its words, which may repeat an address: its code, and the enhanced one (RFC 3463)."""
    text = said.decode("ascii", "replace") if isinstance(said, bytes) else said
    enhanced = re.match(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", text)
    return f"{code} {enhanced[0]}" if enhanced else str(code)
