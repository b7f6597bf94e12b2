"""Slash commands from the table of commands: a noun is a group, a verb its subcommand, a parameter an option.

Nothing here is written by hand a second time. Every option may be left out, because the form asks for what
is missing. A tree that breaks one of Discord's limits is refused at start, with everything that is wrong.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import discord
from discord import app_commands

from bot.adapters.discord import limits
from bot.adapters.discord.inbound import DETAILS
from handlers.declare import Declared, Parameter
from handlers.errors import HouseFault
from handlers.messages import FieldInput, Option
from handlers.parsing import Choice, Named, PersonKind, Reference, WholeNumber

Interaction = discord.Interaction[Any]
Tree = app_commands.CommandTree[Any]
Say = Callable[[Interaction, Declared, Mapping[str, Any]], Awaitable[None]]
"""Carries out a slash command: the interaction, the command, the options that were given."""
Complete = Callable[[Interaction, Declared, str, str], Awaitable[Sequence[Option]]]
"""What may complete a parameter: the interaction, the command, the parameter's key, what was typed."""

_NAME = re.compile(r"[-_\w]{1,32}")
_Built = app_commands.Group | app_commands.Command[Any, ..., Any]


def build(tree: Tree, commands: Iterable[Declared], say: Say, complete: Complete) -> list[_Built]:
    """The slash commands for a tree. Raises HouseFault, naming every limit that is broken."""
    by_noun: dict[str, list[Declared]] = {}
    for declared in commands:
        by_noun.setdefault(declared.noun, []).append(declared)
    if problems := list(_problems(by_noun)):
        raise HouseFault("Discord cannot take these commands:\n" + "\n".join(problems))
    built: list[_Built] = []
    for noun, verbs in by_noun.items():
        if [each.verb for each in verbs] == [""]:
            built.append(_command(verbs[0], say, complete))
            continue
        group = app_commands.Group(name=noun, description=_about(noun, verbs), guild_only=True)
        for declared in verbs:
            group.add_command(_command(declared, say, complete))
        built.append(group)
    if problems := [each for command in built if (each := _too_much(command, tree))]:
        raise HouseFault("Discord cannot take these commands:\n" + "\n".join(problems))
    return built


def fingerprint(tree: Tree, guilds: Sequence[discord.abc.Snowflake]) -> str:
    """What was synced where, as a digest: commands are sent to Discord again only when it changes."""
    sent = {}
    for guild in guilds:
        sent[str(guild.id)] = [each.to_dict(tree) for each in tree.get_commands(guild=guild)]
    return hashlib.sha256(json.dumps(sent, sort_keys=True).encode()).hexdigest()


def description(declared: Declared) -> str:
    """The first line of a command's help."""
    return next((line.strip() for line in declared.help.splitlines() if line.strip()), "")


def _about(noun: str, verbs: Sequence[Declared]) -> str:
    listed = ", ".join(each.verb for each in verbs)
    return limits.shortened(f"{noun.capitalize()}: {listed}", limits.COMMAND_DESCRIPTION)


def _problems(by_noun: Mapping[str, Sequence[Declared]]) -> Iterable[str]:
    if len(by_noun) > limits.GUILD_COMMANDS:
        yield f"there are {len(by_noun)} nouns; {limits.GUILD_COMMANDS} are allowed"
    for noun, verbs in by_noun.items():
        if len(verbs) > limits.GROUP_COMMANDS:
            yield f"“{noun}” has {len(verbs)} verbs; {limits.GROUP_COMMANDS} are allowed"
        if len(verbs) > 1 and any(not each.verb for each in verbs):
            yield f"“{noun}” is a command of its own and has verbs too"
        for declared in verbs:
            yield from (f"“{declared.name}”: {what}" for what in _problems_of(declared))


