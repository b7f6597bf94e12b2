"""Can a person without the product read the appraisal pack, and check it with a bare Python?"""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from zipfile import ZipFile

import pytest

from bot.pack import Packed, pack
from tests.running.test_restoring import Desk

HOSTILE = "=HYPERLINK(\"http://x\") <script>alert(1)</script> 'quoted'"


@pytest.fixture(autouse=True)
def _tables(sqlite_template: bytes) -> None:
    Desk.tables = sqlite_template


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk where something was said."""
    made = Desk(tmp_path / "desk")
    made.say("staff", f"request new question {HOSTILE}")
    made.say("agent", "request take REQ-1")
    made.house.sign()
    yield made
    made.house.database.close()


def unpacked(desk: Desk, folder: Path) -> tuple[Packed, Path]:
    """A pack, and the empty folder that it was unpacked to."""
    folder.mkdir()
    packed = pack(desk.house, folder.parent / f"{folder.name}.zip")
    with ZipFile(folder.parent / f"{folder.name}.zip") as archive:
        archive.extractall(folder)
    return packed, folder / "evidence"


def bare(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What the verifier says in a Python that has nothing but its own library."""
    python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    command = [str(python), "-I", "-S", "deskbell_verify.py", "ledger.jsonl", *arguments]
    return subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, check=False)


def test_a_bare_python_checks_the_pack(desk: Desk, tmp_path: Path) -> None:
    packed, folder = unpacked(desk, tmp_path / "pack")
    told = bare(folder, "--key", packed.key, "--checkpoint", str(min((folder / "checkpoints").iterdir())))
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith(f"Good: {packed.records} entries")
    ledger = (folder / "ledger.jsonl").read_text(encoding="utf-8")
    (folder / "ledger.jsonl").write_text(ledger.replace("request.taken", "request.given"), encoding="utf-8")
    assert bare(folder).returncode == 1
    with_other_signature = ledger.replace('"checkpoint":"', '"checkpoint":"x')
    (folder / "ledger.jsonl").write_text(with_other_signature, encoding="utf-8")
    assert bare(folder).returncode == 1


def test_what_was_erased_is_not_in_the_pack_and_the_rest_still_verifies(desk: Desk, tmp_path: Path) -> None:
    desk.erase("staff")
    packed, folder = unpacked(desk, tmp_path / "pack")
    assert not [path for path in folder.rglob("*") if path.is_file() and b"HYPERLINK" in path.read_bytes()]
    told = bare(folder, "--key", packed.key)
    assert told.returncode == 0
    assert " 0 erased" not in told.stdout


class _Page(HTMLParser):
    """What a page holds: its tags, its links, its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("href", "src") and value]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_index_can_be_read_has_no_script_and_leads_nowhere_else(desk: Desk, tmp_path: Path) -> None:
    packed, folder = unpacked(desk, tmp_path / "pack")
    page = _Page()
    page.feed((folder / "index.html").read_text(encoding="utf-8"))
    assert not page.tags & {"script", "iframe", "object", "link", "img"}
    assert page.links
    assert all((folder / link).is_file() for link in page.links)
    assert packed.key in page.text
    assert "not a rating" in page.text
    assert "example history" not in page.text


def test_the_records_are_a_table_without_formulas(desk: Desk, tmp_path: Path) -> None:
    packed, folder = unpacked(desk, tmp_path / "pack")
    with (folder / "records.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == packed.records
    assert rows[0]["who"] == "Sam Staff"
    assert HOSTILE in rows[0]["words"]
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
