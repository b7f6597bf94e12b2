"""Collections for programs: what the asker may see of requests, incidents, changes, drills, promises and evidence."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from config.policy import Role
from handlers.access import who_may
from handlers.desk import Desk
from handlers.errors import BadValue, NotAllowed
from handlers.parsing import named
from storage.repositories.collections import OF_SERVICE, columns

__all__ = ["OF_SERVICE", "SCOPES", "columns", "page"]

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
    """Members of a collection behind a key, in order, as far as the asker may see them; those of a service, if given.

    Raises NotAllowed, and BadValue for a service that is unknown or that the collection knows nothing of.
    """
    any_of: dict[str, Collection[str]] = {}
    if name in ("service-levels", "evidence") and not _FIGURES & desk.asker.roles:
        raise NotAllowed(
            f"The collection of {name} is for managers and owners.",
            f"{who_may(Role.MANAGER, desk.policy)} may.",
        )
    if name == "requests" and not _WIDE & desk.asker.roles:
        any_of = {"requester": [desk.asker.key], "team": sorted(desk.asker.teams)}
    whose = None if service is None else _service(desk, name, service)
    return desk.records.collections.page(name, after, at_most, any_of=any_of, service=whose)


def _service(desk: Desk, name: str, text: str) -> str:
    """The service that a text means; one that the policy names no more is found by its key in what was kept."""
    if name not in OF_SERVICE:
        raise BadValue(f"The collection of {name} cannot be narrowed by service.", "Leave it out.", "service")
    try:
        return named(desk.policy.services, "service", text, "service")
    except BadValue:
        if "\x00" not in text and desk.records.collections.page(name, None, 1, service=text):
            return text
        raise
