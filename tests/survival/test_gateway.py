"""Is the gateway of Discord held by one process, taken over when that one is gone, and kept when the store is not?"""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import datetime, timedelta

from bot import gateway
from storage.models.evidence import EvidenceRow
from storage.unit_of_work import Records
from tests.survival.audit import every
from tests.survival.conftest import FULL, on
from tests.survival.desks import Desk, wait_until
from tests.survival.world import World, discord_user

WITHIN = timedelta(seconds=30)
READS = timedelta(seconds=1)  # between a look at the lease and the next, beside the wait


def holder(world: World) -> Desk | None:
    """Who has the lease of the gateway now."""
    with world.database.reading() as session:
        name = Records(session).leases.holder(gateway.NAME, world.clock.now())
    return next((desk for desk in world.desks if name and name.endswith(f":{desk.number}")), None)


def start_two(world: World) -> tuple[Desk, Desk]:
    """The one that holds the gateway, and the other."""
    one, other = world.start("worker"), world.start("worker")
    for desk in (one, other):
        desk.wait_ready()
    wait_until(lambda: len(world.discord.sessions) == 1)
    return (one, other) if holder(world) is one else (other, one)


def click_take(world: World, ref: str) -> str:
    """Somebody presses Take on the card of a request on Discord; the interaction's id."""
    wait_until(lambda: bool(world.cards("discord", ref)))
    (card,) = world.cards("discord", ref)
    return world.far.do(world.discord.click(card, "Take", discord_user("agent")))


def is_answered(world: World, interaction: str) -> Callable[[], bool]:
    return lambda: bool(world.discord.answers[interaction])


def gaps(world: World) -> list[tuple[datetime, datetime]]:
    """From when until when nobody heard Discord, as the ledger has it."""
    found = [each.after for each in every(world, EvidenceRow) if each.action == "platform.unheard"]
    return [(datetime.fromisoformat(each["since"]), datetime.fromisoformat(each["until"])) for each in found]


@on("sqlite")
def test_the_gateway_is_taken_over_within_30_s_when_its_holder_is_killed(
    world: World, say: Callable[[str], None]
):
    first, second = start_two(world)
    world.say("staff", 'request new question "Who is there?"')
    before = click_take(world, "REQ-1")
    wait_until(is_answered(world, before))

    killed_at = world.clock.now()
    first.kill()
    wait_until(lambda: not world.discord.sessions)
    if not FULL:
        world.clock.move(gateway.LEASE - timedelta(seconds=1))
    wait_until(lambda: len(world.discord.sessions) == 1)
    taken = world.discord.identified[-1] - killed_at

    assert timedelta(seconds=5) < taken <= WITHIN, "not before the lease has run out, nor much later"
    assert holder(world) is second
    assert len(world.discord.identified) == 2
    world.say("staff", 'request new question "Who is there now?" anyway:yes')
    after = click_take(world, "REQ-2")
    wait_until(is_answered(world, after))
    assert world.evidence("REQ-2") == ["request.received", "request.taken"]
    wait_until(lambda: bool(gaps(world)))
    (since, until), *others = gaps(world)
    assert not others
    assert timedelta() <= killed_at - since <= gateway.LEASE / 3 + READS, (
        "what is known of the one that was killed"
    )
    assert until >= world.discord.identified[-1]
    say(
        f"taken over {taken.total_seconds():.1f} s after the kill; 2 clicks, 0 lost, 0 doubled; on record as unheard: "
        f"{(until - since).total_seconds():.1f} s"
    )


@on("postgresql")
def test_a_holder_that_froze_lets_go_when_it_wakes_and_does_nothing_twice(
    world: World, say: Callable[[str], None]
):
    first, second = start_two(world)
    world.say("staff", 'request new question "Who is there?"')
    wait_until(lambda: bool(world.cards("discord", "REQ-1")))
    wait_until(world.settled)
    with (
        world.database.writing()
    ):  # or it freezes within a transaction of its own, and holds up whoever writes
        first.send(signal.SIGSTOP)
        wait_until(lambda: first.frozen)
    world.clock.move(gateway.LEASE)
    wait_until(lambda: len(world.discord.identified) == 2)
    assert holder(world) is second

    heard_by_both = click_take(world, "REQ-1")
    wait_until(is_answered(world, heard_by_both))
    first.send(signal.SIGCONT)
    wait_until(lambda: len(world.discord.sessions) == 1, patience=15)

    assert holder(world) is second
    assert second.lives
    assert first.lives
    assert world.evidence("REQ-1") == ["request.received", "request.taken"]
    assert len(world.discord.answers[heard_by_both]) == 1
    say("1 click heard by the frozen holder and the new one: 0 lost, 0 doubled")
