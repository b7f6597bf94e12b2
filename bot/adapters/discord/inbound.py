"""From what Discord sends to the desk's own words: who, where, and what was filled in. Pure.

Identity is (discord, server, user id). A person in a direct talk is the member they are in the connected
server. Roles travel as `discord:ROLE-ID`, as the access policy writes them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import discord

from handlers.declare import Declared
from handlers.messages import Place, Sender

PLATFORM = "discord"
DETAILS = "details"
"""The option that takes a command's open answers as `key:value` words."""


def sender(member: discord.Member) -> Sender:
    """The account behind a member of a server."""
    everyone = member.guild.id  # the role that all have carries the server's own id and tells nothing
    return Sender(
        platform=PLATFORM,
        workspace=str(member.guild.id),
        user=str(member.id),
        name=member.display_name,
        groups=tuple(f"{PLATFORM}:{role.id}" for role in member.roles if role.id != everyone),
        guest=member.flags.guest,
    )


def place(channel: object) -> Place:
    """Where something was said: a room, a thread in it, or a direct talk."""
    channel_id = str(getattr(channel, "id", ""))
    if isinstance(channel, discord.Thread):
        return Place(platform=PLATFORM, channel=str(channel.parent_id), thread=channel_id)
    direct = getattr(channel, "type", None) is discord.ChannelType.private
    return Place(platform=PLATFORM, channel=channel_id, direct=direct)


def mention(guild: int | str, user: int | str) -> str:
    """A person as a value in a line; the directory finds who it is."""
    return f"@{PLATFORM}:{guild}:{user}"


def said(declared: Declared, options: Mapping[str, Any], guild: int) -> tuple[str, dict[str, str]]:
    """A slash command's options as a line and answers; options that were left out are left out here too."""
    given = {key: _text(value, guild) for key, value in options.items() if value is not None}
    details = given.pop(DETAILS, "") if declared.open_answers else ""
    return f"{declared.name} {details}".strip(), given


def _text(value: object, guild: int) -> str:
    return mention(guild, value.id) if isinstance(value, discord.Member | discord.User) else str(value)


def filled_in(parts: Iterable[Mapping[str, Any]], guild: int) -> dict[str, str]:
    """What a submitted form holds, by field; several choices are joined by commas, a person is a mention."""
    answers: dict[str, str] = {}
    for part in parts:
        entry = part.get("component", part)
        if "custom_id" not in entry:
            continue
        chosen = entry.get("values")
        if chosen is None:
            answers[entry["custom_id"]] = str(entry.get("value") or "")
        elif entry["type"] == discord.ComponentType.user_select.value:
            answers[entry["custom_id"]] = ", ".join(mention(guild, each) for each in chosen)
        else:
            answers[entry["custom_id"]] = ", ".join(chosen)
    return answers


def is_emoji(shown: str, wanted: str) -> bool:
    """Whether a reaction is the emoji of this name: a server's own by its name, others by Unicode's name."""
    if shown == wanted:
        return True
    signs = [sign for sign in shown if unicodedata.category(sign) != "Mn"]  # without variation selectors
    names = "_".join(unicodedata.name(sign, "") for sign in signs).lower()
    return names.replace(" ", "_").replace("-", "_") == wanted.replace("-", "_")
