"""The console's wire: a chat in the browser, served from this machine, live through Server-Sent Events.

Addresses name the person, so two windows can be two people: `/console/staff/requests`,
`/console/agent/@desk`, `/console/agent/requests/12` for the thread of message 12. What is no page lies
under `/-/`, where no room can be. Everything works as plain forms and redirects too; a browser that
runs our script asks for JSON and stays where it is.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import BaseRoute, Route

from bot import drawing
from bot.adapters.console import deliver as delivering
from bot.adapters.console import guard, inbound, pages, render
from bot.adapters.console.completion import complete
from bot.adapters.console.rooms import Rooms
from bot.adapters.port import Adapter, Delivered, Delivery, Ear, Result
from bot.clock import Clock
from config.policy import Policy
from handlers.errors import DeskError
from handlers.messages import Command, Form, Reply
from handlers.parsing import LINE_AT_MOST
from storage.database import Database, StoreUnavailable
from storage.repositories.console import DESK, Console, Message, Writing

_log = structlog.get_logger()

STATIC = Path(__file__).parent / "static"
_FILES = {each.name for each in STATIC.iterdir()}
_PERSON_COOKIE = "deskbell_person"
_AT_ONCE = 200  # messages that a stream reads in one go
_QUIET = 15.0  # seconds after which a silent stream says that it lives

Endpoint = Callable[[Request], Awaitable[Response]]


class ConsoleAdapter(Adapter):
    """The browser chat. `policy` gives the policy in force, `host` a name it answers to beside localhost."""

    platform = inbound.PLATFORM
    pace = 0.0

    def __init__(
        self,
        ear: Ear,
        database: Database,
        policy: Callable[[], Policy],
        clock: Clock,
        host: str | None = None,
    ) -> None:
        self._ear = ear
        self._policy = policy
        self._clock = clock
        self._host = host
        self._rooms = Rooms(database, clock)
        self._templates = pages.environment()
        self._stopped = False

    # The port ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Nothing to connect: the web application serves `routes()`."""
        self._stopped = False

    async def stop(self) -> None:
        """End the live streams."""
        self._stopped = True
        self._rooms.ring()

    async def deliver(self, delivery: Delivery) -> Result:
        """Write or edit one message in its room."""
        return await delivering.deliver(self._rooms, delivery)

    async def find(self, delivery: Delivery) -> Delivered | None:
        """The message that was written with this key, if any."""
        return await delivering.find(self._rooms, delivery)

    def routes(self) -> list[BaseRoute]:
        """The console's routes, for the web application to serve at its root."""
        me = "/console/{me}"
        return [
            self._route("/", self._home),
            self._route("/console", self._welcome),
            self._route("/static/console/{name}", self._static),
            self._route("/console/-/message/{id:int}", self._permalink),
            self._route(f"{me}/-/live", self._live),
            self._route(f"{me}/-/complete", self._complete),
            self._route(f"{me}/-/file/{{id:int}}/{{section:int}}", self._file),
            self._route(f"{me}/-/chart/{{id:int}}/{{section:int}}.svg", self._chart),
            self._route(f"{me}/-/say", self._say, "POST"),
            self._route(f"{me}/-/draft", self._draft, "POST"),
            self._route(me, self._first_room),
            self._route(f"{me}/{{room}}", self._room),
            self._route(f"{me}/{{room}}/{{thread:int}}", self._room),
        ]

    def _route(self, path: str, endpoint: Endpoint, method: str = "GET") -> Route:
        async def guarded(request: Request) -> Response:
            try:
                guard.check_host(request, self._host)
                if method == "POST":
                    guard.check_same_origin(request)
                response = await endpoint(request)
            except HTTPException as error:
                response = self._problem(request, error.status_code, error.detail)
            except inbound.Unclear as error:
                response = self._problem(request, 400, str(error))
            except StoreUnavailable:
                _log.warning("the console cannot reach the store", path=path)
                response = self._problem(
                    request,
                    503,
                    "The desk's store cannot be reached, so nothing was done. Try again in a moment.",
                )
            for name, value in guard.HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return Route(path, guarded, methods=[method])

    # Pages ---------------------------------------------------------------------------------------

    async def _home(self, request: Request) -> Response:
        known = request.cookies.get(_PERSON_COOKIE, "")
        if known in self._policy().people:
            return RedirectResponse(f"/console/{known}", 303)
        return await self._welcome(request)

    async def _welcome(self, _request: Request) -> Response:
        policy = self._policy()
        readers = [pages.reader_of(key, policy) for key in policy.people]
        room = policy.organisation.requests_room
        return self._html("welcome.html", organisation=policy.organisation, people=readers, room=room)

    async def _first_room(self, request: Request) -> Response:
        reader = self._reader(request)
        return RedirectResponse(_address(reader, self._policy().organisation.requests_room), 303)

    async def _permalink(self, request: Request) -> Response:
        """A message's own address, the same for everyone: leads to it as whoever one was last."""
        policy = self._policy()
        last = request.cookies.get(_PERSON_COOKIE, "")
        reader = pages.reader_of(last if last in policy.people else next(iter(policy.people)), policy)
        message = await self._visible(reader, request.path_params["id"]) if reader else None
        if reader is None or message is None:
            raise HTTPException(404, "There is no such message, or it is for somebody else.")
        return RedirectResponse(_address(reader, reader.slug(message.room), message.thread, message.id), 303)

    async def _room(self, request: Request) -> Response:
        reader, policy, now = self._reader(request), self._policy(), self._clock.now()
        slug = request.path_params["room"]
        room = self._known_room(reader, slug)
        thread: int | None = request.path_params.get("thread")
        before = _number(guard.decoded(request.scope["query_string"]).get("before", ""))
        root = await self._visible(reader, thread) if thread else None
        if thread and (root is None or root.room != room or root.thread is not None):
            raise HTTPException(404, "There is no such thread in this room.")

        def look(console: Console) -> tuple[Any, ...]:
            # The count comes first: what is written meanwhile is then drawn twice, and never missed.
            changes = console.changes()
            messages = console.page(room, reader.key, before=before, at_most=pages.PAGE)
            below = console.page(room, reader.key, thread, at_most=200) if thread else []
            answers = console.answers(
                [*(each.id for each in messages), *([thread] if thread else [])], reader.key
            )
            newest = console.newest([*policy.rooms, f"@{reader.key}"], reader.key)
            return changes, messages, below, answers, newest, console.threads_of(reader.key)

        changes, messages, below, answers, newest, threads = await self._rooms.ask(look)
        views = [self._view(each, reader, now, answers) for each in messages]
        session = guard.session_of(request)
        response = self._html(
            "chat.html",
            reader=reader,
            zone_name=pages.zone_name(reader.zone, now),
            nouns=self._ear.commands.nouns,
            token=guard.token_of(session),
            now=now,
            changes=changes,
            slug=slug,
            title="Desk" if slug == pages.DIRECT else policy.rooms[room].name,
            messages=views,
            earlier=views[0].id if len(views) >= pages.PAGE else None,
            back_to_now=before is not None,
            thread=self._view(root, reader, now, answers) if root else None,
            below=[self._view(each, reader, now, {}) for each in below],
            rooms=pages.room_links(policy, newest, slug),
            direct=pages.RoomLink(
                pages.DIRECT, "Desk", newest.get(f"@{reader.key}", 0), slug == pages.DIRECT
            ),
            threads=pages.thread_links(threads, thread),
            people=[pages.reader_of(key, policy) for key in policy.people],
            organisation=policy.organisation,
            makers=self._ear.makers(),
            starts=[each for each in pages.STARTS if each in self._ear.commands.by_name],
        )
        guard.keep(response, session)
        response.set_cookie(_PERSON_COOKIE, reader.key, httponly=True, samesite="strict", max_age=90 * 86400)
        return response

    async def _section(self, request: Request) -> Reply | None:
        """The part of a message that an address names."""
        reader = self._reader(request)
        message = await self._visible(reader, request.path_params["id"])
        found = render.sections(render.reply_of(message.reply)) if message and message.reply else []
        number = request.path_params["section"]
        return found[number] if number < len(found) else None

    async def _chart(self, request: Request) -> Response:
        section = await self._section(request)
        if section is None or section.chart is None:
            raise HTTPException(404, "There is no such picture.")
        return Response(await drawing.file_drawn_apart(section.chart), media_type="image/svg+xml")

    async def _file(self, request: Request) -> Response:
        section = await self._section(request)
        file = section.file if section else None
        if file is None:
            raise HTTPException(404, "There is no such file.")
        disposition = f"attachment; filename*=UTF-8''{quote(file[0], safe='')}"
        return Response(file[1], headers={"Content-Disposition": disposition}, media_type="text/plain")

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _FILES:
            raise HTTPException(404, "There is no such file.")
        return FileResponse(STATIC / name, headers={"Cache-Control": "no-cache"})

    # What people say -----------------------------------------------------------------------------

    async def _say(self, request: Request) -> Response:
        reader, said, room, fields = await self._posted(request)
        if said.draft:
            written = await self._ask_anew(request, reader, said, room)
        elif said.typed and not inbound.is_command(said.line, room.startswith("@"), self._ear.commands.nouns):
            written = await self._speak(reader, said, room)
        else:
            written = await self._command(request, reader, said, room)
        if "application/json" in request.headers.get("accept", ""):
            events = await self._events(written, reader, room, said.thread, fields["token"])
            return JSONResponse({"events": events})
        last = written[-1].id if written else None
        return RedirectResponse(_address(reader, reader.slug(room), said.thread, last), 303)

    async def _speak(self, reader: pages.Reader, said: inbound.Said, room: str) -> Sequence[Message]:
        """An ordinary message, for the people in the room."""
        if not said.line:
            return []
        if len(said.line) > LINE_AT_MOST:
            raise HTTPException(
                413, f"That message has {len(said.line)} characters; {LINE_AT_MOST} are allowed."
            )
        key = f"said/{reader.key}/{said.key}"
        writing = Writing(room, reader.key, thread=said.thread, key=key, line=said.line)
        return [await self._rooms.change(lambda console, now: console.write(writing, now))]

    async def _command(
        self, request: Request, reader: pages.Reader, said: inbound.Said, room: str
    ) -> Sequence[Message]:
        """A command: carried out first, then shown, so that a store that is away leaves no half of it."""
        reply = await self._ear.hear(await self._as_command(request, reader, said, room))
        only_for = reader.key if reply.private and not room.startswith("@") else None
        shown = delivering.stored(reply)

        def show(console: Console, now: datetime) -> list[Message]:
            written = []
            if said.typed:
                key = f"said/{reader.key}/{said.key}"
                line = said.line[:LINE_AT_MOST]
                written.append(
                    console.write(Writing(room, reader.key, said.thread, only_for, key, line), now)
                )
            if form := _own_form(console, said.of, reader, room):
                if reply.private or reply.form or room.startswith("@"):
                    return [*written, *filter(None, [console.edit(form, shown, now)])]
                written.extend(filter(None, [console.withdraw(form, now)]))
            key = f"answer/{reader.key}/{said.key}"
            answer = Writing(room, DESK, said.thread, only_for, key, reply=shown, source=said.source)
            return [*written, console.write(answer, now)]

        return await self._rooms.change(show)

    async def _ask_anew(
        self, request: Request, reader: pages.Reader, said: inbound.Said, room: str
    ) -> Sequence[Message]:
        """Without a script: the form once more, with the questions that follow from the answers so far."""
        form = await self._drafted(request, reader, said, room)

        def show(console: Console, now: datetime) -> list[Message]:
            message = _own_form(console, said.of, reader, room)
            standing = console.get(message) if message else None
            if form is None or standing is None or standing.reply is None:
                return []
            reply = render.reply_of(standing.reply).model_copy(update={"form": form})
            edited = console.edit(standing.id, delivering.stored(reply), now)
            return [edited] if edited else []

        return await self._rooms.change(show)

    async def _draft(self, request: Request) -> Response:
        """With a script: the form's questions alone, and nothing is stored."""
        reader, said, room, _ = await self._posted(request)
        form = await self._drafted(request, reader, said, room)
        if form is None:
            return Response(status_code=204)
        return self._html("fields.html", form=form, pane="t" if said.thread else "m", id=said.of or 0)

    async def _drafted(
        self, request: Request, reader: pages.Reader, said: inbound.Said, room: str
    ) -> Form | None:
        command = await self._as_command(request, reader, said, room)
        try:
            return await self._ear.draft(command.model_copy(update={"draft": True}))
        except DeskError:
            return None

    async def _complete(self, request: Request) -> Response:
        reader = self._reader(request)
        query = guard.decoded(request.scope["query_string"])
        line = query.get("line", "")[:LINE_AT_MOST]
        room = self._known_room(reader, query.get("room", pages.DIRECT))
        asked = inbound.is_command(line, room.startswith("@"), self._ear.commands.nouns)
        begun = any(noun.startswith(line.lower()) for noun in self._ear.commands.nouns)
        if not line.strip() or not (asked or begun):
            return JSONResponse({"offers": []})
        place = reader.place(room, _number(query.get("thread", "")))
        offers = await complete(self._ear, reader.sender, place, line)
        return JSONResponse({"offers": [vars(offer) for offer in offers]})

    async def _posted(self, request: Request) -> tuple[pages.Reader, inbound.Said, str, Mapping[str, str]]:
        fields = await guard.fields_of(request)
        guard.check_token(request, fields.get("token", ""))
        reader = self._reader(request)
        said = inbound.said(fields)
        room = self._known_room(reader, said.room)
        if said.thread is not None:
            root = await self._visible(reader, said.thread)
            if root is None or root.room != room or root.thread is not None:
                raise HTTPException(404, "There is no such thread in this room.")
        return reader, said, room, fields

    async def _as_command(
        self, request: Request, reader: pages.Reader, said: inbound.Said, room: str
    ) -> Command:
        source = await self._visible(reader, said.source) if said.source else None
        link = _link(request, source.id) if source else None
        text = pages.text_of(source) if source else None
        return inbound.command(said, reader.sender, reader.place(room, said.thread), link, text)

    # Live ----------------------------------------------------------------------------------------

    async def _live(self, request: Request) -> Response:
        """What a reader sees anew in one page, as a stream: its room, its thread, which other rooms stir."""
        reader = self._reader(request)
        query = guard.decoded(request.scope["query_string"])
        room = self._known_room(reader, query.get("room", ""))
        after = _number(request.headers.get("last-event-id") or query.get("after", "")) or 0
        token = guard.token_of(guard.session_of(request))
        stream = self._stream(reader, room, _number(query.get("thread", "")), after, token)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    async def _stream(
        self, reader: pages.Reader, room: str, thread: int | None, after: int, token: str
    ) -> AsyncIterator[str]:
        yield "retry: 1000\n\n"
        async with self._rooms.listening():
            while not self._stopped:
                news = self._rooms.news()
                try:
                    changes, rows = await self._rooms.since(after, reader.key, _AT_ONCE)
                except StoreUnavailable:
                    return  # the browser comes back with the number of what it saw last
                if changes < after:
                    yield "event: reset\ndata: the rooms were emptied\n\n"
                    return
                for row in rows:
                    after = row.changed
                    for event in await self._events([row], reader, room, thread, token):
                        yield f"id: {after}\ndata: {json.dumps(event)}\n\n"
                after = max(after, changes) if len(rows) < _AT_ONCE else after
                if not rows and not await self._rooms.rung(news, _QUIET):
                    yield ": quiet\n\n"

    async def _events(
        self, rows: Sequence[Message], reader: pages.Reader, room: str, thread: int | None, token: str
    ) -> list[dict[str, Any]]:
        """Messages as a page of this reader, room and thread takes them in."""
        here = [row for row in rows if row.room == room]
        roots = [row.thread for row in here if row.thread is not None]

        def look(console: Console) -> tuple[list[Message], dict[int, int]]:
            stirred = [each for root in dict.fromkeys(roots) if (each := console.get(root))]
            return stirred, console.answers([row.id for row in (*here, *stirred)], reader.key)

        stirred, answers = await self._rooms.ask(look)
        drawn: list[tuple[str, Message]] = []
        for row in here:
            if row.thread is None:
                drawn.append(("m", row))
            if thread is not None and thread in (row.thread, row.id):
                drawn.append(("t", row))
        drawn.extend(("m", root) for root in stirred)
        now = self._clock.now()
        events = [self._event(pane, row, reader, now, answers, token) for pane, row in drawn]
        elsewhere = {reader.slug(row.room): row.changed for row in rows if row.room != room}
        return [*events, *({"room": slug, "changed": changed} for slug, changed in elsewhere.items())]

    def _event(
        self,
        pane: str,
        row: Message,
        reader: pages.Reader,
        now: datetime,
        answers: Mapping[int, int],
        token: str,
    ) -> dict[str, Any]:
        html = ""
        if not row.withdrawn:
            shown = self._view(row, reader, now, answers)
            html = self._templates.get_template("message.html").render(
                view=shown,
                pane=pane,
                reader=reader,
                token=token,
                now=now,
                makers=self._ear.makers(),
            )
        return {"pane": pane, "id": row.id, "changed": row.changed, "html": html}

    # Small things --------------------------------------------------------------------------------

    def _reader(self, request: Request) -> pages.Reader:
        reader = pages.reader_of(request.path_params["me"], self._policy())
        if reader is None:
            raise HTTPException(404, "The organisation has nobody of this name.")
        return reader

    def _known_room(self, reader: pages.Reader, slug: str) -> str:
        if slug != pages.DIRECT and slug not in self._policy().rooms:
            raise HTTPException(404, "The organisation has no room of this name.")
        return reader.room(slug)

    async def _visible(self, reader: pages.Reader, message: int) -> Message | None:
        """A message, if this reader may see it."""
        found = await self._rooms.ask(lambda console: console.get(message)) if message < 10**15 else None
        if found is None or found.withdrawn or found.only_for not in (None, reader.key):
            return None
        return found if not found.room.startswith("@") or found.room == f"@{reader.key}" else None

    def _view(
        self, message: Message, reader: pages.Reader, now: datetime, answers: Mapping[int, int]
    ) -> pages.View:
        nouns = self._ear.commands.nouns
        return pages.view(message, reader, self._policy(), now, answers.get(message.id, 0), nouns)

    def _html(self, template: str, status: int = 200, **context: Any) -> HTMLResponse:
        return HTMLResponse(self._templates.get_template(template).render(context), status)

    def _problem(self, request: Request, status: int, sentence: str) -> Response:
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse({"problem": sentence}, status)
        return self._html("problem.html", status, sentence=sentence)


def _link(request: Request, message: int) -> str:
    return f"{request.url.scheme}://{request.headers['host']}/console/-/message/{message}"


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) <= 15 else None


def _own_form(console: Console, message: int | None, reader: pages.Reader, room: str) -> int | None:
    """The desk's message to this reader alone whose form was sent; an answer takes its place."""
    found = console.get(message) if message is not None else None
    if found is None or found.author != DESK or found.room != room or found.reply is None:
        return None
    return found.id if room == f"@{reader.key}" or found.only_for == reader.key else None


def _address(reader: pages.Reader, slug: str, thread: int | None = None, message: int | None = None) -> str:
    below = f"/{thread}" if thread is not None else ""
    at = f"#{'t' if thread is not None else 'm'}{message}" if message is not None else ""
    return f"/console/{reader.key}/{slug}{below}{at}"
