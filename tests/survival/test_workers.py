"""Do workers on one store share the work, and does one that froze do no harm when it wakes?"""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from handlers.delivery import LEASE
from handlers.messages import Kind
from storage.database import StoreUnavailable
from storage.models.evidence import EvidenceRow
from tests.survival import points
from tests.survival.audit import every, reckon
from tests.survival.conftest import in_full, on, sized
from tests.survival.desks import wait_until
from tests.survival.intents import REQUESTERS, Ask
from tests.survival.world import CHATS, World

REQUESTS = sized(15, 1500)
WAITS_AT_MOST = 3.0  # seconds that somebody waits for an answer, whatever it is
HELD_UP_AT_MOST = 15.0  # seconds


def deliveries(world: World) -> list[EvidenceRow]:
    """The evidence of messages that were delivered."""
    return [each for each in every(world, EvidenceRow) if each.action == "notice.delivered"]


@on("postgresql")
def test_two_workers_share_what_waits_and_send_nothing_twice(world: World, say: Callable[[str], None]):
    for _ in range(2):
        world.start("worker")
    for desk in world.desks:
        desk.wait_ready()  # both, or the first one has sent everything before the other looks
    for number in range(REQUESTS):
        person = REQUESTERS[number % len(REQUESTERS)]
        platform = CHATS[number % 2]
        world.say(person, f'request new question "Number {number}?" anyway:yes', platform)
        world.say("agent", f"request take REQ-{number + 1}")
    world.settle()

    found = reckon(world, ())
    shares = Counter(each.after["worker"] for each in deliveries(world))
    say(f"{found}; delivered by each worker: {sorted(shares.values())}")
    assert found.lost == []
    assert found.done_twice == []
    assert not found.shown_twice
    assert len(shares) == 2
    assert min(shares.values()) > 0


BEFORE, AFTER = points.of_kind(points.SENDING, Kind.MESSAGE), points.of_kind(points.F5, Kind.MESSAGE)


@on("postgresql")
@pytest.mark.parametrize(
    ("platform", "froze", "too_many"),
    [
        pytest.param("slack", points.F4, 0, id="slack, having taken a message"),
        pytest.param("slack", BEFORE, 1, id="slack, before it sent it"),
        pytest.param("slack", AFTER, 0, id="slack, after it sent it"),
        pytest.param("discord", points.F4, 0, id="discord, having taken a message", marks=in_full),
        pytest.param("discord", BEFORE, 0, id="discord, before it sent it"),
        pytest.param("discord", AFTER, 0, id="discord, after it sent it", marks=in_full),
    ],
)
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
    world.clock.move(LEASE)  # long after the other one has sent it
    frozen.send(signal.SIGCONT)
    if froze != points.F4:
        frozen.wait_for("too late to record")
    world.say("staff", "request comment REQ-1 Thanks", platform)  # something that only a living lane sends
    world.settle()

    found = reckon(world, ())
    say(f"{platform}, frozen at “{froze}”: {found}")
    assert found.lost == []
    assert found.done_twice == []
    assert found.shown_twice[platform] <= too_many
    if froze != points.F4:
        (told,) = [each for each in deliveries(world) if each.after["attempt"] > 1]
        assert told.before["worker"].endswith(f":{frozen.number}")
        assert told.after["worker"].endswith(f":{second.number}")


@in_full
@pytest.mark.parametrize("kind", ["postgresql"])  # SQLite waits for it until somebody kills the process
def test_a_process_that_froze_within_a_transaction_holds_nobody_up_for_long(
    world: World, say: Callable[[str], None]
):
    """Whoever writes evidence holds the ledger's head until it commits, and a frozen one does not."""
    frozen = world.start("serve", point=points.F1, by="SIGSTOP")
    frozen.wait_ready()
    mute = Ask(world, "staff")
    asking = threading.Thread(target=mute.say)  # which nobody answers
    asking.start()
    wait_until(lambda: frozen.frozen, lambda: frozen.said)
    began, waits, refused = time.monotonic(), [], 0
    while True:
        asked = time.monotonic()
        try:
            reply = world.say("staff", 'request new question "Does anybody hear?"')
            break
        except StoreUnavailable:
            refused += 1
        finally:
            waits.append(time.monotonic() - asked)
        assert time.monotonic() - began < HELD_UP_AT_MOST
    held_up = time.monotonic() - began
    frozen.kill()
    asking.join()
    say(
        f"others were held up for {held_up:.1f} s by a process that froze within a transaction; told so {refused} "
        f"times, after {max(waits):.1f} s at most"
    )
    assert "is filed" in reply.title
    assert refused > 0, "it was in nobody's way"
    assert max(waits) <= WAITS_AT_MOST
