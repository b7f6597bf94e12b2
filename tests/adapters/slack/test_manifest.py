"""The manifest: derived from the commands, within Slack's limits, asking for nothing that nobody needs."""

import ast
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

import bot.adapters.slack
from bot.adapters.slack import limits
from bot.adapters.slack.manifest import EVENTS, SCOPES, manifest
from handlers import registry
from handlers.declare import Commands, command
from handlers.errors import HouseFault
from handlers.messages import Reply
from tests.harness.slack_rules import complaints_about_manifest

URL = "https://desk.example.org"
NEEDS = {
    "chat_postMessage": {"chat:write"},
    "chat_postEphemeral": {"chat:write"},
    "chat_update": {"chat:write"},
    "conversations_open": {"im:write"},
    "conversations_create": {"channels:manage"},
    "conversations_invite": {"channels:manage"},
    "conversations_setTopic": {"channels:manage"},
    "conversations_list": {"channels:read"},
    "conversations_history": {"channels:history", "groups:history", "im:history"},
    "conversations_replies": {"channels:history", "groups:history", "im:history"},
    "files_upload_v2": {"files:write"},
    "views_open": set(),
    "views_update": set(),
    "views_publish": set(),
    "auth_test": set(),
}
EVENT_NEEDS = {
    "app_mention": {"app_mentions:read"},
    "message.im": {"im:history"},
    "reaction_added": {"reactions:read"},
    "app_home_opened": set(),
}


@pytest.fixture(scope="module")
def commands() -> Commands:
    return registry.load()


@pytest.mark.parametrize("socket_mode", [True, False])
def test_slack_takes_the_manifest(commands: Commands, socket_mode: bool):
    made = manifest(commands, URL, "acme-", socket_mode)
    assert list(complaints_about_manifest(made)) == []
    assert made["settings"]["socket_mode_enabled"] is socket_mode
    assert (f"{URL}/slack/events" in str(made)) is not socket_mode


def test_every_noun_is_a_slash_command_with_its_verbs(commands: Commands):
    made = {each["command"]: each for each in manifest(commands, URL)["features"]["slash_commands"]}
    assert set(made) == {f"/{noun}" for noun in commands.nouns}
    for declared in commands.spoken:
        assert declared.verb in made[f"/{declared.noun}"]["description"]
    assert all(each["should_escape"] for each in made.values())


def test_every_scope_is_needed_and_none_is_missing():
    """By the calls in the code and the events heard."""
    folder = Path(str(bot.adapters.slack.__file__)).parent
    called = {
        node.attr
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "_client"
    }
    methods = {name for name in called if "_" in name and name != "session"}
    assert methods == set(NEEDS)
    needed = {"commands"}.union(*NEEDS.values(), *(EVENT_NEEDS[event] for event in EVENTS))
    assert needed == set(SCOPES)


def declared(name: str) -> Commands:
    """A table with one command of this name."""

    @dataclass(frozen=True)
    class Nothing:
        """For example: nothing"""

    @command(name, params=Nothing)
    def run(asked: Nothing, desk: object) -> Reply:
        return Reply(title="")

    module = ModuleType("made")
    run.__module__ = "made"
    module.run = run  # type: ignore[attr-defined]
    return Commands([module])


@pytest.mark.parametrize(
    ("noun", "prefix", "fits"),
    [
        ("x" * limits.COMMAND_NAME, "", True),
        ("x" * (limits.COMMAND_NAME + 1), "", False),
        ("x" * limits.COMMAND_NAME, "a", False),
        ("Request", "", False),
        ("re:quest", "", False),
        *((name, "", False) for name in sorted(limits.RESERVED_COMMANDS)),
        ("status", "acme-", True),
    ],
)
def test_a_name_that_slack_would_refuse_is_refused_here(noun: str, prefix: str, fits: bool):
    table = declared(f"{noun} show")
    if fits:
        assert list(complaints_about_manifest(manifest(table, URL, prefix))) == []
    else:
        with pytest.raises(HouseFault):
            manifest(table, URL, prefix)


def test_what_can_be_made_of_a_message_is_a_shortcut(commands: Commands):
    assert manifest(declared("say back"), URL)["features"]["shortcuts"] == []
    shortcuts = manifest(commands, URL)["features"]["shortcuts"]
    assert [each["callback_id"] for each in shortcuts] == ["make-incident", "make-request"]
