"""Do the pages show what chat shows, to those who may see it, whatever stands in the address or the store?"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from urllib.parse import urlsplit

import httpx
import pypdfium2
import pytest
from hypothesis import given, settings
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from bot import drawing
from bot.printing import drill_pdf
from bot.web.pages import PAGES
from bot.web.special import facts_of, length
from handlers.continuity.report import DrillReport, report_of
from handlers.messages import Chart, flat
from storage.repositories.flow import EXAMPLE
from storage.unit_of_work import Records
from tests.harness.drawings import HOSTILE, TREND, charts, gantt, minutes
from tests.harness.house import Talk
from tests.harness.pages import client, link

EVERY = [page.path for page in PAGES] + ["/desk/calendar", "/desk/continuity", "/desk/evidence"]


@asynccontextmanager
async def entered(talk: Talk, person: str) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in which somebody has signed in."""
    async with client(talk) as web:
        assert (await web.post(link(talk, person))).status_code == 303
        yield web


@pytest.fixture
async def staff(quick_talk: Talk) -> AsyncIterator[httpx.AsyncClient]:
    async with entered(quick_talk, "staff") as web:
        yield web


@pytest.fixture
async def manager(quick_talk: Talk) -> AsyncIterator[httpx.AsyncClient]:
    async with entered(quick_talk, "manager") as web:
        yield web


async def test_example_history_is_marked_on_every_page(quick_talk: Talk) -> None:
    said = "nothing of it ever happened"
    async with entered(quick_talk, "manager") as web:
        assert said not in (await web.get("/desk")).text
    with quick_talk.database.writing() as session:
        Records(session).facts.put(EXAMPLE, {"seed": 1})
    async with entered(quick_talk, "manager") as web:
        for path in EVERY:
            assert said in (await web.get(path)).text


@pytest.mark.parametrize("path", EVERY)
async def test_an_empty_desk_has_helpful_pages(manager: httpx.AsyncClient, path: str) -> None:
    page = await manager.get(path)
    assert page.status_code == 200
    assert "went wrong" not in page.text
    assert page.text.count("<h1") == 1


async def test_a_ticket_shows_its_story_and_how_its_time_was_counted(
    quick_talk: Talk, staff: httpx.AsyncClient
) -> None:
    quick_talk.say("staff", "request new question question:“Where is the price list?”")
    quick_talk.say("agent", "request take REQ-1")
    page = (await staff.get("/desk/tickets/req-1")).text
    for word in ("Where is the price list?", "Alex Agent", "request.taken", "counted"):
        assert word in page
    assert '<a href="/desk/tickets/REQ-1">REQ-1</a>' in (await staff.get("/desk/queue")).text


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/desk/tickets/REQ-99", 404, "REQ-99"),
        ("/desk/tickets/nonsense", 404, "REQ-7"),
        ("/desk/tickets/XYZ-1", 404, "REQ-7"),
        ("/desk/drills/DRL-99", 404, "DRL-99"),
        ("/desk/drills/REQ-1", 404, "DRL-1"),
        ("/desk/drills/DRL-99/report.pdf", 404, "DRL-99"),
        ("/desk/drills/DRL-99/gantt.svg", 404, "DRL-99"),
        ("/desk/plans/PLN-99", 404, "PLN-99"),
        ("/desk/plans/DRL-1", 404, "PLN-1"),
        ("/desk/plans/PLN-99/plan.pdf", 404, "PLN-99"),
        ("/desk/nosuch", 404, "There is no such page."),
        ("/desk/services/mail", 404, "There is no such page."),
        ("/desk/say?line=request+new+laptop", 403, "said in chat"),
        ("/desk/say?line=privacy+erase+%40staff", 403, "said in chat"),
        ("/desk/say?line=sla+refresh+REQ-1", 403, "said in chat"),
        ("/desk/say?line=no+such+thing", 404, "I do not know"),
        ("/desk/say?line=" + "x" * 9000, 404, "I do not know"),
        ("/desk/say", 200, "What I can do for you"),
        ("/desk/say?line=request+show", 400, "details"),
        ("/desk/evidence?within=2999-01", 400, "2999"),
    ],
)
async def test_what_does_not_exist_is_a_helpful_page(
    manager: httpx.AsyncClient, path: str, status: int, word: str
) -> None:
    page = await manager.get(path)
    assert page.status_code == status, page.text
    assert word in page.text
    assert 'aria-label="Pages"' in page.text, "the way on is on the page"


