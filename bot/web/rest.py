"""REST for programs, under `/api/v1`: what can be said in chat can be said here, with a token that has the scope.

    POST /api/v1/token                     code=…                        fetches a token once (`token make` in chat)
    GET  /api/v1/requests?limit=100&after=…                              collections, as JSON or with format=csv
    GET  /api/v1/sla/status?within=month                                 a command that only reads
    POST /api/v1/request/take              {"request": "REQ-7"}          a command that changes something

Commands and their parameters are those that are declared for chat; so are the rights, which are those of the person
that the token speaks for. `Idempotency-Key` makes a command happen once. The description is at openapi.json.

A token may make so many requests a minute of one process; `RateLimit` tells what is left of them.
"""

from __future__ import annotations

import csv
import io
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from threading import Lock
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import uuid4

import structlog
from fastapi import Depends, FastAPI, Form, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, create_model
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.spreadsheets import cell
from bot.web.pace import MINUTE, Pace
from handlers import exporting
from handlers.declare import Commands, Declared
from handlers.desk import Desk
from handlers.directory import API
from handlers.dispatch import Dispatcher
from handlers.errors import (
    BadValue,
    DeskError,
    InTheWay,
    NeedsForm,
    NotAllowed,
    NotFound,
    TooLarge,
    UnknownCommand,
    WrongState,
)
from handlers.messages import DESK, Command, Place, Reply, Sender, flat
from handlers.tokens import NO_SCOPE, Granted, digest, granted
from storage.database import Database, StoreUnavailable
from storage.unit_of_work import Records

PREFIX = "/api/v1"
MOST = 1000
"""How many members of a collection one answer may hold."""

_STATUS: Sequence[tuple[type[DeskError], int]] = (
    (NotFound, 404),
    (UnknownCommand, 404),
    (NotAllowed, 403),
    (WrongState, 409),
    (InTheWay, 409),
    (TooLarge, 413),
    (NeedsForm, 422),
)
_ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"description": said}
    for code, said in (
        (400, "The body is no JSON object"),
        (401, "No token, or one that is unknown, revoked or expired"),
        (403, "The token lacks the scope, or its person the right"),
        (404, "There is no such thing"),
        (409, "It has moved on"),
        (413, "Too long"),
        (422, "A value is missing or wrong"),
        (429, "This token asks too often"),
        (503, "The store does not answer"),
    )
}
_log = structlog.get_logger()
_bearer = HTTPBearer(auto_error=False, description="A token, made with `token make` in chat")


class _Problem(Exception):
    """What the answer says instead (RFC 9457)."""

    def __init__(
        self, status: int, title: str, detail: str = "", headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(title)
        self.status, self.headers = status, dict(headers or {})
        self.body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}


class _Asked(BaseModel):
    """What may be asked of every collection; anything else is kept apart, to be refused by name."""

    model_config = ConfigDict(extra="allow")

    after: Annotated[str | None, Field(max_length=300, description="The cursor of the page before")] = None
    limit: Annotated[int, Field(ge=1, le=MOST)] = 100
    format: Annotated[str, Field(pattern="^(json|csv)$")] = "json"


class _AskedOfServices(_Asked):
    """What may be asked of a collection whose members concern services."""

    service: Annotated[
        str | None, Field(max_length=48, description="Only what concerns this service, by key or name")
    ] = None


@dataclass(frozen=True)
class _Asking:
    """Who knocks: the token that was given, if any, and where what its answer tells of the limit is kept."""

    token: str | None
    headers: dict[str, str]


