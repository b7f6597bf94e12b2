"""Killed anywhere, is anything lost, done twice, or shown twice?"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from handlers.delivery import LEASE
from storage.models.flow import OutboxRow
from tests.harness.troubles import Says
from tests.survival import points
from tests.survival.audit import every, reckon
from tests.survival.conftest import FULL, on, sized
from tests.survival.desks import Desk
from tests.survival.intents import BROKEN, REQUESTERS, Ask, Intent, Take
from tests.survival.world import CHATS, World

KILLS = sized(8, 200)
BY_CHANCE = "any moment"
INTENTS_A_LIFE = 4  # so many at most before it is killed from outside, where it does not pass its point


class Run:
    """Lives, one after the other, each with a fate of its own."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.intents: list[Intent] = []
        self.killed: Counter[str] = Counter()
        self.in_flight: Counter[str] = Counter()  # by platform: what was on its way when somebody was killed

    def through(self, fates: Sequence[str]) -> None:
        """A life for each fate; then one that carries everything to its end."""
        for point in fates:
            self._life(point)
        desk = self.world.start()
        desk.wait_ready()
        self._repeat(desk)
        self.world.settle()
        self.world.live(lambda: self.world.caught_up(), dues=True)
        self.world.settle()
        desk.stop()

    def _life(self, point: str) -> None:
        world, nth = self.world, self.chance.choice((1, 1, 2, 3))
        if point == BY_CHANCE:
            desk = world.start()
            timer = threading.Timer(self.chance.uniform(0.1, 1.5), desk.kill)
            timer.start()
        else:
            desk = world.start(point=point, nth=1 if point == points.F6 else nth)
        if desk.is_ready():
            self._repeat(desk)
            for _ in range(INTENTS_A_LIFE):
                if desk.lives:
                    self._want(desk)
        reached = not desk.lives
        if point == BY_CHANCE:
            timer.join()
        desk.kill()
        self.killed[point if reached else f"{point}, not reached"] += 1
        self.in_flight.update(row.platform for row in every(world, OutboxRow) if row.state == "sending")
        # Whoever comes next must not find what the dead one holds.
        world.clock.move(LEASE + timedelta(seconds=1))

    def _repeat(self, desk: Desk) -> None:
        """What was not acknowledged is said again."""
        for each in self.intents:
            while desk.lives and not each.acknowledged:
                each.say()

    def _want(self, desk: Desk) -> None:
        """Somebody wants something more, and time goes by."""
        world = self.world
        free = [ref for ref in world.refs() if all(world.cards(each, ref) for each in CHATS)]
        taken = {each.ref for each in self.intents if isinstance(each, Take)}
        wanted: Intent
        if (left := [ref for ref in free if ref not in taken]) and self.chance.random() < 0.4:
            wanted = Take(world, self.chance.choice(CHATS), self.chance.choice(left))
        elif self.chance.random() < 0.3:
            wanted = Ask(world, self.chance.choice(REQUESTERS), BROKEN)
        else:
            wanted = Ask(world, self.chance.choice(REQUESTERS))
        self.intents.append(wanted)
        wanted.say()
        if desk.lives:
            dues = self.chance.random() < 0.3
            world.live(lambda: not desk.lives or world.settled(), dues=False)
            if dues:
                self._let_something_fall_due(desk)

    def _let_something_fall_due(self, desk: Desk) -> None:
        before = self.world.records()
        self.world.live(
            lambda: not desk.lives or self.world.records() > before, timedelta(days=10), dues=True
        )


@on("sqlite")
@pytest.mark.parametrize("reads_back", [True, False], ids=["read back", "blind"])
def test_killed_anywhere_nothing_is_lost_and_nothing_doubled(
    world: World, reads_back: bool, say: Callable[[str], None]
):
    if not reads_back:
        reading = ("conversations.history", "conversations.replies")
        world.slack.troubles.always = lambda method: Says("missing_scope") if method in reading else None
    run = Run(world, seed=1)
    fates: Sequence[str] = (*points.KILL_POINTS, BY_CHANCE)
    if not (reads_back or FULL):
        fates = (points.F4, points.F5, points.MARKING)  # where it makes a difference
    run.through([fates[number % len(fates)] for number in range(KILLS if reads_back or FULL else len(fates))])

    found = reckon(world, run.intents)
    kills = sum(run.killed.values())
    say(f"{kills} kills ({', '.join(f'{times} × {point}' for point, times in run.killed.items())}); {found}")
    assert found.lost == []
    assert found.done_twice == []
    assert found.shown_twice["discord"] == found.shown_twice["sms"] == 0
    if reads_back:
        assert found.shown_twice["slack"] == 0
    # Who cannot be asked what arrived may be sent it once more for each death, and nothing else ever.
    assert all(times <= run.in_flight[platform] for platform, times in found.shown_twice.items())
    if FULL:  # of so few deaths in a taste one can find several messages on their way
        assert max(found.shown_twice["slack"], found.shown_twice["mail"]) <= kills
