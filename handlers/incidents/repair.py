"""Repairing: what could not be created outside the desk is created again."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.declare import Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed
from handlers.incidents.outside import lost
from handlers.incidents.shared import change, done, find, is_worker, team_name
from handlers.messages import Reply, counted
from handlers.parsing import IncidentRef
from handlers.tickets import move


@dataclass(frozen=True)
class Repair:
    """For example: incident repair INC-7"""

    incident: IncidentRef


@command("incident repair", params=Repair, evidences=("SD SP 3.2",))
def repair(asked: Repair, desk: Desk) -> Outcome:
    """Post again what an incident is missing outside: its card, words below it, its channel."""
    incident = find(desk, asked.incident, for_change=True)
    if not is_worker(desk, desk.asker, incident):
        raise NotAllowed(f"You cannot repair {incident.ref}.", f"{team_name(desk, incident)} can; ask them.")
    rows = lost(desk, incident)
    if not rows:
        return Outcome(reply=Reply(title=f"{incident.ref} is missing nothing.", subject=incident.ref))
    for row in rows:
        desk.records.outbox.retry(row.id or 0, desk.now)
    before = move(incident, desk)
    repaired = change(
        incident, "repaired", before, {"messages": len(rows), "where": sorted({row.platform for row in rows})}
    )
    return done(
        desk, incident, f"{counted(len(rows), 'message')} of {incident.ref} on the way again", [repaired]
    )
