"""What people say in rooms, threads and the direct talk, and who sees the answer."""

from __future__ import annotations

import html
import re

from sqlalchemy import create_engine

from storage.repositories.console import Console


def rooms(sqlite):
    """Everything that was said, as (room, thread, author, only for, line or title)."""
    with sqlite.reading() as session:
        console = Console(session)
        every = [console.get(number) for number in range(1, console.changes() + 1)]
        return [
            (each.room, each.thread, each.author, each.only_for, each.line or (each.reply or {}).get("title"))
            for each in every
            if each
        ]


async def test_a_newcomer_chooses_who_to_be_and_is_remembered(visitor):
    welcome = await visitor.open("/")
    assert all(name in welcome.text for name in ("Sam Staff", "Alex Agent", "Mika Manager"))
    await visitor.open("/console/agent/requests")
    assert (await visitor.open("/")).headers["location"] == "/console/agent"
    assert (await visitor.open("/console/agent")).headers["location"] == "/console/agent/requests"
    assert "Sam Staff" in (await visitor.open("/console")).text


async def test_ordinary_talk_goes_to_the_room_and_not_to_the_desk(visitor, sqlite):
    answer = await visitor.say("staff", "Good morning, anyone?")
    assert answer.headers["location"] == "/console/staff/requests#m1"
    assert rooms(sqlite) == [("requests", None, "staff", None, "Good morning, anyone?")]
    assert "Good morning, anyone?" in (await visitor.open("/console/agent/requests")).text


async def test_a_slash_or_a_known_noun_makes_a_command(visitor, sqlite):
    await visitor.say("staff", "/thing whisper one")
    await visitor.say("staff", "thing whisper two")
    await visitor.say("staff", "/nonsense")
    await visitor.say("staff", "/")
    titles = [title for *_, author, _, title in rooms(sqlite) if author == "desk"]
    assert titles == ["whispered one", "whispered two", "I do not know “nonsense”.", "Say anything."]


async def test_every_line_of_the_direct_talk_is_a_command(visitor, sqlite):
    await visitor.say("staff", "good morning", room="@desk")
    assert rooms(sqlite) == [
        ("@staff", None, "staff", None, "good morning"),
        ("@staff", None, "desk", None, "I do not know “good morning”."),
    ]


async def test_an_empty_line_says_nothing(visitor, sqlite):
    await visitor.say("staff", "  ")
    assert rooms(sqlite) == []


async def test_a_private_answer_and_its_line_are_for_the_asker_alone(visitor, sqlite):
    await visitor.say("staff", "thing whisper secret-7")
    assert [only_for for *_, only_for, _ in rooms(sqlite)] == ["staff", "staff"]
    assert "secret-7" in (await visitor.open("/console/staff/requests")).text
    assert "Only you can see this" in (await visitor.open("/console/staff/requests")).text
    assert "secret-7" not in (await visitor.open("/console/agent/requests")).text


async def test_a_public_answer_is_for_the_room(visitor):
    await visitor.say("staff", "thing shout hear-7")
    page = (await visitor.open("/console/agent/requests")).text
    assert page.count("hear-7") >= 2
    assert "Only you can see this" not in page


async def test_one_persons_direct_talk_is_closed_to_others(visitor):
    await visitor.say("staff", "thing whisper secret-7", room="@desk")
    assert "secret-7" in (await visitor.open("/console/staff/@desk")).text
    assert "secret-7" not in (await visitor.open("/console/agent/@desk")).text
    for path in ("/console/-/message/1", "/console/-/message/2"):
        visitor.http.cookies.set("deskbell_person", "agent", domain="127.0.0.1", path="/")
        assert (await visitor.open(path)).status_code == 404


async def test_a_private_message_is_nobody_elses_thread_source_or_file(visitor):
    await visitor.say("staff", "thing whisper secret-7")
    assert (await visitor.open("/console/agent/requests/2")).status_code == 404
    assert (await visitor.say("agent", "hello", thread="2")).status_code == 404
    await visitor.press("agent", "thing whisper mine", source="2")
    page = (await visitor.open("/console/agent/requests")).text
    assert "whispered mine" in page
    assert "secret-7" not in page


