"""A real Prometheus Alertmanager for tests: the machine's own, or Debian's package unpacked into `.cache/`."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from filelock import FileLock

PROJECT = Path(__file__).parents[2]
CACHE = PROJECT / ".cache" / "alertmanager"
INSTALLED = ("prometheus-alertmanager", "alertmanager")
PACKAGE = "prometheus-alertmanager"

# Where Debian's build looks for its templates, and the same folder seen from the unpacked package. The second is
# as long as the first, so that it can be written over it and the program runs for people who may install nothing.
THEIRS = b"/usr/share/prometheus/alertmanager"
OURS = b"usr//share/prometheus/alertmanager"

_PATIENCE = 30.0


class AlertmanagerUnavailable(RuntimeError):
    """There is no Alertmanager to test with, and the message says what to do about it."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"There is no Alertmanager for the tests: {reason}\n"
            f"Install it so that `{INSTALLED[0]}` or `{INSTALLED[1]}` is on the PATH "
            f"(on Debian and Ubuntu: apt-get install {PACKAGE}); where apt-get is there, the tests fetch the "
            "package themselves and need no rights for it."
        )


def program() -> tuple[str, Path]:
    """Find Alertmanager, fetching it if there is none: its path, and the folder that it must be started in."""
    for name in INSTALLED:
        path = shutil.which(name)
        if path and _starts(path):
            return path, PROJECT
    unpacked = fetch(CACHE)
    return str(unpacked / "usr" / "bin" / PACKAGE), unpacked


def fetch(cache: Path) -> Path:
    """Unpack Debian's package into `cache`, once, and give the folder that holds it."""
    folder = cache / "unpacked"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "lock"):  # several test processes may want it at once
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache) as work:
                package = _download(Path(work))
                target = Path(work) / "unpacked"
                _run("dpkg-deb", "--extract", str(package), str(target), cwd=Path(work))
                binary = target / "usr" / "bin" / PACKAGE
                binary.write_bytes(binary.read_bytes().replace(THEIRS, OURS))
                target.rename(folder)
    return folder


def _download(work: Path) -> Path:
    """Debian's package, as apt verifies it, fetched with the machine's package lists or else with fresh ones."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise AlertmanagerUnavailable(f"none is installed, and neither is {tool}.")
    try:
        _run("apt-get", "download", PACKAGE, cwd=work)
    except AlertmanagerUnavailable:
        own = [f"--option=Dir::State::lists={work}/lists", f"--option=Dir::Cache={work}/cache"]
        for name in ("lists/partial", "cache/archives/partial"):
            (work / name).mkdir(parents=True)
        _run("apt-get", *own, "update", cwd=work)
        _run("apt-get", *own, "download", PACKAGE, cwd=work)
    found = next(work.glob("*.deb"), None)
    if found is None:
        raise AlertmanagerUnavailable(f"apt-get gave no {PACKAGE}.")
    return found


def _run(*words: str, cwd: Path) -> None:
    ended = subprocess.run(words, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if ended.returncode:
        raise AlertmanagerUnavailable(f"`{' '.join(words)}` said: {ended.stdout}{ended.stderr}")


def _starts(path: str) -> bool:
    return subprocess.run([path, "--version"], capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


class Alertmanager:
    """A running one: tell it what fires and what is over, as Prometheus does."""

    def __init__(self, address: str, said: Path) -> None:
        self.address = address
        self._said = said

    @property
    def said(self) -> str:
        """What it has logged."""
        return self._said.read_text()

    def tell(self, labels: Mapping[str, str], *, over: bool = False, **annotations: str) -> None:
        """Tell it of one alert, which fires or is over."""
        alert: dict[str, object] = {"labels": labels, "annotations": annotations}
        if over:
            alert |= {"startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T00:01:00Z"}
        httpx.post(f"{self.address}/api/v2/alerts", json=[alert]).raise_for_status()


@contextmanager
def alertmanager(folder: Path, configuration: Mapping[str, object]) -> Iterator[Alertmanager]:
    """Start one on a free port with this configuration, and stop it at the end."""
    path, start_in = program()
    file, said = folder / "alertmanager.yml", folder / "alertmanager.log"
    file.write_text(json.dumps(configuration))  # which is YAML, too
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = [
        f"--config.file={file}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=debug",
    ]
    with said.open("w") as log:
        process = subprocess.Popen(
            [path, *arguments], cwd=start_in, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        found = Alertmanager(f"http://127.0.0.1:{port}", said)
        _wait_until_ready(found, process)
        yield found
    finally:
        process.terminate()
        process.wait(timeout=_PATIENCE)


def _wait_until_ready(found: Alertmanager, process: subprocess.Popen[bytes]) -> None:
    pause, until = threading.Event(), time.monotonic() + _PATIENCE
    while True:
        assert process.poll() is None, found.said
        assert time.monotonic() < until, found.said
        try:
            if httpx.get(f"{found.address}/-/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        pause.wait(0.05)
