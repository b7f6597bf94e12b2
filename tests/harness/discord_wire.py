"""Discord's REST and gateway on loopback: signing in, hearing, sending, and what becomes of a click.

It answers a repeated nonce with the first message, as Discord does within a few minutes; it keeps what hangs
in its channels and every call with its time; it lets no more than five messages in five seconds into a
channel; and it can be told to close the gateway, to send an event that no library knows, to be too busy, to
refuse the token, and to suffer any of `troubles`.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from aiohttp import WSMsgType, web

from bot.clock import SystemClock
from tests.harness.troubles import Hang, Lost, RateLimited, ServerError, Troubles

BOT = {"id": "42", "username": "desk", "discriminator": "0", "avatar": None, "bot": True, "global_name": None}
NONCE_KEPT = timedelta(minutes=3)
BURST = 5  # messages in so many seconds, in one channel

Payload = dict[str, Any]
_MACHINE = SystemClock()


def walk(components: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Every component, in the order in which it is shown."""
    for each in components:
        yield each
        yield from walk(each.get("components") or ())
        yield from walk([each[key] for key in ("accessory", "component") if each.get(key)])


def texts(message: Mapping[str, Any]) -> str:
    """All that a message says."""
    return "\n".join(each["content"] for each in walk(message["components"]) if each["type"] == 10)


@dataclass
class Call:
    """One call to the REST API: `answered` is its status or `nothing yet`, `done` that it did its work."""

    method: str
    path: str
    at: datetime
    answered: str = "nothing yet"
    done: bool = False


@dataclass(eq=False)
class Session:
    """One connection to the gateway that has signed in."""

    id: str
    socket: web.WebSocketResponse
    deflate: Any
    sent: list[Payload] = field(default_factory=list)


