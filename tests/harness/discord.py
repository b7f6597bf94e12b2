"""A Discord server with people and rooms, and a desk's real client on it: simcord stands in for the wire.

`async with open_desk(commands, database, policy) as desk` gives a running one: `desk.employ("staff")` is
somebody of the example organisation who says lines as slash commands, clicks buttons by their labels and
fills in forms by field; `desk.open_room("requests")` gives a room a channel, `desk.send()` sends what waits;
`desk.read`, `desk.thread` and a person's `dms` are what stands where. In the end every call is checked.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self

import discord
import simcord

from bot.adapters.discord.app import DiscordAdapter
from bot.adapters.discord.conversation import Shelf
from bot.adapters.port import Ear
from bot.clock import SystemClock, VirtualClock
from bot.courier import Courier
from config.policy import Account, Policy, Room
from handlers.declare import Commands, distribute
from handlers.dispatch import Dispatcher
from handlers.parsing import PersonKind, WholeNumber
from handlers.rules.ledger import Record
from storage.database import Database
from storage.unit_of_work import Records
from tests.harness.discord_wire import walk
from tests.harness.house import MONDAY

GUILD = 700_000_000_000_000_001


class Drawer:
    """What the adapter keeps in the store, kept in two dictionaries."""

    def __init__(self) -> None:
        self.digest: str | None = None
        self.forms: dict[str, str] = {}

    def remember(self, digest: str) -> None:
        """Keep the digest of the commands."""
        self.digest = digest

    def shelf(self) -> Shelf:
        """Where forms lie."""
        return Shelf(put=self.forms.__setitem__, get=self.forms.get)


def adapter_for(ear: Ear, drawer: Drawer, **more: Any) -> DiscordAdapter:
    """The adapter of a desk whose settings are kept in a drawer."""
    return DiscordAdapter(
        "no.real.token",
        [GUILD],
        ear,
        now=SystemClock().now,
        synced_hash=lambda: drawer.digest,
        remember_hash=drawer.remember,
        shelf=drawer.shelf(),
        **more,
    )


def plain(markdown: str) -> str:
    """Markdown as a reader sees it: without the backslashes and the desk's own bold and headings."""
    text = re.sub(r"(?m)^(?:#{1,3}|-#) ", "", markdown)
    text = re.sub(r"\*\*((?:\\.|[^*\\])+)\*\*", r"\1", text)
    return re.sub(r"\\([^0-9A-Za-z\s])", r"\1", text)


@dataclass(frozen=True)
class Seen:
    """One message as somebody sees it."""

    message: Any
    components: Sequence[Mapping[str, Any]]
    private: bool

    @property
    def markdown(self) -> str:
        """All its texts as they were sent."""
        return "\n".join(each["content"] for each in walk(self.components) if each["type"] == 10)

    @property
    def text(self) -> str:
        """All its texts as they are read."""
        return plain(self.markdown)

    @property
    def buttons(self) -> list[str]:
        """The labels of its buttons."""
        return [each["label"] for each in walk(self.components) if each["type"] == 2]


@dataclass(frozen=True)
class Answer:
    """What came of something that somebody did."""

    result: Any

    @property
    def messages(self) -> list[Seen]:
        """The messages of the answer, the first one first."""
        shown = [self.result.response, *self.result.followups]
        return [Seen(each, each.components, each.ephemeral) for each in shown if each is not None]

    @property
    def text(self) -> str:
        """All that was answered, as it is read."""
        return "\n".join(each.text for each in self.messages)

    @property
    def buttons(self) -> list[str]:
        """The labels of all buttons of the answer."""
        return [label for each in self.messages for label in each.buttons]

    @property
    def private(self) -> bool:
        """Whether only the asker sees it."""
        return all(each.private for each in self.messages)

    @property
    def form(self) -> dict[str, str]:
        """The form that opened: labels by field, in order. Fails when none did."""
        assert self.result.modal is not None, f"no form, but: {self.text}"
        return {
            each["component"]["custom_id"]: each["label"]
            for each in walk(self.result.modal["components"])
            if each["type"] == 18
        }

    @property
    def asked(self) -> str:
        """What the form that opened says: its title, and each label with what stands below it."""
        assert self.result.modal is not None, f"no form, but: {self.text}"
        labels = [each for each in walk(self.result.modal["components"]) if each["type"] == 18]
        lines = [f"{each['label']}: {each.get('description') or ''}" for each in labels]
        return "\n".join([self.result.modal["title"], *lines])

    @property
    def filled(self) -> dict[str, str]:
        """What the form is filled in with, by field."""
        found: dict[str, str] = {}
        for each in walk(self.result.modal["components"]):
            if each["type"] == 4:
                found[each["custom_id"]] = each.get("value") or ""
            elif each["type"] == 3:
                found[each["custom_id"]] = ",".join(o["value"] for o in each["options"] if o.get("default"))
        return found


