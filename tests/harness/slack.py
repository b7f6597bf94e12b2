"""A strict stand-in for Slack on a loopback port: it enforces limits, keeps calls, and sends what people do.

`fake = FakeSlack(clock.now)` is a workspace with people and channels. The product talks to `fake.api_url`;
people act through the senders (`fake.command`, `fake.click`, `fake.submit`, `fake.mention`…), which sign what
they send over HTTPS or hand it down the Socket Mode connection, and take the answer as Slack's client would.
"""

import asyncio
import hashlib
import hmac
import html
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlencode

import httpx
from aiohttp import WSMsgType, web

from bot.adapters.slack import limits
from bot.adapters.slack.manifest import SCOPES
from tests.harness.slack_rules import (
    NEW,
    complaints_about_channel_name,
    complaints_about_message,
    complaints_about_view,
)
from tests.harness.troubles import Hang, Lost, RateLimited, Says, ServerError, Trouble, Troubles

TEAM = "T0DESKBELL"
BOT = "U0BOT"
BOT_TOKEN = "xoxb-stand-in"
APP_TOKEN = "xapp-stand-in"
SECRET = "stand-in signing secret"

Payload = dict[str, Any]


@dataclass
class Call:
    """One call to the Web API: `answered` is `ok`, an error code or a status, `done` that it did its work."""

    method: str
    args: Payload
    at: datetime
    answered: str = "nothing yet"
    done: bool = False


@dataclass(frozen=True)
class Answer:
    """What the product answered to a payload."""

    status: int
    text: str

    @property
    def body(self) -> Payload:
        return (
            dict(json.loads(self.text))
            if self.text.startswith("{")
            else {"text": self.text}
            if self.text
            else {}
        )


