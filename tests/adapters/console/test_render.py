"""Replies as plain text, and the small words of the page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.console import render
from bot.words import distance, spans
from handlers.messages import (
    Button,
    FieldInput,
    Form,
    FormField,
    Moment,
    Option,
    Reply,
    Table,
    Tone,
    Who,
    facts,
)

NOW = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
"""In Berlin it is half past midnight on the day on which the clocks go forward."""


def test_a_reply_reads_well_in_a_terminal():
    reply = Reply(
        title="REQ-1 · A laptop",
        text=("Ask\nagain.",),
        tone=Tone.WAITING,
        facts=facts(
            ("Due", Moment(moment=NOW + timedelta(hours=3), relative=True)),
            ("Held by", Who(person="a", name="日本")),
        ),
        table=Table(columns=("Ref", "What"), rows=((("REQ-1",), ("日本",)), (("REQ-22",), ("x",)))),
        buttons=(Button(label="Take", line="request take REQ-1"),),
        form=Form(
            title="New",
            line="request new",
            fields=(
                FormField(
                    key="what",
                    label="What?",
                    input=FieldInput.CHOICE,
                    options=(Option(label="A", value="a"),),
                ),
                FormField(key="why", label="Why?", required=False, value="so", help="In a word."),
                FormField(key="who", label="Who?", error="Nobody is called that."),
            ),
        ),
        file=("a.csv", "ä"),
        as_of=NOW,
        more=(Reply(title="More", table=Table(columns=("A",), empty="None.")),),
    )
    assert render.to_text(reply, "Europe/Berlin").split("\n") == [
        "… REQ-1 · A laptop [waiting]",
        "Ask",
        "again.",
        "  Due:      Sun 29 Mar 2026 04:30 CEST (in 3 h)",
        "  Held by:  日本",
        "  Ref     What",
        "  ────────────",
        "  REQ-1   日本",
        "  REQ-22  x",
        "  file: a.csv (2 bytes)",
        "  New: answer as request new FIELD:ANSWER …",
        "  what: What? (required, one of a)",
        "  why: Why? (optional) = so",
        "    In a word.",
        "  who: Who? (required)",
        "    ! Nobody is called that.",
        "  [Take] request take REQ-1",
        "",
        "More",
        "  None.",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "now"), (59, "now"), (-59, "now"), (60, "in 1 min"), (-60, "1 min ago"), (3599, "in 59 min"),
        (3600, "in 1 h"), (172_799, "in 47 h"), (172_800, "in 2 days"), (-172_800, "2 days ago"),
    ],
)  # fmt: skip
def test_distances_are_said_in_their_largest_unit(seconds, words):
    assert distance(NOW + timedelta(seconds=seconds), NOW) == words


def test_days_turn_at_the_readers_midnight():
    assert render.day_of(NOW, "Europe/Berlin", NOW) == ("2026-03-29", "Today")
    assert render.day_of(NOW, "Europe/Lisbon", NOW) == ("2026-03-28", "Today")
    assert render.day_of(NOW - timedelta(hours=1), "Europe/Berlin", NOW) == ("2026-03-28", "Yesterday")
    assert render.day_of(datetime(2025, 12, 1, tzinfo=UTC), "UTC", NOW)[1] == "Monday 1 December 2025"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("plain", [("text", "plain")]),
        ("type `desk help` now", [("text", "type "), ("code", "desk help"), ("text", " now")]),
        (
            "see https://a.example/b?c=d.",
            [("text", "see "), ("link", "https://a.example/b?c=d"), ("text", ".")],
        ),
        ("javascript:alert(1) ftp://x", [("text", "javascript:alert(1) ftp://x")]),
        ("", []),
    ],
)
def test_addresses_and_commands_in_words_are_found_and_nothing_else(text, parts):
    assert [(each.kind, each.text) for each in spans((text,) if text else (), "UTC", NOW)] == parts


def test_a_reply_of_another_version_does_not_take_the_page_down():
    assert "Another version" in render.reply_of({"title": "x", "hologram": True}).title


def test_small_words():
    assert render.emoji("ticket") == "🎫"
    assert render.emoji("white_heavy_check_mark") == "✅"
    assert render.emoji("our-own") == ":our-own:"
    assert [render.initials(name) for name in ("Sam Staff", "Ana", "Jean de la Rue", "…")] == [
        "SS",
        "A",
        "JR",
        "?",
    ]
    assert render.excerpt("a  b\nc", 60) == "a b c"
    assert render.excerpt("x" * 70, 10) == "x" * 9 + "…"
