"""Stages that lead through a platform: the same rehearsal, by signed requests to the Slack app or through Discord.

What is seen is read back from what the platform would show, so a word that was lost on the way is missing here too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from itertools import count
from typing import Any

from starlette.applications import Starlette

from bot.adapters.port import Adapter, Ear
from bot.adapters.slack.app import SlackAdapter
from bot.rehearsal.stage import Seen
from config.policy import Account, Policy
from handlers.parsing import reference
from tests.harness.discord import GUILD, Answer, DiscordWorld, seen_in
from tests.harness.discord import Seen as OnDiscord
from tests.harness.slack import BOT_TOKEN, SECRET, TEAM, FakeSlack, Payload, View, words


@dataclass(frozen=True)
class Standing:
    """A message as it stands on a platform: `key` names it, `handle` is what one clicks on."""

    key: str
    where: str
    text: str
    labels: tuple[str, ...]
    handle: Any


class Watch:
    """Gives every message an order of its own, and a new one when it changes, as an eye would."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._orders: dict[str, int] = {}
        self._numbers = count(1)

    def look(self, standing: Sequence[Standing]) -> list[tuple[int, Standing]]:
        """The messages with their orders, oldest first."""
        for each in standing:
            shown = (each.text, each.labels)
            if self._known.get(each.key) != shown:
                self._known[each.key] = shown
                self._orders[each.key] = next(self._numbers)
        return sorted(((self._orders[each.key], each) for each in standing), key=lambda pair: pair[0])


class PlatformStage:
    """What both platforms share: who sees what, and finding the button somebody means."""

    platform = ""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._watch = Watch()
        self._client_said: list[Standing] = []
        self._known: dict[str, tuple[Any, Standing]] = {}

    def _standing(self) -> Iterator[Standing]:
        raise NotImplementedError

    def seen(self) -> Sequence[Seen]:
        """Everything that can be seen now."""
        return [
            Seen(order, each.where, each.text, _about(each.text), each.labels)
            for order, each in self._watch.look([*self._standing(), *self._client_said])
        ]

    def _read(self, key: str, content: Any, read: Callable[[], Standing]) -> Standing:
        """A message as it was read before, unless it holds something else by now: edits bring new content."""
        if key not in self._known or self._known[key][0] is not content:
            self._known[key] = content, read()
        return self._known[key][1]

    def _button(self, person: str, subject: str, label: str) -> Standing:
        for _, each in reversed(self._watch.look(list(self._standing()))):
            mine = not each.where.startswith("@") or each.where == f"@{person}"
            if mine and label in each.labels and subject in each.text:
                return each
        raise LookupError(f"@{person} sees no button “{label}” about {subject}")

    def _client_says(self, person: str, text: str) -> None:
        """The platform's own client complains, before anything is sent."""
        key = f"client/{len(self._client_said)}"
        self._client_said.append(Standing(key, f"@{person}", text, (), None))

    def _with_accounts(self, users: dict[str, str], rooms: dict[str, str], workspace: str) -> Policy:
        people = {
            key: replace(each, accounts=(Account(self.platform, workspace, users[key]),))
            for key, each in self.policy.people.items()
        }
        placed = {
            key: replace(each, places={self.platform: rooms[key]}) for key, each in self.policy.rooms.items()
        }
        version = f"{self.policy.version} on {self.platform}"
        return replace(self.policy, people=people, rooms=placed, version=version)


@cache
def _about(text: str) -> str | None:
    return next((found for word in text.replace(":", " ").split() if (found := reference(word))), None)


