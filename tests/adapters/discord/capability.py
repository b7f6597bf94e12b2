"""A small capability with one of everything that the adapter must carry; its commands are real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from handlers.declare import Change, FromMessage, Outcome, Standing, command, subject, suggestions
from handlers.desk import Desk
from handlers.errors import NeedsForm
from handlers.messages import (
    Button,
    Card,
    FieldInput,
    Form,
    FormField,
    Notice,
    Option,
    Reply,
    Style,
    Table,
    Tone,
    ToPerson,
    ToThread,
    facts,
)
from handlers.parsing import Answers, Choice, Line, Named, PersonRef, Reference, Text, WholeNumber

BUG = Annotated[str, Reference("BUG")]
COLOURS = tuple(f"colour-{number}" for number in range(30))


@dataclass(frozen=True)
class Report:
    """For example: bug report "the printer smokes" high"""

    what: Annotated[Line, "What is broken"]
    how_bad: Annotated[str, Choice(("low", "high")), "How bad it is"] = "low"


@command("bug report", params=Report, evidences=("SD SP 3.1",))
def report(asked: Report, desk: Desk) -> Outcome:
    """Say that something is broken."""
    ref = f"BUG-{desk.records.counters.next('BUG')}"
    return Outcome(
        reply=_card(ref).model_copy(update={"title": f"{ref} is filed: {asked.what} ({asked.how_bad})"}),
        changes=[Change("bug.reported", ref, words={"what": asked.what})],
        cards=[Card(subject=ref, room="requests")],
        notices=[
            Notice(to=ToPerson(person=desk.asker.key), reply=_card(ref), key=f"{ref}/thanks", subject=ref)
        ],
    )


@dataclass(frozen=True)
class OfBug:
    """For example: bug show BUG-1"""

    bug: BUG


@command("bug show", params=OfBug)
def show(asked: OfBug, desk: Desk) -> Reply:
    """See a bug."""
    return _card(asked.bug)


@dataclass(frozen=True)
class Note:
    """For example: bug note BUG-1 it smokes again"""

    bug: BUG
    text: Text


@command("bug note", params=Note, evidences=("SD SP 3.2",))
def note(asked: Note, desk: Desk) -> Outcome:
    """Add a note, which goes into the thread."""
    said = Reply(title=f"{desk.asker.name} notes on {asked.bug}", text=(asked.text,), subject=asked.bug)
    return Outcome(
        reply=Reply(title=f"Noted on {asked.bug}", tone=Tone.GOOD, private=False),
        changes=[Change("bug.noted", asked.bug)],
        notices=[
            Notice(
                to=ToThread(subject=asked.bug, room="requests"),
                reply=said,
                key=f"{asked.bug}/note/{desk.command.key}",
                subject=asked.bug,
            )
        ],
    )


@command("bug drop", params=OfBug, evidences=("SD SP 3.2",))
def drop(asked: OfBug, desk: Desk) -> Outcome:
    """Forget a bug."""
    return Outcome(
        reply=Reply(title=f"{asked.bug} is dropped", tone=Tone.GOOD),
        changes=[Change("bug.dropped", asked.bug)],
        cards=[Card(subject=asked.bug, room="requests")],
    )


@subject("BUG")
def look(ref: str, desk: Desk) -> Standing:
    """How a bug stands."""
    return Standing(ref=ref, state="open", version=1, drawn=_card(ref), room="requests")


@suggestions("BUG")
def bugs(desk: Desk) -> list[Option]:
    """Forty bugs to choose from."""
    return [Option(label=f"BUG-{number}: smoke", value=f"BUG-{number}") for number in range(1, 41)]


def _card(ref: str) -> Reply:
    return Reply(
        title=f"{ref}: the printer",
        facts=facts(("State", "open")),
        subject=ref,
        version=1,
        buttons=(
            Button(label="Show", line=f"bug show {ref}"),
            Button(label="Note", line=f"bug note {ref}", style=Style.PRIMARY),
            Button(label="Drop", line=f"bug drop {ref}", style=Style.DANGER, confirm="Forget this bug?"),
        ),
        private=False,
    )


@dataclass(frozen=True)
class Meet:
    """For example: person meet @staff 3"""

    who: PersonRef
    times: Annotated[int, WholeNumber(1, 9)] = 1
    colour: Annotated[str | None, Choice(COLOURS)] = None
    service: Annotated[str | None, Named("services", "service")] = None


@command("person meet", params=Meet)
def meet(asked: Meet, desk: Desk) -> Reply:
    """Meet a person."""
    return Reply(title=f"{asked.who} met {asked.times} times, {asked.colour}, {asked.service}")


@dataclass(frozen=True)
class Survey:
    """For example: survey fill a b c d e f g"""

    first: Line
    second: Line
    third: Annotated[str, Choice(("red", "blue"))]
    fourth: Text
    fifth: Annotated[int, WholeNumber(1, 5)]
    sixth: Line
    seventh: Annotated[Line | None, "If you like"] = None


@command("survey fill", params=Survey, evidences=("SD SP 3.1",))
def fill(asked: Survey, desk: Desk) -> Outcome:
    """Answer seven questions."""
    said = "|".join(str(value) for value in vars(asked).values())
    number = desk.records.counters.next("SURVEY")
    return Outcome(
        reply=Reply(title=f"Survey {number}: {said[:200]}", tone=Tone.GOOD),
        changes=[Change("survey.filled", f"SURVEY-{number}")],
    )


@dataclass(frozen=True)
class New:
    """For example: request new laptop size:13"""

    what: Annotated[str | None, Choice(("laptop", "phone"))] = None
    answers: Answers = None  # type: ignore[assignment]  # always given by the parser


@command(
    "request new",
    params=New,
    evidences=("SD SP 3.1",),
    from_message=FromMessage("Make this a request", lambda policy: policy.organisation.request_emoji),
)
def new(asked: New, desk: Desk) -> Outcome:
    """Ask for something, with questions that depend on what it is."""
    wanted = {"laptop": "size", "phone": "colour", None: ""}[asked.what]
    unknown = [key for key in asked.answers if key != wanted]
    missing = asked.what is None or not asked.answers.get(wanted)
    if desk.command.draft or missing or unknown:
        problems = {"what": f"Nothing is called {unknown[0]}."} if unknown else {}
        raise NeedsForm(_wishes(asked.what, wanted, asked.answers, problems), problems)
    number = desk.records.counters.next("REQ")
    return Outcome(
        reply=Reply(
            title=f"REQ-{number} is filed: {asked.what}, {wanted} {asked.answers[wanted]}",
            facts=facts(("From", desk.command.source), ("Words", desk.command.message)),
        ),
        changes=[Change("request.received", f"REQ-{number}")],
    )


def _wishes(what: str | None, wanted: str, answers: dict[str, str], problems: dict[str, str]) -> Form:
    choices = tuple(Option(label=each.capitalize(), value=each) for each in ("laptop", "phone"))
    fields = [
        FormField(
            key="what",
            label="What do you need?",
            input=FieldInput.CHOICE,
            options=choices,
            value=what or "",
            error=problems.get("what", ""),
            steers=True,
        )
    ]
    if what:
        fields.append(FormField(key=wanted, label=f"Which {wanted}?", value=answers.get(wanted, "")))
    return Form(
        title="Ask for something", line="request new", fields=tuple(fields), note="One thing at a time."
    )


@dataclass(frozen=True)
class Listed:
    """For example: request list @staff"""

    whose: PersonRef | None = None
    about: Text | None = None


@command("request list", params=Listed)
def listed(asked: Listed, desk: Desk) -> Reply:
    """See requests."""
    more = f'request list about:"{asked.about}"' if asked.about else "request list"
    return Reply(
        title=f"Requests of {asked.whose or 'everyone'}",
        table=Table(columns=("Request", "What"), rows=((("REQ-1",), ("a laptop",)), (("REQ-20",), ("tea",)))),
        buttons=(Button(label="Next", line=f"{more} "),),
    )
