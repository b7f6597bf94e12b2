"""Alert intake over HTTP: what monitoring systems send becomes commands of the desk.

    POST /alerts/alertmanager       Prometheus Alertmanager, `webhook_configs`
    POST /v2/enqueue                whatever speaks PagerDuty's Events API v2
    POST /alerts/grafana            Grafana's alerting, contact point *Webhook*
    POST /alerts/generic/SOURCE     any JSON

The path tells the shape and the token tells the source: `Authorization: Bearer`, the password of Basic
authentication, or PagerDuty's `routing_key`; never the address. A source that must sign sends
`X-Deskbell-Timestamp`, seconds since 1970 and at most five minutes off, and `X-Deskbell-Signature`, HMAC-SHA256 in
hex over the timestamp, a colon and the body: the way in which Grafana signs.

A 2xx means committed. 400, 401, 403 and 413 say that coming again is in vain; 429 and 503 tell when to.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from math import ceil
from typing import Any
from uuid import uuid4

import anyio.to_thread
import structlog
from anyio import CapacityLimiter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bot.logs import redact
from bot.tokens import Tokens
from bot.web.alert_shapes import Unreadable, signals
from bot.web.bodies import Refused, parse, read
from bot.web.pace import Pace
from config.policy import AlertKind, AlertSource, Policy
from handlers.alerts import AT_ONCE, Signal
from handlers.dispatch import Dispatcher
from handlers.messages import DESK, Command, Place
from storage.database import StoreUnavailable

SIGNED_WITHIN = 300
"""How far a signature's timestamp may be from now, in seconds."""

TIMESTAMP = "X-Deskbell-Timestamp"
SIGNATURE = "X-Deskbell-Signature"

ADDRESSES: Mapping[AlertKind, str] = {
    AlertKind.ALERTMANAGER: "/alerts/alertmanager",
    AlertKind.PAGERDUTY: "/v2/enqueue",
    AlertKind.GRAFANA: "/alerts/grafana",
    AlertKind.GENERIC: "/alerts/generic/{source}",
}

_THREADS = 8
_AT_ONCE = 2  # requests of one source that are carried out side by side
_WAITING = 100  # and so many may be there, most of them waiting for their turn
_TRY_AGAIN = 10  # seconds
_COMMAND_CHARACTERS = 60_000
_BODY_KEPT = 2000
_TIMESTAMP = re.compile(r"[0-9]{1,11}")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_SECRETS = re.compile(
    r"""("[^"]{0,60}(?:token|secret|passw|authorization|credential|cookie|(?:api|access|private|routing|service)_?key)"""
    r"""[^"]{0,60}"\s*:\s*)(?:"(?:[^"\\]|\\.)*+"?|[^\s",}\]]+)""",
    re.IGNORECASE,
)

_log = structlog.get_logger()


def purpose(source: AlertSource) -> str:
    """What a source's token is for; a new number makes a new token."""
    return f"alert/{source.key}/{source.token}"