class SlackStage(PlatformStage):
    """Signed requests into the real Bolt app, and a workspace that enforces Slack's limits."""

    platform = "slack"

    def __init__(self, policy: Policy, now: Callable[[], datetime]) -> None:
        super().__init__(policy)
        self._now = now
        self.fake = FakeSlack(now)
        self._users = {key: f"U0{key.upper().replace('-', '')}" for key in policy.people}
        self._channels = {key: f"C0{key.upper().replace('-', '')}" for key in policy.rooms}
        self._adapter: SlackAdapter | None = None

    @property
    def adapter(self) -> Adapter:
        """The real Slack adapter."""
        assert self._adapter is not None
        return self._adapter

    async def open(self, ear: Ear) -> None:
        """Start the workspace and the app in it."""
        await self.fake.start()
        for key, user in self._users.items():
            self.fake.person(user, key)
            self.fake.direct(user)
        for channel in self._channels.values():
            self.fake.channel(channel, *self._users.values())
        self.policy = self._with_accounts(self._users, self._channels, TEAM)
        self._adapter = SlackAdapter(
            ear, self._now, bot_token=BOT_TOKEN, signing_secret=SECRET, api_url=self.fake.api_url
        )
        # A story's instants must not depend on how fast a platform lets one speak.
        self._adapter.pace = 0.0
        await self._adapter.start()
        self.fake.reach(Starlette(routes=self._adapter.routes()))

    async def close(self) -> None:
        """Stop both; whatever Slack refused of the app fails the test."""
        await self.adapter.stop()
        await self.fake.stop()
        assert self.fake.refused == []

    async def say(self, person: str, line: str, room: str | None, below: str | None) -> None:
        """A slash command, or a mention below a card, where slash commands do not work."""
        user = self._users[person]
        if below:
            channel, thread = self._card(below)
            await self.fake.mention(user, line, channel, thread=thread)
            return
        noun, _, rest = line.partition(" ")
        channel = self._channels[room] if room else ""
        answer = await self.fake.command(user, f"/{noun}", rest, channel=channel)
        assert answer.status == 200, answer

    def _card(self, subject: str) -> tuple[str, str]:
        for channel in self._channels.values():
            for message in self.fake.messages(channel):
                title = words(message.get("blocks", ())).partition("\n")[0]
                if not message.get("thread_ts") and f"{subject} ·" in title:
                    return channel, message["ts"]
        raise LookupError(f"no card of {subject} hangs anywhere")

    async def click(self, person: str, subject: str, label: str) -> None:
        """Press a button on the newest message about a subject."""
        handle = self._button(person, subject, label).handle
        answer = await self.fake.click(handle, label, self._users[person], confirm=False)
        assert answer.status == 200, answer

    async def fill(self, person: str, answers: dict[str, str]) -> None:
        """Answer the questions of the open modal, those that steer at once, then send it."""
        try:
            view = self.fake.view(self._users[person])
        except StopIteration:
            raise LookupError(f"@{person} was shown no form") from None
        for key, value in answers.items():
            await self.fake.choose(view, key, value)
        missing = [
            block["label"]["text"]
            for key, block in view.inputs.items()
            if not block.get("optional") and not view.value(key)
        ]
        if missing:
            self._client_says(person, f"{missing[0]} is needed.")
            return
        await self.fake.submit(view)

    def _standing(self) -> Iterator[Standing]:
        for person, user in self._users.items():
            where = f"@{person}"
            private = [*self.fake.whispers(user), *self.fake.messages(self.fake.direct(user))]
            yield from (self._message(message, where) for message in private)
            for view in self.fake.views.values():
                if view.user == user:
                    yield self._view(view, where)
        for room, channel in self._channels.items():
            yield from (self._message(message, f"#{room}") for message in self.fake.messages(channel))

    def _message(self, message: Payload, where: str) -> Standing:
        key, blocks = f"{where}/{message['ts']}", message.get("blocks", ())

        def read() -> Standing:
            text = f"{message.get('text', '')}\n{words(blocks)}"
            return Standing(key, where, text, tuple(_slack_labels(blocks)), message)

        return self._read(key, blocks, read)

    @staticmethod
    def _view(view: View, where: str) -> Standing:
        text = "\n".join([view.title, view.text, *view.problems.values()])
        return Standing(f"{where}/{view.id}", where, text, tuple(_slack_labels(view.payload["blocks"])), view)