@pytest.mark.parametrize(
    ("path", "said", "then"),
    [
        ("evidence?service=nosuch", "There is no service called “nosuch”.", "Known: network, accounts, mail"),
        ("evidence?service=mial", "There is no service called “mial”.", "Did you mean mail"),
        ("services?service=nosuch", "There is no service called “nosuch”.", "Known: network, accounts, mail"),
        ("calendar?service=nosuch", "There is no service called “nosuch”.", "Known: network, accounts, mail"),
        ("rota?rota=nosuch", "There is no rota called “nosuch”.", "Known: platform"),
        ("promises?of=nosuch", "“nosuch” is no service, team or customer.", "Known: network, accounts, mail"),
    ],
)
async def test_what_an_address_asks_for_in_vain_is_said_once(
    manager: httpx.AsyncClient, path: str, said: str, then: str
) -> None:
    page = await manager.get(f"/desk/{path}")
    assert page.status_code == 200
    assert (page.text.count(said), page.text.count(then)) == (1, 1)
    assert page.text.count("Some details are missing") == 0
    assert page.text.count('class="part') == 1, "nothing else is shown as if it were the answer"
    assert "<select" in page.text or "rota" in path, "it can be asked anew"


async def test_the_end_of_an_address_does_not_matter(manager: httpx.AsyncClient) -> None:
    answer = await manager.get("/desk/queue/?show=mine")
    assert (answer.status_code, answer.headers["location"].endswith("/desk/queue?show=mine")) == (307, True)


@pytest.mark.parametrize("odd", ["nothing", "2999-01", "2026-13", "%00", "%27%22%3E%3Cscript%3E", "x" * 3000])
async def test_whatever_is_asked_for_a_page_is_shown(manager: httpx.AsyncClient, odd: str) -> None:
    for path in ("queue?show={0}&noun={0}&words={0}", "rota?rota={0}", "promises?of={0}&within={0}",
                 "calendar?from={0}&service={0}", "evidence?service={0}"):  # fmt: skip
        page = await manager.get("/desk/" + path.format(odd))
        assert page.status_code == 200, path
        assert "<script" not in page.text


async def test_pages_show_nobody_what_chat_would_not(
    quick_talk: Talk, staff: httpx.AsyncClient, manager: httpx.AsyncClient
) -> None:
    for path in ("/desk/continuity", "/desk/evidence"):
        assert (await staff.get(path)).status_code == 403
        assert (await manager.get(path)).status_code == 200
    quick_talk.say("oncall", "continuity impact mail down_1h:minor down_4h:serious lost_15m:minor")
    said = quick_talk.say("staff", "sla status service-desk").title
    assert said in (await staff.get("/desk/say?line=sla+status+service-desk")).text
    menu = (await staff.get("/desk")).text
    assert "Continuity</a>" not in menu
    assert "Queue</a>" in menu


async def test_what_people_wrote_does_nothing(quick_talk: Talk, staff: httpx.AsyncClient) -> None:
    quick_talk.say("staff", "request new question", question=HOSTILE)
    quick_talk.say(
        "staff", "incident declare", title=HOSTILE[:80], service="mail", impact="low", urgency="low"
    )
    for path in ("/desk", "/desk/queue", "/desk/tickets/REQ-1", "/desk/tickets/INC-1"):
        page = (await staff.get(path)).text
        assert "<script" not in page
        assert "&lt;script&gt;" in page or path == "/desk"


