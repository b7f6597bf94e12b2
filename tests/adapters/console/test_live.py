"""The live stream: what a page hears of, from where it left off, and nothing that is for others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from storage.database import Database
from storage.repositories.console import DESK, Console, Writing
from tests.harness.console import served
from tests.harness.house import MONDAY


@pytest.fixture
def address(sqlite, policy, commands) -> Iterator[str]:
    """The small desk's console as a real server."""
    with served(sqlite, policy, commands) as found:
        yield found


@contextmanager
def stream(
    address: str, me: str, room: str, after: int | None = 0, **more: str
) -> Iterator[Iterator[tuple[int, Any]]]:
    """Events of a live page as (id, data)."""
    query = {"room": room, "after": str(after)} | more
    with httpx.stream("GET", f"{address}/console/{me}/-/live", params=query, timeout=10) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[tuple[int, Any]]:
    number = 0
    for line in lines:
        if line.startswith("id: "):
            number = int(line[4:])
        if line.startswith("data: {"):
            yield number, json.loads(line[6:])


def write(database: Database, room: str, title: str, **more) -> int:
    """Write a message as another process would."""
    other = Database(database.url.render_as_string(hide_password=False))
    with other.writing() as session:
        found = Console(session).write(Writing(room, DESK, reply={"title": title}, **more), MONDAY)
    other.close()
    return found.id


def test_a_page_hears_what_another_process_writes(address, sqlite):
    with stream(address, "staff", "requests") as events:
        write(sqlite, "requests", "hello")
        number, event = next(events)
        assert (number, event["pane"], event["id"]) == (1, "m", 1)
        assert "hello" in event["html"]


def test_a_page_goes_on_where_it_left_off(address, sqlite):
    for title in ("one", "two", "three"):
        write(sqlite, "requests", title)
    with stream(address, "staff", "requests", after=2) as events:
        assert "three" in next(events)[1]["html"]
    headers = {"Last-Event-ID": "1"}
    query = {"room": "requests", "after": "3"}
    with httpx.stream("GET", f"{address}/console/staff/-/live", params=query, headers=headers) as answer:
        assert "two" in next(_events(answer.iter_lines()))[1]["html"]


def test_nobody_hears_what_is_for_others(address, sqlite):
    write(sqlite, "requests", "secret of staff", only_for="staff")
    write(sqlite, "@staff", "direct to staff")
    write(sqlite, "requests", "for all")
    with stream(address, "agent", "requests") as events:
        assert "for all" in next(events)[1]["html"]
    with stream(address, "staff", "requests") as events:
        heard = [next(events)[1] for _ in range(3)]
    assert "secret of staff" in heard[0]["html"]
    assert heard[1] == {"room": "@desk", "changed": 2}


def test_other_rooms_only_stir(address, sqlite):
    write(sqlite, "on-call", "elsewhere")
    with stream(address, "staff", "requests") as events:
        assert next(events)[1] == {"room": "on-call", "changed": 1}


def test_a_thread_comes_with_its_count_in_the_room(address, sqlite):
    root = write(sqlite, "requests", "card")
    write(sqlite, "requests", "answer", thread=root)
    with stream(address, "staff", "requests", after=1) as events:
        _, event = next(events)
        assert (event["pane"], event["id"]) == ("m", root)
        assert "1 reply" in event["html"]
    with stream(address, "staff", "requests", after=1, thread=str(root)) as events:
        panes = [next(events)[1]["pane"] for _ in range(2)]
        assert panes == ["t", "m"]


def test_an_edit_and_a_withdrawal_are_told(address, sqlite):
    write(sqlite, "requests", "before")
    with sqlite.writing() as session:
        Console(session).edit(1, {"title": "after"}, MONDAY)
    with stream(address, "staff", "requests") as events:
        number, event = next(events)
        assert (number, event["changed"]) == (2, 2)
        assert "after" in event["html"]
    with sqlite.writing() as session:
        Console(session).withdraw(1, MONDAY)
    with stream(address, "staff", "requests", after=2) as events:
        assert next(events)[1]["html"] == ""


def test_a_page_from_before_the_rooms_were_emptied_is_told_to_load_anew(address):
    query = {"room": "requests", "after": "99"}
    with httpx.stream("GET", f"{address}/console/staff/-/live", params=query, timeout=10) as answer:
        assert "event: reset" in "".join(line for line in answer.iter_lines())
