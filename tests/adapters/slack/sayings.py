"""Commands that say what the desk's own seldom say: long, wide, secret, handed over as a file."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from handlers.declare import command
from handlers.desk import Desk
from handlers.messages import Button, Fact, Moment, Reply, Style, Table, Tone
from handlers.parsing import Choice, Day, PersonRef, Text, WholeNumber

NOON = datetime(2026, 11, 23, 11, tzinfo=UTC)
SHELVES = tuple(f"shelf-{number}" for number in range(250))


@dataclass(frozen=True)
class Nothing:
    """For example: say long"""


@dataclass(frozen=True)
class Back:
    """For example: say back hello"""

    words: Text


@dataclass(frozen=True)
class Everything:
    """For example: say everything"""

    who: PersonRef
    day: Day
    number: Annotated[int, WholeNumber(1, 9)]
    shelf: Annotated[str, Choice(SHELVES)]
    words: Text


@command("say back", params=Back)
def back(asked: Back, desk: Desk) -> Reply:
    """Say it back."""
    source = (Fact(label="Source", value=(desk.command.source,)),) if desk.command.source else ()
    return Reply(title="You said", text=(asked.words,), facts=source)


@command("say aloud", params=Back)
def aloud(asked: Back, desk: Desk) -> Reply:
    """Say it to the whole room."""
    return Reply(title=asked.words, tone=Tone.GOOD, private=False)


@command("say everything", params=Everything)
def everything(asked: Everything, desk: Desk) -> Reply:
    """Take one of each."""
    return Reply(title="Taken", text=(f"{asked.who}|{asked.day}|{asked.number}|{asked.shelf}|{asked.words}",))


@command("say long", params=Nothing)
def long(asked: Nothing, desk: Desk) -> Reply:
    """Say more than a message holds."""
    return Reply(title="A long story", text=(" ".join(f"word-{number}" for number in range(4000)),))


@command("say table", params=Nothing)
def table(asked: Nothing, desk: Desk) -> Reply:
    """Say it in rows."""
    rows = tuple(
        ((f"REQ-{number}",), ("new <!channel> laptop",), (Moment(moment=NOON),)) for number in (1, 2)
    )
    return Reply(title="Requests", table=Table(columns=("Ref", "What", "Due"), rows=rows))


@command("say file", params=Nothing)
def file(asked: Nothing, desk: Desk) -> Reply:
    """Hand over a file."""
    return Reply(title="Here it is", file=("export.csv", "a,b\n1,2\n"))


@command("say buttons", params=Nothing)
def buttons(asked: Nothing, desk: Desk) -> Reply:
    """Offer many ways on."""
    few = [Button(label=f"Say {number}", line=f"say back number {number}") for number in range(12)]
    sure = Button(label="Really", line="say back really", style=Style.DANGER, confirm="It cannot be undone.")
    return Reply(title="Choose", buttons=(*few, sure, Button(label="Form", line="say back")))
