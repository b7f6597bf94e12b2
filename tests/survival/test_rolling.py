"""Several processes on one store: do they share the work, and does a release leave a gap in what people hear?"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest

from storage.models.evidence import EvidenceRow
from tests.survival.audit import every, reckon
from tests.survival.conftest import in_full
from tests.survival.desks import Desk, wait_until
from tests.survival.intents import BROKEN, REQUESTERS, Ask
from tests.survival.test_gateway import holder
from tests.survival.world import World, free_port

GAP_AT_MOST = 3.0  # seconds between two acknowledgements
PER_SECOND = 4
WEBS, WORKERS = 2, 3


class Front:
    """What stands before the web processes: it asks the one that it asked last, and another when that is gone.

    As nginx does with `proxy_next_upstream error timeout http_503 non_idempotent`.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.ports: list[int] = []

    def put(self, ask: Ask) -> None:
        """Deliver an event through whoever answers."""
        for _ in range(2 * len(self.ports) or 1):
            self.world.far.do(self.world.slack.reach_at(f"http://127.0.0.1:{self.ports[0]}"))
            ask.say()
            if ask.acknowledged:
                return
            self.ports.append(self.ports.pop(0))
            self.world.clock.move(
                timedelta(seconds=1)
            )  # Slack may have said that it wants to be left in peace


@in_full
@pytest.mark.parametrize("kind", ["postgresql"])
def test_two_webs_and_three_workers_share_one_store_and_are_renewed_without_a_gap(
    world: World, say: Callable[[str], None]
):
    front, webs = Front(world), {}
    for _ in range(WEBS):
        port = free_port()
        webs[port] = world.start("web", settings={"PORT": str(port)})
        front.ports.append(port)
    workers = [world.start("worker") for _ in range(WORKERS)]
    for desk in [*webs.values(), *workers]:
        desk.wait_ready()
    wait_until(lambda: len(world.discord.sessions) == 1)

    asks: list[Ask] = []
    heard: list[float] = [time.monotonic()]
    enough = threading.Event()

    def talk() -> None:
        while not enough.wait(1 / PER_SECOND):
            asks.append(Ask(world, REQUESTERS[len(asks) % 5], BROKEN))
            front.put(asks[-1])
            world.clock.move(timedelta(seconds=2 / PER_SECOND))  # else the lanes would rest for ever
            if asks[-1].acknowledged:
                heard.append(time.monotonic())

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        renewed = _renew(world, webs, workers)
    finally:
        enough.set()
        talking.join()
    longest = max(later - one for one, later in pairwise(heard))
    for each in asks:
        if not each.acknowledged:
            front.put(each)
    world.settle()

    found = reckon(world, asks)
    shares = Counter(
        each.after["worker"] for each in every(world, EvidenceRow) if each.action == "notice.delivered"
    )
    say(
        f"{renewed} processes renewed, {len(asks)} events meanwhile, longest gap between two acknowledgements "
        f"{longest:.2f} s; delivered by each worker {sorted(shares.values())}; {found}"
    )
    assert longest <= GAP_AT_MOST
    assert [each.statuses for each in asks if not each.acknowledged] == []
    assert len(shares) >= WORKERS
    assert found.lost == []
    assert found.done_twice == []
    assert not found.shown_twice
    wait_until(lambda: len(world.discord.sessions) == 1)
    assert holder(world) is not None


def _renew(world: World, webs: dict[int, Desk], workers: list[Desk]) -> int:
    """End and start each process, one after the other, as a release does; returns how many."""
    pause = threading.Event()
    for port in list(webs):
        pause.wait(0.5)
        assert webs[port].stop() == 0
        webs[port] = world.start("web", settings={"PORT": str(port)})
        webs[port].wait_ready()
    for number, desk in enumerate(workers):
        assert desk.stop() == 0
        workers[number] = world.start("worker")
        workers[number].wait_ready()
    pause.wait(0.5)
    return len(webs) + len(workers)
