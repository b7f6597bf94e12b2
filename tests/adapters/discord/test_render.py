"""Is every reply shown within Discord's limits, whole, and with all that people wrote made inert?"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simcord.components import validate_components, walk_components

from bot.adapters.discord import limits
from bot.adapters.discord.render import (
    LINE_AT_MOST,
    STEERING,
    Control,
    control,
    heading,
    inert,
    mark,
    nonce,
    render,
    split,
    title_of,
    words,
)
from handlers.errors import HouseFault
from handlers.messages import Button, Fact, Moment, Part, Reply, Style, Table, Tone, Who
from tests.harness.discord import plain
from tests.harness.drawings import TREND, charts, gantt, sheet, sheets

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
UNIX = int(AT.timestamp())
V2 = 1 << 15


def sent(reply: Reply, *controls: Control) -> list[list[dict[str, Any]]]:
    """The components of every message, as Discord would check them."""
    return [validate_components(page.view().to_components(), flags=V2) for page in render(reply, controls)]


def texts(reply: Reply) -> str:
    return "\n".join(
        each["content"] for page in sent(reply) for each in walk_components(page) if each["type"] == 10
    )


def buttons(reply: Reply) -> list[dict[str, Any]]:
    return [each for page in sent(reply) for each in walk_components(page) if each["type"] == 2]


def test_a_reply_is_a_container_with_title_text_facts_buttons_and_what_it_is_about():
    reply = Reply(
        title="REQ-1: a laptop",
        text=("Ask ", Who(person="staff", name="Sam Staff"), " by ", Moment(moment=AT, relative=True)),
        tone=Tone.WAITING,
        facts=(Fact(label="State", value=("open",)),),
        buttons=(Button(label="Take", line="request take REQ-1", style=Style.PRIMARY),),
        subject="REQ-1",
        version=3,
        as_of=AT,
    )
    [[container]] = sent(reply)
    assert container["accent_color"] == 0xF9A825
    said, row, below = container["components"]
    assert said["content"] == (
        f"## ⏳ REQ-1: a laptop\nAsk Sam Staff by <t:{UNIX}:f> (<t:{UNIX}:R>)\n**State:** open"
    )
    assert [(each["label"], each["custom_id"], each["style"]) for each in row["components"]] == [
        ("Take", "say:request take REQ-1", 1)
    ]
    assert below["content"] == f"-# waiting · REQ-1 · version 3 · as of <t:{UNIX}:f>"


@pytest.mark.parametrize(("tone", "symbol", "word"), [
    (Tone.GOOD, "✅", "all well"), (Tone.WAITING, "⏳", "waiting"), (Tone.BAD, "⚠️", "needs attention"),
])  # fmt: skip
def test_a_tone_is_told_by_symbol_and_word(tone: Tone, symbol: str, word: str):
    said = texts(Reply(title="T", tone=tone))
    assert said.startswith(f"## {symbol} T")
    assert said.endswith(f"-# {word}")


def test_a_narrow_table_is_aligned_and_a_wide_one_or_one_with_instants_is_a_list():
    narrow = Table(columns=("Request", "What"), rows=((("REQ-1",), ("tea",)), (("REQ-20",), ("茶 tea",))))
    assert texts(Reply(title="T", table=narrow)).endswith(
        "```\nRequest  What\nREQ-1    tea\nREQ-20   茶 tea\n```"
    )
    wide = Table(columns=("Request", "What"), rows=((("REQ-1",), ("x" * 60,)),))
    assert texts(Reply(title="T", table=wide)).endswith(f"• REQ-1 · What: {'x' * 60}")
    when = Table(columns=("Request", "Due"), rows=((("REQ-1",), (Moment(moment=AT),)),))
    assert texts(Reply(title="T", table=when)).endswith(f"• REQ-1 · Due: <t:{UNIX}:f>")
    fence = Table(columns=("A",), rows=((("```",),),))
    assert texts(Reply(title="T", table=fence)).endswith("• \\`\\`\\`")
    assert texts(Reply(title="T", table=Table(columns=("A",), empty="None."))).endswith("None.")


def test_a_long_table_goes_on_with_its_head_repeated():
    rows = tuple(((f"REQ-{n}",), ("tea",)) for n in range(1000))
    said = texts(Reply(title="T", table=Table(columns=("Request", "What"), rows=rows)))
    assert len(re.findall(r"REQ-\d+", said)) == 1000
    assert said.count("```\nRequest") == said.count("```\nRequest  What\n") > 1


def test_a_section_with_one_button_stands_beside_it():
    [[container]] = sent(
        Reply(title="T", more=(Reply(title="S", buttons=(Button(label="Show", line="a b"),)),))
    )
    section = container["components"][-1]
    assert (section["type"], section["accessory"]["label"]) == (9, "Show")


async def test_a_file_is_shown_and_sent_under_a_name_that_discord_keeps():
    [page] = render(Reply(title="T", file=("../evil name.csv", "a,b")))
    [file] = await page.files()
    assert (file.filename, file.fp.read()) == ("evil-name.csv", b"a,b")
    shown = [each for each in walk_components(page.view().to_components()) if each["type"] == 13]
    assert shown[0]["file"]["url"] == "attachment://evil-name.csv"
    assert (await page.files())[0].fp.read() == b"a,b"


async def test_a_chart_is_a_picture_with_its_words_beside():
    [page] = render(Reply(title="Status", chart=TREND))
    [file] = await page.files()
    [shown] = [each for each in walk_components(page.view().to_components()) if each["type"] == 12]
    assert shown["items"][0]["media"]["url"] == f"attachment://{file.filename}"
    assert "lowest 94 % (Sep)" in shown["items"][0]["description"]
    assert file.fp.read().startswith(b"\x89PNG")


def test_a_run_sheet_tells_each_step_by_sign_and_word_with_buttons_that_name_it():
    reply = Reply(title="DRL-1", sheet=sheet(6, 2))
    said = texts(reply)
    assert "2 of 6 done, 1 failed, 1 under way" in said
    assert "⛔ **s3** Do the thing number 3 (failed) · Olga Call · ended <t:" in said
    assert "the tape was empty" in said
    assert [each["label"] for each in buttons(reply)] == ["s5: Done", "s4: Done"]
    many = Reply(title="DRL-1", sheet=sheet(200, 10))
    assert len(sent(many)) == 1
    assert "175 steps that are over or not yet due are left out" in texts(many)


def test_a_file_at_the_limit_is_sent_and_one_over_it_is_refused():
    render(Reply(title="T", file=("a", "x" * limits.FILE_BYTES)))
    with pytest.raises(HouseFault, match="larger than"):
        render(Reply(title="T", file=("a", "x" * (limits.FILE_BYTES + 1))))


def test_a_button_carries_a_line_up_to_its_limit_and_no_further():
    assert len(control(Button(label="B", line="x" * LINE_AT_MOST)).custom_id) == LINE_AT_MOST + 4
    with pytest.raises(HouseFault, match=f"“B” carries a line of {LINE_AT_MOST + 1} characters"):
        control(Button(label="B", line="x" * (LINE_AT_MOST + 1)))


def test_a_question_rides_along_where_it_fits():
    asked = control(Button(label="B", line="a b", confirm="Sure?")).custom_id
    assert asked == "ask:a b¶Sure?"
    room = limits.CUSTOM_ID - 2 - len("ask:a b¶")
    assert control(Button(label="B", line="a b", confirm="q" * room)).custom_id.endswith("q")
    assert control(Button(label="B", line="a b", confirm="q" * (room + 1))).custom_id == "ask:a b"
    assert control(Button(label="B", line="a ¶", confirm="Sure?")).custom_id == "ask:a ¶"


def test_equal_buttons_are_told_apart():
    twice = Reply(title="T", buttons=(Button(label="A", line="a b"), Button(label="A", line="a b")))
    assert [each["custom_id"] for each in buttons(twice)] == ["say:a b", "say2:a b"]


def test_a_label_at_the_limit_is_whole_and_a_longer_one_says_so():
    [whole] = buttons(Reply(title="T", buttons=(Button(label="x" * limits.BUTTON_LABEL, line="a b"),)))
    assert whole["label"] == "x" * limits.BUTTON_LABEL
    [cut] = buttons(Reply(title="T", buttons=(Button(label="x" * (limits.BUTTON_LABEL + 1), line="a b"),)))
    assert cut["label"] == "x" * (limits.BUTTON_LABEL - 1) + "…"


@pytest.mark.parametrize("many", [limits.ROW_BUTTONS, limits.ROW_BUTTONS + 1, 39, 40, 200])
def test_any_number_of_buttons_is_shown(many: int):
    shown = buttons(Reply(title="T", buttons=tuple(Button(label=str(n), line=f"a {n}") for n in range(many))))
    assert [each["label"] for each in shown] == [str(n) for n in range(many)]


@pytest.mark.parametrize(
    ("length", "messages"),
    [(limits.MESSAGE_TEXT - len("## T\n") - 1, 1), (limits.MESSAGE_TEXT, 2), (3 * limits.MESSAGE_TEXT, 4)],
)
def test_a_text_that_is_too_long_goes_on_in_the_next_message(length: int, messages: int):
    reply = Reply(title="T", text=("x" * length,))
    assert len(sent(reply)) == messages
    assert texts(reply).count("x") == length


def test_nonces_and_marks_are_the_same_for_the_same_delivery_alone():
    assert nonce("a/1") == nonce("a/1")
    assert len({nonce("a/1"), nonce("a/1", 1), nonce("a/2")}) == 3
    assert len(nonce("a" * 1000)) == limits.NONCE
    assert mark("a/1") == mark("a/1") != mark("a/1", 1)
    assert 0 < mark("a/1") < 2**31


@pytest.mark.parametrize(
    "hostile",
    [
        "@everyone", "@here", "<@1>", "<@&1>", "<#1>", "</help:1>", "<t:1:R>", "<:x:1>", "<https://evil.example>",
        "[bank](https://evil.example)", "[bank](<https://evil.example>)", "**b**", "__u__", "~~s~~", "||s||",
        "`c`", "```\nc\n```", "> q", ">>> q", "# h", "-# s", "- l", "+ l", "\\", "\\[a](b)", "a\n# h",
        "a\n  - l",
    ],
)  # fmt: skip
def test_what_people_wrote_has_no_effect(hostile: str):
    defused = inert(hostile)
    assert not re.search(r"(?<!\\)(?:\\\\)*[*_~|`\[\]<]", defused)
    assert not re.search(r"(?m)^[ \t]*(?:[-#>+])", defused)
    assert not re.search("@(?:everyone|here)", defused)
    assert re.sub(r"\\([^0-9A-Za-z\s])", r"\1", defused).replace("\u200b", "") == hostile


def test_an_address_stays_one():
    assert inert("see https://example.org/a_b?c=*d* now") == "see https://example.org/a_b?c=\\*d\\* now"


any_text = st.text(max_size=40) | st.text(alphabet="ab \\*_~|`[]()<>#-+@:\n", max_size=40)
long_text = st.builds(
    lambda text, times: text * times,
    st.text(alphabet="ab *_\n#-<", min_size=5, max_size=40),
    st.integers(100, 300),
)
parts: st.SearchStrategy[Part] = st.one_of(
    any_text,
    st.builds(Moment, moment=st.just(AT), relative=st.booleans()),
    st.builds(Who, person=st.just("p"), name=any_text),
)
any_words = st.lists(parts | long_text, max_size=3).map(tuple)
any_button = st.builds(
    Button,
    label=st.text(min_size=1, max_size=100).filter(str.strip),
    line=st.text(alphabet="ab -", min_size=1, max_size=LINE_AT_MOST),
    style=st.sampled_from(Style),
    confirm=st.none() | st.text(max_size=120),
)
any_table = st.builds(
    Table,
    columns=st.lists(st.text(max_size=20), min_size=1, max_size=4).map(tuple),
    rows=st.lists(st.lists(any_words, min_size=1, max_size=3).map(tuple), max_size=3).map(tuple),
    empty=any_text,
)


def any_reply(more: st.SearchStrategy[tuple[Reply, ...]]) -> st.SearchStrategy[Reply]:
    return st.builds(
        Reply,
        title=any_text | long_text,
        text=any_words,
        tone=st.sampled_from(Tone),
        facts=st.lists(st.builds(Fact, label=any_text, value=any_words), max_size=3).map(tuple),
        table=st.none() | any_table,
        chart=st.none() | charts() | st.just(gantt(12, 3)),
        sheet=st.none() | sheets(),
        buttons=st.lists(any_button, max_size=8).map(lambda few: few * 3).map(tuple),
        subject=st.none() | st.just("REQ-1"),
        version=st.none() | st.integers(1, 9),
        as_of=st.none() | st.just(AT),
        file=st.none() | st.tuples(st.text(max_size=40), any_text),
        more=more,
    )


replies = any_reply(st.lists(any_reply(st.just(())), max_size=1).map(tuple))


@settings(max_examples=60)
@given(replies)
def test_every_reply_is_one_or_more_messages_that_discord_takes(reply: Reply):
    pages = sent(reply)
    assert pages
    for page in pages:
        found = list(walk_components(page))
        assert len(found) <= limits.MESSAGE_COMPONENTS
        assert sum(len(each["content"]) for each in found if each["type"] == 10) <= limits.MESSAGE_TEXT
        ids = [each["custom_id"] for each in found if each["type"] == 2]
        assert all(len(each) <= limits.CUSTOM_ID for each in ids)
    wanted = [each for section in (reply, *reply.more) for each in section.buttons]
    wanted += [
        b for each in (reply, *reply.more) if each.sheet for step in each.sheet.steps for b in step.buttons
    ]
    shown = [each for page in pages for each in walk_components(page) if each["type"] == 2]
    assert len(shown) == len(wanted)


@given(any_text | long_text, st.integers(200, 4000))
def test_a_split_text_is_whole_and_stays_inert(text: str, at_most: int):
    pieces = split(inert(text), at_most)
    assert all(0 < len(each) <= at_most for each in pieces)
    for each in pieces:
        assert not re.search(r"(?<!\\)(?:\\\\)*[*_~|`\[\]<]", re.sub(r"https?://\S+", "", each))
        assert not each.startswith(("#", "-", ">", "+"))
    blank = re.compile(r"[\s\\\u200b]")
    assert blank.sub("", "".join(map(plain, pieces))) == blank.sub("", plain(inert(text)))


@pytest.mark.parametrize("letter", ["\x00", "\x1f", "\r", "\x7f", "\x85", "\u202e", "\u2066"])
def test_what_steers_or_turns_a_line_is_taken_out(letter: str):
    assert inert(f"{letter}a{letter}b\n\tc") == "ab\n\tc"
    assert split(inert(letter), 200) == []


@given(any_text.filter(str.strip), st.sampled_from(Tone))
def test_a_title_is_read_back_from_what_was_drawn(title: str, tone: Tone):
    drawn = heading(Reply(title=title, tone=tone))
    seen = STEERING.sub("", title).replace("\u200b", "")
    assert title_of(f"{drawn}\nmore") == " ".join(seen.split())


@given(any_words)
def test_words_hold_no_mention_of_anybody(said: tuple[Part, ...]):
    shown = re.sub(r"<t:\d+:[fR]>", "", words(said))
    assert not re.search(r"(?<!\\)(?:\\\\)*<", shown)
    assert not re.search("@(everyone|here)", shown)
