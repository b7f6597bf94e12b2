"""axe-core, the usual judge of a page's accessibility, fetched once by npm into `.browser/`."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from playwright.sync_api import Page

CACHE = Path(__file__).parents[2] / ".browser"
VERSION = "4.10.3"
SHA256 = "0f2b4d7dcdf7d1219df8d1959ad68e565f51d14c3f0d88bb71cd59abeb956292"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def _script() -> str | None:
    """axe's own script; None where npm is missing and it was never fetched."""
    kept = CACHE / f"axe-{VERSION}.js"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "axe-lock"), tempfile.TemporaryDirectory(dir=CACHE) as work:
        npm = shutil.which("npm")
        if not kept.exists() and npm:
            command = [npm, "pack", "--silent", f"axe-core@{VERSION}"]
            subprocess.run(command, cwd=work, check=True, capture_output=True, stdin=subprocess.DEVNULL)
            archive = next(Path(work).glob("*.tgz"))
            assert hashlib.sha256(archive.read_bytes()).hexdigest() == SHA256, "npm gave another axe-core"
            with tarfile.open(archive) as package:
                member = package.extractfile("package/axe.min.js")
                assert member is not None
                (Path(work) / "axe.js").write_bytes(member.read())
            (Path(work) / "axe.js").rename(kept)
    return kept.read_text() if kept.exists() else None


@pytest.fixture(scope="session")
def faults_of() -> Callable[[Page], list[str]]:
    """What axe finds wrong with a page, as `rule: element` lines."""
    script = _script()
    if script is None:
        pytest.skip("axe-core is not here, and there is no npm to fetch it with")

    def judge(page: Page) -> list[str]:
        page.evaluate(script)
        found = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
        return [
            f"{rule['id']}: {node['html'][:160]}" for rule in found["violations"] for node in rule["nodes"]
        ]

    return judge
