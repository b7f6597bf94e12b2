"""The console in a real browser: a newcomer, live pages, keyboard, phone, and no script at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def visitor(browser: Browser, console: str) -> Iterator[Callable[..., Page]]:
    """Open a page of the console as somebody, in a browser of their own."""
    contexts, failures = [], []

    def visit(path: str, **options) -> Page:
        context = browser.new_context(base_url=console, **options)
        context.set_default_timeout(8_000)
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on(
            "console", lambda said: failures.append(said.text) if "Content Security" in said.text else None
        )
        page.on("dialog", lambda dialog: failures.append(f"a dialog: {dialog.message}"))
        page.goto(path)
        contexts.append(context)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not failures, f"a page failed: {failures}"


def line(page: Page):
    return page.get_by_role("main").get_by_role("combobox", name=re.compile("command|Tell the desk"))


def say(page: Page, text: str) -> None:
    line(page).fill(text)
    line(page).press("Escape")
    line(page).press("Enter")
    expect(line(page)).to_have_value("")


def card(page: Page, title: str):
    return (
        page.get_by_role("main")
        .locator("li.message")
        .filter(has_text=title)
        .filter(has_not_text="is filed")
        .last
    )


def test_a_newcomers_first_minute(visitor):
    page = visitor("/")
    page.get_by_role("link", name="Sam Staff").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("#Requests")
    line(page).press_sequentially("/request ne")
    expect(page.get_by_role("option", name="request new")).to_be_visible()
    # Offers for what was typed a moment ago may stand there still; the newest list has this one alone.
    expect(page.get_by_role("option")).to_have_count(1)
    line(page).press("ArrowDown")
    line(page).press("Enter")
    expect(line(page)).to_have_value("/request new ")
    expect(page.get_by_role("option", name="laptop")).to_be_visible()
    line(page).press_sequentially("lap")
    expect(page.get_by_role("option")).to_have_count(1)
    line(page).press("ArrowDown")
    line(page).press("Tab")
    expect(line(page)).to_have_value("/request new laptop ")
    line(page).press("Enter")
    form = page.get_by_role("form", name="Ask for: Laptop")
    form.get_by_label("Which model?").select_option("Strong 16 inch")
    form.get_by_label("What needs the strong one?").fill("Building software")
    form.get_by_label("No", exact=True).check()
    form.get_by_label("When do you need it?").fill("2030-01-15")
    form.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="REQ-1 is filed")).to_be_visible()
    expect(form).to_have_count(0)
    expect(line(page)).to_be_focused()


def test_what_is_typed_while_a_form_asks_anew_is_kept(visitor):
    page = visitor("/console/staff/requests")
    say(page, "/request new laptop")
    form = page.get_by_role("form", name="Ask for: Laptop")
    held = []
    page.route("**/-/draft", lambda route: held.append(route))
    form.get_by_label("Which model?").select_option("Strong 16 inch")
    expect(form.get_by_label("What needs the strong one?")).to_have_count(0)
    form.get_by_label("When do you need it?").fill("2030-01-15")
    with page.expect_response("**/-/draft"):
        held[0].continue_()
    expect(form.get_by_label("What needs the strong one?")).to_be_visible()
    expect(form.get_by_label("When do you need it?")).to_have_value("2030-01-15")


def test_a_card_lives_on_every_page_without_a_reload(visitor):
    staff = visitor("/console/staff/requests")
    agent = visitor("/console/agent/service-desk")
    other = visitor("/console/owner/service-desk")
    for page in (agent, other):
        page.evaluate("window.sameAsBefore = true")
    say(staff, 'request new question question:"Where is the printer?"')
    for page in (agent, other):
        expect(card(page, "REQ-1 ·")).to_contain_text("nobody yet")
    card(agent, "REQ-1 ·").get_by_role("button", name="Take").click()
    for page in (agent, other):
        expect(card(page, "REQ-1 ·")).to_contain_text(re.compile("Held by\\s*Alex Agent"))
        expect(card(page, "REQ-1 ·").get_by_role("button", name="Take")).to_have_count(0)
        assert page.evaluate("window.sameAsBefore")
    # The requester hears of it directly, and sees at the side that there is something.
    desk = staff.get_by_role("navigation").get_by_role("link", name="Desk (new messages)", exact=True)
    desk.click()
    expect(staff.get_by_role("log")).to_contain_text("REQ-1")
    expect(
        staff.get_by_role("navigation").get_by_role("link", name="Desk (new messages)", exact=True)
    ).to_have_count(0)


def test_talk_in_a_thread_is_counted_on_the_card(visitor):
    staff = visitor("/console/staff/requests")
    agent = visitor("/console/agent/requests")
    say(staff, "The coffee machine hums.")
    message = card(agent, "The coffee machine hums.")
    message.hover()
    message.get_by_role("link", name="Reply in a thread").first.click()
    thread = agent.get_by_role("region", name="Thread")
    thread.get_by_role("combobox").fill("In which key?")
    thread.get_by_role("combobox").press("Enter")
    expect(thread.locator("li.message")).to_have_count(2)
    card(staff, "The coffee machine hums.").get_by_role("link", name="1 reply").click()
    expect(staff.get_by_role("region", name="Thread")).to_contain_text("In which key?")
    thread.get_by_role("combobox").fill("Never mind.")
    thread.get_by_role("combobox").press("Enter")
    expect(staff.get_by_role("region", name="Thread")).to_contain_text("Never mind.")
    expect(staff.get_by_role("navigation")).to_contain_text("The coffee machine hums.")


def test_a_message_becomes_a_request(visitor):
    staff = visitor("/console/staff/requests")
    say(staff, "My badge does not open the door.")
    agent = visitor("/console/agent/requests")
    message = card(agent, "My badge does not open the door.")
    message.hover()
    message.get_by_role("button", name=re.compile("make this a request")).click()
    expect(agent.get_by_role("main")).to_contain_text(re.compile("REQ-1|Ask for"))


def test_an_answer_asks_the_questions_that_follow_and_keeps_the_focus(visitor):
    page = visitor("/console/staff/@desk")
    say(page, "request new laptop")
    model = page.get_by_label("Which model?")
    model.focus()
    model.select_option("Strong 16 inch")
    expect(page.get_by_label("What needs the strong one?")).to_be_visible()
    expect(page.get_by_label("Which model?")).to_be_focused()
    page.get_by_label("Which model?").select_option("Light 13 inch")
    expect(page.get_by_label("What needs the strong one?")).to_have_count(0)
    page.get_by_label("Yes", exact=True).check()
    expect(page.get_by_label("Inventory number of the old one")).to_be_visible()
    expect(page.get_by_label("Yes", exact=True)).to_be_focused()


def test_an_error_stands_next_to_its_field_and_takes_the_focus(visitor):
    page = visitor("/console/staff/@desk")
    say(page, "request new laptop")
    page.get_by_label("Which model?").select_option("Light 13 inch")
    page.get_by_label("No", exact=True).check()
    page.get_by_role("main").get_by_role("button", name="Send").first.click()
    when = page.get_by_label("When do you need it?")
    expect(when).to_be_focused()
    expect(when).to_have_attribute("aria-invalid", "true")
    expect(when).to_have_accessible_description(re.compile("needed"))
    expect(page.get_by_label("Which model?")).to_have_value("Light 13 inch")


def test_everything_works_by_keyboard_alone(visitor):
    page = visitor(
        "/console/staff/@desk#somewhere"
    )  # with a place to go to, the line does not take the focus
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the line")).to_be_focused()
    page.keyboard.press("Enter")
    expect(line(page)).to_be_focused()
    page.keyboard.type("request can")
    expect(page.get_by_role("option", name="request cancel")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(line(page)).to_have_attribute("aria-activedescendant", re.compile("-0$"))
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    line(page).fill("")
    page.keyboard.type("request new question")
    page.keyboard.press("Enter")
    expect(page.get_by_label("What do you need?")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("Where is room 4?")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="REQ-1 is filed")).to_be_visible()
    expect(line(page)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(line(page)).to_have_value("request new question")
    page.keyboard.press("ArrowDown")
    expect(line(page)).to_have_value("")


def test_a_dangerous_button_asks_first(visitor):
    page = visitor("/console/staff/@desk")
    say(page, 'request new question question:"Where is room 4?"')
    message = page.locator("li.message").filter(has_text="is filed")
    message.locator("summary", has_text="Cancel").click()
    expect(message.get_by_role("button", name="Yes: Cancel")).to_be_visible()
    page.keyboard.press("Escape")
    expect(message.get_by_role("button", name="Yes: Cancel")).to_be_hidden()
    message.locator("summary", has_text="Cancel").click()
    message.get_by_role("button", name="Yes: Cancel").click()
    expect(page.get_by_role("log")).to_contain_text(
        re.compile("cancelled|taken back|What is missing|details", re.IGNORECASE)
    )


def test_it_works_without_a_script(visitor):
    page = visitor("/console/staff/requests", java_script_enabled=False)
    field = page.get_by_role("textbox", name="Message #Requests")
    field.fill("Good morning")
    field.press("Enter")
    expect(page.get_by_role("log")).to_contain_text("Good morning")
    page.get_by_role("textbox", name="Message #Requests").fill("request new laptop")
    page.get_by_role("button", name="Send").last.click()
    page.get_by_label("Which model?").select_option("Strong 16 inch")
    page.get_by_role("button", name="Update the questions").click()
    page.get_by_label("What needs the strong one?").fill("Building software")
    page.get_by_label("No", exact=True).check()
    page.get_by_label("When do you need it?").fill("2030-01-15")
    page.get_by_role("form", name="Ask for: Laptop").get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="REQ-1 is filed")).to_be_visible()
    manager = visitor("/console/manager/@desk", java_script_enabled=False)
    expect(manager.get_by_role("link", name="Look for new messages")).to_be_visible()
    for _ in range(50):
        manager.get_by_role("link", name="Look for new messages").click()
        if manager.get_by_role("button", name="Approve").count():
            break
        manager.wait_for_timeout(100)
    manager.get_by_role("button", name="Approve").first.click()
    expect(manager.get_by_role("log")).to_contain_text("REQ-1")


def test_hostile_text_stays_text_on_a_live_page(visitor):
    staff = visitor("/console/staff/requests")
    agent = visitor("/console/agent/requests")
    for text in (
        '<img src=x onerror="window.owned=1">',
        "<script>window.owned=1</script>",
        '"><svg onload=window.owned=1>',
        "</li></ol><form action=//evil.example><button>press",
    ):
        say(staff, text)
        expect(card(agent, text)).to_be_visible()
        assert agent.locator("li.message p.line").last.evaluate("node => node.children.length") == 0
    say(staff, 'request new question question:"<img src=x onerror=window.owned=1>"')
    desk = visitor("/console/agent/service-desk")
    expect(card(desk, "<img src=x")).to_be_visible()
    for page in (staff, agent, desk):
        assert page.evaluate("window.owned") is None


def test_the_line_is_kept_when_the_desk_cannot_be_reached(visitor):
    page = visitor("/console/staff/requests")
    page.route("**/say", lambda route: route.abort())
    line(page).fill("Good morning")
    line(page).press("Enter")
    expect(page.get_by_role("alert").first).to_contain_text("cannot be reached")
    expect(line(page)).to_have_value("Good morning")
    page.unroute("**/say")
    line(page).press("Enter")
    expect(page.get_by_role("log")).to_contain_text("Good morning")
    expect(page.locator("li.message")).to_have_count(1)


def test_a_page_that_was_hidden_catches_up(visitor):
    page = visitor("/console/staff/requests")
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    other = visitor("/console/agent/requests")
    say(other, "Said meanwhile")
    assert "Said meanwhile" not in page.get_by_role("log").inner_text()
    page.evaluate("delete document.hidden")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.get_by_role("log")).to_contain_text("Said meanwhile")


PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}


def test_a_phone_shows_one_thing_at_a_time(visitor):
    page = visitor("/console/staff/requests", **PHONE)
    expect(page.get_by_role("navigation")).to_be_hidden()
    say(page, 'request new question question:"Where is room 4?"')
    expect(page.get_by_role("heading", name="REQ-1 is filed")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name="Rooms").click()
    page.get_by_role("navigation").get_by_role("link", name="Service desk").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("#Service desk")
    message = page.locator("li.message").last
    message.locator("summary", has_text="More").click()
    message.get_by_role("link", name="Reply in a thread").click()
    room = page.get_by_role("region", name="Service desk", exact=True)
    expect(page.get_by_role("region", name="Thread")).to_be_visible()
    expect(room).to_be_hidden()
    page.get_by_role("link", name="Close the thread").click()
    expect(room).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"viewport": {"width": 1280, "height": 800}}, PHONE], ids=["desk", "phone"])
def test_axe_finds_no_fault(visitor, faults_of, scheme, size):
    page = visitor("/console", color_scheme=scheme, **size)
    assert faults_of(page) == []
    page = visitor("/console/staff/requests", color_scheme=scheme, **size)
    say(page, "Good morning, see https://example.org and `desk help`.")
    say(page, 'request new question question:"Where is room 4?"')
    expect(page.get_by_role("heading", name="REQ-1 is filed")).to_be_visible()
    say(page, "request lst")
    say(page, "request list")
    say(page, "sla why REQ-1")
    say(page, "request new laptop")
    form = page.get_by_role("form", name=re.compile("Laptop"))
    form.get_by_role("button").first.click()
    expect(page.locator("[aria-invalid=true]").first).to_be_visible()
    assert faults_of(page) == []
    line(page).fill("")
    line(page).press_sequentially("/req")
    line(page).press("ArrowDown")
    assert faults_of(page) == []
    page = visitor("/console/agent/service-desk", color_scheme=scheme, **size)
    expect(card(page, "REQ-1 ·")).to_be_visible()
    page.goto("/console/agent/service-desk/" + (card(page, "REQ-1 ·").get_attribute("id") or "")[1:])
    assert faults_of(page) == []
