"""Is everything that is due said, at its moment, once, and without holding each other up?"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from bot import scheduler
from bot.clock import SystemClock, VirtualClock
from bot.scheduler import LEASE, Bell, Round
from storage.repositories.flow import DueItem
from storage.unit_of_work import Records
from tests.flow.conftest import START, Flow, until


def _done(flow: Flow, action: str) -> list[str]:
    return [f"{record.subject} {(record.at - START).total_seconds():g}" for record in flow.evidence(action)]


def _set(flow: Flow, key: str, line: str, at: datetime, urgent: bool = False) -> None:
    with flow.database.writing() as session:
        Records(session).dues.set(key, "TKT-1", at, line, urgent)


def _take(flow: Flow, holder: str = "other") -> list[DueItem]:
    with flow.database.writing() as session:
        return list(Records(session).dues.claim(flow.clock.now(), holder, LEASE, 10))


async def test_what_is_due_is_said_at_its_moment(flow: Flow):
    flow.say("ticket open TKT-1")
    flow.say("ticket later TKT-1")
    await flow.live(minutes=30)
    assert _done(flow, "ticket.reminded") == ["TKT-1 600"]
    assert flow.bell.next_at() is None


async def test_what_was_cancelled_is_not_said(flow: Flow):
    flow.say("ticket open TKT-1")
    flow.say("ticket later TKT-1")
    flow.say("ticket close TKT-1")
    await flow.live(minutes=30)
    assert _done(flow, "ticket.reminded") == []


async def test_a_command_may_set_anew_the_very_moment_it_is_carried_out_for(flow: Flow):
    flow.say("ticket open TKT-1")
    _set(flow, "TKT-1/tick", "ticket tick TKT-1", START)
    await flow.live(minutes=3)
    assert _done(flow, "ticket.ticked") == ["TKT-1 0", "TKT-1 60", "TKT-1 120", "TKT-1 180"]


async def test_a_moment_whose_command_fails_holds_up_no_other(flow: Flow):
    flow.say("ticket open TKT-1")
    for number in range(10):
        line = "ticket break TKT-1" if number == 0 else f"ticket tell TKT-1 room-a word-{number}"
        _set(flow, f"TKT-1/{number}", line, START)
    assert flow.bell.ring() == 10
    assert len(_done(flow, "ticket.told")) == 9
    assert flow.bell.ring() == 0, "it has its time"


@pytest.mark.parametrize(
    "line", ["ticket break TKT-1", "ticket sing TKT-1", "ticket tell TKT-404 x y unread:z"]
)
async def test_a_moment_that_keeps_failing_is_tried_less_often_and_the_owner_hears_of_it_once(
    quick_flow: Flow, line: str
):
    quick_flow.say("ticket open TKT-1 far")
    line = line if "404" not in line else "ticket close TKT-404"
    _set(quick_flow, "TKT-1/bad", line, START)
    await quick_flow.live(hours=12)
    assert quick_flow.chat.heard("C-owners") == ["Something that was due has failed 5 times."]
    with quick_flow.database.reading() as session:
        assert Records(session).dues.overdue(START + timedelta(seconds=1)) == 1, "it is never dropped"
    assert quick_flow.bell.next_at() is not None


async def test_a_moment_whose_ticket_has_moved_on_is_done_with(quick_flow: Flow):
    quick_flow.say("ticket open TKT-1")
    quick_flow.say("ticket close TKT-1")
    _set(quick_flow, "old", "ticket remind TKT-1", START)
    await quick_flow.live(hours=1)
    assert quick_flow.bell.next_at() is None
    assert quick_flow.chat.heard("C-owners") == []


async def test_urgent_moments_come_first_however_late_the_others_are(quick_flow: Flow):
    quick_flow.say("ticket open TKT-1")
    for number in range(60):
        _set(quick_flow, f"TKT-1/{number}", f"ticket tell TKT-1 room-a word-{number}", START)
    _set(quick_flow, "TKT-1/page", "ticket page TKT-1", START + timedelta(hours=1), urgent=True)
    quick_flow.wait(hours=2)
    assert quick_flow.bell.ring() == scheduler.AT_ONCE
    assert len(quick_flow.evidence("ticket.paged")) == 1


def test_two_workers_never_hold_the_same_moment(flow: Flow):
    for number in range(10):
        _set(flow, f"TKT-1/{number}", "ticket tick TKT-1", START)
    first = _take(flow, "first")
    assert len(first) == 10
    assert _take(flow, "second") == []
    flow.clock.move(LEASE)
    second = _take(flow, "second")
    assert {item.id for item in second} == {item.id for item in first}
    with flow.database.writing() as session:
        dues = Records(session).dues
        assert not dues.finish(first[0]), "its lease has run out and another holds it"
        assert not dues.put_off(first[0], START, "late")
        assert dues.finish(second[0])


async def test_what_a_worker_did_before_it_died_is_not_done_again(flow: Flow):
    flow.say("ticket open TKT-1")
    flow.say("ticket later TKT-1")
    flow.wait(minutes=10)
    (item,) = _take(flow)
    finished = flow.bell
    flow.bell._dispatcher.obey(_command(item))  # and then it dies, before it can finish the moment
    flow.clock.move(LEASE)
    assert finished.ring() == 1
    assert len(_done(flow, "ticket.reminded")) == 1
    assert finished.next_at() is None


def _command(item: DueItem):
    from handlers.messages import DESK, Command, Place

    key = f"due/{item.key}/{item.at.isoformat()}"
    return Command(line=item.line, sender=DESK, place=Place(platform="desk"), key=key)


def test_the_next_moment_is_known_whether_it_is_past_taken_or_to_come(flow: Flow):
    assert flow.bell.next_at() is None
    _set(flow, "TKT-1/a", "ticket tick TKT-1", START + timedelta(hours=2))
    assert flow.bell.next_at() == START + timedelta(hours=2)
    _set(flow, "TKT-1/b", "ticket tick TKT-1", START - timedelta(hours=2))
    assert flow.bell.next_at() == START
    _take(flow)
    assert flow.bell.next_at() == START + LEASE


# Rounds -------------------------------------------------------------------------------------------

NEW_YORK = ZoneInfo("America/New_York")


def _round(**when: int) -> Round:
    return Round("digest", CronTrigger(timezone=NEW_YORK, **when), "ticket tell TKT-1")


async def test_a_round_is_done_each_time_once_although_two_processes_know_it(flow: Flow):
    flow.say("ticket open TKT-1")
    each = _round(hour=9, minute=0)
    bells = [Bell(flow.dispatcher, flow.clock, name, [each]) for name in ("first", "second")]
    for bell in bells:
        bell.plan()
    while flow.clock.now() < START + timedelta(days=3):
        for bell in bells:
            bell.ring()
        flow.wait(minutes=30)
    assert _done(flow, "ticket.told") == ["TKT-1 21600", "TKT-1 108000", "TKT-1 194400"]


async def test_a_round_that_was_missed_is_done_once_and_late(flow: Flow):
    flow.say("ticket open TKT-1")
    each = _round(hour=9, minute=0)
    Bell(flow.dispatcher, flow.clock, "first", [each]).plan()
    flow.wait(days=5)
    again = Bell(flow.dispatcher, flow.clock, "second", [each])
    again.plan()
    assert again.ring() == 1
    assert again.ring() == 0
    assert again.next_at() == datetime(2026, 11, 28, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("when", "after", "expected"),
    [
        # The night of 8 March skips 2:30: the first instant after the skip, and then an ordinary day.
        ({"hour": 2, "minute": 30}, "2026-03-08T00:00", ["2026-03-08T07:00", "2026-03-09T06:30"]),
        # The night of 1 November has 1:30 twice: the first time only.
        ({"hour": 1, "minute": 30}, "2026-11-01T00:00", ["2026-11-01T05:30", "2026-11-02T06:30"]),
        ({"minute": 0}, "2026-11-01T04:30", ["2026-11-01T05:00", "2026-11-01T07:00"]),
        ({"day": 31, "hour": 9}, "2026-04-01T00:00", ["2026-05-31T13:00", "2026-07-31T13:00"]),
    ],
)
def test_a_round_follows_the_wall_clock_of_its_zone(when: dict[str, int], after: str, expected: list[str]):
    at: datetime | None = datetime.fromisoformat(after).replace(tzinfo=UTC)
    for wanted in expected:
        assert at is not None
        at = _round(**when).next_at(at)
        assert at == datetime.fromisoformat(wanted).replace(tzinfo=UTC)


# The scheduler is only a bell ---------------------------------------------------------------------


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def test_apscheduler_drops_nothing_because_it_is_late():
    assert scheduler.JOBS == {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}


async def test_nothing_is_lost_when_the_schedulers_memory_is_wiped(
    quick_flow: Flow, monkeypatch: pytest.MonkeyPatch
):
    made: list[AsyncIOScheduler] = []

    class Watched(AsyncIOScheduler):  # type: ignore[misc]
        def __init__(self, **how: object) -> None:
            super().__init__(**how)
            made.append(self)

    monkeypatch.setattr(scheduler, "AsyncIOScheduler", Watched)
    quick_flow.say("ticket open TKT-1 far")
    stop = asyncio.Event()
    bell = Bell(quick_flow.dispatcher, SystemClock(), "first")
    bell.on_nudge_from(quick_flow.dispatcher)
    running = asyncio.create_task(bell.run(stop))
    await until(lambda: bool(made and made[0].running))
    for number in range(5):
        made[0].remove_all_jobs()
        _set(quick_flow, f"TKT-1/{number}", f"ticket tell TKT-1 room-a word-{number}", LONG_AGO)
        bell.nudge()
        await until(lambda: len(_done(quick_flow, "ticket.told")) == number + 1)  # noqa: B023 - called at once
    stop.set()
    await running
    assert not made[0].get_jobs()


async def test_a_moment_set_by_another_process_is_seen_without_a_word(
    quick_flow: Flow, monkeypatch: pytest.MonkeyPatch
):
    quick_flow.say("ticket open TKT-1 far")
    stop, looks = asyncio.Event(), []
    bell = Bell(quick_flow.dispatcher, SystemClock(), "first")
    next_at = bell.next_at

    def look(looked_at: datetime) -> datetime | None:
        looks.append(1)
        return next_at(looked_at)

    monkeypatch.setattr(bell, "next_at", look)
    running = asyncio.create_task(bell.run(stop))
    await until(lambda: bool(looks))
    _set(quick_flow, "TKT-1/x", "ticket tell TKT-1", LONG_AGO)
    await until(lambda: len(_done(quick_flow, "ticket.told")) == 1)
    stop.set()
    await running


async def test_what_falls_due_while_it_looks_is_not_left_to_the_next_poll(
    quick_flow: Flow, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scheduler, "POLLS", 3600)
    clock = VirtualClock(LONG_AGO)
    quick_flow.say("ticket open TKT-1 far")
    bell, stop = Bell(quick_flow.dispatcher, clock, "first"), asyncio.Event()
    bell.plan()
    while bell.ring():
        pass
    _set(quick_flow, "TKT-1/x", "ticket tell TKT-1", LONG_AGO + timedelta(seconds=1))
    next_at = bell.next_at

    def a_second_later(looked_at: datetime) -> datetime | None:
        clock.move(timedelta(seconds=1))
        return next_at(looked_at)

    monkeypatch.setattr(bell, "plan", lambda: None)
    monkeypatch.setattr(bell, "next_at", a_second_later)
    running = asyncio.create_task(bell.run(stop))
    await until(lambda: len(_done(quick_flow, "ticket.told")) == 1)
    stop.set()
    await running
