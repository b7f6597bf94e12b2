"""The program as people run it: a process of its own, with nothing in its environment but what a test says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

PROGRAM = [str(Path(sys.executable).with_name("deskbell"))]
_PATIENCE = 60.0  # seconds; a busy machine takes ten over what an idle one does in two


class Program:
    """`deskbell` with one folder and one environment."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.environment = {
            "PATH": os.environ["PATH"],
            "DESKBELL_HOME": str(self.home),
            "PORT": "0",
            "COLUMNS": "200",
            **environment,
        }

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            stdin=subprocess.DEVNULL,
        )

    def succeed(self, *arguments: str) -> str:
        """Run a command that must succeed, and give what it printed."""
        ended = self.run(*arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    @contextmanager
    def serving(self) -> Iterator[Serving]:
        """`deskbell serve`, ready; killed at the end if it still runs."""
        process = subprocess.Popen(
            [*PROGRAM, "serve"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running = Serving(process)
        try:
            running.wait_for(r"The desk is open: (\S+)")
            yield running
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            running.reader.join()


class Serving:
    """A running desk, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as said:
            self.lines.extend(iter(said.readline, ""))

    @property
    def said(self) -> str:
        """Everything it has said."""
        return "".join(list(self.lines))

    @property
    def address(self) -> str:
        """Where it listens."""
        return self.wait_for(r"The desk is open: (\S+)")[1]

    def get(self, path: str) -> httpx.Response:
        """Ask it over HTTP."""
        return httpx.get(f"{self.address}{path}", timeout=10)

    def metrics(self) -> Mapping[str, float]:
        """What it measures, by name and labels."""
        lines = [line for line in self.get("/metrics").text.splitlines() if not line.startswith("#")]
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}

    def wait_for(self, wanted: str) -> re.Match[str]:
        """Wait until it has said something that a pattern matches."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            match = re.search(wanted, self.said)
            found.extend([match] if match else [])
            assert match or self.process.poll() is None, self.said
            return match is not None

        wait_until(look, lambda: f"nobody said {wanted!r}: {self.said}")
        return found[0]

    def stop(self) -> tuple[int, float]:
        """Tell it to end, and give its exit code and how many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=_PATIENCE)
        self.reader.join()
        return code, time.monotonic() - began


def wait_until(true: Callable[[], bool], otherwise: Callable[[], str] = str) -> None:
    """Look again and again until something in another process is so."""
    pause, until = threading.Event(), time.monotonic() + _PATIENCE
    while not true():
        assert time.monotonic() < until, otherwise()
        pause.wait(0.05)
