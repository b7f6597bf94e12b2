"""Do the desk's commands become ones that Discord takes, and are they sent only when they change?"""

from __future__ import annotations

from dataclasses import make_dataclass
from types import ModuleType
from typing import Annotated, Any

import discord
import pytest
import simcord

from bot.adapters.discord import commands, limits
from bot.adapters.port import Ear
from bot.clock import SystemClock
from config.policy import Policy
from handlers import registry
from handlers.declare import Commands, Declared, command
from handlers.dispatch import Dispatcher
from handlers.errors import HouseFault
from handlers.messages import Reply
from handlers.parsing import Choice, Line
from storage.database import Database
from tests.adapters.discord import capability
from tests.adapters.discord.conftest import COMMANDS
from tests.harness.discord import GUILD, Drawer, adapter_for
from tests.harness.discord import DiscordDesk as Desk


async def _nothing(*_: Any) -> Any:
    return ()


def tree() -> discord.app_commands.CommandTree[Any]:
    return discord.app_commands.CommandTree(discord.Client(intents=discord.Intents(guilds=True)))


def declared(name: str, help_text: str = "Help.", **parameters: Any) -> Declared:
    """A command with these parameters."""
    params = make_dataclass("Params", [(key, kind, None) for key, kind in parameters.items()], frozen=True)
    module = ModuleType("made")

    def run(asked: Any, desk: Any) -> Reply:
        return Reply(title="done")

    run.__doc__, run.__module__ = help_text, "made"
    module.__dict__["run"] = command(name, params=params)(run)
    return Commands([module]).by_name[name]


def built(*made: Declared) -> list[Any]:
    return [each.to_dict(tree()) for each in commands.build(tree(), made, _nothing, _nothing)]


def test_a_noun_is_a_group_and_a_verb_its_subcommand_with_options_that_may_be_left_out():
    [bug] = built(*(each for each in COMMANDS.spoken if each.noun == "bug"))
    assert bug["name"] == "bug"
    assert [each["name"] for each in bug["options"]] == ["drop", "note", "report", "show"]
    what, how_bad = bug["options"][2]["options"]
    assert (what["name"], what["type"], what["required"], what["max_length"]) == ("what", 3, False, 200)
    assert [each["value"] for each in how_bad["choices"]] == ["low", "high"]
    assert bug["options"][3]["options"][0]["autocomplete"] is True


def test_persons_are_users_and_whole_numbers_are_numbers():
    [person] = built(COMMANDS.by_name["person meet"])
    who, times, colour, service = person["options"][0]["options"]
    assert who["type"] == discord.AppCommandOptionType.user.value
    assert (times["type"], times["min_value"], times["max_value"]) == (4, 1, 9)
    assert colour["autocomplete"]
    assert "choices" not in colour or not colour["choices"]
    assert service["autocomplete"]


def test_every_command_of_the_desk_fits():
    real = built(*registry.load().spoken)
    assert {each["name"] for each in real} >= {"desk", "request", "sla"}


def fits(make: Any, at_most: int) -> None:
    """Something at its limit is taken, and one more is refused."""
    built(*make(at_most))
    with pytest.raises(HouseFault, match=f"(?s)Discord cannot take.*{at_most + 1}|not a name of 1"):
        built(*make(at_most + 1))


def named(length: int) -> str:
    return "n" * length


