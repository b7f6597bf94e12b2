"""Is somebody woken, by a second way when the first one fails, and by none when it is not needed any more?"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event

from config.policy import Account, Contact, Person, Policy, Way
from handlers.delivery import Failure, next_ways, reaches_nobody
from storage.database import Database
from storage.repositories.outbox import Paged, PageWay
from storage.unit_of_work import Records
from tests.flow.conftest import START, Flow, make_flow
from tests.harness.receiver import (
    Behaviour,
    arrives,
    breaks,
    fails,
    hangs,
    is_busy,
    is_lost,
    refuses,
    slips_through,
)

CHAT = Account(platform="chat", workspace="W", user="U-bo")
OTHER = Account(platform="other", workspace="W", user="O-bo")
TO_SMS, TO_MAIL = "+351210000000", "bo@example.org"
MINUTE = timedelta(minutes=1)


def with_bo(policy: Policy, *contacts: Contact, accounts: Sequence[Account] = (CHAT,)) -> Policy:
    """The policy with one more person, who can be reached by chat and mail, or as their contacts say."""
    bo = Person(key="bo", name="Bo", email=TO_MAIL, accounts=tuple(accounts), contacts=contacts)
    return replace(policy, people={**policy.people, "bo": bo}, version=f"with bo {contacts} {accounts}")


@pytest.fixture
def bo(database: Database, two_platforms: Policy) -> Flow:
    """A ticket that is open, and Bo, who names no contact."""
    return opened(make_flow(database, with_bo(two_platforms)))


def opened(flow: Flow) -> Flow:
    flow.say("ticket open TKT-1 far")
    return flow


def pages(flow: Flow, subject: str = "TKT-1") -> Sequence[Paged]:
    with flow.database.reading() as session:
        return Records(session).outbox.pages(subject)


def heard(flow: Flow) -> dict[str, list[float]]:
    """After how many seconds each way woke Bo."""
    receivers = (flow.chat, flow.other, flow.mail, flow.sms)
    found = {
        each.platform: [(page.at - START).total_seconds() for page in each.journal if page.kind == "page"]
        for each in receivers
    }
    return {platform: moments for platform, moments in found.items() if moments}


# Contacts -----------------------------------------------------------------------------------------


async def test_whoever_names_no_contact_is_woken_by_chat_and_a_minute_later_by_mail(bo: Flow):
    bo.say("ticket wake TKT-1 bo")
    await bo.live(minutes=10)
    assert heard(bo) == {"chat": [0], "mail": [60]}
    assert [page.to for page in bo.mail.journal] == [TO_MAIL]


async def test_another_chat_platform_is_a_further_way(database: Database, two_platforms: Policy):
    flow = opened(make_flow(database, with_bo(two_platforms, Contact(Way.CHAT), accounts=(CHAT, OTHER))))
    flow.say("ticket wake TKT-1 bo")
    await flow.live(minutes=10)
    assert heard(flow) == {"chat": [0], "other": [60]}


async def test_contacts_are_tried_when_they_say(database: Database, two_platforms: Policy):
    contacts = Contact(Way.SMS, TO_SMS, 120), Contact(Way.CHAT), Contact(Way.MAIL, after=600)
    flow = opened(make_flow(database, with_bo(two_platforms, *contacts)))
    flow.say("ticket wake TKT-1 bo")
    await flow.live(minutes=20)
    assert heard(flow) == {"chat": [0], "sms": [120], "mail": [600]}
    assert [page.to for page in flow.sms.journal] == [TO_SMS]


async def test_a_contact_may_be_repeated(quick_flow: Flow, two_platforms: Policy):
    contacts = Contact(Way.SMS, TO_SMS), Contact(Way.SMS, TO_SMS, 300), Contact(Way.SMS, "+1555", 600)
    flow = opened(make_flow(quick_flow.database, with_bo(two_platforms, *contacts)))
    flow.say("ticket wake TKT-1 bo")
    assert [row.lane for row in flow.rows() if row.page] == ["sms:@bo", "sms:@bo", "sms:@bo/2"]
    await flow.live(minutes=20)
    assert heard(flow) == {"sms": [0, 300, 600]}


async def test_a_way_that_is_not_set_up_says_so_and_the_next_one_begins_at_once(
    database: Database, two_platforms: Policy
):
    contacts = Contact(Way.NTFY, "bo-s-topic"), Contact(Way.MAIL, after=900), Contact(Way.CHAT, after=1800)
    flow = opened(make_flow(database, with_bo(two_platforms, *contacts)))
    flow.say("ticket wake TKT-1 bo")
    await flow.live(hours=1)
    assert heard(flow) == {"mail": [0], "chat": [1800]}
    first, *_ = pages(flow)
    assert (first.way, first.state, first.reason) == ("ntfy", "given up", "ntfy is not set up")


async def test_whoever_has_no_account_is_woken_by_mail_at_once(database: Database, two_platforms: Policy):
    flow = opened(make_flow(database, with_bo(two_platforms, accounts=())))
    flow.say("ticket wake TKT-1 bo")
    await flow.live(minutes=10)
    assert heard(flow) == {"mail": [0]}
    assert pages(flow)[0].reason == "no connected account"


# Acknowledged -------------------------------------------------------------------------------------


async def test_nobody_is_woken_a_second_time_for_what_was_acknowledged_meanwhile(bo: Flow):
    bo.say("ticket wake TKT-1 bo")
    await bo.live(seconds=30)
    bo.say("ticket close TKT-1")
    await bo.live(minutes=10)
    assert heard(bo) == {"chat": [0]}
    assert [(page.way, page.state, page.reason) for page in pages(bo)] == [
        ("chat", "sent", None),
        ("mail", "skipped", "TKT-1 is closed now"),
    ]
    assert [record.subject for record in bo.evidence("notice.skipped")] == ["TKT-1"]


# A way that fails ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [fails, is_busy(3600), is_lost, slips_through, refuses, breaks],
    ids=["fails", "is busy", "is lost", "slips through", "refuses", "breaks"],
)
async def test_when_a_way_fails_the_next_one_begins_at_once(
    database: Database, two_platforms: Policy, trouble: Behaviour
):
    contacts = Contact(Way.CHAT), Contact(Way.SMS, TO_SMS, 1800), Contact(Way.MAIL, after=7200)
    flow = opened(make_flow(database, with_bo(two_platforms, *contacts)))
    flow.chat.rule = lambda delivery: trouble if "user" in delivery.place else arrives
    flow.say("ticket wake TKT-1 bo")
    await flow.live(minutes=29)
    assert heard(flow)["sms"] == [0]
    assert "mail" not in heard(flow), "the second way works, so the third one keeps its time"


async def test_when_a_platform_hangs_a_second_way_is_out_as_soon_as_the_call_is_given_up(bo: Flow):
    bo.courier = bo.worker("first", call_timeout=0.05)
    bo.chat.rule = lambda delivery: hangs
    bo.say("ticket wake TKT-1 bo")
    await bo.courier.drain()
    assert heard(bo) == {"mail": [0]}
    assert pages(bo)[0].reason == "no answer in 0.05 s"


async def test_each_failure_begins_one_further_way(database: Database, two_platforms: Policy):
    contacts = Contact(Way.CHAT), Contact(Way.SMS, TO_SMS, 1800), Contact(Way.MAIL, after=7200)
    flow = opened(make_flow(database, with_bo(two_platforms, *contacts)))
    flow.chat.rule = flow.sms.rule = lambda delivery: fails
    flow.say("ticket wake TKT-1 bo")
    await flow.live(minutes=1)
    assert heard(flow) == {"mail": [0]}


async def test_a_page_does_not_wait_in_a_lane_that_rests(database: Database, two_platforms: Policy):
    contacts = Contact(Way.CHAT), Contact(Way.SMS, TO_SMS, 1800)
    flow = opened(make_flow(database, with_bo(two_platforms, *contacts)))
    flow.chat.follow(is_busy(600))
    flow.say("ticket whisper TKT-1 bo hello")
    await flow.courier.drain()
    flow.wait(seconds=5)
    flow.say("ticket wake TKT-1 bo")
    await flow.live(minutes=20)
    assert heard(flow) == {"sms": [5], "chat": [600]}


async def test_a_page_that_waits_when_its_lane_begins_to_rest_goes_another_way(
    database: Database, two_platforms: Policy
):
    contacts = Contact(Way.CHAT), Contact(Way.SMS, TO_SMS, 1800)
    flow = opened(make_flow(database, with_bo(two_platforms, *contacts)))
    flow.say("ticket whisper TKT-1 bo hello")
    claim, *_ = flow.deliveries.claim(flow.clock.now(), "first", {"chat": 1})
    parcel = flow.deliveries.ready(claim, flow.clock.now())
    flow.say("ticket wake TKT-1 bo")
    assert parcel is not None
    busy = Failure("429", after=timedelta(minutes=10))
    assert flow.deliveries.settle(flow.deliveries.put_off(parcel, busy, flow.clock.now(), flow.clock.now()))
    await flow.live(minutes=5)
    assert heard(flow) == {"sms": [0]}


async def test_ten_minutes_without_chat_lose_nobody_and_wake_nobody_in_vain(
    database: Database, two_platforms: Policy
):
    flow = make_flow(database, with_bo(two_platforms))
    flow.chat.rule = lambda delivery: fails
    for number in range(12):
        flow.say(f"ticket open TKT-{number} far")
        flow.say(f"ticket wake TKT-{number} bo")
        await flow.live(seconds=30)
    by_mail = {page.title: page.at for page in flow.mail.journal}
    for number in range(12):
        assert by_mail[f"page TKT-{number}"] - START <= number * timedelta(seconds=30) + MINUTE
    for number in range(0, 12, 2):
        flow.say(f"ticket close TKT-{number}")
    await flow.live(minutes=4)
    flow.chat.rule = lambda delivery: arrives
    back = flow.clock.now()
    await flow.live(hours=1)
    assert sorted(flow.chat.heard("U-bo")) == sorted(f"page TKT-{number}" for number in range(1, 12, 2))
    assert max(page.at for page in flow.chat.journal) <= back + timedelta(minutes=5)
    assert {page.state for number in range(12) for page in pages(flow, f"TKT-{number}")} == {
        "sent",
        "skipped",
    }


# Nobody -------------------------------------------------------------------------------------------


async def test_a_page_that_can_reach_nobody_climbs_at_once_and_once(
    database: Database, two_platforms: Policy
):
    flow = opened(make_flow(database, with_bo(two_platforms, Contact(Way.CHAT), accounts=())))
    flow.say("ticket wake TKT-1 bo")
    await flow.live(hours=1)
    (climbed,) = flow.evidence("ticket.climbed")
    assert (climbed.at, climbed.actor, climbed.after) == (START, "desk", {"past": "bo"})
    (page,) = pages(flow)
    assert (page.person, page.way, page.state, page.next_at) == ("bo", "nowhere", "given up", None)


async def test_a_page_that_every_way_refuses_climbs_at_once_and_the_owner_hears_of_each(bo: Flow):
    bo.chat.rule = lambda delivery: refuses if "user" in delivery.place else arrives
    bo.mail.rule = lambda delivery: refuses
    bo.say("ticket wake TKT-1 bo")
    await bo.live(hours=1)
    assert [record.at for record in bo.evidence("ticket.climbed")] == [START]
    assert bo.chat.heard("C-owners") == ["A page about TKT-1 could not be delivered."] * 2


async def test_a_page_whose_every_way_fails_climbs_within_two_minutes_and_goes_on_being_tried(bo: Flow):
    bo.chat.rule = bo.mail.rule = lambda delivery: fails
    bo.say("ticket wake TKT-1 bo")
    await bo.live(minutes=2)
    (climbed,) = bo.evidence("ticket.climbed")
    assert climbed.at >= START + MINUTE
    await bo.live(hours=1)
    assert len(bo.evidence("ticket.climbed")) == 1
    assert all(page.state == "retry" and page.next_at for page in pages(bo))


async def test_a_page_that_is_late_for_a_moment_does_not_climb(bo: Flow):
    bo.chat.follow(is_busy(2))
    bo.mail.follow(fails)
    bo.say("ticket wake TKT-1 bo")
    await bo.live(hours=1)
    assert not bo.evidence("ticket.climbed")
    assert {page.state for page in pages(bo)} == {"sent"}


def test_two_ways_that_are_given_up_in_the_same_instant_see_each_other(
    database: Database, two_platforms: Policy
):
    flow = opened(make_flow(database, with_bo(two_platforms, Contact(Way.CHAT), Contact(Way.MAIL))))
    flow.say("ticket wake TKT-1 bo")
    now = flow.clock.now()
    claims = flow.deliveries.claim(now, "first", {"chat": 2, "mail": 2})
    parcels = [flow.deliveries.ready(claim, now) for claim in claims]
    together = threading.Barrier(2)

    def wait_for_the_other(_connection: object) -> None:
        with suppress(threading.BrokenBarrierError):
            together.wait(0.5)  # the other one may have to wait for this very commit

    event.listen(database.engine, "commit", wait_for_the_other)
    with ThreadPoolExecutor() as threads:
        assert all(
            threads.map(
                lambda parcel: flow.deliveries.settle(flow.deliveries.give_up(parcel, "gone", now, now)),
                filter(None, parcels),
            )
        )
    event.remove(database.engine, "commit", wait_for_the_other)
    assert [page.state for page in pages(flow)] == ["given up", "given up"]
    flow.bell.ring()
    assert len(flow.evidence("ticket.climbed")) == 1


# In a lane ----------------------------------------------------------------------------------------


async def test_a_page_waits_for_no_message_that_fails(bo: Flow):
    bo.say("ticket whisper TKT-1 bo poison")
    bo.chat.rule = lambda delivery: breaks if delivery.reply.title == "poison" else arrives
    await bo.courier.drain()
    bo.say("ticket wake TKT-1 bo")
    await bo.courier.drain()
    assert heard(bo) == {"chat": [0]}


async def test_a_way_whose_time_is_to_come_holds_up_no_message(database: Database, two_platforms: Policy):
    contacts = Contact(Way.SMS, TO_SMS), Contact(Way.CHAT, after=1800)
    flow = opened(make_flow(database, with_bo(two_platforms, *contacts)))
    flow.say("ticket wake TKT-1 bo")
    flow.say("ticket whisper TKT-1 bo hello")
    assert await flow.courier.next_at() == START
    await flow.courier.drain()
    assert flow.chat.heard("U-bo") == ["hello"]
    await flow.live(hours=1)
    assert heard(flow) == {"sms": [0], "chat": [1800]}


# What can be seen ---------------------------------------------------------------------------------


async def test_every_delay_is_readable_with_its_reason_and_the_next_attempt(bo: Flow):
    bo.chat.follow(is_busy(30))
    bo.say("ticket wake TKT-1 bo")
    await bo.courier.drain()
    chat, mail = pages(bo)
    assert (chat.person, chat.way, chat.state, chat.reason, chat.attempts) == (
        "bo",
        "chat",
        "retry",
        "429",
        1,
    )
    assert chat.next_at == START + timedelta(seconds=30)
    assert (mail.way, mail.state, mail.next_at, mail.done_at) == ("mail", "sent", None, START)


async def test_the_card_is_drawn_anew_when_a_page_is_late_and_when_it_is_so_no_more(bo: Flow):
    bo.say("ticket open TKT-2 room-a")
    bo.say("ticket wake TKT-2 bo")
    await bo.live(minutes=2)
    assert [each.kind for each in bo.chat.journal] == ["page", "card"], "all is well, and nobody is told"
    bo.chat.follow(is_busy(30))
    bo.say("ticket wake TKT-2 bo")
    await bo.courier.drain()
    assert [each.kind for each in bo.chat.journal[2:]] == ["card"]
    await bo.live(minutes=2)
    assert [each.kind for each in bo.chat.journal[3:]] == ["page", "card"]


async def test_a_page_that_was_given_up_is_sent_when_somebody_asks(bo: Flow):
    bo.chat.follow(refuses)
    bo.say("ticket wake TKT-1 bo")
    await bo.live(minutes=2)
    (row,) = bo.rows("given up")
    assert bo.deliveries.retry(row.id or 0, bo.clock.now(), "owner")
    await bo.live(minutes=1)
    assert {page.state for page in pages(bo)} == {"sent"}


async def test_what_is_over_names_nobody_s_address_once_they_are_erased(bo: Flow):
    bo.say("ticket wake TKT-1 bo")
    await bo.live(minutes=2)
    with bo.database.writing() as session:
        Records(session).copies.erase(["bo"], {"TKT-1"}, bo.clock.now())
    (row,) = (row for row in bo.rows() if row.platform == "mail")
    assert row.place == {"person": "bo", "zone": "Europe/Berlin"}
    assert TO_MAIL not in row.lane


# The rule -----------------------------------------------------------------------------------------


def _ways(*states: str) -> list[PageWay]:
    """Ways whose time is to come, unless they have begun."""
    return [
        PageWay(
            id=number,
            lane=f"lane-{number}",
            subject="TKT-1",
            state=state.removesuffix("!"),
            first_at=START if state in ("sent", "retry", "sending") else None,
            next_at=START + MINUTE * number,
            otherwise=None,
        )
        for number, state in enumerate(states, 1)
    ]


@pytest.mark.parametrize(
    ("states", "resting", "begun"),
    [
        (["sent", "pending"], None, []),
        (["sending", "pending"], None, []),
        (["retry", "pending", "pending"], None, [2]),
        (["retry", "retry", "pending"], None, [3]),
        (["retry", "sent", "pending"], None, []),
        (["retry", "given up", "pending"], None, [3]),
        (["given up", "pending", "pending"], None, [2]),
        (["retry", "skipped", "pending"], None, [3]),
        (["pending", "pending"], "lane-1", [2]),
        (["pending", "pending", "pending"], "lane-2", [3]),
        (["given up", "given up"], None, []),
    ],
)
def test_the_way_after_one_that_fails_begins(states: list[str], resting: str | None, begun: list[int]):
    assert [way.id for way in next_ways(_ways(*states), resting, START)] == begun
    assert next_ways(_ways(*states), resting, START + timedelta(hours=1)) == [], "they are due anyhow"


@pytest.mark.parametrize(
    ("states", "seconds", "nobody"),
    [
        (["given up"], 0, True),
        (["given up", "given up"], 0, True),
        (["retry"], 59, False),
        (["retry"], 60, True),
        (["retry", "given up"], 60, True),
        (["retry", "sending"], 3600, False),
        (["given up", "pending"], 3600, False),
        (["given up", "sent"], 3600, False),
        (["given up", "skipped"], 3600, False),
    ],
)
def test_a_page_reaches_nobody_when_all_was_in_vain_or_has_been_for_a_minute(
    states: list[str], seconds: int, nobody: bool
):
    assert reaches_nobody(_ways(*states), START + timedelta(seconds=seconds)) is nobody
