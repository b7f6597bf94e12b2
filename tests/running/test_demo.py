"""Is example history made by the desk itself, the same for a seed, marked, and kept away from what really happened?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.demo import NotEmpty, Played, play
from bot.demo.stories import MIX
from config.loading import load
from storage import migrations
from storage.database import Database
from storage.repositories.flow import EXAMPLE
from storage.unit_of_work import Records
from tests.harness.house import POLICIES

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)


def played(path: Path, seed: int, days: int = 14, tickets: int = 15) -> tuple[Database, Played]:
    """A short history in a store of its own."""
    database = Database(f"sqlite:///{path}")
    migrations.upgrade(database)
    made = play(database, load(POLICIES), NOW, tickets, seed, timedelta(days=days))
    return database, made


def told(database: Database) -> list[tuple[object, ...]]:
    """What the ledger tells, but for the salts of people's words."""
    with database.reading() as session:
        return [
            (each.at, each.actor, each.action, each.subject, each.after)
            for each in Records(session).ledger.records()
        ]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Database, Played]:
    """One history, to look at."""
    return played(tmp_path_factory.mktemp("demo") / "desk.db", 7)


def test_history_is_played_and_its_ledger_holds(history: tuple[Database, Played]) -> None:
    database, made = history
    with database.reading() as session:
        records = Records(session)
        assert records.ledger.verify().good
        assert records.ledger.head().size == made.records
        assert records.outbox.listed(["pending", "retry", "sending"]) == []
        assert records.coverage.tallies() == records.coverage.recount("Europe/Berlin")
    actions = {action for _, _, action, *_ in told(database)}
    assert {"request.received", "request.taken", "request.fulfilled", "sla.promised"} <= actions
    # Somebody else may have been quicker, or a draw out of place; most of what people say must make sense.
    assert sum(made.refused.values()) <= made.records // 50, made.refused


def test_the_first_record_says_that_nothing_of_it_happened(history: tuple[Database, Played]) -> None:
    database, _ = history
    assert told(database)[0][2] == "example_history.begun"
    with database.reading() as session:
        fact = Records(session).facts.get(EXAMPLE)
        assert fact
        assert fact["seed"] == 7


def test_a_seed_gives_one_history(history: tuple[Database, Played], tmp_path: Path) -> None:
    again, _ = played(tmp_path / "again.db", 7)
    assert told(again) == told(history[0])


def test_where_anything_was_said_nothing_is_made_up(history: tuple[Database, Played]) -> None:
    before = told(history[0])
    with pytest.raises(NotEmpty, match="never mixed"):
        play(history[0], load(POLICIES), NOW, 1)
    assert told(history[0]) == before


def test_the_shares_of_all_stories_are_the_whole() -> None:
    assert sum(share for share, _ in MIX) == pytest.approx(1)
