"""How a command is declared: once, on the function that carries it out.

From the declaration come the slash commands, menus, completion, forms, help, the app manifest and
the table of practices. The decorator only leaves a note; `registry.py` reads the notes.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from config.policy import Policy, Role
from handlers.errors import BadValue, HouseFault, NeedsForm, UnknownCommand
from handlers.messages import Card, FieldInput, Form, FormField, Notice, Option, Reply
from handlers.parsing import (
    Answers,
    Manner,
    ParameterKind,
    Reading,
    Reference,
    Token,
    near,
    plain,
    quoted,
    reference,
    tokens,
)

if TYPE_CHECKING:
    from handlers.desk import Desk


@dataclass(frozen=True)
class Change:
    """One thing that happened, for the ledger: `request.taken` on `REQ-7`.

    `before` and `after` hold ids, codes, times and numbers; what a person wrote goes into `words`. `practices` are
    those of its command's that it is evidence for, where it is not for all of them.
    """

    action: str
    subject: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    practices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Due:
    """A command line that the desk must say to itself at an instant; `key` replaces an earlier one of that name.

    What is urgent, because it wakes people, comes first when much is due at once.
    """

    key: str
    subject: str
    at: datetime
    line: str
    urgent: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a handler decided. The dispatcher writes it: all of it, or nothing.

    `undue` names due moments that no longer hold, by key prefix; `follow` are command lines that the
    desk says next, in the same transaction. A reply given as a function is drawn last, when all that is in.
    """

    reply: Reply | Callable[[], Reply]
    changes: Sequence[Change] = ()
    notices: Sequence[Notice] = ()
    cards: Sequence[Card] = ()
    due: Sequence[Due] = ()
    undue: Sequence[str] = ()
    follow: Sequence[str] = ()


@dataclass(frozen=True)
class Standing:
    """How a subject stands now: its state (for looking again before a send), its card, the room it belongs to.

    The card may be given as a function, which draws it when somebody wants to see it.
    """

    ref: str
    state: str
    version: int
    drawn: Reply | Callable[[], Reply]
    room: str

    @property
    def card(self) -> Reply:
        """Its card."""
        return self.drawn() if callable(self.drawn) else self.drawn


@dataclass(frozen=True)
class FromMessage:
    """How a command is made from somebody's message: what a message's menu calls it, and by which emoji.

    The policy says which emoji; None where it says none.
    """

    label: str
    emoji: Callable[[Policy], str | None]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a command, as its dataclass field declares it."""

    key: str
    kind: ParameterKind
    required: bool
    help: str
    manners: frozenset[Manner] = frozenset()

    @property
    def label(self) -> str:
        """What a form calls it."""
        return self.key.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Declared:
    """A command: name, parameters, who may, what it evidences, and the function that carries it out."""

    name: str
    params: type[Any]
    parameters: tuple[Parameter, ...]
    open_answers: str | None
    role: Role
    evidences: tuple[str, ...]
    desk_only: bool
    tends: bool
    own_form: bool
    from_message: FromMessage | None
    strangers: bool
    shows: bool
    run: Callable[[Any, Desk], Outcome | Reply]
    help: str
    example: str

    @property
    def changes(self) -> bool:
        """Whether it may change state; such a command evidences at least one practice."""
        return bool(self.evidences)

    def speaks_for(self, change: Change) -> tuple[str, ...]:
        """The practices that something which it did is evidence for. Raises HouseFault for one that it never is."""
        if unknown := set(change.practices) - set(self.evidences):
            raise HouseFault(f"“{self.name}” does not evidence {', '.join(sorted(unknown))}")
        return change.practices or self.evidences

    @property
    def noun(self) -> str:
        """The first word of its name."""
        return self.name.partition(" ")[0]

    @property
    def verb(self) -> str:
        """The rest of its name."""
        return self.name.partition(" ")[2]

    @property
    def usage(self) -> str:
        """Name and parameters, optional ones in brackets."""
        shown = [each.key.upper() if each.required else f"[{each.key.upper()}]" for each in self.parameters]
        return " ".join([self.name, *shown, *(["[FIELD:ANSWER …]"] if self.open_answers else [])])


Run = TypeVar("Run", bound=Callable[..., Any])


def command(
    name: str,
    *,
    params: type[Any],
    role: Role = Role.STAFF,
    evidences: tuple[str, ...] = (),
    desk_only: bool = False,
    tends: bool = False,
    own_form: bool = False,
    from_message: FromMessage | None = None,
    strangers: bool = False,
    shows: bool = False,
) -> Callable[[Run], Run]:
    """Declare a function `(asked, desk) -> Outcome | Reply` as a command. No side effect but the note.

    The desk says one that `tends` whenever it starts and whenever it has taken up a policy. One with an
    `own_form` adds questions that only its handler knows, and is therefore asked for drafts of it, too.
    `strangers` lets those say it, too, whom the policy keeps out because nobody has named them. One whose verb is
    `show`, or that `shows`, is what a reference alone means, when its first parameter is a reference.
    """

    def note(run: Run) -> Run:
        parameters, open_answers = _parameters(params)
        example = re.search(r"[Ff]or example: (.+)", params.__doc__ or "")
        declared = Declared(
            name=name,
            params=params,
            parameters=parameters,
            open_answers=open_answers,
            role=role,
            evidences=evidences,
            desk_only=desk_only,
            tends=tends,
            own_form=own_form or open_answers is not None,
            from_message=from_message,
            strangers=strangers,
            shows=shows or name.endswith(" show"),
            run=run,
            help=inspect.getdoc(run) or "",
            example=example[1].strip().rstrip(".") if example else "",
        )
        run.__dict__["__command__"] = declared
        return run

    return note


def subject(prefix: str) -> Callable[[Run], Run]:
    """Declare a function `(ref, desk) -> Standing` as the way to look at tickets with this prefix."""

    def note(look: Run) -> Run:
        look.__dict__["__subject__"] = prefix
        return look

    return note


def decisions(prefix: str) -> Callable[[Run], Run]:
    """Declare a function `(desk) -> references` as what waits for the asker's decision among these tickets."""

    def note(find: Run) -> Run:
        find.__dict__["__decides__"] = prefix
        return find

    return note


