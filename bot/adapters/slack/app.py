"""The wire to Slack: Bolt's app over HTTPS or Socket Mode, and what is done with each thing heard.

A command is carried out and committed before Slack gets its acknowledgement, and the acknowledgement carries
the answer. Forms open with the trigger of the moment; what cannot open a form gets a button that does.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from re import compile as pattern
from typing import Any

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.adapters.port import Delivered, Delivery, Ear, Result, TryAgain
from bot.adapters.slack import forms, gate, inbound, limits, render
from bot.adapters.slack.deliver import Failed, Postman, shown, understood
from bot.adapters.slack.inbound import PLATFORM, About, Heard
from bot.adapters.slack.render import Offer
from bot.adapters.slack.spaces import Spaces
from handlers.declare import distribute
from handlers.errors import DeskError
from handlers.messages import Form, Kind, Reply, Tone
from handlers.parsing import Reference
from storage.database import StoreUnavailable

_CALL_PATIENCE = 2.0
"""Seconds that a call to Slack may take while Slack itself waits for our acknowledgement."""
_READ_PATIENCE = 1.0
_SEND_PATIENCE = 10.0
_REMEMBERED = 1000
_ANY = pattern(".*")
_AWAY = Reply(
    title="The desk cannot write its records just now.",
    text=("Nothing was changed; try again in a minute.",),
    tone=Tone.BAD,
)

_log = structlog.get_logger()


class NotConnected(ConnectionError):
    """Slack refused the token, or could not be reached at the start."""


class SlackAdapter:
    """One Slack workspace's app.

    `bot_token`, `signing_secret` and `app_token` come from the app's pages; with an app token it listens
    through Socket Mode, with a signing secret over HTTPS (`routes()`). `api_url` ends in `/api/`; `prefix`
    stands before every slash command; `now` reads the clock.
    """

    platform = PLATFORM
    pace = 1.0 / limits.MESSAGES_A_SECOND

    def __init__(
        self,
        ear: Ear,
        now: Callable[[], datetime],
        *,
        bot_token: str,
        signing_secret: str = "",
        app_token: str | None = None,
        api_url: str = AsyncWebClient.BASE_URL,
        prefix: str = "",
    ) -> None:
        self._ear = ear
        self._now = now
        self._secret = signing_secret
        self._app_token = app_token
        self._prefix = prefix
        # Nothing below a warning, whatever the house logs: their debug lines hold what people wrote.
        logger = logging.getLogger(__name__ + ".bolt")
        logger.setLevel(
            logging.ERROR
        )  # until it is made: Bolt warns of the token that it finds in the environment
        self._client = AsyncWebClient(bot_token, base_url=api_url, retry_handlers=[], logger=logger)
        self._postman = Postman(self._client)
        self._spaces = Spaces(self._client)
        self._me: Mapping[str, Any] = {}
        self._home = ""
        self._socket: AsyncSocketModeHandler | None = None
        self._answered: OrderedDict[str, None] = OrderedDict()
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._later: set[asyncio.Task[None]] = set()

        async def ourselves() -> (
            AuthorizeResult
        ):  # a function, because Bolt would hand a method its self twice
            return self._ourselves()

        self._app = self._listening(
            AsyncApp(
                name="deskbell",
                logger=logger,
                client=AsyncWebClient(base_url=api_url, retry_handlers=[], logger=logger),
                authorize=ourselves,
                process_before_response=True,
                request_verification_enabled=False,  # the gate did
                raise_error_for_unhandled_request=True,  # else Bolt would log the whole payload
            )
        )
        logger.setLevel(logging.WARNING)

    def routes(self) -> list[BaseRoute]:
        """What the web application must serve; nothing without a signing secret."""
        return [Route(inbound.PATH, self._receive, methods=["POST"])] if self._secret else []

    # The wire

    async def start(self) -> None:
        """Connect. Raises NotConnected when Slack refuses the token or cannot be reached."""
        self._client.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SEND_PATIENCE))
        try:
            with understood():
                me = await self._client.auth_test()
        except Failed as failed:
            await self.stop()
            raise NotConnected(f"Slack did not accept the bot token: {failed.result.reason}") from None
        self._me = dict(me.data) if isinstance(me.data, dict) else {}
        self._home = str(self._me.get("url") or "https://slack.com/")
        if self._app_token:
            self._socket = AsyncSocketModeHandler(self._app, self._app_token, web_client=self._client)
            await self._socket.connect_async()  # type: ignore[no-untyped-call]

    async def stop(self) -> None:
        """Stop hearing, finish what is under way, close."""
        socket, self._socket = self._socket, None
        if socket:
            await socket.close_async()  # type: ignore[no-untyped-call]
        if self._later:
            await asyncio.wait(self._later, timeout=_SEND_PATIENCE)
        if self._client.session:
            await self._client.session.close()

    async def deliver(self, delivery: Delivery) -> Result:
        """Send or edit one message; never raises for what Slack does."""
        if delivery.kind == Kind.SPACE:
            return await self._spaces.open(delivery)
        return await self._postman.deliver(delivery)

    async def find(self, delivery: Delivery) -> Delivered | None:
        """After an unknown outcome: the message, or the channel, if it did arrive."""
        if delivery.kind == Kind.SPACE:
            return await self._spaces.find(delivery)
        return await self._postman.find(delivery)

    def _ourselves(self) -> AuthorizeResult:
        me = self._me
        return AuthorizeResult(
            enterprise_id=me.get("enterprise_id"),
            team_id=me.get("team_id"),
            bot_id=me.get("bot_id"),
            bot_user_id=me.get("user_id"),
            bot_token=self._client.token,
        )

    async def _receive(self, request: Request) -> Response:
        try:
            body = await gate.read(request)
            headers = request.headers
            stamps, signatures = (
                headers.getlist("x-slack-request-timestamp"),
                headers.getlist("x-slack-signature"),
            )
            gate.verify(self._secret, stamps, signatures, body, self._now())
            payload = gate.parse(body)
        except gate.Refused as refused:
            _log.info("slack request refused", status=refused.status, why=refused.why)
            return Response(refused.why, refused.status)
        # Always as JSON: Bolt takes a command whose text says “payload” for an interaction and loses it.
        typed: dict[str, str | Sequence[str]] = {"content-type": "application/json"}
        if "x-slack-retry-num" in headers:
            typed["x-slack-retry-num"] = headers["x-slack-retry-num"]
        bolt_request = AsyncBoltRequest(body=json.dumps(payload), headers=typed)
        answer = await self._app.async_dispatch(bolt_request)
        return Response(answer.body, answer.status, answer.first_headers_without_set_cookie())

    def _listening(self, app: AsyncApp) -> AsyncApp:
        app.command(_ANY)(self._on_command)
        app.action(_ANY)(self._on_action)
        app.options(_ANY)(self._on_options)
        app.view(_ANY)(self._on_submission)
        app.shortcut(_ANY)(self._on_shortcut)
        app.event(_ANY)(self._on_event)
        app.error(self._on_error)
        return app

    async def _on_error(self, error: Exception) -> BoltResponse:
        if isinstance(error, StoreUnavailable):
            return BoltResponse(status=503, body=f"{_AWAY.title} {render.flat(_AWAY.text)}")
        if isinstance(error, TryLater):
            return BoltResponse(status=503, body=str(error))
        if isinstance(error, BoltUnhandledRequestError):
            return BoltResponse(status=404, body="The desk does not listen to that.")
        if isinstance(error, inbound.Unreadable):
            return BoltResponse(status=400, body=str(error))
        _log.error("slack payload failed", error=type(error).__name__, exc_info=error)
        return BoltResponse(status=500, body="Something went wrong on our side.")

    # Commands, clicks, forms

    async def _on_command(self, body: dict[str, Any], ack: Any) -> None:
        heard = inbound.slash(body, self._prefix)
        reply = await self._hear(heard)
        if reply is None:
            await ack()
            return
        answer = await self._acknowledgement(heard, reply)
        await (ack(answer) if answer else ack())

    async def _on_shortcut(self, body: dict[str, Any], ack: Any) -> None:
        named = {inbound.shortcut_id(each): each.name for each in self._ear.commands.of_messages}
        if line := named.get(str(body.get("callback_id"))):
            heard = inbound.shortcut(body, line, self._home)
            reply = await self._hear(heard)
            if reply is not None:
                await self._respond(heard, reply)
        await ack()

    async def _on_action(self, body: dict[str, Any], ack: Any) -> None:
        view = body.get("view") or {}
        if view.get("callback_id") == forms.CALLBACK:
            await self._ask_again(inbound.submission(body, self._home, draft=True))
        elif heard := inbound.click(body, self._home):
            if heard.about:
                heard = await self._with_text(heard)
            reply = await self._hear(heard)
            if reply is not None:
                await self._respond(heard, reply)
            if view.get("type") == "home":
                await self._publish_home(heard)
        await ack()

    async def _on_submission(self, body: dict[str, Any], ack: Any) -> None:
        if body["type"] != "view_submission":
            await ack()
            return
        heard = inbound.submission(body, self._home)
        if heard.about:
            heard = await self._with_text(heard)
        reply = await self._ear.hear(heard.command)
        place, view = heard.command.place, body["view"]
        if reply.form is None:
            self._hand_over(heard, reply)
            await ack(response_action="update", view=forms.result(reply, place))
            return
        try:
            fresh = forms.modal(reply.form, place, heard.about, heard.command.sender.workspace)
        except forms.DoesNotFit as why:
            fresh = forms.result(Reply(title=str(why), tone=Tone.BAD), place)
        if problems := forms.errors(reply.form, view, fresh):
            await ack(response_action="errors", errors=problems)
        else:
            await ack(response_action="update", view=fresh)

    async def _on_options(self, body: dict[str, Any], ack: Any) -> None:
        heard = inbound.submission(body, self._home, draft=True)
        try:
            declared, _ = self._ear.commands.find(heard.command.line)
        except DeskError:
            await ack(options=[])
            return
        found = await self._ear.options(
            heard.command.sender, declared.name, str(body["action_id"]), str(body.get("value") or "")
        )
        await ack(options=[render.option(each.label, each.value) for each in found[: limits.OPTIONS]])

    async def _ask_again(self, heard: Heard) -> None:
        """Show the form anew after an answer that steers other questions."""
        view, command = heard.view or {}, heard.command
        form = await self._ear.draft(command)
        if form is None:
            return
        try:
            fresh = forms.modal(form, command.place, heard.about, command.sender.workspace)
            await self._update(str(view["id"]), str(view["hash"]), fresh)
        except (forms.DoesNotFit, Failed) as why:
            # Someone typed on meanwhile (hash_conflict), or Slack is slow: the form on show still works.
            _log.info("slack form not shown anew", why=str(why))

    # Hearing, with a form where one is wanted

    async def _hear(self, heard: Heard) -> Reply | None:
        """Carry a command out; None when a modal shows what came of it."""
        if heard.trigger and not heard.view and self._surely_needs_a_form(heard):
            return await self._hear_behind_a_modal(heard, heard.trigger)
        reply = await self._ear.hear(heard.command)
        if reply.form is None or heard.trigger is None:
            return reply
        return None if await self._show_form(heard, reply.form) else reply

    async def _hear_behind_a_modal(self, heard: Heard, trigger: str) -> Reply | None:
        opening = asyncio.create_task(self._open(trigger, forms.loading("Deskbell")))
        command = heard.command
        try:
            reply = await self._ear.hear(command)
        except StoreUnavailable:
            if opened := await opening:
                with suppress(Failed):
                    await self._update(opened["id"], opened["hash"], forms.result(_AWAY, command.place))
            raise
        opened = await opening
        if opened is None:
            return reply
        try:
            if reply.form:
                view = forms.modal(reply.form, command.place, heard.about, command.sender.workspace)
            else:
                view = forms.result(reply, command.place)
            await self._update(opened["id"], opened["hash"], view)
        except (forms.DoesNotFit, Failed) as why:
            _log.warning("slack form not filled", why=str(why))
            return reply
        self._remember_text(opened["id"], heard)
        return None

    def _surely_needs_a_form(self, heard: Heard) -> bool:
        """Whether a required parameter is missing for all that the line alone can tell."""
        try:
            declared, rest = self._ear.commands.find(heard.command.line)
        except DeskError:
            return False
        given = distribute(declared, rest, {}, None).values
        here = bool(heard.command.place.thread)
        return any(
            each.required and not given.get(each.key) and not (here and isinstance(each.kind, Reference))
            for each in declared.parameters
        )

    async def _show_form(self, heard: Heard, form: Form) -> bool:
        command, view = heard.command, heard.view or {}
        try:
            modal = forms.modal(form, command.place, heard.about, command.sender.workspace)
            if view.get("type") == "modal":
                await self._update(str(view["id"]), str(view["hash"]), modal)
                self._remember_text(str(view["id"]), heard)
                return True
        except (forms.DoesNotFit, Failed) as why:
            _log.warning("slack form not shown", why=str(why))
            return False
        opened = await self._open(heard.trigger or "", modal)
        if opened:
            self._remember_text(opened["id"], heard)
        return opened is not None

    async def _open(self, trigger: str, view: render.Block) -> Mapping[str, str] | None:
        try:
            with understood():
                async with asyncio.timeout(_CALL_PATIENCE):
                    response = await self._client.views_open(trigger_id=trigger, view=view)
        except Failed as failed:
            _log.warning("slack did not open a form", reason=failed.result.reason)
            return None
        return {"id": str(response["view"]["id"]), "hash": str(response["view"]["hash"])}

    async def _update(self, view_id: str, view_hash: str, view: render.Block) -> None:
        with understood():
            async with asyncio.timeout(_CALL_PATIENCE):
                await self._client.views_update(view_id=view_id, hash=view_hash, view=view)

    # Answers

    async def _acknowledgement(self, heard: Heard, reply: Reply) -> dict[str, Any]:
        """The answer to a slash command: its first part in the acknowledgement, the others behind it."""
        offer = _offer(heard)
        kind = {"response_type": "ephemeral" if reply.private else "in_channel"}
        native = render.messages(reply, native=self._postman.native, offer=offer)
        # An acknowledgement cannot tell whether Slack took a new block: try it where it can.
        untried = native[0].natives and self._postman.takes(native[0]) is None
        if untried and heard.response_url and await self._post_back(heard, kind | shown(native[0])):
            self._postman.learn(native[0], taken=True)
            self._follow_up(heard, reply, [kind | shown(each) for each in native[1:]])
            return {}
        first, *others = render.messages(reply, native=self._postman.proven, offer=offer)
        self._follow_up(heard, reply, [kind | shown(each) for each in others])
        return kind | shown(first)

    async def _respond(self, heard: Heard, reply: Reply) -> None:
        """The answer to a click or a shortcut: in the modal it came from, or for the asker's eyes."""
        view = heard.view or {}
        if view.get("type") == "modal":
            try:
                await self._update(
                    str(view["id"]), str(view["hash"]), forms.result(reply, heard.command.place)
                )
            except Failed as failed:
                _log.warning("slack answer not shown", reason=failed.result.reason)
            self._hand_over(heard, reply)
            return
        if not heard.response_url:
            if not await self._open(heard.trigger or "", forms.result(reply, heard.command.place)):
                await self._tell_directly(heard, reply)
            return
        kind: dict[str, Any] = {"response_type": "ephemeral" if reply.private else "in_channel"}
        kind["replace_original"] = heard.on_ephemeral
        if heard.answer_in:
            kind["thread_ts"] = heard.answer_in
        native = render.messages(reply, native=self._postman.proven, offer=_offer(heard))
        if not await self._post_back(heard, kind | shown(native[0])):
            await self._tell_directly(heard, reply)
            return
        self._follow_up(
            heard, reply, [{**kind, "replace_original": False} | shown(each) for each in native[1:]]
        )

    async def _post_back(self, heard: Heard, answer: dict[str, Any]) -> bool:
        session = self._client.session
        if session is None or not heard.response_url:
            return False
        try:
            async with (
                asyncio.timeout(_CALL_PATIENCE),
                session.post(heard.response_url, json=answer) as response,
            ):
                said = await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            _log.warning("slack answer not posted", error=type(error).__name__)
            return False
        if response.status != 200 or '"ok":false' in said.replace(" ", ""):
            if "invalid_blocks" in said:
                self._postman.learn(render.Message("", tuple(answer.get("blocks") or ())), taken=False)
            _log.warning("slack answer refused", status=response.status, said=said[:100])
            return False
        return True

    def _follow_up(self, heard: Heard, reply: Reply, answers: list[dict[str, Any]]) -> None:
        async def post() -> None:
            for answer in answers[: limits.RESPONSE_URL_USES - 1]:
                await self._post_back(heard, answer)

        if len(answers) >= limits.RESPONSE_URL_USES:
            left = len(answers) - limits.RESPONSE_URL_USES + 2
            note = f"{left} more messages would follow, which Slack does not take. Ask for less at a time."
            answers = [*answers[: limits.RESPONSE_URL_USES - 2], {**answers[0], "text": note, "blocks": []}]
        if answers:
            self._behind(post())
        self._hand_over(heard, reply)

    def _hand_over(self, heard: Heard, reply: Reply) -> None:
        """Send what goes with an answer into the asker's own talk with the desk, once."""
        command = heard.command

        async def send() -> None:
            try:
                direct = command.sender.direct or await self._postman.direct(command.sender.user)
                await self._postman.hand_over_all(reply, direct, None)
            except Failed as failed:
                _log.warning("slack file not sent", reason=failed.result.reason)

        if self._postman.to_hand_over(reply) and self._first_time(f"file/{command.key}"):
            self._behind(send())

    async def _tell_directly(self, heard: Heard, reply: Reply) -> None:
        sender = heard.command.sender
        place = {"user": sender.user, "workspace": sender.workspace, "direct": sender.direct}
        result = await self._postman.deliver(_answer(heard, reply, place), _offer(heard), whole=True)
        if not isinstance(result, Delivered):
            _log.warning("slack answer not delivered", reason=result.reason)

    def _behind(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    # Events

    async def _on_event(self, body: dict[str, Any], request: AsyncBoltRequest, ack: Any) -> None:
        answer: Callable[[Heard, Reply, bool], Awaitable[None]] = self._answer_where_said
        match body["event"]["type"]:
            case "app_mention":
                heard = inbound.mention(body, str(self._me.get("user_id", "")))
            case "message":
                heard = inbound.direct_message(body)
            case "reaction_added":
                heard = inbound.reaction(body, self._ear.emojis(), self._home)
                answer = self._answer_reaction
            case "app_home_opened":
                heard = inbound.home_tab(body)
                answer = self._answer_home
            case _:
                heard = None
        if heard and heard.command.key not in self._answered:
            again = "x-slack-retry-num" in request.headers
            if heard.about:
                heard = await self._with_text(heard)
            await answer(heard, await self._ear.hear(heard.command), again)
            self._first_time(heard.command.key)
        await ack()

    async def _answer_where_said(self, heard: Heard, reply: Reply, again: bool) -> None:
        command = heard.command
        if reply.private and not command.place.direct:
            parts = render.messages(reply, native=self._postman.proven, offer=_offer(heard))
            for message in parts:
                try:
                    await self._postman.whisper(
                        command.place.channel, command.sender.user, command.place.thread, message
                    )
                except Failed as failed:
                    _log.warning("slack answer not whispered", reason=failed.result.reason)
                    await self._tell_directly(heard, reply)
                    break
            self._hand_over(heard, reply)
            return
        place = {"channel": command.place.channel}
        await self._post_once(heard, _answer(heard, reply, place, heard.answer_in), again)

    async def _answer_reaction(self, heard: Heard, reply: Reply, again: bool) -> None:
        sender = heard.command.sender
        place = {"user": sender.user, "workspace": sender.workspace}
        await self._post_once(heard, _answer(heard, reply, place), again)

    async def _answer_home(self, heard: Heard, reply: Reply, again: bool) -> None:
        del again  # the same view twice is one view
        try:
            with understood():
                await self._client.views_publish(user_id=heard.command.sender.user, view=forms.home(reply))
        except Failed as failed:
            _log.warning("slack home tab not shown", reason=failed.result.reason)

    async def _publish_home(self, heard: Heard) -> None:
        command = heard.command.model_copy(
            update={"line": inbound.HOME_LINE, "key": f"{heard.command.key}/home"}
        )
        await self._answer_home(heard, await self._ear.hear(command), again=False)

    async def _post_once(self, heard: Heard, delivery: Delivery, again: bool) -> None:
        """Post an answer; when Slack repeats an event, only if the first answer did not arrive."""
        if again and await self._postman.find(delivery):
            return
        result = await self._postman.deliver(delivery, _offer(heard), whole=True)
        if isinstance(result, TryAgain):
            raise TryLater(f"The answer could not be posted: {result.reason}")
        if not isinstance(result, Delivered):
            _log.warning("slack answer not delivered", reason=result.reason)

    # What is remembered for a while

    def _first_time(self, key: str) -> bool:
        if key in self._answered:
            return False
        self._answered[key] = None
        if len(self._answered) > _REMEMBERED:
            self._answered.popitem(last=False)
        return True

    def _remember_text(self, view_id: str, heard: Heard) -> None:
        if heard.about and heard.command.message:
            self._texts[view_id] = heard.command.message
            if len(self._texts) > _REMEMBERED:
                self._texts.popitem(last=False)

    async def _with_text(self, heard: Heard) -> Heard:
        """The command with the text of the message it is about: as remembered, or as Slack has it."""
        view_id, about = str((heard.view or {}).get("id", "")), heard.about
        text = self._texts.get(view_id)
        if text is None and about:
            said = await self._postman.said(about.channel, about.ts, _READ_PATIENCE)
            text = inbound.plain(said, heard.command.sender.workspace) if said else None
        return replace(heard, command=heard.command.model_copy(update={"message": text}))


class TryLater(Exception):
    """An answer that Slack did not take now: the event must come again."""


def _offer(heard: Heard) -> Offer:
    about: About | None = heard.about
    return Offer(heard.command.line, inbound.about_block(about) if about else None)


def _answer(heard: Heard, reply: Reply, place: Mapping[str, Any], thread: str | None = None) -> Delivery:
    return Delivery(
        key=f"answer/{heard.command.key}", kind="message", place=place, reply=reply, thread=thread
    )
