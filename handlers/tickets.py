"""What everything with a reference has in common: its number, who works on such things, what a move records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from config.policy import Role
from handlers.access import THE_DESK, Person, who_may
from handlers.declare import Change
from handlers.desk import Desk
from handlers.errors import NotAllowed

WORKING = frozenset({Role.AGENT, Role.RESPONDER, Role.APPROVER, Role.OWNER, Role.MANAGER})
"""The roles whose people work on what others ask for."""


class Subject(Protocol):
    """What evidence is about: a reference such as INC-7, and the state that it is in."""

    state: str

    @property
    def ref(self) -> str:
        """The reference people type."""


class Ticket(Subject, Protocol):
    """A subject that is worked on: `version` counts its changes, the last of which was `changed_at` (UTC)."""

    version: int
    changed_at: datetime


def number_of(ref: str) -> int:
    """The 7 of INC-7."""
    return int(ref.partition("-")[2])


def works(person: Person) -> bool:
    """Whether somebody works on other people's tickets here: in a team, or by role."""
    return person == THE_DESK or bool(person.teams or WORKING & person.roles)


def require_works(desk: Desk, what: str) -> None:
    """Raise NotAllowed unless the asker works on services; `what` is what is done by those who do: "Plans are seen"."""
    if not works(desk.asker):
        raise NotAllowed(
            f"{what} by those who work on services.", f"{who_may(Role.AGENT, desk.policy)} can; ask them."
        )


def happened(
    noun: str,
    subject: Subject,
    action: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    words: Mapping[str, str | None] | None = None,
) -> Change:
    """Something that happened to a `noun`; an action with a dot in it is told as it is.

    The state is always told, because clocks, climbs and figures are read from it.
    """
    return Change(
        action=action if "." in action else f"{noun}.{action}",
        subject=subject.ref,
        before=before,
        after={"state": str(subject.state), **(after or {})},
        words={name: text for name, text in (words or {}).items() if text},
    )


def move(ticket: Ticket, desk: Desk, state: str | None = None) -> dict[str, Any]:
    """Mark a ticket as changed now, perhaps into another state; returns what it was before."""
    before = {"state": str(ticket.state)}
    if state is not None:
        ticket.state = str(state)
    ticket.version += 1
    ticket.changed_at = desk.now
    return before
