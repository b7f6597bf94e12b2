"""What a reply looks like on Slack: within every limit, nothing lost, nothing in it that acts by itself."""

import html
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.slack import limits, render
from bot.adapters.slack.forms import home, result
from bot.adapters.slack.render import Message, Offer
from handlers.messages import (
    Button,
    Fact,
    Form,
    FormField,
    Moment,
    Place,
    Reply,
    Series,
    Style,
    Table,
    Tone,
    Who,
)
from tests.harness.drawings import TREND, charts, gantt, sheet, sheets
from tests.harness.slack_rules import NEW, complaints_about_message, complaints_about_view, texts, unsafe

NOON = datetime(2026, 11, 23, 11, tzinfo=UTC)
HOSTILE = [
    "<!channel>",
    "<!here|here>",
    "<!everyone>",
    "<!subteam^S1>",
    "<@U0OWNER>",
    "<#C1|room>",
    "<https://evil.example|bank.example>",
    "https://example.org/a?b=1&c=<2>",
    "&lt;!channel&gt;",
    "&amp;lt;",
    "<!date^1^{date}|x>",
    "*bold* _it_ ~no~ `code` ```",
    "> quote",
    "@channel @here",
    "\0\u202e\u2028",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 👩‍👩‍👧‍👦",
    "<" * 50,
    "&" * 50,
    "line\nbreak",
    " ",
    "",
]


def repeated(seed: str, size: int) -> str:
    """A text of so many characters."""
    return (seed * (size // len(seed) + 1))[:size]


long = st.builds(
    repeated, st.text(min_size=1, max_size=6), st.sampled_from([1999, 2000, 2001, 2995, 3000, 3001, 9000])
)
written = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40), long)
short = st.one_of(
    st.sampled_from(HOSTILE), st.text(max_size=20), st.builds(repeated, st.just("<x"), st.just(90))
)
instants = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - aware by timezones
people = st.builds(Who, person=st.sampled_from(["owner", "staff"]), name=short)
parts = st.one_of(written, st.builds(Moment, moment=instants, relative=st.booleans()), people)
said = st.lists(parts, max_size=3).map(tuple)
facts = st.builds(Fact, label=short, value=said)
GANTT = gantt(12, 3)
buttons = st.builds(
    Button,
    label=short,
    line=st.one_of(short.filter(bool), st.builds(repeated, st.just("ab"), st.integers(1998, 2002))),
    style=st.sampled_from(Style),
    confirm=st.none() | st.builds(repeated, st.just("a& b"), st.sampled_from([1, 299, 300, 301])),
)
cells = st.lists(st.one_of(short, people, st.builds(Moment, moment=instants)), max_size=2).map(tuple)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    width = draw(st.sampled_from([0, 1, 2, 3, 20, 21]))
    few = draw(st.lists(cells, min_size=3, max_size=3))
    columns = tuple(draw(short) for _ in range(min(width, 3))) + ("more",) * max(0, width - 3)
    row = tuple(few[number % 3] for number in range(width))
    return Table(
        columns=columns, rows=(row,) * draw(st.sampled_from([0, 1, 5, 99, 100, 101, 130])), empty=draw(short)
    )


@st.composite
def replies(draw: st.DrawFn, depth: int = 1) -> Reply:
    form = Form(title="t", line="l", fields=(FormField(key="k", label="l"),))
    return Reply(
        title=draw(written),
        text=draw(said),
        tone=draw(st.sampled_from(Tone)),
        facts=tuple(draw(st.lists(facts, max_size=4))) * draw(st.sampled_from([1, 3])),
        table=draw(st.none() | tables()),
        chart=draw(st.none() | charts() | st.just(GANTT)),
        sheet=draw(st.none() | sheets()) if depth else None,
        buttons=tuple(draw(st.lists(buttons, max_size=4))) * draw(st.sampled_from([1, 8])),
        form=draw(st.none() | st.just(form)),
        subject=draw(st.none() | st.just("REQ-7")),
        version=draw(st.none() | st.integers(0, 9)),
        as_of=draw(st.none() | instants),
        more=tuple(draw(st.lists(replies(depth - 1), max_size=2))) if depth else (),
    )