@pytest.mark.parametrize(
    ("make", "at_most"),
    [
        (lambda n: [declared(f"a {named(n)}")], limits.COMMAND_NAME),
        (lambda n: [declared("a b", "h" * n)], limits.COMMAND_DESCRIPTION),
        (
            lambda n: [declared("a b", "Help.", **{named(n): Annotated[str, Choice(("x",))]})],
            limits.COMMAND_NAME,
        ),
        (lambda n: [declared("a b", "Help.", **{f"p{i}": Line for i in range(n)})], limits.COMMAND_OPTIONS),
        (
            lambda n: [declared("a b", one=Annotated[str, Choice(("x",)), "h" * n])],
            limits.COMMAND_DESCRIPTION,
        ),
        (lambda n: [declared("a b", one=Annotated[str, Choice(("c" * n,))])], limits.CHOICE_VALUE),
        (lambda n: [declared(f"a v{i}") for i in range(n)], limits.GROUP_COMMANDS),
        (lambda n: [declared(f"n{i} v") for i in range(n)], limits.GUILD_COMMANDS),
    ],
)
def test_a_command_at_a_limit_is_taken_and_one_over_it_is_refused_at_start(make: Any, at_most: int):
    fits(make, at_most)


def test_more_choices_than_discord_lists_are_completed_instead():
    for count, listed in ((limits.COMMAND_CHOICES, True), (limits.COMMAND_CHOICES + 1, False)):
        kind = Annotated[str, Choice(tuple(f"c{i}" for i in range(count)))]
        [made] = built(declared("a b", one=kind))
        assert bool(made["options"][0]["options"][0].get("choices")) is listed


def test_a_command_is_counted_with_all_its_verbs():
    long = Annotated[Line, "h" * 98]

    def verbs(characters: int) -> list[Declared]:
        texts = [declared(f"a v{i:02}", "h" * 97, **{f"p{j}": long for j in range(3)}) for i in range(19)]
        return [*texts, declared("a last", "h" * characters, q=long, r=long)]

    def size(part: dict[str, Any]) -> int:
        own = len(part["name"]) + len(part["description"])
        return own + sum(size(each) for each in part.get("options") or ())

    [made] = built(*verbs(1))
    to_spare = limits.COMMAND_TEXT - size(made) + 1
    assert 1 < to_spare < limits.COMMAND_DESCRIPTION
    built(*verbs(to_spare))
    with pytest.raises(HouseFault, match="8001 characters over all"):
        built(*verbs(to_spare + 1))


def test_a_name_that_discord_cannot_have_is_refused_with_all_others():
    with pytest.raises(HouseFault, match=r"(?s)“Big”.*its help begins with 0"):
        built(declared("Big one"), declared("a b", ""))
    with pytest.raises(HouseFault, match="a command of its own and has verbs too"):
        built(declared("a"), declared("a b"))


def test_a_command_of_one_word_is_a_command():
    [made] = built(declared("help"))
    assert (made["name"], made.get("options")) == ("help", [])


async def test_commands_are_sent_only_when_they_changed(sqlite: Database, policy: Policy):
    drawer = Drawer()

    async def sent_with(*modules: Any) -> int:
        ear = Ear(Dispatcher(Commands(modules), lambda: policy, sqlite, SystemClock().now, ["discord"]))
        env = simcord.Env(adapter_for(ear, drawer).client)
        await env.start()
        sent = [each for each in env.http_requests if each.method == "PUT"]
        assert all(each.path.endswith(f"/guilds/{GUILD}/commands") for each in sent)
        await env.shutdown()
        return len(sent)

    from handlers import guide

    assert await sent_with(capability) == 1
    assert await sent_with(capability) == 0
    assert await sent_with(capability, guide) == 1
    assert await sent_with(capability, guide) == 0


async def test_a_server_that_refuses_the_commands_is_asked_again_at_the_next_start(desk: Desk):
    desk.drawer.digest = None
    desk.env.inject_error("PUT", "/applications/*", status=403, code=50001)
    await desk.restart()
    assert desk.drawer.digest is None
    await desk.restart()
    assert desk.drawer.digest is not None


def test_a_desk_without_a_server_is_refused(sqlite: Database, policy: Policy):
    from bot.adapters.discord.app import DiscordAdapter

    ear = Ear(Dispatcher(COMMANDS, lambda: policy, sqlite, SystemClock().now, ["discord"]))
    with pytest.raises(HouseFault, match="without a server"):
        DiscordAdapter("token", [], ear, SystemClock().now, lambda: None, print, Drawer().shelf())
