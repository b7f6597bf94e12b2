"""The pages for tests: over HTTP without a wire, and on a wire for a real browser."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from bot.clock import VirtualClock
from bot.rehearsal import clock_for
from bot.rehearsal.player import Player
from bot.rehearsal.script import read
from bot.rehearsal.stage import RoomInMemory
from bot.tokens import Tokens
from bot.web.changes import ChangePages
from bot.web.doors import Doors
from bot.web.pages import Pages
from bot.web.special import special
from config.policy import Policy
from handlers.messages import flat
from storage.database import Database
from tests.harness.house import Talk

URL = "https://desk.example.org"
TOKENS = Tokens(b"a made-up secret of forty characters ...")
DRILL = Path(__file__).parents[1] / "scenarios" / "drill.rehearsal"


def site(talk: Talk, url: str) -> Starlette:
    """The pages of a desk, which from then on gives links to them."""
    talk.dispatcher._feed = lambda name: (
        f"{url}/desk/{name}.{TOKENS.of(name)}" if name.startswith("enter/") else f"{url}/feeds/{name}.ics"
    )
    now = talk.clock.now
    changes = ChangePages(lambda: talk.policy, talk.database, TOKENS, now)
    pages = Pages(talk.dispatcher, Doors(talk.database, TOKENS, now, url), now, special(changes))
    return Starlette(routes=pages.routes())


def client(talk: Talk, url: str = URL) -> httpx.AsyncClient:
    """A browser without a wire."""
    own = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=site(talk, url)), base_url=url, headers=own)


def link(talk: Talk, person: str) -> str:
    """The path of a fresh link for somebody."""
    return urlsplit(flat(talk.say(person, "desk web").text).split()[0]).path


@contextmanager
def on_a_wire(talk: Talk) -> Iterator[str]:
    """The pages on a port of this machine; yields their address."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(
        uvicorn.Config(site(talk, url), log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield url
    server.should_exit = True
    thread.join(timeout=20)


@pytest.fixture(scope="session")
def drilled_store(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: bytes, policy: Policy
) -> tuple[bytes, datetime]:
    """The store of a desk that has rehearsed the loss of its mail, with a few tickets besides; and what time it is."""
    path = tmp_path_factory.mktemp("drilled") / "desk.db"
    path.write_bytes(sqlite_template)
    database = Database(f"sqlite:///{path}")
    script = read(DRILL)
    clock = clock_for(script, policy)
    with ThreadPoolExecutor(1) as apart:  # a browser's loop may be running in this thread
        story = Player(script, database, RoomInMemory(policy), clock)
        played = apart.submit(lambda: asyncio.run(story.play())).result()
    assert not played.failures, played.as_text()
    talk = Talk(database, policy, clock)
    talk.say("staff", "request new question question:“Where is <b>the</b> price list?”")
    talk.say("agent", "request take REQ-1")
    talk.wait(hours=2)
    talk.say("agent", "request fulfil REQ-1 “On the intranet”")
    talk.say("staff", "request new question question:“How do I print on both sides?”")
    database.close()
    return path.read_bytes(), clock.now()


@pytest.fixture
def after_drill(drilled_store: tuple[bytes, datetime], tmp_path: Path, policy: Policy) -> Iterator[Talk]:
    """That desk."""
    store, now = drilled_store
    path = tmp_path / "drilled.db"
    path.write_bytes(store)
    database = Database(f"sqlite:///{path}")
    yield Talk(database, policy, VirtualClock(now))
    database.close()
