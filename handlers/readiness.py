"""Whether a service has what it needs: asked before it is drilled, and before it is published."""

from __future__ import annotations

from handlers.desk import Desk
from handlers.rules.readiness import Gap, Look, gaps
from storage.models.continuity import WHOLE


def looks(desk: Desk, service: str) -> dict[str, Look]:
    """What was found last of each thing that a service needs."""
    rows = desk.records.continuity.checks(service)
    return {key: Look(row.ready, row.at, row.count) for key, row in rows.items() if key != WHOLE}


def gaps_of(desk: Desk, service: str) -> list[Gap]:
    """What a service needs and is not known to be in place; nothing where there is no list."""
    readiness = desk.policy.readiness.get(service)
    return [] if readiness is None else list(gaps(readiness, looks(desk, service), desk.now))


def gap_words(desk: Desk, service: str, gap: Gap) -> str:
    """A gap in words, with its service."""
    known = desk.policy.services.get(service)
    return f"{known.name if known else service}: {gap.item.title} ({gap.why})"