async def test_a_store_that_does_not_answer_and_a_fault_are_told_calmly(
    quick_talk: Talk, staff: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(quick_talk.dispatcher, "read", broken)
    with capture_logs() as logs:
        page = await staff.get("/desk")
    assert (page.status_code, "secret detail" in page.text) == (500, False)
    assert logs[0]["reference"] in page.text
    monkeypatch.undo()

    def away(*_: object) -> None:
        raise OperationalError("select", {}, Exception("gone"))

    monkeypatch.setattr(Records, "web", property(away))
    page = await staff.get("/desk")
    assert (page.status_code, page.headers["retry-after"]) == (503, "60")


# A drill ----------------------------------------------------------------------------------------------


async def test_a_drills_report_is_a_page_a_picture_and_a_pdf(after_drill: Talk) -> None:
    async with entered(after_drill, "manager") as web:
        page = (await web.get("/desk/drills/DRL-1")).text
        for word in (
            "Within its targets",
            "the key to the vault is with one person",
            "ACT-1",
            "nobody is told",
        ):
            assert word in page
        assert '<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img"' in page
        picture = await web.get("/desk/drills/DRL-1/gantt.svg")
        assert picture.headers["content-type"] == "image/svg+xml"
        printed = await web.get("/desk/drills/DRL-1/report.pdf")
        assert printed.headers["content-type"] == "application/pdf"
        text = words_of(printed.content)
        for word in ("The mail store is lost", "within its targets", "Planned against actual", "ACT-1"):
            assert word in text
        heat = (await web.get("/desk/continuity")).text
        assert '<a href="/desk/tickets/DRL-1">' in heat
        assert "/desk/drills/DRL-1" in (await web.get("/desk/tickets/DRL-1")).text


def words_of(pdf: bytes) -> str:
    """All that stands in a PDF, as text."""
    document = pypdfium2.PdfDocument(BytesIO(pdf))
    try:
        pages = [page.get_textpage().get_text_bounded() for page in document]
    finally:
        document.close()
    return " ".join(" ".join(pages).split())


def test_hostile_words_are_set_as_they_were_written(after_drill: Talk) -> None:
    hostile = '#panic("x") *bold* $x$ #read("/etc/passwd") <script>alert(1)</script> @ref \\ [ ] { } \u202e'
    with after_drill.database.reading() as session:
        report = report_of(after_drill.policy, Records(session), "DRL-1", after_drill.clock.now())
    steps = tuple(replace(each, title=hostile, note=hostile) for each in report.steps)
    odd: DrillReport = replace(report, title=hostile, scenario=hostile, steps=steps)
    printed = drill_pdf(
        odd, hostile, "Europe/Berlin", facts_of(odd, "UTC", odd.as_of), "full", "over", length
    )
    text = words_of(printed)
    assert '#panic("x") *bold* $x$' in text
    assert '#read("/etc/passwd")' in text
    assert "root:" not in text


# A plan -----------------------------------------------------------------------------------------------


async def test_a_plan_is_a_page_and_a_pdf(after_drill: Talk) -> None:
    told = (
        "The mail store is lost",
        "Both disks of the mail store are gone",
        "The store cannot be mounted",
        "Olga Owner",
        "Somebody outside the team sends a mail",
        "Fetch the newest backup from the second building",
        "on call: Platform on call",
        "The time that stands on the backup",
        "+1h40m",
        "The porter of the second building",
        "+49 30 7654321",
        "The key to the vault",
        "The porter does not answer",
        "Tue 23 Nov 2027",
        "BIA-3",
        "both disks are dead",
    )
    async with entered(after_drill, "manager") as web:
        page = (await web.get("/desk/plans/pln-1")).text
        printed = await web.get("/desk/plans/PLN-1/plan.pdf")
        text = words_of(printed.content)
        assert {word for word in told if word not in page} == set()
        assert {word for word in told if word not in text} == set()
        assert printed.headers["content-type"] == "application/pdf"
        assert "PLN-1: planned, from the start on. 7 steps in 4 lanes." in page
        assert ">1h45m<" in page, "the time line counts from the start"
        assert '<a href="/desk/plans/PLN-1">PLN-1</a>' in (await web.get("/desk/plans")).text
        assert (
            '<a href="/desk/plans/PLN-1">As a page, to print</a>'
            in (await web.get("/desk/tickets/PLN-1")).text
        )


async def test_a_link_from_a_plan_in_chat_leads_to_its_page(after_drill: Talk) -> None:
    async with client(after_drill) as web:
        shown = after_drill.say("oncall", "continuity plan PLN-1", key="shown")
        button = next(each for each in shown.buttons if each.label == "As a page, to print")
        address = flat(after_drill.say("oncall", button.line, key="clicked").text).split()[0]
        entered_at = await web.post(urlsplit(address).path)
        assert (entered_at.status_code, entered_at.headers["location"]) == (303, "/desk/plans/PLN-1")
        assert "The mail store is lost" in (await web.get(entered_at.headers["location"])).text


async def test_what_a_drill_brings_in_between_is_told_to_those_alone_who_lead_it(after_drill: Talk) -> None:
    for person, leads in (("owner", True), ("backup", False), ("oncall", False)):
        async with entered(after_drill, person) as web:
            page = (await web.get("/desk/plans/PLN-1")).text
            text = words_of((await web.get("/desk/plans/PLN-1/plan.pdf")).content)
        said = str(after_drill.say(person, "continuity plan PLN-1"))
        assert ["The porter does not answer" in each for each in (page, text, said)] == [leads] * 3
    async with entered(after_drill, "staff") as web:
        assert (await web.get("/desk/plans/PLN-1")).status_code == 403
        assert (await web.get("/desk/plans/PLN-1/plan.pdf")).status_code == 403


async def test_every_version_of_a_plan_can_be_read(after_drill: Talk) -> None:
    policy = after_drill.policy
    plan = replace(policy.plans["mail-store-lost"], scenario=HOSTILE, name="The store burns")
    after_drill.policy = replace(policy, plans={plan.key: plan}, version="another plan")
    after_drill.say("desk", "continuity take-up", key="another plan")
    async with entered(after_drill, "manager") as web:
        newest = (await web.get("/desk/plans/PLN-1")).text
        first = (await web.get("/desk/plans/PLN-1?version=1")).text
        printed = words_of((await web.get("/desk/plans/PLN-1/plan.pdf?version=1")).content)
        hostile = words_of((await web.get("/desk/plans/PLN-1/plan.pdf")).content)
        for odd in ("3", "0", "x", "1e9", "%00"):
            assert (await web.get(f"/desk/plans/PLN-1?version={odd}")).status_code == 404
    assert "The store burns" in newest
    assert "Not signed" in newest
    assert "<script" not in newest
    assert "<script>" in hostile
    for shown in (first, printed):
        assert "Both disks of the mail store are gone" in shown
        assert "version 2 not signed yet, an earlier one is" in shown
        assert "Olga Owner" in shown
    assert '<a class="primary" href="/desk/plans/PLN-1/plan.pdf?version=1">' in first


# Pictures ---------------------------------------------------------------------------------------------


def test_a_picture_takes_the_pages_colours_and_says_what_it_shows() -> None:
    drawn = drawing.svg(TREND)
    assert "var(--series-1)" in drawn
    assert "var(--ink)" in drawn
    assert "#0072b2" not in drawn
    assert 'aria-label="Attainment of resolve by month. counted: 97 % (Jun) to 99.2 % (Nov)' in drawn
    assert " style=" not in drawn, "the policy of the pages allows no style in them"
    assert "http" not in drawn.removeprefix('<svg xmlns="http://www.w3.org/2000/svg"')


def test_names_in_a_picture_are_literals_whatever_they_are() -> None:
    names = (HOSTILE, "'+alert(1)+'", "\\']", "同じ 🎫", "", "x" * 300)
    chart = TREND.model_copy(update={"categories": names, "title": HOSTILE})
    drawn = drawing.svg(chart)
    assert "<script" not in drawn
    assert "&lt;script&gt;" in drawn
    odd = gantt(6, 2).model_copy(
        update={"bars": tuple(each.model_copy(update={"label": HOSTILE}) for each in gantt(6, 2).bars)}
    )
    assert "<script" not in drawing.svg(odd)


@given(charts())
@settings(max_examples=4)
def test_any_chart_can_be_drawn(chart: Chart) -> None:
    assert drawing.svg(chart).endswith("</svg>")


def test_a_time_line_of_two_hundred_steps_is_small_and_signs_what_failed() -> None:
    drawn = drawing.svg(gantt(200, 10))
    assert len(drawn) < 60_000
    assert drawn.count("×") == 200 // 7
    alone = drawing.svg(gantt(14, 2))
    assert alone.count(">failed<") == 2


def test_a_time_line_for_any_day_names_no_time_of_day() -> None:
    anyday = gantt(6, 2).model_copy(update={"from_start": True, "marks": ()})
    told = [flat(row[2]) for row in anyday.table.rows]
    assert told[0].startswith("+0s – +")
    assert not any("UTC" in each for each in (*told, drawing.svg(anyday)))


def test_the_same_picture_is_the_same_in_every_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = json.dumps(drawing.spec(gantt(6, 2)))
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    assert json.dumps(drawing.spec(gantt(6, 2))) == spec
    assert str(int(minutes(0, 0)[0].timestamp() * 1000)) in spec


def test_lengths_are_told_to_the_minute() -> None:
    told = [length(timedelta(seconds=each)) for each in (0, 29, 90, 3600, 90_000)]
    assert (told[0], told[3], length(None)) == ("0 min", "1h", "–")
