"""Calls to addresses that somebody wrote down: over HTTPS to the world outside, and nowhere else.

What a webhook names must not lead into the network that the desk stands in: to its own machine, its
neighbours, the cloud's metadata. So a name is looked up once, every address it has is checked, and the
connection goes to an address that was checked, whatever the name says a moment later. Redirects are not
followed, proxies of the environment are not used, and no answer is read beyond its first 64 KiB. Hosts
that the administrator allows by name are exempt from all but the last three.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import httpx

from bot.adapters.port import GiveUp, TryAgain

CONNECT, TOTAL = 3.0, 10.0
"""The longest that finding and reaching a host may take, and the whole call; in seconds."""

READ_AT_MOST = 64 * 1024
PORTS = (443, 8443)
WAIT_AT_MOST = 86_400.0
"""No answer keeps a message waiting for longer than a day, in seconds."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, as text. Raises OSError when it has none."""

_NAT64 = IPv6Network("64:ff9b::/96")
# From the special-purpose registries of IANA. Python's own `is_global` says yes to some of these, and its
# answers change from one release to the next.
_NOT_OUTSIDE_4 = {
    IPv4Network(network): what
    for what, networks in {
        "this machine": ("0.0.0.0/8", "127.0.0.0/8"),
        "a private network": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
        "the local link, where clouds keep their metadata": ("169.254.0.0/16", "168.63.129.16/32"),
        "a group of machines": ("224.0.0.0/4",),
        "no machine on the Internet": (
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "240.0.0.0/4",
        ),
    }.items()
    for network in networks
}
_OUTSIDE_6 = IPv6Network("2000::/3")
_NOT_OUTSIDE_6 = [IPv6Network(each) for each in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]


class Failed(Exception):
    """A call that brought no answer; `result` says what that means for the message."""

    def __init__(self, result: TryAgain | GiveUp) -> None:
        super().__init__(result.reason)
        self.result = result


class NotReached(Failed):
    """Nobody was there, so nothing was sent; another address of the host may answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(TryAgain(reason))


@dataclass(frozen=True)
class Answer:
    """What a host answered; of the body only the beginning."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def good(self) -> bool:
        """Whether the host has taken what it was sent: 2xx, and nothing else."""
        return 200 <= self.status < 300

    @property
    def retry_after(self) -> float | None:
        """How many seconds the host asks us to stay away (RFC 9110, 10.2.3); None when it names no time."""
        written = self.headers.get("retry-after", "").strip()
        if written.isascii() and written.isdigit():
            return min(float(written), WAIT_AT_MOST)
        try:
            until = parsedate_to_datetime(written) - parsedate_to_datetime(self.headers.get("date", ""))
        except (TypeError, ValueError):
            return None
        return min(max(until.total_seconds(), 0.0), WAIT_AT_MOST)


def not_outside(address: str) -> str | None:
    """What an address leads to, when it does not lead to the Internet; None when it does."""
    try:
        found = ip_address(address)
    except ValueError:
        return "nowhere"
    if isinstance(found, IPv6Address) and found in _NAT64:
        found = IPv4Address(int(found) & 0xFFFF_FFFF)  # a translator would go to the address inside
    if isinstance(found, IPv4Address):
        return next((what for network, what in _NOT_OUTSIDE_4.items() if found in network), None)
    if found not in _OUTSIDE_6 or any(found in network for network in _NOT_OUTSIDE_6):
        return "no machine on the Internet"
    return None


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the machine finds them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


