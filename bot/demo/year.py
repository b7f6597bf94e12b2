"""Plays a year of the example organisation into an empty store: the same seed gives the same history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from bot.clock import VirtualClock
from bot.demo.stories import MIX, drill, preparation
from bot.demo.world import Story, World
from config.policy import Policy
from handlers import registry
from handlers.dispatch import Dispatcher
from handlers.messages import DESK, Command, Place
from handlers.rules.ledger import Entry
from storage import archive
from storage.database import Database
from storage.repositories.coverage import AT_ONCE
from storage.repositories.flow import EXAMPLE
from storage.unit_of_work import Records

YEAR = timedelta(days=365)
_REASON = "example history: nothing of it was sent"
_DRILLS = (0.15, 0.4, 0.65, 0.85)  # parts of the year


class NotEmpty(Exception):
    """The store holds what people really said; example history would be mixed with it for ever."""

    def __init__(self) -> None:
        super().__init__(
            "This store is in use, and example history is never mixed with what really happened. "
            "Name an empty one in DATABASE_URL."
        )


@dataclass(frozen=True)
class Played:
    """What came of it: how many tickets were begun, how many records are on file, how many lines were refused."""

    tickets: int
    records: int
    refused: dict[str, int]


def play(
    database: Database,
    policy: Policy,
    until: datetime,
    tickets: int = 20_000,
    seed: int = 1,
    length: timedelta = YEAR,
    tell: Callable[[datetime, int], None] = lambda _day, _begun: None,
) -> Played:
    """Play the year that ends at an instant, or another `length` of time. Raises NotEmpty.

    Open tickets stay open and their moments due, so that the desk goes on from there. What would have been sent is
    set aside. `tell` hears of each week that is over, with how many tickets were begun.
    """
    with database.engine.connect() as connection:
        if not archive.is_empty(connection):
            raise NotEmpty
    since = until - length
    clock = VirtualClock(since)
    dispatcher = Dispatcher(registry.load(), lambda: policy, database, clock.now, ["console"])
    zone = policy.organisation.zone
    random = Random(seed)  # noqa: S311 - nothing here is secret
    world = World(dispatcher, clock, random, zone)
    _mark(database, policy, since, until, tickets, seed)
    _tend(dispatcher)
    begun = _schedule(world, since, until, tickets)
    days = 0

    def over(day: datetime) -> None:
        nonlocal days
        days += 1
        if days % 7 == 0:
            _set_aside(database, day, zone)
            tell(day, begun())

    with database.hurried():
        world.live(until, over)
        _set_aside(database, until, zone)
    with database.reading() as session:
        records = Records(session).ledger.head().size
    return Played(begun(), records, dict(world.refused))


def _mark(
    database: Database, policy: Policy, since: datetime, until: datetime, tickets: int, seed: int
) -> None:
    """Say in the ledger itself, before anything else, that what follows never happened."""
    about = {"seed": seed, "tickets": tickets, "since": since.isoformat(), "until": until.isoformat()}
    with database.writing() as session:
        records = Records(session)
        records.facts.put(EXAMPLE, about)
        entry = Entry(
            at=since,
            actor=DESK.user,
            surface="desk",
            action="example_history.begun",
            subject="desk",
            after=about,
            policy=policy.version,
        )
        records.ledger.append([entry])


def _tend(dispatcher: Dispatcher) -> None:
    for declared in dispatcher.commands:
        if declared.tends:
            key = f"example/tend/{declared.name}"
            dispatcher.obey(Command(line=declared.name, sender=DESK, place=Place(platform="desk"), key=key))


def _schedule(world: World, since: datetime, until: datetime, tickets: int) -> Callable[[], int]:
    """Spread the beginnings of all stories over the year, busier as it goes on; returns how many have begun."""
    draw, begun = world.random, 0
    kinds = [kind for _, kind in MIX]
    shares = [share for share, _ in MIX]

    def counted(story: Story) -> Story:
        nonlocal begun
        begun += 1
        yield from story

    span = (until - since).total_seconds()
    for number in range(tickets):
        kind = draw.choices(kinds, shares)[0]
        part = draw.triangular(0, 1, 0.9)  # a desk that more and more people know
        at = since + timedelta(seconds=span * part)
        if kind.__name__ != "incident" or number % 3:
            at = world.on(
                _workday(at), draw.choices(range(9, 17), (5, 9, 8, 5, 5, 7, 6, 4))[0], draw.randrange(60)
            )
        if since < at < until:
            world.begin(counted(kind(world)), at)
    world.begin(preparation(world), since + timedelta(days=3, hours=3))
    for part in _DRILLS:
        world.begin(drill(world), since + timedelta(days=int(span * part / 86400), hours=3))
    return lambda: begun


def _workday(at: datetime) -> datetime:
    return at - timedelta(days=max(0, at.weekday() - 4))


def _set_aside(database: Database, now: datetime, zone: str) -> None:
    """Nothing of this is ever sent; and the evidence is folded while it is young."""
    with database.writing() as session:
        Records(session).outbox.set_aside(_REASON, now)
    folded = AT_ONCE
    while folded == AT_ONCE:
        with database.writing() as session:
            folded = Records(session).coverage.fold(zone)