async def test_the_same_form_sent_twice_has_one_effect(visitor, sqlite):
    for _ in range(3):
        await visitor.say("staff", "thing count", key="same-key-1")
        await visitor.say("staff", "hello", key="same-key-2")
    assert [title for *_, title in rooms(sqlite)] == ["thing count", "Counted 1", "hello"]


async def test_one_persons_key_is_not_anothers(visitor, sqlite):
    await visitor.say("staff", "thing count", key="same-key-1")
    await visitor.say("agent", "thing count", key="same-key-1")
    assert [title for *_, author, _, title in rooms(sqlite) if author == "desk"] == ["Counted 1", "Counted 2"]


async def test_another_line_from_an_old_page_is_no_repeat(visitor, sqlite):
    await visitor.say("staff", "first", key="same-key-1")
    await visitor.say("staff", "second", key="same-key-1")
    assert [title for *_, title in rooms(sqlite)] == ["first", "second"]


async def test_a_thread_holds_its_answers_and_counts_them(visitor, sqlite):
    await visitor.say("staff", "the beginning")
    await visitor.say("agent", "an answer", thread="1")
    await visitor.say("agent", "thing whisper hidden-7", thread="1")
    assert [(thread, only_for) for _, thread, _, only_for, _ in rooms(sqlite)] == [
        (None, None),
        (1, None),
        (1, "agent"),
        (1, "agent"),
    ]
    room = (await visitor.open("/console/staff/requests")).text
    assert "an answer" not in room
    assert "1 reply" in room
    assert "3 replies" in (await visitor.open("/console/agent/requests")).text
    thread = (await visitor.open("/console/staff/requests/1")).text
    assert "an answer" in thread
    assert "hidden-7" not in thread


async def test_my_threads_are_those_i_wrote_in(visitor):
    await visitor.say("staff", "the beginning")
    await visitor.say("agent", "an answer", thread="1")
    for person, mine in (("staff", True), ("agent", True), ("owner", False)):
        page = (await visitor.open(f"/console/{person}/on-call")).text
        assert ("My threads" in page) is mine


async def test_a_forms_answer_takes_the_forms_place(visitor, sqlite):
    await visitor.say("staff", "thing ask")
    assert rooms(sqlite)[-1][-1] == "A few details, please."
    await visitor.press("staff", "thing ask", of="2", **{"answer.colour": "red"})
    page = (await visitor.open("/console/staff/requests")).text
    error = re.search(r'id="(m2-shade-error)"[^>]*>.*A shade is needed', page)
    assert error
    assert re.search(
        rf'name="answer.shade"[^>]*aria-describedby="[^"]*{error[1]}"[^>]*aria-invalid="true"', page
    )
    await visitor.press("staff", "thing ask", of="2", **{"answer.colour": "red", "answer.shade": "dark"})
    assert [title for *_, title in rooms(sqlite)] == ["thing ask", "A dark red thing"]
    assert "data-form" not in (await visitor.open("/console/staff/requests")).text


async def test_a_public_answer_to_a_private_form_is_said_anew_and_the_form_goes(visitor, sqlite):
    await visitor.say("staff", "thing announce")
    await visitor.press("staff", "thing announce", of="2", **{"answer.what": "spring"})
    assert rooms(sqlite)[1:] == [
        ("requests", None, "desk", "staff", None),
        ("requests", None, "desk", None, "Announced spring"),
    ]
    assert "Announced spring" in (await visitor.open("/console/agent/requests")).text


async def test_nobody_replaces_a_message_that_is_not_their_own_form(visitor, sqlite):
    await visitor.say("staff", "thing whisper secret")
    await visitor.say("staff", "thing shout public")
    for of in ("1", "2", "3", "4"):
        await visitor.press("agent", "thing whisper mine", of=of)
    titles = [title for *_, title in rooms(sqlite)]
    assert titles[:4] == ["thing whisper secret", "whispered secret", "thing shout public", "public"]


