"""`deskbell` with a fate: the real command line and the real parts, wrapped from outside where they may be struck.

`python -m tests.survival.program serve` runs as `deskbell serve` does, on a clock that a test moves. Alone
(`python -m tests.survival.program`) it is a nursery: it imports everything once, and then, for each line of
JSON on its standard input, becomes the parent of one more desk, by a fork, within a tenth of a second.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, wraps
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlmodel import Session
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import storage.database
from bot import checkpoints, cli, running, serving, wiring
from bot.adapters.port import Adapter, Delivered, Delivery, Result
from bot.courier import Courier
from config.loading import load
from handlers.delivery import Deliveries
from handlers.dispatch import Dispatcher
from storage import migrations
from storage.database import Database
from tests.harness.shared_clock import SharedClock
from tests.survival import points
from tests.survival.points import Fate

CLOCK = "SURVIVAL_CLOCK"
CALL_TIMEOUT = "SURVIVAL_CALL_TIMEOUT"
STORE_PATIENCE = "SURVIVAL_STORE_PATIENCE"

# What a desk imports, and asks another process for, only when it needs it; a forked one need not.
_LATE = (
    "alembic.command",
    "bot.adapters.console.app",
    "bot.adapters.discord.app",
    "bot.adapters.slack.app",
    "bot.erasures",
    "bot.measures",
    "bot.scheduler",
    "bot.web.alerts",
    "bot.web.feeds",
    "bot.web.rest",
    "bot.web.special",
    "handlers.registry",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.httptools_impl",
)
_POLICIES = Path(__file__).parents[2] / "config" / "policies"

_LOOKS = 0.005  # seconds between two looks at the clock, to see whether it was moved
_doing: ContextVar[str] = ContextVar("doing", default="something else")
fate = Fate()


Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]


def _during(what: str) -> Wrap:
    """A method whose transactions are known by what it does."""

    def wrap(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def known(*arguments: Any, **named: Any) -> Any:
            token = _doing.set(what)
            try:
                return method(*arguments, **named)
            finally:
                _doing.reset(token)

        return known

    return wrap


def _struck_house(build: Callable[..., Any]) -> Callable[..., Any]:
    return lambda settings: StruckHouse(settings, SharedClock(Path(os.environ[CLOCK])))


def _answering(create: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *parts, **named: AnsweringApp(create(*parts, **named))


def _striking(write: Callable[..., Any]) -> Callable[..., Any]:
    def written(path: Path, *rest: Any, **named: Any) -> None:
        write(path, *rest, **named)
        if path.name == "latest":
            fate.passes(points.F6)

    return written


WRAPPED: Sequence[tuple[Any, str, Wrap]] = (
    (Dispatcher, "run", _during("command")),
    (Dispatcher, "obey", _during("due")),
    (Deliveries, "claim", _during("claim")),
    (Deliveries, "settle_all", _during("mark")),
    (checkpoints.Notary, "make", _during("checkpoint")),
    (checkpoints, "_write", _striking),
    (migrations, "upgrade", _during("migration")),
    (wiring, "build", _struck_house),
    (serving, "create", _answering),
)
"""What is wrapped, by its owner and name, so that a part which is renamed fails here and is not left out unseen."""


def _rig() -> None:
    for owner, name, wrap in WRAPPED:
        setattr(owner, name, wrap(getattr(owner, name)))


class StruckDatabase(Database):
    """A store whose transactions pass two points, before they commit and behind it.

    A migration passes one with each statement.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)

        @event.listens_for(self.engine, "after_cursor_execute")
        def passed(*_: Any) -> None:
            if _doing.get() == "migration":
                fate.passes(points.MIGRATING)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        doing = _doing.get()
        with fate.quiet.transaction(), super().writing() as session:
            yield session
            fate.passes(f"{doing}: before the commit")
        fate.passes(f"{doing}: committed")

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with fate.quiet.transaction(), super().reading() as session:
            yield session