def _asking(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> _Asking:
    return _Asking(given.credentials if given else None, request.scope["state"])


class _Telling:
    """Lets every answer to a token tell what is left to it, whatever else the answer is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI says."""
        told: dict[str, str] = {}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(told)
            await send(message)

        await self._app({**scope, "state": told}, receive, sending)


class _Pacing:
    """How often each token has asked of this process."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._paces: dict[str, Pace] = {}
        self._logged: dict[str, datetime] = {}
        self._alone = Lock()

    def admit(self, token: str, headers: dict[str, str], now: datetime) -> None:
        """Let a request of a token in, and tell what is left; 429 when it asks too often, logged once a minute."""
        with self._alone:
            pace = self._paces.setdefault(token, Pace())
            early = pace.take(self._rate, now)
            left = pace.left(self._rate, now)
            log = bool(early) and now - self._logged.get(token, now - MINUTE) >= MINUTE
            if log:
                self._logged[token] = now
        again = ceil(early.total_seconds())
        headers["RateLimit-Policy"] = f'"token";q={self._rate};w={int(MINUTE.total_seconds())}'
        headers["RateLimit"] = f'"token";r={left}' + (f";t={again}" if early else "")
        if log:
            _log.warning("token asks too often", token=token, at_most=self._rate)
        if early:
            said = f"This token may ask {self._rate} times a minute."
            raise _Problem(429, said, f"Try again in {again} s.", {"Retry-After": str(again)})


class Rest:
    """Builds the interface from the table of commands; `now` reads the clock, `rate` is a token's share of a minute."""

    def __init__(
        self, dispatcher: Dispatcher, database: Database, now: Callable[[], datetime], rate: int
    ) -> None:
        self._dispatcher = dispatcher
        self._database = database
        self._now = now
        self._pacing = _Pacing(rate)
        self.app = self._built(dispatcher.commands)

    def routes(self) -> list[BaseRoute]:
        """Where it is."""
        return [Mount(PREFIX, app=self.app)]

    def _built(self, commands: Commands) -> FastAPI:
        app = FastAPI(
            title="Deskbell",
            version="1",
            docs_url=None,
            redoc_url=None,
            servers=[{"url": PREFIX}],
            root_path_in_servers=False,
            description="What can be said to the desk in chat, for programs.",
        )
        app.add_middleware(_Telling)
        app.add_exception_handler(_Problem, _told)
        app.add_exception_handler(StoreUnavailable, _away)
        app.add_exception_handler(RequestValidationError, _invalid)
        app.add_exception_handler(HTTPException, _no_route)
        app.add_api_route(
            "/token",
            self._fetch,
            methods=["POST"],
            summary="Fetch a token, once",
            tags=["token"],
            responses=_ERRORS,
        )
        for name in exporting.SCOPES:
            app.add_api_route(
                f"/{name}", self._collection(name), methods=["GET"], tags=["collections"], responses=_ERRORS,
                summary=f"{name.capitalize()}, in order, a page at a time", operation_id=f"list-{name}",
            )  # fmt: skip
        for declared in commands.spoken:
            if declared.noun not in NO_SCOPE and declared.verb:
                self._add(app, declared)
        return app

    # Who asks ------------------------------------------------------------------------------------

    def _granted(self, asking: _Asking, scope: str) -> Granted:
        """Whose token this is; 401 when it opens nothing, 403 when it does not open this, 429 too often."""
        secret = asking.token
        if secret is None:
            raise _refused("invalid_request", "A token is needed.", "Authorization: Bearer …")
        try:
            found = self._dispatcher.ask(DESK, lambda desk: granted(desk, secret))
        except NotAllowed as error:
            _log.warning("token refused", why=error.what, token=error.then or None, scope=scope)
            raise _refused("invalid_token", f"This token is {error.what}.") from None
        self._pacing.admit(found.ref, asking.headers, self._now())
        if scope not in found.scopes:
            _log.warning("token refused", why="scope", token=found.ref, scope=scope)
            said = f'Bearer error="insufficient_scope", scope="{scope}"'
            raise _Problem(403, f"This token lacks the scope {scope}.", headers={"WWW-Authenticate": said})
        return found

    def _fetch(self, code: Annotated[str, Form(max_length=200)]) -> dict[str, str]:
        """Fetch a token with the code that `token make` gave, within ten minutes, once."""
        secret = secrets.token_urlsafe(32)
        with self._database.writing() as session:
            token = Records(session).tokens.fetch(digest(code), digest(secret), self._now())
            if token is None:
                _log.warning("token not fetched", why="the code is wrong, used or too late")
                raise _Problem(403, "This code fetches nothing.", "It is wrong, was used, or is too late.")
            told = {"token": secret, "ref": token.ref, "expires_at": token.expires_at.isoformat()}
        _log.info("token fetched", token=told["ref"])
        return told

    # Collections ---------------------------------------------------------------------------------

    def _collection(self, name: str) -> Callable[..., Response]:
        scope = exporting.SCOPES[name]
        shape = _AskedOfServices if name in exporting.OF_SERVICE else _Asked

        def collection(asked: Any, asking: Annotated[_Asking, Depends(_asking)]) -> Response:
            who = self._granted(asking, scope)
            _refuse_unknown(name, asked)
            key = _read_cursor(asked.after, name) if asked.after else None
            service = getattr(asked, "service", None)

            def page(desk: Desk) -> list[dict[str, Any]]:
                return exporting.page(desk, name, key, asked.limit + 1, service)

            try:
                found = self._dispatcher.ask(Sender(platform=API, user=who.person), page)
            except DeskError as error:
                raise _problem_of(error) from None
            more = len(found) > asked.limit
            members = found[: asked.limit]
            cursor = _cursor(name, members[-1]) if more else None
            if asked.format == "csv":
                headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
                if cursor:
                    # All that was asked for, or a program that follows the link reads on in another list.
                    again = {**asked.model_dump(exclude_none=True), "after": cursor}
                    headers["Link"] = f'<{PREFIX}/{name}?{urlencode(again)}>; rel="next"'
                told = as_csv(members, exporting.columns(name))
                return Response(told, media_type="text/csv; charset=utf-8", headers=headers)
            return JSONResponse({"items": members, "next": cursor})

        collection.__annotations__["asked"] = Annotated[shape, Query()]
        return collection

    # Commands ------------------------------------------------------------------------------------

    def _add(self, app: FastAPI, declared: Declared) -> None:
        """One command as one operation, described by its own declaration."""
        summary, _, rest = declared.help.partition("\n")
        about = f"{rest.strip()}\n\nIn chat: `{declared.example}`".strip()
        parameters: dict[str, Any] = {
            each.key: (
                (str if each.required else str | None),
                Field(
                    ... if each.required else None,
                    description=each.help or each.label,
                    max_length=each.kind.at_most,
                ),
            )
            for each in declared.parameters
        }
        if declared.open_answers:
            parameters[declared.open_answers] = (
                dict[str, str] | None, Field(None, description="Answers to the questions of what is asked for"),
            )  # fmt: skip
        shape: Any = create_model(
            "".join(part.capitalize() for part in declared.name.replace("-", " ").split()),
            __config__=ConfigDict(extra="forbid"),
            **parameters,
        )
        scope = f"{declared.noun}:{'write' if declared.changes else 'read'}"
        operation = (
            self._changing(declared, scope, shape)
            if declared.changes
            else self._reading(declared, scope, shape)
        )
        app.add_api_route(
            f"/{declared.noun}/{declared.verb.replace(' ', '/')}",
            operation,
            methods=["POST" if declared.changes else "GET"],
            summary=summary,
            description=f"{about}\n\nScope: `{scope}`",
            tags=[declared.noun],
            responses=_ERRORS,
            operation_id=declared.name.replace(" ", "-"),
        )

    def _changing(self, declared: Declared, scope: str, shape: Any) -> Callable[..., dict[str, Any]]:
        def operation(
            body: Any,
            asking: Annotated[_Asking, Depends(_asking)],
            idempotency_key: Annotated[str | None, Header(max_length=100)] = None,
        ) -> dict[str, Any]:
            who = self._granted(asking, scope)
            return self._carried_out(declared, who, body.model_dump(exclude_none=True), idempotency_key)

        operation.__annotations__["body"] = shape
        return operation

    def _reading(self, declared: Declared, scope: str, shape: Any) -> Callable[..., dict[str, Any]]:
        def operation(asked: Any, asking: Annotated[_Asking, Depends(_asking)]) -> dict[str, Any]:
            who = self._granted(asking, scope)
            return self._carried_out(declared, who, asked.model_dump(exclude_none=True), None)

        operation.__annotations__["asked"] = Annotated[shape, Query()]
        return operation

    def _carried_out(
        self, declared: Declared, who: Granted, given: dict[str, Any], key: str | None
    ) -> dict[str, Any]:
        extra = given.pop(declared.open_answers, None) if declared.open_answers else None
        # As a form would send them: what a program says is never read as more than the value of one parameter.
        answers = {**(extra or {}), **given}
        command = Command(
            line=declared.name,
            sender=Sender(platform=API, user=who.person),
            place=Place(platform=API, channel=f"@{who.person}", direct=True),
            key=f"{API}/{who.ref}/{key}" if key else f"{API}/{uuid4().hex}",
            answers=answers,
        )
        try:
            return plain(self._dispatcher.obey(command))
        except DeskError as error:
            raise _problem_of(error) from None


# Shapes ---------------------------------------------------------------------------------------------


def plain(reply: Reply) -> dict[str, Any]:
    """A reply for programs: words as text, instants in UTC, buttons as what would be said next."""
    table = reply.table
    return {
        "title": reply.title,
        "text": flat(reply.text),
        "tone": str(reply.tone),
        "subject": reply.subject,
        "facts": [{"label": each.label, "value": flat(each.value)} for each in reply.facts],
        "table": {
            "columns": list(table.columns),
            "rows": [[flat(cell) for cell in row] for row in table.rows],
        }
        if table
        else None,
        "next": [{"label": each.label, "line": each.line} for each in reply.buttons],
        "file": {"name": reply.file[0], "content": reply.file[1]} if reply.file else None,
        "more": [plain(each) for each in reply.more],
    }


def as_csv(members: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Members as CSV (RFC 4180); what a spreadsheet would take for a formula begins with an apostrophe.

    The columns are named even where there is no member: whoever reads the file by their names finds them.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_cell(each[column]) for column in columns] for each in members)
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False)
    return cell(value)


