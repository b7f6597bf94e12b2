"""Do messages leave in order, at the platform's pace, and without holding each other up?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import cycle, pairwise
from typing import Any

import pytest
from sqlalchemy import event, insert, text

from handlers.delivery import LEASE, RESTS, SOONEST, Delivered
from storage.models.flow import OutboxRow
from storage.unit_of_work import Records
from tests.flow.conftest import START, Flow
from tests.harness.receiver import arrives, breaks, fails, is_busy

FOUR_LANES = (("chat", "C-1"), ("chat", "C-2"), ("other", "C-1"), ("other", "C-2"))


def _seconds(flow: Flow, to: str) -> list[float]:
    return [(each.at - START).total_seconds() for each in flow.chat.journal if each.to == to]


async def test_what_a_subject_has_to_say_arrives_in_the_order_in_which_it_was_said(flow: Flow):
    flow.say("ticket open TKT-1")
    for word in ("one", "two", "three"):
        flow.say(f"ticket tell TKT-1 room-a {word}")
    flow.chat.follow(arrives, fails, fails)
    await flow.live(minutes=5)
    assert flow.chat.heard("C-room-a") == ["TKT-1 is open", "one", "two", "three"]


async def test_a_message_that_fails_holds_up_no_other_subject(flow: Flow):
    for number in (1, 2, 3):
        flow.say(f"ticket open TKT-{number}")
        flow.say(f"ticket tell TKT-{number}")
    flow.chat.rule = lambda delivery: breaks if "TKT-1" in delivery.reply.title else arrives
    await flow.courier.drain()
    assert flow.chat.heard() == ["TKT-2 is open", "message TKT-2", "TKT-3 is open", "message TKT-3"]


async def test_the_same_subject_goes_on_in_other_rooms(flow: Flow):
    flow.say("ticket open TKT-1")
    flow.say("ticket tell TKT-1 room-b")
    flow.chat.rule = lambda delivery: breaks if delivery.place["channel"] == "C-room-a" else arrives
    await flow.courier.drain()
    assert flow.chat.heard() == ["message TKT-1"]


async def test_pages_leave_before_what_was_written_earlier(flow: Flow):
    for number in range(1, 4):
        flow.say(f"ticket open TKT-{number} room-b")
        flow.say(f"ticket tell TKT-{number} room-a")
    flow.say("ticket open TKT-9 room-c")
    flow.say("ticket page TKT-9 room-a")
    await flow.courier.drain()
    assert flow.chat.heard("C-room-a")[0] == "page TKT-9"
    assert flow.chat.journal[0].kind == "page"


def test_while_pages_may_leave_nothing_else_is_taken(flow: Flow):
    flow.say("ticket open TKT-1 room-a")
    flow.say("ticket open TKT-2 room-b")
    flow.say("ticket page TKT-2 room-b")
    looks = [flow.deliveries.claim(flow.clock.now(), "first", {"chat": 9}) for _ in range(3)]
    kinds = [[item.kind for claim in look for item in claim.items] for look in looks]
    assert kinds == [["page"], ["card"], []], "the other card waits for the page, which has its lane"


def test_a_lane_in_which_much_gathers_is_asked_at_no_length(flow: Flow):
    """Not even where PostgreSQL knows nothing of the table yet: it gives up a question after two and a half seconds."""
    much, later = 4000, START + timedelta(seconds=1)
    words = [
        {**_row(number, "chat:C-0", next_at=START), "subject": f"TKT-{number % much}", "kind": kind}
        for number, kind in enumerate(["reminder"] * much + ["message"] * much)
    ]
    with flow.database.writing() as session:
        Records(session).outbox.add(words)
    with flow.database.writing() as session:
        since = START - timedelta(days=1)
        claims = Records(session).outbox.claim(later, "first", LEASE, {"chat": 9}, gather_since=since)
    assert claims == [], "what gathers is left to gather, and what comes after it waits"


async def test_a_lane_keeps_the_pace_of_its_platform(two_rooms: Flow):
    for number in range(1, 6):
        two_rooms.say(f"ticket open TKT-{number} room-a")
        two_rooms.say(f"ticket tell TKT-{number} room-b")
    await two_rooms.live(seconds=60)
    assert _seconds(two_rooms, "C-room-a") == [0, 1, 2, 3, 4]
    assert _seconds(two_rooms, "C-room-b") == [0, 1, 2, 3, 4]


async def test_ninety_messages_to_three_rooms_take_thirty_seconds(two_rooms: Flow):
    with two_rooms.database.writing() as session:
        Records(session).outbox.add(
            [_row(number, f"chat:C-{number % 3}", next_at=START) for number in range(90)]
        )
    await two_rooms.live(seconds=33)
    assert len(two_rooms.chat.journal) == 90
    assert max(each.at for each in two_rooms.chat.journal) == START + timedelta(seconds=29)


async def test_the_wait_that_a_platform_asks_for_is_kept_across_a_restart(flow: Flow):
    flow.say("ticket open TKT-1")
    flow.say("ticket tell TKT-1")
    flow.say("ticket open TKT-2 room-b")
    flow.chat.follow(is_busy(30))
    await flow.courier.drain()
    flow.courier = flow.worker("second")
    flow.wait(seconds=29.9)
    await flow.courier.drain()
    assert flow.chat.heard() == ["TKT-2 is open"], "the lane waits, and only it"
    assert [call.to for call in flow.chat.calls] == ["C-room-a", "C-room-b"]
    flow.wait(seconds=0.1)
    await flow.courier.drain()
    assert flow.chat.heard("C-room-a") == ["TKT-1 is open", "message TKT-1"]


async def test_ten_minutes_without_the_platform_lose_nothing_and_cost_two_probes_a_minute(two_rooms: Flow):
    for number in range(1, 31):
        two_rooms.say(f"ticket open TKT-{number} room-{'ab'[number % 2]}")
    two_rooms.chat.rule = lambda delivery: fails
    await two_rooms.live(minutes=10)
    for to in ("C-room-a", "C-room-b"):
        probes = [(call.at - START).total_seconds() for call in two_rooms.chat.calls if call.to == to]
        assert all(later - probe >= 30 for probe, later in pairwise(probes[1:])), probes
        assert len(probes) <= 2 * 10 + 2
    two_rooms.chat.rule = lambda delivery: arrives
    back = two_rooms.clock.now()
    await two_rooms.live(minutes=10)
    assert sorted(two_rooms.chat.heard()) == sorted(f"TKT-{number} is open" for number in range(1, 31))
    drained = max(each.at for each in two_rooms.chat.journal) - back
    assert drained <= RESTS + 15 * timedelta(seconds=1), "noticed by the next probe, then at the lane's pace"


async def test_what_a_message_waited_for_its_platform_is_not_held_against_it(two_rooms: Flow):
    for number in range(1, 16):
        two_rooms.say(f"ticket open TKT-{number} room-a")
    two_rooms.chat.rule = lambda delivery: is_busy(30)
    await two_rooms.live(minutes=10)
    two_rooms.chat.rule = lambda delivery: arrives
    assert max(row.attempts for row in two_rooms.rows()) >= 20, "one of them was tried again and again"
    two_rooms.chat.follow(fails)  # and has bad luck once more
    await two_rooms.live(minutes=10)
    times = [each.at for each in two_rooms.chat.journal]
    assert len(times) == 15
    assert max(times) - min(times) <= timedelta(seconds=15) + SOONEST


@pytest.mark.parametrize("alike", [False, True], ids=["some are urgent", "all moments are open and alike"])
async def test_an_idle_look_reads_a_range_of_an_index_whatever_lies_in_the_past(flow: Flow, alike: bool):
    plans = _plans(flow, rows=20_000, alike=alike)
    assert plans
    for statement, plan in plans:
        assert not re.search(r"(SCAN|Seq Scan on) (outbox|due)", plan), f"{statement}\n{plan}"


@pytest.mark.parametrize("kind", ["message", "reminder"])
def test_a_claim_reads_no_more_when_more_waits_in_the_same_lanes(quick_flow: Flow, kind: str):
    few, many = (_steps_of_a_claim(quick_flow, messages, kind) for messages in (200, 20_000))
    assert many <= 1.1 * few


def test_a_claim_reads_no_more_when_more_destinations_wait(quick_flow: Flow):
    few, many = (
        _steps_of_a_claim(quick_flow, number, "message", [("chat", f"C-{each:05}") for each in range(number)])
        for number in (100, 5_000)
    )
    assert many <= 1.1 * few


def test_each_of_many_destinations_has_its_turn(flow: Flow):
    rooms = 40
    heard: list[str] = []
    with flow.database.writing() as session:
        Records(session).outbox.add(
            [_row(each, f"chat:C-{each % rooms:02}", next_at=START) for each in range(9 * rooms)]
        )
    for _ in range(3 * rooms // 8):
        for claim in flow.deliveries.claim(flow.clock.now(), "first", {"chat": 8}):
            parcel = flow.deliveries.ready(claim, flow.clock.now())
            assert parcel is not None
            assert flow.deliveries.settle(flow.deliveries.delivered(parcel, Delivered({}), START, START))
            heard.append(claim.lane)
    assert [heard.count(each) for each in sorted(set(heard))] == [3] * rooms


def test_whose_turn_is_over_is_asked_again_when_nobody_else_waits(flow: Flow):
    with flow.database.writing() as session:
        Records(session).outbox.add([_row(each, f"chat:C-{each}", next_at=START) for each in range(3)])
    claims = [flow.deliveries.claim(flow.clock.now(), "first", {"chat": 2}) for _ in range(3)]
    assert [[each.lane for each in claim] for claim in claims] == [["chat:C-0", "chat:C-1"], ["chat:C-2"], []]
    flow.clock.move(LEASE)
    (again,) = flow.deliveries.claim(flow.clock.now(), "second", {"chat": 1})
    assert again.lane == "chat:C-0"


@pytest.mark.parametrize("gather_since", [None, START])
def test_a_lane_is_read_in_the_order_in_which_it_leaves(quick_flow: Flow, gather_since: datetime | None):
    asked: list[tuple[str, Any]] = []
    event.listen(
        quick_flow.database.engine, "before_cursor_execute", lambda *told: asked.append((told[2], told[3]))
    )
    with quick_flow.database.reading() as session:
        Records(session).outbox._free(START, "chat", 16, gather_since)
        statement, values = asked[-1]
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    looks = [str(row[3]) for row in plan if "candidate" in str(row[3])]
    assert looks
    assert all("INDEX ix_outbox_first (lane=?)" in each for each in looks), looks


def _steps_of_a_claim(
    flow: Flow, messages: int, kind: str, lanes: Sequence[tuple[str, str]] = FOUR_LANES
) -> int:
    """How much the store does to find what leaves first, in its own steps, when so many are due in these lanes."""
    rows = [
        _row(number, ":".join(lane), platform=lane[0], kind=kind, next_at=START)
        for number, lane in zip(range(messages), cycle(lanes), strict=False)
    ]
    with flow.database.writing() as session:
        session.execute(text("DELETE FROM outbox"))
        session.execute(insert(OutboxRow), rows)
        session.execute(text("DELETE FROM lane"))
        session.execute(
            text(
                "INSERT INTO lane (name, not_before, fence, failures) SELECT DISTINCT lane, 0, 0, 0 FROM outbox"
            )
        )
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    with flow.database.writing() as session:
        driver = session.connection().connection.driver_connection
        assert driver is not None
        driver.set_progress_handler(step, 1)
        found = Records(session).outbox._free(START, "chat", 16, None)
        driver.set_progress_handler(None, 1)
        session.rollback()
    assert len(found) == min(16, sum(platform == "chat" for platform, _ in lanes))
    return steps


def _plans(flow: Flow, rows: int, alike: bool) -> list[tuple[str, str]]:
    """What the store says it does for each question of an idle look, when every other row waits for tomorrow.

    PostgreSQL tells the plan that it keeps for any values, which it takes to once it has planned a few times.
    """
    database = flow.database
    with database.writing() as session:
        done = [_row(number, f"chat:C-{number % 50}", open=number % 2 == 0) for number in range(rows)]
        session.execute(insert(OutboxRow), done)
        session.execute(
            text(
                "INSERT INTO lane (name, not_before, fence, failures) "
                "SELECT DISTINCT lane, 0, 0, 0 FROM outbox"
            )
        )
        moments = text(
            "INSERT INTO due (key, subject, line, rank, at, open, fence, attempts) "
            "SELECT key, 'TKT-1', 'ticket tick', CASE WHEN :alike THEN 1 ELSE id % 2 END, next_at, "
            "open OR :alike, 0, 0 FROM outbox"
        )
        session.execute(moments, {"alike": alike})
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        if statement.startswith(("SELECT", "WITH")):
            asked.append((statement, values))

    event.listen(database.engine, "before_cursor_execute", note)
    flow.bell.ring()
    flow.bell.next_at()
    flow.deliveries.claim(flow.clock.now(), "first", {"chat": 16})
    flow.deliveries.next_at(["chat"])
    event.remove(database.engine, "before_cursor_execute", note)
    with database.engine.connect() as connection:

        def plan(statement: str, values: Any) -> str:
            if database.is_sqlite:
                told = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            else:
                names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
                numbered = re.sub(r"%\((\w+)\)s", lambda name: f"${names.index(name[1]) + 1}", statement)
                told = connection.exec_driver_sql(f"EXPLAIN (GENERIC_PLAN) {numbered}")
            return "\n".join(str(row) for row in told)

        return [(statement, plan(statement, values)) for statement, values in asked]


def _row(number: int, lane: str, **more: object) -> dict[str, object]:
    later = START + timedelta(days=1)
    row: dict[str, object] = {
        "key": f"k{number}",
        "kind": "message",
        "platform": "chat",
        "lane": lane,
        "place": {"channel": lane.partition(":")[2]},
        "subject": f"TKT-{number}",
        "payload": {"title": f"message {number}"},
        "created_at": START,
        "next_at": later,
        "open": True,
        "state": "pending",
    }
    return row | more


@pytest.fixture
def two_rooms(quick_flow: Flow) -> Flow:
    """With a platform that takes one message a second in each room."""
    quick_flow.chat.pace = 1.0
    return quick_flow
