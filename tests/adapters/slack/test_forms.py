"""Forms: opened with the trigger of the moment, asked anew when an answer steers, sent back as a command."""

from datetime import timedelta

import pytest

from bot.adapters.slack import forms, inbound, limits
from handlers.messages import FieldInput, Form, FormField, Option, Place
from storage.database import Database
from tests.adapters.slack.conftest import ROOM, OnSlack, Opened
from tests.adapters.slack.sayings import SHELVES
from tests.harness.slack import TEAM, words
from tests.harness.slack_rules import complaints_about_view, texts, unsafe
from tests.harness.troubles import Hang, Says

PLACE = Place(platform="slack", channel=ROOM)


async def test_a_command_that_lacks_something_opens_its_form(desk: OnSlack):
    answer = await desk.fake.command("U0STAFF", "/request", "new", channel=ROOM)
    assert (answer.status, answer.text) == (200, "")
    view = desk.fake.view("U0STAFF")
    assert view.title == "Ask for something"
    assert list(view.inputs) == ["offering"]


async def test_what_is_surely_missing_opens_a_loading_view_at_once_and_fills_it(desk: OnSlack):
    await desk.fake.command("U0STAFF", "/say", "back")
    assert "One moment" in words(desk.fake.called("views.open")[0]["view"]["blocks"])
    update = desk.fake.called("views.update")[0]
    assert update["hash"]
    assert list(desk.fake.view("U0STAFF").inputs) == ["words"]


async def test_an_answer_that_steers_brings_the_questions_that_depend_on_it(desk: OnSlack):
    fake = desk.fake
    await fake.command("U0STAFF", "/request", "new laptop", channel=ROOM)
    view = fake.view("U0STAFF")
    assert "why_strong" not in view.inputs
    before = view.hash
    await fake.choose(view, "needed_by", "2026-12-01")
    await fake.choose(view, "model", "Strong 16 inch")
    assert "why_strong" in view.inputs
    assert fake.called("views.update")[-1]["hash"] == before
    assert view.value("needed_by") == "2026-12-01", "what was answered stays"
    assert view.value("model") == "Strong 16 inch"
    await fake.choose(view, "model", "Light 13 inch")
    assert "why_strong" not in view.inputs


async def test_a_late_redraw_does_not_overwrite_a_newer_one(desk: OnSlack):
    fake = desk.fake
    await fake.command("U0STAFF", "/request", "new laptop", channel=ROOM)
    view = fake.view("U0STAFF")
    fake.trouble("views.update", Says("hash_conflict"))
    answer = await fake.choose(view, "model", "Strong 16 inch")
    assert answer is not None
    assert answer.status == 200
    assert "why_strong" not in view.inputs, "the form on show still works"
    await fake.submit(view, {"replaces": "no", "needed_by": "2026-12-01"})
    assert "why_strong" in view.inputs, "what was not asked before is asked on sending"


async def test_sending_a_form_runs_its_command_and_shows_what_came_of_it(desk: OnSlack):
    fake = desk.fake
    await fake.command("U0STAFF", "/request", "new laptop", channel=ROOM)
    view = fake.view("U0STAFF")
    await fake.submit(view, {"model": "Light 13 inch", "replaces": "no", "needed_by": "2026-12-01"})
    assert "REQ-1" in view.text
    assert "submit" not in view.payload
    await fake.command("U0STAFF", "/desk", "REQ-1")
    assert "Light 13 inch" in fake.whispers("U0STAFF")[-1]["text"]


async def test_a_form_sent_twice_files_one_request(desk: OnSlack):
    fake = desk.fake
    await fake.command("U0STAFF", "/request", "new question", channel=ROOM)
    view = fake.view("U0STAFF")
    answers = {"question": "Why?"}
    sent = dict(view.payload), view.hash, view.state
    await fake.submit(view, answers)
    view.payload, view.hash, view.state = sent
    await fake.submit(view, answers)
    assert "REQ-1" in view.text
    await fake.command("U0STAFF", "/request", "list mine")
    assert "REQ-2" not in fake.whispers("U0STAFF")[-1]["text"]