@cache
def trust() -> ssl.SSLContext:
    """Whose certificates are believed: the authorities of the web, and those that this machine trusts."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


class Outbound:
    """A client for such calls. `allow` names hosts (or `host:port`) that may be anywhere, over plain HTTP too."""

    def __init__(
        self,
        allow: Collection[str] = (),
        *,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = look_up,
        connect: float = CONNECT,
        total: float = TOTAL,
    ) -> None:
        self._allow = {each.lower() for each in allow}
        self._tls = tls
        self._resolve = resolve
        self._connect = connect
        self._total = total

    async def call(
        self,
        method: str,
        url: str,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        user: tuple[str, str] | None = None,
    ) -> Answer:
        """One request and its answer, whatever its status. Raises Failed when there is none."""
        target = self._checked(url)
        try:
            async with asyncio.timeout(self._total):
                failed = NotReached(f"{target.host} has no address")
                for address in await self._addresses(target):
                    try:
                        return await self._ask(method, target, address, content, headers or {}, user)
                    except NotReached as error:
                        failed = error
                raise failed
        except TimeoutError:
            raise Failed(TryAgain(f"{target.host}: no answer in {self._total:g} s", unknown=True)) from None

    def _checked(self, url: str) -> httpx.URL:
        try:
            target = httpx.URL(url)
        except (httpx.InvalidURL, UnicodeError):
            raise Failed(GiveUp("that is no address of the web")) from None
        if not target.host or target.userinfo:
            raise Failed(GiveUp("the address must name a host, and neither a user nor a password"))
        if target.scheme not in ("https", "http"):
            raise Failed(GiveUp(f"{target.scheme or 'nothing'}:// is not called; use https://"))
        if not self._is_allowed(target):
            if target.scheme != "https":
                raise Failed(GiveUp(f"{target.host} is called over https:// only"))
            if _port(target) not in PORTS:
                raise Failed(GiveUp(f"port {target.port} of {target.host} is not called; use 443"))
        return target

    def _is_allowed(self, target: httpx.URL) -> bool:
        names = {target.host.rstrip("."), target.raw_host.decode("ascii").rstrip(".")}
        return not self._allow.isdisjoint(names | {f"{name}:{_port(target)}" for name in names})

    async def _addresses(self, target: httpx.URL) -> Sequence[str]:
        host = target.raw_host.decode("ascii")
        try:
            async with asyncio.timeout(self._connect):
                addresses = await self._resolve(host, _port(target))
        except TimeoutError:
            raise NotReached(f"{target.host} was not found in {self._connect:g} s") from None
        except (OSError, UnicodeError) as error:
            raise NotReached(f"{target.host} was not found: {error}") from None
        if not self._is_allowed(target):
            for where in filter(None, map(not_outside, addresses)):
                raise Failed(GiveUp(f"{target.host} leads to {where}, and is not allowed by name"))
        return addresses

    async def _ask(
        self,
        method: str,
        target: httpx.URL,
        address: str,
        content: bytes | None,
        headers: Mapping[str, str],
        user: tuple[str, str] | None,
    ) -> Answer:
        # A connection of its own for each call: one that is kept would serve another name at the same address.
        transport = httpx.AsyncHTTPTransport(
            verify=self._tls or trust(), trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )
        timeout = httpx.Timeout(self._total, connect=self._connect)
        async with httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False) as client:
            request = client.build_request(
                method,
                target.copy_with(host=address),
                content=content,
                headers={
                    "User-Agent": "deskbell",
                    "Accept-Encoding": "identity",
                    **headers,
                    "Host": target.netloc.decode("ascii"),
                },
                extensions={"sni_hostname": target.raw_host.decode("ascii")},
            )
            try:
                response = await client.send(request, auth=user, stream=True, follow_redirects=False)
                try:
                    return Answer(response.status_code, response.headers, await _beginning(response))
                finally:
                    await response.aclose()
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                why = str(error) or type(error).__name__
                raise NotReached(f"{target.host} cannot be reached: {why}") from None
            except httpx.TransportError as error:
                why = str(error) or type(error).__name__
                raise Failed(TryAgain(f"{target.host} did not answer: {why}", unknown=True)) from None


def _port(target: httpx.URL) -> int:
    return target.port or (443 if target.scheme == "https" else 80)


async def _beginning(response: httpx.Response) -> bytes:
    read = bytearray()
    async for chunk in response.aiter_raw():
        read += chunk
        if len(read) >= READ_AT_MOST:
            break
    return bytes(read[:READ_AT_MOST])