class Wire:
    """The stand-in; `port` is where it listens, `now` its clock, `paced` whether it limits bursts."""

    def __init__(self, now: Callable[[], datetime] = _MACHINE.now, paced: bool = False) -> None:
        self.now = now
        self.paced = paced
        self.port = 0
        self.token_is_good = True
        self.busy_for: float | None = None
        self.sign_ins = 0
        self.identified: list[datetime] = []
        self.messages: dict[str, Payload] = {}
        self.rooms: dict[str, list[Payload]] = {}
        self.calls: list[Call] = []
        self.answers: dict[str, list[Payload]] = {}
        self.troubles = Troubles()
        self.up = asyncio.Event()
        self.forgets = False  # sessions that were lost, so that none can be taken up again
        self.sessions: list[Session] = []
        self._open_to_all = True
        self._guild = ""
        self._directs: dict[str, str] = {}
        self._arrived: dict[str, deque[datetime]] = {}
        self._ids = count(1000)
        self._lost: dict[str, Session] = {}
        self._hanging = asyncio.Event()

    @property
    def rest(self) -> str:
        """The address of the REST API."""
        return f"http://127.0.0.1:{self.port}/api/v10"

    @property
    def gateway(self) -> str:
        """The address of the gateway."""
        return f"ws://127.0.0.1:{self.port}/"

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Method and path of every call."""
        return [(call.method, call.path) for call in self.calls]

    @classmethod
    @asynccontextmanager
    async def open(
        cls, now: Callable[[], datetime] = _MACHINE.now, paced: bool = False
    ) -> AsyncIterator[Wire]:
        """A stand-in that listens until the end."""
        wire = cls(now, paced)
        app = web.Application(middlewares=[wire._note], client_max_size=16 * 1024 * 1024)
        app.router.add_get("/", wire._serve_gateway)
        api, message = "/api/v10", "/channels/{channel}/messages/{message}"
        for method, path, handler in (
            ("GET", "/users/@me", wire._me),
            ("POST", "/users/@me/channels", wire._direct),
            ("GET", "/oauth2/applications/@me", wire._application),
            ("PUT", "/applications/{app}/guilds/{guild}/commands", wire._commands),
            ("GET", "/channels/{channel}", wire._channel),
            ("GET", "/channels/{channel}/messages", wire._history),
            ("POST", "/channels/{channel}/messages", wire._post),
            ("GET", message, wire._get),
            ("PATCH", message, wire._edit),
            ("DELETE", message, wire._delete),
            ("POST", f"{message}/threads", wire._thread),
            ("POST", "/interactions/{interaction}/{token}/callback", wire._callback),
            ("POST", "/webhooks/{app}/{token}", wire._follow_up),
            ("PATCH", "/webhooks/{app}/{token}/messages/@original", wire._follow_up),
        ):
            app.router.add_route(method, f"{api}{path}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        wire.port = runner.addresses[0][1]
        try:
            yield wire
        finally:
            wire._hanging.set()
            await runner.cleanup()

    # What people see and do

    def serve_guild(self, guild: str, *rooms: str) -> None:
        """Be a server with these channels; before, a message to any channel is taken."""
        self._open_to_all, self._guild = False, guild
        for room in rooms:
            self.rooms.setdefault(room, [])

    def direct(self, user: str) -> list[Payload]:
        """What a person was told in private, oldest first."""
        return self.rooms.get(self._directs.get(user, ""), [])

    async def click(self, message: Payload, label: str, user: str) -> str:
        """Press the button with this label; gives the interaction's id, whose `answers` tell what came of it."""
        button = next(
            each
            for each in walk(message["components"])
            if each["type"] == 2 and each.get("label") == label and each.get("custom_id")
        )
        interaction = str(next(self._ids))
        room = message["channel_id"]
        data = {
            "id": interaction, "application_id": BOT["id"], "type": 3, "token": f"t{interaction}", "version": 1,
            "guild_id": self._guild, "channel_id": room, "channel": self._described(room),
            "member": _member(user), "data": {"custom_id": button["custom_id"], "component_type": 2},
            "message": message, "locale": "en-GB", "guild_locale": "en-GB", "app_permissions": "0",
            "entitlements": [], "authorizing_integration_owners": {}, "context": 0,
            "attachment_size_limit": 10 * 1024 * 1024,
        }  # fmt: skip
        self.answers[interaction] = []
        await self.send_event("INTERACTION_CREATE", data)
        return interaction

    # The gateway

    async def send_event(self, name: str, data: Any) -> None:
        """Send an event to everybody who is connected."""
        for session in self.sessions:
            await self._dispatch(session, name, data)

    async def hang_up(self, code: int = 4004) -> None:
        """Close the newest connection; no client may resume from 4004."""
        self.up.clear()
        await self.sessions[-1].socket.close(code=code)

    async def _serve_gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        session = Session(f"s{next(self._ids)}", socket, zlib.compressobj())
        await self._send(session, {"op": 10, "d": {"heartbeat_interval": 41250}, "s": None, "t": None})
        try:
            async for received in socket:
                if received.type is WSMsgType.TEXT:
                    await self._heard(session, json.loads(received.data))
        finally:
            if session in self.sessions:
                self.sessions.remove(session)
                self._lost[session.id] = session
        return socket

    async def _heard(self, session: Session, said: Payload) -> None:
        match said["op"]:
            case 1:
                await self._send(session, {"op": 11, "d": None, "s": None, "t": None})
            case 2:
                self.identified.append(self.now())
                self.sessions.append(session)
                await self._dispatch(session, "READY", self._ready(session))
                self.up.set()
            case 6:
                before = self._lost.pop(said["d"]["session_id"], None)
                if before is None or self.forgets:
                    await self._send(session, {"op": 9, "d": False, "s": None, "t": None})
                    return
                session.id, session.sent = before.id, before.sent
                self.sessions.append(session)
                for each in session.sent[said["d"]["seq"] :]:
                    await self._send(session, each)
                await self._dispatch(session, "RESUMED", {})
                self.up.set()

    def _ready(self, session: Session) -> Payload:
        return {
            "v": 10, "user": BOT, "guilds": [{"id": self._guild, "unavailable": True}] if self._guild else [],
            "session_id": session.id, "resume_gateway_url": self.gateway,
            "application": {"id": BOT["id"], "flags": 0},
        }  # fmt: skip

    async def _dispatch(self, session: Session, name: str, data: Any) -> None:
        session.sent.append({"op": 0, "t": name, "s": len(session.sent) + 1, "d": data})
        await self._send(session, session.sent[-1])

    async def _send(self, session: Session, payload: Payload) -> None:
        deflate = session.deflate
        data = deflate.compress(json.dumps(payload).encode()) + deflate.flush(zlib.Z_SYNC_FLUSH)
        if not session.socket.closed:
            await session.socket.send_bytes(data)

    # The REST API

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path == "/":
            self.calls.append(Call("GET", "/", self.now()))
            return await _plain_json(handler, request)
        path = request.path.removeprefix("/api/v10")
        call = Call(request.method, path, self.now())
        self.calls.append(call)
        trouble = self.troubles.take(f"{request.method} {path}")
        call.answered = type(trouble).__name__ if trouble else "ok"
        match trouble:
            case RateLimited(after=after):
                return _busy(after)
            case ServerError(status=status):
                return web.Response(status=status, text="upstream")
            case Hang():
                await self._hanging.wait()
                return web.Response(status=504)
        answer = await _plain_json(handler, request)
        call.done = answer.status < 400
        if isinstance(trouble, Lost):
            if request.transport:
                request.transport.abort()
        else:
            call.answered = str(answer.status)
        return answer

    async def _me(self, request: web.Request) -> web.Response:
        if not self.token_is_good:
            return web.json_response({"code": 0, "message": "401: Unauthorized"}, status=401)
        self.sign_ins += 1
        return web.json_response(BOT)

    async def _application(self, request: web.Request) -> web.Response:
        return web.json_response(
            {"id": "42", "name": "desk", "icon": None, "description": "", "bot_public": False,
             "bot_require_code_grant": False, "verify_key": "", "flags": 0, "summary": "",
             "rpc_origins": None, "owner": BOT, "team": None}
        )  # fmt: skip

    async def _commands(self, request: web.Request) -> web.Response:
        sent = await request.json()
        known = {
            "application_id": "42",
            "version": "1",
            "description": "",
            "default_member_permissions": None,
        }
        return web.json_response([{**known, **each, "id": str(next(self._ids))} for each in sent])

    async def _direct(self, request: web.Request) -> web.Response:
        user = (await request.json())["recipient_id"]
        room = self._directs.setdefault(user, str(next(self._ids)))
        self.rooms.setdefault(room, [])
        return web.json_response(
            {"id": room, "type": 1, "recipients": [_user(user)], "last_message_id": None}
        )

    async def _channel(self, request: web.Request) -> web.Response:
        room = request.match_info["channel"]
        return web.json_response(self._described(room)) if room in self.rooms else _unknown_channel()

    async def _history(self, request: web.Request) -> web.Response:
        hang = self.rooms.get(request.match_info["channel"])
        if hang is None:
            return _unknown_channel()
        return web.json_response(hang[::-1][: int(request.query.get("limit", 50))])

    async def _post(self, request: web.Request) -> web.Response:
        if self.busy_for is not None:
            seconds, self.busy_for = self.busy_for, None
            return _busy(seconds)
        room, body = request.match_info["channel"], await _body(request)
        if self._open_to_all:
            self.rooms.setdefault(room, [])
        if room not in self.rooms:
            return _unknown_channel()
        first = self.messages.get(body["nonce"])
        if first and self.now() - datetime.fromisoformat(first["timestamp"]) < NONCE_KEPT:
            return web.json_response(first)
        if self._bursts(room):
            return _busy(1.0)
        posted = self.messages[body["nonce"]] = {
            "id": str(next(self._ids)), "channel_id": room, "author": BOT, "timestamp": self.now().isoformat(),
            "edited_timestamp": None, "tts": False, "mention_everyone": False, "mentions": [],
            "mention_roles": [], "attachments": [], "pinned": False, "type": 0, "flags": body["flags"],
            "components": body["components"], "embeds": [], "content": "",
        }  # fmt: skip
        self.rooms[room].append(posted)
        return web.json_response(posted)

    def _bursts(self, room: str) -> bool:
        lately = self._arrived.setdefault(room, deque(maxlen=BURST))
        now = self.now()
        if self.paced and len(lately) == BURST and now - lately[0] < timedelta(seconds=BURST):
            return True
        lately.append(now)
        return False

    def _find(self, request: web.Request) -> Payload | None:
        hang = self.rooms.get(request.match_info["channel"], [])
        return next((each for each in hang if each["id"] == request.match_info["message"]), None)

    async def _get(self, request: web.Request) -> web.Response:
        found = self._find(request)
        return web.json_response(found) if found else _unknown_message()

    async def _edit(self, request: web.Request) -> web.Response:
        found, body = self._find(request), await _body(request)
        if found is None:
            return _unknown_message()
        found |= {"components": body["components"], "edited_timestamp": self.now().isoformat()}
        return web.json_response(found)

    async def _delete(self, request: web.Request) -> web.Response:
        found = self._find(request)
        if found is None:
            return _unknown_message()
        self.rooms[request.match_info["channel"]].remove(found)
        return web.Response(status=204)

    async def _thread(self, request: web.Request) -> web.Response:
        found, body = self._find(request), await request.json()
        if found is None:
            return _unknown_message()
        if found["id"] in self.rooms:
            return web.json_response(
                {"code": 160004, "message": "A thread has already been created"}, status=400
            )
        self.rooms[found["id"]] = []
        archive = {"archived": False, "auto_archive_duration": body["auto_archive_duration"], "locked": False}
        return web.json_response(
            {"id": found["id"], "type": 11, "guild_id": self._guild, "parent_id": found["channel_id"],
             "owner_id": BOT["id"], "name": body["name"], "message_count": 0, "member_count": 1,
             "rate_limit_per_user": 0, "last_message_id": None,
             "thread_metadata": {**archive, "archive_timestamp": self.now().isoformat()}}
        )  # fmt: skip

    async def _callback(self, request: web.Request) -> web.Response:
        interaction, body = request.match_info["interaction"], await _body(request)
        given = self.answers.setdefault(interaction, [])
        if given:
            return web.json_response({"code": 40060, "message": "Already acknowledged"}, status=400)
        given.append(body)
        return web.json_response({"interaction": {"id": interaction, "type": 3}})

    async def _follow_up(self, request: web.Request) -> web.Response:
        body = await _body(request)
        self.answers[request.match_info["token"].removeprefix("t")].append({"data": body})
        return web.json_response(
            {"id": str(next(self._ids)), "channel_id": "1", "author": BOT, "timestamp": self.now().isoformat(),
             "edited_timestamp": None, "tts": False, "mention_everyone": False, "mentions": [],
             "mention_roles": [], "attachments": [], "pinned": False, "type": 0, "content": "", "embeds": [],
             "flags": body.get("flags", 0), "components": body["components"]}
        )  # fmt: skip

    def _described(self, room: str) -> Payload:
        return {
            "id": room, "type": 0, "guild_id": self._guild, "name": f"room-{room}", "position": 0,
            "permission_overwrites": [], "nsfw": False, "parent_id": None, "topic": None,
            "last_message_id": None, "rate_limit_per_user": 0,
        }  # fmt: skip


