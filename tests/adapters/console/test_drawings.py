"""Charts and run-sheets in the console: drawn, said, pressed, and inert."""

from __future__ import annotations

from bot.adapters.console import render
from bot.adapters.port import Delivered, Delivery
from handlers.messages import Reply
from tests.harness.drawings import HOSTILE, TREND, sheet


async def hung(adapter, reply: Reply) -> str:
    delivered = await adapter.deliver(
        Delivery(key="k", kind="message", place={"channel": "requests"}, reply=reply)
    )
    assert isinstance(delivered, Delivered)
    return str(delivered.message["id"])


async def test_a_chart_is_a_picture_of_its_own_with_its_words(adapter, visitor):
    number = await hung(adapter, Reply(title="Status", chart=TREND))
    page = (await visitor.open("/console/staff/requests")).text
    address = f"/console/staff/-/chart/{number}/0.svg"
    assert f'src="{address}"' in page
    assert "lowest 94 % (Sep)" in page
    picture = await visitor.open(address)
    assert picture.headers["content-type"] == "image/svg+xml"
    assert "prefers-color-scheme:dark" in picture.text
    assert (await visitor.open(f"/console/staff/-/chart/{number}/1.svg")).status_code == 404


async def test_hostile_names_stay_words_in_a_picture(adapter, visitor):
    hostile = TREND.model_copy(update={"title": HOSTILE, "categories": (HOSTILE, *TREND.categories[1:])})
    number = await hung(adapter, Reply(title="Status", chart=hostile))
    for path in (f"/console/staff/-/chart/{number}/0.svg", "/console/staff/requests"):
        assert "<script>alert" not in (await visitor.open(path)).text


async def test_a_run_sheet_shows_its_steps_and_their_buttons(adapter, visitor):
    await hung(adapter, Reply(title="DRL-1", sheet=sheet(6, 2)))
    page = (await visitor.open("/console/staff/requests")).text
    assert "2 of 6 done, 1 failed, 1 under way" in page
    assert 'class="step-failed"' in page
    assert 'value="drill step DRL-1 s4 done"' in page


def test_a_terminal_is_told_the_same():
    told = render.to_text(Reply(title="Status", chart=TREND, sheet=sheet(6, 2)))
    for word in ("2 of 6 done, 1 failed", "the tape was empty", "99.2 %", "[Done] drill step DRL-1 s4 done"):
        assert word in told