def faults(message: Message) -> list[str]:
    """What Slack or a careful reader would find wrong with a message."""
    found = list(complaints_about_message(message.text, message.blocks))
    found += unsafe(message.text, markup=False)
    for text in texts(message.blocks):
        found += unsafe(text["text"], text["type"] == "mrkdwn")
        found += ["without verbatim"] if text["type"] == "mrkdwn" and not text.get("verbatim") else []
    return found


@given(replies(), st.booleans(), st.sampled_from(["", "say back", "x" * 2001]))
@settings(max_examples=60)
def test_any_reply_keeps_every_limit_and_acts_by_itself_nowhere(reply: Reply, native: bool, line: str):
    offer = Offer(line, "about/C1/1.2/") if line else None
    accounts = {"owner": "U0OWNER"}
    every = render.messages(reply, accounts, NEW if native else (), offer)
    for message in [
        *every,
        render.message(reply, accounts, NEW if native else (), offer),
        render.text_only(reply),
    ]:
        assert faults(message) == []
    for view in (home(reply), result(reply, Place(platform="slack", channel="C1"))):
        assert list(complaints_about_view(view)) == []
        assert [bad for each in texts(view) for bad in unsafe(each["text"], each["type"] == "mrkdwn")] == []
    mentions = re.findall(r"<@[^>]*>", str([message.blocks for message in every]).replace("&lt;", ""))
    escaped_away = [each for each in mentions if each != "<@U0OWNER>"]
    assert [
        each for each in escaped_away if any(each in text["text"] for m in every for text in texts(m.blocks))
    ] == []


def shown(messages: list[Message]) -> str:
    """All that messages show, unescaped."""
    found: list[str] = []

    def walk(thing: Any) -> None:
        if isinstance(thing, dict):
            if isinstance(thing.get("text"), str):
                found.append(html.unescape(thing["text"]))
            for part in thing.values():
                walk(part)
        elif isinstance(thing, list | tuple):
            for part in thing:
                walk(part)

    for message in messages:
        walk(message.blocks)
    return " ".join(found)


def numbered(count: int, prefix: str = "w") -> list[str]:
    """Words that can be told apart."""
    return [f"{prefix}{number:05d}" for number in range(count)]


@pytest.mark.parametrize("native", [True, False])
def test_nothing_is_lost_however_long_it_is(native: bool):
    text, cells_ = numbered(9000), numbered(3000, "c")
    rows = tuple(tuple((cell,) for cell in cells_[start : start + 10]) for start in range(0, 3000, 10))
    reply = Reply(
        title="t" * 400,
        text=(" ".join(text),),
        facts=tuple(Fact(label=f"l{n:05d}", value=("v" * 1900 + f" f{n:05d}",)) for n in range(30)),
        table=Table(columns=tuple(f"k{n}" for n in range(10)), rows=rows),
        more=(Reply(title="below", text=("at the end",)),),
    )
    seen = set(shown(render.messages(reply, native=NEW if native else ())).replace("·", " ").split())
    assert seen.issuperset(text)
    assert seen.issuperset(cells_)
    assert seen.issuperset(f"f{n:05d}" for n in range(30))
    assert seen.issuperset({"end"})


def test_one_message_that_is_too_small_says_so_and_shows_the_way_to_the_rest():
    reply = Reply(title="t", text=(" ".join(numbered(9000)),), subject="REQ-7")
    message = render.message(reply)
    assert "left out" in shown([message])
    last = message.blocks[-1]["elements"][0]
    assert (last["text"]["text"], last["value"]) == ("Show all of it", "REQ-7")
    unnamed = render.message(reply.model_copy(update={"subject": None}))
    assert "Ask the desk" in shown([unnamed])


def test_a_text_that_fits_is_not_touched():
    reply = Reply(title="t", text=("x" * limits.SECTION,))
    assert [block["type"] for block in render.message(reply).blocks] == ["header", "section"]
    longer = Reply(title="t", text=("x" * (limits.SECTION + 1),))
    assert [len(block["text"]["text"]) for block in render.message(longer).blocks[1:]] == [limits.SECTION, 1]


