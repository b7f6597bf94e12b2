"""Rehearsals: an organisation's own policies, tried on a throw-away desk with a clock that one can turn."""

from __future__ import annotations

import asyncio
import tempfile
from importlib.resources import files
from pathlib import Path

from bot.clock import VirtualClock
from bot.rehearsal.player import Player
from bot.rehearsal.script import START, Script, read, require_known
from bot.rehearsal.stage import RoomInMemory
from bot.rehearsal.transcript import Transcript
from config.loading import load
from config.policy import Policy
from handlers.rules.moments import parse_when
from handlers.rules.rotation import first_gap
from storage import migrations
from storage.database import Database


def rehearse(path: Path) -> Transcript:
    """Play a file in a room in memory. Raises NotUnderstood for a bad line, PolicyErrors for a bad policy."""
    script = read(path)
    policy = load(script.policy or Path(str(files("config"))) / "policies", first_gap)
    require_known(script, policy)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'rehearsal.db'}")
        try:
            migrations.upgrade(database)
            player = Player(script, database, RoomInMemory(policy), clock_for(script, policy))
            return asyncio.run(player.play())
        finally:
            database.close()


def clock_for(script: Script, policy: Policy) -> VirtualClock:
    """The clock as the script starts it."""
    start = parse_when(script.start, START, policy.organisation.zone) if script.start else START
    return VirtualClock(start)
