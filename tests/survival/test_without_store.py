"""A minute without the store: does nobody hear a yes that is none, is nothing lost, and does work go on by itself?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import make_url

from bot import gateway
from storage import sqlite
from tests.harness.far_side import FarSide
from tests.harness.postgres import PostgresServer, running_server
from tests.survival import program
from tests.survival.audit import reckon
from tests.survival.conftest import on, prepare, sized
from tests.survival.desks import Nursery, wait_until
from tests.survival.intents import REQUESTERS, Ask
from tests.survival.world import World, discord_user, open_world

AWAY = sized(3, 60)  # seconds
WITHIN = 10.0  # seconds until work goes on
IMPATIENT = {program.STORE_PATIENCE: "1000"}  # milliseconds; ten seconds of it would be most of a short test


class Locked:
    """An SQLite file that somebody else keeps for himself."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._keeper: Any = None

    def take_away(self) -> None:
        path = make_url(self.url).database
        assert path
        self._keeper = sqlite.driver.connect(path, timeout=10, isolation_level=None)
        self._keeper.execute("BEGIN EXCLUSIVE")

    def give_back(self) -> None:
        if self._keeper:
            self._keeper.rollback()
            self._keeper.close()
            self._keeper = None


class Stopped:
    """A PostgreSQL server that is not there from one moment to the other."""

    def __init__(self, url: str, server: PostgresServer) -> None:
        self.url = url
        self._server = server
        self._away = False

    def take_away(self) -> None:
        self._server.stop()
        self._away = True

    def give_back(self) -> None:
        if self._away:
            self._server.resume()
            self._away = False


Store = Locked | Stopped


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of these tests' own, since they stop it."""
    with running_server() as found:
        yield found


@pytest.fixture
def store(kind: str, request: pytest.FixtureRequest, folder: Path, sqlite_template: bytes) -> Iterator[Store]:
    """A store that can be taken away."""
    if kind == "sqlite":
        (folder / "desk.db").write_bytes(sqlite_template)
        yield Locked(f"sqlite:///{folder}/desk.db")
        return
    server: PostgresServer = request.getfixturevalue("server")
    with server.database() as found:
        prepare(found)
        stopped = Stopped(found, server)
        yield stopped
        stopped.give_back()


@pytest.fixture
def world(store: Store, folder: Path, far: FarSide, births: Nursery) -> Iterator[World]:
    """A world on that store."""
    with open_world(folder, store.url, far, births) as found:
        yield found


@on("postgresql")
def test_a_store_that_is_away_makes_no_false_promise_and_loses_nothing(
    world: World, store: Store, say: Callable[[str], None]
):
    desk, pause = world.start(settings=IMPATIENT), threading.Event()
    desk.wait_ready()
    wait_until(lambda: len(world.discord.sessions) == 1)
    asks = [Ask(world, person) for person in REQUESTERS]
    for each in asks:
        each.say()
        assert each.acknowledged

    store.take_away()
    until = time.monotonic() + AWAY
    while time.monotonic() < until:
        asks.append(Ask(world, REQUESTERS[len(asks) % 5]))
        asks[-1].say()
        pause.wait(0.2)
    promised = [each for each in asks[5:] if each.acknowledged]
    ready = httpx.get(f"http://127.0.0.1:{world.port}/readyz", timeout=20).status_code
    healthy = httpx.get(f"http://127.0.0.1:{world.port}/healthz", timeout=20).status_code
    store.give_back()
    back = time.monotonic()
    missed = [each for each in asks if not each.acknowledged]
    while not missed[0].acknowledged:
        missed[0].say()
        pause.wait(0.05)
    heard = time.monotonic() - back
    wait_until(lambda: bool(world.cards("slack", "REQ-6")) and bool(world.cards("discord", "REQ-6")))
    told = time.monotonic() - back
    for each in missed[1:]:
        while not each.acknowledged:  # Slack takes an answer a second, and repeats what it got no room for
            world.clock.move(timedelta(seconds=1))
            each.say()
    world.settle()

    found = reckon(world, asks)
    refusals = sorted({each.statuses[0] for each in missed})
    say(
        f"away {AWAY} s, {len(missed)} events meanwhile, answered {refusals}; heard again after {heard:.1f} s, "
        f"told again after {told:.1f} s; {found}"
    )
    assert promised == []
    assert set(refusals) <= {0, 503}
    assert 503 in refusals
    assert (ready, healthy) == (503, 200)
    assert heard <= WITHIN
    assert told <= WITHIN
    assert desk.lives
    assert found.lost == []
    assert found.done_twice == []
    assert not found.shown_twice


@on("sqlite")
def test_a_gateway_outlives_a_store_that_is_away_for_less_than_its_lease(world: World, store: Store):
    world.say("staff", 'request new question "Who is there?"')
    desk = world.start("worker", settings=IMPATIENT)
    wait_until(lambda: bool(world.cards("discord", "REQ-1")) and bool(world.discord.sessions))
    (card,) = world.cards("discord", "REQ-1")

    store.take_away()
    desk.wait_for("lease of the gateway cannot be renewed")
    interaction = world.far.do(world.discord.click(card, "Take", discord_user("agent")))
    # Not before that is said: the first answer only says that one follows, and the desk still tries to write.
    wait_until(lambda: "cannot write just now" in str(world.discord.answers[interaction]), lambda: desk.said)
    store.give_back()

    assert len(world.discord.identified) == 1
    again = world.far.do(world.discord.click(card, "Take", discord_user("agent")))
    wait_until(lambda: "REQ-1" in str(world.discord.answers[again]), lambda: desk.said)
    assert world.evidence("REQ-1") == ["request.received", "request.taken"]


@on("sqlite")
def test_a_gateway_that_was_let_go_is_taken_up_soon_after_the_store_is_back(
    world: World, store: Store, say: Callable[[str], None]
):
    desk = world.start("worker", settings=IMPATIENT)
    desk.wait_ready()
    wait_until(lambda: bool(world.discord.sessions))
    store.take_away()
    world.clock.move(2 * gateway.LEASE)  # in which another process might have taken it
    wait_until(lambda: not world.discord.sessions)
    threading.Event().wait(AWAY)
    store.give_back()
    seconds = wait_until(lambda: bool(world.discord.sessions))
    say(f"the gateway was held again {seconds:.1f} s after the store was back")
    assert seconds <= WITHIN


@on("sqlite")
def test_a_desk_that_is_told_to_end_while_its_store_is_away_ends(world: World, store: Store):
    desk = world.start(settings=IMPATIENT)
    desk.wait_ready()
    wait_until(lambda: bool(world.discord.sessions))
    store.take_away()
    try:
        assert desk.stop() == 0
    finally:
        store.give_back()
