"""The courier: takes messages from the outbox into the world, and records what became of each.

Destinations are served side by side, one message at a time to each, and no platform can use up
another one's places. What became of messages while the store was busy recording is recorded together.
What is sent is decided by `handlers.delivery`; here are only the calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar

import anyio.to_thread
import structlog
from anyio import CapacityLimiter

from bot.adapters.port import Adapter, Delivered, GiveUp, Result, TryAgain
from bot.clock import Clock
from handlers.delivery import LEASE, Deliveries, Failure, Parcel, Settlement
from handlers.dispatch import Dispatcher
from storage.database import StoreUnavailable
from storage.repositories.outbox import Claim

POLLS = 1.0
"""The longest time between two looks at the outbox, in seconds: other processes write to it too."""

_CALL = LEASE.total_seconds() / 3  # the longest call to a platform, in seconds: a search may come before it
_PARTING = 10.0  # seconds for what is on its way when the courier is told to stop
_RECORDING = (
    0.1,
    0.5,
    2.0,
    5.0,
    10.0,
    15.0,
    15.0,
    15.0,
)  # seconds between tries to record while the store is away

_log = structlog.get_logger()
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Courier:
    """Sends what waits. `holder` names this worker in leases; `at_once` bounds the calls to each platform.

    `call_timeout` is the longest that a call may take, in seconds.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        adapters: Mapping[str, Adapter],
        clock: Clock,
        holder: str,
        *,
        at_once: int = 16,
        call_timeout: float = _CALL,
        threads: int = 4,
    ) -> None:
        self._deliveries = Deliveries(dispatcher)
        self._adapters = adapters
        self._clock = clock
        self._holder = holder
        self._at_once = at_once
        self._call_timeout = call_timeout
        self._threads = threads
        self._limiter: CapacityLimiter | None = None
        self._on_their_way: dict[str, set[asyncio.Task[None]]] = {platform: set() for platform in adapters}
        self._settlements: list[tuple[Settlement, asyncio.Future[None]]] = []
        self._settling: asyncio.Task[None] | None = None
        self._ring = asyncio.Event()
        # Whether the last turn took something: then another one is worth more than a question.
        self._gives = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Send whatever comes until told to stop; then give what is on its way ten seconds."""
        self._loop = asyncio.get_running_loop()
        told = asyncio.create_task(stop.wait())
        told.add_done_callback(lambda _: self._ring.set())
        try:
            while not stop.is_set():
                self._ring.clear()
                try:
                    pause = await self._look()
                except StoreUnavailable as error:
                    _log.warning("the outbox cannot be read", why=str(error))
                    pause = POLLS
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ring.wait(), pause)
            if flying := self._flying():
                await asyncio.wait(flying, timeout=_PARTING)
        finally:
            self._loop = None
            for task in (told, *self._flying(), *([self._settling] if self._settling else [])):
                task.cancel()

    def on_nudge_from(self, dispatcher: Dispatcher) -> None:
        """Look at the outbox whenever this dispatcher has committed something."""
        dispatcher.after_commit.append(self.nudge)

    def nudge(self) -> None:
        """Look at the outbox now, because something was committed. May be called from any thread."""
        if (loop := self._loop) is not None:
            loop.call_soon_threadsafe(self._ring.set)

    def _flying(self) -> list[asyncio.Task[None]]:
        return [task for tasks in self._on_their_way.values() for task in tasks]

    async def turn(self) -> int:
        """Take what may leave now and start sending it; how many messages were taken.

        Does not wait for them: what is slow goes on while later turns take more.
        """
        claims = await self._claim(self._places())
        for claim in claims:
            tasks = self._on_their_way[claim.platform]
            task = asyncio.create_task(self._carry(claim))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            task.add_done_callback(lambda _: self._ring.set())
        return len(claims)

    async def drain(self) -> int:
        """Send all that may leave at the clock's present instant, one by one; how many were taken."""
        taken = 0
        while claims := await self._claim(dict.fromkeys(self._adapters, self._at_once)):
            for claim in claims:
                await self._carry(claim)
            taken += len(claims)
        return taken

    async def next_at(self) -> datetime | None:
        """When the next message may leave; None when nothing waits. May be past: it may leave now, or it gathers."""
        return await self._call(self._deliveries.next_at, list(self._adapters))

    async def _look(self) -> float:
        """Start sending what may leave now, if anything may; seconds until the next look, unless somebody nudges."""
        if not self._places():
            return POLLS  # whoever is done rings
        if not self._gives:
            looked_at = self._clock.now()
            next_at = await self.next_at()
            if next_at is None:
                return POLLS
            if next_at > looked_at:
                return min(max((next_at - self._clock.now()).total_seconds(), 0.0), POLLS)
        asked, self._gives = self._gives, bool(await self.turn())
        # What may leave and is not taken is somebody else's by now, or gathers.
        return 0.0 if self._gives or asked else POLLS

    def _places(self) -> dict[str, int]:
        """How many more messages may be on their way to each platform, where any may."""
        free = {platform: self._at_once - len(tasks) for platform, tasks in self._on_their_way.items()}
        return {platform: number for platform, number in free.items() if number > 0}

    async def _claim(self, at_most: Mapping[str, int]) -> Sequence[Claim]:
        if not at_most:
            return ()
        return await self._call(self._deliveries.claim, self._clock.now(), self._holder, at_most)

    async def _carry(self, claim: Claim) -> None:
        """Send one message and record what became of it; what cannot be recorded is in doubt from then on."""
        try:
            await self._deliver(claim, self._adapters[claim.platform])
        except StoreUnavailable as error:
            _log.warning("delivery cannot be recorded", lane=claim.lane, why=str(error))
        except Exception:  # noqa: BLE001 - one message's trouble is no other's
            _log.exception("delivery failed", lane=claim.lane)

    async def _deliver(self, claim: Claim, adapter: Adapter) -> None:
        if claim.in_doubt:
            parcel = await self._call(self._deliveries.ready, claim, self._clock.now(), look_again=False)
            if parcel is None:
                return
            found = await self._find(adapter, parcel)
            if found is not None:
                await self._record(parcel, found, self._clock.now(), adapter)
                return
            claim = parcel.claim
        parcel = await self._call(self._deliveries.ready, claim, self._clock.now())
        if parcel is not None:
            started = self._clock.now()
            await self._record(parcel, await self._send(adapter, parcel), started, adapter)

    async def _find(self, adapter: Adapter, parcel: Parcel) -> Result | None:
        """Where an earlier attempt ended up; None when it did not arrive or nobody can tell."""
        try:
            async with asyncio.timeout(self._call_timeout):
                return await adapter.find(parcel)
        except Exception as error:  # noqa: BLE001 - an adapter's trouble is its message's, and no other's
            _log.exception("cannot ask whether it arrived", lane=parcel.claim.lane)
            return TryAgain(f"{type(error).__name__} while asking whether it arrived", unknown=True)

    async def _send(self, adapter: Adapter, parcel: Parcel) -> Result | Failure:
        try:
            async with asyncio.timeout(self._call_timeout):
                return await adapter.deliver(parcel)
        except TimeoutError:
            return TryAgain(f"no answer in {self._call_timeout:g} s", unknown=True)
        except Exception as error:  # noqa: BLE001 - an adapter's trouble is its message's, and no other's
            _log.exception("adapter failed", lane=parcel.claim.lane)
            return Failure(f"{type(error).__name__} while it was sent", unknown=True, fault=True)

    async def _record(
        self, parcel: Parcel, result: Result | Failure, started: datetime, adapter: Adapter
    ) -> None:
        rests_until = started + timedelta(seconds=adapter.pace)
        now = self._clock.now()
        match result:
            case Delivered() as arrived:
                settlement = self._deliveries.delivered(parcel, arrived, now, rests_until)
            case GiveUp(reason=reason):
                settlement = self._deliveries.give_up(parcel, reason, now, rests_until)
            case TryAgain(reason=reason, after=seconds, unknown=unknown):
                after = None if seconds is None else timedelta(seconds=seconds)
                failure = Failure(reason, after, unknown)
                settlement = self._deliveries.put_off(parcel, failure, now, rests_until)
            case Failure() as failure:
                settlement = self._deliveries.put_off(parcel, failure, now, rests_until)
        await self._until_it_commits(settlement)

    async def _until_it_commits(self, settlement: Settlement) -> None:
        """Record although the store is away for a while: what has happened in the world cannot be undone."""
        for pause in _RECORDING:
            try:
                await self._settle(settlement)
                return
            except StoreUnavailable:
                await asyncio.sleep(pause)
        await self._settle(settlement)

    async def _settle(self, settlement: Settlement) -> None:
        """Record it together with whatever else waits to be recorded by then."""
        settled = asyncio.get_running_loop().create_future()
        self._settlements.append((settlement, settled))
        if self._settling is None or self._settling.done():
            self._settling = asyncio.create_task(self._settle_all())
        await settled

    async def _settle_all(self) -> None:
        while waiting := self._settlements:
            self._settlements = []
            try:
                ends = await self._call(self._deliveries.settle_all, [each for each, _ in waiting])
            except BaseException as error:
                for _, settled in waiting:
                    _resolve(settled, error if isinstance(error, Exception) else StoreUnavailable("stopped"))
                if not isinstance(error, Exception):
                    raise
                continue
            for (_, settled), end in zip(waiting, ends, strict=True):
                _resolve(settled, end if isinstance(end, Exception) else None)

    async def _call(self, function: Callable[_P, _T], /, *arguments: _P.args, **named: _P.kwargs) -> _T:
        """Run what is synchronous in one of a few threads."""
        if self._limiter is None:
            self._limiter = CapacityLimiter(self._threads)
        return await anyio.to_thread.run_sync(lambda: function(*arguments, **named), limiter=self._limiter)


def _resolve(settled: asyncio.Future[None], error: Exception | None) -> None:
    if settled.done():
        return  # whoever waited for it was told to stop
    if error is None:
        settled.set_result(None)
    else:
        settled.set_exception(error)