def signing(source: AlertSource) -> str:
    """What a source's signing secret is for. It is not the token, which every request shows."""
    return f"{purpose(source)}/signature"


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of a body at a timestamp: HMAC-SHA256 in hex over `timestamp:body`."""
    return hmac.new(secret.encode(), timestamp.encode() + b":" + body, sha256).hexdigest()


def address(source: AlertSource) -> str:
    """The path that a source sends to."""
    return ADDRESSES[source.kind].format(source=source.key)


class AlertIntake:
    """The routes of alert intake. `now` reads the clock; `count` is told source and status of every answer."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        policy: Callable[[], Policy],
        tokens: Tokens,
        now: Callable[[], datetime],
        count: Callable[[str, int], None] = lambda _source, _status: None,
    ) -> None:
        self._dispatcher = dispatcher
        self._policy = policy
        self._tokens = tokens
        self._now = now
        self._count = count
        self._doors: dict[str, _Door] = {}
        self._limiter: CapacityLimiter | None = None

    def routes(self) -> list[BaseRoute]:
        """What the web application must serve."""
        return [Route(path, self._answering(kind), methods=["POST"]) for kind, path in ADDRESSES.items()]

    def _answering(self, kind: AlertKind) -> Callable[[Request], Awaitable[Response]]:
        is_pagerduty = kind is AlertKind.PAGERDUTY

        async def answer(request: Request) -> Response:
            heard = _Heard(request, kind)
            try:
                await (self._enqueue(heard) if is_pagerduty else self._hear(heard))
            except Refused as refused:
                answer = _refusal(refused, is_pagerduty)
                if refused.status != 429:  # which is counted, and would fill the log
                    _log.info("alert refused", source=heard.source, status=refused.status)
            else:
                answer = _acceptance(heard, is_pagerduty)
            self._count(heard.source, answer.status_code)
            return answer

        return answer

    async def _hear(self, heard: _Heard) -> None:
        """A request whose token stands in its header: a stranger's body is not even read."""
        source = heard.is_from(self._source(heard.kind, _token(heard.request)))
        if heard.request.path_params.get("source", source.key) != source.key:
            raise Refused(403, f"This token is for {address(source)}.")
        self._door(source).admit(source.rate, self._now())
        async with self._keeping(source, heard):
            heard.body = await read(heard.request)
            once = self._verified(source, heard)
            heard.signals = signals(source, parse(heard.body))
        await self._commit(source, heard.signals, once)

    async def _enqueue(self, heard: _Heard) -> None:
        """An event of PagerDuty's Events API v2, whose token stands in its body."""
        heard.body = await read(heard.request)
        heard.event = event = parse(heard.body)
        token = event.get("routing_key") if isinstance(event, dict) else None
        if not isinstance(token, str):
            raise Unreadable([("routing_key", "is missing")])
        source = heard.is_from(self._source(heard.kind, token))
        self._door(source).admit(source.rate, self._now())
        async with self._keeping(source, heard):
            heard.signals = signals(source, event)
        await self._commit(source, heard.signals, None)

    def _source(self, kind: AlertKind, token: str) -> AlertSource:
        """Whose token it is. Raises Refused (401 for nobody's, 403 for one of another address)."""
        for source in self._policy().alerts.values():
            if self._tokens.fits(purpose(source), token):
                if source.kind is not kind:
                    raise Refused(403, f"This token is for {address(source)}.")
                return source
        raise Refused(401, "The token is unknown.")

    def _verified(self, source: AlertSource, heard: _Heard) -> str | None:
        """The signature of a source that must sign, which nobody makes twice; raises Refused (401)."""
        if not source.signed:
            return None
        headers = heard.request.headers
        timestamps, signatures = (
            headers.getlist(TIMESTAMP),
            headers.getlist(SIGNATURE),
        )
        if len(timestamps) != 1 or len(signatures) != 1:
            raise Refused(401, "The request is not signed once.")
        timestamp, signature = timestamps[0], signatures[0]
        if not _TIMESTAMP.fullmatch(timestamp) or not _SIGNATURE.fullmatch(signature):
            raise Refused(401, "That is not a signature.")
        if abs(int(self._now().timestamp()) - int(timestamp)) > SIGNED_WITHIN:
            raise Refused(401, "The request was signed too long ago.")
        if not hmac.compare_digest(sign(self._tokens.of(signing(source)), timestamp, heard.body), signature):
            raise Refused(401, "The request was signed with another secret.")
        return signature

    @asynccontextmanager
    async def _keeping(self, source: AlertSource, heard: _Heard) -> AsyncIterator[None]:
        """Whatever cannot be read in here is kept for people to look at."""
        try:
            yield
        except Refused as refused:
            if refused.status in (400, 413):
                body = _without_secrets(
                    heard.body, [self._tokens.of(purpose(source)), self._tokens.of(signing(source))]
                )
                answers = {"why": refused.why[:300], **({"body": body} if body.strip() else {})}
                await self._obey(source, [_command(f"alert reject {source.key}", answers, uuid4().hex)])
            raise

    async def _commit(self, source: AlertSource, said: Sequence[Signal], once: str | None) -> None:
        """Have the desk take in what was said; in several commands where it is much."""
        once = once or uuid4().hex
        await self._obey(
            source,
            [
                _command(f"alert receive {source.key}", {"signals": part}, f"{once}/{number}")
                for number, part in enumerate(_parts(said))
            ],
        )

    async def _obey(self, source: AlertSource, commands: Sequence[Command]) -> None:
        if self._limiter is None:
            self._limiter = CapacityLimiter(_THREADS)

        def carry_out() -> None:
            for command in commands:
                self._dispatcher.obey(command)

        try:
            async with self._door(source).turn():
                await anyio.to_thread.run_sync(carry_out, limiter=self._limiter)
        except StoreUnavailable:
            raise Refused(503, "The desk cannot write its records just now.", after=_TRY_AGAIN) from None
        except Refused:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender comes again and we read it in the log
            _log.exception("an alert failed", source=source.key, error=type(error).__name__)
            raise Refused(503, "Something went wrong on our side.", after=_TRY_AGAIN) from None

    def _door(self, source: AlertSource) -> _Door:
        return self._doors.setdefault(source.key, _Door())