async def test_a_wrong_answer_is_said_at_its_field(desk: OnSlack):
    fake = desk.fake
    await fake.command("U0STAFF", "/say", "everything @owner someday")
    view = fake.view("U0STAFF")
    assert view.value("day") == "someday", "what a date picker cannot show stays as text"
    assert "someday" in view.text, "and its problem is said above it"
    assert view.value("who") == "owner", "and a person typed by name is chosen in the menu"
    right = {"who": "agent", "number": "3", "shelf": "shelf-7", "words": "hello"}
    await fake.submit(view, {**right, "day": "the twelfth of never"})
    assert "twelfth of never" in view.problems["day"]
    assert list(view.problems) == ["day"]
    await fake.submit(view, {"day": "2026-12-24", "number": "12"})
    assert list(view.problems) == ["number"]
    await fake.submit(view, {"number": "4"})
    assert "agent|2026-12-24|4|shelf-7|hello" in view.text


async def test_a_person_is_chosen_as_slack_chooses_people(desk: OnSlack):
    fake = desk.fake
    await fake.command("U0STAFF", "/say", "everything")
    right = {"who": "U0AGENT", "day": "2026-12-24", "number": "3", "shelf": "shelf-7", "words": "hello"}
    view = fake.view("U0STAFF")
    assert view.inputs["who"]["element"]["type"] == "users_select"
    await fake.submit(view, right | {"who": fake.person("U0STRANGER")})
    assert "have not met the person" in view.problems["who"]
    await fake.submit(view, right)
    assert "agent|2026-12-24|3|shelf-7|hello" in view.text


async def test_a_long_choice_is_looked_up_while_one_types(desk: OnSlack):
    fake = desk.fake
    await fake.command("U0STAFF", "/say", "everything")
    view = fake.view("U0STAFF")
    assert view.inputs["shelf"]["element"]["type"] == "external_select"
    assert len(await fake.suggest(view, "shelf")) == limits.OPTIONS
    assert [each["value"] for each in await fake.suggest(view, "shelf", "shelf-24")] == [
        each for each in SHELVES if "shelf-24" in each
    ]


async def test_similar_open_requests_are_shown_before_a_second_one(desk: OnSlack):
    fake = desk.fake
    await fake.command("U0STAFF", "/request", "new question question:Why?")
    await fake.command("U0STAFF", "/request", "new question")
    view = fake.view("U0STAFF")
    assert "REQ-1" in view.text
    await fake.submit(view, {"question": "And how?"})
    assert "REQ-2" in view.text


async def test_where_no_form_opens_a_button_offers_it(desk: OnSlack):
    fake = desk.fake
    fake.trouble("views.open", Says("expired_trigger_id"))
    answer = await fake.command("U0STAFF", "/request", "new laptop", channel=ROOM)
    assert "Fill in the form" in words(answer.body["blocks"])
    await fake.click(fake.whispers("U0STAFF")[-1], "Fill in the form", "U0STAFF")
    assert "model" in fake.view("U0STAFF").inputs


