"""Deliveries into the rooms: once per key, edits in place, threads, direct messages; on both stores."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine

from bot.adapters.console.app import ConsoleAdapter
from bot.adapters.port import Delivered, Delivery, Ear, GiveUp, TryAgain
from handlers.messages import Reply
from storage.repositories.console import DESK, Console, Writing
from tests.harness.console import dispatcher_of


@pytest.fixture
def courier(database, policy, commands, clock):
    """The adapter as the courier knows it, on each store."""
    ear = Ear(dispatcher_of(database, policy, commands, clock))
    return ConsoleAdapter(ear, database, lambda: policy, clock)


def parcel(title: str, key: str = "k1", place=None, **more) -> Delivery:
    reply = Reply(title=title, version=more.pop("version", None))
    return Delivery(key=key, kind="message", place=place or {"channel": "requests"}, reply=reply, **more)


def standing(database, reader="staff", room="requests", thread=None):
    with database.reading() as session:
        return [
            (each.id, (each.reply or {}).get("title")) for each in Console(session).page(room, reader, thread)
        ]


async def test_a_repeated_key_has_no_second_effect(courier, database):
    first = await courier.deliver(parcel("one"))
    assert isinstance(first, Delivered)
    assert await courier.deliver(parcel("one, drawn again")) == first
    assert [title for _, title in standing(database)] == ["one"]


async def test_a_message_is_found_by_its_key(courier):
    assert await courier.find(parcel("one")) is None
    assert await courier.find(parcel("one")) is None
    arrived = await courier.deliver(parcel("one"))
    assert await courier.find(parcel("one")) == arrived


async def test_a_card_is_edited_in_place_and_its_thread_stays(courier, database):
    card = await courier.deliver(parcel("new"))
    edited = await courier.deliver(parcel("taken", "k2", edit=card.message, thread=card.thread))
    assert (edited.message, edited.thread) == (card.message, card.thread)
    assert [title for _, title in standing(database)] == ["taken"]


async def test_an_edit_to_the_same_words_changes_nothing(courier, database):
    card = await courier.deliver(parcel("new"))
    await courier.deliver(parcel("new", "k2", edit=card.message))
    with database.reading() as session:
        assert Console(session).changes() == 1


async def test_an_older_state_is_not_drawn_over_a_newer_one(courier, database):
    card = await courier.deliver(parcel("one", version=1))
    await courier.deliver(parcel("three", "k3", edit=card.message, version=3))
    await courier.deliver(parcel("two", "k2", edit=card.message, version=2))
    assert [title for _, title in standing(database)] == ["three"]


async def test_a_card_whose_message_is_gone_is_posted_anew(courier, database):
    arrived = await courier.deliver(parcel("new", edit={"id": 77}))
    assert standing(database) == [(arrived.message["id"], "new")]


async def test_an_answer_hangs_below_its_card(courier, database):
    card = await courier.deliver(parcel("new"))
    below = await courier.deliver(parcel("answer", "k2", thread=card.thread))
    assert below.thread == card.thread
    assert [title for _, title in standing(database, thread=int(card.thread))] == ["answer"]


async def test_a_direct_message_is_for_one_person(courier, database):
    await courier.deliver(
        parcel("psst", place={"workspace": "", "user": "staff", "person": "staff", "direct": None})
    )
    assert standing(database, room="@staff")
    with database.reading() as session:
        assert [each.room for each in Console(session).since(0, "staff")] == ["@staff"]
        assert not Console(session).since(0, "agent")


async def test_a_place_that_is_none_is_given_up(courier):
    assert isinstance(await courier.deliver(parcel("lost", place={"workspace": "T1"})), GiveUp)


async def test_a_store_that_is_away_is_tried_again(courier, database, monkeypatch):
    monkeypatch.setattr(database, "engine", create_engine("sqlite:////nowhere/desk.db"))
    assert isinstance(await courier.deliver(parcel("later")), TryAgain)


def test_parallel_writers_lose_no_number_and_write_a_key_once(database, clock):
    def write(number: int) -> int:
        for _ in range(20):
            try:
                with database.writing() as session:
                    writing = Writing("requests", DESK, key=f"k{number % 10}", reply={"title": "x"})
                    return Console(session).write(writing, clock.now()).id
            except Exception:  # noqa: BLE001 - a conflict; the adapter tries again in the same way
                continue
        raise AssertionError("never written")

    with database.writing() as session:
        Console(session).write(Writing("requests", DESK, reply={"title": "first"}), clock.now())
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(write, range(40)))
    assert len(set(ids)) == 10
    with database.reading() as session:
        assert [each.changed for each in Console(session).since(0, "staff")] == list(range(1, 12))
