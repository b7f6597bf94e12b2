"""Can anybody make the desk call a place that it must not? Every connection is watched at the socket."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta
from email.utils import format_datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.adapters.notify import outbound
from bot.adapters.notify.outbound import READ_AT_MOST, WAIT_AT_MOST, Answer, Failed, Outbound, not_outside
from bot.adapters.port import GiveUp, TryAgain
from bot.clock import VirtualClock
from tests.harness.certificates import Authority
from tests.harness.house import MONDAY
from tests.harness.troubles import Hang, Says
from tests.harness.web_hosts import Hook, Said, WebHost

_seen: list[str] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        _seen.append(str(arguments[1][0]))


sys.addaudithook(_watch)


@pytest.fixture
def connected() -> list[str]:
    """The addresses to which connections were begun."""
    _seen.clear()
    return _seen


def resolving(*answers: Sequence[str]):
    """A name server that gives these answers, one after the other, and then the last one for ever."""
    waiting = list(answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    return resolve


# Addresses ----------------------------------------------------------------------------------------

_INSIDE = """
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.255.255.254
    168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192
    192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1
    224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
    :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1
    64:ff9b::a9fe:a9fe 64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b:1::a9fe:a9fe 100::1
    2001::1 2001:0:7f00:1:: 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:a9fe:a9fe:: 3fff::1 5f00::1
    fc00::1 fd00:ec2::254 fdff::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1
"""
INSIDE = _INSIDE.split()
_OUTSIDE = """
    1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1 169.253.255.255 169.255.0.1 172.15.255.255
    172.32.0.1 192.167.255.255 192.169.0.1 223.255.255.255 2001:4860:4860::8888 2600:: 2a00:1450:4001::1
    64:ff9b::808:808
"""
OUTSIDE = _OUTSIDE.split()


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_known_as_such(address: str):
    assert not_outside(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_outside_is_called(address: str):
    assert not_outside(address) is None


@given(st.ip_addresses())
@example(ip_address("64:ff9b::a9fe:a9fe"))
@example(ip_address("2002:7f00:1::"))
def test_whatever_python_calls_private_is_inside(address: IPv4Address | IPv6Address):
    translated = isinstance(address, IPv6Address) and address in outbound._NAT64
    if not translated and (not address.is_global or address.is_multicast or address.is_reserved):
        assert not_outside(str(address))


@given(st.text(max_size=30))
def test_what_is_no_address_leads_nowhere(text: str):
    try:
        ip_address(text)
    except ValueError:
        assert not_outside(text) == "nowhere"


# What people write --------------------------------------------------------------------------------

LITERAL = [
    f"https://[{each}]/" if ":" in each else f"https://{each}/hook" for each in INSIDE if "%" not in each
]
_WRITTEN = """
    https://localhost/ https://localhost./ https://LOCALHOST/ https://2130706433/ https://0x7f000001/
    https://0x7f.0.0.1/ https://0177.0.0.1/ https://017700000001/ https://127.1/ https://127.0.1/ https://0/
    https://2852039166/ https://0xa9fea9fe/ https://169.254.43518/ https://[::ffff:7f00:1]/ https://[0:0:0:0:0:0:0:1]/
    https://[::127.0.0.1]/ https://[fe80::1%25lo]/ https://[::1%25lo]/ https://①②⑦.⓪.⓪.①/ https://127。0。0。1/
    https://example.org@127.0.0.1/ https://user:word@example.org/ https://example.org%40127.0.0.1/
    https://127.0.0.1%00.example.org/ https://127.0.0.1\\@example.org/ https://example.org\\@127.0.0.1/
    https://:443/ https:/// https://?x https:127.0.0.1 //127.0.0.1/ /hook hook 127.0.0.1
    https://[::1 https://::1/ https://[]/ https://[v1.x]/
    http://127.0.0.1/ http://example.org/ file:///etc/passwd ftp://example.org/ gopher://127.0.0.1:6379/_x
    unix:///run/docker.sock data:text/plain,x javascript:1 ws://127.0.0.1/ ldap://127.0.0.1/ HTTPS+unix://x/
    https://127.0.0.1:22/ https://127.0.0.1:8080/ https://example.org:22/ https://example.org:0/
    https://example.org:65536/ https://example.org:x/ https://example.org:80/ https://example.org:6379/
    https://metadata.google.internal/ https://instance-data/ https://kubernetes.default.svc/
    https://localhost:443/ https://127.0.0.1:8443/ https://example.org/ https://example.org.:443/
"""
WRITTEN = _WRITTEN.split()
HOSTS = {
    "metadata.google.internal": "169.254.169.254",
    "instance-data": "169.254.169.254",
    "kubernetes.default.svc": "10.96.0.1",
}


async def look_up(host: str, port: int) -> Sequence[str]:
    """The machine's own look-up for what needs no name server; nobody is asked over a network."""
    if host in HOSTS:
        return [HOSTS[host]]
    if host.rstrip(".") == "example.org":
        return ["127.0.0.1"]  # as if its owner were against us
    return await outbound.look_up(host, port)


