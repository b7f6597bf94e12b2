"""Are reminders that wait together said as one, and only what still holds?"""

from __future__ import annotations

from datetime import timedelta

from handlers.delivery import Delivered, Failure, Parcel
from storage.unit_of_work import Records
from tests.flow.conftest import Flow
from tests.flow.test_lanes import _row
from tests.harness.receiver import fails, slips_through


async def test_reminders_that_wait_in_one_room_leave_as_one_message(flow: Flow):
    for number in range(1, 4):
        flow.say(f"ticket open TKT-{number} far")
        flow.say(f"ticket remind TKT-{number} room-a")
    flow.say("ticket remind TKT-1 room-b")
    await flow.courier.drain()
    in_a, in_b = sorted(flow.chat.journal, key=lambda each: each.to)
    assert in_a.title == "3 reminders"
    assert in_a.text == "• reminder TKT-1\n• reminder TKT-2\n• reminder TKT-3\n"
    assert in_b.title == "reminder TKT-1"
    assert [record.subject for record in flow.evidence("notice.delivered")].count("TKT-1") == 2
    assert {row.state for row in flow.rows()} == {"sent"}


async def test_the_buttons_of_the_first_five_come_along_and_name_their_ticket(quick_flow: Flow):
    for number in range(1, 31):
        quick_flow.say(f"ticket open TKT-{number} far")
        quick_flow.say(f"ticket remind TKT-{number} room-a")
    now = quick_flow.clock.now()
    (claim,) = quick_flow.deliveries.claim(now, "first", {"chat": 1})
    parcel = quick_flow.deliveries.ready(claim, now)
    assert parcel is not None
    assert [button.label for button in parcel.reply.buttons] == [
        f"TKT-{number}: Close" for number in range(1, 6)
    ]
    assert parcel.reply.title == "30 reminders"
    assert str(parcel.reply.text[-1]) == "… and 10 more."


async def test_a_reminder_about_a_closed_ticket_is_left_out(flow: Flow):
    for number in range(1, 4):
        flow.say(f"ticket open TKT-{number} far")
        flow.say(f"ticket remind TKT-{number} room-a")
    flow.say("ticket close TKT-2")
    await flow.courier.drain()
    (said,) = flow.chat.journal
    assert said.title == "2 reminders"
    assert "TKT-2" not in said.text
    assert [record.subject for record in flow.evidence("notice.skipped")] == ["TKT-2"]


def test_a_reminder_does_not_overtake_an_older_one_of_its_ticket_that_may_have_arrived(flow: Flow):
    for ticket in ("TKT-0", "TKT-1"):
        flow.say(f"ticket open {ticket} far")

    def write(number: int, kind: str, ticket: str) -> None:
        row = _row(number, "chat:C-0", kind=kind, subject=ticket, while_in=["open"], next_at=flow.clock.now())
        with flow.database.writing() as session:
            Records(session).outbox.add([row])

    def take(worker: str) -> Parcel:
        (claim,) = flow.deliveries.claim(flow.clock.now(), worker, {"chat": 1})
        parcel = flow.deliveries.ready(claim, flow.clock.now())
        assert parcel is not None
        return parcel

    write(1, "message", "TKT-0")
    write(2, "reminder", "TKT-0")
    write(3, "reminder", "TKT-1")
    held_up, now = take("first"), flow.clock.now()
    flow.deliveries.settle(flow.deliveries.put_off(held_up, Failure("503"), now, now))
    frozen = take("one that froze")
    assert [item.subject for item in frozen.claim.items] == ["TKT-1"]
    flow.clock.set(frozen.claim.until)
    now = flow.clock.now()
    flow.deliveries.settle(flow.deliveries.delivered(take("first"), Delivered({}), now, now))
    write(4, "reminder", "TKT-1")
    assert [item.subject for item in take("first").claim.items] == ["TKT-0"]


async def test_a_reminder_waits_behind_what_its_ticket_has_to_say_first(flow: Flow):
    flow.say("ticket open TKT-1")
    flow.say("ticket remind TKT-1")
    flow.say("ticket open TKT-2 far")
    flow.say("ticket remind TKT-2")
    flow.chat.follow(fails)
    await flow.courier.drain()
    assert flow.chat.heard() == ["reminder TKT-2"]
    await flow.live(minutes=1)
    assert flow.chat.heard() == ["reminder TKT-2", "TKT-1 is open", "reminder TKT-1"]


async def test_what_left_as_one_is_found_as_one_and_takes_nobody_else_along(flow: Flow):
    for number in (1, 2):
        flow.say(f"ticket open TKT-{number} far")
        flow.say(f"ticket remind TKT-{number} room-a")
    flow.chat.follow(slips_through)
    await flow.courier.drain()
    flow.say("ticket open TKT-3 far")
    flow.say("ticket remind TKT-3 room-a")
    await flow.live(minutes=1)
    assert flow.chat.heard() == ["2 reminders", "reminder TKT-3"]


async def test_after_a_day_of_downtime_pages_come_first_and_each_room_gets_one_reminder(flow: Flow):
    for number in range(1, 61):
        flow.say(f"ticket open TKT-{number} far")
        flow.say(f"ticket later TKT-{number} room-{'abc'[number % 3]} {'page' if number == 60 else 'remind'}")
    flow.say("ticket close TKT-5")
    flow.wait(hours=24)
    came_back = flow.clock.now()
    assert flow.bell.ring() == 50
    await flow.courier.drain()
    assert flow.chat.heard() == ["page TKT-60"], "urgent work is done first, and reminders gather"
    await flow.live(minutes=1)
    reminders = [each for each in flow.chat.journal if each.kind == "reminder"]
    assert sorted(each.to for each in reminders) == ["C-room-a", "C-room-b", "C-room-c"]
    assert sum(int(each.title.split()[0]) for each in reminders) == 58
    assert not any("TKT-5\n" in each.text for each in reminders)
    assert flow.clock.now() - came_back == timedelta(minutes=1)


async def test_reminders_do_not_gather_for_ever(quick_flow: Flow):
    quick_flow.say("ticket open TKT-1 far")
    quick_flow.say("ticket later TKT-1 room-a")
    quick_flow.wait(hours=1)
    quick_flow.say("ticket remind TKT-1 room-b")
    await quick_flow.courier.drain()
    assert not quick_flow.chat.journal, "the desk is behind, and nobody rings"
    quick_flow.wait(minutes=10)
    await quick_flow.courier.drain()
    assert quick_flow.chat.heard() == ["reminder TKT-1"]


async def test_a_moment_that_keeps_failing_makes_no_reminder_gather(quick_flow: Flow):
    quick_flow.say("ticket open TKT-1 far")
    quick_flow.say("ticket later TKT-1 room-a break")
    await quick_flow.live(hours=1)
    quick_flow.chat.journal.clear()
    quick_flow.say("ticket remind TKT-1 room-b")
    await quick_flow.courier.drain()
    assert quick_flow.chat.heard() == ["reminder TKT-1"]
