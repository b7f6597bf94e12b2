"""Running: one process with its parts started in order and stopped in the reverse order, on SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

import structlog

from bot import gateway
from bot.adapters.port import Adapter
from bot.wiring import House
from config.loading import PolicyErrors
from handlers.messages import DESK, Command, Place
from storage.database import StoreUnavailable
from storage.unit_of_work import Records

_log = structlog.get_logger()
_PARTING = 12.0
_DRAFTS_KEPT = timedelta(days=1)


async def run(house: House, *, web: bool, work: bool, on_ready: Callable[[int], None] | None = None) -> None:
    """Run until told to stop: `web` hears HTTP, `work` rings what is due, sends, signs and holds the gateways.

    `on_ready` is told the port once everything is up.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    async with AsyncExitStack() as stack:
        stack.callback(house.database.close)
        await stack.enter_async_context(_task(lambda: _watch_policy(house), "policy"))
        # Adapters are there before the courier and after it: what is on its way at the end may still arrive.
        for name, adapter in house.adapters.items():
            if name != "discord":
                await stack.enter_async_context(_task(partial(_connect, adapter), name))
            elif work:
                assert isinstance(adapter, gateway.Hears)
                await stack.enter_async_context(_task(partial(gateway.hold, house, adapter), name))
        if work:
            house.courier.on_nudge_from(house.dispatcher)
            house.bell.on_nudge_from(house.dispatcher)
            await stack.enter_async_context(_task(lambda: _sign(house), "checkpoints"))
            await stack.enter_async_context(_task(lambda: _forget(house), "housekeeping"))
            if house.settings.watchdog_url is not None:
                await stack.enter_async_context(_task(lambda: _tell_that_it_works(house), "watchdog"))
            await stack.enter_async_context(
                _task(lambda: house.courier.run(stop), "courier", parting=_PARTING)
            )
            await stack.enter_async_context(_task(lambda: house.bell.run(stop), "bell", parting=_PARTING))
        port = 0
        if web:
            from bot.serving import serving  # with a library that a worker need not load

            port = await stack.enter_async_context(serving(house))
        spare_what_is_loaded()
        if on_ready is not None:
            on_ready(port)
        _log.info("ready", web=web, work=work, port=port or None, platforms=",".join(house.platforms))
        await stop.wait()
        _log.info("stopping")


def spare_what_is_loaded() -> None:
    """Keep the garbage collector away from what stays for good: each look at all of it would hold everybody up.

    Some 200,000 objects, a tenth of a second, in the midst of somebody's command.
    """
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def _task(work: Callable[[], Awaitable[None]], name: str, parting: float = 0.0) -> AsyncIterator[None]:
    """A task that is restarted when it fails, a little later each time.

    At the end it is cancelled, after the seconds that it may take to finish by itself.
    """

    over = False

    async def watched() -> None:
        pause = 1.0
        while True:
            try:
                await work()
                return
            except (StoreUnavailable, ConnectionError) as error:
                _log.warning("a part cannot work now and is started again", part=name, why=str(error))
            except Exception:  # noqa: BLE001 - whatever ended one part, the others go on and it begins anew
                _log.exception("a part failed and is started again", part=name)
            if over:
                return  # what failed was its tidying up, and the word to end was lost with it
            await asyncio.sleep(pause)
            pause = min(pause * 2, 30.0)

    task = asyncio.create_task(watched(), name=name)
    try:
        yield
    finally:
        if parting:
            await asyncio.wait([task], timeout=parting)
        over = True
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _watch_policy(house: House) -> None:
    """Take up a changed policy; a bad one is reported, and the last good one stays."""
    planned = house.policy().version
    while True:
        await asyncio.sleep(2)
        if await asyncio.to_thread(house.files.changed):
            result = await asyncio.to_thread(house.files.reload)
            if isinstance(result, PolicyErrors):
                _log.error("the policy was not taken up; the last good one stays", problems=str(result))
            else:
                _log.info("policy taken up", version=result.version)
        # Compared, not done on the way: a store that is away just then must not make the desk forget it.
        if (version := house.policy().version) != planned:
            await asyncio.to_thread(house.bell.plan)
            planned = version


async def _sign(house: House) -> None:
    """A signed checkpoint of the ledger every minute, or every 256 records, while there is something new.

    What was signed is then folded into the tallies of evidence, too.
    """
    await asyncio.to_thread(house.fold)
    while True:
        if await asyncio.to_thread(house.sign):
            await asyncio.to_thread(house.fold)
        await asyncio.sleep(1)


async def _tell_that_it_works(house: House) -> None:
    """Tell the one outside who wakes people when the desk falls silent."""
    from bot.adapters.notify.outbound import Outbound
    from bot.watchdog import watch

    assert house.settings.watchdog_url is not None
    url = house.settings.watchdog_url.get_secret_value()
    # The administrator names it, so it may be anywhere.
    await watch(house, url, Outbound([str(urlsplit(url).hostname)]))


async def _forget(house: House) -> None:
    """Once a day, empty what the policy keeps no longer, and drop forms that nobody came back to."""
    while True:
        await asyncio.to_thread(_retain, house)
        await asyncio.to_thread(_forget_once, house)
        await asyncio.sleep(86_400)


def _retain(house: House) -> None:
    now = house.clock.now()
    said = Command(
        line="privacy retain", sender=DESK, place=Place(platform="desk"), key=f"retain/{now.isoformat()}"
    )
    house.dispatcher.obey(said)


def _forget_once(house: House) -> None:
    with house.database.writing() as session:
        house.database.take_time(session.connection())
        records = Records(session)
        records.drafts.forget(house.clock.now() - _DRAFTS_KEPT)


async def _connect(adapter: Adapter) -> None:
    """Keep an adapter connected. A platform that is away must not keep the desk from its work elsewhere."""
    try:
        await adapter.start()
        await asyncio.Event().wait()
    finally:
        await adapter.stop()
