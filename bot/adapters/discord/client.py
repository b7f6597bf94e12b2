"""What the desk hears on Discord: commands, buttons, forms, menus and reactions.

No privileged intent is asked for: commands, buttons, forms and menus bring what the desk needs, and a
reaction brings its emoji. Nothing is cached but servers, channels and roles.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Self

import aiohttp
import discord
import structlog
from discord import app_commands, ui

from bot import clock
from bot.adapters.discord import commands, deliver, inbound, limits
from bot.adapters.discord.conversation import NOBODY, Conversation, Shelf
from bot.adapters.discord.forms import Draft
from bot.adapters.discord.render import QUESTION_MARK
from bot.adapters.port import Ear
from handlers.declare import Commands, Declared
from handlers.messages import Command, FieldInput

_log = structlog.get_logger()

# A service desk has no voice, and nobody need be told so at each start.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False

THEIR_REQUESTS = "Their requests"
_MEMBERS_FOR = 60.0  # seconds for which a member's roles are believed in a direct talk
Interaction = discord.Interaction[Any]


class DeskClient(discord.Client):
    """discord.py's client with what the desk adds.

    `signs_in` is called before it signs in at the gateway, `began` when a session begins, `lost` when the gateway is
    gone, and `resumed` when the session goes on and what was missed was said.
    """

    def __init__(
        self,
        guilds: Collection[int],
        ear: Ear,
        synced_hash: Callable[[], str | None],
        remember_hash: Callable[[str], None],
        shelf: Shelf,
        answer_within: float,
        signs_in: Callable[[], None],
        began: Callable[[], None],
        lost: Callable[[], None],
        resumed: Callable[[], None],
    ) -> None:
        super().__init__(
            intents=discord.Intents(guilds=True, guild_reactions=True),
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            allowed_mentions=NOBODY,
            max_ratelimit_timeout=limits.RATE_LIMIT_PATIENCE,
        )
        self.connected = {each: discord.Object(each, type=discord.Guild) for each in sorted(guilds)}
        self.talk = Conversation(ear, shelf, self.member_of, answer_within)
        self.tree = _Tree(self)
        self._synced_hash = synced_hash
        self._remember_hash = remember_hash
        self._ear = ear
        self._signs_in = signs_in
        self._began = began
        self._lost = lost
        self._resumed = resumed
        self._members: dict[int, tuple[float, discord.Member | None]] = {}
        built = commands.build(self.tree, ear.commands.spoken, self.talk.slash, self.talk.complete)
        for each in (*built, *self._menus(ear.commands)):
            self.tree.add_command(each, guilds=list(self.connected.values()))

    def _menus(self, known: Commands) -> list[app_commands.ContextMenu]:
        """What a click on a message or a person offers, where there are commands for it."""

        def maker(line: str) -> Callable[[Interaction, discord.Message], Coroutine[Any, Any, None]]:
            async def make(interaction: Interaction, message: discord.Message) -> None:
                draft = Draft(line, source=message.jump_url, message=message.content or None)
                await self.talk.say(interaction, draft)

            return make

        async def their_requests(interaction: Interaction, user: discord.User) -> None:
            person = inbound.mention(interaction.guild_id or 0, user.id)
            await self.talk.say(interaction, Draft("request list", {str(whose): person}))

        menus = [
            app_commands.ContextMenu(name=each.from_message.label, callback=maker(each.name))
            for each in known.of_messages
            if each.from_message
        ]
        if whose := _whose(known.by_name.get("request list")):
            menus.append(app_commands.ContextMenu(name=THEIR_REQUESTS, callback=their_requests))
        return menus

    async def setup_hook(self) -> None:
        """Before the gateway: know the buttons, and tell Discord of the commands if they changed."""
        self.add_dynamic_items(DeskButton)
        digest = commands.fingerprint(self.tree, list(self.connected.values()))
        if await asyncio.to_thread(self._synced_hash) == digest:
            return
        if all([await self._sync_to(each) for each in self.connected]):
            await asyncio.to_thread(self._remember_hash, digest)

    async def _sync_to(self, guild: int) -> bool:
        try:
            await self.tree.sync(guild=self.connected[guild])
        except discord.Forbidden:
            _log.warning("the desk is not on this Discord server, or may not add commands", guild=guild)
            return False
        return True

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Count the sign-ins, of which Discord allows so many."""
        self._signs_in()
        await super().before_identify_hook(shard_id, initial=initial)

    async def on_connect(self) -> None:
        """A session has begun; discord.py calls itself ready only two seconds after the last server's news."""
        self._began()

    async def on_disconnect(self) -> None:
        """The gateway is gone for now."""
        self._lost()

    async def on_resumed(self) -> None:
        """The same session goes on."""
        self._resumed()

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """A server that is named in the settings has let the desk in."""
        if guild.id in self.connected:
            await self._sync_to(guild.id)

    async def on_interaction(self, interaction: Interaction) -> None:
        """A submitted form; discord.py dispatches all else, but would know a form only until a restart."""
        if interaction.type is discord.InteractionType.modal_submit:
            data: Any = interaction.data
            verb, _, state = data["custom_id"].partition(":")
            if verb == "form":
                await self.talk.submitted(interaction, state, data["components"])

    async def on_raw_reaction_add(self, event: discord.RawReactionActionEvent) -> None:
        """An emoji makes something of a message for whoever put it there; they are told privately."""
        member = event.member
        if member is None or member.bot or member.guild.id not in self.connected:
            return
        wanted = self._ear.emojis().items()
        line = next((line for emoji, line in wanted if inbound.is_emoji(event.emoji.name, emoji)), None)
        if line is None:
            return
        try:
            await self._make_of(event, member, line)
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            _log.warning("a reaction could not be answered", error=str(error), message=event.message_id)

    async def _make_of(
        self, event: discord.RawReactionActionEvent, member: discord.Member, line: str
    ) -> None:
        channel: Any = self.get_channel(event.channel_id) or await self.fetch_channel(event.channel_id)
        message = await channel.fetch_message(event.message_id)
        if self.user is not None and message.author.id == self.user.id:
            return
        command = Command(
            line=line,
            sender=inbound.sender(member),
            place=inbound.place(channel),
            key=f"{inbound.PLATFORM}:{event.message_id}:{member.id}:{line}",
            source=message.jump_url,
            message=message.content or None,
        )
        pages = await self.talk.privately(command, member.id)
        await deliver.send(await self.create_dm(member), pages, command.key)

    async def member_of(
        self, user: discord.User | discord.Member, guild: int | None
    ) -> discord.Member | None:
        """The member behind whoever acts: on a server themselves, in a direct talk as fetched lately."""
        if guild is not None:
            return user if guild in self.connected and isinstance(user, discord.Member) else None
        now = clock.monotonic()
        self._members = {
            each: known for each, known in self._members.items() if now - known[0] < _MEMBERS_FOR
        }
        if user.id not in self._members:
            self._members[user.id] = (now, await self._fetched(user.id))
        return self._members[user.id][1]

    async def _fetched(self, user: int) -> discord.Member | None:
        for each in self.connected:
            guild = self.get_guild(each)
            try:
                if guild is not None:
                    return await guild.fetch_member(user)
            except discord.NotFound:
                continue
        return None


