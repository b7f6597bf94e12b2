"""A desk that can do little, so that a test can see exactly what the console makes of each thing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from handlers.declare import Change, Outcome, command
from handlers.desk import Desk
from handlers.errors import NeedsForm
from handlers.messages import (
    Button,
    FieldInput,
    Form,
    FormField,
    Moment,
    Option,
    Reply,
    Style,
    Table,
    Tone,
    Who,
    facts,
)
from handlers.parsing import Answers, PersonRef, Text

SUMMER = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Nothing:
    """for example: desk help"""


@dataclass(frozen=True)
class Words:
    """for example: thing shout hello"""

    text: Text


@dataclass(frozen=True)
class Ask:
    """for example: thing ask colour:red"""

    answers: Answers = field(default_factory=Answers)


@dataclass(frozen=True)
class Give:
    """for example: thing give @agent flowers"""

    person: PersonRef
    what: Text


@command("desk help", params=Nothing)
def explain(asked: Nothing, desk: Desk) -> Reply:
    """See what can be said here."""
    return Reply(title="Say anything.", buttons=(Button(label="Whisper", line="thing whisper again"),))


@command("thing shout", params=Words)
def shout(asked: Words, desk: Desk) -> Reply:
    """Say something to the room."""
    return Reply(title=asked.text, text=(asked.text,), private=False)


@command("thing whisper", params=Words)
def whisper(asked: Words, desk: Desk) -> Reply:
    """Say something to the asker alone."""
    return Reply(
        title=f"whispered {asked.text}", text=(f"from {desk.command.source}: {desk.command.message}",)
    )


@command("thing count", params=Nothing, evidences=("SD SP 3.1",))
def count(asked: Nothing, desk: Desk) -> Outcome:
    """Count one further."""
    number = int(desk.records.facts.get("things") or 0) + 1
    desk.records.facts.put("things", number)
    return Outcome(reply=Reply(title=f"Counted {number}"), changes=[Change("thing.counted", "THING-1")])


@command("thing give", params=Give)
def give(asked: Give, desk: Desk) -> Reply:
    """Give somebody something."""
    return Reply(title=f"{asked.person} gets {asked.what}")


@command("thing everything", params=Words)
def everything(asked: Words, desk: Desk) -> Reply:
    """See every kind of part, each filled with the same words."""
    said = asked.text
    return Reply(
        title=said,
        text=(said, Moment(moment=SUMMER, relative=True), Who(person=said, name=said)),
        tone=Tone.BAD,
        facts=facts((said, said), ("When", Moment(moment=SUMMER))),
        table=Table(columns=(said, "Second"), rows=(((said,), (said,)),)),
        buttons=(
            Button(label=said, line=said, style=Style.PRIMARY),
            Button(label="Drop", line="thing count", confirm=said),
        ),
        form=Form(
            title=said,
            line=said,
            fields=tuple(
                FormField(
                    key=f"f{number}",
                    label=said,
                    input=kind,
                    value=said,
                    help=said,
                    error=said,
                    options=options,
                )
                for number, kind in enumerate(FieldInput)
                for options in [(Option(label=said, value=said),) if kind is FieldInput.CHOICE else ()]
            ),
            submit=said,
            note=said,
        ),
        file=(said[:60], said),
        more=(Reply(title=said, text=(said,), table=Table(columns=(said,), empty=said)),),
        private=False,
    )


@command("thing ask", params=Ask)
def ask(asked: Ask, desk: Desk) -> Reply:
    """Ask for a thing, with questions that follow from answers."""
    given = asked.answers
    fields = [
        FormField(
            key="colour",
            label="Which colour?",
            input=FieldInput.CHOICE,
            options=(Option(label="Red", value="red"), Option(label="Blue", value="blue")),
            value=given.get("colour", ""),
            steers=True,
        )
    ]
    if given.get("colour") == "red":
        shade = given.get("shade", "")
        error = "" if desk.command.draft or shade else "A shade is needed."
        fields.append(
            FormField(key="shade", label="Which shade?", value=shade, error=error, help="As light or dark.")
        )
    if desk.command.draft or not given.get("colour") or any(each.error for each in fields):
        raise NeedsForm(Form(title="A thing", line="thing ask", fields=tuple(fields)))
    return Reply(title=f"A {given.get('shade', 'plain')} {given['colour']} thing", tone=Tone.GOOD)


@command("thing announce", params=Ask)
def announce(asked: Ask, desk: Desk) -> Reply:
    """Ask for a thing in private, and tell the room."""
    if "what" not in asked.answers:
        raise NeedsForm(
            Form(title="What?", line="thing announce", fields=(FormField(key="what", label="What?"),))
        )
    return Reply(title=f"Announced {asked.answers['what']}", private=False)