def tasks(prefix: str) -> Callable[[Run], Run]:
    """Declare a function `(desk) -> replies` as what waits for the asker's hands among these tickets.

    Each reply is a section of their home, with the buttons by which it is done.
    """

    def note(find: Run) -> Run:
        find.__dict__["__tasks__"] = prefix
        return find

    return note


def suggestions(prefix: str) -> Callable[[Run], Run]:
    """Declare a function `(desk) -> options` as what completes references with this prefix."""

    def note(suggest: Run) -> Run:
        suggest.__dict__["__suggests__"] = prefix
        return suggest

    return note


def _parameters(params: type[Any]) -> tuple[tuple[Parameter, ...], str | None]:
    hints = get_type_hints(params, include_extras=True)
    found: list[Parameter] = []
    open_answers = None
    for each in dataclasses.fields(params):
        hint = hints[each.name]
        if hint is Answers:
            open_answers = each.name
            continue
        notes = list(_notes(hint))
        kind = next((note for note in notes if hasattr(note, "read") and hasattr(note, "fits")), None)
        if kind is None:
            raise HouseFault(f"{params.__name__}.{each.name} has no parameter kind in its annotation")
        required = each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
        help_text = next((note for note in notes if isinstance(note, str)), "")
        manners = frozenset(note for note in notes if isinstance(note, Manner))
        found.append(Parameter(each.name, kind, required, help_text, manners))
    return tuple(found), open_answers


def _notes(hint: Any) -> Iterable[Any]:
    """The notes of an annotation, outermost first, looking into `X | None`."""
    if get_origin(hint) is Annotated:
        yield from hint.__metadata__
        yield from _notes(hint.__origin__)
    else:
        for part in get_args(hint):
            yield from _notes(part)


