"""The appraisal pack as an appraiser meets it: unpacked, opened from a folder, read and checked without a network."""

from __future__ import annotations

import csv
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from playwright.sync_api import Browser, Page

from bot.pack import pack
from tests.browser.test_pages import DESK, PHONE
from tests.running.test_restoring import Desk

BARE = Path(sys.base_prefix) / "bin" / "python3"
"""The Python that the environment was made from, which has never heard of the product."""


@pytest.fixture
def folder(sqlite_template: bytes, tmp_path: Path) -> Path:
    """A pack of a desk where something was said, unpacked."""
    Desk.tables = sqlite_template
    made = Desk(tmp_path / "desk")
    made.say("staff", "request new question <b>why</b> does it rain?")
    made.house.sign()
    made.say("agent", "request take REQ-1")
    pack(made.house, tmp_path / "pack.zip")
    made.house.database.close()
    with ZipFile(tmp_path / "pack.zip") as archive:
        archive.extractall(tmp_path / "read")
    shutil.rmtree(tmp_path / "desk")
    return tmp_path / "read" / "evidence"


@pytest.fixture
def index(browser: Browser, folder: Path) -> Iterator[Page]:
    """The pack's first page, in a browser without a network; it may ask for nothing but files of the pack."""
    asked: list[str] = []
    with browser.new_context(bypass_csp=True, accept_downloads=True) as context:
        context.set_offline(True)
        context.set_default_timeout(8_000)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto((folder / "index.html").as_uri())
        yield page
    assert [url for url in asked if not url.startswith(folder.as_uri())] == []


def test_the_pack_is_read_and_checked_without_the_product(
    index: Page, folder: Path, tmp_path: Path, faults_of: Callable[[Page], list[str]]
) -> None:
    for size, colours in ((DESK, "light"), (PHONE, "dark")):
        index.set_viewport_size(size)
        index.emulate_media(color_scheme="dark" if colours == "dark" else "light")
        found = faults_of(index)
        assert not found, "\n".join(found)
        assert index.evaluate("document.documentElement.scrollWidth") <= size["width"]
    command = shlex.split(index.locator("pre").inner_text())

    with index.expect_download() as saved:  # a browser hands tables over, it does not show them
        index.get_by_role("link", name="records.csv").click()
    saved.value.save_as(tmp_path / "saved.csv")
    with (tmp_path / "saved.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert "<b>why</b> does it rain?" in rows[0]["words"]

    checkpoints = index.get_by_role("link", name="checkpoints/")
    path = checkpoints.get_attribute("href")
    assert path
    checkpoints.click()
    assert index.get_by_text("/ledger").first.is_visible()
    assert index.inner_text("body").strip() == (folder / path).read_text(encoding="utf-8").strip()

    told = subprocess.run(
        [str(BARE), "-I", "-S", *command[1:], "--checkpoint", path],
        cwd=folder, env={}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (told.returncode, told.stderr) == (0, ""), "the very words of the page, in a bare Python"
    assert told.stdout.startswith(f"Good: {len(rows)} entries")
