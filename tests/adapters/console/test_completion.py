"""What the line offers while it is typed."""

from __future__ import annotations

import pytest

from bot.adapters.console.completion import complete
from bot.adapters.port import Ear
from handlers.messages import Place, Sender
from tests.harness.console import dispatcher_of


@pytest.fixture
def offered(sqlite, policy, commands, clock):
    """What completes a line, as whole lines."""
    ear = Ear(dispatcher_of(sqlite, policy, commands, clock))

    async def ask(line: str) -> list[str]:
        sender = Sender(platform="console", user="staff")
        return [each.line for each in await complete(ear, sender, Place(platform="console"), line)]

    return ask


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("th", "thing announce "),
        ("/th", "/thing announce "),
        ("thing sh", "thing shout "),
        ("THING SH", "thing shout "),
        ("whisp", "thing whisper "),
        ("thing give ", "thing give @staff "),
        ("thing give @ag", "thing give @agent "),
        ("thing give person:ag", "thing give person:agent "),
        ("thing give Olga", "thing give @owner "),
        ("thing ask ", "thing ask colour:"),
        ("thing ask col", "thing ask colour:"),
        ("thing ask colour:r", "thing ask colour:red "),
        ("/thing ask colour:red ", "/thing ask colour:red shade:"),
    ],
)
async def test_the_first_offer_goes_on_from_what_was_typed(offered, line, first):
    assert (await offered(line))[0] == first


@pytest.mark.parametrize(
    "line", ["thing ask colour:green", "thing shout hello", "nonsense", "nonsense ", "thing count "]
)
async def test_nothing_is_offered_where_nothing_fits(offered, line):
    assert await offered(line) == []


async def test_the_page_asks_only_for_lines_that_may_be_commands(visitor):
    async def offers(line, room):
        answer = await visitor.http.get("/console/staff/-/complete", params={"line": line, "room": room})
        return [each["label"] for each in answer.json()["offers"]]

    assert await offers("thing w", "requests") == ["thing whisper"]
    assert await offers("/w", "requests") == ["thing whisper"]
    assert await offers("w", "@desk") == ["thing whisper"]
    assert await offers("w", "requests") == []
    assert await offers("d ", "requests") == []
    assert await offers("", "@desk") == []
