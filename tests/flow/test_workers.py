"""Do several workers share the outbox, and does one that dies, freezes or waits harm nobody?"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, event

from bot import courier as couriers
from bot.adapters.port import Delivery
from handlers.delivery import LEASE, Delivered, Deliveries, Failure, Settlement
from storage.repositories.outbox import Claim
from storage.unit_of_work import Records
from tests.flow.conftest import START, Flow, until
from tests.flow.test_lanes import _row
from tests.harness.receiver import Behaviour, arrives, duplicates, hangs, is_busy


def _fill(flow: Flow, messages: int, lanes: int) -> None:
    rows = [_row(number, f"chat:C-{number % lanes}", next_at=START) for number in range(messages)]
    with flow.database.writing() as session:
        Records(session).outbox.add(rows)


def test_workers_in_threads_share_without_taking_anything_twice(flow: Flow):
    messages, workers = 240, 4
    _fill(flow, messages, lanes=12)
    sent: list[tuple[str, int]] = []
    trouble: list[BaseException] = []

    def work(name: str) -> None:
        deliveries, now = Deliveries(flow.dispatcher), flow.clock.now()
        try:
            while len(sent) < messages:
                for claim in deliveries.claim(now, name, {"chat": 3}):
                    parcel = deliveries.ready(claim, now)
                    assert parcel is not None
                    sent.extend((name, item.id) for item in claim.items)
                    assert deliveries.settle(deliveries.delivered(parcel, Delivered({}), now, now))
        except BaseException as error:
            trouble.append(error)
            raise

    threads = [threading.Thread(target=work, args=(f"worker-{number}",)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not trouble
    ids = [row_id for _, row_id in sent]
    assert len(ids) == len(set(ids)) == messages
    assert len({name for name, _ in sent}) > 1, "they did share"
    assert {row.state for row in flow.rows()} == {"sent"}
    assert len(flow.evidence("notice.delivered")) == messages


_SEVERAL_WRITERS = pytest.mark.parametrize(
    "database", ["postgresql"], indirect=True
)  # SQLite has one at a time


def _at_the_next_commit(flow: Flow, act: Callable[[], object]) -> None:
    """Do something in another transaction when this one has written all it writes, and not committed it."""

    acts = [act]

    def meanwhile(_: Connection) -> None:
        if acts:
            acts.pop()()

    event.listen(flow.database.engine, "commit", meanwhile)


@_SEVERAL_WRITERS
def test_a_card_that_a_command_counts_on_is_not_drawn_before_the_command_is_over(flow: Flow):
    flow.say("ticket open TKT-1")
    taken: list[Claim] = []
    _at_the_next_commit(
        flow, lambda: taken.extend(flow.deliveries.claim(flow.clock.now(), "early", {"chat": 1}))
    )
    flow.say("ticket redraw TKT-1")
    assert not taken
    (claim,) = flow.deliveries.claim(flow.clock.now(), "late", {"chat": 1})
    assert [item.kind for item in claim.items] == ["card"]


@_SEVERAL_WRITERS
def test_a_command_does_not_count_on_a_card_that_is_being_taken(flow: Flow):
    flow.say("ticket open TKT-1")
    _at_the_next_commit(flow, lambda: flow.say("ticket redraw TKT-1"))
    flow.deliveries.claim(flow.clock.now(), "worker", {"chat": 1})
    assert [(row.kind, row.state) for row in flow.rows()] == [("card", "sending"), ("card", "pending")]


def test_a_worker_that_froze_past_its_lease_records_nothing_about_what_another_took(flow: Flow):
    _fill(flow, messages=1, lanes=1)
    (frozen,) = flow.deliveries.claim(flow.clock.now(), "frozen", {"chat": 1})
    parcel = flow.deliveries.ready(frozen, flow.clock.now())
    assert parcel is not None
    assert not flow.deliveries.claim(flow.clock.now(), "second", {"chat": 1}), "it is taken"
    flow.clock.move(LEASE)
    (taken,) = flow.deliveries.claim(flow.clock.now(), "second", {"chat": 1})
    assert taken.in_doubt
    now = flow.clock.now()
    assert not flow.deliveries.settle(flow.deliveries.delivered(parcel, Delivered({"number": 1}), now, now))
    assert not flow.deliveries.settle(flow.deliveries.put_off(parcel, Failure("503"), now, now))
    assert not flow.deliveries.settle(flow.deliveries.give_up(parcel, "no such channel", now, now))
    assert [row.state for row in flow.rows()] == ["sending"]
    again = flow.deliveries.ready(taken, now)
    assert again is not None
    assert flow.deliveries.settle(flow.deliveries.delivered(again, Delivered({"number": 2}), now, now))
    (record,) = flow.evidence("notice.delivered")
    assert record.before == {"worker": "frozen"}
    assert record.after is not None
    assert record.after["worker"] == "second"


def test_a_worker_that_froze_does_not_free_the_lane_that_another_holds_for_another_message(flow: Flow):
    _fill(flow, messages=1, lanes=1)
    (frozen,) = flow.deliveries.claim(flow.clock.now(), "frozen", {"chat": 1})
    parcel = flow.deliveries.ready(frozen, flow.clock.now())
    assert parcel is not None
    flow.clock.move(LEASE)
    with flow.database.writing() as session:
        Records(session).outbox.add([_row(9, "chat:C-0", kind="page", next_at=START)])
    (page,) = flow.deliveries.claim(flow.clock.now(), "second", {"chat": 1})
    assert page.items[0].kind == "page"
    now = flow.clock.now()
    assert flow.deliveries.settle(flow.deliveries.delivered(parcel, Delivered({}), now, now)), (
        "it did arrive, and nobody else took it"
    )
    assert not flow.deliveries.claim(now, "third", {"chat": 1})
    taken = flow.deliveries.ready(page, now)
    assert taken is not None
    assert flow.deliveries.settle(flow.deliveries.delivered(taken, Delivered({}), now, now))


def test_what_is_recorded_together_stands_and_falls_by_itself(flow: Flow):
    _fill(flow, messages=3, lanes=3)
    (late,) = flow.deliveries.claim(flow.clock.now(), "frozen", {"chat": 1})
    parcels = [flow.deliveries.ready(late, flow.clock.now())]
    flow.clock.move(LEASE)
    now = flow.clock.now()
    (taken,) = Deliveries(flow.dispatcher).claim(now, "second", {"chat": 1})
    parcels += [flow.deliveries.ready(each, now) for each in flow.deliveries.claim(now, "first", {"chat": 2})]
    settlements = [flow.deliveries.delivered(each, Delivered({}), now, now) for each in parcels if each]

    def fails(records: Records) -> None:
        raise KeyError("a fault of ours")

    settlements[1] = replace(settlements[1], remember=fails)
    commits: list[object] = []
    event.listen(flow.database.engine, "commit", commits.append)
    too_late, faulty, good = flow.deliveries.settle_all(settlements)
    assert (too_late, type(faulty), good) == (False, KeyError, True)
    assert len(commits) == 1
    assert [row.state for row in flow.rows()] == ["sending", "sending", "sent"]
    assert [each.after["notice"] for each in flow.evidence("notice.delivered") if each.after] == [3]
    assert taken.items[0].id == 1


async def test_what_arrives_while_the_store_is_busy_is_recorded_in_one_go(
    quick_flow: Flow, monkeypatch: pytest.MonkeyPatch
):
    _fill(quick_flow, messages=12, lanes=12)
    together: list[int] = []
    is_busy, settle_all = threading.Event(), Deliveries.settle_all

    def slow(self: Deliveries, settlements: Sequence[Settlement]) -> list[bool | Exception]:
        together.append(len(settlements))
        is_busy.wait(30)
        return settle_all(self, settlements)

    monkeypatch.setattr(Deliveries, "settle_all", slow)
    assert await quick_flow.courier.turn() == 12
    await until(lambda: len(quick_flow.chat.journal) == 12)
    is_busy.set()
    await until(lambda: not quick_flow.courier._flying())
    assert {row.state for row in quick_flow.rows()} == {"sent"}
    assert (len(together), sum(together)) == (2, 12)


@pytest.mark.parametrize("moment", ["before it sent", "after it sent"])
async def test_what_a_worker_held_when_it_died_is_sent_by_another_and_only_once(flow: Flow, moment: str):
    flow.say("ticket open TKT-1 far")
    flow.say("ticket page TKT-1")
    flow.clock.move(timedelta(seconds=1))
    (claim,) = flow.deliveries.claim(flow.clock.now(), "dies", {"chat": 1})
    parcel = flow.deliveries.ready(claim, flow.clock.now())
    assert parcel is not None
    if moment == "after it sent":
        flow.chat.write(Delivery(key=parcel.key, kind=parcel.kind, place=parcel.place, reply=parcel.reply))
    await flow.courier.drain()
    assert not flow.chat.calls, "its lease still runs"
    flow.clock.move(LEASE)
    await flow.courier.drain()
    assert flow.chat.heard() == ["page TKT-1"]
    assert [row.state for row in flow.rows() if row.platform == "chat"] == ["sent"]


async def test_a_destination_that_never_answers_slows_no_other(quick_flow: Flow):
    slow = asyncio.Event()

    async def is_slow(receiver: object, delivery: Delivery) -> object:
        await slow.wait()
        return quick_flow.chat.write(delivery)

    def rule(delivery: Delivery) -> Behaviour:
        return is_slow if delivery.place["channel"] == "C-0" else arrives  # type: ignore[return-value]

    quick_flow.chat.rule = rule
    _fill(quick_flow, messages=60, lanes=6)
    courier = quick_flow.worker("first", at_once=4)
    stop = asyncio.Event()
    running = asyncio.create_task(courier.run(stop))
    await until(lambda: len(quick_flow.chat.journal) == 50)
    assert "C-0" not in {each.to for each in quick_flow.chat.journal}
    assert len([call for call in quick_flow.chat.calls if call.to == "C-0"]) == 1, "one on its way at a time"
    slow.set()
    await until(lambda: len(quick_flow.chat.journal) == 60)
    stop.set()
    await running
    assert {row.state for row in quick_flow.rows()} == {"sent"}


async def test_no_more_calls_are_on_their_way_than_the_courier_may_make(quick_flow: Flow):
    quick_flow.chat.rule = lambda delivery: hangs
    _fill(quick_flow, messages=20, lanes=20)
    with quick_flow.database.writing() as session:
        far = [
            _row(100 + number, f"other:C-{number}", platform="other", next_at=START) for number in range(5)
        ]
        Records(session).outbox.add(far)
    courier = quick_flow.worker("first", at_once=4, call_timeout=3600.0)
    stop = asyncio.Event()
    running = asyncio.create_task(courier.run(stop))
    await until(lambda: len(quick_flow.other.journal) == 5 and len(quick_flow.chat.calls) >= 4)
    assert len(quick_flow.chat.calls) == 4, "and the other platform has its own places"
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_call_that_takes_too_long_is_in_doubt(quick_flow: Flow):
    quick_flow.chat.follow(hangs)
    quick_flow.say("ticket open TKT-1")
    courier = quick_flow.worker("first", call_timeout=0.01)
    await courier.drain()
    (row,) = quick_flow.rows("retry")
    assert row.in_doubt
    quick_flow.wait(seconds=2)
    await courier.drain()
    assert quick_flow.chat.heard() == ["TKT-1 is open"]
    assert quick_flow.chat.asked


async def test_what_falls_due_while_the_courier_looks_is_not_left_to_its_next_look_by_itself(
    quick_flow: Flow, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(couriers, "POLLS", 3600.0)
    quick_flow.say("ticket open TKT-1")
    quick_flow.chat.follow(is_busy(1))
    await quick_flow.courier.drain()
    next_at = quick_flow.courier.next_at

    async def a_second_later() -> datetime | None:
        quick_flow.wait(seconds=1)
        return await next_at()

    monkeypatch.setattr(quick_flow.courier, "next_at", a_second_later)
    stop = asyncio.Event()
    running = asyncio.create_task(quick_flow.courier.run(stop))
    await until(lambda: bool(quick_flow.chat.journal))
    stop.set()
    await running


async def test_a_committed_command_wakes_the_courier_at_once(
    quick_flow: Flow, monkeypatch: pytest.MonkeyPatch
):
    looks: list[datetime | None] = []
    next_at = quick_flow.courier.next_at

    async def look() -> datetime | None:
        looks.append(await next_at())
        return looks[-1]

    monkeypatch.setattr(couriers, "POLLS", 3600.0)
    monkeypatch.setattr(quick_flow.courier, "next_at", look)
    quick_flow.courier.on_nudge_from(quick_flow.dispatcher)
    stop = asyncio.Event()
    running = asyncio.create_task(quick_flow.courier.run(stop))
    await until(lambda: bool(looks))
    await asyncio.to_thread(quick_flow.say, "ticket open TKT-1")
    await until(lambda: bool(quick_flow.chat.journal))
    stop.set()
    await running
    assert duplicates(quick_flow.chat.journal) == 0
