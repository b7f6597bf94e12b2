"""Does the same story leave the same evidence on both stores, to the last hash?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from bot.clock import VirtualClock
from config.policy import Policy
from storage.database import Database
from storage.unit_of_work import Records
from tests.architecture.test_commands import STORY
from tests.harness.house import MONDAY, Talk, _prepare
from tests.harness.postgres import PostgresServer
from tests.survival.conftest import sized

TOLD = STORY[: sized(40, len(STORY))]


@pytest.fixture
def both(
    postgres_server: PostgresServer, tmp_path: Path, sqlite_template: bytes
) -> Iterator[tuple[Database, Database]]:
    """One store of either kind."""
    (tmp_path / "desk.db").write_bytes(sqlite_template)
    with postgres_server.database(postgres_server.template("desk", _prepare)) as url:
        found = Database(f"sqlite:///{tmp_path / 'desk.db'}"), Database(url)
        yield found
        for each in found:
            each.close()


def _counted() -> Callable[[int], bytes]:
    numbers = count()
    return lambda size: next(numbers).to_bytes(size, "big")


def _next_of(numbers: Iterator[int]) -> str:
    return f"c{next(numbers)}"


def test_the_same_story_is_the_same_ledger_on_both_stores(
    both: tuple[Database, Database], policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    for database in both:
        # What is else drawn by chance: the salts, and the references of commands.
        monkeypatch.setattr(os, "urandom", _counted())
        talk = Talk(database, policy, VirtualClock(MONDAY))
        references = count()
        monkeypatch.setattr(talk.dispatcher, "_new_reference", partial(_next_of, references))
        for number, (person, line) in enumerate(TOLD):
            talk.say(person, line)
            if number % 25 == 0:
                talk.wait(minutes=30)
        monkeypatch.undo()
        with database.reading() as session:
            rows = list(Records(session).ledger.rows())
        told.append([(row.seq, row.action, row.subject, row.hash) for row in rows])
    assert len(told[0]) > len(TOLD)
    for one, other in zip(*told, strict=False):
        assert one == other
    assert len(told[0]) == len(told[1])
