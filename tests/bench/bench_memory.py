"""How much memory a desk holds while nothing happens: at most 130 MB with Slack, Discord, web and scheduler loaded.

The real program runs in a process of its own. Its Slack is a stand-in on loopback; its Discord cannot be reached,
so the client is loaded and keeps trying, as it does when Discord is away.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil

from tests.harness.slack import BOT_TOKEN, SECRET, FakeSlack

_START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
_IDLE = 5


async def measure(**more: str) -> float:
    """Start `deskbell serve` with these settings, let it be idle, and return its resident memory in MB."""
    with tempfile.TemporaryDirectory() as home:
        settings = {"DESKBELL_HOME": home, "PORT": "8765", "DESKBELL_CONSOLE": "on", **more}
        desk = str(Path(sys.executable).parent / "deskbell")
        environment = {**os.environ, **settings}
        # As a release does: whoever migrates carries Alembic from then on.
        await (
            await asyncio.create_subprocess_exec(
                desk, "migrate", env=environment, stdout=asyncio.subprocess.DEVNULL
            )
        ).wait()
        process = await asyncio.create_subprocess_exec(
            desk, "serve", env=environment, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with httpx.AsyncClient() as client:
                await _ready(client, f"http://127.0.0.1:{settings['PORT']}/readyz")
            await asyncio.sleep(_IDLE)
            return float(psutil.Process(process.pid).memory_info().rss / 1_000_000)
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()


async def _ready(client: httpx.AsyncClient, url: str) -> None:
    for _ in range(300):
        try:
            if (await client.get(url)).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    raise RuntimeError("the desk did not become ready within 30 s")


async def main() -> None:
    """Measure the console alone, then everything."""
    print(f"console only: {await measure():.0f} MB")
    fake = await FakeSlack(lambda: _START).start()
    try:
        everything = await measure(
            SLACK_BOT_TOKEN=BOT_TOKEN,
            SLACK_SIGNING_SECRET=SECRET,
            SLACK_API_URL=fake.api_url,
            DISCORD_TOKEN="bench.no.token",
            DISCORD_GUILD_IDS="123456789012345678",
            DISCORD_API_URL="http://127.0.0.1:9/api/v10",
            DISCORD_GATEWAY_URL="ws://127.0.0.1:9",
        )
    finally:
        await fake.stop()
    print(f"everything: {everything:.0f} MB (goal: at most 130 MB)")


if __name__ == "__main__":
    asyncio.run(main())
