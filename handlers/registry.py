"""What the desk can do: the list of its capabilities, checked when the house is put together."""

from __future__ import annotations

from config.vocabulary import practices
from handlers import (
    actions,
    alerts,
    changes,
    continuity,
    evidence,
    guide,
    hearing,
    incidents,
    oncall,
    people,
    problems,
    requests,
    service_levels,
    services,
    tokens,
)
from handlers.declare import Commands
from handlers.errors import HouseFault

CAPABILITIES = (
    *(guide, people, services, hearing),
    *requests.PARTS,
    *incidents.PARTS,
    *(*problems.PARTS, actions),
    *changes.PARTS,
    *continuity.PARTS,
    alerts,
    *oncall.PARTS,
    *service_levels.PARTS,
    *evidence.PARTS,
    tokens,
)


def load() -> Commands:
    """The table of commands. Raises HouseFault for a double name or a practice that CMMI-SVC does not have."""
    commands = Commands(CAPABILITIES)
    known = practices()
    for declared in commands.by_name.values():
        for code in declared.evidences:
            if code not in known:
                raise HouseFault(f"“{declared.name}” evidences {code}, which CMMI-SVC V1.3 does not have")
    return commands