@pytest.mark.parametrize(
    "url", [*LITERAL, *WRITTEN, "", " ", "https://x" + "y" * 70 + "/", "https://" + "a." * 200]
)
async def test_nothing_that_is_written_makes_a_connection_inside(url: str, connected: list[str]):
    with pytest.raises(Failed) as failed:
        await Outbound(resolve=look_up).call("POST", url, b"x")
    assert connected == []
    assert not getattr(failed.value.result, "unknown", False)


@given(st.text(max_size=80) | st.from_regex(r"https?://[^/]{0,40}(/.{0,20})?", fullmatch=True))
async def test_whatever_is_written_it_is_refused_calmly(url: str):
    with pytest.raises(Failed):
        await Outbound(resolve=resolving(["127.0.0.1"])).call("POST", url, b"x")


def test_more_than_a_hundred_targets_are_tried():
    assert len(LITERAL) + len(WRITTEN) >= 120


async def test_one_address_inside_among_several_is_enough_to_refuse(connected: list[str]):
    for addresses in (["1.1.1.1", "10.0.0.1"], ["2600::1", "::1"], ["8.8.8.8", "64:ff9b::a9fe:a9fe"]):
        with pytest.raises(Failed) as failed:
            await Outbound(resolve=resolving(addresses)).call("POST", "https://example.org/", b"x")
        assert isinstance(failed.value.result, GiveUp)
        assert "is not allowed by name" in failed.value.result.reason
    assert connected == []


# Names that change --------------------------------------------------------------------------------


@pytest.fixture
def world(monkeypatch) -> None:
    """A world in which 127.0.0.2 and 127.0.0.3 lie outside, so that something outside can be called in a test."""
    inside = outbound.not_outside
    monkeypatch.setattr(
        outbound,
        "not_outside",
        lambda address: None if address in ("127.0.0.2", "127.0.0.3") else inside(address),
    )


class Elsewhere(WebHost):
    """A host outside, on an address of its own, with a certificate for its name."""


async def test_the_address_that_was_checked_is_called_whatever_the_name_says_a_moment_later(
    world: None, clock: VirtualClock, authority: Authority, connected: list[str], monkeypatch
):
    host = Elsewhere(clock.now, authority.vouching_for("hooks.example.org"))
    await host.start("127.0.0.2")
    monkeypatch.setattr(outbound, "PORTS", (host.port,))
    changing = resolving(["127.0.0.2"], ["127.0.0.1"])
    client = Outbound(tls=authority.trusting(), resolve=changing)
    url = f"https://hooks.example.org:{host.port}/page"
    answer = await client.call("POST", url, b"x")
    assert answer.status == 200
    with pytest.raises(Failed):
        await client.call("POST", url, b"x")
    assert connected == ["127.0.0.2"]
    assert host.names == ["hooks.example.org"], "the name stands in the handshake"
    assert host.asked[0].headers["host"] == f"hooks.example.org:{host.port}"
    await host.stop()


async def test_an_address_that_does_not_answer_leaves_the_next_one(
    world: None, clock: VirtualClock, authority: Authority, connected: list[str], monkeypatch
):
    host = Elsewhere(clock.now, authority.vouching_for("hooks.example.org"))
    await host.start("127.0.0.2")
    monkeypatch.setattr(outbound, "PORTS", (host.port,))
    client = Outbound(tls=authority.trusting(), resolve=resolving(["127.0.0.3", "127.0.0.2"]))
    answer = await client.call("POST", f"https://hooks.example.org:{host.port}/", b"x")
    await host.stop()
    assert answer.good
    assert connected == ["127.0.0.3", "127.0.0.2"]


@pytest.mark.parametrize(
    ("names", "expired"), [(("other.example.org",), False), (("hooks.example.org",), True)]
)
async def test_a_certificate_that_is_wrong_ends_it_before_anything_is_said(
    world: None, clock: VirtualClock, authority: Authority, names: tuple[str, ...], expired: bool, monkeypatch
):
    host = Elsewhere(clock.now, authority.vouching_for(*names, expired=expired))
    await host.start("127.0.0.2")
    monkeypatch.setattr(outbound, "PORTS", (host.port,))
    client = Outbound(tls=authority.trusting(), resolve=resolving(["127.0.0.2"]))
    with pytest.raises(Failed) as failed:
        await client.call("POST", f"https://hooks.example.org:{host.port}/", b"x")
    await host.stop()
    assert isinstance(failed.value.result, TryAgain)
    assert "CERTIFICATE_VERIFY_FAILED" in failed.value.result.reason
    assert not failed.value.result.unknown
    assert host.asked == []


async def test_an_unknown_authority_is_not_believed(
    world: None, clock: VirtualClock, authority: Authority, monkeypatch
):
    host = Elsewhere(clock.now, authority.vouching_for("hooks.example.org"))
    await host.start("127.0.0.2")
    monkeypatch.setattr(outbound, "PORTS", (host.port,))
    with pytest.raises(Failed) as failed:
        await Outbound(resolve=resolving(["127.0.0.2"])).call(
            "POST", f"https://hooks.example.org:{host.port}/", b"x"
        )
    await host.stop()
    assert "CERTIFICATE_VERIFY_FAILED" in failed.value.result.reason