async def test_without_a_script_a_button_asks_for_the_questions_that_follow(visitor):
    await visitor.say("staff", "thing ask")
    await visitor.press("staff", "thing ask", of="2", draft="1", **{"answer.colour": "red"})
    page = (await visitor.open("/console/staff/requests")).text
    assert "Which shade?" in page
    assert "A shade is needed" not in page


async def test_with_a_script_the_questions_come_without_being_stored(visitor, sqlite):
    await visitor.say("staff", "thing ask")
    before = rooms(sqlite)
    fields = {
        "line": "thing ask",
        "room": "requests",
        "key": "key-draft-1",
        "of": "2",
        "answer.colour": "red",
    }
    answer = await visitor.post("/console/staff/-/draft", fields)
    assert 'id="m2-shade"' in answer.text
    assert rooms(sqlite) == before
    nothing = await visitor.post("/console/staff/-/draft", fields | {"line": "nonsense"})
    assert nothing.status_code == 204


async def test_a_message_made_into_a_command_hands_over_its_text_and_link(visitor):
    await visitor.say("staff", "my printer <b>burns</b>")
    await visitor.press("agent", "thing whisper look", source="1")
    page = html.unescape((await visitor.open("/console/agent/requests")).text)
    assert "http://127.0.0.1:8080/console/-/message/1" in page
    assert "my printer <b>burns</b>" in page
    assert (await visitor.open("/console/-/message/1")).headers["location"] == "/console/agent/requests#m1"


async def test_a_script_gets_what_was_written_at_once(visitor):
    await visitor.open("/console/staff/requests")
    fields = {"line": "thing shout hello", "room": "requests", "key": "key-json-1", "typed": "1"}
    answer = await visitor.post("/console/staff/-/say", fields, Accept="application/json")
    assert [(each["pane"], each["id"]) for each in answer.json()["events"]] == [("m", 1), ("m", 2)]


async def test_a_file_is_handed_over_as_a_download(visitor):
    await visitor.say("staff", "thing everything =1+1;attachment")
    answer = await visitor.open("/console/staff/-/file/2/0")
    assert answer.text == "=1+1;attachment"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''%3D1%2B1%3Battachment"
    assert answer.headers["content-type"].startswith("text/plain")


async def test_times_are_shown_in_the_readers_zone_with_the_full_instant_behind(visitor):
    await visitor.say("staff", "thing everything hello")
    berlin = (await visitor.open("/console/staff/requests")).text
    lisbon = (await visitor.open("/console/backup/requests")).text
    assert 'datetime="2026-07-01T12:30:00Z"' in berlin
    assert 'title="Wednesday 1 July 2026, 14:30:00 CEST (2026-07-01 12:30:00 UTC)"' in berlin
    assert "Wed 1 Jul 14:30" in berlin
    assert "Wed 1 Jul 13:30" in lisbon


async def test_older_messages_are_a_page_away(visitor):
    for number in range(85):
        await visitor.say("staff", f"line number {number}.")
    page = (await visitor.open("/console/staff/requests")).text
    assert "line number 84." in page
    assert "line number 4." not in page
    older = re.search(r'href="(\?before=\d+)"', page)
    assert older
    page = (await visitor.open(f"/console/staff/requests{older[1]}")).text
    assert "line number 4." in page
    assert "line number 84." not in page


async def test_a_store_that_is_away_is_said_and_nothing_is_shown_as_done(visitor, sqlite, monkeypatch):
    await visitor.open("/console/staff/requests")
    monkeypatch.setattr(sqlite, "engine", create_engine("sqlite:////nowhere/desk.db"))
    answer = await visitor.say("staff", "thing count")
    assert answer.status_code == 503
    monkeypatch.undo()
    assert rooms(sqlite) == []