@dataclass
class _Heard:
    """One request, and what is known of it so far."""

    request: Request
    kind: AlertKind
    source: str = ""
    body: bytes = b""
    event: Any = None
    signals: Sequence[Signal] = ()

    def is_from(self, source: AlertSource) -> AlertSource:
        """Note the source."""
        self.source = source.key
        return source


class _Door:
    """How often one source may come in, and how many of its requests at once, so that it slows nobody else."""

    def __init__(self) -> None:
        self._pace = Pace()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    def admit(self, rate: int, now: datetime) -> None:
        """Let one request in: `rate` of them at once, then as many a minute. Raises Refused (429)."""
        if early := self._pace.take(rate, now):
            raise _busy(f"At most {rate} requests a minute.", ceil(early.total_seconds()))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one's turn. Raises Refused (429) when too many wait already."""
        if self._waiting >= _WAITING:
            raise _busy("Too many requests at once.", 1)
        self._waiting += 1
        try:
            async with self._turns:
                yield
        finally:
            self._waiting -= 1


def _busy(why: str, after: int) -> Refused:
    return Refused(429, why, after=after)


def _token(request: Request) -> str:
    """What stands in the header: `Bearer TOKEN`, or `Basic` with the token as password. Raises Refused (401)."""
    given = request.headers.getlist("authorization")
    scheme, _, rest = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        with suppress(ValueError):  # no Base64, or no text
            return b64decode(rest.strip(), validate=True).decode().partition(":")[2]
    raise Refused(401, "The request carries no token.")


def _parts(said: Sequence[Signal]) -> Iterator[str]:
    """Signals as JSON lists that a command can take, at least one."""
    part: list[str] = []
    for text in (each.model_dump_json(exclude_defaults=True) for each in said):
        if len(part) == AT_ONCE or sum(map(len, part)) + len(text) > _COMMAND_CHARACTERS:
            yield f"[{','.join(part)}]"
            part = []
        part.append(text)
    yield f"[{','.join(part)}]"


def _command(line: str, answers: Mapping[str, str], once: str) -> Command:
    key = f"{line}/{once}"
    return Command(line=line, sender=DESK, place=Place(platform=DESK.platform), key=key, answers=answers)


def _without_secrets(body: bytes, known: Sequence[str]) -> str:
    """The beginning of a body, without what is or looks like a secret."""
    text = body[: 4 * _BODY_KEPT].decode("utf-8", "replace")
    for secret in known:
        text = text.replace(secret, "[redacted]")
    return redact(_SECRETS.sub(r'\1"[redacted]"', text))[:_BODY_KEPT]


def _refusal(refused: Refused, is_pagerduty: bool) -> JSONResponse:
    content: dict[str, Any] = {"error": refused.why, "field": refused.field}
    if is_pagerduty:
        problems = refused.problems if isinstance(refused, Unreadable) else [refused.why]
        message = "Event object is invalid" if refused.status == 400 else refused.why
        content = {"status": "invalid event", "message": message, "errors": problems}
    headers = {"Retry-After": str(refused.after)} if refused.after else {}
    if refused.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(content, refused.status, headers)


def _acceptance(heard: _Heard, is_pagerduty: bool) -> JSONResponse:
    if is_pagerduty:
        key = heard.signals[0].key
        return JSONResponse({"status": "success", "message": "Event processed", "dedup_key": key}, 202)
    return JSONResponse({"status": "success", "keys": [each.key for each in heard.signals]})
