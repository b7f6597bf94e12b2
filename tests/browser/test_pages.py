"""The pages in a real browser: signed in by a link, on a desk and on a phone, in light and in dark, for everybody."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from bot.web.pages import PAGES
from tests.harness.house import Talk
from tests.harness.pages import link, on_a_wire

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

DESK: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}
EVERY = [
    *(page.path for page in PAGES),
    "/desk/calendar",
    "/desk/continuity",
    "/desk/evidence",
    "/desk/drills/DRL-1",
    "/desk/plans/PLN-1",
    "/desk/tickets/REQ-1",
    "/desk/tickets/INC-1",
    "/desk/tickets/DRL-1",
    "/desk/tickets/REQ-99",
]
KINDS = {
    "/desk",
    "/desk/queue",
    "/desk/calendar",
    "/desk/continuity",
    "/desk/evidence",
    "/desk/drills/DRL-1",
    "/desk/plans/PLN-1",
    "/desk/tickets/REQ-1",
}
"""One page of each kind: the others are made of the same parts, and only measured, unless pictures are asked for."""

PICTURES = os.environ.get("DESKBELL_PICTURES")
"""A folder for pictures of every page, for people who want to look at them."""


@pytest.fixture
def manager(browser: Browser, after_drill: Talk) -> Iterator[Page]:
    """A manager's browser, which runs no script of a page."""
    with on_a_wire(after_drill) as address, browser.new_context(base_url=address, bypass_csp=True) as context:
        context.set_default_timeout(8_000)
        page = context.new_page()
        page.goto(link(after_drill, "manager"))
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/desk")
        yield page


def test_every_page_is_for_everybody_on_any_screen(
    manager: Page, faults_of: Callable[[Page], list[str]]
) -> None:
    found: dict[str, list[str]] = {}
    for path in EVERY:
        judged = path in KINDS or PICTURES
        manager.set_viewport_size(DESK)
        manager.emulate_media(color_scheme="light")
        manager.goto(path)
        found[f"{path} on a desk"] = faults_of(manager) if judged else []
        picture(manager, path, "desk")
        # The same page, turned: what fits is judged with the one width, contrast with the other colours.
        manager.set_viewport_size(PHONE)
        manager.emulate_media(color_scheme="dark")
        found[f"{path} on a phone"] = faults_of(manager) if judged else []
        picture(manager, path, "phone")
        width = manager.evaluate("document.documentElement.scrollWidth")
        if width > PHONE["width"]:
            found[f"{path} is too wide"] = [str(width)]
    assert {where: what for where, what in found.items() if what} == {}


def picture(page: Page, path: str, kind: str) -> None:
    """Keep a picture, where somebody has asked for them."""
    if PICTURES:
        name = path.strip("/").replace("/", "-")
        page.screenshot(path=Path(PICTURES) / f"{name}-{kind}.png", full_page=True)


def test_one_finds_the_way_without_a_script(manager: Page) -> None:
    manager.get_by_role("link", name="Queue").click()
    manager.get_by_label("Kind").select_option("Requests")
    manager.get_by_role("button", name="Show", exact=True).click()
    manager.get_by_role("link", name="REQ-2").first.click()
    assert manager.get_by_role("heading", name="REQ-2", exact=True).is_visible()
    manager.get_by_role("link", name="Continuity").click()
    manager.get_by_role("link", name="Wed 25 Nov 2026").click()
    manager.get_by_role("link", name="Report", exact=True).click()
    assert manager.get_by_role("heading", name="Planned against actual").is_visible()
    manager.get_by_role("button", name="Sign out").click()
    assert manager.get_by_text("You have signed out.").is_visible()
    manager.goto("/desk")
    assert manager.get_by_text("Please sign in.").is_visible()