async def test_a_slack_that_hangs_does_not_hold_the_acknowledgement(
    desk: OnSlack, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bot.adapters.slack.app._CALL_PATIENCE", 0.05)
    desk.fake.trouble("views.open", Hang())
    answer = await desk.fake.command("U0STAFF", "/request", "new laptop", channel=ROOM)
    assert "Fill in the form" in words(answer.body["blocks"])


async def test_a_form_that_can_not_be_filled_says_why(opened: Opened):
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    async with opened(database=away) as desk:
        answer = await desk.fake.command("U0STAFF", "/say", "back")
        assert answer.status == 503
        assert "cannot write its records" in desk.fake.view("U0STAFF").text
    away.close()


async def test_a_trigger_is_spent_once_and_lives_three_seconds(desk: OnSlack):
    fake = desk.fake
    old = fake.trigger("U0STAFF")
    desk.clock.move(timedelta(seconds=3, microseconds=1))
    answer = await fake.command("U0STAFF", "/request", "new laptop", channel=ROOM, trigger_id=old)
    assert "Fill in the form" in words(answer.body["blocks"])
    assert [error for _, error, _ in fake.refused] == ["expired_trigger_id"]
    fake.refused.clear()


async def test_a_button_in_the_answer_leads_on_in_the_same_modal(desk: OnSlack):
    fake = desk.fake
    await fake.command("U0STAFF", "/request", "new question", channel=ROOM)
    view = fake.view("U0STAFF")
    await fake.submit(view, {"question": "Why?"})
    labels = [
        element["text"]["text"]
        for block in view.payload["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
        if element["type"] == "button"
    ]
    assert labels, "a filed request can be acted upon"
    opened = len(fake.called("views.open"))
    await fake.click(view, labels[0], "U0STAFF")
    assert len(fake.called("views.open")) == opened


def form(*fields: FormField) -> Form:
    """A form with these questions."""
    return Form(
        title="A <form> & more than twenty-four characters", line="say back", fields=fields, note="<!here>"
    )


@pytest.mark.parametrize(
    "field",
    [
        FormField(key="a", label="<b>", value="x" * 3000),
        FormField(key="a", label="b", value="x" * 3001),
        FormField(key="a", label="b", value="two\nlines", input=FieldInput.LINE, at_most=5),
        FormField(key="a", label="b", input=FieldInput.CHOICE),
        FormField(key="a", label="b", input=FieldInput.CHOICE, options=(Option(label="", value=""),)),
        FormField(
            key="a", label="b", input=FieldInput.CHOICE, options=(Option(label="x" * 200, value="y" * 150),)
        ),
        FormField(key="a", label="b", input=FieldInput.CHOICE, options=(Option(label="x", value="y" * 151),)),
        FormField(
            key="a", label="b", input=FieldInput.CHOICE, value="Y", options=(Option(label="x", value="y"),)
        ),
        FormField(key="a", label="b", input=FieldInput.YES_NO, value="yes"),
        FormField(key="a", label="b", input=FieldInput.DATE, value="tomorrow"),
        FormField(key="a", label="b", input=FieldInput.DATE, value="2026-12-01"),
        FormField(key="a", label="b", input=FieldInput.NUMBER, value="²"),
        FormField(key="a", label="b", input=FieldInput.NUMBER, value="12"),
        FormField(key="a", label="b", input=FieldInput.PERSON, value=f"@slack:{TEAM}:U1"),
        FormField(key="a", label="b", input=FieldInput.PERSON, value="owner"),
        FormField(key="a", label="b", help="<!channel>", error="<!here> & there"),
        FormField(key="k" * 300, label="b" * 3000, help="c" * 3000),
    ],
)
def test_every_question_is_one_that_slack_takes(field: FormField):
    if len(field.key) > limits.IDENTIFIER:
        field = field.model_copy(update={"key": field.key[: limits.IDENTIFIER]})
    view = forms.modal(form(field), PLACE, None, TEAM)
    assert list(complaints_about_view(view)) == []
    assert [bad for text in texts(view) for bad in unsafe(text["text"], text["type"] == "mrkdwn")] == []


def test_a_question_whose_choices_changed_starts_afresh_and_any_other_keeps_what_was_typed():
    def block_id(*options: str, value: str = "") -> str:
        choices = tuple(Option(label=each, value=each) for each in options)
        asked = FormField(key="a", label="b", input=FieldInput.CHOICE, options=choices, value=value)
        block = forms.modal(form(asked), PLACE, None, TEAM)["blocks"][-1]
        return str(block["block_id"])

    assert block_id("x", "y") == block_id("x", "y", value="x")
    assert block_id("x", "y") != block_id("x", "z")


@pytest.mark.parametrize(("extra", "fits"), [(0, True), (1, False)])
def test_a_modal_carries_a_line_of_its_limit(extra: int, fits: bool):
    around = len(inbound.keep("", PLACE, None)) + len('"line": "", ')
    line = "x" * (limits.PRIVATE_METADATA - around + extra)
    asked = Form(title="t", line=line, fields=(FormField(key="a", label="b"),))
    if fits:
        view = forms.modal(asked, PLACE, None, TEAM)
        assert len(view["private_metadata"]) == limits.PRIVATE_METADATA
    else:
        with pytest.raises(forms.DoesNotFit):
            forms.modal(asked, PLACE, None, TEAM)


@pytest.mark.parametrize(("count", "fits"), [(limits.VIEW_BLOCKS - 2, True), (limits.VIEW_BLOCKS - 1, False)])
def test_a_modal_asks_as_many_questions_as_slack_shows(count: int, fits: bool):
    asked = form(*(FormField(key=f"f{number}", label="b") for number in range(count)))
    if fits:
        assert list(complaints_about_view(forms.modal(asked, PLACE, None, TEAM))) == []
    else:
        with pytest.raises(forms.DoesNotFit):
            forms.modal(asked, PLACE, None, TEAM)
