"""What the console lets in: this machine's own browser, and nobody who only borrows it.

The console has no passwords, so it must not be reachable from elsewhere. Three doors: the other end
is this machine; the Host header names this machine, or another site could rebind its own name to us;
what changes something comes from our own page (Fetch Metadata or Origin, and a token that only our
pages hold). What leaves carries a policy under which a page runs no script but ours.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
from urllib.parse import parse_qsl, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

BODY_AT_MOST = 256 * 1024
"""Bytes of a request's body."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # With no-referrer a browser would send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""The headers of every answer."""

_OURS = ("localhost", "127.0.0.1", "::1")
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - only compared with
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_SESSION = re.compile(r"[A-Za-z0-9_-]{32,64}")
_SESSION_COOKIE = "deskbell_console"


def check_host(request: Request, host: str | None) -> None:
    """Raise 421 unless the Host header names this machine (or `host`), 403 for a caller from elsewhere.

    `host` is the address that the web server listens on. A particular address that is not this machine's own
    lets others in, because whoever wrote it down decided that; one that means every address does not.
    """
    match = _HOST.fullmatch(request.headers.get("host", "").lower())
    if match is None or match[1].strip("[]") not in (*_OURS, host):
        raise HTTPException(
            421, "The console answers to localhost only: open http://127.0.0.1 with its port."
        )
    if host in (None, *_OURS, *_EVERYWHERE) and not _is_loopback(
        request.client.host if request.client else ""
    ):
        raise HTTPException(403, "The console is for this machine only.")


def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def check_same_origin(request: Request) -> None:
    """Raise 403 unless the browser says that the request comes from our own page."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    ours = site == "same-origin" if site is not None else origin is not None
    if origin is not None:
        ours = ours and urlsplit(origin).netloc == request.headers["host"]
    if not ours:
        raise HTTPException(
            403, "This did not come from the console's own page. Open the console and do it there."
        )


def check_token(request: Request, token: str) -> None:
    """Raise 403 unless a form carries the token of this browser's session."""
    session = request.cookies.get(_SESSION_COOKIE, "")
    if not _SESSION.fullmatch(session) or not hmac.compare_digest(token_of(session).encode(), token.encode()):
        raise HTTPException(403, "This page is from an earlier session. Reload it and try again.")


def session_of(request: Request) -> str:
    """This browser's session: the cookie's, or a new one."""
    session = request.cookies.get(_SESSION_COOKIE, "")
    return session if _SESSION.fullmatch(session) else secrets.token_urlsafe(24)


def keep(response: Response, session: str) -> None:
    """Keep a session in a cookie that other sites cannot send along."""
    response.set_cookie(_SESSION_COOKIE, session, httponly=True, samesite="strict")


def token_of(session: str) -> str:
    """The token that a session's forms carry; worth nothing without the cookie, the same in every process."""
    return hmac.new(session.encode(), b"deskbell console form", hashlib.sha256).hexdigest()


async def fields_of(request: Request) -> dict[str, str]:
    """A posted form's fields. Raises 413 over the limit, 415 for another type, 400 for what is not UTF-8."""
    if (
        request.headers.get("content-type", "").partition(";")[0].strip()
        != "application/x-www-form-urlencoded"
    ):
        raise HTTPException(415, "Only forms are understood here.")
    if int(request.headers.get("content-length") or 0) > BODY_AT_MOST:
        raise _too_large()
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_AT_MOST:
            raise _too_large()
    return decoded(body)


def decoded(written: bytes) -> dict[str, str]:
    """Fields of a form or a query as text without control characters. Raises 400 for what is not UTF-8."""
    try:
        pairs = parse_qsl(
            written.decode("ascii"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=200,
        )
    except ValueError:
        raise HTTPException(400, "That is not UTF-8 text in a form. Nothing was done.") from None
    return {name: _CONTROL.sub("", value.replace("\r\n", "\n")) for name, value in pairs}


def _too_large() -> HTTPException:
    return HTTPException(413, f"That is too large; {BODY_AT_MOST // 1024} KiB are allowed. Nothing was done.")