# Redirects, proxies, allowed hosts ----------------------------------------------------------------


@pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
async def test_a_redirect_leads_nowhere(hook: Hook, connected: list[str], status: str):
    hook.location = "http://127.0.0.9/"
    hook.troubles.add("POST", Says(status))
    answer = await Outbound(["127.0.0.1"]).call("POST", hook.url, b"x")
    assert answer.status == int(status)
    assert connected == ["127.0.0.1"]


async def test_proxies_and_passwords_of_the_machine_are_not_used(
    hook: Hook, connected: list[str], monkeypatch, tmp_path
):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.8:1")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setattr(hook, "answer", lambda asked: Said(204))
    await Outbound(["127.0.0.1"]).call("POST", hook.url, b"x")
    assert connected == ["127.0.0.1"]
    assert "authorization" not in hook.asked[0].headers


async def test_a_host_is_allowed_by_its_name_or_by_name_and_port(hook: Hook, monkeypatch):
    monkeypatch.setattr(hook, "answer", lambda asked: Said(204))
    url = hook.url.replace("127.0.0.1", "localhost")
    for allowed in ("localhost", "LocalHost", f"localhost:{hook.port}"):
        assert (await Outbound([allowed]).call("POST", url, b"x")).good
    for allowed in ("127.0.0.1", "localhost:1", "host", "*", ""):
        with pytest.raises(Failed):
            await Outbound([allowed]).call("POST", url, b"x")
    assert hook.connections == 3


# Time and size ------------------------------------------------------------------------------------


async def test_a_name_server_that_is_silent_is_given_up_soon():
    async def silent(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError("never")

    with pytest.raises(Failed) as failed:
        await Outbound(resolve=silent, connect=0.05).call("POST", "https://example.org/", b"x")
    assert failed.value.result == TryAgain("example.org was not found in 0.05 s")


async def test_a_name_that_does_not_exist_may_exist_later():
    with pytest.raises(Failed) as failed:
        await Outbound(resolve=_unknown).call("POST", "https://nowhere.invalid/", b"x")
    assert isinstance(failed.value.result, TryAgain)


async def _unknown(host: str, port: int) -> Sequence[str]:
    raise OSError("Name or service not known")


async def test_a_host_that_drips_is_given_up_after_the_whole_time(hook: Hook):
    hook.troubles.add("POST", Hang())
    with pytest.raises(Failed) as failed:
        await Outbound(["127.0.0.1"], total=0.2).call("POST", hook.url, b"x")
    assert failed.value.result == TryAgain("127.0.0.1: no answer in 0.2 s", unknown=True)


@pytest.mark.parametrize("size", [0, 1, READ_AT_MOST - 1, READ_AT_MOST, READ_AT_MOST + 1, 20 * READ_AT_MOST])
async def test_no_more_of_an_answer_is_read_than_the_beginning(hook: Hook, size: int, monkeypatch):
    monkeypatch.setattr(hook, "answer", lambda asked: Said(200, b"x" * size))
    answer = await Outbound(["127.0.0.1"]).call("POST", hook.url, b"x")
    assert len(answer.body) == min(size, READ_AT_MOST)


async def test_a_body_is_taken_as_it_is_and_never_unpacked(hook: Hook, monkeypatch):
    packed = Said(200, b"\x1f\x8b" + b"\0" * 50, {"Content-Encoding": "gzip"})
    monkeypatch.setattr(hook, "answer", lambda asked: packed)
    answer = await Outbound(["127.0.0.1"]).call("POST", hook.url, b"x")
    assert answer.body == packed.body
    assert hook.asked[0].headers["accept-encoding"] == "identity"


LATER = format_datetime(MONDAY + timedelta(seconds=90), usegmt=True)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("", None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("1.5", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("٣", None),
        ("9" * 400, WAIT_AT_MOST),
        (LATER, 90.0),
        (format_datetime(MONDAY - timedelta(hours=1), usegmt=True), 0.0),
        (format_datetime(MONDAY + timedelta(days=900), usegmt=True), WAIT_AT_MOST),
        ("Mon, 99 Nov 2026 08:00:00 GMT", None),
    ],
)
def test_a_host_may_ask_us_to_stay_away_for_a_day_at_most(written: str, seconds: float | None):
    headers = {"retry-after": written, "date": format_datetime(MONDAY, usegmt=True)}
    assert Answer(429, headers, b"").retry_after == seconds


def test_a_time_means_nothing_without_the_time_it_is_now():
    assert Answer(429, {"retry-after": LATER}, b"").retry_after is None
    assert Answer(429, {"retry-after": LATER, "date": "soon"}, b"").retry_after is None


@pytest.mark.parametrize(
    ("status", "good"), [(199, False), (200, True), (204, True), (299, True), (300, False), (500, False)]
)
def test_only_2xx_is_good(status: int, good: bool):
    assert Answer(status, {}, b"").good is good
