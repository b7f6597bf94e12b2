"""Copied while it works: is the copy a moment that was, and does it keep silent until it is let go?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import httpx

from storage.database import Database
from storage.models.flow import OutboxRow
from storage.unit_of_work import Records
from tests.survival.audit import on_discord, on_slack
from tests.survival.conftest import on, sized
from tests.survival.desks import Desk, wait_until
from tests.survival.intents import REQUESTERS, Ask
from tests.survival.world import World, free_port

COPIES = sized(1, 5)
APART = (
    sized(250, 0) / 1000
)  # seconds between two requests: each is said in a room that hears one word a second
SILENT = sized(2, 10)  # seconds in which a held copy could have spoken


def run(world: World, *arguments: str, **settings: str) -> Desk:
    """A command, to its end, which is good."""
    desk = world.start(*arguments, settings=settings)
    assert desk.ended.wait(120)
    assert desk.code == 0, desk.said
    return desk


def hashes(database: Database) -> list[str]:
    """Every record of a ledger."""
    with database.reading() as session:
        return [row.hash for row in Records(session).ledger.rows()]


@on("sqlite")
def test_a_copy_made_under_load_is_a_moment_that_was_and_sends_nothing_until_it_is_released(
    world: World, say: Callable[[str], None]
):
    desk = world.start()
    desk.wait_ready()
    asks: list[Ask] = []
    enough = threading.Event()

    def talk() -> None:
        while not enough.wait(APART):
            asks.append(Ask(world, REQUESTERS[len(asks) % 5]))
            asks[-1].say()

    talking, pause = threading.Thread(target=talk), threading.Event()
    talking.start()
    pause.wait(0.5)
    copied = []
    for number in range(COPIES):
        before = len(asks)
        began = time.monotonic()
        run(world, "backup", str(world.folder / f"{number}.zip"))
        copied.append((time.monotonic() - began, len(asks) - before))
    enough.set()
    talking.join()
    for each in asks:
        while not each.acknowledged:
            each.say()
    # What stands in no copy is said here and there; what waits in it must not be said by both.
    world.say("staff", "request comment REQ-1 said before the last copy")
    desk.kill()
    run(world, "backup", str(world.folder / "last.zip"))
    original = hashes(world.database)

    for name in [*(f"{number}" for number in range(COPIES)), "last"]:
        folder = world.folder / f"copy {name}"
        folder.mkdir()
        place = {"DESKBELL_HOME": str(folder), "DATABASE_URL": f"sqlite:///{folder}/desk.db"}
        run(world, "restore", str(world.folder / f"{name}.zip"), **place)
        copy = Database(place["DATABASE_URL"])
        theirs = hashes(copy)
        assert theirs == original[: len(theirs)], (
            "it is a beginning of the original's ledger, and nothing else"
        )
        assert len(theirs) > 1
        run(world, "evidence", "verify", **place)
        copy.close()

    shown = len(on_slack(world)) + len(on_discord(world))
    place["PORT"] = str(free_port())
    held = world.start(settings=place)
    held.wait_ready()
    pause.wait(SILENT)
    assert len(on_slack(world)) + len(on_discord(world)) == shown, "a copy spoke for the original"
    answer = httpx.get(f"http://127.0.0.1:{place['PORT']}/healthz", timeout=10)
    assert answer.status_code == 200
    held.stop()

    run(world, "release", **place)
    copy_world = Database(place["DATABASE_URL"])
    waiting = [row for row in _rows(copy_world) if row.open]
    assert waiting, "there was something to say"
    released = world.start(settings=place)
    released.wait_ready()
    _until_sent(copy_world, patience=30.0 + len(waiting))  # each room hears one word a second
    assert len(on_slack(world)) + len(on_discord(world)) > shown
    released.stop()
    copy_world.close()
    say(
        f"{COPIES} copies under load in {max(seconds for seconds, _ in copied):.1f} s at most, {len(asks)} requests "
        f"meanwhile; a held copy was silent for {SILENT} s and said {len(waiting)} things when it was let go"
    )
    assert sum(heard for _, heard in copied) > 0, "the desk went on hearing"


def _rows(database: Database) -> list[OutboxRow]:
    with database.reading() as session:
        return Records(session).outbox.listed(["pending", "sending", "retry"], 1000)  # type: ignore[return-value]


def _until_sent(database: Database, patience: float) -> None:
    wait_until(lambda: not any(row.open for row in _rows(database)), patience=patience)
