"""Signing in to the pages: a link from chat opens once, for an hour, and what changes anything comes from our own page.

A link (`desk web`) is not kept: it holds the account that asked and its end, under a seal of the desk's secret. It is
used by pressing a button, not by looking at it, because chat programs look at links by themselves. What was used is
stored as a digest, and so is the cookie of a session; whoever reads the store can open nothing.
"""

from __future__ import annotations

import binascii
import json
import secrets
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import urlsplit

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError
from starlette.requests import Request
from starlette.responses import Response

from bot.tokens import Tokens
from handlers.messages import Sender
from storage.database import Database
from storage.unit_of_work import Records

SESSION_LIVES = timedelta(hours=1)
HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # With no-referrer a browser would send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""The headers of every page: no script at all."""

_log = structlog.get_logger()
_LINK_AT_MOST = 4000


class Refused(Exception):
    """A door that stays shut; `status` is the HTTP status, and the words are for people."""

    def __init__(self, status: int, title: str, then: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.then = then


@dataclass(frozen=True)
class Link:
    """What a sign-in link says: for which account, until when, and which ticket it leads to."""

    digest: str
    sender: Sender
    until: datetime
    to: str | None


@dataclass(frozen=True)
class Visit:
    """Somebody who has signed in: their account, and the token that their forms carry."""

    sender: Sender
    digest: str
    token: str


class Doors:
    """Opens and closes sessions. `url` is the desk's address, as browsers know it."""

    def __init__(self, database: Database, tokens: Tokens, now: Callable[[], datetime], url: str) -> None:
        self._database = database
        self._tokens = tokens
        self._now = now
        self._secure = urlsplit(url).scheme == "https"
        self._cookie = "__Host-desk" if self._secure else "desk"

    def read_link(self, named: str) -> Link:
        """A link that may still be used. Raises Refused."""
        body, _, seal = named.rpartition(".")
        if len(named) > _LINK_AT_MOST or not self._tokens.fits(f"enter/{body}", seal):
            raise self._refused("forged", 404, "This is no link of this desk.")
        try:
            said = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
            link = Link(
                _digest(named),
                Sender.model_validate(said["sender"]),
                datetime.fromisoformat(said["until"]),
                said.get("to"),
            )
        except (binascii.Error, ValueError, KeyError, ValidationError):
            raise self._refused("unreadable", 404, "This is no link of this desk.") from None
        if link.until <= self._now():
            raise self._refused("expired", 410, "This link has expired.", link.sender)
        with self._database.reading() as session:
            if Records(session).web.was_used(link.digest):
                raise self._refused("used", 410, "This link was used before.", link.sender)
        return link

    def sign_in(self, request: Request, named: str, response: Response) -> None:
        """Use up a link and give the browser a session. Raises Refused."""
        self.check_own(request)
        link, now, key = self.read_link(named), self._now(), secrets.token_urlsafe(32)
        sender = link.sender.model_dump(mode="json", exclude_defaults=True)
        try:
            with self._database.writing() as session:
                web = Records(session).web
                web.clear(now)
                web.sign_in(link.digest, link.until, _digest(key), sender, now + SESSION_LIVES)
        except IntegrityError:
            raise self._refused("used", 410, "This link was used before.", link.sender) from None
        _log.info("signed in to the pages", platform=link.sender.platform, user=link.sender.user)
        response.set_cookie(
            self._cookie,
            key,
            max_age=int(SESSION_LIVES.total_seconds()),
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",  # a link from chat to a page must find its session
        )

    def visit(self, request: Request) -> Visit:
        """Who asks for a page. Raises Refused for somebody who has not signed in, or whose hour is over."""
        key = request.cookies.get(self._cookie, "")
        digest = _digest(key)
        with self._database.reading() as session:
            sender = Records(session).web.sender(digest, self._now()) if key else None
        if sender is None:
            raise Refused(
                401, "Please sign in.", "Type `desk web` in chat: the desk answers with a link for you."
            )
        return Visit(Sender.model_validate(sender), digest, self._tokens.of(f"form/{digest}"))

    def sign_out(self, request: Request, token: str, response: Response) -> None:
        """End a session; `token` is what the form carried. Raises Refused."""
        self.check_own(request)
        visit = self.visit(request)
        if not self._tokens.fits(f"form/{visit.digest}", token):
            raise self._refused("without its token", 403, "This form is not of this session.", visit.sender)
        with self._database.writing() as session:
            Records(session).web.sign_out(visit.digest)
        response.delete_cookie(self._cookie, path="/", secure=self._secure, httponly=True, samesite="lax")

    def check_own(self, request: Request) -> None:
        """Raise Refused unless the browser says that a form comes from our own page (Fetch Metadata, or Origin)."""
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        ours = site == "same-origin" if site is not None else origin is not None
        if origin is not None:
            ours = ours and urlsplit(origin).netloc == request.headers.get("host")
        if not ours:
            raise self._refused("from another site", 403, "That came from another site, so nothing was done.")

    def _refused(self, why: str, status: int, title: str, sender: Sender | None = None) -> Refused:
        known = {"platform": sender.platform, "user": sender.user} if sender else {}
        _log.warning("sign-in refused", why=why, **known)
        return Refused(status, title, "Type `desk web` in chat for a new link.")


def _digest(key: str) -> str:
    return sha256(key.encode("utf-8", "replace")).hexdigest()
