"""Down for a day: is the first page out at once, is everything said that was due, and each room told once?"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from handlers.messages import Kind
from storage.models.flow import OutboxRow
from tests.survival.audit import every, on_discord, on_slack, reckon
from tests.survival.conftest import FULL, on, sized
from tests.survival.desks import wait_until
from tests.survival.intents import REQUESTERS
from tests.survival.world import World

REQUESTS = sized(15, 3400)  # three moments fall due for each
DOWN = timedelta(hours=24)
SAID_WITHIN = timedelta(
    hours=1 + REQUESTS / 1000
)  # a room hears one message a second, and of each request three
FIRST_PAGE_WITHIN = 5.0 if FULL else 15.0  # seconds; `make test` shares its machine


def pages(world: World) -> int:
    """How often somebody was woken, as the platforms show it."""
    return sum("Why you" in each.text for each in (*on_slack(world), *on_discord(world)))


@on("sqlite")
def test_after_a_day_down_the_first_page_leaves_at_once_and_each_room_hears_one_word(
    world: World, say: Callable[[str], None]
):
    world.start("worker").wait_ready()
    world.say("staff", "incident declare Nothing works service:network impact:high urgency:high")
    world.settle()
    world.end()
    for number in range(REQUESTS):  # whoever hears is still there, and whoever sends and rings is not
        world.say(REQUESTERS[number % 5], "request new vpn-access abroad:no anyway:yes")
    world.say("staff", "request cancel REQ-1")
    before, woken, shown = (
        len(every(world, OutboxRow)),
        pages(world),
        len(on_slack(world) + on_discord(world)),
    )
    assert woken > 0
    world.clock.move(DOWN)
    overdue = world.overdue()

    began = time.monotonic()
    desk = world.start("worker", alone=FULL)
    wait_until(lambda: pages(world) > woken, lambda: desk.said)
    first_page = time.monotonic() - began
    before_it = len(on_slack(world) + on_discord(world)) - shown - 1
    world.live(world.caught_up)
    caught_up = time.monotonic() - began
    world.settle(SAID_WITHIN)

    found = reckon(world, ())
    reminders = [row for row in every(world, OutboxRow)[before:] if row.kind == Kind.REMINDER]
    messages = {(row.lane, row.said_as) for row in reminders}
    say(
        f"{overdue} moments due after {DOWN}; first page after {first_page:.1f} s with {before_it} messages before "
        f"it, caught up after {caught_up:.1f} s; {len(reminders)} reminders said in {len(messages)} messages; {found}"
    )
    assert overdue >= 3 * REQUESTS
    assert first_page <= FIRST_PAGE_WITHIN
    assert found.lost == []
    assert not found.shown_twice
    kinds = {str(row.subject).partition("-")[0] for row in reminders}
    words_to = Counter(lane for lane, _ in messages)
    assert max(words_to.values()) <= len(kinds), words_to
    assert all("late" in str(row.payload) for row in reminders if row.key.startswith("sla/"))
    assert "REQ-1" not in {row.subject for row in reminders}, "nobody waits for it any more"
