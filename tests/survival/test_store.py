"""Crowded, locked or full: does the store lose no change, keep nobody waiting, and work on when it can?"""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import event, make_url, select, text

from bot.clock import VirtualClock
from config.policy import Policy
from storage import sqlite
from storage.database import _WAL_AT_MOST, Database, StoreUnavailable
from storage.models.evidence import EvidenceRow
from storage.models.requests import Request
from storage.postgresql import LIMITS
from storage.unit_of_work import Records
from tests.harness.house import MONDAY, Talk
from tests.survival.audit import reckon
from tests.survival.conftest import FULL, sized
from tests.survival.desks import Desk, wait_until
from tests.survival.intents import REQUESTERS, Ask
from tests.survival.world import World

WAITS_AT_MOST = 3.0  # seconds that somebody waits for an answer, whatever it is
CHANGES = sized(400, 5000)
WRITERS = 8
WITHIN = 10.0  # seconds until work goes on

on_sqlite = pytest.mark.parametrize("kind", ["sqlite"])
on_postgresql = pytest.mark.parametrize("kind", ["postgresql"])


@pytest.fixture
def two(url: str) -> Iterator[tuple[Database, Database]]:
    """One store, as two processes open it."""
    both = Database(url), Database(url)
    yield both
    for each in both:
        each.close()


def count_up(database: Database, times: int) -> float:
    """Read a number and write the next one, so many times; the seconds that it took."""
    began = time.monotonic()
    for _ in range(times):
        with database.writing() as session:
            facts = Records(session).facts
            facts.put("number", int(str(facts.get("number") or 0)) + 1)
    return time.monotonic() - began


