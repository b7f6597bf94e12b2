"""Desks as processes: born in a nursery or on their own, watched, killed, frozen, and never left behind."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "tests.survival.program"]
PATIENCE = 30.0  # seconds


def wait_until(true: Callable[[], bool], why: Callable[[], str] = str, patience: float = PATIENCE) -> float:
    """Look again and again until something outside is so; gives the seconds that it took."""
    pause, began = threading.Event(), time.monotonic()
    while not true():
        assert time.monotonic() - began < patience, why()
        pause.wait(0.005)
    return time.monotonic() - began


@dataclass
class Desk:
    """One process. `number` is its pid, `code` how it ended (minus the signal), `log` all that it said."""

    number: int
    log: Path
    ended: threading.Event = field(default_factory=threading.Event)
    code: int | None = None

    @property
    def said(self) -> str:
        """All that it said."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def lives(self) -> bool:
        """Whether it runs, or would if it were not frozen."""
        return not self.ended.is_set()

    @property
    def frozen(self) -> bool:
        """Whether it was stopped in the middle of whatever it did."""
        with suppress(psutil.NoSuchProcess):
            return bool(psutil.Process(self.number).status() == psutil.STATUS_STOPPED)
        return False

    def wait_for(self, wanted: str, patience: float = PATIENCE) -> re.Match[str]:
        """Wait until it has said something that a pattern matches. Fails when it ends before."""

        def found() -> bool:
            lived = self.lives
            assert re.search(wanted, self.said) or lived, f"it ended ({self.code}): {self.said[-4000:]}"
            return re.search(wanted, self.said) is not None

        wait_until(found, lambda: f"nobody said {wanted!r}: {self.said[-4000:]}", patience)
        match = re.search(wanted, self.said)
        assert match
        return match

    def wait_ready(self) -> None:
        """Wait until it works."""
        self.wait_for(r'"event": "ready"')

    def is_ready(self) -> bool:
        """Wait until it works; False when it ended before."""
        wait_until(lambda: '"event": "ready"' in self.said or not self.lives, lambda: self.said[-4000:])
        return self.lives

    def send(self, what: signal.Signals) -> None:
        """Give it a signal, if it still lives."""
        if self.lives:
            with suppress(ProcessLookupError, psutil.NoSuchProcess):
                psutil.Process(self.number).send_signal(what)

    def kill(self) -> None:
        """End it without a word, and wait until it is gone."""
        self.send(signal.SIGKILL)
        assert self.ended.wait(PATIENCE), f"{self.number} does not end"

    def stop(self) -> int:
        """Tell it to end, and give its exit code."""
        self.send(signal.SIGTERM)
        assert self.ended.wait(PATIENCE), self.said[-4000:]
        assert self.code is not None
        return self.code


class Nursery:
    """A process that has imported everything and forks desks. They end when it does."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(PROGRAM, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._started: list[int] = []
        self._heard = threading.Condition()
        self._codes: dict[int, int] = {}
        self._desks: dict[int, Desk] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def bear(self, arguments: list[str], environment: Mapping[str, str], folder: Path, log: Path) -> Desk:
        """Start a desk. It runs already when this returns, and may have ended."""
        wanted = {
            "arguments": arguments, "environment": dict(environment), "folder": str(folder), "log": str(log)
        }  # fmt: skip
        log.touch()
        assert self._process.stdin is not None
        with self._heard:
            self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
            self._process.stdin.flush()
            self._heard.wait_for(lambda: self._started or self._process.poll() is not None, PATIENCE)
            assert self._started, "the nursery does not answer"
            desk = Desk(self._started.pop(0), log)
            self._desks[desk.number] = desk
            self._settle(desk.number)
        return desk

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as said:
            for line in said:
                told = json.loads(line)
                with self._heard:
                    if "started" in told:
                        self._started.append(told["started"])
                    else:
                        self._codes[told["ended"]] = told["code"]
                        self._settle(told["ended"])
                    self._heard.notify_all()
        with self._heard:
            self._heard.notify_all()

    def _settle(self, number: int) -> None:
        """Tell a desk that it has ended; the word may come before anybody knows the desk."""
        if number in self._codes and number in self._desks:
            desk = self._desks.pop(number)
            desk.code = self._codes.pop(number)
            desk.ended.set()

    def close(self) -> None:
        """End it and all its desks."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join()


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Lend one, and make sure that nobody outlives it."""
    made = Nursery()
    try:
        yield made
    finally:
        made.close()


def grown_alone(arguments: list[str], environment: Mapping[str, str], folder: Path, log: Path) -> Desk:
    """A desk that begins at the very beginning, as a new process does, imports and all."""
    log.touch()
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=folder,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    desk = Desk(process.pid, log)

    def watch() -> None:
        desk.code = process.wait()
        desk.ended.set()

    threading.Thread(target=watch, daemon=True).start()
    return desk
