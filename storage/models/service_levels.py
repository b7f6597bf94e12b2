"""Clocks as they stood when last computed: a projection for lists; the evidence is the truth."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Index, false, text, true
from sqlmodel import Field, SQLModel

from storage.columns import Instant

KEPT, BROKEN, EXCLUDED = "kept", "broken", "excluded"
"""What a promise came to, for the figures; `excluded` was broken, and two people agreed to leave it out."""


def _while_open(name: str, *columns: str) -> Index:
    return Index(name, *columns, sqlite_where=text("open = 1"), postgresql_where=text("open"))


class ClockRow(SQLModel, table=True):
    """One promise on one ticket. `state` is how it stood then; how it stands now is read from the moments.

    `open` says that it is neither met, met late nor cancelled; `soon_at` is its last warning before `due_at`.
    What is not `counted`, such as a practice, stays out of every figure. `kind` is the promise without the number
    of its turn, `topic` the offering or else the service. Once it was kept or broken, `decided_on` is that day
    in the organisation's zone; a broken one may be `excluded`. `spent` are the business seconds that were counted
    up to the stop, `allowed` those from the start to the due moment.
    """

    __tablename__ = "clock"
    __table_args__ = (
        _while_open("ix_clock_next", "due_at"),
        _while_open("ix_clock_next_service", "service", "due_at"),
        _while_open("ix_clock_next_team", "team", "due_at"),
        _while_open("ix_clock_ticking", "state", "due_at"),
        _while_open("ix_clock_soon", "state", "soon_at"),
        Index("ix_clock_past", "kind", "topic", "priority", "stopped_at"),
        Index(
            "ix_clock_broken",
            "breached_at",
            sqlite_where=text("breached_at IS NOT NULL"),
            postgresql_where=text("breached_at IS NOT NULL"),
        ),
    )

    subject: str = Field(primary_key=True, max_length=40)
    promise: str = Field(primary_key=True, max_length=70)
    kind: str = Field(default="", max_length=16, sa_column_kwargs={"server_default": ""})
    agreement: str = Field(max_length=48, index=True)
    agreement_version: str = Field(max_length=16)
    service: str = Field(max_length=48)
    topic: str = Field(default="", max_length=48, sa_column_kwargs={"server_default": ""})
    team: str = Field(max_length=48)
    customer: str | None = Field(default=None, max_length=150)
    priority: str = Field(max_length=4)
    goal: float
    state: str = Field(max_length=16)
    open: bool = True
    counted: bool = Field(default=True, sa_column_kwargs={"server_default": true()})
    excluded: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    decided_on: str | None = Field(default=None, max_length=10)
    spent: int | None = None
    allowed: int | None = None
    started_at: datetime | None = Field(default=None, sa_type=Instant)
    due_at: datetime | None = Field(default=None, sa_type=Instant)
    soon_at: datetime | None = Field(default=None, sa_type=Instant)
    stopped_at: datetime | None = Field(default=None, sa_type=Instant)
    breached_at: datetime | None = Field(default=None, sa_type=Instant)

    def state_at(self, now: datetime) -> str:
        """How it stands now, if nothing happened since: time alone makes a running clock due soon, then breached."""
        if self.state not in ("running", "due soon") or self.due_at is None:
            return self.state
        if now >= self.due_at:
            return "breached"
        return "due soon" if self.soon_at is not None and now >= self.soon_at else "running"

    @property
    def outcome(self) -> str | None:
        """What it came to, for the figures; None while it is undecided, and for what was cancelled in time."""
        if self.decided_on is None:
            return None
        if self.breached_at is None:
            return KEPT
        return EXCLUDED if self.excluded else BROKEN

    def tallied(self, of: str | None = None) -> Iterator[tuple[object, ...]]:
        """The keys of the tallies in which it counts: the open ones by state, the decided ones by day and by month.

        `of`: as if it were about this service.
        """
        if self.counted:
            whose = of or self.service, self.team, self.customer or "", self.agreement, self.kind, self.goal
            if self.open:
                yield ("", *whose, self.state)
            if self.outcome is not None:
                day = self.decided_on or ""
                yield (day, *whose, self.outcome)
                yield (day[:7], *whose, self.outcome)


class TallyRow(SQLModel, table=True):
    """How many clocks count as one thing: changed in the transaction that changes a clock, never counted anew.

    `outcome` is what promises decided on a `day` came to, and again those of its month (`2026-11`), by which long
    periods are read; where there is no day, the state of those still open.
    """

    __tablename__ = "clock_tally"

    day: str = Field(primary_key=True, max_length=10)
    service: str = Field(primary_key=True, max_length=48)
    team: str = Field(primary_key=True, max_length=48)
    customer: str = Field(primary_key=True, max_length=150)
    agreement: str = Field(primary_key=True, max_length=48)
    kind: str = Field(primary_key=True, max_length=16)
    goal: float = Field(primary_key=True)
    outcome: str = Field(primary_key=True, max_length=16)
    number: int


class Exclusion(SQLModel, table=True):
    """A broken promise that somebody asked to leave out of the figures, and what a second person made of it.

    The clock is the one of the ticket that `started_at` then, whatever its promise is called since. `state` is
    `asked`, `agreed` or `refused`. What people wrote about it is in the evidence.
    """

    __tablename__ = "exclusion"

    subject: str = Field(primary_key=True, max_length=40)
    kind: str = Field(primary_key=True, max_length=70)
    started_at: datetime = Field(primary_key=True, sa_type=Instant)
    promise: str = Field(max_length=70)
    state: str = Field(max_length=8)
    asked_by: str = Field(max_length=48, index=True)
    asked_at: datetime = Field(sa_type=Instant)
    decided_by: str | None = Field(default=None, max_length=48)
    decided_at: datetime | None = Field(default=None, sa_type=Instant)