class Person:
    """A member of the server."""

    def __init__(self, world: DiscordWorld, member: Any) -> None:
        self._world = world
        self.member = member

    @property
    def id(self) -> str:
        """The user's id."""
        return str(self.member.id)

    async def say(self, line: str, room: Any = None, **answers: Any) -> Answer:
        """Give a command as a slash command: what the line holds becomes its options."""
        declared, rest = self._world.ear.commands.find(line)
        given = distribute(declared, rest, {}, None)
        options: dict[str, Any] = {**given.values, **answers}
        details = " ".join(f'{key}:"{value}"' for key, value in given.extra.items())
        if details:
            options["details"] = details
        for parameter in declared.parameters:
            value = options.get(parameter.key)
            if isinstance(value, str) and isinstance(parameter.kind, WholeNumber):
                options[parameter.key] = int(value)
            if isinstance(value, str) and isinstance(parameter.kind, PersonKind):
                options[parameter.key] = self._world.people[value.removeprefix("@")].member
        where = room or self._world.rooms["help"]
        return Answer(await self.member.slash(where, declared.name, **options))

    async def complete(self, name: str, option: str, typed: str, room: Any = None) -> list[str]:
        """What is offered while an option is typed."""
        found = await self.member.autocomplete(room or self._world.rooms["help"], name, option, typed)
        return [each["value"] for each in found]

    async def click(self, seen: Seen | Answer, label: str) -> Answer:
        """Click the button with this label, on the message of an answer that has it."""
        messages = seen.messages if isinstance(seen, Answer) else [seen]
        found = next((each for each in messages if label in each.buttons), None)
        assert found is not None, f"no button “{label}”, but {[each.buttons for each in messages]}"
        actor = self.member.user if found.message.channel_id == self._direct_id() else self.member
        return Answer(await actor.click(found.message, label=label))

    async def fill(self, opened: Answer, **answers: Any) -> Answer:
        """Send the form that opened: people by name, choices by value; what is not given stays."""
        parts = walk(opened.result.modal["components"])
        controls = {each["custom_id"]: each for each in parts if "custom_id" in each}
        values: dict[str, Any] = {key: text for key, text in opened.filled.items() if text}
        values |= answers
        for key, control in controls.items():
            if key in values and control["type"] == 5:
                values[key] = [self._world.people[values[key]].member]
            elif key in values and control["type"] == 3:
                values[key] = [values[key]]
        direct = opened.result._interaction.guild_id is None
        actor = self.member.user if direct else self.member
        return Answer(await actor.submit_modal(opened.result, values))

    async def menu(self, name: str, target: Any, room: Any = None) -> Answer:
        """Choose from the menu of a message or a person."""
        chosen = target.member if isinstance(target, Person) else target
        member, where = self.member, room or self._world.rooms["help"]
        dispatch = member._dispatch_interaction

        async def from_guild(kind: Any, channel: Any, data: dict[str, Any], **more: Any) -> Any:
            return await dispatch(kind, channel, {**data, "guild_id": str(GUILD)}, **more)

        member._dispatch_interaction = from_guild  # Discord names the command's server, simcord forgets to
        try:
            return Answer(await member.context_menu(where, name, chosen))
        finally:
            del member._dispatch_interaction

    async def write(self, text: str, room: Any = None) -> discord.Message:
        """Write an ordinary message."""
        written: discord.Message = await self.member.send(room or self._world.rooms["help"], text)
        return written

    async def react(self, message: Any, emoji: str) -> None:
        """Put an emoji on a message."""
        await self.member.react(message, emoji)

    @property
    def dms(self) -> list[Seen]:
        """The desk's private messages, oldest first."""
        return seen_in(self.member.user.dm_channel) if self._direct_id() else []

    def _direct_id(self) -> int | None:
        found = self._world.env.backend.dm_channels.get(self.member.id)
        return None if found is None else int(found)


def seen_in(channel: Any) -> list[Seen]:
    """What stands in a channel or thread, oldest first: the desk's messages and people's."""
    env = channel._env
    stored = env.backend.messages.get(channel.id, {})
    return [
        Seen(simcord.results.ResponseMessage(env, each), each.components, False)
        for _, each in sorted(stored.items())
        if each.visible_to(None)
    ]


