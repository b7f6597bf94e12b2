"""Collections for programs: what the asker may see of requests, incidents, changes, drills, promises and evidence."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from config.policy import Role
from handlers.access import who_may
from handlers.desk import Desk
from handlers.errors import NotAllowed

SCOPES: Mapping[str, str] = {
    "requests": "request:read",
    "incidents": "incident:read",
    "changes": "change:read",
    "drills": "drill:read",
    "service-levels": "sla:read",
    "evidence": "evidence:read",
}
"""The collections, and the scope that opens each."""

_WIDE = frozenset({Role.AGENT, Role.MANAGER, Role.OWNER})
_FIGURES = frozenset({Role.MANAGER, Role.OWNER})


def page(
    desk: Desk, name: str, after: Sequence[Any] | None, at_most: int, service: str | None
) -> list[dict[str, Any]]:
    """Members of a collection behind a key, in order, as far as the asker may see them. Raises NotAllowed."""
    only: dict[str, Collection[str]] = {}
    any_of: dict[str, Collection[str]] = {}
    if name in ("service-levels", "evidence") and not _FIGURES & desk.asker.roles:
        raise NotAllowed(
            f"The collection of {name} is for managers and owners.",
            f"{who_may(Role.MANAGER, desk.policy)} may.",
        )
    if name == "requests" and not _WIDE & desk.asker.roles:
        any_of = {"requester": [desk.asker.key], "team": sorted(desk.asker.teams)}
    if service is not None and name in ("requests", "incidents", "service-levels"):
        only["service"] = [service]
    return desk.records.collections.page(name, after, at_most, only, any_of)
