"""Does a table that was exported hold, cell by cell, what people wrote, and nothing that a spreadsheet would run?"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.pack import pack
from bot.web.rest import as_csv
from handlers import exporting
from handlers.messages import Sender
from tests.running.test_restoring import Desk

RUN = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\uff1d1+1", "'=1", "'quoted'", '"=1"', "a,=b;c")
TEXTS = st.lists(
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1
)


@pytest.fixture(autouse=True)
def _tables(sqlite_template: bytes) -> None:
    Desk.tables = sqlite_template


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk where every text that a person can choose is a formula."""
    made = Desk(tmp_path / "desk")
    for number, text in enumerate(FORMULAS):
        somebody = Sender(platform="console", user="staff", name=text)
        made.hear(somebody, f"request new question anyway:yes “{text}”")
        made.hear(somebody, f"request comment REQ-{number + 1} “{text}”")
        made.hear(somebody, f"incident declare “{text}” service:help impact:low urgency:low")
    yield made
    made.house.database.close()


def as_written(read: str) -> str:
    """A cell without the apostrophe that an export put before it."""
    return read.removeprefix("'")


@given(TEXTS)
@example([*FORMULAS, "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "''", "'"])
def test_any_text_is_read_back_as_it_was_written_and_is_no_formula(texts: list[str]) -> None:
    made = as_csv([{"text": each, "more": [each]} for each in texts], ["text", "more"])
    rows = list(csv.DictReader(io.StringIO(made, newline="")))
    assert [as_written(row["text"]) for row in rows] == texts
    assert not [
        cell for row in rows for cell in row.values() if cell.startswith(RUN) or cell.lstrip().startswith(RUN)
    ]


def test_no_collection_holds_a_formula_in_any_cell(desk: Desk) -> None:
    owner = Sender(platform="console", user="owner")
    told: list[str] = []
    for name in exporting.SCOPES:
        asked = partial(exporting.page, name=name, after=None, at_most=100, service=None)
        made = as_csv(desk.house.dispatcher.ask(owner, asked), exporting.columns(name))
        rows = list(csv.reader(io.StringIO(made, newline="")))
        assert not [cell for row in rows for cell in row if cell.lstrip().startswith(RUN)], name
        told += [as_written(cell) for row in rows for cell in row]
    assert {*FORMULAS} <= {*told}


def test_the_records_of_a_pack_hold_no_formula_in_any_cell(desk: Desk, tmp_path: Path) -> None:
    pack(desk.house, tmp_path / "pack.zip")
    with ZipFile(tmp_path / "pack.zip") as packed:
        for name in [each for each in packed.namelist() if each.endswith(".csv")]:
            rows = list(csv.reader(io.StringIO(packed.read(name).decode("utf-8-sig"), newline="")))
            assert len(rows) > 1
            assert not [cell for row in rows for cell in row if cell.lstrip().startswith(RUN)], name
            if name.endswith("records.csv"):
                words = "\n".join(as_written(row[-1]) for row in rows)
                assert all(text in words for text in FORMULAS)