def _slack_labels(blocks: Any) -> Iterator[str]:
    for block in blocks:
        for element in block.get("elements", ()):
            if element.get("type") == "button":
                yield element["text"]["text"]
            for option in element.get("options", ()) if element.get("type") == "overflow" else ():
                yield option["text"]["text"]


class DiscordStage(PlatformStage):
    """The real client on a stand-in server."""

    platform = "discord"

    def __init__(self, policy: Policy, now: Callable[[], datetime]) -> None:
        super().__init__(policy)
        self._world: DiscordWorld | None = None
        self._stack = AsyncExitStack()
        self._answers: list[tuple[str, str, OnDiscord]] = []
        self._forms: dict[str, Answer] = {}

    @property
    def world(self) -> DiscordWorld:
        """The server."""
        assert self._world is not None
        return self._world

    @property
    def adapter(self) -> Adapter:
        """The real Discord adapter."""
        return self.world.adapter

    async def open(self, ear: Ear) -> None:
        """Start the server with everybody and every room on it."""
        self._world = await self._stack.enter_async_context(DiscordWorld.open(ear))
        self.adapter.pace = 0.0  # as above
        users = {key: self.world.person(key).id for key in self.policy.people}
        rooms = {key: str(self.world.room(key).id) for key in self.policy.rooms}
        self.policy = self._with_accounts(users, rooms, str(GUILD))

    async def close(self) -> None:
        """Every call is checked, then the server stops."""
        self.world.check_calls()
        await self._stack.aclose()

    async def say(self, person: str, line: str, room: str | None, below: str | None) -> None:
        """A slash command in a room, or in the thread of a card."""
        where = self.world.room(room) if room else None
        if below:
            where = next(
                thread
                for each in self.world.rooms.values()
                for thread in each.threads
                if (thread.name or "").startswith(below)
            )
        self._heard(person, room, await self.world.person(person).say(line, where))

    async def click(self, person: str, subject: str, label: str) -> None:
        """Press a button on the newest message about a subject."""
        handle = self._button(person, subject, label).handle
        self._heard(person, None, await self.world.person(person).click(handle, label))

    async def fill(self, person: str, answers: dict[str, str]) -> None:
        """Answer a form page by page."""
        form = self._forms.pop(person, None)
        if form is None:
            raise LookupError(f"@{person} was shown no form")
        answer = form
        while answer.result.modal is not None:
            known = {**answer.filled, **{key: text for key, text in answers.items() if key in answer.form}}
            answer = await self.world.person(person).fill(answer, **{k: v for k, v in known.items() if v})
            labels = ("Continue", "Open the form", "Open the form again")
            more = next((label for label in labels if label in answer.buttons), None)
            if more is None:
                break
            opened = await self.world.person(person).click(answer, more)
            if opened.result.modal is None:
                answer = opened
                break
            if more == labels[-1] or not set(opened.form) & set(answers):
                self._forms[person] = opened
                self._client_says(person, "\n".join(opened.form.values()))
                break
            answer = opened
        self._heard(person, None, answer)

    def _heard(self, person: str, room: str | None, answer: Answer) -> None:
        if answer.result.modal is not None:
            self._forms[person] = answer
            self._client_says(person, answer.asked)
            return
        for each in answer.messages:
            where = f"@{person}" if each.private or room is None else f"#{room}"
            self._answers.append((f"answer/{len(self._answers)}", where, each))

    def _standing(self) -> Iterator[Standing]:
        for key, where, each in self._answers:
            yield Standing(key, where, each.text, tuple(each.buttons), each)
        for person in self.policy.people:
            for each in self.world.person(person).dms:
                yield self._stored(each, f"@{person}")
        for room in self.policy.rooms:
            channel = self.world.room(room)
            for place in (channel, *channel.threads):
                for each in seen_in(place):
                    yield self._stored(each, f"#{room}")

    def _stored(self, each: OnDiscord, where: str) -> Standing:
        key = f"{where}/{each.message.id}"

        def read() -> Standing:
            return Standing(key, where, each.text, tuple(each.buttons), each)

        return self._read(key, each.components, read)
