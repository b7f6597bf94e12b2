"""Whole collections as plain values for programs, some members at a time, in the order of their keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, select, tuple_
from sqlmodel import Session

from storage.models.changes import Change, ChangeService
from storage.models.continuity import Drill, DrillService
from storage.models.evidence import EvidenceRow
from storage.models.incidents import Incident
from storage.models.requests import Request
from storage.models.service_levels import ClockRow

_TICKET = ("state", "opened_at", "changed_at")
SHOWN: Mapping[str, tuple[Any, str | None, tuple[str, ...], tuple[str, ...]]] = {
    "requests": (
        Request,
        "REQ",
        ("number",),
        ("summary", "offering", "service", "team", "priority", "requester", "assignee", "rating", *_TICKET),
    ),
    "incidents": (
        Incident,
        "INC",
        ("number",),
        ("title", "service", "team", "severity", "reporter", "assignee", "practice", "resolved_at", *_TICKET),
    ),
    "changes": (
        Change,
        "CHG",
        ("number",),
        ("title", "kind", "risk", "requester", "implementer", "starts_at", "ends_at", "result", *_TICKET),
    ),
    "drills": (Drill, "DRL", ("number",), ("plan", "kind", "state", "starts_at")),
    "service-levels": (
        ClockRow,
        None,
        ("subject", "promise"),
        ("agreement", "service", "team", "customer", "priority", "goal", "state", "open", "counted", "excluded",
         "decided_on", "started_at", "due_at", "stopped_at", "breached_at"),
    ),
    "evidence": (
        EvidenceRow,
        None,
        ("seq",),
        ("at", "actor", "surface", "action", "subject", "practices", "policy", "previous", "hash"),
    ),
}  # fmt: skip
"""Of each collection: its table, the prefix of its references, its key, and what programs are shown beside it."""

_SERVICES: Mapping[str, tuple[Any, str]] = {
    "changes": (ChangeService, "change"),
    "drills": (DrillService, "drill"),
}
"""Of collections whose members may concern several services: the table that says which, and its column for them."""

OF_SERVICE = frozenset(
    {*_SERVICES, *(name for name, (_, _, _, shown) in SHOWN.items() if "service" in shown)}
)
"""The collections whose members concern services."""


def columns(name: str) -> list[str]:
    """What each member of a collection tells, in order."""
    _, prefix, keys, shown = SHOWN[name]
    return [*(("ref",) if prefix else ()), *keys, *shown]


class Collections:
    """Reads collections in order of their keys."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def page(
        self,
        name: str,
        after: Sequence[Any] | None,
        at_most: int,
        only: Mapping[str, Collection[str]] | None = None,
        any_of: Mapping[str, Collection[str]] | None = None,
        service: str | None = None,
    ) -> list[dict[str, Any]]:
        """The members behind a key, at most so many, that concern a service when one is given.

        `only` and `any_of` hold columns with the values they may have.
        """
        model, prefix, keys, shown = SHOWN[name]
        table: Table = model.metadata.tables[model.__tablename__]
        asked = select(*(table.c[each] for each in (*keys, *shown)))
        if service is not None:
            asked = asked.where(_concerns(name, service))
        if after is not None:
            asked = asked.where(tuple_(*(table.c[key] for key in keys)) > tuple_(*after))
        for column, values in (only or {}).items():
            asked = asked.where(table.c[column].in_(list(values)))
        if any_of:
            theirs: list[ColumnElement[bool]] = [
                table.c[each].in_(list(values)) for each, values in any_of.items()
            ]
            condition = theirs[0]
            for each in theirs[1:]:
                condition = condition | each
            asked = asked.where(condition)
        rows = self._session.execute(asked.order_by(*(table.c[key] for key in keys)).limit(at_most))
        return [_plain(dict(row._mapping), prefix) for row in rows]


def _concerns(name: str, service: str) -> ColumnElement[bool]:
    """Whether a member of a collection concerns a service."""
    model = SHOWN[name][0]
    table: Table = model.metadata.tables[model.__tablename__]
    if name not in _SERVICES:
        return table.c["service"] == service
    between, column = _SERVICES[name]
    which: Table = between.metadata.tables[between.__tablename__]
    return table.c["number"].in_(select(which.c[column]).where(which.c["service"] == service))


def _plain(row: dict[str, Any], prefix: str | None) -> dict[str, Any]:
    told = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in row.items()}
    return {"ref": f"{prefix}-{row['number']}", **told} if prefix else told