class StruckAdapter:
    """A platform whose sending passes two points, before the call and when it arrived."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    async def deliver(self, delivery: Delivery) -> Result:
        fate.passes(points.SENDING)
        fate.passes(points.of_kind(points.SENDING, delivery.kind))
        result = await self._adapter.deliver(delivery)
        if isinstance(result, Delivered):
            fate.passes(points.F5)
            fate.passes(points.of_kind(points.F5, delivery.kind))
        return result


class AnsweringApp:
    """The web application, passing a point when an answer to a platform has left."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            await send(message)
            last = message["type"] == "http.response.body" and not message.get("more_body")
            if last and scope.get("method") == "POST":
                fate.passes(points.F3)

        await self._app(scope, receive, sent)


@dataclass
class StruckHouse(wiring.House):
    """A house of the same parts, with those wrapped that may be struck."""

    @cached_property
    def database(self) -> Database:
        return StruckDatabase(self.settings.database_url.get_secret_value())

    @cached_property
    def adapters(self) -> Mapping[str, Any]:
        return {name: StruckAdapter(each) for name, each in super().adapters.items()}

    @cached_property
    def courier(self) -> Courier:
        made = super().courier
        if CALL_TIMEOUT in os.environ:
            made._call_timeout = float(os.environ[CALL_TIMEOUT])
        threading.Thread(target=self._feel_the_clock, daemon=True).start()
        return made

    def _feel_the_clock(self) -> None:
        """Wake what waits for a moment when the clock was moved, as nothing in the world does with a real one."""
        clock = self.clock
        assert isinstance(clock, SharedClock)
        before, pause = clock.setting, threading.Event()
        while not pause.wait(_LOOKS):
            if (now := clock.setting) != before:
                before = now
                self.courier.nudge()
                self.bell.nudge()


def live(arguments: Sequence[str]) -> None:
    """Be a desk until the end of this process."""
    _rig()
    if STORE_PATIENCE in os.environ:
        storage.database._PATIENCE_MS = int(os.environ[STORE_PATIENCE])
    cli.app(list(arguments))


# The nursery --------------------------------------------------------------------------------------


def nurse() -> None:
    """Start a desk for each line `{"arguments": [...], "environment": {...}, "folder": …, "log": …}`.

    Says its number, and later that it has ended. Whoever ends the nursery ends all its desks.
    """
    for each in _LATE:
        import_module(each)
    load(_POLICIES)
    running.spare_what_is_loaded()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    died, tells = os.pipe()
    os.set_blocking(tells, False)
    signal.set_wakeup_fd(tells, warn_on_full_buffer=False)
    waiting, alive = b"", set[int]()
    while True:
        ready, _, _ = select.select([0, died], [], [])
        if died in ready:
            os.read(died, 4096)
        if 0 in ready:
            read = os.read(0, 65536)
            if not read:
                break
            *lines, waiting = (waiting + read).split(b"\n")
            for line in lines:
                alive.add(_fork(json.loads(line)))
        while alive and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            alive.discard(ended[0])
            _tell(ended=ended[0], code=os.waitstatus_to_exitcode(ended[1]))
    for number in alive:
        os.kill(number, signal.SIGKILL)


def _fork(wanted: dict[str, Any]) -> int:
    nursery = os.getpid()
    number = os.fork()
    if number:
        _tell(started=number)
        return number
    code = 70
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: nobody outlives the nursery
        if os.getppid() != nursery:
            os._exit(70)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for each, into in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
            os.dup2(each, into)
        os.chdir(wanted["folder"])
        os.environ.clear()
        os.environ.update(wanted["environment"])
        fate.__init__()  # type: ignore[misc]  # a fate of its own
        live(wanted["arguments"])
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 - it must not go on as a second nursery
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _tell(**what: int) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    live(sys.argv[1:]) if len(sys.argv) > 1 else nurse()
