"""Does a backup that is put back bring nothing back that was to be gone, and sign nothing that contradicts?"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from bot.backup import NotPossible, back_up, let_go, put_back
from bot.checkpoints import CheckpointRefused
from bot.clock import VirtualClock
from bot.erasures import FILE
from bot.wiring import House
from config.settings import Settings
from handlers.messages import Command, Place, Reply, Sender, Tone
from handlers.rules.ledger import Record
from storage import sqlite
from storage.unit_of_work import Records
from tests.harness.house import MONDAY, _prepare
from tests.harness.postgres import PostgresServer

WORDS = "a very private remark"


class Desk:
    """A house of its own in a folder, and people who talk to it."""

    tables: bytes
    """An SQLite file with every table and nothing in them, which saves the time to make them."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.home = folder
        if url is None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "desk.db").write_bytes(self.tables)
        given: dict[str, Any] = {
            "DESKBELL_HOME": folder,
            "DATABASE_URL": url or f"sqlite:///{folder / 'desk.db'}",
        }
        self.house = House(Settings(**given, _env_file=None), VirtualClock(MONDAY))

    def say(self, person: str, line: str) -> Reply:
        return self.hear(Sender(platform="console", user=person), line)

    def hear(self, sender: Sender, line: str) -> Reply:
        place = Place(platform=sender.platform, channel="C1", direct=True)
        return self.house.dispatcher.run(Command(line=line, sender=sender, place=place, key=uuid4().hex))

    def evidence(self) -> list[Record]:
        with self.house.database.reading() as session:
            return list(Records(session).ledger.records())

    def everything(self) -> str:
        """All that its store holds, and all that its files on the disk do."""
        with self.house.database.engine.connect() as connection:
            tables = self.house.database.engine.dialect.get_table_names(connection)
            rows = [str(connection.execute(text(f'SELECT * FROM "{name}"')).all()) for name in tables]
        files = [
            path.read_bytes().decode("utf-8", "replace") for path in self.home.rglob("*") if path.is_file()
        ]
        return "\n".join([*rows, *files])

    def actions(self, subject: str) -> list[str]:
        return [each.action for each in self.evidence() if each.subject == subject]

    def erase(self, person: str) -> None:
        assert self.say("owner", f"privacy erase @{person}").tone is Tone.GOOD
        self.house.sign(only_if_due=False)


@pytest.fixture(autouse=True)
def _tables(sqlite_template: bytes) -> None:
    Desk.tables = sqlite_template


@pytest.fixture
def original(tmp_path: Path) -> Iterator[Desk]:
    """A desk that was told something private."""
    made = Desk(tmp_path / "original")
    made.say("staff", f"request new question {WORDS}")
    made.say("staff", f"request comment REQ-1 {WORDS} again")
    made.say("agent", "request comment REQ-1 what others wrote stays")
    yield made
    made.house.database.close()


@pytest.fixture
def older(original: Desk, tmp_path: Path) -> Path:
    """A backup of it, from before anybody was erased."""
    back_up(original.house, tmp_path / "older.zip")
    return tmp_path / "older.zip"


