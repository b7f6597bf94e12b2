"""Do forms come through Discord whole: in pages, over restarts, with problems and second thoughts?"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.discord import forms, limits
from bot.adapters.discord.forms import Draft
from handlers.messages import FieldInput, Form, FormField, Option
from tests.harness.discord import DiscordDesk as Desk

SEVEN = {"first": "a", "second": "b", "third": "blue", "fourth": "d", "fifth": "5"}


async def test_what_is_missing_is_asked_in_a_form_that_is_filled_in_so_far(desk: Desk):
    staff = desk.employ("staff")
    opened = await staff.say("bug note BUG-1")
    assert opened.form == {"bug": "Bug", "text": "Text"}
    assert opened.filled == {"bug": "BUG-1", "text": ""}
    done = await staff.fill(opened, text="smoke")
    assert "Noted on BUG-1" in done.text


async def test_a_form_works_after_a_restart(desk: Desk):
    staff = desk.employ("staff")
    opened = await staff.say("bug note BUG-1")
    await desk.restart()
    assert "Noted on BUG-1" in (await staff.fill(opened, text="smoke")).text


async def test_a_long_form_goes_on_over_pages_and_restarts(desk: Desk):
    staff = desk.employ("staff")
    opened = await staff.say("survey fill")
    assert list(opened.form) == ["first", "second", "third", "fourth", "fifth"]
    kept = await staff.fill(opened, **SEVEN)
    assert "Kept so far; 2 questions are left." in kept.text
    assert "Fourth: d" in kept.text
    assert kept.private
    assert kept.buttons == ["Continue"]
    await desk.restart()
    last = await staff.click(kept, "Continue")
    assert list(last.form) == ["sixth", "seventh"]
    await desk.restart()
    done = await staff.fill(last, sixth="f")
    assert "Survey 1: a|b|blue|d|5|f|None" in done.text


async def test_long_answers_survive_the_pages(desk: Desk):
    staff = desk.employ("staff")
    kept = await staff.fill(await staff.say("survey fill"), **{**SEVEN, "fourth": "x" * 3000})
    await desk.restart()
    done = await staff.fill(await staff.click(kept, "Continue"), sixth="f")
    assert f"a|b|blue|{'x' * 100}" in done.text


async def test_what_was_said_at_once_is_not_asked_again(desk: Desk):
    staff = desk.employ("staff")
    opened = await staff.say("survey fill first:one second:two")
    assert list(opened.form) == ["third", "fourth", "fifth", "sixth", "seventh"]
    done = await staff.fill(opened, third="red", fourth="d", fifth="1", sixth="f")
    assert "one|two|red|d|1|f|None" in done.text


async def test_a_form_with_problems_comes_back_filled_in(desk: Desk):
    staff = desk.employ("staff")
    opened = await staff.say("survey fill first:a second:b third:red fourth:d")
    problem = await staff.fill(opened, fifth="9", sixth="f")
    assert "not a whole number from 1 to 5" in problem.text
    assert problem.buttons == ["Open the form again"]
    await desk.restart()
    again = await staff.click(problem, "Open the form again")
    assert again.filled == {"fifth": "9"}
    assert "a|b|red|d|3|f|None" in (await staff.fill(again, fifth="3")).text


async def test_a_question_that_depends_on_an_answer_comes_on_the_next_page(desk: Desk):
    staff = desk.employ("staff")
    more = await staff.fill(await staff.say("request new"), what="phone")
    assert "one question is left" in more.text
    colour = await staff.click(more, "Continue")
    assert list(colour.form) == ["colour"]
    assert "phone, colour red" in (await staff.fill(colour, colour="red")).text


async def test_an_answer_that_makes_another_one_meaningless_takes_it_along(desk: Desk):
    staff = desk.employ("staff")
    opened = await staff.say("request new laptop")
    assert list(opened.form) == ["what", "size"]
    more = await staff.fill(opened, what="phone", size="13")
    done = await staff.fill(await staff.click(more, "Continue"), colour="red")
    assert "REQ-1 is filed: phone, colour red" in done.text


async def test_a_form_kept_in_the_store_is_its_owners_alone(desk: Desk):
    staff, agent = desk.employ("staff"), desk.employ("agent")
    kept = await staff.fill(await staff.say("survey fill"), **{**SEVEN, "fourth": "a secret " + "x" * 100})
    [(state, text)] = [(key, text) for key, text in desk.drawer.forms.items() if "a secret" in text]
    assert forms.unpack(state, text, int(staff.id)) is not None
    assert forms.unpack(state, text, int(agent.id)) is None
    desk.drawer.forms.clear()
    gone = await staff.click(kept, "Continue")
    assert "no longer open" in gone.text


async def test_what_comes_back_in_an_id_is_not_believed(desk: Desk):
    assert forms.unpack('["request new",{"what":1}]', None, 1) is None
    assert forms.unpack('[["request new"]]', None, 1) is None
    assert forms.unpack("[" * 2000, None, 1) is None
    assert forms.unpack("0123", None, 1) is None
    assert forms.unpack('["a",{},[],null,null,null]', None, 1) is None


texts = st.text(max_size=60)
drafts = st.builds(
    Draft,
    line=texts,
    answers=st.dictionaries(texts, texts, max_size=4),
    ask=st.lists(texts, max_size=3).map(tuple),
    source=st.none() | st.text(min_size=1, max_size=60),
    message=st.none() | st.text(min_size=1, max_size=60),
)


@given(drafts, st.integers(1, 2**63))
def test_a_draft_comes_back_as_it_was_packed(draft: Draft, user: int):
    state, kept = forms.pack(draft, user)
    assert len(f"form99:{state}") <= limits.CUSTOM_ID
    assert forms.unpack(state, kept, user) == draft
    if kept is not None:
        assert forms.unpack(state, kept, user + 1) is None


@pytest.mark.parametrize(
    "length", [limits.CUSTOM_ID - len("form99:") - 4, limits.CUSTOM_ID - len("form99:") - 3]
)
def test_a_draft_is_put_aside_only_when_it_does_not_fit(length: int):
    state, kept = forms.pack(Draft("x" * length), 1)
    fits = len(json.dumps(["x" * length])) <= limits.CUSTOM_ID - len("form99:")
    assert (kept is None) == fits
    assert len(f"form99:{state}") <= limits.CUSTOM_ID


fields = st.builds(
    FormField,
    key=st.sampled_from(["a", "b", "c", "d", "e", "f", "g"]),
    label=st.text(min_size=1, max_size=80).filter(str.strip),
    input=st.sampled_from(FieldInput),
    required=st.booleans(),
    options=st.lists(st.builds(Option, label=texts, value=st.text(max_size=120)), max_size=30).map(tuple),
    value=st.text(max_size=100) | st.sampled_from(["@discord:1:2", "yes"]),
    help=st.text(max_size=150),
    error=st.sampled_from(["", "This is wrong."]),
    at_most=st.integers(1, 5000),
)
every_form = st.builds(
    Form,
    title=st.text(min_size=1, max_size=60).filter(str.strip),
    line=texts,
    fields=st.lists(fields, min_size=1, max_size=7, unique_by=lambda each: each.key).map(tuple),
    note=st.text(max_size=150) | st.just("A note of more than a hundred characters, " * 4),
)


@given(every_form)
def test_every_page_of_every_form_is_one_that_discord_takes(form: Form):
    from simcord.components import validate_modal

    answers: dict[str, str] = {}
    shown: list[str] = []
    while True:
        page = forms.next_questions(form, Draft(form.line, answers))
        validate_modal(forms.modal(form, page, "form:1").to_dict())
        shown += [each.key for each in page]
        answers |= dict.fromkeys((each.key for each in page), "x")
        if len(answers) == len(form.fields):
            break
    assert shown == [each.key for each in form.fields]


def test_a_note_stands_over_the_questions_or_beside_the_first_one_and_is_never_lost():
    five = tuple(FormField(key=key, label=key) for key in "abcde")
    for note, told in (("short", 5), ("long " * 30, 4)):
        form = Form(title="T", line="x y", fields=five, note=note)
        page = forms.next_questions(form, Draft("x y"))
        assert len(page) == told
        assert note.strip() in json.dumps(forms.modal(form, page, "form:1").to_dict())


def part(**field: object) -> dict[str, Any]:
    """The one part of a form with one question."""
    question = FormField.model_validate({"key": "k", "label": "L", **field})
    form = Form(title="T", line="a b", fields=(question,))
    shown: dict[str, Any] = forms.modal(form, form.fields, "form:1").to_dict()["components"][0]
    return shown


def test_choices_are_a_menu_up_to_its_limit_and_a_text_beyond_it():
    def kind(options: int, value: int = 1) -> int:
        choices = [{"label": str(n), "value": f"{n:0{value}}"} for n in range(options)]
        return int(part(input="choice", options=choices)["component"]["type"])

    assert kind(limits.SELECT_OPTIONS) == 3
    assert kind(limits.SELECT_OPTIONS + 1) == 4
    assert kind(2, limits.OPTION_VALUE) == 3
    assert kind(2, limits.OPTION_VALUE + 1) == 4


def test_labels_and_texts_keep_to_their_limits():
    for length in (limits.LABEL, limits.LABEL + 1):
        shown = part(label="l" * length, help="h" * (length + limits.LABEL_DESCRIPTION - limits.LABEL))
        assert len(shown["label"]) == limits.LABEL
        assert len(shown["description"]) == limits.LABEL_DESCRIPTION
        assert shown["label"].endswith("…") is (length > limits.LABEL)
    assert part(at_most=limits.TEXT_INPUT + 1)["component"]["max_length"] == limits.TEXT_INPUT
    assert part(at_most=7, value="x" * 8)["component"]["value"] == "x" * 7
    for length in (limits.MODAL_TITLE, limits.MODAL_TITLE + 1):
        form = Form(title="t" * length, line="a b", fields=(FormField(key="k", label="L"),))
        assert len(forms.modal(form, form.fields, "form:1").title) == limits.MODAL_TITLE


def test_a_person_is_chosen_from_the_server_and_the_one_given_before_is_chosen_already():
    shown = part(input="person", value="@discord:1:42")["component"]
    assert (shown["type"], shown["default_values"][0]["id"]) == (5, 42)
    assert not part(input="person", value="staff")["component"].get("default_values")
