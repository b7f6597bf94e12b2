"""What may come next in a line: commands, then references, people, choices and `key:` names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.adapters.port import Ear
from handlers.declare import Declared, distribute
from handlers.errors import DeskError
from handlers.messages import Command, FieldInput, Option, Place, Sender
from handlers.parsing import tokens

COMMANDS_AT_MOST, VALUES_AT_MOST = 30, 12
"""How many ways to go on are offered: all verbs of a noun, and the best of what a parameter may be."""


@dataclass(frozen=True)
class Offer:
    """One way to go on: what is shown, a word about it, and the whole line once it is taken."""

    label: str
    hint: str
    line: str


async def complete(ear: Ear, sender: Sender, place: Place, line: str) -> list[Offer]:
    """What may complete the last word of a line, best first."""
    words = tokens(line)
    spoken = {each.name: each for each in ear.commands.spoken}
    name = " ".join(word.text.lower() for word in words[:2]).lstrip("/")
    declared = spoken.get(name)
    if declared is None or (len(words) == 2 and not line[-1].isspace()):
        return list(_commands(line, spoken.values()))[:COMMANDS_AT_MOST]
    partial = "" if line[-1].isspace() else words[-1].whole
    before = line[: len(line) - len(partial)]
    found = await _parameters(ear, sender, place, declared, before, before[words[1].end :], partial)
    return found[:VALUES_AT_MOST]


def _commands(line: str, spoken: Iterable[Declared]) -> Iterator[Offer]:
    slash = "/" if line.lstrip().startswith("/") else ""
    wanted = " ".join(line.lower().lstrip("/ ").split())
    starting = [each for each in spoken if each.name.startswith(wanted)]
    # A verb alone finds its commands too, for those who do not know the noun.
    within = [each for each in spoken if each not in starting and each.verb.startswith(wanted)]
    for each in (*starting, *within):
        yield Offer(each.name, _first_line(each.help), f"{slash}{each.name} ")


async def _parameters(
    ear: Ear, sender: Sender, place: Place, declared: Declared, before: str, given_text: str, partial: str
) -> list[Offer]:
    given = distribute(declared, given_text, {}, None)
    known = {**given.values, **given.extra}
    asked = await _questions(ear, sender, place, declared, before)
    key, colon, value = partial.partition(":")
    if colon and key.lower() in asked:
        question = asked[key.lower()]
        return [
            Offer(option.label, question.label, f"{before}{key}:{_quoted(option.value)} ")
            for option in await _values(ear, sender, declared, question, value)
        ]
    open_ones = [each for each in asked.values() if each.key not in known]
    offers: list[Offer] = []
    following = next((each for each in open_ones if each.positional), None)
    if following:
        at = "@" if following.input is FieldInput.PERSON else ""
        offers = [
            Offer(f"{at}{option.value}", option.label, f"{before}{at}{_quoted(option.value)} ")
            for option in await _values(ear, sender, declared, following, partial)
        ]
    offers.extend(
        Offer(f"{each.key}:", each.label, f"{before}{each.key}:")
        for each in open_ones
        if each is not following and each.key.startswith(partial.lower())
    )
    return offers


@dataclass(frozen=True)
class _Question:
    key: str
    label: str
    input: FieldInput
    options: Sequence[Option]
    positional: bool


async def _questions(
    ear: Ear, sender: Sender, place: Place, declared: Declared, before: str
) -> dict[str, _Question]:
    """A command's parameters, and after them what its form asks beyond them (an offering's own questions)."""
    found = {
        each.key: _Question(each.key, each.help or each.label, each.kind.input, (), True)
        for each in declared.parameters
    }
    if declared.open_answers:
        drafted = Command(line=before.lstrip("/ "), sender=sender, place=place, key="", draft=True)
        try:
            form = await ear.draft(drafted)
        except DeskError:
            form = None
        for field in form.fields if form else ():
            found.setdefault(field.key, _Question(field.key, field.label, field.input, field.options, False))
    return found


async def _values(
    ear: Ear, sender: Sender, declared: Declared, question: _Question, typed: str
) -> Sequence[Option]:
    typed = typed.strip('"').removeprefix("@")
    if question.positional:
        return await ear.options(sender, declared.name, question.key, typed)
    return [each for each in question.options if typed.lower() in f"{each.value} {each.label}".lower()]


def _quoted(value: str) -> str:
    return f'"{value.replace(chr(34), "")}"' if any(letter.isspace() for letter in value) else value


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line), "")
