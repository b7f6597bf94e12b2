"""Every rehearsal beside this file is played on the console, on Slack and on Discord, and leaves the same evidence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from bot.rehearsal import clock_for
from bot.rehearsal.player import Player
from bot.rehearsal.script import read
from bot.rehearsal.stage import RoomInMemory, Stage
from bot.rehearsal.transcript import Transcript
from config.loading import load
from config.policy import Policy
from storage.database import Database
from tests.harness.house import POLICIES
from tests.harness.stages import DiscordStage, SlackStage

STORIES = sorted(Path(__file__).parent.glob("*.rehearsal"))
STAGES: dict[str, Callable[[Policy, Callable[[], datetime]], Stage]] = {
    "console": lambda policy, now: RoomInMemory(policy),
    "slack": SlackStage,
    "discord": DiscordStage,
}


async def play(story: Path, surface: str, database: Database) -> Transcript:
    """Play a story on a surface, on an empty store."""
    script = read(story)
    policy = load(script.policy or POLICIES)
    clock = clock_for(script, policy)
    return await Player(script, database, STAGES[surface](policy, clock.now), clock).play()


def essence(transcript: Transcript) -> list[tuple[object, ...]]:
    """What must be the same on every surface: who did what, when, to what effect, for which practice."""
    return [
        (each.at, each.actor, each.action, each.subject, each.after, each.practices)
        for each in transcript.evidence
        if not each.action.startswith("notice.")
    ]


_told: dict[Path, list[tuple[object, ...]]] = {}


@pytest.mark.parametrize("surface", STAGES)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.stem)
async def test_the_story_holds_and_leaves_the_same_evidence(
    story: Path, surface: str, sqlite: Database
) -> None:
    transcript = await play(story, surface, sqlite)
    assert not transcript.failures, transcript.as_text()
    assert any(each.kind == "expected" for each in transcript.entries), (
        "a story that expects nothing shows nothing"
    )
    # Compared with the first surface on which this process played it: the evidence is the contract.
    assert essence(transcript) == _told.setdefault(story, essence(transcript))


async def test_the_worked_example_leaves_the_same_ledger_on_postgresql(database: Database) -> None:
    transcript = await play(Path(__file__).parent / "worked-example.rehearsal", "console", database)
    assert not transcript.failures, transcript.as_text()
    told = _told.setdefault(Path("worked-example on both stores"), essence(transcript))
    assert essence(transcript) == told
