"""Does plain text say everything, and only what is meant to be read?"""

from __future__ import annotations

import unicodedata
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.notify.words import answers, body, cut, cut_bytes, plain, short, title, zone_of
from handlers.messages import Button, Moment, Reply, Table, Who, facts
from tests.adapters.notify.conftest import PAGE
from tests.harness.house import MONDAY

BERLIN = ZoneInfo("Europe/Berlin")
ANYTHING = st.text(max_size=300)


def test_text_facts_rows_sections_and_answers_stand_in_this_order():
    reply = Reply(
        title="INC-7",
        text=("Held by ", Who(person="bo", name="Bo"), " since ", Moment(moment=MONDAY), "."),
        facts=facts(("Severity", "SEV1")),
        table=Table(columns=("Who", "How"), rows=((("Bo",), ("by chat",)), (("Ada",), ("by mail",)))),
        more=(Reply(title="Alerts", text=("Disk is full",)),),
        buttons=(Button(label="Acknowledge", line="incident ack INC-7"),),
    )
    assert body(reply, BERLIN) == (
        "Held by Bo since Mon 23 Nov 2026 09:00 CET.\n\n"
        "Severity: SEV1\n\n"
        "Bo, by chat\nAda, by mail\n\n"
        "Alerts\nDisk is full\n\n"
        "To answer, say this to the desk in chat:\nAcknowledge: incident ack INC-7"
    )


def test_an_empty_table_says_so():
    assert body(Reply(title="x", table=Table(columns=("Who",), empty="Nobody.")), BERLIN) == "Nobody."


def test_a_person_without_a_zone_reads_utc():
    assert zone_of({}) == ZoneInfo("UTC")
    assert zone_of({"zone": "Europe/Berlin"}) == BERLIN


@given(ANYTHING, ANYTHING)
def test_nothing_steers_a_terminal_or_turns_a_line_around(said: str, named: str):
    reply = Reply(title=named, text=(said,), buttons=(Button(label=named, line=said),))
    lines = (plain(reply.text, BERLIN), body(reply, BERLIN), short(reply, BERLIN, 400, "k"))
    for text in (title(reply), *(line.replace("\n", "") for line in lines)):
        assert not any(unicodedata.category(each) in ("Cc", "Zl", "Zp") for each in text)
        assert not any(unicodedata.bidirectional(each) in _TURNS for each in text)


_TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@given(ANYTHING, st.integers(40, 200))
def test_what_is_short_is_short_enough_and_ends_in_its_mark(named: str, at_most: int):
    reply = PAGE.model_copy(update={"title": named})
    text = short(reply, BERLIN, at_most, "0a23a9b7")
    assert len(text) <= max(at_most, len(" In chat: incident ack INC-7 #0a23a9b7"))
    assert text.endswith("In chat: incident ack INC-7 #0a23a9b7")


@given(ANYTHING, st.integers(5, 100))
def test_a_cut_text_is_a_beginning_and_says_that_it_was_cut(text: str, at_most: int):
    assert len(cut(text, at_most)) <= at_most
    assert len(cut_bytes(text, at_most).encode()) <= at_most
    for found in (cut(text, at_most), cut_bytes(text, at_most)):
        assert found == text or (found.endswith("…") and text.startswith(found[:-1]))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_button_is_a_line_that_can_be_said(number: int):
    buttons = tuple(Button(label=f"Do {each}", line=f"desk do {each}") for each in range(number))
    assert answers(Reply(title="x", buttons=buttons)) == [
        f"Do {each}: desk do {each}" for each in range(number)
    ]