async def _plain_json(handler: Any, request: web.Request) -> web.StreamResponse:
    answer: web.StreamResponse = await handler(request)
    if answer.content_type == "application/json":
        answer.headers["Content-Type"] = "application/json"  # the library reads nothing with a charset
    return answer


async def _body(request: web.Request) -> Payload:
    """A body as JSON, or the JSON that comes with files."""
    if request.content_type == "application/json":
        return dict(await request.json())
    return dict(json.loads(str((await request.post())["payload_json"])))


def _busy(seconds: float) -> web.Response:
    busy = {"message": "You are being rate limited.", "retry_after": seconds, "global": False}
    return web.json_response(busy, status=429, headers={"Via": "1.1", "Retry-After": str(seconds)})


def _unknown_channel() -> web.Response:
    return web.json_response({"code": 10003, "message": "Unknown Channel"}, status=404)


def _unknown_message() -> web.Response:
    return web.json_response({"code": 10008, "message": "Unknown Message"}, status=404)


def _user(user: str) -> Payload:
    return {"id": user, "username": f"user{user}", "discriminator": "0", "avatar": None, "global_name": None}


def _member(user: str) -> Payload:
    return {
        "user": _user(user), "roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "deaf": False,
        "mute": False, "flags": 0, "permissions": "0", "avatar": None, "nick": None,
    }  # fmt: skip