def _cursor(name: str, member: Mapping[str, Any]) -> str:
    keys = [member[key] for key in _KEYS[name]]
    return urlsafe_b64encode(json.dumps(keys).encode()).decode().rstrip("=")


def _read_cursor(text: str, name: str) -> list[Any]:
    try:
        keys = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError):
        keys = None
    shapes = list(_KEYS[name].values())
    if not isinstance(keys, list) or [type(key) for key in keys] != shapes or not all(map(_storable, keys)):
        raise _Problem(422, "This cursor is of no page.", "Leave `after` out to begin with the first.")
    return keys


def _storable(key: Any) -> bool:
    return 0 <= key < 2**53 if isinstance(key, int) else "\x00" not in key


_KEYS: Mapping[str, Mapping[str, type]] = {
    **{name: {"number": int} for name in ("requests", "incidents", "changes", "drills")},
    "service-levels": {"subject": str, "promise": str},
    "evidence": {"seq": int},
}


# Problems -------------------------------------------------------------------------------------------


def _refuse_unknown(name: str, asked: BaseModel) -> None:
    """Refuse what a collection cannot be asked: left unheard, a mistyped filter would give the whole of it."""
    unknown = list(asked.model_extra or ())
    if unknown:
        known = f"Known: {', '.join(type(asked).model_fields)}."
        problems = dict.fromkeys(unknown, f"The collection of {name} has no such parameter. {known}")
        raise _Problem(422, "A value is missing or wrong.", known, problems=problems)