@on_sqlite
def test_many_writers_lose_no_change_and_none_is_told_that_the_store_is_busy(
    two: tuple[Database, Database], say: Callable[[str], None]
):
    alone = count_up(two[0], CHANGES)
    began = time.monotonic()
    with ThreadPoolExecutor(WRITERS) as threads:
        list(threads.map(lambda number: count_up(two[number % 2], CHANGES // WRITERS), range(WRITERS)))
    together = time.monotonic() - began
    with two[0].reading() as session:
        counted = Records(session).facts.get("number")
    say(
        f"{CHANGES} changes by {WRITERS} writers in {together:.2f} s, by one in {alone:.2f} s; {counted} counted"
    )
    assert counted == 2 * CHANGES
    if FULL:
        assert together <= alone / 0.6


@on_postgresql
def test_whoever_finds_a_postgresql_row_locked_is_told_so_before_they_give_up(
    two: tuple[Database, Database], say: Callable[[str], None]
):

    def hold() -> None:
        with two[1].writing() as other:
            Records(other).ledger.hold()

    with ThreadPoolExecutor(1) as beside:
        with two[0].writing() as session:
            Records(session).ledger.hold()
            began = time.monotonic()
            waiting = beside.submit(hold)
            told = wait([waiting], 2 * WAITS_AT_MOST).done
            waited = time.monotonic() - began
        assert told, "it waits for as long as the other one works"
    with pytest.raises(StoreUnavailable):
        waiting.result()
    say(f"told after {waited:.1f} s that the ledger is held")
    assert waited <= WAITS_AT_MOST
    hold()


@on_postgresql
def test_postgresql_ends_a_statement_that_nobody_would_wait_for_and_lets_long_work_take_its_time(
    two: tuple[Database, Database],
):
    began = time.monotonic()
    with pytest.raises(StoreUnavailable), two[0].reading() as session:
        session.connection().execute(text("SELECT pg_sleep(60)"))
    assert time.monotonic() - began <= WAITS_AT_MOST
    with two[0].reading() as session:
        connection = session.connection()
        two[0].take_time(connection)
        assert [connection.execute(text(f"SHOW {name}")).scalar() for name in LIMITS] == ["0"] * len(LIMITS)
    with two[0].reading() as session:
        assert "0" not in [session.connection().execute(text(f"SHOW {name}")).scalar() for name in LIMITS]


@on_postgresql
def test_connections_that_the_server_ended_meanwhile_are_not_handed_out(two: tuple[Database, Database]):
    """As it ends them all when it is started anew."""
    desk, operator = two
    with ExitStack() as open_at_once:
        sessions = [open_at_once.enter_context(desk.reading()) for _ in range(3)]
        pids = [
            session.connection().execute(text("SELECT pg_backend_pid()")).scalar() for session in sessions
        ]
    with operator.reading() as session:
        for pid in pids:
            ended = text("SELECT pg_terminate_backend(:pid, 5000)")
            assert session.connection().execute(ended, {"pid": pid}).scalar(), "it is gone"
    for _ in pids:
        with desk.writing() as session:
            Records(session).ledger.hold()


@on_postgresql
def test_a_transaction_that_postgresql_has_ended_is_a_store_that_is_away(two: tuple[Database, Database]):
    """As it ends those of a process that froze, and finds it again later."""

    def freeze() -> None:
        with two[0].writing() as session:
            session.connection().execute(text("SET LOCAL idle_in_transaction_session_timeout = 100"))
            threading.Event().wait(0.5)
            Records(session).ledger.hold()

    with pytest.raises(StoreUnavailable):
        freeze()
    with two[0].writing() as session:
        Records(session).ledger.hold()


@pytest.mark.skipif(sqlite.journal != "WAL", reason="there is no log")
@on_sqlite
def test_a_long_reader_holds_up_no_writer_and_the_log_is_cut_when_it_is_done(
    two: tuple[Database, Database], url: str, say: Callable[[str], None]
):
    log = Path(f"{make_url(url).database}-wal")
    with two[0].reading() as session:
        session.execute(select(EvidenceRow)).all()  # its moment is held from here
        longest = max(count_up(two[1], 20) for _ in range(CHANGES // 20))
        with two[1].writing() as other:
            other.connection().execute(text("CREATE TABLE big (words TEXT)"))
            other.connection().execute(text("INSERT INTO big VALUES (:words)"), {"words": "x" * 80_000_000})
        grown = log.stat().st_size
    count_up(two[1], 2)  # whoever commits next writes it into the file, and the one after begins it anew
    cut = log.stat().st_size
    say(f"the log grew to {grown >> 20} MB under a reader and was cut to {cut >> 20} MB behind it")
    assert longest < WAITS_AT_MOST
    assert grown > _WAL_AT_MOST
    assert cut <= _WAL_AT_MOST


@on_sqlite
def test_on_a_full_disk_nothing_is_half_done_reads_go_on_and_so_does_work_when_there_is_room(
    two: tuple[Database, Database], policy: Policy
):
    talk = Talk(two[0], policy, VirtualClock(MONDAY))
    talk.say("staff", "request new question why?")
    room = resize(two[0], 40)

    def fill() -> None:
        for number in range(200):
            asked = f"request new question {'why ' * 200}{number} anyway:yes"
            assert talk.say("staff", asked).subject, "it was answered as if the fault were ours"

    with pytest.raises(StoreUnavailable, match="full"):
        fill()
    assert talk.say("staff", "request show REQ-1").subject == "REQ-1"
    with two[0].reading() as session:
        tickets = len(session.scalars(select(Request)).all())
        received = [
            each for each in session.scalars(select(EvidenceRow)) if each.action == "request.received"
        ]
        assert tickets == len(received) > 1
        assert Records(session).ledger.verify().good
    room(1 << 20)
    assert talk.say("staff", "request new question and now? anyway:yes").subject == f"REQ-{tickets + 1}"


def resize(database: Database, pages: int) -> Callable[[int], None]:
    """Let a file become no larger than it is, but for so many pages; the result lets it."""
    with database.engine.connect() as connection:
        most = connection.exec_driver_sql("PRAGMA page_count").scalar_one() + pages

    def settle(connection: object, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count={most}")  # type: ignore[attr-defined]

    def let(pages: int) -> None:
        nonlocal most
        most += pages
        database.engine.dispose()

    event.listen(database.engine, "connect", settle)
    let(0)
    return let


@on_sqlite
def test_a_desk_that_can_write_nothing_any_more_says_so_and_goes_on_within_10_s(
    world: World, say: Callable[[str], None]
):
    """Neither its store nor its own log: not even a byte over one that is there already."""
    desk = world.start()
    desk.wait_ready()
    asks = [Ask(world, person) for person in REQUESTERS]
    for each in asks:
        each.say()
    allow(desk, 0)
    missed = [Ask(world, person) for person in REQUESTERS]
    for each in missed:
        each.say()
    answers = {status for each in missed for status in each.statuses}
    with httpx.Client(base_url=f"http://127.0.0.1:{world.port}", timeout=15) as client:
        healthy = client.get("/healthz").status_code
    allow(desk, resource.RLIM_INFINITY)

    def heard() -> bool:
        with suppress(AssertionError):
            missed[0].say()
        return missed[0].acknowledged

    seconds = wait_until(heard, lambda: desk.said)
    for each in missed:
        while not each.acknowledged:
            each.say()
    world.settle()
    found = reckon(world, [*asks, *missed])
    say(f"5 events on a full disk, answered {answers}; heard again after {seconds:.1f} s; {found}")
    assert answers == {503}
    assert healthy == 200
    assert seconds <= WITHIN
    assert desk.lives
    assert found.lost == []
    assert found.done_twice == []
    assert not found.shown_twice


def allow(desk: Desk, size: int) -> None:
    """Let a process write no file beyond a size."""
    psutil.Process(desk.number).rlimit(psutil.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
