"""Every rehearsal beside this file is played on the console, on Slack and on Discord, and leaves the same evidence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from bot.rehearsal import clock_for, rehearse
from bot.rehearsal.player import Player
from bot.rehearsal.script import NotUnderstood, read, require_known
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
    require_known(script, policy)
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


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"wait 3 lightyears", "is not a duration."),
        (b"down 0m", "A duration must be longer than nothing."),
        (b"until someday", "“someday” is not a day."),
        (b"start: the first day", "“the first day” is not a day."),
        (b"sing a song", "“sing a song” means nothing here;"),
        (b"@agnt /request list", "There is no person called “agnt”. Did you mean agent?"),
        (b"@Agent /request list", "There is no person “Agent”. Did you mean agent?"),
        (b'expect not @agnt heard "REQ-1"', "There is no person called “agnt”. Did you mean agent?"),
        (b'expect not #servce-desk shows "REQ-1"', "There is no room called “servce-desk”."),
        (b"@agent in #servce-desk /request list", "There is no room called “servce-desk”."),
        (b'@agnt click REQ-1 "Take"', "There is no person called “agnt”."),
        ("@staff /request new question größer?".encode("latin-1"), "this is not UTF-8"),
    ],
)
def test_whatever_means_nothing_is_told_with_its_file_and_line(
    tmp_path: Path, line: bytes, told: str
) -> None:
    file = tmp_path / "a.rehearsal"
    file.write_bytes(b"# a story\n\n@staff /request list\n" + line + b"\nexpect ledger holds\n")
    with pytest.raises(NotUnderstood) as found:
        rehearse(file)
    assert str(found.value).startswith("a.rehearsal:4: ")
    assert told in str(found.value)


def test_a_moment_that_is_past_fails_where_it_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "a.rehearsal"
    file.write_text("wait 2d\nuntil 2026-11-23 09:30\nexpect ledger holds\n", encoding="utf-8-sig")
    (failed,) = rehearse(file).failures
    assert (failed.line, failed.text) == (2, "until 2026-11-23 09:30: that is past already")