class DiscordWorld:
    """A server, the desk on it, and those who talk to it."""

    def __init__(self, env: simcord.Env, adapter: DiscordAdapter, ear: Ear, drawer: Drawer) -> None:
        self.env = env
        self.adapter = adapter
        self.ear = ear
        self.drawer = drawer
        self.guild = env.create_guild(id=GUILD)
        self.rooms = {"help": self.guild.create_text_channel("help")}
        self.people: dict[str, Person] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, ear: Ear, drawer: Drawer | None = None, **more: Any) -> AsyncIterator[Self]:
        """A running world; `more` are further settings of the adapter."""
        drawer = drawer or Drawer()
        adapter = adapter_for(ear, drawer, **more)
        env = simcord.Env(adapter.client)
        await env.start()
        try:
            yield cls(env, adapter, ear, drawer)
        finally:
            await env.shutdown()
        env._raise_errors_since(env._errors_acknowledged)

    async def restart(self) -> None:
        """The process ends and another one starts; nothing in memory lives on."""
        await self.env.restart_bot(self.adapter.create_client())

    def room(self, name: str) -> Any:
        """A room, made when it is first named."""
        if name not in self.rooms:
            self.rooms[name] = self.guild.create_text_channel(name)
        return self.rooms[name]

    def person(self, name: str, *roles: str) -> Person:
        """A member with server roles of these names, made when first named."""
        if name not in self.people:
            given = [self.guild.roles.get(role) or self.guild.create_role(role) for role in roles]
            member = self.guild.add_member(self.env.create_user(name), roles=given)
            self.people[name] = Person(self, member)
        return self.people[name]

    def thread(self, room: str, begins: str) -> Any:
        """The thread in a room whose name begins so. Fails when there is none."""
        found = [each for each in self.rooms[room].threads if (each.name or "").startswith(begins)]
        assert found, f"no thread “{begins}…”, but {[each.name for each in self.rooms[room].threads]}"
        return found[0]

    def read(self, channel: Any) -> list[str]:
        """What stands in a channel, as it is read."""
        return [each.text for each in seen_in(channel)]

    def calls(self, method: str, path: str) -> list[Any]:
        """The calls made to a path, given as a regular expression."""
        made = self.env.http_requests
        return [each for each in made if each.method == method and re.fullmatch(path, each.path)]

    def check_calls(self) -> None:
        """Nobody can be notified by any message, and every message is sent once only."""
        sent = self.calls("POST", r"/channels/\d+/messages")
        for each in sent:
            assert each.json["enforce_nonce"] is True
            assert 0 < len(each.json["nonce"]) <= 25
        edited = self.calls("PATCH", r"/channels/\d+/messages/\d+")
        hooked = [each for method in ("POST", "PATCH") for each in self.calls(method, r"/webhooks/.+")]
        answered = [
            each.json["data"]
            for each in self.calls("POST", r"/interactions/\d+/.+/callback")
            if each.json["type"] in (4, 7)  # a message, or an edit of one
        ]
        for body in (*(each.json for each in (*sent, *edited, *hooked)), *answered):
            allowed = dict(body["allowed_mentions"])
            allowed.pop("replied_user", None)
            assert allowed == {"parse": []}


class DiscordDesk(DiscordWorld):
    """A world whose desk is here too: its policy knows the people, its courier sends when told to."""

    policy: Policy
    dispatcher: Dispatcher
    clock: VirtualClock

    def employ(self, key: str, *roles: str) -> Person:
        """Somebody of the example organisation, with an account on the server."""
        person = self.person(key, *roles)
        account = Account(platform="discord", workspace=str(GUILD), user=person.id)
        known = replace(self.policy.people[key], accounts=(account,))
        self.policy = replace(self.policy, people={**self.policy.people, key: known}, version=f"with {key}")
        return person

    def open_room(self, name: str) -> None:
        """Give one of the policy's rooms a channel on the server."""
        place = {"discord": str(self.room(name).id)}
        rooms = {**self.policy.rooms, name: Room(key=name, name=name, places=place)}
        self.policy = replace(self.policy, rooms=rooms, version=f"{self.policy.version}, {name}")

    async def send(self) -> int:
        """Let the courier take out all that waits; messages to one place keep their distance."""
        courier = Courier(self.dispatcher, {"discord": self.adapter}, self.clock, "courier")
        sent = 0
        self.clock.move(timedelta(seconds=1))
        while (next_at := await courier.next_at()) is not None:
            self.clock.set(max(next_at, self.clock.now()))
            done = await courier.drain()
            if not done:
                break
            sent += done
        return sent

    def evidence(self, ref: str) -> list[Record]:
        """What the ledger holds."""
        with self.dispatcher.database.reading() as session:
            return Records(session).ledger.trail(ref)


@asynccontextmanager
async def open_desk(commands: Commands, database: Database, policy: Policy) -> AsyncIterator[DiscordDesk]:
    """A desk with these commands, whose every call is checked at the end."""
    worlds: list[DiscordDesk] = []
    clock = VirtualClock(MONDAY)
    dispatcher = Dispatcher(
        commands, lambda: worlds[0].policy if worlds else policy, database, clock.now, ["discord"]
    )
    async with DiscordDesk.open(Ear(dispatcher)) as world:
        world.policy, world.dispatcher, world.clock = policy, dispatcher, clock
        worlds.append(world)
        yield world
        world.check_calls()
