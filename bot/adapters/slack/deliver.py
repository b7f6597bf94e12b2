"""One message to Slack, and what became of it.

Nothing here waits and tries again: the courier does, and it must know. Slack has no key for once-only
posting, so every message carries the delivery's key in its metadata, and after an unknown outcome `find`
reads back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot import drawing
from bot.adapters.port import Delivered, Delivery, GiveUp, Result, TryAgain
from bot.adapters.slack import render
from bot.adapters.slack.limits import ALT_TEXT
from bot.adapters.slack.render import Message, Offer
from handlers.messages import Chart, Gantt, Reply, charts_of

EVENT_TYPE = "deskbell_delivery"
HISTORY_READ = 200

_log = structlog.get_logger()

_PASSING = {
    "ratelimited",
    "rate_limited",
    "message_limit_exceeded",
    "service_unavailable",
    "team_added_to_org",
}
_PERHAPS_DONE = {"internal_error", "fatal_error", "request_timeout"}
# A wrong token is put right by people within hours; the messages of that time must not be lost for it.
_OURS_TO_MEND = {
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "missing_scope",
}
_BLOCKS_REFUSED = {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"}


class Failed(Exception):
    """A call to Slack that did not do what it should; `result` says whether to try again."""

    def __init__(self, result: TryAgain | GiveUp, code: str = "") -> None:
        super().__init__(result.reason)
        self.result = result
        self.code = code


@contextmanager
def understood() -> Iterator[None]:
    """Whatever goes wrong in a call, as Failed."""
    try:
        yield
    except SlackApiError as error:
        raise _refused(error) from None
    except SlackClientError as error:
        raise Failed(TryAgain(f"Slack took a part: {type(error).__name__}", unknown=True)) from None
    except aiohttp.ClientConnectorError as error:
        raise Failed(TryAgain(f"Slack cannot be reached: {type(error).__name__}")) from None
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Failed(TryAgain(f"Slack did not answer: {type(error).__name__}", unknown=True)) from None


def _refused(error: SlackApiError) -> Failed:
    response: Any = error.response
    status: int = getattr(response, "status_code", 0) or getattr(response, "status", 0)
    data = getattr(response, "data", None)
    code = str(data.get("error", "")) if isinstance(data, Mapping) else ""
    if status == 429:
        return Failed(TryAgain("ratelimited", after=_retry_after(response.headers)), code)
    if status >= 500 or not code:
        return Failed(TryAgain(f"Slack answered {status}", unknown=True), code)
    if code in _PASSING | _OURS_TO_MEND | _PERHAPS_DONE:
        return Failed(TryAgain(code, unknown=code in _PERHAPS_DONE), code)
    return Failed(GiveUp(code), code)


def _retry_after(headers: Mapping[str, Any]) -> float | None:
    written = next((value for name, value in headers.items() if name.lower() == "retry-after"), None)
    try:
        return max(0.0, float(written)) if written is not None else None
    except ValueError:
        return None


class Postman:
    """Sends, edits and finds messages through one client."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._directs: dict[str, str] = {}
        self._known: dict[str, bool] = {}

    def takes(self, *messages: Message) -> bool | None:
        """Whether this Slack takes every new block of these messages; None while nobody has tried."""
        known = [self._known.get(kind) for message in messages for kind in message.natives]
        return False if False in known else None if None in known else True

    @property
    def native(self) -> frozenset[str]:
        """The new blocks that this Slack has not refused."""
        return frozenset(kind for kind in render.NATIVE if self._known.get(kind) is not False)

    @property
    def proven(self) -> frozenset[str]:
        """The new blocks that this Slack has taken before."""
        return frozenset(kind for kind in render.NATIVE if self._known.get(kind))

    def learn(self, message: Message, taken: bool) -> None:
        """Remember what Slack did with a message; a refusal is blamed on what was never taken, else on all of it."""
        new = message.natives if taken else message.natives - self.proven or message.natives
        self._known |= dict.fromkeys(new, taken)

    async def deliver(self, delivery: Delivery, offer: Offer | None = None, whole: bool = False) -> Result:
        """Send or edit one message; never raises for what Slack does.

        With `whole`, what one message cannot hold follows in further ones; else the message says so.
        """
        try:
            channel, direct = await self._channel(delivery)
            ts, channel = await self._put(delivery, channel, offer, whole)
            if not delivery.edit:
                await self.hand_over_all(delivery.reply, channel, delivery.thread or ts)
        except Failed as failed:
            return failed.result
        return Delivered({"channel": channel, "ts": ts}, thread=delivery.thread or ts, direct=direct)

    async def _put(
        self, delivery: Delivery, channel: str, offer: Offer | None, whole: bool
    ) -> tuple[str, str]:
        metadata = {"event_type": EVENT_TYPE, "event_payload": {"key": delivery.key}}
        ways = list(self._ways(delivery, offer, whole))
        if delivery.edit:
            there = {"channel": delivery.edit["channel"], "ts": delivery.edit["ts"], "metadata": metadata}
            try:
                response, _ = await self._best(ways, lambda shown: self._client.chat_update(**there, **shown))
                return str(response["ts"]), str(response["channel"])
            except Failed as failed:
                if failed.code != "message_not_found":
                    raise  # else somebody deleted the card, and it is hung up again
        call: dict[str, Any] = {"channel": channel, "unfurl_links": False, "unfurl_media": False}
        if delivery.thread:
            call["thread_ts"] = delivery.thread
        response, others = await self._best(
            ways, lambda shown: self._client.chat_postMessage(**call, metadata=metadata, **shown)
        )
        try:
            for message in others:
                with understood():
                    await self._client.chat_postMessage(**call, **shown(message))
        except Failed as failed:  # the first part has arrived: to send all of it again would double that
            _log.warning("slack took only a part of an answer", reason=failed.result.reason)
        return str(response["ts"]), str(response["channel"])

    def _ways(self, delivery: Delivery, offer: Offer | None, whole: bool) -> Iterator[list[Message]]:
        """The pictures of a reply, best first: with Slack's new blocks, those it has taken before, old ones, text."""
        reply, accounts = delivery.reply, _recipient(delivery.place)

        def drawn(native: Collection[str]) -> list[Message]:
            if whole:
                return render.messages(reply, accounts, native, offer)
            return [render.message(reply, accounts, native, offer)]

        best = drawn(self.native)
        if any(message.natives for message in best):
            yield best
            if self.takes(*best) is None and self.proven:
                yield drawn(self.proven)
        yield drawn(())
        yield [render.text_only(reply)]

    async def _best(
        self, ways: Sequence[list[Message]], call: Callable[[dict[str, Any]], Awaitable[Any]]
    ) -> tuple[Any, list[Message]]:
        """The call with the best picture that this Slack takes, and the messages that should follow it."""
        for way in ways[:-1]:
            try:
                with understood():
                    response = await call(shown(way[0]))
            except Failed as failed:
                if failed.code not in _BLOCKS_REFUSED:
                    raise
                _log.warning("slack refused blocks", code=failed.code, new=sorted(way[0].natives))
                self.learn(way[0], taken=False)
                continue
            self.learn(way[0], taken=True)
            return response, way[1:]
        with understood():
            return await call(shown(ways[-1][0])), []

    async def whisper(self, channel: str, user: str, thread: str | None, message: Message) -> None:
        """A message in a channel that one person sees. Raises Failed."""
        call: dict[str, Any] = {"channel": channel, "user": user}
        if thread:
            call["thread_ts"] = thread
        with understood():
            await self._client.chat_postEphemeral(**call, **shown(message))

    def to_hand_over(self, reply: Reply) -> list[tuple[str, str | Chart | Gantt]]:
        """The files that go with a reply: its own, and its charts as pictures where Slack does not draw them."""
        found: list[tuple[str, str | Chart | Gantt]] = [reply.file] if reply.file else []
        for n, chart in enumerate(charts_of(reply), 1):
            native = "data_visualization" in self.proven and isinstance(chart, Chart)
            if not (native and isinstance(chart, Chart) and render.fits_natively(chart)):
                found.append((f"chart-{n}.png", chart))
        return found

    async def hand_over_all(self, reply: Reply, channel: str, thread: str | None) -> None:
        """Upload what goes with a reply. Raises Failed."""
        for name, content in self.to_hand_over(reply):
            await self.hand_over(name, content, channel, thread)

    async def hand_over(
        self, name: str, content: str | Chart | Gantt, channel: str, thread: str | None
    ) -> None:
        """Upload a text or a picture into a channel; what Slack does not take is said there. Raises Failed."""
        if isinstance(content, str):
            file: dict[str, Any] = {"content": content, "title": name}
        else:
            drawn = await drawing.drawn_apart(content)
            file = {"file": drawn, "title": content.title, "alt_txt": content.alt[:ALT_TEXT]}
        try:
            with understood():
                await self._client.files_upload_v2(filename=name, channel=channel, thread_ts=thread, **file)
        except Failed as failed:
            _log.warning("slack did not take a file", reason=failed.result.reason)
            sorry = f"Slack did not take the file {render.escape(name)}. Ask for it again in a while."
            with understood():
                await self._client.chat_postMessage(channel=channel, thread_ts=thread, text=sorry)

    async def direct(self, user: str) -> str:
        """The channel of the talk between the desk and a person. Raises Failed."""
        if user not in self._directs:
            with understood():
                response = await self._client.conversations_open(users=user)
            self._directs[user] = str(response["channel"]["id"])
        return self._directs[user]

    async def _channel(self, delivery: Delivery) -> tuple[str, str | None]:
        place = delivery.place
        if place.get("channel"):
            return str(place["channel"]), None
        direct = str(place.get("direct") or await self.direct(str(place["user"])))
        return direct, direct

    async def find(self, delivery: Delivery) -> Delivered | None:
        """The message of a delivery whose outcome is unknown, read back by the key in its metadata.

        Raises Failed when Slack cannot be asked just now: to post again then might be to post twice.
        """
        if delivery.edit:
            return None  # an edit may be repeated
        try:
            channel, direct = await self._channel(delivery)
            for message in await self._recent(channel, delivery.thread):
                if _key_of(message) == delivery.key:
                    ts = str(message["ts"])
                    return Delivered(
                        {"channel": channel, "ts": ts}, thread=delivery.thread or ts, direct=direct
                    )
        except Failed as failed:
            if isinstance(failed.result, TryAgain) and failed.code not in _OURS_TO_MEND:
                raise
            _log.warning("slack could not be read back", reason=failed.result.reason)
        return None

    async def _recent(self, channel: str, thread: str | None) -> Sequence[Mapping[str, Any]]:
        """The newest messages of a channel, or all of a thread (which Slack reads oldest first)."""
        call: dict[str, Any] = {"channel": channel, "limit": HISTORY_READ, "include_all_metadata": True}
        with understood():
            if thread is None:
                return list((await self._client.conversations_history(**call)).get("messages") or ())
            found: list[Mapping[str, Any]] = []
            async for page in await self._client.conversations_replies(**call, ts=thread):
                found += page.get("messages") or ()
            return found

    async def said(self, channel: str, ts: str, patience: float) -> str | None:
        """The text of one message, or None when the desk may not read it or Slack needs longer (seconds)."""
        try:
            with understood():
                async with asyncio.timeout(patience):
                    response = await self._client.conversations_replies(
                        channel=channel, ts=ts, limit=1, inclusive=True
                    )
        except Failed:
            return None
        found = next((each for each in response.get("messages") or () if each.get("ts") == ts), None)
        return str(found.get("text") or "") or None if found else None


def shown(message: Message) -> dict[str, Any]:
    """A message as the fields that every way of sending takes."""
    return {"text": message.text, "blocks": list(message.blocks)}


def _recipient(place: Mapping[str, Any]) -> Mapping[str, str]:
    """In their own talk a person may be shown as an account: the mention disturbs nobody but them."""
    return {str(place["person"]): str(place["user"])} if place.get("person") and place.get("user") else {}


def _key_of(message: Mapping[str, Any]) -> str | None:
    metadata = message.get("metadata") or {}
    if metadata.get("event_type") != EVENT_TYPE:
        return None
    return (metadata.get("event_payload") or {}).get("key")
