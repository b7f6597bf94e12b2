"""Does mail arrive encrypted, once for what can be known, and with nothing in it that was not meant to be?"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.notify.mail import PORTS, MailAdapter, Server, address_of, written
from bot.adapters.port import Adapter, Delivered, Delivery, GiveUp, TryAgain
from bot.clock import VirtualClock
from handlers.messages import Button, Fact, Reply
from tests.adapters.notify.conftest import KEY, PAGE, page
from tests.flow.conftest import until
from tests.harness.certificates import Authority
from tests.harness.house import MONDAY
from tests.harness.mail_server import MailServer
from tests.harness.troubles import Hang, Lost, Says, ServerError

BO = "bo@example.org"
DESK = "Desk & Bell <desk@example.org>"
Opened = Callable[..., Any]


@pytest.fixture
def opened(clock: VirtualClock, authority: Authority) -> Opened:
    """A mail server and our way to it: `async with opened(scheme="smtps") as (server, mail)`."""

    @asynccontextmanager
    async def open_(
        scheme: str = "smtp",
        *,
        host: str = "localhost",
        users: dict[str, str] | None = None,
        user: tuple[str, str] | tuple[None, None] = (None, None),
        encrypts: bool = True,
        expired: bool = False,
        total: float = 0.7,
    ) -> AsyncIterator[tuple[MailServer, MailAdapter]]:
        tls = authority.vouching_for("localhost", expired=expired) if encrypts else None
        server = MailServer(clock.now, tls, from_the_start=scheme == "smtps", users=users)
        await server.start()
        there = Server(scheme, host, server.port, *user)
        try:
            yield server, MailAdapter(there, DESK, clock.now, tls=authority.trusting(), total=total)
        finally:
            await server.stop()
        assert server.refused == []

    return open_


# What arrives -------------------------------------------------------------------------------------


async def test_a_page_arrives_as_plain_text_with_the_headers_that_keep_machines_from_answering(
    opened: Opened,
):
    async with opened() as (server, mail):
        adapter: Adapter = mail
        arrived = await adapter.deliver(page(BO))
    (letter,) = server.letters
    assert arrived == Delivered({"id": letter.message["Message-ID"]})
    assert (letter.sender, letter.to, letter.encrypted) == ("desk@example.org", BO, True)
    headers = {name: str(value) for name, value in letter.message.items()}
    assert headers == {
        "From": "Desk & Bell <desk@example.org>",
        "To": f"Bo Backup <{BO}>",
        "Subject": "INC-7 · Mail is down",
        "Date": "Mon, 23 Nov 2026 08:00:00 +0000",
        "Message-ID": headers["Message-ID"],
        "References": headers["References"],
        "List-Id": "<deskbell.example.org>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "Importance": "high",
        "X-Priority": "1",
        "MIME-Version": "1.0",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": "quoted-printable",
    }
    assert letter.text == (
        "Nobody can send since the update.\n\n"
        "Severity: SEV1\nSince: Mon 23 Nov 2026 08:00 WET\nWhy you: you are on call\n\n"
        "To answer, say this to the desk in chat:\n"
        "Acknowledge: incident ack INC-7\nShow INC-7: incident show INC-7\n"
    )


async def test_a_repeat_has_the_same_message_id_and_another_page_has_another(opened: Opened):
    async with opened() as (server, mail):
        await mail.deliver(page(BO))
        await mail.deliver(page(BO))
        await mail.deliver(page(BO, key="INC-7/page/2/bo/2/mail:@bo"))
    first, again, other = (letter.message for letter in server.letters)
    assert first["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    assert first["References"] == other["References"], "all about one incident is one conversation"


async def test_what_is_no_page_does_not_hurry(opened: Opened):
    async with opened() as (server, mail):
        await mail.deliver(page(BO, kind="message"))
    assert "Importance" not in server.letters[0].message


async def test_long_lines_dots_and_many_tongues_arrive_as_they_were(opened: Opened):
    said = f".\n..two\n{'long ' * 500}\nπ 🔔 ü\nFrom here"
    async with opened() as (server, mail):
        await mail.deliver(page(BO, reply=Reply(title="ü" * 150, text=(said,))))
    (letter,) = server.letters
    assert letter.text == f"{said}\n"
    assert letter.message["Subject"] == "ü" * 150


# Encryption and signing in ------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_password_is_said_under_encryption_only(opened: Opened, scheme: str):
    secret = "p@ss:word/% "
    async with opened(scheme, users={"desk": secret}, user=("desk", secret)) as (server, mail):
        assert isinstance(await mail.deliver(page(BO)), Delivered)
    assert (server.letters[0].user, server.letters[0].encrypted) == ("desk", True)


async def test_a_server_that_does_not_encrypt_is_told_nothing(opened: Opened):
    async with opened(encrypts=False, user=("desk", "secret")) as (server, mail):
        result = await mail.deliver(page(BO))
    assert result == TryAgain("localhost: STARTTLS extension not supported by server.")
    assert server.letters == []


async def test_without_encryption_only_where_the_address_says_so(opened: Opened):
    async with opened("smtp+plain", encrypts=False) as (server, mail):
        assert isinstance(await mail.deliver(page(BO)), Delivered)
    assert not server.letters[0].encrypted


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
@pytest.mark.parametrize(("host", "expired"), [("127.0.0.1", False), ("localhost", True)])
async def test_a_certificate_that_is_wrong_ends_it(opened: Opened, scheme: str, host: str, expired: bool):
    async with opened(scheme, host=host, expired=expired) as (server, mail):
        result = await mail.deliver(page(BO))
    assert isinstance(result, TryAgain)
    assert "CERTIFICATE_VERIFY_FAILED" in result.reason
    assert not result.unknown
    assert server.letters == []


async def test_a_wrong_password_is_ours_to_mend(opened: Opened):
    async with opened(users={"desk": "right"}, user=("desk", "wrong")) as (server, mail):
        result = await mail.deliver(page(BO))
        server.refused.clear()
    assert result == TryAgain("the mail server refuses us: 535 5.7.8")


# What goes wrong ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "trouble", "result"),
    [
        ("connect", Says("554 5.3.2 not today"), TryAgain("the mail server refuses us: 554 5.3.2")),
        ("mail", Says("451 4.7.1 later"), TryAgain("the mail server refuses our address: 451 4.7.1")),
        ("mail", Says("550 5.7.1 who?"), TryAgain("the mail server refuses our address: 550 5.7.1")),
        ("rcpt", Says("450 4.2.1 busy"), TryAgain("the mail server refuses the message: 450 4.2.1")),
        ("rcpt", Says(f"550 5.1.1 <{BO}> unknown"), GiveUp("the mail server refuses the message: 550 5.1.1")),
        ("data", Says("451 4.3.1 full"), TryAgain("the mail server refuses us: 451 4.3.1")),
        (".", Says("451 4.3.0 later"), TryAgain("the mail server refuses the message: 451 4.3.0")),
        (".", Says("554 5.7.1 spam"), GiveUp("the mail server refuses the message: 554 5.7.1")),
        (".", ServerError(421), TryAgain("the mail server refuses the message: 421 4.3.2")),
        (".", Says("what?"), TryAgain("the mail server refuses the message: -1", unknown=True)),
    ],
    ids=str,
)
async def test_a_refusal_is_tried_again_or_given_up_as_it_deserves(opened: Opened, verb, trouble, result):
    async with opened() as (server, mail):
        server.troubles.add(verb, trouble)
        found = await mail.deliver(page(BO))
        assert server.letters == []
    assert found == result


@pytest.mark.parametrize("verb", ["connect", "starttls", "mail", "rcpt"])
async def test_a_server_that_hangs_early_did_not_get_it(opened: Opened, verb: str):
    async with opened() as (server, mail):
        server.troubles.add(verb, Hang())
        assert await mail.deliver(page(BO)) == TryAgain("no answer in 0.7 s")


@pytest.mark.parametrize("trouble", [Hang(), Lost()])
async def test_a_server_that_is_silent_at_the_end_may_have_it(opened: Opened, trouble):
    async with opened() as (server, mail):
        server.troubles.add(".", trouble)
        result = await mail.deliver(page(BO))
    assert isinstance(result, TryAgain)
    assert result.unknown
    assert await mail.find(page(BO)) is None, "nobody can tell"


async def test_a_call_that_is_given_up_leaves_neither_thread_nor_connection(opened: Opened):
    async with opened(total=0.2) as (server, mail):
        before = threading.active_count()
        server.troubles.always = lambda verb: Hang() if verb == "mail" else None
        results = await asyncio.gather(*(mail.deliver(page(BO)) for _ in range(4)))
        assert results == [TryAgain("no answer in 0.2 s")] * 4
        await until(lambda: not server.open)
        assert threading.active_count() <= before + 4, "anyio keeps its idle threads for the next call"
        server.troubles.always = lambda verb: None
        assert isinstance(await mail.deliver(page(BO)), Delivered)


async def test_a_call_that_is_cancelled_is_cut(opened: Opened):
    async with opened(total=30.0) as (server, mail):
        server.troubles.add("mail", Hang())
        call = asyncio.create_task(mail.deliver(page(BO)))
        await until(lambda: server.hanging)
        call.cancel()
        await until(lambda: not server.open)


async def test_nobody_listens(opened: Opened, clock: VirtualClock, authority: Authority):
    async with opened() as (server, mail):
        await server.stop()
        result = await mail.deliver(page(BO))
    assert isinstance(result, TryAgain)
    assert not result.unknown


# Addresses and headers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "to",
    [
        None,
        "",
        "bo",
        "bo@",
        "@example.org",
        "bo@example.org, eve@example.org",
        "bo@example.org\r\nBcc: eve@example.org",
        "bo@example.org>\r\nRCPT TO:<eve@example.org",
        "Eve <eve@example.org>, bo@example.org",
        "bo@exa mple.org",
        "bö@example.org",
        "<>",
        "bo@example.org\0",
    ],
)
async def test_what_is_not_one_address_is_given_up(opened: Opened, to: str | None):
    async with opened() as (server, mail):
        assert await mail.deliver(page(to)) == GiveUp("that is no address for mail")
    assert server.connections == 0


@pytest.mark.parametrize(
    ("text", "name", "shown"),
    [
        ("bo@example.org", "", "bo@example.org"),
        ("bo@example.org", "Bo", "Bo <bo@example.org>"),
        ("Bo B <bo@example.org>", "", "Bo B <bo@example.org>"),
        ("bo@exämple.org", "", "bo@xn--exmple-cua.org"),
        ("bo+pager@example.org", 'B "o\r\nBcc: x', '"B o Bcc: x" <bo+pager@example.org>'),
        ('"b o"@example.org', "", '"b o"@example.org'),
    ],
)
def test_an_address_is_one_address_with_a_name(text: str, name: str, shown: str):
    assert str(address_of(text, name)) == shown


LINES = st.text(max_size=60) | st.sampled_from(
    ("x\r\nBcc: eve@example.org", "x\n\nbody", "\x00", "=?utf-8?q?=0A?=")
)


@given(title=LINES, label=LINES, line=LINES, text=LINES, name=LINES, key=LINES)
def test_whatever_people_write_no_header_is_added(title, label, line, text, name, key):
    reply = Reply(
        title=title,
        text=(text,),
        facts=(Fact(label=label, value=(text,)),),
        buttons=(Button(label=label, line=line),),
        subject="INC-7",
    )
    delivery = Delivery(key, "page", {"person": "bo", "to": BO}, reply)
    letter = written(delivery, address_of(DESK), address_of(BO, name), MONDAY)
    names = [name.decode().partition(":")[0] for name in _header_lines(letter.as_bytes())]
    assert names == [name.decode().partition(":")[0] for name in _header_lines(_plain().as_bytes())]


def _plain():
    return written(page(BO), address_of(DESK), address_of(BO, "Bo"), MONDAY)


def _header_lines(raw: bytes) -> list[bytes]:
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    head, _, _ = raw.partition(b"\r\n\r\n")
    return [line for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]


# Settings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.org", Server("smtp", "mail.example.org", PORTS["smtp"])),
        ("smtps://mail.example.org", Server("smtps", "mail.example.org", 465)),
        ("smtp+plain://localhost:2525/", Server("smtp+plain", "localhost", 2525)),
        ("smtp://d%40x:p%3Aw%2F@[::1]:587", Server("smtp", "::1", 587, "d@x", "p:w/")),
    ],
)
def test_an_address_of_a_server_says_how_it_is_reached(url: str, server: Server):
    assert Server.at(url) == server


def test_a_page_says_the_same_whatever_the_way(clock: VirtualClock):
    letter = written(page(BO), address_of(DESK), address_of(BO), clock.now())
    assert PAGE.buttons[0].line in letter.get_content()
    assert KEY not in letter.as_string(), "keys are ours"
