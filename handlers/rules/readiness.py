"""Whether a service has in place what it needs: everything was looked at in time, and nothing was found lacking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from config.policy import Readiness, ReadinessItem
from handlers.rules.moments import show_duration


@dataclass(frozen=True)
class Look:
    """What was found when somebody last looked: `count` of a consumable, and when that was."""

    ready: bool
    at: datetime
    count: int | None = None


@dataclass(frozen=True)
class Gap:
    """A thing that is not known to be in place, and why."""

    item: ReadinessItem
    why: str


def look_again_by(item: ReadinessItem, look: Look) -> datetime:
    """When somebody must look at it again."""
    return look.at + timedelta(seconds=item.every)


def gap_of(item: ReadinessItem, look: Look | None, now: datetime) -> str | None:
    """Why a thing is not known to be in place; None when it is."""
    if look is None:
        return "nobody has looked yet"
    if item.at_least is not None and look.count is not None and look.count < item.at_least:
        return f"{look.count} of at least {item.at_least}"
    if not look.ready:
        return "lacking"
    if now > look_again_by(item, look):
        return f"last looked at more than {show_duration(timedelta(seconds=item.every))} ago"
    return None


def gaps(readiness: Readiness, looks: Mapping[str, Look], now: datetime) -> Iterator[Gap]:
    """Everything that is not known to be in place, in the order of the list."""
    for item in readiness.items:
        why = gap_of(item, looks.get(item.key), now)
        if why is not None:
            yield Gap(item, why)
