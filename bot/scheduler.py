"""The bell: it rings when something is due, and the desk says to itself what it was to say then.

What is due lies in the store, with the ticket it belongs to. APScheduler only wakes: at the earliest
moment that is known, and every second, because other processes set moments too. It owns nothing, its
memory may be wiped at any time, and several bells may ring on one store.

A round (a digest each Monday, a drill each quarter) is a moment that is set anew after each time. One
that was missed is done once, late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import anyio.to_thread
import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot.clock import Clock
from handlers.delivery import Deliveries, backoff
from handlers.dispatch import Dispatcher
from handlers.errors import WrongState
from handlers.messages import DESK, Command, Moment, Place, Reply, Tone, facts
from handlers.rules.moments import instant_at
from storage.database import StoreUnavailable
from storage.repositories.flow import HELD, DueItem
from storage.unit_of_work import Records

POLLS = 1.0
"""The longest time between two looks at what is due, in seconds."""

LEASE = timedelta(seconds=10)
"""How long a worker may take over the moments that it took; done twice, they have one effect all the same."""

AT_ONCE = 50
"""How many moments are taken at once; an urgent one that falls due meanwhile waits for no more than these."""

TOLD_AFTER = 5
"""After how many failures of one moment the owner of the desk is told."""

JOBS = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
"""How APScheduler wakes us: once, however late. Its own default drops what is more than a second late."""

_RESTS = timedelta(hours=1)  # the longest time between two attempts at a moment
_log = structlog.get_logger()


class Trigger(Protocol):
    """When a round comes: any trigger of APScheduler, in the zone whose wall clock it follows."""

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """The next time after `previous` and not before `now`."""


@dataclass(frozen=True)
class Round:
    """A line that the desk says to itself again and again; `name` is stable over releases."""

    name: str
    trigger: Trigger
    line: str

    @property
    def key(self) -> str:
        """The key of its moment."""
        return f"round/{self.name}"

    def next_at(self, after: datetime) -> datetime | None:
        """The first occurrence later than an instant, in UTC; None when none is to come.

        A wall-clock time that the zone skips means the first instant after the skip; one that it repeats
        counts the first time only.
        """
        wall = self.trigger.get_next_fire_time(after, after)
        while wall is not None:
            at = instant_at(wall.date(), wall.time(), str(wall.tzinfo))
            if at > after:
                return at.astimezone(UTC)
            wall = self.trigger.get_next_fire_time(wall, wall)
        return None


class Bell:
    """Rings what is due. `holder` names this worker in leases."""

    def __init__(
        self, dispatcher: Dispatcher, clock: Clock, holder: str, rounds: Sequence[Round] = ()
    ) -> None:
        self._dispatcher = dispatcher
        self._database = dispatcher.database
        self._deliveries = Deliveries(dispatcher)
        self._clock = clock
        self._holder = holder
        self._rounds = {each.key: each for each in rounds}
        self._rung = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Ring until told to stop. Raises StoreUnavailable when the rounds cannot be planned."""
        self._loop = asyncio.get_running_loop()
        await anyio.to_thread.run_sync(self.plan)
        scheduler = AsyncIOScheduler(timezone=UTC, job_defaults=JOBS)
        scheduler.add_job(self._ring, "interval", seconds=POLLS, id="poll")
        scheduler.start()
        told = asyncio.create_task(stop.wait())
        told.add_done_callback(lambda _: self._rung.set())
        try:
            while not stop.is_set():
                self._rung.clear()
                looked_at = self._clock.now()
                try:
                    next_at = await anyio.to_thread.run_sync(self.next_at, looked_at)
                    if next_at is not None and next_at > looked_at:
                        scheduler.add_job(
                            self._ring, "date", run_date=next_at, id="due", replace_existing=True
                        )
                    elif next_at is not None and await self.turn():
                        continue
                except StoreUnavailable as error:
                    _log.warning("what is due cannot be read", why=str(error))
                await self._rung.wait()
        finally:
            self._loop = None
            told.cancel()
            scheduler.shutdown(wait=False)

    async def _ring(self) -> None:
        self._rung.set()

    def on_nudge_from(self, dispatcher: Dispatcher) -> None:
        """Look at what is due whenever this dispatcher has committed something."""
        dispatcher.after_commit.append(self.nudge)

    def nudge(self) -> None:
        """Look at what is due now. May be called from any thread."""
        if (loop := self._loop) is not None:
            loop.call_soon_threadsafe(self._rung.set)

    async def turn(self) -> int:
        """`ring`, in a thread."""
        return await anyio.to_thread.run_sync(self.ring)

    def ring(self) -> int:
        """Carry out some of what is due now, urgent moments first, then oldest first; returns how many.

        Each is a command of its own, so that one which fails holds up no other. Raises StoreUnavailable.
        """
        now = self._clock.now()
        with self._database.writing() as session:
            records = Records(session)
            held = records.facts.get(HELD)
            items = [] if held else records.dues.claim(now, self._holder, LEASE, AT_ONCE)
        for item in items:
            self._say(item)
        return len(items)

    def next_at(self, looked_at: datetime | None = None) -> datetime | None:
        """When something is due next, not before the instant of a look, or now; None when nothing is to come."""
        with self._database.reading() as session:
            return Records(session).dues.next_at(looked_at or self._clock.now())

    def plan(self) -> None:
        """Set the next moment of every round, and let the desk look after by itself what it tends.

        Said at the start and after every change of policy. A round's moment that is past stays, to be done late.
        """
        now = self._clock.now()
        with self._database.writing() as session:
            dues = Records(session).dues
            for key, each in self._rounds.items():
                standing, next_at = dues.at(key), each.next_at(now)
                if next_at is not None and (standing is None or standing > now):
                    dues.set(key, DESK.user, next_at, each.line)
            for declared in self._dispatcher.commands:
                if declared.tends:
                    dues.set(f"tend/{declared.name}", DESK.user, now, declared.name)

    def _say(self, item: DueItem) -> None:
        command = Command(
            line=item.line,
            sender=DESK,
            place=Place(platform="desk"),
            key=f"due/{item.key}/{item.at.isoformat()}",
        )
        try:
            self._dispatcher.obey(command)
        except WrongState as error:
            _log.info("nothing left to say", due=item.key, why=str(error))
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not hold up the other moments
            _log.exception("what was due failed", due=item.key, line=item.line)
            self._put_off(item, error)
            return
        with self._database.writing() as session:
            dues, each = Records(session).dues, self._rounds.get(item.key)
            # Unless the command itself has set the moment anew.
            if dues.finish(item) and each and (next_at := each.next_at(self._clock.now())):
                dues.set(item.key, item.subject, next_at, each.line)

    def _put_off(self, item: DueItem, error: Exception) -> None:
        now = self._clock.now()
        trouble = f"{type(error).__name__}: {error}"
        with self._database.writing() as session:
            records = Records(session)
            until = now + backoff(item.attempts, _RESTS)
            if records.dues.put_off(item, until, trouble) and item.attempts == TOLD_AFTER:
                key = f"due/{item.id}/{int(item.at.timestamp())}"
                self._deliveries.tell_owner(records, _failing(item, trouble), key, now)


def _failing(item: DueItem, trouble: str) -> Reply:
    return Reply(
        title=f"Something that was due has failed {item.attempts} times.",
        text=("It is tried again, at least every hour.",),
        tone=Tone.BAD,
        facts=facts(
            ("Line", item.line), ("About", item.subject), ("Due", Moment(moment=item.at)), ("Why", trouble)
        ),
        private=False,
    )