class _Tree(app_commands.CommandTree[DeskClient]):
    """The commands; one that Discord still shows but the desk does not have any more gets an answer too."""

    async def on_error(self, interaction: Interaction, error: app_commands.AppCommandError, /) -> None:
        _log.error("a command failed on Discord", exc_info=error)
        stale = isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch)
        if stale and interaction.type is discord.InteractionType.application_command:
            await interaction.client.talk.unknown(interaction)


class DeskButton(
    ui.DynamicItem[ui.Button[Any]],
    template=re.compile(r"(?P<verb>say|ask|no|form|send)\d*:(?P<rest>.*)", re.DOTALL),
):
    """A button whose id says what it does, so that it works after a restart."""

    def __init__(self, item: ui.Button[Any], verb: str, rest: str) -> None:
        super().__init__(item)
        self.verb = verb
        self.rest = rest

    @classmethod
    async def from_custom_id(
        cls,
        interaction: Interaction,  # noqa: ARG003  # the signature is the library's
        item: ui.Item[Any],
        match: re.Match[str],
        /,
    ) -> Self:
        assert isinstance(item, ui.Button)
        return cls(item, match["verb"], match["rest"])

    async def callback(self, interaction: Interaction) -> None:
        talk: Conversation = interaction.client.talk
        if self.verb == "say":
            await talk.say(interaction, Draft(self.rest))
        elif self.verb == "ask":
            line, _, question = self.rest.partition(QUESTION_MARK)
            await talk.ask_first(interaction, line, question or f"{self.item.label}: are you sure?")
        elif self.verb == "form":
            await talk.go_on(interaction, self.rest)
        elif self.verb == "send":
            await talk.send_kept(interaction, self.rest)
        else:
            await talk.let_be(interaction)


def _whose(declared: Declared | None) -> str | None:
    """The parameter of `request list` that says whose, if it has one."""
    parameters = declared.parameters if declared else ()
    return next((each.key for each in parameters if each.kind.input is FieldInput.PERSON), None)
