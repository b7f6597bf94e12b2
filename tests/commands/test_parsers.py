"""Does the parser take anything, quickly, and does the desk understand every line that it writes itself?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config.policy import Policy
from handlers import registry
from handlers.declare import Commands, Declared, Given, distribute, form_for, understand
from handlers.errors import DeskError, NeedsForm
from handlers.messages import Form, Reply
from handlers.parsing import LINE_AT_MOST, Reading, plain, quoted, reference, storable, tokens
from storage.unit_of_work import Records
from tests.commands import probes
from tests.commands.test_requests import LAPTOP, approve_laptop
from tests.harness.house import MONDAY, Talk

COMMANDS = Commands([*registry.CAPABILITIES, probes])
NAMES = [declared.name for declared in COMMANDS]

# Words of the grammar, between which any text stands: lines that look nearly right find more than noise does.
PIECES = st.one_of(
    st.sampled_from(
        [
            *NAMES, "desk", "/", '"', "“", "”", "„", "REQ-7", "req7", "@agent", "me", "big", "5", "2h", "P1D",
            "tomorrow", "because:", "anyway:yes", "text:", "key:value", ":", "\u200b", "\u202e", "\u2067", "\x00",
            "\ud800", "\n", "https://example.org/a:b", "@slack:T1:U1", "٧", "²", "İ", "ß", "\u00a0",
        ]
    ),
    st.text(max_size=12),
)  # fmt: skip
LINES = st.lists(PIECES, max_size=25).map(" ".join) | st.lists(PIECES, max_size=25).map("".join) | st.text()


@pytest.fixture(scope="module")
def read(policy: Policy) -> Reading:
    """What a parameter may know while it is read."""
    return Reading(
        now=MONDAY,
        zone="Europe/Berlin",
        asker="staff",
        policy=policy,
        find_person=lambda key: key.lower() if key.lower() in policy.people else None,
        people=lambda: [(key, each.name) for key, each in policy.people.items()],
    )


def parse(line: str, read: Reading, here: str | None = None) -> None:
    """All that happens to a line before a handler runs; what goes wrong must be an error of the desk."""
    try:
        declared, rest = COMMANDS.find(line)
        understand(declared, distribute(declared, rest, {}, here), read)
    except DeskError:
        pass


@settings(max_examples=1500)
@given(line=LINES, here=st.sampled_from([None, "REQ-3", "INC-1"]))
@example(line="request new " + "key:" * 2000, here=None)
@example(line="\u202erequest\u202c \u200btake\ufeff REQ-7", here=None)
def test_any_line_is_understood_or_refused_in_words(read: Reading, line: str, here: str | None) -> None:
    parse(line, read, here)


@pytest.mark.parametrize(
    "line",
    [
        '"' * 65_536,
        '" ' * 32_768,
        "“ " * 32_768,
        "”" + "„ " * 32_768,
        "a:" * 32_768,
        "a: " * 21_845,
        'a:" ' * 16_384,
        "desk " * 13_107,
        "/" * 65_536,
        "é" * 65_536,
        "\U0001f514" * 65_536,
        "\u200b" * 65_536,
        "\u202e \u2066" * 21_845,
        "request take " + "REQ-7 " * 10_000,
        "request comment REQ-7 " + "w " * 30_000,
        "request new question " + "w" * 65_536,
        "request comment text:a " + "w text:b " * 8_000,
        "probe kinds REQ-7 me " + "9" * 65_536,
        "request rate REQ-7 " + "9" * 65_536,
        "request assign REQ-7 " + "agent" * 13_000,
        " " * 65_536,
        "\n" * 65_536 + "x",
    ],
    ids=lambda line: repr(line[:24]),
)
def test_a_hostile_line_is_understood_or_refused_in_the_desks_own_words(read: Reading, line: str) -> None:
    parse(line[:LINE_AT_MOST], read)


@settings(max_examples=1000)
@given(text=st.text(alphabet=st.characters() | st.sampled_from('"“”„: \n'), max_size=60))
def test_a_quoted_text_is_one_word_and_comes_back(text: str) -> None:
    all_kinds = all(quote in text for quote in '"“”')
    wanted = text.replace('"', "'") if all_kinds else text
    for line, key in ((quoted(text), None), (f"about:{quoted(text)}", "about")):
        (word,) = tokens(line)
        assert (word.text, word.key, word.whole) == (wanted, key, line)


@settings(max_examples=500)
@given(line=LINES)
def test_words_lie_in_the_line_in_order_and_leave_nothing_out(line: str) -> None:
    found = tokens(line)
    ends = [0, *(token.end for token in found)]
    assert all(token.whole == line[token.start : token.end] for token in found)
    gaps = [line[end : token.start] for end, token in zip(ends, found, strict=False)] + [line[ends[-1] :]]
    assert not "".join(gaps).strip()


@settings(max_examples=300)
@given(
    extra=st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True).filter(
            lambda key: key not in ("offering", "about", "anyway", "held")
        ),
        st.text(alphabet=st.characters(codec="utf-8", exclude_characters='"“”'), min_size=1, max_size=30),
        max_size=4,
    )
)
def test_a_form_carries_the_answers_that_came_with_its_line(read: Reading, extra: dict[str, str]) -> None:
    declared = COMMANDS.by_name["request new"]
    form = form_for(declared, Given({}, extra), read, {})
    found, rest = COMMANDS.find(form.line)
    kept = {key: text for key, text in extra.items() if not text.startswith("//")}
    again = distribute(found, rest, {}, None).extra
    assert {key: again[key] for key in kept} == kept


@settings(max_examples=300)
@given(number=st.integers(0, 999_999_999), prefix=st.sampled_from(["REQ", "inc", "Chg"]), dash=st.booleans())
def test_a_reference_is_found_in_any_spelling(number: int, prefix: str, dash: bool) -> None:
    wanted = f"{prefix.upper()}-{number}"
    for text in (f"{prefix}{'-' if dash else ''}{number}", f"\u200e{prefix}-{number:09}\u200f"):
        assert reference(text) == wanted


@given(text=st.text(alphabet=st.characters() | st.sampled_from("\x00\ud800\udfff")))
def test_what_is_stored_can_be_stored_and_nothing_else_is_lost(text: str) -> None:
    kept = storable(text)
    kept.encode("utf-8")
    assert "\x00" not in kept
    if text.isprintable():
        assert kept == text


@given(word=st.text())
def test_a_plain_word_stays_plain(word: str) -> None:
    assert plain(plain(word)) == plain(word)


# Lines that the desk writes ----------------------------------------------------------------------------


def parts(reply: Reply) -> Iterator[Reply]:
    """A reply and all the sections below it."""
    yield reply
    for each in reply.more:
        yield from parts(each)


def lines(reply: Reply) -> Iterator[str]:
    """Every line behind a button or a form of a reply."""
    for each in parts(reply):
        yield from (button.line for button in each.buttons)
        if isinstance(each.form, Form):
            yield each.form.line


def check(line: str, read: Reading) -> None:
    """A line that the desk wrote may lack details, which a form asks for, and is otherwise understood."""
    declared, rest = COMMANDS.find(line)
    problems: dict[str, str] = {}
    try:
        understand(declared, distribute(declared, rest, {}, None), read)
    except NeedsForm as missing:
        problems = missing.problems
    assert not any(problems.values()), line


SAID = (
    ("staff", 'request new question what does "P1" mean? And „dringend“? anyway:yes'),
    ("staff", "request new laptop model:standard"),
    ("staff", "request list mine"),
    ("agent", 'request list all what does "P1" mean'),
    ("agent", "request list all “printer"),
    ("agent", "request list open"),
    ("agent", "request list team"),
    ("staff", "request show REQ-1"),
    ("agent", "request show REQ-1"),
    ("manager", "request show REQ-2"),
    ("agent", "request take REQ-1"),
    ("agent", "request take REQ-1"),
    ("agent", "request wait REQ-1 requester which?"),
    ("staff", "request comment REQ-1 that one"),
    ("agent", "request fulfil REQ-1 done"),
    ("staff", "request confirm REQ-1"),
    ("staff", "desk home"),
    ("manager", "desk home"),
    ("staff", "desk help"),
    ("staff", "desk help request"),
    ("staff", "desk help request take"),
    ("staff", "desk whoami"),
    ("staff", "desk link"),
    ("staff", "desk status"),
    ("staff", "service list"),
    ("staff", "service show laptops"),
    ("staff", "reqest tke"),
    ("manager", "sla status"),
    ("manager", "sla status service-desk within:week"),
    ("manager", 'sla status "Everyone who works away from the offices" within:last-month'),
    ("manager", 'sla status within:"last month"'),
    ("manager", "sla breaches"),
    ("manager", "sla why REQ-1"),
    ("agent", "evidence trail REQ-2"),
    ("manager", "evidence coverage"),
    ("manager", "evidence coverage SD"),
    ("manager", "evidence verify"),
)


def test_every_button_and_form_says_a_line_that_the_desk_understands(quick_talk: Talk, read: Reading) -> None:
    quick_talk.say("staff", "request new laptop", **LAPTOP)
    approve_laptop(quick_talk)
    for number in range(11):
        quick_talk.say("staff", f'request new question what does "P1" mean? {number} anyway:yes')
    for number in range(8):
        quick_talk.say("agent", f"request comment REQ-2 word {number}")
    written: set[str] = set()
    for person, line in SAID:
        reply = quick_talk.say(person, line)
        assert "wrong on our side" not in reply.title, line
        written.update(lines(reply))
    quick_talk.wait(days=20)
    with quick_talk.database.reading() as session:
        for row in Records(session).outbox.listed(["pending", "sent", "given up", "skipped"], 10_000):
            if row.payload:
                written.update(lines(Reply.model_validate(row.payload)))
    written.update(lines(quick_talk.say("manager", "sla breaches")))
    assert len(written) > 50
    for line in sorted(written):
        check(line, read)


@pytest.mark.parametrize("declared", list(COMMANDS), ids=lambda each: each.name)
def test_a_form_that_was_filled_in_says_the_same_as_the_typed_line(declared: Declared, read: Reading) -> None:
    found, rest = COMMANDS.find(declared.example)
    typed = distribute(found, rest, {}, None)
    form = form_for(declared, typed, read, {})
    again, rest = COMMANDS.find(form.line)
    answers = {field.key: field.value for field in form.fields if field.value}
    filled = distribute(again, rest, answers, None)
    assert again is declared
    assert understand(again, filled, read) == understand(found, typed, read)