class Commands:
    """The table of commands, and the ways to look at a subject."""

    def __init__(self, modules: Iterable[ModuleType]) -> None:
        self.by_name: dict[str, Declared] = {}
        self.looks: dict[str, Callable[[str, Desk], Standing]] = {}
        self.suggestions: dict[str, Callable[[Desk], Sequence[Option]]] = {}
        self.decisions: list[Callable[[Desk], Sequence[str]]] = []
        self.tasks: list[Callable[[Desk], Sequence[Reply]]] = []
        self.shows: dict[str, str] = {}
        for module in modules:
            for _, function in inspect.getmembers(module, inspect.isfunction):
                if function.__module__ == module.__name__:
                    self._add(function)

    def _add(self, function: Callable[..., Any]) -> None:
        declared: Declared | None = function.__dict__.get("__command__")
        prefix: str | None = function.__dict__.get("__subject__")
        if declared:
            if declared.name in self.by_name:
                raise HouseFault(f"two commands are called “{declared.name}”")
            self.by_name[declared.name] = declared
            first = next(iter(declared.parameters), None)
            if declared.shows and first and isinstance(first.kind, Reference):
                self.shows[first.kind.prefix] = declared.name
        if suggests := function.__dict__.get("__suggests__"):
            self.suggestions[suggests] = function
        if function.__dict__.get("__decides__"):
            self.decisions.append(function)
        if function.__dict__.get("__tasks__"):
            self.tasks.append(function)
        if prefix:
            if prefix in self.looks:
                raise HouseFault(f"two functions look at {prefix}")
            self.looks[prefix] = function

    def __iter__(self) -> Iterator[Declared]:
        return iter(self.by_name.values())

    @cached_property
    def spoken(self) -> list[Declared]:
        """The commands that people can say, in order of name."""
        return [each for _, each in sorted(self.by_name.items()) if not each.desk_only]

    @cached_property
    def of_messages(self) -> list[Declared]:
        """The commands that can be made from a message, in order of name."""
        return [each for each in self.spoken if each.from_message]

    @cached_property
    def nouns(self) -> dict[str, None]:
        """The nouns that people can say, in order."""
        return dict.fromkeys(each.noun for each in self.spoken)

    def find(self, line: str) -> tuple[Declared, str]:
        """The command a line means, and the rest of the line.

        A reference alone shows it; a noun alone explains the noun; `desk` may stand before any command,
        and be left out before its own verbs.
        Raises UnknownCommand with the nearest commands.
        """
        words = tokens(line)
        skipped = 0
        while (
            len(words) - skipped > 1 and _word(words[skipped]) == "desk" and self._begins(words[skipped + 1])
        ):
            skipped += 1
        words = words[skipped:]
        if not words:
            return self.by_name["desk help"], ""
        first = _word(words[0])
        if len(words) == 1 and (ref := reference(first)) and ref[:3] in self.shows:
            return self.by_name[self.shows[ref[:3]]], ref
        second = plain(words[1].text) if len(words) > 1 else ""
        declared = self.by_name.get(f"{first} {second}")
        if declared:
            return declared, line[words[1].end :].strip()
        if first not in self.nouns and (declared := self.by_name.get(f"desk {first}")):
            return declared, line[words[0].end :].strip()
        if first in self.nouns:
            ref = reference(second) if second else None
            if ref and ref[:3] in self.shows:
                return self.by_name[self.shows[ref[:3]]], ref
            if second in ("", "help"):
                return self.by_name["desk help"], first
        raise self._unknown(first, second)

    def _begins(self, token: Token) -> bool:
        return _word(token) in self.nouns or reference(token.text) is not None

    def _unknown(self, first: str, second: str) -> UnknownCommand:
        said = f"{first} {second}".strip()
        names = [each.name for each in self.spoken]
        close = of_verb(first, self.spoken) or near(said, names)
        if not close and first in self.nouns:
            close = [name for name in names if name.startswith(f"{first} ")][:3]
        what = f"I do not know “{said[:60]}”."
        if close:
            return UnknownCommand(what, "Did you mean one of these?", [(name, name) for name in close])
        return UnknownCommand(what, "These are the things I can do:", [("Help", "desk help")])


def of_verb(verb: str, commands: Iterable[Declared]) -> list[str]:
    """The names of the commands with this verb, for people who forgot its noun."""
    return [each.name for each in commands if each.verb == verb][:5]


def _word(token: Token) -> str:
    return plain(token.text).lstrip("/")


@dataclass(frozen=True)
class Given:
    """The raw texts given for a command's parameters, and the answers beyond them."""

    values: Mapping[str, str]
    extra: Mapping[str, str]


def distribute(
    declared: Declared, rest: str, answers: Mapping[str, str], here: str | None, message: str | None = None
) -> Given:
    """Hand the words of a line to the parameters they are for.

    `key:value` goes to the parameter (or open answer) of that name, wherever it stands; the others go
    by position; the last text takes all that is left. A form's answers win. `here` is the subject of the
    thread the line was said in: it stands in for a reference that was left out. `message` are the words of the
    message that the command was made from: they stand in for a text that may come from it.
    """
    values, extra, left = _named(declared, rest)
    left = _by_position(declared, rest, left, values, here)
    if left:
        values["?"] = _join(rest, left)
    for parameter in declared.parameters:
        if parameter.key not in values and here and _means_here(parameter, here):
            values[parameter.key] = here
        if parameter.key not in values and message and Manner.FROM_MESSAGE in parameter.manners:
            values[parameter.key] = _words_of(message, parameter.kind)
    known = {each.key for each in declared.parameters}
    for key, value in answers.items():
        (values if key in known else extra)[key] = value
    return Given(values, extra)


