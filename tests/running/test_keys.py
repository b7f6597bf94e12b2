"""Are keys changed so that an outsider sees one ledger, no token is lost before its time, and nobody hears a secret?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from bot.backup import NotPossible, back_up, put_back
from bot.clock import VirtualClock
from bot.wiring import House, build
from config.settings import Settings
from storage.database import Database
from tests.harness.house import MONDAY
from tests.running.program import Program, wait_until


@pytest.fixture
def house_at(database: Database) -> Iterator[Callable[[Path], House]]:
    """Makes the parts of one process, on one store and a home."""
    made: list[House] = []

    def make(home: Path) -> House:
        home.mkdir(exist_ok=True)
        given: dict[str, Any] = {
            "DESKBELL_HOME": home,
            "DATABASE_URL": database.url.render_as_string(hide_password=False),
        }
        made.append(build(Settings(**given, _env_file=None), VirtualClock(MONDAY)))
        return made[-1]

    yield make
    for each in made:
        each.database.close()


def test_of_several_first_processes_one_names_the_ledger_and_makes_its_key(
    house_at: Callable[[Path], House], tmp_path: Path
) -> None:
    """Each has read that nobody has named it yet, and would call it otherwise."""
    houses = [house_at(tmp_path / "home") for _ in range(6)]
    ready = Barrier(len(houses))

    def begin(number: int) -> tuple[object, str]:
        assert houses[number].fact("ledger-origin") is None
        ready.wait()
        name = houses[number].settle("ledger-origin", f"desk-{number}/ledger")
        return name, houses[number].notary.verifier.line()

    with ThreadPoolExecutor(len(houses)) as pool:
        ((name, key),) = set(pool.map(begin, range(len(houses))))
    assert key.startswith(f"{name}+")


def test_a_copy_carries_every_key_and_an_older_one_brings_no_old_key_back(
    house_at: Callable[[Path], House], tmp_path: Path
) -> None:
    house = house_at(tmp_path / "home")
    old = house.notary.verifier.line()
    house.change_key()
    back_up(house, tmp_path / "older.zip")
    older = (tmp_path / "home" / "ledger.key").read_text()
    new = house.change_key()
    back_up(house, tmp_path / "copy.zip")

    copy = Settings(DESKBELL_HOME=tmp_path / "other", _env_file=None)
    other = build(copy, VirtualClock(MONDAY))
    assert "the ledger holds with 2 records" in put_back(other, tmp_path / "copy.zip")
    other.export(tmp_path / "export")
    for line in (old, new):
        checked = [sys.executable, "-I", str(tmp_path / "deskbell_verify.py"), str(tmp_path / "export")]
        ended = subprocess.run([*checked, "--key", line], capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    other.database.close()

    (tmp_path / "other" / "deskbell.db").unlink()
    again = build(copy, VirtualClock(MONDAY))
    with pytest.raises(NotPossible, match="older than its evidence"):
        put_back(again, tmp_path / "older.zip")
    assert older != (tmp_path / "home" / "ledger.key").read_text()
    assert (tmp_path / "other" / "ledger.key").read_text() == (tmp_path / "home" / "ledger.key").read_text()
    again.database.close()


def test_the_operator_changes_both_while_the_desk_runs_and_hears_no_secret(tmp_path: Path) -> None:
    program = Program(tmp_path, DESKBELL_LOG_LEVEL="debug")
    with program.serving() as desk:
        keys = [program.home / name for name in ("ledger.key", "secret.key")]
        wait_until(lambda: all(key.exists() for key in keys), lambda: desk.said)  # made when first needed
        before = {key.name: key.read_text() for key in keys}
        told = program.run("keys", "rotate")
        assert told.returncode == 0, told.stderr
        after = {name: (program.home / name).read_text() for name in before}
        assert all(after[name] != before[name] for name in before)
        assert (program.home / "ledger.pub").read_text().strip() in told.stdout
        assert before["secret.key"].strip() in after["secret.key"]
        target = tmp_path / "export"
        program.succeed("evidence", "export", str(target))
        forgotten = program.run("keys", "forget")
        assert "1 earlier secrets are forgotten" in forgotten.stdout
        assert before["secret.key"].strip() not in (program.home / "secret.key").read_text()
        assert desk.stop()[0] == 0
    everything_said = told.stdout + told.stderr + forgotten.stdout + forgotten.stderr + desk.said
    for name, content in (*before.items(), *after.items()):
        for secret in content.split():
            told_apart = secret.split("+", 4)[-1]  # of PRIVATE+KEY+name+hash+key, which may hold a + itself
            assert len(told_apart) > 20
            assert told_apart not in everything_said, name
    assert "ledger.key_changed" in target.read_text()
    assert "PRIVATE" not in target.read_text()