@pytest.fixture(params=["sqlite", "postgresql"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """Another place, with an empty store of either kind."""
    if request.param == "sqlite":
        found = Desk(tmp_path / "other")
        yield found
        found.house.database.close()
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database(server.template("desk", _prepare)) as url:
        found = Desk(tmp_path / "other", url.replace("postgresql+psycopg://", "postgresql://"))
        yield found
        found.house.database.close()


def carry_the_list(original: Desk, other: Desk) -> None:
    """What one does who has kept it beside the checkpoints."""
    other.home.mkdir(parents=True, exist_ok=True)
    shutil.copy(original.home / FILE, other.home / FILE)


def test_what_is_signed_while_a_copy_is_packed_is_not_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path / "original")
    desk.say("staff", 'request new question "Is it open?"')
    copy_to = desk.house.database.copy_to

    def and_goes_on(path: Path) -> None:
        copy_to(path)
        desk.say("staff", "request comment REQ-1 after the copy")
        assert desk.house.sign(only_if_due=False)

    monkeypatch.setattr(desk.house.database, "copy_to", and_goes_on)
    back_up(desk.house, tmp_path / "copy.zip")
    copy = Desk(tmp_path / "copy")
    assert "the ledger holds" in put_back(copy.house, tmp_path / "copy.zip")
    assert len(copy.evidence()) < len(desk.evidence())


def test_an_older_backup_does_not_bring_back_what_was_erased_since(
    original: Desk, older: Path, other: Desk
) -> None:
    original.erase("staff")
    carry_the_list(original, other)
    assert "1 who were erased since the backup were erased again" in put_back(other.house, older)
    assert WORDS not in other.everything()
    assert "what others wrote stays" in other.everything()
    assert other.actions("staff") == ["person.erased"]
    assert other.house.verify().good
    assert "This copy is the desk now" in let_go(other.house)
    assert other.actions("staff") == ["person.erased"], "once is enough"


def test_without_the_list_nobody_knows_of_it(original: Desk, older: Path, tmp_path: Path) -> None:
    """Which is why it is kept elsewhere, as the checkpoints are."""
    original.erase("staff")
    copy = Desk(tmp_path / "copy")
    put_back(copy.house, older)
    assert WORDS in copy.everything()
    carry_the_list(original, copy)
    let_go(copy.house)
    assert WORDS not in copy.everything()
    copy.house.database.close()


def test_a_backup_that_knows_of_the_erasure_is_left_as_it_is(original: Desk, tmp_path: Path) -> None:
    original.erase("staff")
    back_up(original.house, tmp_path / "newer.zip")
    copy = Desk(tmp_path / "copy")
    assert "erased again" not in put_back(copy.house, tmp_path / "newer.zip")
    assert copy.actions("staff") == ["person.erased"]
    assert (copy.home / FILE).read_bytes() == (original.home / FILE).read_bytes()
    copy.house.database.close()


def test_accounts_that_were_joined_after_the_backup_are_both_erased(
    original: Desk, other: Desk, tmp_path: Path
) -> None:
    on_slack = Sender(platform="slack", workspace="T1", user="U1", name="Nina Neumann")
    on_discord = Sender(platform="discord", workspace="1", user="2", name="nini")
    original.house.dispatcher.platforms = ("slack", "discord", "console")
    for sender in (on_slack, on_discord):
        original.hear(sender, f"request new question {WORDS} from {sender.platform} anyway:yes")
    back_up(original.house, tmp_path / "before.zip")
    code = str(original.hear(on_slack, "desk link").text[-1]).rpartition(" ")[2]
    assert original.hear(on_discord, f"desk link {code}").tone is Tone.GOOD
    (person,) = {record.subject for record in original.evidence() if record.action == "person.linked"}
    original.erase(person)
    carry_the_list(original, other)
    put_back(other.house, tmp_path / "before.zip")
    found = other.everything()
    for gone in ("from slack", "from discord", "Nina Neumann", "nini"):
        assert gone not in found


def test_the_list_is_for_the_desk_alone_and_holds_each_erasure_once(original: Desk) -> None:
    original.erase("staff")
    original.erase("agent")
    original.house.sign(only_if_due=False)
    listed = original.home / FILE
    assert listed.stat().st_mode & 0o777 == 0o600
    assert [json.loads(line)["people"] for line in listed.read_text().splitlines()] == [["staff"], ["agent"]]
    assert WORDS not in original.everything(), "neither in the store nor in a file beside it"


def test_a_list_that_cannot_be_read_is_said_before_anything_is_changed(
    original: Desk, older: Path, tmp_path: Path
) -> None:
    copy = Desk(tmp_path / "copy")
    (copy.home / FILE).write_text('{"record": "x"}\n', encoding="utf-8")
    with pytest.raises(NotPossible, match="line 1 is no erasure"):
        put_back(copy.house, older)
    assert not (copy.home / "ledger.key").exists()
    copy.house.database.close()


def test_an_older_backup_in_the_same_home_leaves_the_last_checkpoint_and_nothing_contradicts_it(
    original: Desk, older: Path
) -> None:
    """The store is lost, the home with its key and checkpoints is not."""
    original.say("staff", "request new question and one more? anyway:yes")
    original.erase("staff")
    signed = {path.name: path.read_bytes() for path in (original.home / "checkpoints").iterdir()}
    original.house.database.close()
    for path in original.home.glob("desk.db*"):
        path.unlink()
    again = Desk(original.home)
    with pytest.raises(NotPossible, match="older than its evidence") as said:
        put_back(again.house, older)
    assert "move " in str(said.value)
    assert {path.name: path.read_bytes() for path in (original.home / "checkpoints").iterdir()} == signed
    assert WORDS not in again.everything()
    for line in ("request new question one? anyway:yes", "request new question two? anyway:yes"):
        again.say("staff", line)
    with pytest.raises(CheckpointRefused):
        again.house.sign(only_if_due=False)
    again.house.database.close()


def test_a_copy_in_the_home_of_the_original_goes_on_signing_with_its_key(original: Desk, older: Path) -> None:
    """As when one moves from one store to another."""
    moved = Desk(
        original.home, f"sqlite:///{original.home / 'moved.db'}"
    )  # without its tables: they are made
    put_back(moved.house, older)
    moved.say("staff", "request new question one? anyway:yes")
    assert moved.house.sign(only_if_due=False)
    assert moved.house.verify().good
    moved.house.database.close()


@pytest.mark.skipif(sqlite.journal != "WAL", reason="there is no log")
def test_a_backup_holds_what_only_the_log_does_and_leaves_no_file_behind(
    original: Desk, tmp_path: Path
) -> None:
    log = original.home / "desk.db-wal"
    assert log.stat().st_size > 0, "the requests were not written into the file yet"
    before = {path.name for path in original.home.iterdir()}
    back_up(original.house, tmp_path / "desk.zip")
    assert {path.name for path in original.home.iterdir()} - before <= {
        "checkpoints",
        "ledger.key",
        "ledger.pub",
    }
    copy = Desk(tmp_path / "copy")
    put_back(copy.house, tmp_path / "desk.zip")
    assert WORDS in copy.everything()
    copy.house.database.close()