def _problems_of(declared: Declared) -> Iterable[str]:
    for name in (declared.noun, declared.verb or declared.noun, *(each.key for each in declared.parameters)):
        if not _NAME.fullmatch(name) or name != name.lower():
            yield f"“{name}” is not a name of 1 to {limits.COMMAND_NAME} lower-case letters, digits, - and _"
    about = description(declared)
    if not 1 <= len(about) <= limits.COMMAND_DESCRIPTION:
        yield f"its help begins with {len(about)} characters; 1 to {limits.COMMAND_DESCRIPTION} are allowed"
    options = len(declared.parameters) + bool(declared.open_answers)
    if options > limits.COMMAND_OPTIONS:
        yield f"it has {options} options; {limits.COMMAND_OPTIONS} are allowed"
    if declared.open_answers and any(each.key == DETAILS for each in declared.parameters):
        yield f"its parameter “{DETAILS}” has the name of the option for open answers"
    for each in declared.parameters:
        if len(each.help) > limits.COMMAND_DESCRIPTION:
            yield f"“{each.key}” has {len(each.help)} characters of help; {limits.COMMAND_DESCRIPTION} fit"
        for choice in _choices(each):
            if not 1 <= len(choice) <= limits.CHOICE_VALUE:
                yield f"“{each.key}” has a choice of {len(choice)} characters; {limits.CHOICE_VALUE} fit"


def _too_much(command: _Built, tree: Tree) -> str | None:
    """A command is counted with all its verbs: every name, description and choice's value."""

    def size(part: Mapping[str, Any]) -> int:
        own = len(part.get("name", "")) + len(part.get("description", "")) + len(str(part.get("value", "")))
        return own + sum(size(each) for key in ("options", "choices") for each in part.get(key) or ())

    total = size(command.to_dict(tree))
    if total <= limits.COMMAND_TEXT:
        return None
    return f"“{command.name}” has {total} characters over all; {limits.COMMAND_TEXT} are allowed"


def _command(declared: Declared, say: Say, complete: Complete) -> app_commands.Command[Any, ..., Any]:
    async def called(interaction: Interaction, /, **options: Any) -> None:
        await say(interaction, declared, options)

    options = [_option(each) for each in declared.parameters]
    about = {each.key: each.help or each.label for each in declared.parameters}
    if declared.open_answers:
        options.append(_optional(DETAILS, app_commands.Range[str, 1, limits.STRING_OPTION]))
        about[DETAILS] = "Further answers, written as field:answer"
    first = inspect.Parameter("interaction", inspect.Parameter.POSITIONAL_ONLY, annotation=Interaction)
    called.__signature__ = inspect.Signature([first, *options])  # type: ignore[attr-defined]  # read by discord.py
    callback: Any = app_commands.describe(**about)(called) if about else called
    fixed = {
        each.key: [app_commands.Choice(name=choice, value=choice) for choice in found]
        for each in declared.parameters
        if (found := _choices(each))
    }
    if fixed:
        callback = app_commands.choices(**fixed)(callback)
    completed = {
        each.key: _completion(declared, each, complete) for each in declared.parameters if _completes(each)
    }
    if completed:
        callback = app_commands.autocomplete(**completed)(callback)
    return app_commands.Command(
        name=declared.verb or declared.noun, description=description(declared), callback=callback
    )


def _completion(declared: Declared, parameter: Parameter, complete: Complete) -> Any:
    async def completion(interaction: Interaction, current: str) -> list[app_commands.Choice[str]]:
        found = await complete(interaction, declared, parameter.key, current)
        return [
            app_commands.Choice(name=limits.shortened(each.label, limits.CHOICE_NAME), value=each.value)
            for each in found
            if each.label.strip() and 0 < len(each.value) <= limits.CHOICE_VALUE
        ][: limits.AUTOCOMPLETE_RESULTS]

    return completion


def _choices(parameter: Parameter) -> Sequence[str]:
    """The fixed choices of a parameter, where they are few enough to be listed."""
    kind = parameter.kind
    if isinstance(kind, Choice) and len(kind.among) <= limits.COMMAND_CHOICES:
        return kind.among
    return ()


def _completes(parameter: Parameter) -> bool:
    kind = parameter.kind
    return isinstance(kind, Reference | Named) or (isinstance(kind, Choice) and not _choices(parameter))


def _option(parameter: Parameter) -> inspect.Parameter:
    kind = parameter.kind
    if isinstance(kind, PersonKind) or kind.input is FieldInput.PERSON:
        return _optional(parameter.key, discord.User)
    if isinstance(kind, WholeNumber):
        return _optional(parameter.key, app_commands.Range[int, kind.least, kind.most])
    if _choices(parameter):
        return _optional(parameter.key, str)
    return _optional(parameter.key, app_commands.Range[str, 1, min(kind.at_most, limits.STRING_OPTION)])


def _optional(name: str, kind: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind | None)
