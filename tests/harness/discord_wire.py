"""Discord's REST and gateway on loopback, as far as signing in, hearing and sending go.

It answers a repeated nonce with the first message, as Discord does within a few minutes, and can be told to
close the gateway, to send an event that no library knows, to be too busy, and to refuse the token.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from aiohttp import WSMsgType, web

BOT = {"id": "42", "username": "desk", "discriminator": "0", "avatar": None, "bot": True, "global_name": None}


class Wire:
    """The stand-in; `port` is where it listens."""

    def __init__(self) -> None:
        self.port = 0
        self.token_is_good = True
        self.busy_for: float | None = None
        self.sign_ins = 0
        self.messages: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str]] = []
        self.up = asyncio.Event()
        self._ids = count(1000)
        self._gateway: tuple[web.WebSocketResponse, Any] | None = None
        self._sequence = count(1)

    @property
    def rest(self) -> str:
        """The address of the REST API."""
        return f"http://127.0.0.1:{self.port}/api/v10"

    @property
    def gateway(self) -> str:
        """The address of the gateway."""
        return f"ws://127.0.0.1:{self.port}/"

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Wire]:
        """A stand-in that listens until the end."""
        wire = cls()
        app = web.Application(middlewares=[wire._note])
        app.router.add_get("/", wire._serve_gateway)
        app.router.add_get("/api/v10/users/@me", wire._me)
        app.router.add_get("/api/v10/oauth2/applications/@me", wire._application)
        app.router.add_put("/api/v10/applications/{app}/guilds/{guild}/commands", wire._commands)
        app.router.add_post("/api/v10/channels/{channel}/messages", wire._message)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        wire.port = runner.addresses[0][1]
        try:
            yield wire
        finally:
            await runner.cleanup()

    async def send_event(self, name: str, data: Any) -> None:
        """Send an event over the gateway."""
        await self._send({"op": 0, "t": name, "s": next(self._sequence), "d": data})

    async def hang_up(self) -> None:
        """Close the gateway in a way that no client may resume from."""
        assert self._gateway is not None
        self.up.clear()
        await self._gateway[0].close(code=4004)

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append((request.method, request.path.removeprefix("/api/v10")))
        answer: web.StreamResponse = await handler(request)
        if answer.content_type == "application/json":
            answer.headers["Content-Type"] = "application/json"  # the library reads nothing with a charset
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

    async def _message(self, request: web.Request) -> web.Response:
        if self.busy_for is not None:
            seconds, self.busy_for = self.busy_for, None
            busy = {"message": "You are being rate limited.", "retry_after": seconds, "global": False}
            return web.json_response(busy, status=429, headers={"Via": "1.1", "Retry-After": str(seconds)})
        body = await request.json()
        first = self.messages.get(body["nonce"])
        if first is None:
            first = self.messages[body["nonce"]] = {
                "id": str(next(self._ids)), "channel_id": request.match_info["channel"], "author": BOT,
                "timestamp": "2026-11-23T08:00:00+00:00", "edited_timestamp": None, "tts": False,
                "mention_everyone": False, "mentions": [], "mention_roles": [], "attachments": [],
                "pinned": False, "type": 0, "flags": body["flags"], "components": body["components"],
                "embeds": [], "content": "",
            }  # fmt: skip
        return web.json_response(first)

    async def _serve_gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._gateway = (socket, zlib.compressobj())
        await self._send({"op": 10, "d": {"heartbeat_interval": 41250}, "s": None, "t": None})
        async for received in socket:
            if received.type is not WSMsgType.TEXT:
                continue
            said = json.loads(received.data)
            if said["op"] == 1:
                await self._send({"op": 11, "d": None, "s": None, "t": None})
            if said["op"] == 2:
                ready = {
                    "v": 10, "user": BOT, "guilds": [], "session_id": "s", "resume_gateway_url": self.gateway,
                    "application": {"id": "42", "flags": 0},
                }  # fmt: skip
                await self.send_event("READY", ready)
                self.up.set()
        return socket

    async def _send(self, payload: Any) -> None:
        assert self._gateway is not None
        socket, deflate = self._gateway
        data = deflate.compress(json.dumps(payload).encode()) + deflate.flush(zlib.Z_SYNC_FLUSH)
        if not socket.closed:
            await socket.send_bytes(data)
