"""The app as Slack sets it up: a manifest derived from the table of commands.

Paste it at api.slack.com/apps ("From a manifest"). Whatever Slack would refuse is refused here, with the
reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bot.adapters.slack import limits
from bot.adapters.slack.inbound import HOME_LINE, PATH, shortcut_id
from handlers.declare import Commands, Declared
from handlers.errors import HouseFault

NAME = "Deskbell"
DESCRIPTION = "Ask for things, see who has them and by when, without leaving the conversation."
LONG_DESCRIPTION = """\
Deskbell is a service desk that lives in chat. Type a command, mention it in a thread, click a button or put \
an emoji on a message: the desk files the request, asks the right people to approve, tells you who has it \
and by when, keeps the clock of the service agreement, and writes down what happened as evidence.
Start with /desk help, or open the Home tab to see what is yours and what waits for you."""

SCOPES: Mapping[str, str] = {
    "commands": "slash commands and the shortcut on messages",
    "chat:write": "cards in the rooms, answers in threads, private messages",
    "im:write": "opening the private talk with a person the desk must tell something",
    "im:history": "hearing lines typed to the desk in private, and reading back whether a message arrived",
    "app_mentions:read": "hearing lines that begin with @Deskbell in channels and threads",
    "reactions:read": "the emoji that makes a message a request",
    "channels:history": "the text of that message in a channel, and reading back whether a card arrived",
    "groups:history": "the same in private channels the desk was invited to",
    "channels:manage": "opening a channel for an incident, where the policy wants one, and inviting people to it",
    "channels:read": "finding that channel again when nobody knows whether it was opened",
    "files:write": "handing over exports as files",
}
"""What the desk may do in a workspace, each with the feature that needs it."""

EVENTS: Mapping[str, str] = {
    "app_mention": "lines said to the desk in channels and threads",
    "message.im": "lines said to the desk in private",
    "reaction_added": "the emoji that makes a message a request",
    "app_home_opened": "the Home tab is drawn when someone looks",
}

_COMMAND = re.compile(r"[a-z0-9_-]+")


def manifest(commands: Commands, url: str, prefix: str = "", socket_mode: bool = False) -> dict[str, Any]:
    """The manifest. `url` is the desk's own address, `https://desk.example.org` (unused in Socket Mode).

    Raises HouseFault for a command that Slack would refuse.
    """
    called = url.rstrip("/") + PATH
    where = {} if socket_mode else {"request_url": called}
    options = {} if socket_mode else {"message_menu_options_url": called}
    address = {} if socket_mode else {"url": called}
    slashes = [{**_slash(noun, commands, prefix), **address} for noun in commands.nouns]
    if len(slashes) > limits.COMMANDS:
        raise HouseFault(f"Slack takes {limits.COMMANDS} slash commands, not {len(slashes)}")
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": NAME,
            "description": DESCRIPTION,
            "long_description": LONG_DESCRIPTION,
            "background_color": "#1f3a5f",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": HOME_LINE in commands.by_name,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": NAME, "always_online": True},
            "shortcuts": _shortcuts(commands),
            "slash_commands": slashes,
        },
        "oauth_config": {"scopes": {"bot": list(SCOPES)}},
        "settings": {
            "event_subscriptions": {**where, "bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True, **where, **options},
            "org_deploy_enabled": False,
            "socket_mode_enabled": socket_mode,
            "token_rotation_enabled": False,
        },
    }


def _slash(noun: str, commands: Commands, prefix: str) -> dict[str, Any]:
    name = f"{prefix}{noun}"
    if not _COMMAND.fullmatch(name) or len(name) > limits.COMMAND_NAME:
        raise HouseFault(
            f"“/{name}” cannot be a slash command: up to {limits.COMMAND_NAME} of a-z, 0-9, - and _"
        )
    if name in limits.RESERVED_COMMANDS:
        raise HouseFault(f"“/{name}” is Slack's own; put a prefix before the commands")
    verbs = [each for each in commands.spoken if each.noun == noun]
    return {
        "command": f"/{name}",
        "description": _fitting(
            f"{noun.capitalize()}: {', '.join(each.verb for each in verbs)}", limits.COMMAND_DESCRIPTION
        ),
        "usage_hint": _fitting(" | ".join(_usage(each) for each in verbs), limits.COMMAND_HINT),
        "should_escape": True,
    }


def _usage(declared: Declared) -> str:
    return declared.usage.removeprefix(declared.noun).strip()


def _fitting(text: str, at_most: int) -> str:
    """Slack shows a hint while one types; a long one ends with an ellipsis, and `help` has all verbs."""
    return text if len(text) <= at_most else f"{text[: at_most - 9]} … | help"


def _shortcuts(commands: Commands) -> list[dict[str, str]]:
    return [
        {
            "name": each.from_message.label,
            "type": "message",
            "callback_id": shortcut_id(each),
            "description": f"{each.name.capitalize()}, with the link to this message.",
        }
        for each in commands.of_messages
        if each.from_message
    ]
