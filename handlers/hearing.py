"""Hearing: when a platform could not be heard, which nobody can make good, and which is therefore on record.

What people typed or clicked meanwhile never reached the desk: the platform told them that it failed, and says it
to the desk no more. Reminders, escalation and what the desk itself sends went on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from handlers.declare import Change, Outcome, command
from handlers.desk import Desk
from handlers.messages import Moment, Notice, Reply, Tone, ToRoom, facts
from handlers.parsing import Word
from handlers.rules import moments

TOLD_FROM = timedelta(minutes=1)
"""The owner is told of a gap that is at least so long; a shorter one is on record, and that is all."""


@dataclass(frozen=True)
class Unheard:
    """For example: desk unheard discord 2026-11-23T08:00:05+00:00"""

    platform: Word
    until: Word  # an instant, to the second at least


def heard_until(platform: str) -> str:
    """The name of the fact that holds when a platform was heard last: an instant in ISO 8601, UTC."""
    return f"{platform} heard until"


@command("desk unheard", params=Unheard, evidences=("SD SP 3.2",), desk_only=True)
def unheard(asked: Unheard, desk: Desk) -> Outcome:
    """Note since when a platform was not heard that is heard again; nothing when it never was before."""
    name, until = heard_until(asked.platform), datetime.fromisoformat(asked.until)
    known = desk.records.facts.get(name)
    since = datetime.fromisoformat(str(known)) if known else until
    if known is None or since < until:
        desk.records.facts.put(name, until.isoformat())
    if since >= until:
        return Outcome(reply=Reply(title=f"{_shown(asked.platform)} is heard."))
    gap = {"platform": asked.platform, "since": since.isoformat(), "until": until.isoformat()}
    told = _told(asked.platform, since, until, desk) if until - since >= TOLD_FROM else None
    return Outcome(
        reply=Reply(title=f"{_shown(asked.platform)} is heard again."),
        changes=[Change("platform.unheard", desk.asker.key, after=gap)],
        notices=[told] if told else [],
    )


def _told(platform: str, since: datetime, until: datetime, desk: Desk) -> Notice:
    name, long = _shown(platform), moments.show_duration(until - since)
    return Notice(
        to=ToRoom(room=desk.policy.organisation.owner_room),
        reply=Reply(
            title=f"{name} could not be heard for {long}",
            text=(
                f"What people typed or clicked there did not reach the desk: {name} told them that it failed. ",
                "What the desk itself sends, reminders and escalation went on.",
            ),
            tone=Tone.WAITING,
            facts=facts(("Since", Moment(moment=since)), ("Heard again", Moment(moment=until))),
            private=False,
        ),
        key=f"unheard/{platform}/{until.isoformat()}",
    )


def _shown(platform: str) -> str:
    return platform.capitalize()