@dataclass
class View:
    """A modal on somebody's screen: what it shows, what stands in its fields, what it complains about."""

    id: str
    user: str
    payload: Payload
    hash: str
    state: dict[str, dict[str, Payload]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    closed: bool = False

    @property
    def title(self) -> str:
        return html.unescape(self.payload["title"]["text"])

    @property
    def inputs(self) -> dict[str, Payload]:
        """The input blocks by field key."""
        return {
            block["element"]["action_id"]: block
            for block in self.payload["blocks"]
            if block["type"] == "input"
        }

    @property
    def text(self) -> str:
        """Everything it says."""
        return words(self.payload["blocks"])

    @property
    def problems(self) -> dict[str, str]:
        """The complaints by field key."""
        keys = {block["block_id"]: key for key, block in self.inputs.items()}
        return {keys[name]: said for name, said in self.errors.items()}

    def value(self, key: str) -> str | None:
        """What stands in a field now."""
        return _value(self.state[self.inputs[key]["block_id"]][key])


def words(blocks: Iterable[Mapping[str, Any]]) -> str:
    """All that blocks say, unescaped, with one line for each text."""

    def parts(thing: Any) -> Iterable[str]:
        if isinstance(thing, Mapping):
            if isinstance(thing.get("text"), str):
                yield html.unescape(thing["text"])
            for part in thing.values():
                yield from parts(part)
        elif isinstance(thing, list | tuple):
            for part in thing:
                yield from parts(part)

    return "\n".join(parts(blocks))


class FakeSlack:
    """One workspace. `now` is its clock; `paced` enforces one message a second in a channel.

    `new` are the blocks that Slack has rolled out to this workspace; without `tables` it has got none of them yet.
    """

    def __init__(self, now: Callable[[], datetime], paced: bool = False, tables: bool = True) -> None:
        self.now = now
        self.paced = paced
        self.page = limits.CHANNEL_PAGE
        self.new = set(NEW) if tables else set()
        self.calls: list[Call] = []
        self.refused: list[tuple[str, str, str]] = []
        self.views: dict[str, View] = {}
        self.homes: dict[str, Payload] = {}
        self.files: list[Payload] = []
        self.users: dict[str, Payload] = {}
        self.members: dict[str, set[str]] = defaultdict(set)
        self.archived: set[str] = set()
        self.channels: dict[str, Payload] = {}
        self.scopes: set[str] = set(SCOPES)
        self.connections: list[web.WebSocketResponse] = []
        self._messages: dict[str, list[Payload]] = {}
        self._whispers: dict[str, list[Payload]] = defaultdict(list)
        self.troubles = Troubles()
        self._triggers: dict[str, datetime | None] = {}
        self._triggered: dict[str, str] = {}
        self._responses: dict[str, Payload] = {}
        self._uploads: dict[str, Payload] = {}
        self._posted_at: dict[str, datetime] = {}
        self._connected: asyncio.Queue[web.WebSocketResponse] = asyncio.Queue()
        self._acks: dict[str, asyncio.Future[Payload]] = {}
        self._numbers = count(1)
        self._door: httpx.AsyncClient | None = None
        self._secret = SECRET
        self._runner: web.AppRunner | None = None
        self._hanging = asyncio.Event()
        self.port = 0

    # The workspace

    def person(self, user: str, name: str = "", guest: bool = False) -> str:
        """Someone in the workspace."""
        self.users[user] = {"id": user, "name": name or user.lower(), "guest": guest}
        return user

    def channel(
        self, channel: str, *members: str, bot: bool = True, name: str = "", creator: str = ""
    ) -> str:
        """A channel with people, and the bot unless it was not invited; a public one if it has a name."""
        self._messages.setdefault(channel, [])
        if name:
            self.channels[channel] = {"id": channel, "name": name, "creator": creator, "topic": ""}
        self.members[channel].update(members, {BOT} if bot else ())
        return channel

    def say(self, channel: str, user: str, text: str, thread: str | None = None) -> Payload:
        """A person's message, without any event of it."""
        return self._keep(channel, {"user": user, "text": text, **({"thread_ts": thread} if thread else {})})

    def messages(self, channel: str) -> list[Payload]:
        """What hangs in a channel, oldest first."""
        return list(self._messages[channel])

    def direct(self, user: str) -> str:
        """The channel of a person's own talk with the desk; made by looking."""
        return self.channel(f"D{user}", user)

    def whispers(self, user: str) -> list[Payload]:
        """What only this person saw (acknowledgements, answers to clicks, ephemeral ones), oldest first."""
        return list(self._whispers[user])

    def view(self, user: str) -> View:
        """The modal on a person's screen."""
        return next(view for view in reversed(self.views.values()) if view.user == user and not view.closed)

    def permalink(self, channel: str, ts: str) -> str:
        """The address of a message."""
        return f"https://stand-in.slack.com/archives/{channel}/p{ts.replace('.', '')}"

    def trouble(self, method: str, *troubles: Trouble) -> None:
        """Let the next calls of a method go wrong, one by one."""
        self.troubles.add(method, *troubles)

    def called(self, method: str) -> list[Payload]:
        """The arguments of every call of a method."""
        return [call.args for call in self.calls if call.method == method]

    # The server

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/"

    async def start(self) -> "FakeSlack":
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_route("*", "/api/{method}", self._serve)
        app.router.add_post("/respond/{id}", self._serve_response)
        app.router.add_post("/upload/{id}", self._serve_upload)
        app.router.add_get("/socket", self._serve_socket)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def stop(self) -> None:
        self._hanging.set()
        for connection in self.connections:
            await connection.close()
        if self._door:
            await self._door.aclose()
        if self._runner:
            await self._runner.cleanup()

    def reach(self, app: Any, secret: str = SECRET) -> None:
        """Send to this ASGI app from now on, signed with this secret."""
        self._secret = secret
        self._door = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk")

    async def reach_at(self, address: str, secret: str = SECRET) -> None:
        """Send over the wire to this address from now on, and wait for answers as long as Slack does."""
        if self._door:
            await self._door.aclose()
        self._secret = secret
        self._door = httpx.AsyncClient(base_url=address, timeout=limits.ACKNOWLEDGE)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        args = await _arguments(request)
        call = Call(method, args, self.now())
        self.calls.append(call)
        trouble = self.troubles.take(method)
        call.answered = type(trouble).__name__ if trouble else "ok"
        match trouble:
            case RateLimited(after=after):
                return _json({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(after)})
            case ServerError(status=status):
                return web.Response(status=status, text="<html>upstream</html>", content_type="text/html")
            case Hang():
                await self._hanging.wait()
                return web.Response(status=504)
            case Says(error=error):
                return _json({"ok": False, "error": error})
        answer = self._answer(request, method, args)
        call.done = answer["ok"]
        if isinstance(trouble, Lost):
            if request.transport:
                request.transport.abort()
            return web.Response()
        call.answered = answer.get("error", "ok")
        if call.answered == "ratelimited":
            return _json(answer, 429, {"Retry-After": "1"})
        return _json(answer)

    def _answer(self, request: web.Request, method: str, args: Payload) -> Payload:
        wanted = APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN
        if request.headers.get("Authorization") != f"Bearer {wanted}" and args.get("token") != wanted:
            return {"ok": False, "error": "invalid_auth"}
        serve = getattr(self, "_" + method.replace(".", "_"), None)
        if serve is None:
            return {"ok": False, "error": "unknown_method"}
        try:
            return {"ok": True, **serve(args)}
        except _Refused as refused:
            self.refused.append((method, refused.error, refused.why))
            return {"ok": False, "error": refused.error, "response_metadata": {"messages": [refused.why]}}

    # Methods of the Web API

    def _auth_test(self, args: Payload) -> Payload:
        return {"url": "https://stand-in.slack.com/", "team_id": TEAM, "user_id": BOT, "bot_id": "B0BOT"}

    def _apps_connections_open(self, args: Payload) -> Payload:
        return {"url": f"ws://127.0.0.1:{self.port}/socket"}

    def _chat_postMessage(self, args: Payload) -> Payload:  # noqa: N802
        channel = self._writable(args)
        self._check_message(args)
        self._keep_pace(channel)
        kept = {"user": BOT, "bot_id": "B0BOT", **_content(args)}
        if args.get("thread_ts"):
            self._find(channel, args["thread_ts"], "thread_not_found")
            kept["thread_ts"] = args["thread_ts"]
        message = self._keep(channel, kept)
        return {"channel": channel, "ts": message["ts"], "message": message}

    def _chat_update(self, args: Payload) -> Payload:
        channel = self._writable(args)
        message = self._find(channel, args.get("ts", ""), "message_not_found")
        if message.get("user") != BOT:
            raise _Refused("cant_update_message")
        self._check_message(args)
        message.update(_content(args), edited={"ts": self._ts()})
        return {"channel": channel, "ts": message["ts"]}

    def _chat_postEphemeral(self, args: Payload) -> Payload:  # noqa: N802
        channel = self._writable(args)
        if args.get("user") not in self.members[channel]:
            raise _Refused("user_not_in_channel")
        self._check_message(args)
        ts = self._ts()
        self._whispers[args["user"]].append(
            {
                **_content(args),
                "ts": ts,
                "channel": channel,
                "thread_ts": args.get("thread_ts"),
                "ephemeral": True,
            }
        )
        return {"message_ts": ts}

    def _chat_getPermalink(self, args: Payload) -> Payload:  # noqa: N802
        self._find(args["channel"], args["message_ts"], "message_not_found")
        return {"permalink": self.permalink(args["channel"], args["message_ts"]), "channel": args["channel"]}

    def _conversations_open(self, args: Payload) -> Payload:
        if args.get("users") not in self.users:
            raise _Refused("user_not_found")
        return {"channel": {"id": self.direct(args["users"])}}

    def _conversations_create(self, args: Payload) -> Payload:
        self._check_scope("channels:manage")
        for why in complaints_about_channel_name(args.get("name", "")):
            raise _Refused(why, args.get("name", ""))
        if args["name"] in (each["name"] for each in self.channels.values()):
            raise _Refused("name_taken", args["name"])
        channel = self.channel(f"C0NEW{next(self._numbers)}", name=args["name"], creator=BOT)
        return {"channel": self._described(channel)}

    def _conversations_list(self, args: Payload) -> Payload:
        self._check_scope("channels:read")
        if args.get("types", "public_channel") != "public_channel":
            raise _Refused("missing_scope", args["types"])
        most = int(args.get("limit", 100))
        if not 1 <= most <= limits.CHANNEL_PAGE:
            raise _Refused("invalid_limit", str(most))
        unasked = self.archived if str(args.get("exclude_archived", "")).lower() in ("1", "true") else set()
        public = [self._described(each) for each in self.channels if each not in unasked]
        first, least = int(args.get("cursor") or 0), min(most, self.page)
        more = str(first + least) if first + least < len(public) else ""
        return {"channels": public[first : first + least], "response_metadata": {"next_cursor": more}}

    def _conversations_setTopic(self, args: Payload) -> Payload:  # noqa: N802
        self._check_scope("channels:manage")
        channel = self._writable(args)
        if len(args["topic"]) > limits.CHANNEL_TOPIC:
            raise _Refused("too_long", args["topic"])
        self.channels[channel]["topic"] = html.unescape(args["topic"])
        return {"channel": self._described(channel)}

    def _conversations_invite(self, args: Payload) -> Payload:
        self._check_scope("channels:manage")
        channel = self._writable(args)
        users = [each for each in args.get("users", "").split(",") if each]
        if not users:
            raise _Refused("no_user")
        if len(users) > limits.INVITED_AT_ONCE:
            raise _Refused("too_many_users")
        wrong = {
            each: "user_not_found" if each not in self.users else "already_in_channel"
            for each in users
            if each not in self.users or each in self.members[channel]
        }
        rightly = [each for each in users if each not in wrong]
        if wrong and (not rightly or str(args.get("force", "")).lower() not in ("1", "true")):
            raise _Refused(next(iter(wrong.values())), ", ".join(wrong))
        self.members[channel].update(rightly)
        return {"channel": self._described(channel)}

    def _described(self, channel: str) -> Payload:
        known = self.channels[channel]
        return {**known, "topic": {"value": known["topic"]}, "is_archived": channel in self.archived}

    def _check_scope(self, scope: str) -> None:
        if scope not in self.scopes:
            raise _Refused("missing_scope", scope)

    def _conversations_history(self, args: Payload) -> Payload:
        channel = self._readable(args)
        top = [each for each in self._messages[channel] if each.get("thread_ts") in (None, each["ts"])]
        return {"messages": _read(reversed(top), args), "has_more": False}

    def _conversations_replies(self, args: Payload) -> Payload:
        channel = self._readable(args)
        asked = self._find(channel, args["ts"], "thread_not_found")
        root = asked.get("thread_ts") or asked["ts"]
        thread = [each for each in self._messages[channel] if root in (each["ts"], each.get("thread_ts"))]
        if asked["ts"] != root:
            thread = [asked]
        return {"messages": _read(thread, args), "has_more": False}

    def _users_info(self, args: Payload) -> Payload:
        if args.get("user") not in self.users:
            raise _Refused("user_not_found")
        return {"user": self.users[args["user"]]}

    def _views_open(self, args: Payload) -> Payload:
        trigger = args.get("trigger_id", "")
        if trigger not in self._triggers:
            raise _Refused("invalid_trigger_id", trigger)
        issued = self._triggers[trigger]
        if issued is None:
            raise _Refused("exchanged_trigger_id")
        if self.now() - issued > timedelta(seconds=limits.TRIGGER):
            raise _Refused("expired_trigger_id")
        self._check_view(args["view"], "modal")
        self._triggers[trigger] = None
        user = self._triggered[trigger]
        view = View(f"V{next(self._numbers)}", user, args["view"], self._ts())
        self.views[view.id] = view
        _restate(view)
        return {"view": _sent(view)}

    def _views_update(self, args: Payload) -> Payload:
        view = self.views.get(args.get("view_id", ""))
        if view is None or view.closed:
            raise _Refused("not_found")
        if args.get("hash") and args["hash"] != view.hash:
            raise _Refused("hash_conflict")
        self._check_view(args["view"], "modal")
        self._replace(view, args["view"])
        return {"view": _sent(view)}

    def _views_publish(self, args: Payload) -> Payload:
        self._check_view(args["view"], "home")
        self.homes[args["user_id"]] = args["view"]
        return {"view": {"id": f"H{args['user_id']}", "hash": self._ts()}}

    def _files_getUploadURLExternal(self, args: Payload) -> Payload:  # noqa: N802
        number = f"F{next(self._numbers)}"
        self._uploads[number] = {"name": args["filename"], "length": int(args["length"])}
        return {"file_id": number, "upload_url": f"http://127.0.0.1:{self.port}/upload/{number}"}

    def _files_completeUploadExternal(self, args: Payload) -> Payload:  # noqa: N802
        files = args["files"]
        for each in files:
            kept = self._uploads.pop(each["id"])
            self.files.append({**kept, "channel": args.get("channel_id"), "thread_ts": args.get("thread_ts")})
        return {"files": files}

    async def _serve_upload(self, request: web.Request) -> web.Response:
        content = await request.read()
        self._uploads[request.match_info["id"]]["text"] = content.decode(errors="surrogateescape")
        return web.Response(text="OK - 1")

    async def _serve_response(self, request: web.Request) -> web.Response:
        kept = self._responses.get(request.match_info["id"])
        args = await request.json()
        self.calls.append(Call("response_url", args, self.now()))
        trouble = self.troubles.take("response_url")
        if isinstance(trouble, ServerError):
            return web.Response(status=trouble.status)
        if kept is None or kept["uses"] >= limits.RESPONSE_URL_USES or self.now() > kept["until"]:
            return _json({"ok": False, "error": "expired_url"}, 404)
        kept["uses"] += 1
        try:
            self._check_message(args)
        except _Refused as refused:
            self.refused.append(("response_url", refused.error, refused.why))
            return _json({"ok": False, "error": refused.error}, 400)
        self._heard(kept["user"], kept["channel"], args, kept.get("original"))
        return _json({"ok": True})

    # What Slack insists on

    def _writable(self, args: Payload) -> str:
        channel = args.get("channel", "")
        if channel not in self._messages:
            raise _Refused("channel_not_found", channel)
        if channel in self.archived:
            raise _Refused("is_archived")
        if BOT not in self.members[channel]:
            raise _Refused("not_in_channel")
        return str(channel)

    def _readable(self, args: Payload) -> str:
        channel = args.get("channel", "")
        if channel not in self._messages or BOT not in self.members[channel]:
            raise _Refused("channel_not_found", channel)
        return str(channel)

    def _find(self, channel: str, ts: str, error: str) -> Payload:
        found = next((each for each in self._messages[channel] if each["ts"] == ts), None)
        if found is None:
            raise _Refused(error, ts)
        return found

    def _check_message(self, args: Payload) -> None:
        blocks = args.get("blocks") or []
        for block in blocks:
            if block.get("type") in NEW and block["type"] not in self.new:
                raise _Refused("invalid_blocks", block["type"])
        for name in ("link_names", "parse"):
            if name in args:
                raise _Refused("invalid_arguments", f"{name} may notify people nobody addressed")
        for why in complaints_about_message(args.get("text"), blocks):
            raise _Refused(
                why if why in ("no_text", "msg_too_long", "msg_blocks_too_long") else "invalid_blocks", why
            )
        if len(json.dumps(args.get("metadata") or {})) > limits.METADATA_SIZE:
            raise _Refused("metadata_too_large")

    def _check_view(self, view: Payload, kind: str) -> None:
        if view.get("type") != kind:
            raise _Refused("invalid_arguments", f"no {kind}")
        for why in complaints_about_view(view):
            raise _Refused("invalid_arguments", why)

    def _keep_pace(self, channel: str) -> None:
        last = self._posted_at.get(channel)
        if self.paced and last and self.now() - last < timedelta(seconds=1):
            raise _Refused("ratelimited", channel)
        self._posted_at[channel] = self.now()

    def _ts(self) -> str:
        return f"{int(self.now().timestamp())}.{next(self._numbers):06d}"

    def _keep(self, channel: str, message: Payload) -> Payload:
        kept = {"type": "message", **message, "ts": self._ts(), "channel": channel}
        self._messages[channel].append(kept)
        return kept

    def _heard(self, user: str, channel: str, args: Payload, original: Payload | None = None) -> None:
        """An answer as the client shows it: to the one person, or in the channel."""
        shown = {**_content(args), "thread_ts": args.get("thread_ts"), "channel": channel}
        if args.get("replace_original") and original is not None:
            original.update(shown)
        elif args.get("response_type") == "in_channel":
            self._keep(channel, {"user": BOT, "bot_id": "B0BOT", **_content(args)})
        else:
            self._whispers[user].append({**shown, "ts": self._ts(), "ephemeral": True})

    def _replace(self, view: View, payload: Payload) -> None:
        typed = view.state
        view.payload, view.hash, view.errors = payload, self._ts(), {}
        _restate(view)
        for block, states in view.state.items():
            for key in states:
                if key in typed.get(block, {}):
                    states[key] = typed[block][key]

    # What people do

    async def command(
        self, user: str, command: str, text: str = "", channel: str = "", **extra: Any
    ) -> Answer:
        """Type a slash command; its acknowledgement is shown."""
        channel = channel or self.direct(user)
        payload = {
            "token": "legacy",
            "team_id": TEAM,
            "team_domain": "stand-in",
            "channel_id": channel,
            "channel_name": "directmessage" if channel.startswith("D") else "room",
            "user_id": user,
            "user_name": self.users.get(user, {}).get("name", user),
            "command": command,
            "text": text,
            "api_app_id": "A0DESK",
            "is_enterprise_install": "false",
            "response_url": self._response_url(user, channel),
            "trigger_id": self.trigger(user),
            **extra,
        }
        answer = await self.send_form(payload)
        if answer.status == 200 and answer.body:
            self._check_ack(answer.body)
            self._heard(user, channel, answer.body)
        return answer

    async def click(self, message: Payload | View, label: str, user: str, confirm: bool = True) -> Answer:
        """Press a button, or choose from a menu, of a message, a modal or (by `homes`) a Home tab."""
        blocks = message.payload["blocks"] if isinstance(message, View) else message["blocks"]
        block_id, action = _action(blocks, label)
        assert confirm or "confirm" not in action, "it asks for confirmation"
        action |= {"action_ts": self._ts(), "block_id": block_id}
        payload: Payload = {"type": "block_actions", **self._who(user), "trigger_id": self.trigger(user)}
        payload["actions"] = [action]
        if isinstance(message, View):
            payload |= {"view": _sent(message), "container": {"type": "view", "view_id": message.id}}
        elif message.get("type") == "home":
            view = {
                "callback_id": "",
                "private_metadata": "",
                **message,
                "id": f"H{user}",
                "hash": self._ts(),
            }
            payload |= {"view": view, "container": {"type": "view", "view_id": view["id"]}}
        else:
            payload |= self._on_message(message, user)
        return await self.send_interaction(payload)

    def _on_message(self, message: Payload, user: str) -> Payload:
        container = {
            "type": "message",
            "message_ts": message["ts"],
            "channel_id": message["channel"],
            "is_ephemeral": bool(message.get("ephemeral")),
        }
        if message.get("thread_ts"):
            container["thread_ts"] = message["thread_ts"]
        original = message if message.get("ephemeral") else None
        sent: Payload = {
            "container": container,
            "channel": {"id": message["channel"], "name": "room"},
            "response_url": self._response_url(user, message["channel"], original),
        }
        return sent if original else {**sent, "message": message}

    async def choose(self, view: View, key: str, value: str) -> Answer | None:
        """Answer one question; a question that steers others tells the product at once."""
        block = view.inputs[key]
        state = view.state[block["block_id"]][key] = _state(block["element"], value)
        if not block.get("dispatch_action"):
            return None
        action = {**state, "action_id": key, "block_id": block["block_id"], "action_ts": self._ts()}
        payload = {
            "type": "block_actions",
            **self._who(view.user),
            "trigger_id": self.trigger(view.user),
            "container": {"type": "view", "view_id": view.id},
            "view": _sent(view),
            "actions": [action],
        }
        return await self.send_interaction(payload)

    async def submit(self, view: View, values: Mapping[str, str] | None = None) -> Answer:
        """Fill in a modal (by field key) and send it; what it asks for must be there, as in the client."""
        for key, value in (values or {}).items():
            block = view.inputs[key]
            view.state[block["block_id"]][key] = _state(block["element"], value)
        for key, block in view.inputs.items():
            missing = _value(view.state[block["block_id"]][key]) in (None, "")
            assert block.get("optional") or not missing, f"Slack's client asks for {key} first"
        payload = {
            "type": "view_submission",
            **self._who(view.user),
            "trigger_id": self.trigger(view.user),
            "view": _sent(view),
        }
        answer = await self.send_interaction(payload)
        self._submitted(view, answer)
        return answer

    def _submitted(self, view: View, answer: Answer) -> None:
        if answer.status != 200:
            return
        match answer.body.get("response_action"):
            case "errors":
                assert set(answer.body["errors"]) <= {block["block_id"] for block in view.inputs.values()}
                view.errors = answer.body["errors"]
            case "update":
                self._check_view(answer.body["view"], "modal")
                self._replace(view, answer.body["view"])
            case None | "clear":
                assert not answer.text or answer.body.get("response_action"), (
                    "a submission wants an empty answer"
                )
                view.closed = True

    async def suggest(self, view: View, key: str, typed: str = "") -> list[Payload]:
        """What a long choice offers for what was typed."""
        payload = {
            "type": "block_suggestion",
            **self._who(view.user),
            "view": _sent(view),
            "container": {"type": "view", "view_id": view.id},
            "action_id": key,
            "block_id": view.inputs[key]["block_id"],
            "value": typed,
        }
        answer = await self.send_interaction(payload)
        return list(answer.body["options"])

    async def shortcut(self, user: str, message: Payload, callback: str = "make-request") -> Answer:
        """Use a shortcut on a message."""
        return await self.send_interaction(
            {
                "type": "message_action",
                "callback_id": callback,
                **self._who(user),
                "trigger_id": self.trigger(user),
                "response_url": self._response_url(user, message["channel"]),
                "channel": {"id": message["channel"], "name": "room"},
                "message_ts": message["ts"],
                "message": message,
            }
        )

    async def mention(
        self, user: str, text: str, channel: str, thread: str | None = None, **extra: Any
    ) -> Answer:
        """Say `@Deskbell text` in a channel or a thread."""
        said = self.say(channel, user, f"<@{BOT}> {text}", thread)
        return await self.event({**said, "type": "app_mention", **extra})

    async def message(self, user: str, text: str, **extra: Any) -> Answer:
        """Say something to the desk in private."""
        said = self.say(self.direct(user), user, text)
        return await self.event({**said, "channel_type": "im", **extra})

    async def react(self, user: str, emoji: str, message: Payload, **extra: Any) -> Answer:
        """Put an emoji on a message."""
        item = {"type": "message", "channel": message["channel"], "ts": message["ts"]}
        event = {
            "type": "reaction_added",
            "user": user,
            "reaction": emoji,
            "item": item,
            "event_ts": self._ts(),
        }
        return await self.event(event | extra)

    async def open_home(self, user: str) -> Answer:
        """Look at the Home tab."""
        event = {"type": "app_home_opened", "user": user, "tab": "home", "channel": self.direct(user)}
        return await self.event(event)

    async def event(self, event: Payload, event_id: str = "", retry: int = 0) -> Answer:
        """Send an event; with `retry`, as Slack does when it got no answer."""
        payload = {
            "token": "legacy",
            "team_id": TEAM,
            "api_app_id": "A0DESK",
            "type": "event_callback",
            "event_id": event_id or f"Ev{next(self._numbers)}",
            "event_time": int(self.now().timestamp()),
            "authorizations": [
                {"team_id": TEAM, "user_id": BOT, "is_bot": True, "is_enterprise_install": False}
            ],
            "event": event,
        }
        headers = {"x-slack-retry-num": str(retry), "x-slack-retry-reason": "http_timeout"} if retry else {}
        return await self.send(
            "events_api", payload, json.dumps(payload).encode(), "application/json", headers
        )

    def trigger(self, user: str) -> str:
        """A trigger, good for one modal within three seconds."""
        trigger = f"{next(self._numbers)}.{TEAM}.{user}"
        self._triggers[trigger] = self.now()
        self._triggered[trigger] = user
        return trigger

    def _who(self, user: str) -> Payload:
        known = self.users.get(user, {"name": user})
        return {
            "user": {"id": user, "username": known["name"], "name": known["name"], "team_id": TEAM},
            "team": {"id": TEAM, "domain": "stand-in"},
            "api_app_id": "A0DESK",
        }

    def _response_url(self, user: str, channel: str, original: Payload | None = None) -> str:
        number = str(next(self._numbers))
        until = self.now() + timedelta(seconds=limits.RESPONSE_URL_LIFE)
        self._responses[number] = {
            "user": user,
            "channel": channel,
            "uses": 0,
            "until": until,
            "original": original,
        }
        return f"http://127.0.0.1:{self.port}/respond/{number}"

    def _check_ack(self, body: Payload) -> None:
        for why in complaints_about_message(body.get("text"), body.get("blocks") or []):
            self.refused.append(("acknowledgement", "invalid_blocks", why))
        for block in body.get("blocks") or []:
            if block["type"] in NEW and block["type"] not in self.new:
                self.refused.append(("acknowledgement", "invalid_blocks", block["type"]))

    # How it is sent

    async def send_form(self, payload: Payload) -> Answer:
        """A slash command's form."""
        body = urlencode(payload).encode()
        return await self.send("slash_commands", payload, body, "application/x-www-form-urlencoded")

    async def send_interaction(self, payload: Payload) -> Answer:
        """An interaction: JSON in a form field."""
        body = urlencode({"payload": json.dumps(payload)}).encode()
        return await self.send("interactive", payload, body, "application/x-www-form-urlencoded")

    async def send(
        self,
        kind: str,
        payload: Payload,
        body: bytes,
        content_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Over Socket Mode where it is connected, else signed over HTTPS."""
        if self.connections:
            return await self._send_down(kind, payload, headers or {})
        return await self.post(body, {"content-type": content_type, **(headers or {}), **self.signed(body)})

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Raw bytes to the product's address. Status 0 is no answer at all."""
        assert self._door, "reach() an app first"
        try:
            response = await self._door.post("/slack/events", content=body, headers=dict(headers))
        except httpx.TransportError as error:
            return Answer(0, type(error).__name__)
        return Answer(response.status_code, response.text)

    def signed(self, body: bytes, age: int = 0, secret: str | None = None) -> dict[str, str]:
        """The headers that prove a body comes from Slack, `age` seconds ago."""
        stamp = str(int(self.now().timestamp()) - age)
        digest = hmac.new((secret or self._secret).encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256)
        return {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest.hexdigest()}"}

    async def _serve_socket(self, request: web.Request) -> web.WebSocketResponse:
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        self.connections.append(connection)
        await connection.send_json({"type": "hello", "num_connections": 1})
        self._connected.put_nowait(connection)
        async for message in connection:
            if message.type is WSMsgType.TEXT and message.data.startswith("{"):
                said = json.loads(message.data)
                if waiting := self._acks.pop(said.get("envelope_id", ""), None):
                    waiting.set_result(said)
        if connection in self.connections:
            self.connections.remove(connection)
        return connection

    async def _send_down(self, kind: str, payload: Payload, headers: Mapping[str, str]) -> Answer:
        envelope = f"E{next(self._numbers)}"
        waiting = self._acks[envelope] = asyncio.get_running_loop().create_future()
        sent = {"type": kind, "envelope_id": envelope, "payload": payload, "accepts_response_payload": True}
        if "x-slack-retry-num" in headers:
            sent |= {"retry_attempt": int(headers["x-slack-retry-num"]), "retry_reason": "timeout"}
        await self.connections[-1].send_json(sent)
        said = await asyncio.wait_for(waiting, limits.ACKNOWLEDGE)
        return Answer(200, json.dumps(said["payload"]) if said.get("payload") else "")

    async def connected(self) -> None:
        """Wait for the next Socket Mode connection."""
        await asyncio.wait_for(self._connected.get(), 10)

    async def disconnect(self) -> None:
        """Ask the product to connect anew, as Slack does now and then."""
        connection = self.connections[-1]
        await connection.send_json({"type": "disconnect", "reason": "refresh_requested"})


class _Refused(Exception):
    def __init__(self, error: str, why: str = "") -> None:
        super().__init__(error)
        self.error = error
        self.why = why


def _json(body: Payload, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(body, status=status, headers=headers)


async def _arguments(request: web.Request) -> Payload:
    args: Payload = dict(request.query)
    if request.content_type == "application/json":
        args |= await request.json()
    elif request.can_read_body:
        args |= dict(await request.post())
    for name in ("blocks", "view", "metadata", "files"):
        if isinstance(args.get(name), str):
            args[name] = json.loads(args[name])
    return args


def _content(args: Payload) -> Payload:
    kept = {"text": args["text"], "blocks": args.get("blocks") or []}
    return {**kept, "metadata": args["metadata"]} if args.get("metadata") else kept


def _read(messages: Iterable[Payload], args: Payload) -> list[Payload]:
    shown = list(messages)[: int(args.get("limit", 100))]
    if str(args.get("include_all_metadata", "")).lower() in ("1", "true"):
        return shown
    return [{name: value for name, value in each.items() if name != "metadata"} for each in shown]


def _sent(view: View) -> Payload:
    """A view as Slack sends it back."""
    return {
        "id": view.id,
        "team_id": TEAM,
        "hash": view.hash,
        "state": {"values": view.state},
        "callback_id": "",
        "private_metadata": "",
        **view.payload,
    }


def _restate(view: View) -> None:
    view.state = {}
    for key, block in view.inputs.items():
        view.state[block["block_id"]] = {key: _state(block["element"], None)}


def _state(element: Payload, value: str | None) -> Payload:
    kind = element["type"]
    match kind:
        case "static_select" | "external_select":
            option = element.get("initial_option") if value is None else _option(element, value)
            return {"type": kind, "selected_option": option}
        case "users_select":
            return {"type": kind, "selected_user": element.get("initial_user") if value is None else value}
        case "datepicker":
            return {"type": kind, "selected_date": element.get("initial_date") if value is None else value}
        case _:
            typed = element.get("initial_value") if value is None else value
            assert len(typed or "") <= element.get("max_length", limits.INPUT), "the client types no more"
            return {"type": kind, "value": typed}


def _option(element: Payload, wanted: str) -> Payload:
    if element["type"] == "external_select":
        return {"text": {"type": "plain_text", "text": wanted}, "value": wanted}
    for option in element["options"]:
        if wanted in (option["value"], html.unescape(option["text"]["text"])):
            return dict(option)
    raise AssertionError(f"there is no option {wanted}")


def _value(state: Payload) -> str | None:
    if "selected_option" in state:
        return state["selected_option"]["value"] if state["selected_option"] else None
    return state.get("selected_user") or state.get("selected_date") or state.get("value")


def _action(blocks: Iterable[Payload], label: str) -> tuple[str, Payload]:
    for number, block in enumerate(blocks):
        block_id = block.get("block_id", f"b{number}")
        for element in block.get("elements", ()) if block["type"] == "actions" else ():
            if element["type"] == "button" and html.unescape(element["text"]["text"]) == label:
                return block_id, dict(element)
            for option in element.get("options", ()):
                if html.unescape(option["text"]["text"]) == label:
                    shown = {"type": "overflow", "action_id": element["action_id"], "selected_option": option}
                    return block_id, shown
    raise AssertionError(f"there is no button “{label}”")
