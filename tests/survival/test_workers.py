"""Do workers on one store share the work, and does one that froze do no harm when it wakes?"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable

import pytest

from handlers.delivery import LEASE
from handlers.messages import Kind
from storage.models.evidence import EvidenceRow
from tests.survival import points
from tests.survival.audit import every, reckon
from tests.survival.conftest import on, sized
from tests.survival.desks import wait_until
from tests.survival.intents import REQUESTERS
from tests.survival.world import World

REQUESTS = sized(25, 1500)


def deliveries(world: World) -> list[EvidenceRow]:
    """The evidence of messages that were delivered."""
    return [each for each in every(world, EvidenceRow) if each.action == "notice.delivered"]


@on("postgresql")
def test_two_workers_share_what_waits_and_send_nothing_twice(world: World, say: Callable[[str], None]):
    for number in range(REQUESTS):
        person = REQUESTERS[number % len(REQUESTERS)]
        platform = world.platforms[number % 2]
        world.say(person, f'request new question "Number {number}?" anyway:yes', platform)
        world.say("agent", f"request take REQ-{number + 1}")
    for _ in range(2):
        world.start("worker")
    for desk in world.desks:
        desk.wait_ready()
    world.settle()

    found = reckon(world, ())
    shares = Counter(each.after["worker"] for each in deliveries(world))
    say(f"{found}; delivered by each worker: {sorted(shares.values())}")
    assert found.lost == []
    assert found.done_twice == []
    assert not found.shown_twice
    assert len(shares) == 2
    assert min(shares.values()) > 0


@pytest.mark.parametrize(
    ("froze", "too_many"),
    [(points.F4, 0), (points.of_kind(points.SENDING, Kind.MESSAGE), 1), (points.of_kind(points.F5, Kind.MESSAGE), 0)],
    ids=["when it had taken a message", "before it sent it", "after it sent it"],
)  # fmt: skip
@on("postgresql")
@pytest.mark.parametrize("platform", ["slack", "discord"])
def test_a_worker_that_froze_for_three_leases_is_refused_when_it_wakes(
    world: World, platform: str, froze: str, too_many: int, say: Callable[[str], None]
):
    world.say("staff", 'request new question "Who has it?"', platform)
    world.start("worker").wait_ready()
    world.settle()
    world.end()
    world.say("agent", "request take REQ-1", platform)

    frozen = world.start("worker", point=froze, by="SIGSTOP")
    wait_until(lambda: frozen.frozen, lambda: frozen.said)
    world.clock.move(3 * LEASE)
    second = world.start("worker")
    second.wait_ready()
    world.settle()
    frozen.send(signal.SIGCONT)
    if froze != points.F4:
        frozen.wait_for("too late to record")
    world.say("staff", "request comment REQ-1 Thanks", platform)  # something that only a living lane sends
    world.settle()

    found = reckon(world, ())
    say(f"{platform}, frozen at “{froze}”: {found}")
    assert found.lost == []
    assert found.done_twice == []
    assert found.shown_twice[platform] <= (too_many if platform == "slack" else 0)
    (told,) = [
        each for each in deliveries(world) if each.subject == "REQ-1" and each.after["attempt"] > 1
    ] or [None]
    if froze != points.F4:
        assert told is not None
        assert told.before["worker"].endswith(f":{frozen.number}")
        assert told.after["worker"].endswith(f":{second.number}")