def _refused(error: str, title: str, detail: str = "") -> _Problem:
    return _Problem(401, title, detail, {"WWW-Authenticate": f'Bearer error="{error}"'})


def _problem_of(error: DeskError) -> _Problem:
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 422)
    more: dict[str, Any] = {"problems": error.problems} if isinstance(error, NeedsForm) else {}
    if isinstance(error, BadValue) and error.field:
        more = {"problems": {error.field: error.what}}
    if isinstance(error, InTheWay) and isinstance(error.reply, Reply):
        more = {"shown": plain(error.reply)}
    return _Problem(status, error.what, error.then, **more)


async def _told(_request: Request, problem: Exception) -> Response:
    assert isinstance(problem, _Problem)
    return JSONResponse(problem.body, problem.status, problem.headers, media_type="application/problem+json")


async def _away(request: Request, _error: Exception) -> Response:
    said = _Problem(503, "The desk's store does not answer.", "Try again in a minute.", {"Retry-After": "60"})
    return await _told(request, said)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = {".".join(map(str, each["loc"][1:])) or "body": each["msg"] for each in error.errors()}
    broken = any(each["type"] == "json_invalid" for each in error.errors())
    return await _told(
        request, _Problem(400 if broken else 422, "A value is missing or wrong.", problems=problems)
    )


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return await _told(request, _Problem(error.status_code, str(error.detail), headers=error.headers))