def _named(declared: Declared, rest: str) -> tuple[dict[str, str], dict[str, str], list[Token]]:
    """What was said as `key:value`: for parameters, for open answers; and the words that were not."""
    known = {each.key for each in declared.parameters}
    values: dict[str, str] = {}
    extra: dict[str, str] = {}
    left: list[Token] = []
    for token in tokens(rest):
        key = token.key.replace("-", "_") if token.key else None
        if key in known and key not in values:
            values[key] = token.text
        elif key and declared.open_answers and not token.text.startswith("//"):
            extra[key] = token.text
        else:
            left.append(token)
    return values, extra, left


def _by_position(
    declared: Declared, rest: str, left: list[Token], values: dict[str, str], here: str | None
) -> list[Token]:
    """Fill `values` with words in order, and give back those that nothing took."""
    queue = [
        each for each in declared.parameters if each.key not in values and Manner.BY_NAME not in each.manners
    ]
    while queue and left:
        parameter = queue.pop(0)
        text = left[0].text if left[0].key is None else left[0].whole
        may_be_left_out = not parameter.required or (here and isinstance(parameter.kind, Reference))
        if may_be_left_out and not parameter.kind.fits(text):
            continue
        if parameter.kind.takes_rest and not any(each.required for each in queue):
            values[parameter.key] = text if len(left) == 1 else _join(rest, left)
            return []
        values[parameter.key] = text
        left = left[1:]
    return left


def _means_here(parameter: Parameter, here: str) -> bool:
    """Whether the thread's subject stands in for this parameter when it is left out."""
    kind = parameter.kind
    return isinstance(kind, Reference) and parameter.required and here.startswith(kind.prefix)


def _words_of(message: str, kind: ParameterKind) -> str:
    """A message as a value that fits: the whole text, or its first line where one line is asked for."""
    text = message.strip()
    first = next(iter(text.splitlines()), "") if kind.input is FieldInput.LINE else text
    return first[: kind.at_most]


def _join(rest: str, left: Sequence[Token]) -> str:
    whole = rest[left[0].start : left[-1].end]
    # Untouched text keeps its line breaks; once a key:value was taken out of its middle, single spaces do.
    untouched = "".join(whole.split()) == "".join("".join(token.whole.split()) for token in left)
    return whole if untouched else " ".join(token.whole for token in left)


def understand(declared: Declared, given: Given, reading: Reading) -> Any:
    """The command's parameters as its dataclass; raises NeedsForm when something is missing or wrong."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for parameter in declared.parameters:
        text = given.values.get(parameter.key, "")
        if not text.strip():
            if parameter.required:
                problems[parameter.key] = ""
            continue
        try:
            values[parameter.key] = parameter.kind.read(text, reading)
        except BadValue as error:
            problems[parameter.key] = f"{error.what} {error.then}".strip()
    if "?" in given.values and not problems:
        raise BadValue(
            f"I do not know what to do with “{given.values['?'][:80]}”.",
            f"Write it like: {declared.example or declared.usage}",
        )
    if problems:
        raise NeedsForm(form_for(declared, given, reading, problems), problems)
    if declared.open_answers:
        values[declared.open_answers] = Answers(given.extra)
    return declared.params(**values)


def form_for(declared: Declared, given: Given, reading: Reading, problems: Mapping[str, str]) -> Form:
    """The command as a form, filled in with what was given so far."""
    fields = tuple(
        FormField(
            key=each.key,
            label=each.label[:45],
            input=each.kind.input,
            required=each.required,
            options=tuple(each.kind.options(reading)),
            value=given.values.get(each.key, ""),
            help=each.help,
            at_most=each.kind.at_most,
            error=problems.get(each.key, ""),
        )
        for each in declared.parameters
        if Manner.UNASKED not in each.manners
    )
    note = next((line for line in declared.help.splitlines() if line), "")
    unasked = [each.key for each in declared.parameters if Manner.UNASKED in each.manners]
    kept = {**given.extra, **{key: given.values[key] for key in unasked if key in given.values}}
    extras = " ".join(f"{key}:{quoted(value)}" for key, value in kept.items())
    return Form(
        title=declared.name.capitalize(), line=f"{declared.name} {extras}".strip(), fields=fields, note=note
    )
