"""Retention: copies that nobody needs for ever are emptied when the policy says so. Evidence itself stays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from handlers.declare import Change, Outcome, command
from handlers.desk import Desk
from handlers.messages import Reply


@dataclass(frozen=True)
class Retain:
    """For example: privacy retain"""


@command("privacy retain", params=Retain, evidences=("WMC SP 1.4",), desk_only=True)
def retain(asked: Retain, desk: Desk) -> Outcome:
    """Drop answers, empty sent messages and the console's talk that are older than the policy keeps them."""
    rules, now = desk.policy.retention, desk.now
    emptied = {
        "answers": desk.records.inbox.forget(now - timedelta(seconds=rules.answers)),
        "messages": desk.records.copies.empty_messages(now - timedelta(seconds=rules.messages)),
        "talk": desk.records.copies.empty_talk(now - timedelta(seconds=rules.talk)),
    }
    told = {name: number for name, number in emptied.items() if number}
    return Outcome(
        reply=Reply(title="What had its time is gone." if told else "Nothing has had its time."),
        changes=[Change("retention.applied", desk.asker.key, None, told)] if told else [],
    )