@pytest.mark.parametrize(("extra", "kind"), [(0, "header"), (1, "section")])
def test_a_title_has_its_limit(extra: int, kind: str):
    message = render.message(Reply(title="x" * (limits.HEADER + extra)))
    assert message.blocks[0]["type"] == kind
    assert "x" * (limits.HEADER + extra) in shown([message])


@pytest.mark.parametrize(
    ("size", "cut"), [(limits.BUTTON, False), (limits.BUTTON + 1, True), (limits.BUTTON * 3, True)]
)
def test_a_label_too_long_for_its_button_ends_with_an_ellipsis(size: int, cut: bool):
    [block] = render.message(Reply(title="", buttons=(Button(label="x" * size, line="l"),))).blocks
    label = block["elements"][0]["text"]["text"]
    assert len(label) <= limits.BUTTON
    assert label.endswith(" …") is cut


@pytest.mark.parametrize(("extra", "kind"), [(0, "actions"), (1, "context")])
def test_a_line_too_long_for_a_button_is_said(extra: int, kind: str):
    button = Button(label="Go", line="x" * (limits.BUTTON_VALUE + extra))
    [block] = render.message(Reply(title="", buttons=(button,))).blocks
    assert block["type"] == kind
    assert "Go" in shown([render.message(Reply(title="", buttons=(button,)))])


@pytest.mark.parametrize(("extra", "blocks"), [(0, 1), (1, 2)])
def test_facts_come_in_tens(extra: int, blocks: int):
    facts_ = tuple(Fact(label=str(n), value=("v",)) for n in range(limits.SECTION_FIELDS + extra))
    assert len(render.message(Reply(title="", facts=facts_)).blocks) == blocks


@pytest.mark.parametrize(("rows", "tables_"), [(100, 1), (101, 2), (201, 3)])
def test_long_tables_are_several_tables(rows: int, tables_: int):
    table = Table(columns=("a",), rows=((("x",),),) * rows)
    blocks = [
        b
        for m in render.messages(Reply(title="t", table=table))
        for b in m.blocks
        if b["type"] == "data_table"
    ]
    assert len(blocks) == tables_
    assert sum(len(block["rows"]) - 1 for block in blocks) == rows


@pytest.mark.parametrize(("columns", "native"), [(20, True), (21, False), (0, False)])
def test_a_table_too_wide_for_slack_becomes_lines(columns: int, native: bool):
    table = Table(columns=("a",) * columns, rows=((("x",),) * columns,))
    assert render.message(Reply(title="t", table=table)).natives == ({"data_table"} if native else set())


def test_instants_are_shown_in_the_readers_zone_with_utc_beside():
    reply = Reply(title="t", text=("Due ", Moment(moment=NOON), " or ", Moment(moment=NOON, relative=True)))
    assert render.mrkdwn(reply.text) == (
        "Due <!date^1795431600^{date_short_pretty} {time}|2026-11-23 11:00 UTC>"
        " or <!date^1795431600^{date_short_pretty} {time} ({ago})|2026-11-23 11:00 UTC>"
    )
    assert render.message(reply).text == "t\nDue 2026-11-23 11:00 UTC or 2026-11-23 11:00 UTC"


def test_a_person_is_an_account_only_where_the_caller_knows_it():
    who = (Who(person="owner", name="Olga <Owner>"),)
    assert render.mrkdwn(who) == "Olga &lt;Owner&gt;"
    assert render.mrkdwn(who, {"owner": "U0OWNER"}) == "<@U0OWNER>"
    assert render.mrkdwn(who, {"owner": "U0> <!channel"}) == "Olga &lt;Owner&gt;"


def test_an_address_is_a_link_that_shows_where_it_leads():
    assert (
        render.mrkdwn(("see https://example.org/a?b=1&c=2.",)) == "see <https://example.org/a?b=1&amp;c=2>."
    )
    assert "|" not in render.mrkdwn(("https://evil.example|bank.example",)).split(">")[0]


@pytest.mark.parametrize(
    ("tone", "word"), [(Tone.GOOD, "Done"), (Tone.WAITING, "Waiting"), (Tone.BAD, "Problem")]
)
def test_a_tone_is_said_in_a_word(tone: Tone, word: str):
    message = render.message(Reply(title="t", tone=tone))
    assert f"{word}: t" in message.text
    assert f"{word}: t" in shown([message])


