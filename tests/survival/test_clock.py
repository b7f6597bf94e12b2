"""The machine's clock is put forward and back: is anything done twice, left out, or done in a loop?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from storage.models.evidence import EvidenceRow
from tests.survival.audit import every, reckon
from tests.survival.conftest import on, sized
from tests.survival.intents import REQUESTERS
from tests.survival.world import World

STEPS = [timedelta(hours=1), timedelta(hours=-1), timedelta(days=1), timedelta(days=-1), timedelta(days=97)]
"""The last one leads into a February."""

PEOPLE = sized(2, 5)
LONGEST = timedelta(days=2)
"""A room that was spoken to before the clock was put back a day rests until that moment comes again."""


@on("sqlite")
def test_a_clock_that_is_put_forward_and_back_doubles_nothing_and_leaves_nothing_out(
    world: World, say: Callable[[str], None]
):
    world.start().wait_ready()
    tried = 0
    for step in STEPS:
        for person in REQUESTERS[:PEOPLE]:
            tried += 1
            world.say(person, "request new vpn-access abroad:no anyway:yes")
        world.settle(LONGEST)
        world.clock.move(step)
        world.spend(timedelta(minutes=2))
    world.live(world.caught_up, LONGEST, dues=True)
    world.settle(LONGEST)

    found = reckon(world, ())
    told = [each for each in every(world, EvidenceRow) if each.action in ("sla.warned", "sla.breached")]
    once = {
        (each.subject, each.after["promise"], each.after["percent"], each.after["moment"]) for each in told
    }
    say(f"{len(STEPS)} steps, {tried} requests, {len(told)} warnings and breaches; {found}")
    assert len(told) > tried
    assert len(once) == len(told)
    assert found.lost == []
    assert found.done_twice == []
    assert not found.shown_twice
