"""Is what arrives still true, said once, in the right place, and on record?"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.delivery import FAULTS_AT_MOST, LATEST, SOONEST, Failure, backoff, is_spent
from storage.repositories.flow import HELD
from storage.repositories.outbox import Item
from storage.unit_of_work import Records
from tests.flow.conftest import START, Flow
from tests.harness.receiver import arrives, breaks, duplicates, fails, is_lost, refuses, slips_through

# Fresh at send ------------------------------------------------------------------------------------


async def test_of_a_hundred_pages_the_sixty_whose_tickets_closed_meanwhile_are_not_sent(flow: Flow):
    for number in range(100):
        flow.say(f"ticket open TKT-{number} far")
        flow.say(f"ticket page TKT-{number} room-a")
    for number in range(60):
        flow.say(f"ticket close TKT-{number}")
    await flow.courier.drain()
    pages = [each for each in flow.chat.journal if each.kind == "page"]
    assert sorted(each.title for each in pages) == sorted(f"page TKT-{number}" for number in range(60, 100))
    skipped = flow.evidence("notice.skipped")
    assert len(skipped) == 60
    assert {each.subject for each in skipped} == {f"TKT-{number}" for number in range(60)}
    assert skipped[0].after is not None
    assert skipped[0].after["reason"] == f"{skipped[0].subject} is closed now"


async def test_a_message_that_waited_for_long_says_since_when(quick_flow: Flow):
    quick_flow.say("ticket open TKT-1")
    quick_flow.say("ticket tell TKT-1")
    claim, *_ = quick_flow.deliveries.claim(quick_flow.clock.now(), "first", {"chat": 1})
    fresh = quick_flow.deliveries.ready(claim, quick_flow.clock.now())
    quick_flow.wait(minutes=31)
    await quick_flow.courier.drain()
    quick_flow.say("ticket tell TKT-1 room-b")
    quick_flow.wait(minutes=31)
    claim, *_ = quick_flow.deliveries.claim(quick_flow.clock.now(), "first", {"chat": 1})
    late = quick_flow.deliveries.ready(claim, quick_flow.clock.now())
    assert fresh is not None
    assert late is not None
    assert not fresh.reply.facts
    assert [fact.label for fact in late.reply.facts] == ["Delayed since"]


async def test_a_restored_copy_sends_nothing_until_it_is_released(quick_flow: Flow):
    quick_flow.say("ticket open TKT-1")
    quick_flow.say("ticket later TKT-1")
    with quick_flow.database.writing() as session:
        Records(session).facts.put(HELD, True)
    await quick_flow.live(minutes=20)
    assert not quick_flow.chat.calls
    with quick_flow.database.writing() as session:
        Records(session).facts.drop([HELD])
    await quick_flow.live(minutes=1)
    assert quick_flow.chat.heard() == ["TKT-1 is open", "reminder TKT-1"]


# Evidence -----------------------------------------------------------------------------------------


async def test_a_delivery_is_evidence_with_the_practices_of_the_command_that_caused_it(flow: Flow):
    flow.say("ticket open TKT-1")
    flow.say("ticket tell TKT-1 room-b")
    await flow.courier.drain()
    (record,) = flow.evidence("notice.delivered")
    assert (record.actor, record.subject, record.surface) == ("desk", "TKT-1", "chat")
    assert record.practices == ("SD SP 3.1",)
    assert record.after == {"notice": 2, "kind": "message", "to": "C-room-b", "attempt": 1, "worker": "first"}
    with flow.database.reading() as session:
        assert Records(session).ledger.verify().good


async def test_a_card_leaves_no_evidence_of_its_own(flow: Flow):
    flow.say("ticket open TKT-1")
    await flow.courier.drain()
    assert flow.chat.heard() == ["TKT-1 is open"]
    assert not flow.evidence("notice.delivered")


# Cards, threads, people ---------------------------------------------------------------------------


async def test_a_card_is_posted_once_and_then_edited_in_place_as_its_ticket_stands(flow: Flow):
    flow.say("ticket open TKT-1")
    await flow.courier.drain()
    flow.say("ticket redraw TKT-1")
    flow.say("ticket close TKT-1")
    flow.say("ticket redraw TKT-1")
    await flow.courier.drain()
    posted, edited = flow.chat.journal
    assert (posted.title, posted.changed) == ("TKT-1 is open", None)
    assert (edited.title, edited.changed) == ("TKT-1 is closed", posted.number), "two redraws, one edit"


async def test_an_answer_goes_below_the_card(flow: Flow):
    flow.say("ticket open TKT-1")
    flow.say("ticket answer TKT-1")
    await flow.courier.drain()
    card, answer = flow.chat.journal
    assert answer.thread == f"T{card.number}"


async def test_a_persons_direct_channel_is_learnt_once(flow: Flow):
    flow.say("ticket open TKT-1 far")
    for word in ("one", "two"):
        flow.say(f"ticket whisper TKT-1 ada {word}")
        await flow.courier.drain()
    places = [row.place for row in flow.rows("sent") if row.kind == "message"]
    assert [place["direct"] for place in places] == [None, "D-U-ada"]
    assert flow.chat.heard("U-ada") == ["one", "two"]


# In doubt -----------------------------------------------------------------------------------------


async def test_what_arrived_although_the_answer_was_lost_is_found_and_not_sent_again(flow: Flow):
    flow.say("ticket open TKT-1")
    flow.chat.follow(slips_through)
    await flow.live(minutes=1)
    assert flow.chat.heard() == ["TKT-1 is open"]
    assert len(flow.chat.calls) == 1
    assert [row.state for row in flow.rows()] == ["sent"]


async def test_what_did_not_arrive_is_asked_for_before_it_is_sent_again(flow: Flow):
    flow.say("ticket open TKT-1")
    flow.chat.follow(is_lost)
    await flow.live(minutes=1)
    assert flow.chat.heard() == ["TKT-1 is open"]
    assert len(flow.chat.asked) == 1


async def test_a_doubt_stays_until_somebody_can_tell(quick_flow: Flow):
    quick_flow.say("ticket open TKT-1 far")
    quick_flow.say("ticket page TKT-1")
    quick_flow.chat.follow(slips_through, fails)
    quick_flow.chat.can_find = False
    await quick_flow.live(seconds=3)
    assert len(quick_flow.chat.calls) == 2, "nobody could tell, and the second attempt failed for sure"
    quick_flow.chat.can_find = True
    await quick_flow.live(minutes=5)
    assert quick_flow.chat.heard() == ["page TKT-1"]


async def test_where_nobody_can_tell_a_page_may_come_twice_and_is_never_lost(quick_flow: Flow):
    quick_flow.chat.can_find = False
    quick_flow.say("ticket open TKT-1 far")
    quick_flow.say("ticket page TKT-1")
    quick_flow.chat.follow(slips_through)
    await quick_flow.live(minutes=1)
    assert quick_flow.chat.heard() == ["page TKT-1", "page TKT-1"]
    assert duplicates(quick_flow.chat.journal) == 1


async def test_what_is_known_not_to_have_arrived_is_not_asked_for(quick_flow: Flow):
    quick_flow.say("ticket open TKT-1")
    quick_flow.chat.follow(fails)
    await quick_flow.live(minutes=1)
    assert quick_flow.chat.heard() == ["TKT-1 is open"]
    assert not quick_flow.chat.asked


async def test_what_was_sent_before_its_ticket_closed_counts_as_sent(quick_flow: Flow):
    quick_flow.say("ticket open TKT-1 far")
    quick_flow.say("ticket tell TKT-1")
    quick_flow.chat.follow(slips_through)
    await quick_flow.courier.drain()
    quick_flow.say("ticket close TKT-1")
    await quick_flow.live(minutes=1)
    assert [row.state for row in quick_flow.rows("sent", "skipped") if row.kind == "message"] == ["sent"]


# Given up -----------------------------------------------------------------------------------------


async def test_what_can_never_arrive_is_given_up_at_once_and_the_owner_hears_of_it_once(flow: Flow):
    flow.say("ticket open TKT-1 far")
    flow.say("ticket tell TKT-1")
    flow.chat.follow(refuses)
    await flow.live(hours=1)
    (row,) = flow.rows("given up")
    assert row.reason == "no such channel"
    assert flow.chat.heard() == ["A message about TKT-1 could not be delivered."]
    assert f"deskbell outbox retry {row.id}" in flow.chat.journal[0].text
    (record,) = flow.evidence("notice.given_up")
    assert record.after is not None
    assert record.after["reason"] == "no such channel"


async def test_a_message_that_was_given_up_is_sent_when_somebody_asks(flow: Flow):
    flow.say("ticket open TKT-1 far")
    flow.say("ticket tell TKT-1")
    flow.chat.follow(refuses)
    await flow.courier.drain()
    (row,) = flow.rows("given up")
    assert flow.deliveries.retry(row.id or 0, flow.clock.now(), "owner")
    assert not flow.deliveries.retry(row.id or 0, flow.clock.now(), "owner"), "it is on its way already"
    await flow.courier.drain()
    assert flow.chat.heard("C-room-a") == ["message TKT-1"]
    assert [each.actor for each in flow.evidence("notice.retried")] == ["owner"]


async def test_no_notice_is_sent_about_a_notice_about_a_notice(quick_flow: Flow):
    quick_flow.say("ticket open TKT-1 far")
    quick_flow.say("ticket tell TKT-1")
    quick_flow.chat.rule = lambda delivery: refuses
    await quick_flow.live(hours=1)
    assert [row.state for row in quick_flow.rows() if row.platform == "chat"] == ["given up", "given up"]
    assert len(quick_flow.chat.calls) == 2


async def test_poison_reaches_the_dead_letters_within_the_hour_and_holds_up_nobody(quick_flow: Flow):
    for number in range(1, 101):
        quick_flow.say(f"ticket open TKT-{number} far")
        quick_flow.say(f"ticket tell TKT-{number} room-a")
    poison = {"message TKT-7": breaks, "message TKT-8": refuses}
    quick_flow.chat.rule = lambda delivery: poison.get(delivery.reply.title, arrives)
    await quick_flow.courier.drain()
    assert len(quick_flow.chat.heard("C-room-a")) == 98, "the others leave in the first moment"
    await quick_flow.live(hours=1)
    assert {row.subject for row in quick_flow.rows("given up")} == {"TKT-7", "TKT-8"}
    assert sorted(quick_flow.chat.heard("C-owners")) == [
        "A message about TKT-7 could not be delivered.",
        "A message about TKT-8 could not be delivered.",
    ]


async def test_a_card_that_cannot_be_drawn_is_given_up_and_holds_up_nobody(quick_flow: Flow):
    quick_flow.say("ticket open TKT-666")
    quick_flow.say("ticket open TKT-2")
    await quick_flow.courier.drain()
    assert quick_flow.chat.heard() == ["TKT-2 is open"]
    await quick_flow.live(hours=1)
    (row,) = quick_flow.rows("given up")
    assert (row.subject, row.reason) == ("TKT-666", "ZeroDivisionError while it was drawn")
    assert len(quick_flow.evidence("notice.given_up")) == 1


async def test_a_message_is_tried_until_its_time_is_up_and_then_the_owner_hears_of_it(quick_flow: Flow):
    quick_flow.say("ticket open TKT-1 far")
    quick_flow.say("ticket redraw TKT-1 room-a")
    quick_flow.chat.rule = lambda delivery: fails if delivery.place["channel"] == "C-room-a" else arrives
    await quick_flow.live(minutes=59)
    assert not quick_flow.rows("given up")
    await quick_flow.live(minutes=6)
    assert len(quick_flow.rows("given up")) == 1
    assert len(quick_flow.chat.heard("C-owners")) == 1


@pytest.mark.parametrize(("kind", "hours"), [("page", 24), ("message", 24), ("reminder", 2), ("card", 1)])
def test_a_message_is_tried_for_as_long_as_its_kind_deserves(kind: str, hours: int):
    ends = START + timedelta(hours=hours)
    assert not is_spent(_item(kind, first_at=START), Failure("503"), ends - timedelta(seconds=1))
    assert is_spent(_item(kind, first_at=START), Failure("503"), ends)
    assert not is_spent(_item(kind, first_at=None), Failure("503"), ends), "however old, it gets a second try"


@pytest.mark.parametrize(("failures", "spent"), [(FAULTS_AT_MOST - 2, False), (FAULTS_AT_MOST - 1, True)])
def test_what_our_own_code_fails_on_is_tried_a_few_times_only(failures: int, spent: bool):
    item = replace(_item("page", START), attempts=99, failures=failures)
    assert is_spent(item, Failure("KeyError", fault=True), START) is spent
    assert not is_spent(item, Failure("503"), START)


def _item(kind: str, first_at: datetime | None) -> Item:
    return Item(
        id=1,
        key="k",
        kind=kind,
        rank=1,
        platform="chat",
        lane="chat:C",
        place={},
        subject=None,
        while_in=None,
        payload=None,
        practices=None,
        created_at=START,
        attempts=0,
        failures=0,
        first_at=first_at,
        in_doubt=False,
        said_as=None,
    )


@given(st.integers(1, 10_000))
def test_the_wait_doubles_and_is_never_longer_than_five_minutes(attempt: int):
    assert SOONEST <= backoff(attempt) <= backoff(attempt + 1) <= LATEST
    assert backoff(attempt + 1) in (2 * backoff(attempt), LATEST)