def test_what_must_be_confirmed_asks_first():
    button = Button(label="Cancel", line="l", style=Style.DANGER, confirm="Take it back?")
    element = render.message(Reply(title="", buttons=(button,))).blocks[0]["elements"][0]
    assert element["style"] == "danger"
    assert html.unescape(element["confirm"]["text"]["text"]) == "Take it back?"
    assert element["confirm"]["confirm"] != element["confirm"]["deny"]


def test_the_foot_says_which_ticket_and_how_fresh():
    foot = render.message(Reply(title="t", subject="REQ-7", version=3, as_of=NOON)).blocks[-1]["elements"][0][
        "text"
    ]
    assert foot.startswith("REQ-7 · version 3 · as of <!date^")


@given(st.text(max_size=300), st.integers(10, 60))
@settings(max_examples=500)
def test_pieces_cut_neither_markup_nor_entities(text: str, at_most: int):
    escaped = render.escape(text)
    found = render.pieces(escaped, at_most)
    assert all(0 < len(piece) <= at_most for piece in found)
    assert all(not unsafe(piece, markup=False) for piece in found)
    assert "".join("".join(found).split()) == "".join(escaped.split())


def test_a_chart_is_slacks_own_where_it_can_be_and_says_what_it_shows():
    [_, block, below] = render.message(Reply(title="Status", chart=TREND)).blocks
    assert (block["type"], block["chart"]["type"]) == ("data_visualization", "line")
    assert block["chart"]["series"][0]["data"][0] == {"label": "Jun", "value": 97}
    assert "lowest 94 % (Sep)" in below["elements"][0]["text"]
    assert "goal is 95 %" in below["elements"][0]["text"]


@pytest.mark.parametrize(
    "odd",
    [
        {"title": "t" * 51},
        {"categories": ("a" * 21, "b", "c", "d", "e", "f")},
        {"categories": ("a", "a", "c", "d", "e", "f")},
        {"series": (Series(name="s", values=(1, None, 3, 4, 5, 6)),)},
        {"series": (Series(name="s", values=(1,) * 6), Series(name="s", values=(2,) * 6))},
    ],
)
def test_a_chart_that_slack_would_refuse_is_told_in_rows(odd: dict[str, Any]):
    message = render.message(Reply(title="Status", chart=TREND.model_copy(update=odd)))
    assert message.natives == {"data_table"}
    assert faults(message) == []


def test_a_slack_without_charts_says_the_same_in_words():
    told = shown([render.message(Reply(title="Status", chart=TREND), native=())])
    assert "Jun · counted: 97 % · with excluded: 95 % · Goal: 95 %" in told


def test_a_run_sheet_is_a_plan_for_each_lane_or_a_list_of_its_steps():
    reply = Reply(title="DRL-1", sheet=sheet(6, 2))
    plans = [block for block in render.message(reply).blocks if block["type"] == "plan"]
    assert [plan["title"] for plan in plans] == ["Lane 1", "Lane 2"]
    assert [task["status"] for plan in plans for task in plan["tasks"]] == [
        "complete", "error", "pending", "complete", "in_progress", "pending",
    ]  # fmt: skip
    listed = shown([render.message(reply, native=())])
    for told in (shown([render.message(reply)]), listed, render.message(reply).text):
        for word in ("2 of 6 done, 1 failed, 1 under way", "the tape was empty", "Olga Call", "s5"):
            assert word in told
    assert "⛔ *s3* Do the thing number 3 (failed)" in listed
    assert "s4: Done" in listed


def test_a_long_run_sheet_shows_what_matters_now_and_says_what_it_leaves_out():
    message = render.message(Reply(title="DRL-1", sheet=sheet(200, 10), subject="DRL-1"))
    tasks = [
        task["task_id"] for block in message.blocks if block["type"] == "plan" for task in block["tasks"]
    ]
    assert len(tasks) == render.STEPS_IN_VIEW
    assert {"s3", "s4", "s5"} <= set(tasks)
    assert "180 of its steps" in shown([message])
    assert faults(message) == []
