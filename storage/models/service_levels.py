"""Clocks as they stood when last computed: a projection for lists; the evidence is the truth."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, true
from sqlmodel import Field, SQLModel

from storage.columns import Instant


class ClockRow(SQLModel, table=True):
    """One promise on one ticket. `state` is how it stood then; how it stands now is read from the moments.

    `open` says that it is neither met, met late nor cancelled; `soon_at` is its last warning before `due_at`.
    What is not `counted`, such as a practice, stays out of every figure.
    """

    __tablename__ = "clock"
    __table_args__ = (
        Index("ix_clock_open", "open", "due_at"),
        Index("ix_clock_team", "team", "open"),
        Index("ix_clock_finished", "stopped_at"),
    )

    subject: str = Field(primary_key=True, max_length=40)
    promise: str = Field(primary_key=True, max_length=70)
    agreement: str = Field(max_length=48, index=True)
    agreement_version: str = Field(max_length=16)
    service: str = Field(max_length=48)
    team: str = Field(max_length=48)
    customer: str | None = Field(default=None, max_length=150)
    priority: str = Field(max_length=4)
    goal: float
    state: str = Field(max_length=16)
    open: bool = True
    counted: bool = Field(default=True, sa_column_kwargs={"server_default": true()})
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
